#!/usr/bin/env python3
"""How jobs are ended: cancel, signals, time limits, and whatever a script left behind."""
import os
import signal

from jarvis_cluster import SharedCluster, main, wait_for

# A child that left its session, became nobody's child and ignores what can be ignored.
STUBBORN = """#!/bin/sh
trap 'echo got TERM' TERM
setsid sh -c 'trap "" TERM HUP INT; (trap "" TERM HUP INT; echo $$ >> pids; while :; do sleep 1000; done) & exit 0' &
echo started
while :; do sleep 0.2; done
"""


class Ends(SharedCluster):
    settings = {"controller": 'kill_grace = "2s"'}

    def started(self, job, word="started"):
        path = self.c.work() / f"jarvis-{job}.out"
        wait_for(lambda: path.exists() and word in path.read_text(), f"job {job} to say {word}")

    def assert_nothing_of(self, job):
        self.assertEqual([p for p, c in self.c.job_processes().items() if self.job_of(p) == job], [])

    @staticmethod
    def job_of(pid):
        try:
            with open(f"/proc/{pid}/environ", "rb") as environment:
                return next((v[14:].decode() for v in environment.read().split(b"\0") if v.startswith(b"JARVIS_JOB_ID=")), None)
        except OSError:
            return None

    def test_cancel_sends_term_then_kills_all_that_the_job_started(self):
        job = self.c.submit(script=STUBBORN)
        self.started(job)
        self.c.run("jcancel", job, check=0)
        self.assertEqual(self.c.wait_job(job)["state"], "CANCELLED")
        self.assertIn("got TERM", self.c.output(job))
        self.assert_nothing_of(job)

    def test_cancel_ends_a_stopped_job(self):
        job = self.c.submit(script="#!/bin/sh\necho started\nkill -STOP $$\nsleep 1000\n")
        self.started(job)
        self.c.run("jcancel", job, check=0)
        self.assertEqual(self.c.wait_job(job)["state"], "CANCELLED")
        self.assert_nothing_of(job)

    def test_nothing_outlives_a_script_that_ended_by_itself(self):
        job = self.c.submit(script="#!/bin/sh\nsetsid sh -c 'trap \"\" TERM; sleep 1000' &\nsleep 0.3\nexit 0\n")
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        self.assert_nothing_of(job)

    def test_time_limit_ends_the_job_as_timeout(self):
        record = self.c.run_job("-t", "0:02", wrap="sleep 1000")
        self.assertEqual((record["state"], record["class"]), ("TIMEOUT", "resources"))

    def test_warning_signal_comes_before_the_time_limit(self):
        script = "#!/bin/sh\ntrap 'echo warned; exit 0' USR1\necho started\nwhile :; do sleep 0.1; done\n"
        record = self.c.run_job("-t", "1:00", "--signal=B:USR1@57", script=script)
        self.assertEqual((record["state"], record["text"]), ("COMPLETED", "started\nwarned\n"))

    def test_signals_reach_all_processes_or_the_one_named(self):
        job = self.c.submit(script="#!/bin/sh\ntrap 'echo script' USR1\n"
                            "(trap 'echo child; exit' USR1; echo started; while :; do sleep 0.1; done) &\nwhile :; do wait; done\n")
        self.started(job)
        self.c.run("jcancel", "-s", "USR1", job, check=0)
        self.started(job, "child")
        self.assertEqual(self.c.job(job)["state"], "RUNNING")
        self.c.run("jcancel", job, check=0)
        self.c.wait_job(job)

    def test_cancel_by_name_state_and_user(self):
        held = [self.c.submit("-H", "-J", name, wrap="true") for name in ("red", "red", "blue")]
        self.c.run("jcancel", "-n", "red", "-t", "PD", check=0)
        states = [self.c.job(job)["state"] for job in held]
        self.assertEqual(states, ["CANCELLED", "CANCELLED", "PENDING"])
        self.c.run("jcancel", "-u", self.c.job(held[2])["user"], check=0)
        self.assertEqual(self.c.wait_job(held[2])["state"], "CANCELLED")

    def test_cancel_without_any_choice_is_refused(self):
        self.assertEqual(self.c.run("jcancel").code, 2)

    def test_shepherd_that_dies_ends_its_job_as_failed_of_class_system(self):
        job = self.c.submit(script="#!/bin/sh\necho started $PPID\nsleep 1000\n")
        self.started(job)
        shepherd = int(self.c.output(job).split()[1])
        os.kill(shepherd, signal.SIGKILL)
        self.c.wait_job(job)
        record = self.c.history(job)
        self.assertEqual((record["state"], record["class"]), ("FAILED", "system"))
        self.assert_nothing_of(job)


main()
