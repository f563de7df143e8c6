#!/usr/bin/env python3
"""Daemons and the launcher are stopped and killed at random moments of a stream of submissions; nothing acknowledged is lost or doubled.

    test_restart.py [--rounds N]        N rounds for each daemon and each way of ending it (3)

A job writes its line into a file of its own by appending, so a job that ran twice shows it. Submits that end with exit
code 4 (outcome unknown) were told so; they may have become jobs or not, but at most one each.
"""
import argparse
import collections
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

from jarvis_cluster import Cluster, TestCase, main, processes_of, seed_of_run, start_time, wait_for

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=3)
options, rest = parser.parse_known_args()
sys.argv[1:] = rest
SEED = seed_of_run()

# Appends one line, lives for a moment, exits with a code that tells it from its neighbours.
SCRIPT = """#!/bin/sh
echo "$JARVIS_JOB_ID $JARVIS_RESTART_COUNT" >> "ran-$1"
echo "output of $1"
sleep "$2"
exit "$3"
"""

Submitted = collections.namedtuple("Submitted", "tag job code")


class Stream(threading.Thread):
    """Submits without a pause until it is told to stop; remembers what was acknowledged, and what was left unknown."""

    def __init__(self, cluster, seed, prefix):
        super().__init__(daemon=True)
        self.cluster, self.random, self.prefix = cluster, random.Random(seed), prefix
        self.acknowledged, self.unknown, self.problems = [], [], []
        self.stopping = threading.Event()
        self.script = cluster.script(SCRIPT, name=f"job-{prefix}.sh")

    def run(self):
        number = 0
        while not self.stopping.is_set():
            tag = f"{self.prefix}-{number}"
            number += 1
            code = self.random.choice((0, 0, 3, 42))
            pause = self.random.choice(("0", "0", "0", "0.1", "0.5"))
            # Not faster than the node runs them, so that jobs of all ages meet the end of the daemon.
            time.sleep(self.random.uniform(0, 0.1))
            try:
                result = self.cluster.run("jsub", "-o", f"out-{tag}", "-t", "10:00", self.script, tag, pause, code)
            except subprocess.TimeoutExpired:
                self.problems.append(f"jsub of {tag} hangs")
                return
            if result.code == 0:
                self.acknowledged.append(Submitted(tag, result.out.strip(), code))
            elif result.code == 4:
                self.unknown.append(tag)
                time.sleep(0.02)
            else:
                self.problems.append(repr(result))
                return

    def finish(self):
        self.stopping.set()
        self.join()


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
        chance = random.Random(f"{SEED}-{name}-{how}")
        with Cluster(controller='kill_grace = "5s"') as c:
            daemon = {"jctld": c.jctld, "jnoded": c.jnoded, "launcher": Launcher(c)}[name]
            everything = []
            unknown = []
            for number in range(options.rounds):
                streams = [Stream(c, chance.random(), f"{number}{letter}") for letter in "ab"]
                long_job = c.submit("-H", "-o", f"out-long-{number}", "-t", "10:00",
                                    script=SCRIPT, arguments=[f"long-{number}", "3", 9])
                c.run("jrelease", long_job, check=0)
                everything.append(Submitted(f"long-{number}", long_job, 9))
                for stream in streams:
                    stream.start()
                for _ in range(2):
                    time.sleep(chance.uniform(0.05, 1.0))
                    daemon.stop(how)
                    time.sleep(chance.choice((0, 0.05, 0.5)))
                    daemon.start()
                    c.wait_controller()
                for stream in streams:
                    stream.finish()
                    self.assertEqual(stream.problems, [])
                    everything += stream.acknowledged
                    unknown += stream.unknown
                c.wait_node()
            print(f"{name} {how.name}: {options.rounds} rounds, {len(everything)} acknowledged, {len(unknown)} unknown", flush=True)
            self.check(c, everything, unknown)

    def check(self, c, everything, unknown):
        ids = [s.job for s in everything]
        self.assertEqual(len(ids), len(set(ids)), "an id was used twice")
        wait_for(lambda: not c.json("jq", "--json")["jobs"],
                 lambda: f"all jobs to end: {c.run('jq').out}\n{c.tails()}", 300)
        records = {}
        for start in range(0, len(ids), 500):
            answer = c.json("jacct", "-j", ",".join(ids[start:start + 500]), "--json")
            records |= {record["id"]: record | (record["end"] or {}) for record in answer["jobs"]}
        self.assertEqual(set(ids) - set(records), set(), "acknowledged jobs were lost")
        for tag, job, code in everything:
            record = records[job]
            where = f"job {job} ({tag}): {record}"
            self.assertEqual(record["state"], "COMPLETED" if code == 0 else "FAILED", where)
            self.assertEqual(record["exit_code"], code, where)
            self.assertEqual((c.work() / f"ran-{tag}").read_text(), f"{job} 0\n", where)
            self.assertEqual((c.work() / f"out-{tag}").read_text(), f"output of {tag}\n", where)
        for tag in unknown:
            ran = c.work() / f"ran-{tag}"
            if ran.exists():
                self.assertEqual(len(ran.read_text().splitlines()), 1, f"{tag} ran more than once")

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
