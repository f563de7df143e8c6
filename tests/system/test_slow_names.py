#!/usr/bin/env python3
"""A name service that takes its time delays the submit of that user, and nobody else's."""
import os
import pwd
import time

from jarvis_cluster import BUILD, OTHER_USER, USER, Cluster, TestCase, main, needs_root, wait_for


class SlowNames(TestCase):
    @needs_root
    def test_slow_account_delays_its_own_user_only(self):
        with Cluster(start=False) as c:
            gate = c.folder / "gate"
            library = str(BUILD / "lib" / "libtest_slow_names.so")
            c.jctld.environment = {"LD_PRELOAD": library, "JARVIS_TEST_GATE": str(gate),
                                   "JARVIS_TEST_SLOW_UID": str(pwd.getpwnam(OTHER_USER).pw_uid)}
            if "ASAN_OPTIONS" in os.environ:
                c.jctld.environment["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"] + ":verify_asan_link_order=0"
            c.start()
            slow = [c.spawn("jsub", "-H", "--wrap", "true", user=OTHER_USER) for _ in range(10)]
            time.sleep(0.5)
            jobs = [c.submit("-H", user=USER, wrap="true") for _ in range(10)]
            for job in jobs:
                self.assertEqual(c.job(job, user=USER)["state"], "PENDING")
            record = c.run_job(user=USER, wrap="true")
            self.assertEqual(record["state"], "COMPLETED")
            self.assertEqual([p.poll() for p in slow], [None] * len(slow), "the slow account was not slow at all")
            gate.touch()
            for process in slow:
                out, err = process.communicate(timeout=120)
                # 4 where the daemon's own deadline was over first; it says so then.
                self.assertIn(process.returncode, (0, 4), err)
                self.assertTrue(out if process.returncode == 0 else err)
            wait_for(lambda: c.run("jsub", "-H", "--wrap", "true", user=OTHER_USER).code == 0, "the account to be known")
            c.run("jcancel", "-u", USER, check=0)
            c.run("jcancel", "-u", OTHER_USER, check=0)


main()
