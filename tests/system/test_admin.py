#!/usr/bin/env python3
"""What administrators do with running daemons: reload, snapshot, logs, readiness, shutdown."""
import json
import os
import signal
import socket

from jarvis_cluster import IS_ROOT, USER, Cluster, SharedCluster, TestCase, main, wait_for


class Admin(SharedCluster):
    settings = {"limits": 'script_size = "4M"'}

    def reload_with(self, limits):
        self.c.write_config(limits=limits)
        return self.c.run("jadmin", "reconfigure")

    def test_reload_takes_a_new_file_whole_and_diff_shows_it_before(self):
        big = self.c.script("#!/bin/sh\n" + "#" * 100_000 + "\n")
        self.c.write_config(limits='script_size = "64K"')
        self.assertIn("script_size", self.c.run("jadmin", "config", "diff", check=0).out)
        self.c.submit("-H", script=big.read_text())
        self.assertEqual(self.c.run("jadmin", "reconfigure").code, 0)
        self.assertSays(self.c.run("jsub", "-H", big), 1, "64")
        self.assertEqual(self.reload_with('script_size = "4M"').code, 0)
        self.c.submit("-H", script=big.read_text())
        self.c.run("jcancel", "-t", "PD", check=0)

    def test_bad_file_changes_nothing_and_is_told_with_its_place(self):
        good = self.c.config_path.read_text()
        for bad, word in (("[cluster]\nnmae = 1\n", "name"), ("[+cluster]\n", ":1:"), ("x = \u025b\n", ":1:")):
            self.c.config_path.write_text(bad + good.replace("[cluster]", "[ignored]", 1))
            result = self.c.run("jadmin", "reconfigure")
            self.assertEqual(result.code, 1, result)
            self.assertIn(word, result.err)
            self.assertTrue(self.c.jctld.running())
        self.c.config_path.write_text(good)
        self.assertEqual(self.c.run_job(wrap="true")["state"], "COMPLETED")

    def test_snapshot_and_ping(self):
        held = self.c.submit("-H", wrap="true")
        self.c.run("jadmin", "snapshot", check=0)
        answer = json.loads(self.c.run("jadmin", "ping", "--json", check=0).out)
        self.assertEqual(answer["schema"], "jarvis.admin/1")
        self.c.restart_controller(signal.SIGKILL)
        self.c.wait_node()
        self.assertEqual(self.c.job(held)["state"], "PENDING")
        self.c.run("jcancel", held, check=0)

    def test_snapshot_for_an_older_version_says_whether_that_can_go_on(self):
        done = self.c.run("jadmin", "snapshot", "--for", "0.1")
        self.assertSays(done, 0, "snapshot", "0.1 can go on", "shutdown")
        self.assertSays(self.c.run("jadmin", "snapshot", "--for", "7.5"), 3, "7.5", "0.1")
        array = self.c.submit("-H", "-a", "0-9", wrap="true")
        retry = self.c.submit("-H", "--retry", "3", wrap="true")
        refused = self.c.run("jadmin", "snapshot", "--for", "0.1")
        self.assertEqual(refused.code, 1, refused)
        self.assertIn(f"\njob {array}: an array\njob {retry}: a retry rule\n", refused.err)
        self.c.run("jcancel", array, retry, check=0)
        self.assertSays(self.c.run("jadmin", "snapshot", "--for", "0.1"), 0, "without", "a retry rule")
        self.assertSays(self.c.run("jadmin", "ping", "--for", "0.1"), 2, "--for")
        if IS_ROOT:
            self.assertSays(self.c.run("jadmin", "snapshot", "--for", "0.1", user=USER), 1, "admin")


class Logs(TestCase):
    def test_log_file_is_opened_again_at_sighup_and_json_is_json(self):
        with Cluster(start=False) as c:
            file = c.folder / "shared.log"
            c.write_config(log=f'level = "debug"\nformat = "json"\nfile = "{file}"')
            c.start()
            c.run_job(wrap="true")
            for line in file.read_text().splitlines():
                json.loads(line)
            os.rename(file, c.folder / "old.log")
            for daemon in (c.jctld, c.jnoded):
                daemon.process.send_signal(signal.SIGHUP)

            def written():
                c.run_job(wrap="true")
                return file.exists() and "jnoded" in file.read_text()
            wait_for(written, "the new log file to be written")


class Life(TestCase):
    def test_readiness_is_told_to_a_service_manager(self):
        with Cluster(start=False) as c, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(c.folder / "notify"))
            manager.settimeout(60)
            for daemon in (c.jctld, c.jnoded):
                daemon.environment = {"NOTIFY_SOCKET": str(c.folder / "notify")}
                daemon.start()
                said = b""
                while b"READY=1" not in said:
                    said = manager.recv(4096)
            c.wait_node()
            c.jnoded.stop()
            self.assertIn(b"STOPPING=1", self.drain(manager))

    @staticmethod
    def drain(manager):
        manager.settimeout(0.2)
        said = b""
        try:
            while True:
                said += manager.recv(4096) + b"\n"
        except TimeoutError:
            return said

    def test_shutdown_by_command_leaves_jobs_running(self):
        with Cluster() as c:
            job = c.submit(wrap="sleep 2; echo survived")
            c.wait_state(job, "RUNNING")
            c.run("jadmin", "shutdown", check=0)
            wait_for(lambda: not c.jctld.running(), "jctld to end")
            self.assertEqual(c.jctld.process.returncode, 0)
            c.jctld.process = None
            c.jctld.start()
            c.wait_controller()
            c.wait_node()
            self.assertEqual(c.wait_job(job)["state"], "COMPLETED")
            self.assertEqual(c.output(job), "survived\n")


main()
