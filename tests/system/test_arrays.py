#!/usr/bin/env python3
"""Job arrays: tasks with an environment and output of their own, throttles, parts that are cancelled, held and listed."""
from jarvis_cluster import SharedCluster, main, wait_for


class Arrays(SharedCluster):
    def states(self, array):
        """The state of each task that the queue knows as a job: {"7_3": "RUNNING"}."""
        jobs = self.c.json("jq", "-j", array, "-t", "all", "--json", check=False)["jobs"]
        return {job["id"]: job["state"] for job in jobs}

    def wait_array(self, array):
        wait_for(lambda: self.c.job(array)["state"] in ("COMPLETED", "FAILED", "CANCELLED"), f"array {array} is over")
        return self.c.job(array)

    def test_each_task_knows_which_it_is(self):
        array = self.c.submit("-a", "1-5:2,8", wrap="env | grep '^JARVIS_' | sort")
        self.assertEqual(self.wait_array(array)["state"], "COMPLETED")
        for task in (1, 3, 5, 8):
            text = (self.c.work() / f"jarvis-{array}_{task}.out").read_text()
            for line in (f"JARVIS_JOB_ID={array}_{task}", f"JARVIS_ARRAY_JOB_ID={array}", f"JARVIS_ARRAY_TASK_ID={task}",
                         "JARVIS_ARRAY_TASK_MIN=1", "JARVIS_ARRAY_TASK_MAX=8", "JARVIS_ARRAY_TASK_COUNT=4"):
                self.assertIn(line + "\n", text)

    def test_output_patterns_of_tasks(self):
        array = self.c.submit("-a", "4", "-o", "p-%A-%a-%j.txt", wrap="echo $JARVIS_ARRAY_TASK_STEP")
        self.wait_array(array)
        self.assertEqual((self.c.work() / f"p-{array}-4-{array}_4.txt").read_text(), "1\n")

    def test_the_queue_shows_one_line_for_what_waits(self):
        array = self.c.submit("-a", "0-999", "--hold", wrap="true")
        jobs = self.c.json("jq", "-j", array, "--json")["jobs"]
        self.assertEqual(len(jobs), 1)
        self.assertEqual(jobs[0]["state"], "PENDING")
        self.assertEqual(self.c.run("jcancel", array).code, 0)
        self.assertEqual(self.wait_array(array)["state"], "CANCELLED")

    def test_a_throttle_holds(self):
        array = self.c.submit("-a", "0-5%2", wrap="while [ ! -e go ]; do sleep 0.1; done")
        running = lambda: [task for task, state in self.states(array).items() if state == "RUNNING" and "_" in task]
        wait_for(lambda: len(running()) == 2, "two tasks run")
        self.assertEqual(sorted(running()), [f"{array}_0", f"{array}_1"])
        self.assertEqual(self.c.job(array)["reason"]["code"], "ArrayTaskLimit")
        (self.c.work() / "go").touch()
        self.assertEqual(self.wait_array(array)["state"], "COMPLETED")
        (self.c.work() / "go").unlink()

    def test_parts_are_cancelled(self):
        array = self.c.submit("-a", "0-9", "--hold", wrap="true")
        self.assertEqual(self.c.run("jcancel", f"{array}_[0-3,7]").code, 0)
        self.assertEqual(self.c.run("jcancel", f"{array}_8").code, 0)
        self.assertEqual(self.c.job(f"{array}_7")["state"], "CANCELLED")
        self.assertEqual(self.c.job(f"{array}_4")["state"], "PENDING")
        self.assertEqual(self.c.run("jcancel", f"{array}_10").code, 3)
        self.assertEqual(self.c.run("jrelease", array).code, 0)
        self.wait_array(array)
        for task in (4, 5, 6, 9):
            self.assertEqual(self.c.job(f"{array}_{task}")["state"], "COMPLETED")

    def test_parts_are_held_and_released(self):
        array = self.c.submit("-a", "0-3", "--hold", wrap="true")
        self.assertEqual(self.c.run("jrelease", f"{array}_[1-2]").code, 0)
        self.c.wait_state(f"{array}_1", "COMPLETED")
        self.c.wait_state(f"{array}_2", "COMPLETED")
        self.assertEqual(self.c.job(f"{array}_0")["reason"]["code"], "Held")
        self.assertEqual(self.c.run("jhold", f"{array}_3").code, 0)
        self.assertEqual(self.c.run("jrelease", f"{array}_0").code, 0)
        self.c.wait_state(f"{array}_0", "COMPLETED")
        self.assertEqual(self.c.job(f"{array}_3")["state"], "PENDING")
        self.assertEqual(self.c.run("jcancel", array).code, 0)
        self.assertEqual(self.wait_array(array)["state"], "CANCELLED")

    def test_waiting_for_an_array_gives_the_highest_code(self):
        result = self.c.run("jsub", "--wait", "-a", "0-3", "--wrap", "exit $JARVIS_ARRAY_TASK_ID")
        self.assertEqual(result.code, 3)

    def test_the_history_has_every_task(self):
        array = self.c.submit("-a", "0-3", wrap="[ $JARVIS_ARRAY_TASK_ID != 2 ]")
        self.assertEqual(self.wait_array(array)["state"], "FAILED")
        rows = lambda: {job["id"]: job["state"] for job in self.c.json("jacct", "-j", array, "--json")["jobs"]}
        expected = {f"{array}_{task}": "FAILED" if task == 2 else "COMPLETED" for task in range(4)}
        wait_for(lambda: rows() == expected, "all four tasks are in the history")
        one = self.c.json("jacct", "-j", f"{array}_2", "--json")["jobs"]
        self.assertEqual([job["id"] for job in one], [f"{array}_2"])

    def test_a_restart_of_the_controller_keeps_an_array(self):
        array = self.c.submit("-a", "0-3%1", wrap="while [ ! -e on ]; do sleep 0.1; done")
        self.c.wait_state(f"{array}_0", "RUNNING")
        self.c.restart_controller()
        self.c.wait_node()
        (self.c.work() / "on").touch()
        self.assertEqual(self.wait_array(array)["state"], "COMPLETED")
        (self.c.work() / "on").unlink()


if __name__ == "__main__":
    main()
