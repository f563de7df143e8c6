#!/usr/bin/env python3
"""Disks that are full, read-only or broken: exit code 4 and that reason, ends are recorded, and it recovers by itself."""
import subprocess
import time
import unittest

from jarvis_cluster import Cluster, Failure, TestCase, main, needs_root, wait_for
from jarvis_storage import VFS, FailingDisk, SmallDisk


class DiskFull(TestCase):
    @needs_root
    def test_submits_are_refused_ends_are_recorded_and_it_recovers(self):
        c = Cluster(start=False)
        disk = None
        try:
            disk = SmallDisk(c)
            with c:
                c.start()
                before = c.run_job(wrap="true")
                go = c.work() / "go"
                running = [c.submit(wrap=f"while [ ! -e {go} ]; do sleep 0.1; done; exit {code}") for code in (0, 5)]
                c.wait_state(running[0], "RUNNING")
                disk.fill()
                refused = []

                def is_refused():
                    result = c.run("jsub", "-H", "--wrap", "true")
                    if result.code == 0:
                        refused.clear()
                        c.submitted.append(result.out.strip())
                        disk.fill()
                        return False
                    refused.append(result)
                    return True
                wait_for(is_refused, "a submit to be refused")
                self.assertSays(refused[0], 4)
                self.assertRegex(refused[0].err.lower(), "full|space")
                go.touch()
                # The second one waits for a core on a machine with one; its start and its end are recorded too.
                for job, state in zip(running, ("COMPLETED", "FAILED")):
                    self.assertEqual(c.wait_job(job)["state"], state)
                self.assertTrue(c.jctld.running())
                disk.empty()
                wait_for(lambda: c.run("jsub", "-H", "--wrap", "true").code == 0, "submits to be taken again")
                c.restart_controller()
                self.assertEqual(c.history(before["id"])["state"], "COMPLETED")
                self.assertEqual(c.history(running[1])["exit_code"], 5)
                disk.empty()
        finally:
            if disk:
                disk.unmount()
            c.end_everything()

    @needs_root
    def test_disk_that_is_full_at_the_start(self):
        c = Cluster(start=False)
        disk = None
        try:
            disk = SmallDisk(c)
            with c:
                c.start()
                job = c.submit("-H", wrap="true")
                c.jctld.stop()
                disk.fill()
                c.jctld.start()
                wait_for(lambda: not c.jctld.running() or c.run("jadmin", "ping").code == 0, "jctld to start or to say why not")
                if not c.jctld.running():
                    self.assertRegex(c.jctld.tail().lower(), "full|space")
                    c.jctld.process = None
                    disk.empty()
                    c.jctld.start()
                disk.empty()
                c.wait_controller()
                self.assertEqual(c.job(job)["state"], "PENDING")
                wait_for(lambda: c.run("jsub", "-H", "--wrap", "true").code == 0, "submits to be taken again")
        finally:
            if disk:
                disk.unmount()
            c.end_everything()


@unittest.skipUnless(VFS.exists(), f"there is no {VFS}")
class FailingStorage(TestCase):
    def cluster(self):
        c = Cluster(start=False, extra=FailingDisk.settings)
        self.set_mode = FailingDisk(c).set_mode
        self.addCleanup(c.end_everything)
        c.start()
        return c

    def fails_and_recovers(self, mode, *words):
        with self.cluster() as c:
            go = c.work() / "go"
            running = c.submit(wrap=f"while [ ! -e {go} ]; do sleep 0.1; done; exit 3")
            c.wait_state(running, "RUNNING")
            self.set_mode(mode)
            # The first notices, and tries for a while; the second is told what the first found.
            waiting = [c.spawn("jsub", "-H", "-J", "refused", "--wrap", "true") for _ in range(2)]
            wait_for(lambda: c.run("jadmin", "ping", "--json").code in (0, 4), "jctld to be there")
            # Queries work, and the node goes on.
            self.assertEqual(c.job(running)["state"], "RUNNING")
            for process in waiting:
                out, err = process.communicate(timeout=120)
                self.assertEqual((process.returncode, out), (4, b""), err)
                self.assertTrue(any(word in err.decode().lower() for word in words), err)
            go.touch()
            time.sleep(1)
            self.assertTrue(c.jctld.running() and c.jnoded.running())
            self.set_mode("ok")
            self.assertEqual(c.wait_job(running)["state"], "FAILED")
            self.assertEqual(c.history(running)["exit_code"], 3)
            accepted = wait_for(lambda: (r := c.run("jsub", "-H", "-J", "accepted", "--wrap", "true")).code == 0 and r.out.strip(),
                                "submits to be taken again")
            c.restart_controller()
            self.assertEqual(c.job(accepted)["state"], "PENDING")

    def test_io_errors(self):
        self.fails_and_recovers("eio", "i/o", "input/output", "eio")

    def test_read_only(self):
        self.fails_and_recovers("readonly", "read-only", "readonly", "read only")

    def test_disk_full_as_the_file_system_says_it(self):
        self.fails_and_recovers("enospc", "full", "space")

    def test_unknown_outcome_is_said_and_the_truth_is_read_back(self):
        with self.cluster() as c:
            for number in range(3):
                self.set_mode("unknown once only=journal")
                result = c.run("jsub", "-H", "-J", f"unknown{number}", "--wrap", "true")
                self.set_mode("ok")
                # The retry with the same request id inside jsub may have had its answer; if not, it says what it does not know.
                self.assertIn(result.code, (0, 4), result)
                c.wait_controller()
                wait_for(lambda: c.run("jsub", "-H", "-J", "after", "--wrap", "true").code == 0, "submits to be taken again")
                same = [j for j in c.json("jq", "--json")["jobs"] if j["name"] == f"unknown{number}"]
                # It reached the disk, so it is there, once.
                self.assertEqual(len(same), 1, result)
                if result.code == 0:
                    self.assertEqual(same[0]["id"], result.out.strip())
            names = sorted(j["name"] for j in c.json("jq", "--json")["jobs"])
            c.restart_controller()
            self.assertEqual(sorted(j["name"] for j in c.json("jq", "--json")["jobs"]), names)

    def test_start_on_a_broken_disk_says_so(self):
        c = self.cluster()
        with c:
            c.jctld.stop()
            self.set_mode("eio")
            c.jctld.start()
            try:
                wait_for(lambda: not c.jctld.running(), "jctld to give up", 20)
                self.assertRegex(c.jctld.tail().lower(), "i/o|input/output")
                c.jctld.process = None
                self.set_mode("ok")
                c.jctld.start()
            except Failure:
                self.set_mode("ok")     # it waits for better times instead, which is as good
            c.wait_controller()


class StateFolder(TestCase):
    def test_second_controller_on_one_state_folder_is_refused(self):
        with Cluster() as c:
            done = subprocess.run([str(c.program("jctld")), "--config", str(c.config_path)], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, env=c.daemon_environment())
            self.assertNotEqual(done.returncode, 0, done.stdout)
            self.assertTrue(done.stdout)
            self.assertEqual(c.run_job(wrap="true")["state"], "COMPLETED")

    def test_state_folder_is_closed_to_others(self):
        with Cluster() as c:
            self.assertTrue([path for path in c.state_dir.rglob("*") if path.is_file()])
            self.assertEqual(c.state_dir.stat().st_mode & 0o077, 0)


main()
