#!/usr/bin/env python3
"""Jobs that mean ill: each stays inside its limits, ends as documented, leaves nothing, and its neighbour does not notice."""
import contextlib
import dataclasses
import os
import pathlib
import time

from jarvis_vm import run_here
from jarvis_cluster import SharedCluster, wait_for
from promise_checker import Checker
from vm_jobs import MAX_PROCESSES, SETTINGS, Jobs

MEMORY = 80
MIB = 1 << 20
# Of one emulated machine the CPUs run in turns, so what a job gets done in a second of its own CPU time depends on how many others
# are busy. It is compared with itself beside a job that only spins; a hostile job that harmed it would cost more than this.
LEAST_RATIO = 0.5
# What a neighbour waits for its own core, compared with the time that it has it: daemons run there, too.
MOST_WAITING = 0.5


@dataclasses.dataclass
class Measured:
    units: int
    cpu_ns: int
    waited_ns: int
    throttled_us: int
    major_faults: int

    def __sub__(self, other):
        return Measured(*(mine - theirs for mine, theirs in zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)))

    @property
    def speed(self):
        return self.units / self.cpu_ns * 1e9

    @property
    def waiting(self):
        return self.waited_ns / self.cpu_ns


class Hostile(SharedCluster):
    settings = SETTINGS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.jobs, cls.checker = Jobs(cls.c), Checker(cls.c, MAX_PROCESSES)
        cls.neighbour = cls.jobs.submit("-c", "1", "--mem", "40M", do="count")
        wait_for(lambda: cls.jobs.output(cls.neighbour).count("\n") > 1, "the neighbour to work")
        cls.pid = cls.jobs.pids(cls.neighbour)[0]
        spinner = cls.jobs.submit("-c", "1", "--mem", f"{MEMORY}M", do="spin")
        cls.c.wait_state(spinner, "RUNNING")
        cls.alone = cls.watch(cls.neighbour)
        cls.jobs.cancel(spinner)

    def tearDown(self):
        left = [job["id"] for job in self.c.json("jq", "--json")["jobs"] if job["id"] != self.neighbour]      # of a test that has failed
        if left:
            self.jobs.cancel(*left)

    @classmethod
    def measure(cls, job):
        line = cls.jobs.output(job).rpartition("\n")[0].rpartition("\n")[2].split()
        waited = int(pathlib.Path(f"/proc/{cls.pid}/schedstat").read_text().split()[1])
        return Measured(int(line[0]), int(line[1]), waited, cls.jobs.keyed(job, "cpu.stat").get("throttled_usec", 0),
                        cls.jobs.keyed(job, "memory.stat")["pgmajfault"])

    @classmethod
    def watch(cls, job, seconds=4):
        """What the neighbour did within that time, which is what it is whatever the machine's speed."""
        before = cls.measure(job)
        end = time.monotonic() + seconds
        while time.monotonic() < end or cls.measure(job).cpu_ns - before.cpu_ns < 1e9:
            time.sleep(0.1)
        return cls.measure(job) - before

    def assert_undisturbed(self):
        now = self.watch(self.neighbour)
        print(f"[neighbour: {now.speed / self.alone.speed:.2f} of its work per CPU second, waits {now.waiting:.2f}, "
              f"throttled {now.throttled_us} us, {now.major_faults} major faults]", end=" ", flush=True)
        self.assertGreater(now.speed, self.alone.speed * LEAST_RATIO)
        self.assertLess(now.waiting, self.alone.waiting + MOST_WAITING)
        self.assertEqual((now.throttled_us, now.major_faults), (0, 0))
        self.assertEqual(self.c.job(self.neighbour)["state"], "RUNNING")

    def hostile(self, do, *options, after=""):
        job = self.jobs.submit("-c", "1", "--mem", f"{MEMORY}M", *options, do=do, after=after)
        self.c.wait_state(job, "RUNNING", "OUT_OF_MEMORY", "COMPLETED", "FAILED")
        return job

    def cancelled(self, job):
        self.assertEqual(self.checker.check(), [])
        pids = self.jobs.pids(job)
        self.assertTrue(pids)
        self.assertEqual([end["state"] for end in self.jobs.cancel(job)], ["CANCELLED"])
        self.jobs.gone(job)
        self.assertEqual([pid for pid in pids if self.is_ours(pid)], [])

    def is_ours(self, pid):
        with contextlib.suppress(OSError):
            return os.readlink(f"/proc/{pid}/exe") == str(self.jobs.worker)
        return False

    # --- what they do

    def test_a_memory_hog(self):
        job = self.hostile("hog 400", after="; echo survived; exit 3")
        record = self.c.wait_job(job)
        self.assertEqual(record["state"], "OUT_OF_MEMORY")
        self.assertEqual(self.jobs.output(job).splitlines()[0], "begin")
        self.assertNotIn("survived", self.jobs.output(job))
        self.assertLessEqual(self.c.history(job)["usage"]["memory_peak_bytes"], MEMORY * MIB)

    def test_hogs_one_after_the_other_beside_the_neighbour(self):
        """The script survives each of them, so that memory is short all the time that the neighbour is watched."""
        job = self.hostile("hog 400", "--oom=continue", after="; while :; do " + f"{self.jobs.worker} hog 400; done")
        wait_for(lambda: self.jobs.keyed(job, "memory.events")["oom_kill"] > 0, "the kernel to kill")
        self.assert_undisturbed()
        self.assertEqual(self.jobs.keyed(self.neighbour, "memory.events")["oom_kill"], 0)
        self.cancelled(job)

    def test_a_fork_bomb(self):
        self.storm("forks")

    def test_a_storm_of_threads(self):
        self.storm("threads")

    def storm(self, what):
        job = self.hostile(what)
        wait_for(lambda: self.jobs.keyed(job, "pids.events")["max"] > 0, "the limit to be reached")
        self.assert_undisturbed()
        self.assertLessEqual(int(self.jobs.read(job, "pids.current")), MAX_PROCESSES)
        self.assertLessEqual(int(self.jobs.read(job, "pids.peak")) if (self.jobs.group(job) / "pids.peak").exists() else 0, MAX_PROCESSES)
        self.cancelled(job)

    def test_a_filler_of_shared_memory(self):
        """A file in /dev/shm is memory of the job that wrote it, and goes with it."""
        before = self.shared_memory()
        job = self.hostile("fill /dev/shm/filler")
        self.assertEqual(self.c.wait_job(job)["state"], "OUT_OF_MEMORY")
        self.assertFalse(os.path.exists("/dev/shm/filler"))
        self.assertLess(self.shared_memory() - before, MEMORY * MIB // 8)

    def test_a_filler_of_the_machines_memory(self):
        """So is one in another tmpfs, which stays."""
        file = pathlib.Path("/tmp/filler")
        job = self.hostile(f"fill {file}")
        try:
            self.assertEqual(self.c.wait_job(job)["state"], "OUT_OF_MEMORY")
            self.assertLessEqual(file.stat().st_blocks * 512, MEMORY * MIB)
        finally:
            file.unlink(missing_ok=True)

    @staticmethod
    def shared_memory():
        return next(int(line.split()[1]) << 10 for line in pathlib.Path("/proc/meminfo").read_text().splitlines() if line.startswith("Shmem:"))

    def test_a_daemon(self):
        """Of a script that is over nothing goes on, in whatever session it is."""
        go = self.c.work("nobody") / "go"
        job = self.hostile("daemon", after="; while ! test -e go; do sleep 0.1; done; exit 7")
        self.jobs.says(job, "daemon")
        deaf = wait_for(lambda: [pid for pid in self.jobs.pids(job) if self.is_ours(pid)], "the daemon")
        self.assertEqual(len(deaf), 1)
        self.assertNotIn(os.getsid(deaf[0]), self.jobs.pids(job))      # its session's leader is gone
        go.touch()
        end = self.c.wait_job(job)
        self.assertEqual((end["state"], end["exit_code"]), ("FAILED", 7))
        self.jobs.gone(job)
        self.assertFalse(self.is_ours(deaf[0]))

    def test_a_deaf_one(self):
        job = self.hostile("deaf")
        self.jobs.says(job, "deaf")
        pid = self.jobs.pids(job)[0]
        for number in (1, 2, 15):
            os.kill(pid, number)
        self.assertTrue(self.is_ours(pid))
        self.cancelled(job)

    def test_a_deaf_one_at_its_time_limit(self):
        job = self.hostile("deaf", "-t", "2s")
        self.assertEqual(self.c.wait_job(job)["state"], "TIMEOUT")
        self.jobs.gone(job)

    def test_no_file_of_any_group_is_writable(self):
        """From its own group to the top, its own limits and those of all others, and where a process enters a group."""
        files = sorted(str(file) for file in pathlib.Path("/sys/fs/cgroup").rglob("*") if file.is_file() and not file.is_symlink())
        neighbour = self.jobs.group(self.neighbour)
        self.assertIn(str(neighbour / "cgroup.procs"), files)
        listing = self.c.work("nobody") / "files"
        listing.write_text("\n".join(files) + "\n")
        own = "$(for f in /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/* /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/../*; " \
              "do test -f $f && echo $f; done)"
        job = self.hostile(f"open {own} $(cat files) {listing}")
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        # The list itself is writable for its owner only, which is not the job's: the worker does tell of what it can open.
        self.assertEqual(self.jobs.output(job), "tried\n")
        os.chown(listing, *[65534] * 2)
        job = self.hostile(f"open {listing}")
        self.c.wait_job(job)
        self.assertEqual(self.jobs.output(job), f"open {listing}\ntried\n")

    def test_namespaces_of_its_own_give_it_no_groups(self):
        """As root of a user namespace with its own view of cgroups, which it can mount: still it enters and changes nothing."""
        own = '$(find /mnt /sys/fs/cgroup -name "c*.procs" -o -name "*.max" -o -name "cpuset.cpus")'
        script = f"mount -t cgroup2 none /mnt && echo mounted; mkdir /mnt/mine 2>/dev/null && echo made; exec {self.jobs.worker} open {own}"
        job = self.c.submit("-c", "1", "--mem", "80M", wrap=f"unshare -UrmC sh -c '{script}'", user="nobody")
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED", self.jobs.output(job))
        self.assertEqual(self.jobs.output(job), "mounted\ntried\n")

    def test_z_the_neighbour_has_what_it_had(self):
        self.assertEqual(self.checker.check(), [])
        self.assertIn(self.neighbour, self.checker.seen.jobs)
        self.assertEqual(self.jobs.keyed(self.neighbour, "memory.events")["max"], 0)
        self.assertEqual(self.jobs.keyed(self.neighbour, "pids.events")["max"], 0)


run_here(cpus=2, numa=2, memory="1536M")
