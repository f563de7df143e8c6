#!/usr/bin/env python3
"""kill -9 of the node daemon with twenty jobs in every phase: all are taken up again, inside the limits that they had, and none leaks."""
import argparse
import os
import re
import signal
import sys

from jarvis_vm import run_here
from jarvis_cluster import SharedCluster, USER, wait_for
from promise_checker import Checker
from vm_jobs import MAX_PROCESSES, SETTINGS, Jobs

RUNNING, SUSPENDED, ENDING, STARTING = 7, 4, 4, 5
LIMITS = ("cpuset.cpus", "cpuset.mems", "memory.max", "memory.high", "memory.oom.group", "pids.max", "cpu.weight")


class Adoption(SharedCluster):
    # No second step while a test looks: those that end do so when it wants them to.
    settings = SETTINGS | {"controller": 'kill_grace = "1h"'}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.jobs, cls.checker = Jobs(cls.c), Checker(cls.c, MAX_PROCESSES)

    def start(self, count, do, word):
        started = [self.jobs.submit("-c", "1", "--mem", "48M", do=do) for _ in range(count)]
        for job in started:
            self.jobs.says(job, word)
        return started

    def what_they_are(self, jobs):
        """Which processes they have, inside which limits, and whether they stand still."""
        return {job: (self.jobs.pids(job), [self.jobs.read(job, file) for file in LIMITS], self.jobs.read(job, "cgroup.freeze"))
                for job in jobs}

    def states(self):
        return {job["id"]: job["state"] for job in self.c.json("jq", "--json")["jobs"]}

    def test_1_all_are_adopted(self):
        for number in range(int(os.environ["ROUNDS"])):
            with self.subTest(round=number):
                self.one_round(number)

    def one_round(self, number):
        running = self.start(RUNNING, "hold 6 2 1", "ready")
        suspended = self.start(SUSPENDED, "hold 6 1 2", "ready")
        ending = self.start(ENDING, "deaf", "deaf")
        self.c.run("jsuspend", *suspended, check=0)
        for job in suspended:
            wait_for(lambda job=job: self.jobs.keyed(job, "cgroup.events")["frozen"] == 1, f"job {job} to stand still")
        self.c.run("jcancel", *ending, check=0)
        for job in ending:      # written before the first signal
            wait_for((self.c.run_dir / f"jobs/{job}.1/stop").exists, f"job {job} to be told to end")
        before = self.what_they_are(running + suspended + ending)
        # An array of one submit, so that its tasks are on their way to the launcher together when the daemon dies: when the first
        # order is written here, in later rounds with some of their groups there.
        array = self.jobs.submit("-c", "1", "--mem", "48M", "--array", f"1-{STARTING}", "--hold", do="hold 6 1 1")
        release = self.c.spawn("jrelease", array, user=USER)
        orders = self.c.run_dir / "jobs"
        while not (len(os.listdir(orders)) > len(before) and len(self.groups()) >= len(before) + number):
            if release.poll():
                self.fail(release.stderr.read())
        os.kill(self.c.jnoded.process.pid, signal.SIGKILL)
        there = len(self.groups()) - len(before)
        self.c.jnoded.kill()
        release.communicate()
        self.assertEqual(self.what_they_are(before), before)
        self.c.jnoded.start()
        self.c.wait_node()
        tasks = wait_for(lambda: self.tasks_that_run(array), lambda: f"all tasks of {array} to run: {self.c.run('jq').out}")
        print(f"[{len(before) + STARTING} jobs, {there} of {STARTING} starting ones had a group then]", end=" ", flush=True)
        self.assertEqual(self.what_they_are(before), before)
        states = self.states()
        self.assertEqual({states[job] for job in suspended}, {"SUSPENDED"})
        self.assertEqual({states[job] for job in running}, {"RUNNING"})
        self.assertEqual(self.checker.check(), [])
        self.assertEqual(len(self.groups()), len(before) + STARTING)
        # Each goes on as it would have without the daemon's death.
        self.c.run("jresume", *suspended, check=0)
        for job in suspended:
            self.c.wait_state(job, "RUNNING")
        self.jobs.end(*running, *suspended, *tasks)
        for job in running + suspended + tasks:
            end = self.c.wait_job(job)
            self.assertEqual((end["state"], end["restarts"]), ("COMPLETED", 0), job)
        for job in ending:
            (self.jobs.group(job) / "cgroup.kill").write_text("1")
            self.assertEqual(self.c.wait_job(job)["state"], "CANCELLED")
        wait_for(lambda: not self.groups(), lambda: f"all groups to go: {self.groups()}")
        self.assertLessEqual(set(running + suspended), self.checker.seen.jobs)

    def groups(self):
        return [path.name for path in (self.c.cgroup() / "jobs").glob("job_*")]

    def tasks_that_run(self, array):
        tasks = [job["id"] for job in self.c.json("jq", "-l", "--json")["jobs"] if str(job["array"]) == array and job["state"] == "RUNNING"]
        outputs = [path for path in self.c.work(USER).glob(f"jarvis-{array}_*.out") if re.search("ready", path.read_text())]
        return len(tasks) == len(outputs) == STARTING and tasks

    def test_2_one_that_was_killed_while_nobody_looked(self):
        """A shepherd and its job that die while the daemon is away: the job has ended, and nothing of it stays."""
        lost, other = self.start(2, "hold 6 2 1", "ready")
        self.c.jnoded.kill()
        (self.jobs.group(lost) / "cgroup.kill").write_text("1")
        self.c.jnoded.start()
        self.c.wait_node()
        self.assertEqual(self.c.wait_job(lost)["state"], "FAILED")
        self.jobs.gone(lost)
        self.assertEqual(self.checker.check(), [])
        self.jobs.end(other)
        self.assertEqual(self.c.wait_job(other)["state"], "COMPLETED")


parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--rounds", default="1", help="each with all phases (1)")
given, sys.argv[1:] = parser.parse_known_args()
run_here(env=[f"ROUNDS={given.rounds}"], cpus=20, numa=2, memory="3G")
