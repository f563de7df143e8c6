#!/usr/bin/env python3
"""Daemons and the launcher are stopped and killed at random moments of a stream of submissions; nothing acknowledged is lost or doubled.

    test_restart.py [--rounds N]        N rounds for each daemon and each way of ending it (3)

See jarvis_books.py. Submits that end with exit code 4 (outcome unknown) were told so; they may have become jobs or not, but at
most one each.
"""
import argparse
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

from jarvis_books import SCRIPT, Books
from jarvis_cluster import Cluster, TestCase, main, processes_of, seed_of_run, start_time, wait_for

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=3)
options, rest = parser.parse_known_args()
sys.argv[1:] = rest
SEED = seed_of_run()


class Launcher:
    """The jshepherd that listens for jnoded, which starts the next one. Its templates and shepherds have other names."""

    def __init__(self, cluster):
        self.cluster = cluster

    def pids(self):
        return [pid for pid, command in processes_of(str(self.cluster.folder)).items() if "jshepherd --socket " in command]

    def stop(self, how):
        pid = wait_for(self.pids, lambda: f"a launcher\n{self.cluster.tails()}")[0]
        started = start_time(pid)
        os.kill(pid, how)
        wait_for(lambda: pid not in self.pids() or start_time(pid) != started, f"the launcher to end after {how.name}")

    def start(self):
        wait_for(self.pids, lambda: f"jnoded to start a launcher\n{self.cluster.tails()}")


class Restart(TestCase):
    def rounds_of(self, name, how):
        seed = f"{SEED}-{name}-{how}"
        chance = random.Random(seed)
        with Cluster(controller='kill_grace = "5s"') as c:
            daemon = {"jctld": c.jctld, "jnoded": c.jnoded, "launcher": Launcher(c)}[name]
            books = Books(c, seed)
            for _ in range(options.rounds):
                held = books.enter(SCRIPT, "3", "-H", code=9)
                c.run("jrelease", held, check=0)
                with books.streams(2):
                    for _ in range(2):
                        time.sleep(chance.uniform(0.05, 1.0))
                        daemon.stop(how)
                        time.sleep(chance.choice((0, 0.05, 0.5)))
                        daemon.start()
                        c.wait_controller()
                c.wait_node()
            print(f"{name} {how.name}: {options.rounds} rounds, {len(books.entries)} acknowledged, {len(books.unknown)} unknown", flush=True)
            books.check()

    def test_controller_is_stopped(self):
        self.rounds_of("jctld", signal.SIGTERM)

    def test_controller_is_killed(self):
        self.rounds_of("jctld", signal.SIGKILL)

    def test_node_daemon_is_stopped(self):
        self.rounds_of("jnoded", signal.SIGTERM)

    def test_node_daemon_is_killed(self):
        self.rounds_of("jnoded", signal.SIGKILL)

    def test_launcher_is_stopped(self):
        self.rounds_of("launcher", signal.SIGTERM)

    def test_launcher_is_killed(self):
        self.rounds_of("launcher", signal.SIGKILL)

    def test_both_are_killed_while_a_long_job_runs(self):
        with Cluster() as c:
            job = c.submit(wrap="sleep 2; echo survived; exit 5")
            c.wait_state(job, "RUNNING")
            c.jnoded.kill()
            c.jctld.kill()
            time.sleep(3)
            c.start()
            self.assertEqual(c.wait_job(job)["state"], "FAILED")
            self.assertEqual((c.history(job)["exit_code"], c.output(job)), (5, "survived\n"))

    def test_time_limit_holds_while_the_controller_is_away(self):
        with Cluster() as c:
            job = c.submit("-t", "0:03", wrap="echo $$ > pid; exec sleep 1000")
            c.wait_state(job, "RUNNING")
            wait_for(lambda: (c.work() / "pid").exists() and (c.work() / "pid").read_text().strip(), "the job's pid")
            pid = pathlib.Path("/proc", (c.work() / "pid").read_text().strip())
            c.jctld.kill()
            wait_for(lambda: not pid.exists(), "the node to end the job by itself")
            c.jctld.start()
            c.wait_controller()
            self.assertEqual(c.wait_job(job)["state"], "TIMEOUT")

    def test_state_can_be_checked_without_a_start(self):
        with Cluster() as c:
            job = c.submit("-H", wrap="true")
            c.jctld.stop()
            checked = subprocess.run([str(c.program("jctld")), "--config", str(c.config_path), "--check-state"],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            self.assertEqual(checked.returncode, 0, checked)
            c.jctld.start()
            c.wait_controller()
            self.assertEqual(c.job(job)["state"], "PENDING")

    def test_waiting_command_survives_a_restart_of_the_controller(self):
        with Cluster() as c:
            waiter = c.spawn("jsub", "--wait", "--wrap", "sleep 3; exit 6")
            wait_for(lambda: c.json("jq", "--json")["jobs"], "the job")
            c.restart_controller(signal.SIGKILL)
            out, err = waiter.communicate(timeout=300)
            self.assertEqual(waiter.returncode, 6, (out, err))


main()
