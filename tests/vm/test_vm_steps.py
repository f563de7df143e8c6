#!/usr/bin/env python3
"""Steps at level `full` with a real kernel: each task has the processors and NUMA nodes that it was given, and no other."""
import re

from jarvis_vm import run_here
from jarvis_cluster import SharedCluster, USER, wait_for
from jarvis_network import Network

PARTITION = '[[partition]]\nname = "batch"\nnodes = "ALL"\ndefault = true\ndefault_time = "1h"\nconfinement = "full"\n'
SHOW = 'grep -E "^(Cpus|Mems)_allowed_list" /proc/self/status; cat /proc/self/cgroup'


def numbers(text):
    found = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


class FullSteps(SharedCluster):
    settings = {"partitions": PARTITION}

    def run_steps(self, body, *options, user=USER):
        record = self.c.run_job(*options, script=f"#!/bin/bash\n{body}\n", user=user)
        self.assertEqual(record["state"], "COMPLETED", record)
        return record["text"]

    def tasks(self, text):
        """What each labelled task says of itself: (processors, NUMA nodes, cgroup)."""
        said = {}
        for rank, key, value in re.findall(r"(?m)^(\d+): (Cpus|Mems|0:)[^:\n]*:\s*(\S+)$", text):
            said.setdefault(int(rank), {})[key] = value
        return [(numbers(said[rank]["Cpus"]), numbers(said[rank]["Mems"]), said[rank]["0:"]) for rank in sorted(said)]


class Steps(FullSteps):
    def test_1_tasks_are_bound_to_their_cores(self):
        for user in (USER, None):
            text = self.run_steps(f"jrun -n 4 -l sh -c '{SHOW}'; jrun -n 1 -c 4 -l sh -c '{SHOW}'", "-n", "4", "--mem", "200M", user=user)
            tasks = self.tasks("\n".join(text.splitlines()[:12]))
            self.assertEqual(len(tasks), 4, text)
            self.assertTrue(all(len(cpus) == 1 for cpus, _, _ in tasks), text)
            self.assertEqual(len(set().union(*(cpus for cpus, _, _ in tasks))), 4, text)
            for rank, (_, _, group) in enumerate(tasks):
                self.assertRegex(group, rf"/jobs/job_\d+/step_0/task_{rank}$")
            (cpus, _, group), = self.tasks("\n".join(text.splitlines()[12:]))
            self.assertEqual(len(cpus), 4, text)
            self.assertRegex(group, r"/jobs/job_\d+/step_1$")

    def test_2_local_memory(self):
        text = self.run_steps(f"jrun -n 2 -m block:cyclic --mem-bind=local -l sh -c '{SHOW}'", "-n", "4", "--exclusive", "--mem", "200M")
        tasks = self.tasks(text)
        # Two NUMA nodes of two processors each.
        for cpus, nodes, _ in tasks:
            self.assertEqual({cpu // 2 for cpu in cpus}, nodes, text)

    def test_3_the_usage_of_a_step_has_its_memory_and_nothing_is_left(self):
        job = self.c.submit("-n", "4", "--mem", "300M", user=USER,
                            script="#!/bin/bash\njrun -n 4 sleep 300 & sleep 2\njrun -n 1 --overlap true\nwait\n")
        self.c.wait_state(job, "RUNNING")
        group = self.c.cgroup() / "jobs" / f"job_{job}"
        wait_for(lambda: len(list(group.glob("step_0/task_*"))) == 4, "the groups of the tasks")
        wait_for(lambda: (group / "step_0/task_3/cgroup.procs").read_text().strip(), "the task")
        for rank in range(4):
            self.assertEqual(len(numbers((group / f"step_0/task_{rank}/cpuset.cpus").read_text())), 1)
        self.assertEqual((group / "step_0/cgroup.procs").stat().st_uid, 0)
        self.assertIn("memory", (group / "cgroup.subtree_control").read_text())
        self.c.run("jcancel", job, check=0)
        self.assertEqual(self.c.wait_job(job)["state"], "CANCELLED")


class StepsOverNodes(FullSteps):
    """Two nodes with a half of the machine each: tasks on the second one are bound and held as those on the first."""
    @classmethod
    def setUpClass(cls):
        cls.c = Network(nodes=2, peers=True, cpus={1: {0, 1}, 2: {2, 3}}, **cls.settings)

    def test_tasks_are_bound_on_each_node(self):
        text = self.run_steps(f"jrun -N 2 -n 4 -l sh -c '{SHOW}'", "-N", "2", "-n", "4", "--ntasks-per-node", "2", "--mem", "200M")
        tasks = self.tasks(text)
        self.assertEqual([sorted(cpus) for cpus, _, _ in tasks], [[0], [1], [2], [3]], text)
        for rank, (_, _, group) in enumerate(tasks):
            self.assertRegex(group, rf"n{rank // 2 + 1}/jobs/job_\d+/step_0/task_{rank}$")

    def test_nothing_is_left_on_the_other_node(self):
        script = "#!/bin/bash\njrun -N 2 -n 4 sleep 600 & pid=$!\n" \
                 "until [ -e go ]; do sleep 0.2; done; kill -9 $pid; wait $pid\njrun -N 2 -n 4 true; echo code $?\n"
        job = self.c.submit("-N", "2", "-n", "4", "--ntasks-per-node", "2", "--mem", "200M", script=script)
        def group_there():
            return next((tree / "jobs" / f"job_{job}" / "step_0" for tree in self.c.cgroups() if tree.name.endswith("n2")), None)
        wait_for(lambda: group_there() and len(list(group_there().glob("task_*/cgroup.procs"))) == 2, "the tasks' groups")
        wait_for(lambda: (group_there() / "task_3/cgroup.procs").read_text().strip(), "the task")
        self.assertEqual(numbers((group_there() / "task_3/cpuset.cpus").read_text()), {3})
        (self.c.work() / "go").touch()
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        self.assertIn("code 0", self.c.output(job))


run_here(cpus=4, numa=2, memory="2G")
