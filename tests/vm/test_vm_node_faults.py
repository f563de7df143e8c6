#!/usr/bin/env python3
"""Nodes that cannot confine fully, or can against the odds: each says what it can, why not more and what to do, and gets no jobs of
partitions that want more.

Three machines: one as it should be, where the faults are made by hand around a daemon; one that counts no memory; one with version 1.
"""
import contextlib
import ctypes
import os
import pathlib
import subprocess

from jarvis_vm import run_here
from jarvis_cluster import Cluster, TestCase, USER, _libc, wait_for

TOP = pathlib.Path("/sys/fs/cgroup")
PARTITIONS = "".join(
    f'[[partition]]\nname = "{level}"\nnodes = "ALL"\ndefault = {str(level == "full").lower()}\ndefault_time = "1h"\n'
    f'confinement = "{level}"\n' for level in ("full", "track", "none"))
FULL = "cpuset,memory,pids,io,freeze,kill,devices"
MACHINE = os.environ.get("MACHINE")
MACHINES = ({"env": ["MACHINE=whole"]}, {"env": ["MACHINE=no memory"], "append": ["cgroup_disable=memory"]},
            {"env": ["MACHINE=hybrid"], "hybrid": True})
CLONE_NEWNS, CLONE_NEWCGROUP = 0x20000, 0x2000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
PR_CAPBSET_DROP, LAST_CAPABILITY = 24, 40
# What the daemon of a container is usually left with: to act for the users of its jobs, and nothing else.
CONTAINER_KEEPS = {0, 1, 2, 3, 4, 5, 6, 7}       # CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, KILL, SETGID, SETUID


def system(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def private_mounts(more=0):
    system(_libc.unshare(CLONE_NEWNS | more))
    system(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))


def read_only_cgroups():
    private_mounts()
    system(_libc.mount(b"none", bytes(TOP), None, MS_BIND | MS_REMOUNT | MS_RDONLY, None))


@contextlib.contextmanager
def group(name, parent=TOP):
    path = parent / name
    path.mkdir()
    try:
        yield path
    finally:
        for folder, _, _ in os.walk(path, topdown=False):
            wait_for(lambda folder=folder: not os.path.isdir(folder) or rmdir(folder), f"{folder} to be empty")


def rmdir(folder):
    with contextlib.suppress(OSError):
        os.rmdir(folder)
    return not os.path.isdir(folder)


def hand_on(path, *controllers):
    (path / "cgroup.subtree_control").write_text(" ".join(controllers))


class Faults(TestCase):
    @contextlib.contextmanager
    def cluster(self, enter=None, jnoded=""):
        """A cluster whose node daemon does that first."""
        with Cluster(start=False, partitions=PARTITIONS, jnoded=jnoded) as c:
            if enter:
                tied = c.jnoded.enter

                def both():
                    tied()
                    enter()
                c.jnoded.enter = both
            c.start()
            yield c

    def check_node(self, c, level, capabilities, *notes):
        """What it says of itself, and which partitions use it. The notes are all of its notes on confinement."""
        node = c.json("jnodes", "-l", "--json")["nodes"][0]
        self.assertEqual((node["confinement"], node["capabilities"]), (level, capabilities), node["notes"])
        said = [note for note in node["notes"] if note.startswith("confinement")]
        self.assertEqual(len(said), len(notes), said)
        for note, words in zip(said, notes, strict=True):
            for word in words:
                self.assertIn(word, note)
            self.assertIn(note, c.run("jnodes", "-l").out)
        levels = ("none", "track", "full")
        enough = levels[:levels.index(level) + 1]
        # The highest that it can, and all that it cannot.
        jobs = {wanted: c.submit("-p", wanted, "-c", "1", "--mem", "64M", wrap="true", user=USER) for wanted in levels[len(enough) - 1:]}
        for wanted, job in jobs.items():
            if wanted in enough:
                self.assertEqual(c.wait_job(job)["state"], "COMPLETED", c.tails())
                continue
            reason = wait_for(lambda job=job: c.job(job)["reason"], f"job {job} to say why it waits")
            self.assertIn(f"unable to confine at level {wanted}", str(reason))
            self.assertEqual(c.job(job)["state"], "PENDING")
            c.run("jcancel", job, check=0)
        return node

    if MACHINE == "whole":
        def test_controllers_that_the_parent_was_not_given(self):
            with group("site") as site:
                hand_on(TOP, "+cpuset", "+cpu", "+pids")
                with contextlib.suppress(OSError):
                    hand_on(TOP, "-memory")
                    hand_on(TOP, "-io")
                with self.cluster(jnoded=f'cgroup = "{site}"') as c:
                    self.check_node(c, "track", "cpuset,pids,freeze,kill,devices",
                                    ("memory", f"not in {site}/cgroup.controllers", "cgroup_enable=memory"),
                                    ("io", f"not in {site}/cgroup.controllers"))

        def test_a_parent_with_processes(self):
            """No group with processes hands controllers on; the root alone may."""
            hand_on(TOP, "+cpuset", "+cpu", "+pids", "+memory", "+io")
            with group("occupied") as occupied:
                stranger = subprocess.Popen(["sleep", "100000"])
                (occupied / "cgroup.procs").write_text(str(stranger.pid))
                try:
                    with self.cluster(jnoded=f'cgroup = "{occupied}"') as c:
                        self.check_node(c, "track", "freeze,kill,devices", (
                            "cpuset, cpu, memory, pids, io", f"{occupied}/cgroup.procs has processes ({stranger.pid})",
                            "start them in a group of their own"))
                        # Nothing was done to them, and once they are elsewhere a restart is enough.
                        self.assertIsNone(stranger.poll())
                        self.assertEqual((occupied / "cgroup.procs").read_text().split(), [str(stranger.pid)])
                        (TOP / "cgroup.procs").write_text(str(stranger.pid))
                        c.jnoded.stop()
                        c.jnoded.start()
                        c.wait_node()
                        self.check_node(c, "full", FULL)
                finally:
                    stranger.kill()
                    stranger.wait()

        def test_a_read_only_mount(self):
            with self.cluster(read_only_cgroups) as c:
                self.check_node(c, "none", "none", ("no writable cgroup2 file system is mounted: mount one", "read-write"))

        def test_a_group_that_is_read_only(self):
            with group("site") as site, self.cluster(read_only_cgroups, jnoded=f'cgroup = "{site}"') as c:
                self.check_node(c, "none", "none", (f"{site}/jarvis_", "read-only file system"))

        def test_a_group_that_is_not_there(self):
            with self.cluster(jnoded=f'cgroup = "{TOP}/nowhere"') as c:
                self.check_node(c, "none", "none", (f"cannot open {TOP}/nowhere: no such file or directory",))

        def test_a_container(self):
            """Its own view of cgroups, with a delegated part as its top, and few capabilities: neither SYS_ADMIN nor BPF."""
            hand_on(TOP, "+cpuset", "+cpu", "+pids", "+memory", "+io")
            with group("container") as container:
                hand_on(container, "+cpuset", "+cpu", "+pids", "+memory", "+io")
                (container / "init").mkdir()

                def enter():
                    (container / "init/cgroup.procs").write_text("0")
                    (container / "delegated").mkdir(exist_ok=True)
                    (container / "delegated/cgroup.procs").write_text("0")
                    private_mounts(CLONE_NEWCGROUP)
                    system(_libc.umount2(bytes(TOP), 2))
                    system(_libc.mount(b"none", bytes(TOP), b"cgroup2", 0, None))
                    (pathlib.Path(TOP) / "leaf").mkdir(exist_ok=True)
                    (pathlib.Path(TOP) / "leaf/cgroup.procs").write_text("0")
                    for capability in set(range(LAST_CAPABILITY + 1)) - CONTAINER_KEEPS:
                        system(_libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0))
                with self.cluster(enter) as c:
                    status = pathlib.Path(f"/proc/{c.jnoded.process.pid}/status").read_text()
                    self.assertIn(f"CapEff:\t{sum(1 << bit for bit in CONTAINER_KEEPS):016x}\n", status)
                    self.check_node(c, "track", "cpuset,memory,pids,io,freeze,kill",
                                    ("devices", "operation not permitted", "CAP_BPF and CAP_NET_ADMIN, which nested containers do not give"))
                    self.assertEqual(c.cgroup().parent, container / "delegated")
                    job = c.submit("-p", "track", "-c", "1", "--mem", "64M", wrap="sleep 1000", user=USER)
                    c.wait_state(job, "RUNNING")
                    # As it is seen from outside.
                    limits = c.cgroup() / "jobs" / f"job_{job}"
                    self.assertEqual((limits / "memory.max").read_text(), f"{64 << 20}\n")
                    c.run("jcancel", job, check=0)
                    self.assertEqual(c.wait_job(job)["state"], "CANCELLED")

    if MACHINE == "no memory":
        def test_a_kernel_that_counts_no_memory(self):
            self.assertNotIn("memory", (TOP / "cgroup.controllers").read_text().split())
            with self.cluster() as c:
                self.check_node(c, "track", "cpuset,pids,io,freeze,kill,devices,hugetlb,pages_2M,pages_1G",
                                ("memory", f"not in {TOP}/cgroup.controllers", "boot with cgroup_enable=memory"))

    if MACHINE == "hybrid":
        def test_version_1_has_the_controllers(self):
            mount = pathlib.Path(Cluster.cgroup_mount())
            self.assertNotEqual(mount, TOP)
            with self.cluster() as c:
                self.check_node(c, "track", "freeze,kill,devices", ("cpuset, cpu, memory, pids, io", f"not in {mount}/cgroup.controllers",
                                                            "version 1 hierarchies have it", "boot with cgroup_no_v1=all"))


run_here(*MACHINES, cpus=2, memory="1G")
