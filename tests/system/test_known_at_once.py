#!/usr/bin/env python3
"""A job is known to every command from the moment at which jsub has printed its id: 1,000 times, with others at work."""
import threading

from jarvis_cluster import SharedCluster, main

TIMES = 1000
AT_ONCE = 2


class KnownAtOnce(SharedCluster):
    def test_queue_knows_the_job_at_once(self):
        problems = []
        script = self.c.script("#!/bin/sh\nexit 0\n")

        def loop():
            for number in range(TIMES // AT_ONCE):
                hold = ["-H"] if number % 20 else []      # some run, so that the state changes under the queries
                submitted = self.c.run("jsub", *hold, script)
                if submitted.code != 0:
                    problems.append(repr(submitted))
                    return
                shown = self.c.run("jq", "-j", submitted.out.strip(), "--json")
                if shown.code != 0 or f'"{submitted.out.strip()}"' not in shown.out:
                    problems.append(repr(shown))

        threads = [threading.Thread(target=loop) for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(problems, [])
        user = self.c.json("jq", "--json")["jobs"][0]["user"]
        self.c.run("jcancel", "-u", user, check=0)


main()
