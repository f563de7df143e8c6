#!/usr/bin/env python3
"""The controller is away for a minute, and jobs end on 8 nodes meanwhile; when it is back it hears of all of them."""
import signal
import time

from jarvis_books import Books
from jarvis_cluster import TestCase, seed_of_run
from jarvis_network import Network, main, needs_namespaces

SEED = seed_of_run()
AWAY = 60


@needs_namespaces
class Minute(TestCase):
    def test_controller_is_away_while_jobs_end(self):
        with Network(nodes=8, namespaces=True, controller='heartbeat = "1s"') as c:
            books = Books(c, f"{SEED}-{self.id()}")
            cores = sum(node["cores"] for node in c.json("jnodes", "--json")["nodes"])
            # Some end while it is away, some later, and some have to wait for their turn until it is back.
            ends = [books.chance.uniform(1, AWAY * 1.3) for _ in range(cores - 1)]
            running = [books.timed(seconds, code=code) for code, seconds in enumerate(ends)]
            for job in running:
                c.wait_state(job, "RUNNING")
            processes = [books.pid(job) for job in running]
            waiting = books.short(30, "-c", "1")
            c.jctld.stop(signal.SIGKILL)
            time.sleep(AWAY)
            c.jctld.start()
            c.wait_controller()
            c.wait_node()
            self.assertEqual([books.pid(job)[0] for job in running], [pid for pid, _ in processes])
            books.check()
            self.assertTrue(all(c.history(job)["restarts"] == 0 for job in running + waiting))


if __name__ == "__main__":
    main()
