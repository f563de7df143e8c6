#!/usr/bin/env python3
"""A real cluster in a virtual machine, where cgroups are v2 alone: jobs run in cgroups of theirs, which go with them."""
import contextlib
import os
import pathlib
import re
import unittest

from jarvis_vm import run_here
from jarvis_cluster import Cluster, SharedCluster, wait_for

CPUS, NUMA_NODES = 4, 2
PARTITION = '[[partition]]\nname = "batch"\nnodes = "ALL"\ndefault = true\ndefault_time = "1h"\nconfinement = "track"\n'
# What the script leaves in a session of its own and deaf to signals, with a child that is no better.
STUBBORN = """#!/bin/sh
setsid sh -c 'trap "" TERM HUP INT; echo $$ >>pids; (trap "" TERM HUP INT; sleep 100000) & echo $! >>pids; wait; sleep 100000' &
while [ "$(wc -l <pids 2>/dev/null)" != 2 ]; do sleep 0.1; done
echo $$ >>pids
wait
"""


def numbers(path):
    with contextlib.suppress(OSError):
        return {int(word) for word in path.read_text().split()}
    return set()


class Jobs(SharedCluster):
    settings = {"partitions": PARTITION}

    def group(self, job):
        return self.c.cgroup() / f"jobs/job_{job}"

    def test_node_is_what_the_machine_has(self):
        self.assertEqual(len(list(pathlib.Path("/sys/devices/system/node").glob("node[0-9]*"))), NUMA_NODES)
        self.assertEqual(self.c.json("jnodes", "--json")["nodes"][0]["cores"], CPUS)

    def test_tree_is_in_the_only_hierarchy(self):
        self.assertEqual(self.c.cgroup_mount(), "/sys/fs/cgroup")
        self.assertEqual(self.c.cgroup().parent, pathlib.Path("/sys/fs/cgroup"))

    def test_script_runs_in_its_job_cgroup(self):
        job = self.c.submit(script="#!/bin/sh\ncat /proc/self/cgroup\necho $$\nwhile ! test -e go; do sleep 0.1; done\nexit 7\n")
        wait_for(lambda: self.c.output(job).count("\n") == 2, "the job to write what it sees")
        group, pid = self.c.output(job).split()
        self.assertEqual(group, f"0::/{self.c.cgroup().name}/jobs/job_{job}/tasks.0")
        self.assertIn(int(pid), numbers(self.group(job) / "tasks.0/cgroup.procs"))
        (self.c.work() / "go").touch()
        self.assertEqual(self.c.wait_job(job)["state"], "FAILED")
        self.assertEqual(self.c.history(job)["exit_code"], 7)
        wait_for(lambda: not self.group(job).exists(), f"the cgroup of job {job} to go")

    def test_jobs_are_bound_to_different_cores(self):
        script = "grep Cpus_allowed_list /proc/self/status; while ! test -e all-started; do sleep 0.1; done"
        jobs = [self.c.submit("-n", "1", wrap=script) for _ in range(CPUS)]
        for job in jobs:
            wait_for(lambda job=job: self.c.output(job), f"job {job} to write")
        (self.c.work() / "all-started").touch()
        found = {re.search(r"list:\s+(\S+)", self.c.output(job)).group(1) for job in jobs}
        self.assertEqual(found, {str(cpu) for cpu in range(CPUS)})
        for job in jobs:
            self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")

    def test_cancel_kills_what_hid_in_a_session_of_its_own(self):
        pids = self.c.work() / "pids"
        job = self.c.submit(script=STUBBORN)
        wait_for(lambda: len(numbers(pids)) == 3, "the script and what it has left to tell their numbers")
        self.assertLessEqual(numbers(pids), numbers(self.group(job) / "tasks.0/cgroup.procs"))
        self.c.run("jcancel", job, check=0)
        self.assertEqual(self.c.wait_job(job)["state"], "CANCELLED")
        wait_for(lambda: not self.group(job).exists(), f"the cgroup of job {job} to go")
        self.assertEqual([pid for pid in numbers(pids) if os.path.exists(f"/proc/{pid}")], [])


class End(unittest.TestCase):
    def test_node_that_stops_leaves_no_cgroup(self):
        with Cluster(partitions=PARTITION) as c:
            self.assertEqual(c.run_job(wrap="true")["state"], "COMPLETED")
            tree = c.cgroup()
            self.assertTrue(tree.is_dir())
            c.jnoded.stop()
            wait_for(lambda: not tree.exists(), lambda: f"{tree} to go: {[str(p) for p in tree.rglob('*') if p.is_dir()]}")


run_here(cpus=CPUS, numa=NUMA_NODES)
