#!/usr/bin/env python3
"""Many jobs side by side on machines with one to eight NUMA nodes: what `jq` promises is what the kernel gives, all along.

A checker that shares nothing with the daemons compares the two after every change; at the end faults are planted, each of which it
must find. --long: ten layouts and more than 250 jobs, instead of four and 50. --only=TEXT: the layouts with that in their names.
"""
import argparse
import ctypes
import os
import pathlib
import random
import re
import sys
import unittest

from jarvis_vm import IN_GUEST, run_here
from jarvis_cluster import SharedCluster, seed_of_run, wait_for
from promise_checker import Checker, numbers, read
from vm_jobs import MAX_PROCESSES, SETTINGS, Jobs

SYS_MIGRATE_PAGES = 256     # x86-64
LEAST_LOAD, LEAST_AT_ONCE = 0.6, 3
# Unequal on purpose: nodes of one package are near, those of the other are not, and no two pairs of packages are alike.
FOUR = ["0,1=12", "0,2=28", "0,3=32", "1,2=32", "1,3=28", "2,3=14"]
EIGHT = [f"{a},{b}={12 + 3 * (b - a) if a // 4 == b // 4 else 26 + 2 * (b - a)}" for a in range(8) for b in range(a + 1, 8)]
LAYOUTS = {
    "1 node, 1 package": {"cpus": 8, "numa": 1, "memory": "1536M"},
    "1 node, 2 packages": {"cpus": 8, "packages": 2, "numa": 1, "memory": "1536M"},
    "2 nodes, 1 package": {"cpus": 8, "numa": 2, "memory": "1536M", "distance": ["0,1=13"]},
    "2 nodes, 2 packages": {"cpus": 8, "packages": 2, "node": ["0-3:1G", "4-7:512M"], "distance": ["0,1=21"]},
    "4 nodes, 1 package": {"cpus": 8, "node": ["0,4:512M", "1,5:512M", "2,6:384M", "3,7:256M"], "distance": FOUR},
    "4 nodes, 2 packages": {"cpus": 8, "packages": 2, "numa": 4, "memory": "2G", "distance": FOUR},
    "8 nodes, 1 package": {"cpus": 12, "node": [
        "0-1:384M", "2-3:256M", "4:256M", "5:256M", "6:256M", "7:256M", "8-9:256M", "10-11:256M"], "distance": EIGHT},
    "8 nodes, 2 packages": {"cpus": 16, "packages": 2, "numa": 8, "memory": "2G", "distance": EIGHT},
    "2 nodes, 2 threads": {"cpus": 16, "threads": 2, "packages": 2, "numa": 2, "memory": "1536M", "distance": ["0,1=21"]},
    # The last one has no CPUs, and is farther from both than they are from each other, as CXL memory is.
    "2 nodes, memory alone": {"cpus": 8, "node": ["0-3:512M", "4-7:384M", ":640M"], "distance": ["0,1=16", "0,2=24", "1,2=28"]},
}
SHORT = ("2 nodes, 1 package", "4 nodes, 2 packages", "2 nodes, 2 threads", "2 nodes, memory alone")


def migrate_pages(pid, source, target):
    """Moves what a process has on one NUMA node to another one, as root may whatever the process is allowed."""
    masks = [ctypes.byref(ctypes.c_ulong(1 << node)) for node in (source, target)]
    if ctypes.CDLL(None, use_errno=True).syscall(SYS_MIGRATE_PAGES, pid, 64, *masks) < 0:
        raise OSError(ctypes.get_errno(), "migrate_pages")


def machines():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only")
    options, sys.argv[1:] = parser.parse_known_args()
    return [layout | {"env": [f"LAYOUT={name}", f"LAYOUT_JOBS={27 if options.long else 13}",
                              f"FAULTS={'no' if name == SHORT[0] and not options.long and not options.only else 'yes'}"]}
            for name, layout in LAYOUTS.items() if (options.only in name if options.only else options.long or name in SHORT)]


class Layout(SharedCluster):
    settings = SETTINGS

    @classmethod
    def setUpClass(cls):
        print(f"--- {os.environ['LAYOUT']}", flush=True)
        cls.random = random.Random(seed_of_run())
        # Else whoever looks at a job's /proc/PID/environ or cmdline, as this test does, may have that page moved to the NUMA node
        # of its own CPU: the kernel's fault on behalf of the reader counts as an access from there.
        pathlib.Path("/proc/sys/kernel/numa_balancing").write_text("0")
        super().setUpClass()
        cls.jobs, cls.checker = Jobs(cls.c), Checker(cls.c, MAX_PROCESSES)
        cls.layout = LAYOUTS[os.environ["LAYOUT"]]
        cls.cpus = len(cls.checker.machine_cpus)
        cls.threads = cls.layout.get("threads", 1)
        cls.cores = cls.cpus // cls.threads

    def submit(self):
        """No job takes more than a third of the cores, so that three fit; some need memory of several NUMA nodes."""
        cores = self.random.randint(1, max(1, self.cores // 3 if self.random.random() < 0.3 else self.cores // 4))
        memory = self.random.choice((40, 64, 90, 300)) if self.cores < 10 else self.random.choice((40, 64, 90))
        single = self.threads > 1 and self.random.random() < 0.4
        job = self.jobs.submit("-c", str(cores), "--mem", f"{memory}M", *(["--hint=nomultithread"] if single else []), do=(
            f"hold {memory // 3} {self.random.randint(1, 3)} {self.random.randint(1, 2)}"))
        if single:
            self.checker.single_threaded.add(job)
        return job

    def held(self):
        """The share of the cores that running jobs hold, once all of them have touched their memory."""
        running = self.jobs.running()
        if all("ready" in self.jobs.output(job) for job in running) and len(running) >= LEAST_AT_ONCE:
            share = sum(job["cores"] for job in running.values()) / self.cores
            return share >= LEAST_LOAD and (share, sorted(running, key=int))
        return None

    def test_1_the_machine_is_the_layout(self):
        layout = self.layout
        self.assertEqual(len(self.checker.machine_memory), len(layout.get("node", [])) or layout["numa"])
        packages = {read(f"/sys/devices/system/cpu/cpu{cpu}/topology/physical_package_id") for cpu in self.checker.machine_cpus}
        self.assertEqual(len(packages), layout.get("packages", 1))
        node = self.c.json("jnodes", "-l", "--json")["nodes"][0]
        self.assertEqual((node["cores"], node["confinement"]), (layout["cpus"] // self.threads, "full"))
        self.assertEqual({len(core) for core in self.checker.core_of.values()}, {self.threads})
        self.assertEqual(len(node["numa_nodes"]), len(self.checker.machine_memory))

    def test_2_promises_are_kept_while_jobs_come_and_go(self):
        total = int(os.environ["LAYOUT_JOBS"])
        submitted, ended, loads = [], [], []
        # As many as will fill it, and some to wait.
        while len(submitted) < total and len(submitted) - len(self.jobs.running()) < 2:
            submitted.append(self.submit())
        while len(submitted) < total:
            share, running = wait_for(self.held, lambda: f"{LEAST_LOAD:.0%} of the cores to be busy\n{self.c.run('jq').out}")
            loads.append(share)
            self.assertEqual(self.checker.check(), [])
            leaving = self.random.sample(running, min(2, total - len(submitted)))
            self.jobs.end(*leaving)
            ended += leaving
            submitted += [self.submit() for _ in leaving]
            self.assertEqual(self.checker.check(), [])      # in the middle of ends and starts
        for job in ended:
            self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED", job)
        share, running = wait_for(self.held, "the last jobs to start")
        self.assertEqual(self.checker.check(), [])
        seen = self.checker.seen
        print(f"{len(submitted)} jobs, {len(ended)} ended and replaced, {min(loads):.0%} to {max(loads):.0%} of the cores busy; "
              f"{seen.checks} checks of {len(seen.jobs)} jobs, at most {seen.most_at_once} at once: {seen.processes} processes, "
              f"{seen.threads} threads, {seen.pages} pages")
        self.assertLessEqual(set(ended), seen.jobs)
        self.assertGreaterEqual(min(loads), LEAST_LOAD)
        self.assertGreaterEqual(len(ended), total // 4)
        self.assertGreater(seen.threads, seen.processes)
        self.assertGreater(seen.pages * 4096, len(seen.jobs) << 20)

    # --- faults, to see that the checker can fail

    def planted(self, *patterns):
        found = self.checker.check()
        for pattern in patterns:
            self.assertTrue([line for line in found if re.search(pattern, line)], f"{pattern} in {found}")

    def victim(self):
        """A job of two cores of one NUMA node that runs; others go on beside it."""
        waiting = [job["id"] for job in self.c.json("jq", "--json")["jobs"] if job["state"] == "PENDING"]
        job = self.jobs.submit("-c", "2", "--numa=1", "--mem", "64M", do="hold 12 2 1")
        if waiting:
            self.jobs.cancel(*waiting)
        for other in self.jobs.running():
            if self.c.job(job)["state"] == "RUNNING":
                break
            if other != job:
                self.jobs.end(other)
                self.c.wait_job(other)
        self.jobs.says(job, "ready")
        return job

    @unittest.skipIf(os.environ.get("FAULTS") == "no", "planted on the other machine alone")
    def test_3_the_checker_finds_faults(self):
        job = self.victim()
        group = self.jobs.group(job)
        self.assertEqual(self.checker.check(), [])
        pid = self.jobs.pids(job)[0]
        cpus = numbers(self.jobs.read(job, "cpuset.cpus"))
        with self.subTest("one process is bound to one of its two cores"):
            os.sched_setaffinity(pid, {min(cpus)})
            self.planted(rf"^job {job}: process {pid}, thread \d+: Cpus_allowed_list is {min(cpus)}, promised")
            os.sched_setaffinity(pid, cpus)
        with self.subTest("one process is elsewhere, bound to the next cores"):
            home = group / "tasks.0/cgroup.procs"
            shifted = {(cpu + 1) % self.cpus for cpu in cpus}
            (self.c.cgroup().parent / "cgroup.procs").write_text(str(pid))
            os.sched_setaffinity(pid, shifted)
            self.planted(rf"^job {job}: process {pid} is outside its cgroup")
            home.write_text(str(pid))
            os.sched_setaffinity(pid, cpus)
        self.assertEqual(self.checker.check(), [])
        everything = {"cpuset.cpus": f"0-{self.cpus - 1}", "memory.max": str(200 << 20), "memory.swap.max": "max", "pids.max": "61"}
        if len(self.checker.machine_memory) > 1:
            everything["cpuset.mems"] = f"0-{len(self.checker.machine_memory) - 1}"
        for file, value in everything.items():
            if (group / file).exists():
                with self.subTest(f"{file} is raised"):
                    before = (group / file).read_text()
                    (group / file).write_text(value)
                    self.planted(rf"^job {job}: {file} is ")
                    if file == "cpuset.cpus":
                        self.planted(rf"^job {job}: process {pid}, thread \d+: Cpus_allowed_list", "their cgroups share cores")
                    (group / file).write_text(before)
        self.assertEqual(self.checker.check(), [])
        if len(self.checker.machine_memory) > 1:
            with self.subTest("memory is on another NUMA node"):
                self.other_node(job)

    @unittest.skipUnless(any(node.startswith(":") for node in LAYOUTS.get(os.environ.get("LAYOUT"), {}).get("node", [])),
                         "all NUMA nodes have cores")
    def test_4_memory_without_cores_is_given_when_there_is_no_other(self):
        if left := [job["id"] for job in self.c.json("jq", "--json")["jobs"]]:
            self.jobs.cancel(*left)
        parts = {part["os_index"]: part for part in self.c.json("jnodes", "topo", self.c.node, "--json")["numa_nodes"]}
        near = {node for node in parts if read(f"/sys/devices/system/node/node{node}/cpulist").strip()}
        self.assertEqual((set(parts), near), ({0, 1, 2}, {0, 1}))
        self.assertEqual([parts[node]["kind"] for node in range(3)], ["dram", "dram", "slow"])
        size = sum(parts[node]["memory_bytes"] for node in near) >> 20
        # All cores are busy and most of their memory is taken: the rest is used by none of them.
        small = [self.jobs.submit("-c", "1", "--mem", "90M", do="hold 30 1 1") for _ in range(self.cores)]
        for job in small:
            self.jobs.says(job, "ready")
        self.assertEqual(self.checker.check(), [])
        promises = self.checker.promises()
        self.assertEqual(set(promises), set(small))
        self.assertLessEqual(set().union(*(promise.nodes for promise in promises.values())), near)
        self.jobs.cancel(*small)
        # One that is larger than both of theirs gets it with as few others as possible, and the kernel takes pages of it.
        large = self.jobs.submit("-c", "1", "--mem", f"{size + 60}M", do=f"hold {size + 20} 1 1")
        self.jobs.says(large, "ready")
        promise = self.checker.promises()[large]
        self.assertEqual(promise.nodes, {0, 2}, f"{promise}\n{parts}")
        # It says so when its threads have begun.
        wait_for(lambda: self.pages_on(2, large) > 30 << 20, lambda: f"pages on node 2: {self.jobs.read(large, 'memory.numa_stat')}")
        self.assertEqual(self.checker.check(), [])
        self.jobs.cancel(large)
        # hwloc says that it is near to the cores of node 0: beside them it is local memory, and that of node 1 is not.
        local = (parts[0]["memory_bytes"] + parts[2]["memory_bytes"] >> 20) + 50
        refused = self.c.run("jsub", "-c", "1", "--mem", f"{local}M", "--mem-bind=local", "--wrap", "true", check=1)
        self.assertIn("memory", refused.err)

    def pages_on(self, node, job):
        line = next(line for line in self.jobs.read(job, "memory.numa_stat").splitlines() if line.startswith("anon "))
        return int(re.search(rf" N{node}=(\d+)", line).group(1))

    def other_node(self, job):
        """Pages that are elsewhere while all files and masks are right."""
        allowed = numbers(self.jobs.read(job, "cpuset.mems"))
        mine, other = min(allowed), min(set(self.checker.machine_memory) - allowed)
        pid = self.jobs.pids(job)[0]
        migrate_pages(pid, mine, other)
        self.planted(rf"^job {job}: process {pid} has \d+ pages on NUMA node {other}, promised")
        migrate_pages(pid, other, mine)
        self.assertEqual(self.checker.check(), [])


run_here(*([] if IN_GUEST else machines()))
