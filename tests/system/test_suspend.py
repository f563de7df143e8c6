#!/usr/bin/env python3
"""Jobs that stand still and go on: by cgroup where there is one, and by signals at level none."""
import json
import os
import time

from jarvis_cluster import SharedCluster, main, wait_for

TICKING = """#!/bin/sh
sh -c 'while :; do echo tick; sleep 0.05; done' &
while :; do echo tock; sleep 0.05; done
"""


class Suspend(SharedCluster):
    def size(self, job):
        path = self.c.work() / f"jarvis-{job}.out"
        return path.stat().st_size if path.exists() else 0

    def grows(self, job):
        """Whether it writes anything within a second."""
        before = self.size(job)
        until = time.monotonic() + 1
        while time.monotonic() < until:
            if self.size(job) != before:
                return True
            time.sleep(0.02)
        return False

    def ticking(self, *options):
        job = self.c.submit(*options, script=TICKING)
        wait_for(lambda: self.size(job) > 20, f"job {job} to write")
        return job

    def suspended(self, job):
        self.c.run("jsuspend", job, check=0)
        # What it wrote before the kernel had stopped all of it is there in a moment.
        wait_for(lambda: not self.grows(job), f"job {job} to stand still")

    def state(self, job):
        return json.loads(self.c.run("jq", "-l", "-j", job, "--json", check=0).out)["jobs"][0]

    def test_it_stands_still_and_goes_on(self):
        job = self.ticking()
        self.suspended(job)
        state = self.state(job)
        self.assertEqual(state["state"], "SUSPENDED")
        self.assertTrue(state["suspended_by"])
        self.c.run("jsuspend", job, check=0)  # again is fine
        self.c.run("jresume", job, check=0)
        wait_for(lambda: self.grows(job), f"job {job} to go on")
        state = self.state(job)
        self.assertEqual((state["state"], state["suspended_by"]), ("RUNNING", None))
        self.assertGreater(state["suspended_us"], 0)
        self.c.run("jresume", job, check=0)
        self.c.run("jcancel", job, check=0)
        self.assertEqual(self.c.wait_job(job)["state"], "CANCELLED")

    def test_it_stays_suspended_over_restarts_of_all_daemons(self):
        job = self.ticking()
        self.suspended(job)
        self.c.jnoded.stop()
        self.c.jnoded.start()
        self.c.restart_controller()
        self.c.wait_node()
        self.assertFalse(self.grows(job))
        self.assertEqual(self.state(job)["state"], "SUSPENDED")
        self.c.run("jresume", job, check=0)
        wait_for(lambda: self.grows(job), f"job {job} to go on")
        self.c.run("jcancel", job, check=0)
        self.c.wait_job(job)

    def test_a_cancel_reaches_what_stands_still(self):
        job = self.c.submit(script="#!/bin/sh\ntrap 'echo got TERM; exit 0' TERM\nwhile :; do echo tick; sleep 0.05; done\n")
        wait_for(lambda: self.size(job) > 20, f"job {job} to write")
        self.suspended(job)
        self.c.run("jcancel", job, check=0)
        self.assertEqual(self.c.wait_job(job)["state"], "CANCELLED")
        self.assertIn("got TERM", self.c.output(job))

    def test_its_time_limit_does_not_come_nearer(self):
        job = self.ticking("-t", "0:03")
        self.suspended(job)
        time.sleep(4)
        self.assertEqual(self.state(job)["state"], "SUSPENDED")
        self.c.run("jresume", job, check=0)
        self.assertEqual(self.c.wait_job(job)["state"], "TIMEOUT")

    def test_what_cannot_be_suspended_says_why(self):
        job = self.c.submit("--hold", wrap="true")
        self.assertIn("only a running job can be suspended", self.c.run("jsuspend", job, check=1).err)
        self.assertIn("only a suspended job can be resumed", self.c.run("jresume", job, check=1).err)
        self.c.run("jsuspend", "999999", check=3)
        self.c.run("jcancel", job, check=0)


class SuspendWithoutCgroups(Suspend):
    settings = {"jnoded": 'cgroup = "none"',
                "partitions": '[[partition]]\nname = "batch"\nnodes = "ALL"\ndefault = true\nconfinement = "none"\n'}


if __name__ == "__main__":
    main()
