#!/usr/bin/env python3
"""Jobs that wait for others: what lets them go, what never will, and how that is shown."""
from jarvis_cluster import SharedCluster, main


class Dependencies(SharedCluster):
    def reason(self, job):
        return self.c.job(job)["reason"]["code"]

    def test_afterok_starts_after_a_good_end(self):
        first = self.c.submit("--hold", wrap="touch first")
        second = self.c.submit("-d", f"afterok:{first}", wrap="test -e first")
        self.assertEqual(self.reason(second), "Dependency")
        self.c.run("jrelease", first)
        self.assertEqual(self.c.wait_job(second)["state"], "COMPLETED")

    def test_what_can_never_hold_is_shown(self):
        bad = self.c.submit(wrap="exit 3")
        self.assertEqual(self.c.wait_job(bad)["state"], "FAILED")
        waits = self.c.submit("-d", f"afterok:{bad}", wrap="true")
        self.assertEqual(self.reason(waits), "DependencyNeverSatisfied")
        self.c.run("jcancel", waits)
        self.assertEqual(self.c.wait_job(waits)["state"], "CANCELLED")

    def test_what_can_never_hold_is_cancelled_if_asked_for(self):
        bad = self.c.submit("--hold", wrap="exit 3")
        waits = self.c.submit("-d", f"afterok:{bad}", "--kill-on-invalid-dep", wrap="true")
        self.c.run("jrelease", bad)
        ended = self.c.wait_job(waits)
        self.assertEqual(ended["state"], "CANCELLED")
        self.assertIn(f"afterok:{bad}", ended["end"]["cause"])

    def test_afternotok_and_afterany(self):
        bad = self.c.submit("--hold", wrap="exit 3")
        after = [self.c.submit("-d", f"{kind}:{bad}", wrap="true") for kind in ("afternotok", "afterany")]
        self.c.run("jrelease", bad)
        for job in after:
            self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")

    def test_after_goes_by_the_start(self):
        first = self.c.submit(wrap="while [ ! -e end ]; do sleep 0.1; done")
        second = self.c.submit("-d", f"after:{first}", wrap="touch end")
        self.assertEqual(self.c.wait_job(second)["state"], "COMPLETED")
        self.assertEqual(self.c.wait_job(first)["state"], "COMPLETED")

    def test_one_of_several_is_enough(self):
        held = self.c.submit("--hold", wrap="true")
        good = self.c.submit(wrap="true")
        job = self.c.submit("-d", f"afterok:{held}?afterok:{good}", wrap="true")
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        self.c.run("jcancel", held)

    def test_tasks_follow_their_like(self):
        first = self.c.submit("-a", "0-2", wrap="[ $JARVIS_ARRAY_TASK_ID != 1 ]")
        second = self.c.submit("-a", "0-2", "-d", f"aftercorr:{first}", wrap="true")
        self.c.wait_state(f"{second}_0", "COMPLETED")
        self.c.wait_state(f"{second}_2", "COMPLETED")
        self.assertEqual(self.reason(f"{second}_1"), "DependencyNeverSatisfied")
        self.c.run("jcancel", second)

    def test_singletons_go_one_after_the_other(self):
        script = "mkdir alone && sleep 0.2 && rmdir alone"
        jobs = [self.c.submit("-J", "single", "-d", "singleton", wrap=script) for _ in range(4)]
        for job in jobs:
            self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")

    def test_unknown_jobs_are_refused(self):
        result = self.c.run("jsub", "-d", "afterok:999999", "--wrap", "true")
        self.assertSays(result, 3, "999999")

    def test_a_chain_survives_a_restart(self):
        first = self.c.submit("--hold", wrap="true")
        chain = [first]
        for _ in range(5):
            chain.append(self.c.submit("-d", f"afterok:{chain[-1]}", wrap="true"))
        self.c.restart_controller()
        self.c.wait_node()
        self.c.run("jrelease", first)
        for job in chain:
            self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")


if __name__ == "__main__":
    main()
