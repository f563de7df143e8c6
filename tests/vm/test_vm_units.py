#!/usr/bin/env python3
"""Installed, as units of systemd: jobs run at level full below the launcher's delegated cgroup, and whatever is done to the units
and to the installed files, the jobs go on as if nothing had been."""
import os
import pathlib
import subprocess

from jarvis_vm import run_here
from jarvis_cluster import BUILD, Cluster, TestCase, wait_for
from promise_checker import Checker
from vm_jobs import MAX_PROCESSES, PARTITION, Jobs

PREFIX = pathlib.Path("/usr/local")
UNITS = ("jctld", "jnoded", "jarvis-launch")
CONFIG = """[cluster]
name = "units"
[controller]
kill_grace = "5s"
[log]
level = "debug"
[jnoded]
name = "{node}"
run_dir = "/run/jarvis-node"
max_processes = {processes}
[[node]]
names = "{node}"
{partition}"""
LIMITS = ("cpuset.cpus", "cpuset.mems", "memory.max", "memory.high", "memory.oom.group", "pids.max", "cpu.weight")


def systemctl(*words, check=True):
    done = subprocess.run(["systemctl", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    if check and done.returncode:
        journal = subprocess.run(["journalctl", "-q", "-n", "60", "-o", "cat"], stdout=subprocess.PIPE, text=True, check=False).stdout
        raise AssertionError(f"systemctl {' '.join(words)}: {done.returncode} {done.stdout}\n{journal}")
    return done.stdout.strip()


def install():
    done = subprocess.run(["cmake", "--install", str(BUILD), "--prefix", str(PREFIX)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise AssertionError(done.stdout)


def main_pid(unit):
    return int(systemctl("show", "-P", "MainPID", f"{unit}.service"))


class Installed(Cluster):
    """The harness around daemons that systemd has started, with the folders that the units name."""

    def __init__(self):
        super().__init__(start=False)
        self.config_path = pathlib.Path("/etc/jarvis/jarvis.toml")
        self.run_dir = pathlib.Path("/run/jarvis-node")
        self.config_path.parent.mkdir(exist_ok=True)
        self.config_path.write_text(CONFIG.format(node=self.node, processes=MAX_PROCESSES, partition=PARTITION))

    def program(self, name, user=None):
        return PREFIX / "bin" / ("jqueue" if name == "jq" else name)

    def tails(self):
        return subprocess.run(["journalctl", "-q", "-n", "60", "-o", "cat"], stdout=subprocess.PIPE, text=True, check=False).stdout


class Base(TestCase):
    @classmethod
    def setUpClass(cls):
        install()
        cls.c = Installed()
        systemctl("daemon-reload")
        systemctl("start", "jctld.service", "jnoded.service")
        cls.c.wait_node()
        cls.jobs, cls.checker = Jobs(cls.c), Checker(cls.c, MAX_PROCESSES)

    @classmethod
    def tearDownClass(cls):
        cls.c.end_everything()

    def check_units(self):
        self.assertEqual({unit: systemctl("is-active", f"{unit}.service", check=False) for unit in UNITS}, dict.fromkeys(UNITS, "active"))
        self.assertEqual(systemctl("--failed", "--no-legend", "--plain"), "")

    def what_they_are(self):
        return {job: (self.jobs.pids(job), [self.jobs.read(job, file) for file in LIMITS], self.jobs.read(job, "cgroup.freeze"))
                for job in self.here}

    def states(self):
        return {job["id"]: (job["state"], job["restarts"]) for job in self.c.json("jq", "--json")["jobs"]}


class Units(Base):
    def test_1_level_full_below_the_launcher(self):
        self.check_units()
        node = self.c.json("jnodes", "-l", "--json")["nodes"][0]
        self.assertEqual((node["confinement"], node["notes"]), ("full", []))
        self.assertEqual(self.c.cgroup().parent, pathlib.Path("/sys/fs/cgroup/system.slice/jarvis-launch.service"))
        groups = {unit: pathlib.Path(f"/proc/{main_pid(unit)}/cgroup").read_text().strip() for unit in UNITS}
        self.assertEqual(groups["jctld"], "0::/system.slice/jctld.service")
        self.assertEqual(groups["jnoded"], "0::/system.slice/jnoded.service")
        self.assertEqual(groups["jarvis-launch"], f"0::/system.slice/jarvis-launch.service/{self.c.cgroup().name}/shepherds")

    def test_2_jobs_outlive_whatever_is_done_to_the_units(self):
        self.here = [self.jobs.submit("-c", "1", "--mem", "48M", do="hold 6 2 1") for _ in range(3)]
        for job in self.here:
            self.jobs.says(job, "ready")
        self.c.run("jsuspend", self.here[0], check=0)
        wait_for(lambda: self.jobs.keyed(self.here[0], "cgroup.events")["frozen"] == 1, "a job to stand still")
        launcher = main_pid("jarvis-launch")
        before = self.what_they_are(), self.states()
        self.assertEqual(self.checker.check(), [])

        def again(*words):
            systemctl(*words)
            self.c.wait_node()

        def killed():
            old = main_pid("jnoded")
            os.kill(old, 9)
            wait_for(lambda: main_pid("jnoded") not in (0, old), "systemd to start the node daemon again")
            wait_for(lambda: systemctl("is-active", "jnoded.service", check=False) == "active", "it to be ready")
            self.c.wait_node()

        def reinstalled():
            install()
            again("daemon-reload")
            again("restart", "jctld.service", "jnoded.service")

        for what, do in {"daemon-reload": lambda: again("daemon-reload"), "restart of jnoded": lambda: again("restart", "jnoded.service"),
                         "restart of jctld": lambda: again("restart", "jctld.service"), "kill -9 of jnoded": killed,
                         "reload of all": lambda: again("reload", *(f"{unit}.service" for unit in UNITS)),
                         "an install over it": reinstalled}.items():
            with self.subTest(what):
                print(f"[{what}]", end=" ", flush=True)
                do()
                self.check_units()
                self.assertEqual((self.what_they_are(), self.states()), before)
                self.assertEqual(self.checker.check(), [])
                self.assertEqual(main_pid("jarvis-launch"), launcher)
        self.end_them()

    def end_them(self):
        """They go on as they would have."""
        self.c.run("jresume", self.here[0], check=0)
        self.c.wait_state(self.here[0], "RUNNING")
        self.jobs.end(*self.here)
        for job in self.here:
            self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
            self.jobs.gone(job)


class Launcher(Base):
    def test_a_launcher_that_starts_again_on_an_idle_node(self):
        """systemd removes the empty groups of a unit that has stopped, and with them the node daemon's tree."""
        for _ in range(2):
            systemctl("restart", "jarvis-launch.service")
            self.here = [self.jobs.submit("-c", "1", "--mem", "48M", do="hold 6 2 1")]
            self.jobs.says(self.here[0], "ready")
            self.assertEqual(self.checker.check(), [])
            self.assertIn(self.here[0], self.checker.seen.jobs)
            node = self.c.json("jnodes", "-l", "--json")["nodes"][0]
            self.assertEqual((node["state"], node["confinement"], node["notes"]), ("mixed", "full", []))
            self.assertEqual(self.states()[self.here[0]], ("RUNNING", 0))
            self.jobs.end(*self.here)
            self.assertEqual(self.c.wait_job(self.here[0])["state"], "COMPLETED")
            self.jobs.gone(self.here[0])

    def test_a_launcher_that_systemd_does_not_start_again(self):
        """systemd 252 starts no process beside the groups that jobs are in. So the jobs go on without their launcher, the node daemon
        starts one in the same place, and neither it nor its jobs end with the node daemon."""
        self.here = [self.jobs.submit("-c", "1", "--mem", "48M", do="hold 6 2 1") for _ in range(2)]
        for job in self.here:
            self.jobs.says(job, "ready")
        tree = self.c.cgroup()
        before = self.what_they_are(), self.states()
        systemctl("restart", "jarvis-launch.service", check=False)
        self.assertEqual((self.what_they_are(), self.states()), before)
        self.here.append(self.jobs.submit("-c", "1", "--mem", "48M", do="hold 6 2 1"))
        self.jobs.says(self.here[-1], "ready")
        self.assertEqual(self.checker.check(), [])
        self.assertIn(self.here[-1], self.checker.seen.jobs)
        before = self.what_they_are(), self.states()
        with self.subTest("restart of jnoded beside its successor"):
            systemctl("restart", "jnoded.service")
            self.c.wait_node()
            self.assertEqual((self.what_they_are(), self.states()), before)
            self.assertEqual(self.checker.check(), [])
        with self.subTest("restart of jnoded without any launcher"):
            systemctl("stop", "jnoded.service")
            for pid in (tree / "shepherds/cgroup.procs").read_text().split():
                if "--socket" in pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
                    os.kill(int(pid), 9)
            systemctl("start", "jnoded.service")
            self.c.wait_node()
            self.assertEqual((self.what_they_are(), self.states()), before)
            self.assertEqual(self.checker.check(), [])
        self.assertEqual(self.c.cgroups(), [tree])
        node = self.c.json("jnodes", "-l", "--json")["nodes"][0]
        self.assertEqual(node["confinement"], "full", node["notes"])
        self.jobs.end(*self.here)
        for job in self.here:
            self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
            self.jobs.gone(job)


run_here(cpus=4, numa=2, memory="2G", systemd=True)
