#!/usr/bin/env python3
"""The /dev/shm of a job at level `full`: memory of the job, as long as it lives, and nothing of the node's after it."""
import os
import pathlib
import signal
import subprocess

from jarvis_vm import run_here
from jarvis_cluster import SharedCluster, USER, wait_for
from vm_jobs import SETTINGS, Jobs

MIB = 1 << 20
SIZE = 100
# Pages that other processes of the machine come by or lose meanwhile.
SLACK = 12
FILL = f"""dd if=/dev/zero of=/dev/shm/filler bs=1M count={SIZE} 2>/dev/null
df -B1 --output=size /dev/shm | tail -n 1
echo ready
"""
WAIT = "while ! test -e go.$JARVIS_JOB_ID; do sleep 0.2; done\n"
SHOW = "jrun -n 1 sh -c 'stat -c \"step %s\" /dev/shm/filler'; stat -c 'script %s' /dev/shm/filler\n"


def meminfo(key):
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {key} in /proc/meminfo")


class Shm(SharedCluster):
    settings = SETTINGS

    @classmethod
    def setUpClass(cls):
        # As systemd leaves a machine; this one has none.
        subprocess.run(["mount", "--make-rshared", "/"], check=True)
        super().setUpClass()
        cls.jobs = Jobs(cls.c)

    def setUp(self):
        self.shmem, self.available = meminfo("Shmem"), meminfo("MemAvailable")

    def tearDown(self):
        left = [job["id"] for job in self.c.json("jq", "--json")["jobs"]]      # of a test that has failed
        if left:
            self.jobs.cancel(*left)

    def job(self, script, word="ready"):
        job = self.c.submit("-c", "1", "--mem", "200M", script=f"#!/bin/bash\n{script}", user=USER)
        self.jobs.says(job, word)
        return job

    def go_on(self, job):
        (self.c.work(USER) / f"go.{job}").touch()

    def assert_memory_is_back(self):
        self.assertLess(abs(meminfo("Shmem") - self.shmem), SLACK * MIB)
        # That of groups that have just gone is counted late, by the kernel's own account.
        wait_for(lambda: meminfo("MemAvailable") > self.available - 3 * SLACK * MIB,
                 lambda: f"MemAvailable to be back at {self.available}: {meminfo('MemAvailable')}")

    def test_files_are_memory_of_the_job_and_of_nobody_later(self):
        job = self.job(FILL + WAIT + SHOW)
        self.assertEqual(int(self.c.output(job, USER).split()[0]), 200 * MIB)
        self.assertGreaterEqual(self.jobs.keyed(job, "memory.stat")["shmem"], SIZE * MIB)
        self.assertGreaterEqual(int(self.jobs.read(job, "memory.current")), SIZE * MIB)
        self.assertGreater(meminfo("Shmem") - self.shmem, (SIZE - SLACK) * MIB)
        self.assertFalse(os.path.exists("/dev/shm/filler"))
        other = self.c.run_job("-c", "1", "--mem", "100M", wrap="ls -A /dev/shm | wc -l", user=USER)
        self.assertEqual(other["text"], "0\n")
        self.go_on(job)
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        self.assertEqual(self.c.output(job, USER).splitlines()[2:], [f"step {SIZE * MIB}", f"script {SIZE * MIB}"])
        self.assert_memory_is_back()

    def test_segments_are_gone_when_the_job_is(self):
        """System V shared memory without a process."""
        make = "import ctypes, os\nlibc = ctypes.CDLL(None)\nlibc.shmat.restype = ctypes.c_void_p\n" \
               f"at = libc.shmat(libc.shmget(77, {SIZE * MIB}, 0o1600), None, 0)\nctypes.memset(at, 1, {SIZE * MIB})\n"
        job = self.job(f"python3 -c '{make}'\nipcs -m | grep -c ^0x0000004d\necho ready\n{WAIT}")
        self.assertEqual(self.c.output(job, USER).split()[0], "1")
        self.assertGreater(meminfo("Shmem") - self.shmem, (SIZE - SLACK) * MIB)
        self.go_on(job)
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        self.assert_memory_is_back()

    def test_what_the_machine_mounts_later_is_there(self):
        later = self.c.folder / "later"
        later.mkdir(mode=0o755)
        job = self.job(f"echo ready\nwhile ! test -e {later}/file; do sleep 0.2; done; cat {later}/file; echo out >written\n"
                       f"while test -e {later}/file; do sleep 0.2; done; echo gone; grep -c {later} /proc/self/mountinfo\n")
        subprocess.run(["mount", "-t", "tmpfs", "later", later], check=True)
        try:
            (later / "new").write_text("seen\n")
            (later / "new").rename(later / "file")
            self.jobs.says(job, "seen")
        finally:
            subprocess.run(["umount", later], check=True)
        self.jobs.says(job, "gone")
        self.c.wait_job(job)
        self.assertEqual(self.c.output(job, USER), "ready\nseen\ngone\n0\n")
        self.assertEqual((self.c.work(USER) / "written").read_text(), "out\n")
        # Nothing of a job is mounted on the machine.
        self.assertEqual([line.split()[0] for line in pathlib.Path("/proc/mounts").read_text().splitlines() if " /dev/shm " in line], ["shm"])

    def test_it_stays_while_the_daemon_dies_and_the_job_stands_still(self):
        job = self.job(FILL + WAIT + SHOW)
        self.c.run("jsuspend", job, check=0)
        wait_for(lambda: self.jobs.keyed(job, "cgroup.events")["frozen"] == 1, f"job {job} to stand still")
        os.kill(self.c.jnoded.process.pid, signal.SIGKILL)
        self.c.jnoded.kill()
        self.c.jnoded.start()
        self.c.wait_node()
        self.c.run("jresume", job, check=0)
        self.c.wait_state(job, "RUNNING")
        self.assertFalse(os.path.exists("/dev/shm/filler"))
        self.go_on(job)
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        self.assertEqual(self.c.output(job, USER).splitlines()[2:], [f"step {SIZE * MIB}", f"script {SIZE * MIB}"])
        self.assert_memory_is_back()

    def test_a_dead_shepherd_leaves_none(self):
        job = self.job(FILL + WAIT)
        os.kill(int((self.c.run_dir / f"jobs/{job}.1/shepherd.pid").read_text().split()[0]), signal.SIGKILL)
        self.assertEqual(self.c.wait_job(job)["state"], "FAILED")
        self.jobs.gone(job)
        self.assert_memory_is_back()

    def test_the_node_says_full_and_no_more(self):
        node = self.c.json("jnodes", "-l", "--json")["nodes"][0]
        self.assertEqual(node["confinement"], "full")
        self.assertEqual([note for note in node["notes"] if "private_shm" in note], [])


run_here(cpus=2, memory="1536M")
