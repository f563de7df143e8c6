#!/usr/bin/env python3
"""The main job: a script is submitted, runs on the node, and leaves its output and its record."""
import os
import re
import signal
import subprocess

from jarvis_cluster import SharedCluster, main, wait_for

SCRIPT = """#!/bin/sh
#JSUB -J greeter -n 1 --time 5m
echo "hello from $JARVIS_JOB_ID"
env | grep ^JARVIS_ | sort
exit 7
"""


class FirstJob(SharedCluster):
    def test_script_runs_and_leaves_output_exit_code_and_record(self):
        job = self.c.submit(script=SCRIPT, arguments=["a b", "c"])
        shown = self.c.wait_job(job)
        self.assertEqual(shown["state"], "FAILED")
        self.assertEqual(shown["name"], "greeter")
        record = self.c.history(job)
        self.assertEqual(record["exit_code"], 7)
        self.assertEqual(record["class"], "user")
        self.assertEqual(record["nodes"], self.c.node)
        text = self.c.output(job)
        self.assertIn(f"hello from {job}\n", text)
        found = dict(line.split("=", 1) for line in text.splitlines()[1:])
        expected = {"JARVIS_JOB_ID": job, "JARVIS_JOB_NAME": "greeter", "JARVIS_NODELIST": self.c.node, "JARVIS_NNODES": "1",
                    "JARVIS_NTASKS": "1", "JARVIS_CPUS_PER_TASK": "1", "JARVIS_CPUS_ON_NODE": "1",
                    "JARVIS_NODENAME": self.c.node, "JARVIS_PARTITION": "batch", "JARVIS_RESTART_COUNT": "0",
                    "JARVIS_CONF": str(self.c.config_path), "JARVIS_SUBMIT_DIR": str(self.c.work()),
                    "JARVIS_SUBMIT_HOST": os.uname().nodename}
        self.assertEqual(expected, {k: found.get(k) for k in expected})
        for name in ("JARVIS_CPU_LIST", "JARVIS_MEM_PER_NODE", "JARVIS_TMPDIR"):
            self.assertIn(name, found)

    def test_job_that_goes_well_is_completed(self):
        record = self.c.run_job(wrap="echo fine")
        self.assertEqual((record["state"], record["exit_code"], record["text"]), ("COMPLETED", 0, "fine\n"))

    def test_signal_that_ends_a_script_is_recorded(self):
        record = self.c.run_job(wrap="kill -SEGV $$")
        self.assertEqual((record["state"], record["signal"]), ("FAILED", "SEGV"))

    def test_queue_lists_what_waits_and_runs(self):
        running = self.c.submit("-J", "runner", wrap="sleep 1000")
        held = self.c.submit("-H", "-J", "holder", wrap="true")
        self.c.wait_state(running, "RUNNING")
        text = self.c.run("jq", check=0).out
        self.assertRegex(text, rf"(?m)^\s*{running}\s.*runner")
        self.assertRegex(text, rf"(?m)^\s*{held}\s.*holder")
        listed = {j["id"]: j for j in self.c.json("jq", "--json")["jobs"]}
        self.assertEqual(listed[running]["state"], "RUNNING")
        self.assertEqual(listed[held]["state"], "PENDING")
        only = self.c.json("jq", "-t", "PD", "--json")["jobs"]
        self.assertEqual([j["id"] for j in only if j["id"] in (running, held)], [held])
        # Cancelling twice is fine.
        for _ in range(2):
            self.c.run("jcancel", running, held, check=0)
        self.assertEqual(self.c.wait_job(running)["state"], "CANCELLED")
        self.assertEqual(self.c.wait_job(held)["state"], "CANCELLED")
        self.assertSays(self.c.run("jcancel", running), 0)

    def test_unknown_job_is_exit_code_3_and_the_known_ones_are_done(self):
        held = self.c.submit("-H", wrap="true")
        self.assertSays(self.c.run("jcancel", "999999999", held), 3, "999999999")
        self.assertEqual(self.c.wait_job(held)["state"], "CANCELLED")
        self.assertSays(self.c.run("jq", "-j", "999999999"), 3, "999999999")

    def test_cores_are_bound_and_never_given_twice(self):
        total = self.c.json("jnodes", "--json")["nodes"][0]["cores"]
        script = "#!/bin/sh\ngrep Cpus_allowed_list /proc/self/status; echo list $JARVIS_CPU_LIST; sleep 1\n"
        jobs = [self.c.submit("-n", "1", script=script) for _ in range(total * 2)]
        for job in jobs:
            self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
            allowed = re.search(r"Cpus_allowed_list:\s+(\S+)", self.c.output(job)).group(1)
            self.assertEqual(allowed, re.search(r"list (\S+)", self.c.output(job)).group(1))

    def test_watch_mode_ends_with_a_signal_and_shows_the_queue(self):
        held = self.c.submit("-H", "-J", "watched", wrap="true")
        watcher = self.c.spawn("jq", "-w")
        try:
            os.set_blocking(watcher.stdout.fileno(), False)
            seen = bytearray()

            def shows():
                seen.extend(watcher.stdout.read() or b"")
                return b"watched" in seen
            wait_for(shows, "jq -w to show the job")
        finally:
            watcher.send_signal(signal.SIGINT)
            watcher.wait(60)
            watcher.stdout.close()
            watcher.stderr.close()
        self.c.run("jcancel", held, check=0)

    def test_pending_job_says_why_it_waits(self):
        held = self.c.submit("-H", wrap="true")
        self.assertIn("held", str(self.c.job(held)["reason"]).lower())
        self.c.run("jcancel", held, check=0)

    def test_history_filters_by_state_and_time(self):
        good = self.c.run_job(wrap="true")
        bad = self.c.run_job(wrap="false")
        ids = [j["id"] for j in self.c.json("jacct", "-s", "FAILED", "--json")["jobs"]]
        self.assertIn(bad["id"], ids)
        self.assertNotIn(good["id"], ids)
        self.assertEqual(self.c.json("jacct", "--since", "2099-01-01", "--json")["jobs"], [])

    def test_thousand_ids_are_one_question(self):
        job = self.c.submit(wrap="true")
        self.c.wait_job(job)
        ids = ",".join([job, *map(str, range(900000, 900999))])
        answer = self.c.run("jacct", "-j", ids, "--json")
        self.assertEqual(answer.code, 3)
        self.assertIn(f'"{job}"', answer.out)

    def test_job_environment_never_has_our_folder_first_on_the_path(self):
        record = self.c.run_job(wrap='echo "$PATH"')
        first = record["text"].split(":")[0]
        self.assertFalse(os.path.exists(os.path.join(first, "jsub")), record["text"])

    def test_drained_node_starts_nothing_and_resumes(self):
        self.c.run("jnodes", "drain", self.c.node, "--reason", "a broken fan", check=0)
        job = self.c.submit(wrap="true")
        self.assertIn("a broken fan", self.c.run("jnodes", "-l", check=0).out)
        self.assertEqual(self.c.job(job)["state"], "PENDING")
        self.c.run("jnodes", "resume", self.c.node, check=0)
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")

    def test_every_command_and_daemon_knows_help_and_version(self):
        for name in ("jsub", "jq", "jcancel", "jhold", "jrelease", "jsuspend", "jresume", "jrequeue", "jnodes", "jacct", "jstat", "jeff", "jadmin", "jplugin", "jctld", "jnoded",
                     "jshepherd"):
            for option in ("--help", "--version"):
                shown = subprocess.run([str(self.c.program(name)), option], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, check=False)
                self.assertEqual((shown.returncode, shown.stderr), (0, b""), f"{name} {option}")
                self.assertTrue(shown.stdout)


main()
