#!/usr/bin/env python3
"""Starting again: by jrequeue and by a job's own rule, with each start in the accounting history."""
from jarvis_cluster import SharedCluster, main, wait_for

COUNT = "echo $JARVIS_RESTART_COUNT >> {0}; "


class Retry(SharedCluster):
    def starts(self, name):
        path = self.c.work() / name
        return path.read_text().split() if path.exists() else []

    def rows(self, job):
        """What the history says of each start, in their order."""
        return [row["state"] for row in self.c.json("jacct", "-j", job, "--json")["jobs"]]

    def test_a_failure_starts_again_and_succeeds(self):
        job = self.c.submit("--retry=3,backoff=1s", wrap=COUNT.format("again") + "[ $JARVIS_RESTART_COUNT = 2 ]")
        ended = self.c.wait_job(job)
        self.assertEqual(ended["state"], "COMPLETED")
        self.assertEqual(ended["restarts"], 2)
        self.assertEqual(self.starts("again"), ["0", "1", "2"])
        wait_for(lambda: self.rows(job) == ["FAILED", "FAILED", "COMPLETED"], "each start has its row")

    def test_retries_come_to_an_end(self):
        job = self.c.submit("--retry=1,backoff=0s", wrap=COUNT.format("twice") + "exit 5")
        self.assertEqual(self.c.wait_job(job)["state"], "FAILED")
        self.assertEqual(self.starts("twice"), ["0", "1"])

    def test_only_what_the_rule_names(self):
        job = self.c.submit("--retry=3,backoff=0s,on=exit:3-5", wrap=COUNT.format("named") + "exit 6")
        self.assertEqual(self.c.wait_job(job)["state"], "FAILED")
        self.assertEqual(self.starts("named"), ["0"])

    def test_the_wait_is_shown_and_can_be_cancelled(self):
        job = self.c.submit("--retry=3,backoff=1h", wrap="exit 1")
        wait_for(lambda: (self.c.job(job).get("reason") or {}).get("code") == "RetryBackoff", "it waits for its next start")
        self.c.run("jcancel", job)
        self.assertEqual(self.c.wait_job(job)["state"], "CANCELLED")
        wait_for(lambda: self.rows(job) == ["FAILED", "CANCELLED"], "both are in the history")

    def test_requeue_of_a_running_job(self):
        job = self.c.submit(wrap=COUNT.format("requeued") + "[ $JARVIS_RESTART_COUNT = 1 ] || sleep 600")
        wait_for(lambda: self.starts("requeued") == ["0"], "it runs")
        self.assertEqual(self.c.run("jrequeue", job).code, 0)
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        self.assertEqual(self.starts("requeued"), ["0", "1"])
        wait_for(lambda: len(self.rows(job)) == 2, "both starts are in the history")

    def test_requeue_of_an_ended_job(self):
        job = self.c.submit(wrap=COUNT.format("ended") + "[ -e good ]")
        self.assertEqual(self.c.wait_job(job)["state"], "FAILED")
        (self.c.work() / "good").touch()
        self.assertEqual(self.c.run("jrequeue", job).code, 0)
        self.c.wait_state(job, "COMPLETED")
        self.assertEqual(self.starts("ended"), ["0", "1"])

    def test_a_cancelled_job_is_not_requeued(self):
        job = self.c.submit("--hold", wrap="true")
        self.c.run("jcancel", job)
        self.assertSays(self.c.run("jrequeue", job), 1, "cancelled")

    def test_a_task_of_an_array_retries_alone(self):
        job = self.c.submit("-a", "0-1", "--retry=1,backoff=0s",
                            wrap=COUNT.format("task-$JARVIS_ARRAY_TASK_ID") + "[ $JARVIS_ARRAY_TASK_ID = 0 ] || [ $JARVIS_RESTART_COUNT = 1 ]")
        wait_for(lambda: self.c.job(job)["state"] == "COMPLETED", "the array is over")
        self.assertEqual(self.starts("task-0"), ["0"])
        self.assertEqual(self.starts("task-1"), ["0", "1"])


if __name__ == "__main__":
    main()
