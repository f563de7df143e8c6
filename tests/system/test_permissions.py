#!/usr/bin/env python3
"""What an ordinary user can and cannot do, on a cluster that root started."""
import os
import pwd
import re
import subprocess
import unittest

from jarvis_cluster import IS_ROOT, OTHER_USER, USER, Cluster, SharedCluster, TestCase, main, needs_root, wait_for

SECRET = "the-secret-of-this-test"
SECRET_SCRIPT = f"#!/bin/sh\n# {SECRET}\necho started\nsleep 1000\n"


@unittest.skipUnless(IS_ROOT, "needs root, who starts jobs of two users")
class Permissions(SharedCluster):
    settings = {"security": 'allow_root_jobs = true'}

    def running(self, *options, **how):
        job = self.c.submit(*options, user=USER, **how)
        self.c.wait_state(job, "RUNNING")
        path = self.c.work(USER) / f"jarvis-{job}.out"
        wait_for(lambda: path.exists() and "started" in path.read_text(), f"job {job} to start")
        return job

    def cancel(self, *jobs):
        self.c.run("jcancel", *jobs, check=0)
        for job in jobs:
            self.c.wait_job(job)

    def test_job_runs_as_its_owner_with_nothing_of_ours(self):
        job = self.c.submit(user=USER, wrap="id -u; id -g; id -G; ls -l /proc/self/fd | grep -v ' -> /proc/' | wc -l; grep NoNewPrivs "
                            "/proc/self/status; ls -l /proc/self/fd")
        self.c.wait_job(job)
        account = pwd.getpwnam(USER)
        lines = self.c.output(job, user=USER).splitlines()
        self.assertEqual(lines[:2], [str(account.pw_uid), str(account.pw_gid)])
        self.assertEqual(set(lines[2].split()), {str(g) for g in os.getgrouplist(USER, account.pw_gid)})
        descriptors = [line for line in lines if " -> " in line and "/proc/" not in line.split(" -> ")[1]]
        self.assertEqual(len(descriptors), 3, descriptors)
        self.assertEqual((self.c.work(USER) / f"jarvis-{job}.out").stat().st_uid, account.pw_uid)

    def test_another_users_script_and_environment_are_not_seen(self):
        job = self.running("--comment", SECRET, script=SECRET_SCRIPT, arguments=[SECRET], env={"PASSWORD": SECRET})
        for arguments in (["jq", "-j", job, "-l"], ["jq", "-j", job, "--json"], ["jq", "-l", "--json"], ["jacct", "-j", job, "--json"]):
            shown = self.c.run(*arguments, user=OTHER_USER, check=0)
            self.assertNotIn(SECRET, shown.out + shown.err, arguments)
            self.assertIn(job, shown.out)
        # Nor in any file, nor in /proc, whatever the modes of folders on the way are.
        found = subprocess.run(["grep", "-rls", SECRET, str(self.c.state_dir), str(self.c.run_dir), str(self.c.node_state_dir),
                                str(self.c.tmp_dir), str(self.c.config_path)],
                               stdout=subprocess.PIPE, user=OTHER_USER, group=pwd.getpwnam(OTHER_USER).pw_gid, extra_groups=[])
        self.assertEqual(found.stdout.decode(), "")
        # The owner and an admin see it.
        self.assertIn(SECRET, self.c.run("jq", "-j", job, "-l", user=USER, check=0).out)
        self.assertIn(SECRET, self.c.run("jq", "-j", job, "-l", check=0).out)
        self.cancel(job)

    def test_another_users_job_cannot_be_changed(self):
        job = self.running(script=SECRET_SCRIPT)
        held = self.c.submit("-H", user=USER, wrap="true")
        for arguments in (["jcancel", job], ["jcancel", "-s", "KILL", job], ["jhold", held], ["jrelease", held]):
            self.assertSays(self.c.run(*arguments, user=OTHER_USER), 1, arguments[-1])
        self.c.run("jcancel", "-u", USER, user=OTHER_USER)
        self.assertEqual(self.c.job(job)["state"], "RUNNING")
        self.assertEqual(self.c.job(held)["state"], "PENDING")
        self.c.run("jcancel", job, held, user=USER, check=0)
        self.c.wait_job(job)

    def test_admin_commands_are_refused(self):
        for arguments in (["jadmin", "reconfigure"], ["jadmin", "snapshot"], ["jadmin", "shutdown"],
                          ["jnodes", "drain", self.c.node, "--reason", "mischief"], ["jnodes", "resume", self.c.node]):
            self.assertSays(self.c.run(*arguments, user=OTHER_USER), 1)
        self.assertTrue(self.c.jctld.running())
        self.assertIn(self.c.node_state(), ("idle", "mixed", "allocated"))

    def test_overtaking_others_takes_a_role(self):
        self.assertSays(self.c.run("jsub", "-H", "--nice=-1000", "--wrap", "true", user=USER), 1, "--nice", "operator")
        self.assertEqual(self.c.json("jq", "-u", USER, "--json")["jobs"], [])
        job = self.c.submit("-H", "--nice=-1000", wrap="true")
        self.assertEqual(self.c.json("jq", "-j", job, "-l", "--json")["jobs"][0]["request"]["nice"], -1000)
        kind = self.c.submit("-H", "--nice=1000", user=USER, wrap="true")
        self.cancel(job, kind)

    def test_ordinary_user_can_submit_look_and_cancel(self):
        job = self.c.submit("-H", user=OTHER_USER, wrap="true")
        self.assertIn(job, self.c.run("jq", user=OTHER_USER, check=0).out)
        self.c.run("jcancel", job, user=OTHER_USER, check=0)
        self.assertEqual(self.c.wait_job(job)["state"], "CANCELLED")

    def test_output_is_opened_as_the_owner(self):
        closed = self.c.folder / "closed"
        closed.mkdir(mode=0o700, exist_ok=True)
        precious = closed / "precious"
        precious.write_text("precious")
        link = self.c.work(USER) / "link"
        link.symlink_to(precious)
        for path in (closed / "new", link, "/etc/passwd"):
            job = self.c.submit("-o", str(path), user=USER, wrap="echo overwritten")
            self.c.wait_job(job)
            self.assertEqual(self.c.history(job)["state"], "FAILED", path)
            self.assertIn("permission denied", self.c.history(job)["cause"].lower())
        self.assertEqual(precious.read_text(), "precious")
        self.assertFalse((closed / "new").exists())

    def test_job_cannot_reach_the_launcher_or_its_own_record(self):
        script = ("#!/bin/sh\n"
                  f"find {self.c.run_dir} -type s -exec test -w {{}} ';' -print 2>/dev/null\n"
                  f"find {self.c.run_dir} {self.c.state_dir} {self.c.node_state_dir} -writable ! -type s 2>/dev/null\n"
                  "cat /proc/self/cgroup > cgroup\n")
        job = self.c.submit(user=USER, script=script)
        self.c.wait_job(job)
        self.assertEqual(self.c.output(job, user=USER), "")

    def test_cgroup_of_a_job_is_not_its_own_to_change(self):
        job = self.running(script=SECRET_SCRIPT)
        tree = self.c.cgroup()
        if tree is None:
            self.cancel(job)
            self.skipTest("no cgroup2 mount that we may write to")
        groups = list(tree.rglob(f"job_{job}*"))
        self.assertTrue(groups)
        found = subprocess.run(["find", *map(str, groups), "-writable"], stdout=subprocess.PIPE,
                               user=USER, group=pwd.getpwnam(USER).pw_gid, extra_groups=[])
        self.assertEqual(found.stdout.decode(), "")
        self.cancel(job)


class RootJobs(TestCase):
    @needs_root
    def test_jobs_of_root_are_refused_unless_allowed(self):
        with Cluster(security="allow_root_jobs = false") as c:
            self.assertSays(c.run("jsub", "--wrap", "true"), 1, "root")
            record = c.run_job(user=USER, wrap="true")
            self.assertEqual(record["state"], "COMPLETED")

    def test_scripts_are_not_in_the_log(self):
        with Cluster() as c:
            c.run_job(script=f"#!/bin/sh\n# {SECRET}\n", env={"PASSWORD": SECRET})
            for log in (c.jctld.log, c.jnoded.log):
                self.assertFalse(re.search(SECRET, log.read_text(errors="replace")), log)


main()
