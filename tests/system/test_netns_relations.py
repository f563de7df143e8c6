#!/usr/bin/env python3
"""Arrays, dependencies, requeues and retries on 8 nodes with real jobs, as jsub(1) tells them."""
from jarvis_cluster import FINAL, SharedCluster, wait_for
from jarvis_network import Network, main, needs_namespaces


class Relations(SharedCluster):
    @classmethod
    def setUpClass(cls):
        cls.c = Network(nodes=8, namespaces=True, controller='heartbeat = "200ms"\nkill_grace = "2s"')
        cls.cores = sum(node["cores"] for node in cls.c.json("jnodes", "--json")["nodes"])

    def tearDown(self):
        left = [j["id"] for j in self.c.json("jq", "--json")["jobs"] if j["state"] not in FINAL]
        if left:
            self.c.run("jcancel", *left)
        wait_for(lambda: not self.c.json("jq", "--json")["jobs"], "all jobs to end")

    def history(self, job):
        """All rows of the history for a job, an array or a task."""
        return self.c.json("jacct", "-j", job, "--json")["jobs"]

    def read(self, name):
        path = self.c.work() / name
        return path.read_text() if path.exists() else ""

    def wait_text(self, name, text):
        wait_for(lambda: text in self.read(name), lambda: f"{name} to say {text}\n{self.c.run('jq', '-l').out}\n{self.c.jctld.tail()}")


@needs_namespaces
class Arrays(Relations):
    def test_every_task_runs_once_with_its_number(self):
        job = self.c.submit("-c", "1", "-a", "0-29:3", "-o", "array-%A-%a.out",
                            wrap='echo "$JARVIS_JOB_ID $JARVIS_ARRAY_JOB_ID $JARVIS_ARRAY_TASK_ID $JARVIS_ARRAY_TASK_MIN '
                                 '$JARVIS_ARRAY_TASK_MAX $JARVIS_ARRAY_TASK_STEP $JARVIS_ARRAY_TASK_COUNT"')
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        for task in range(0, 30, 3):
            self.assertEqual(self.read(f"array-{job}-{task}.out"), f"{job}_{task} {job} {task} 0 27 3 10\n")
        ended = {record["id"] for record in self.history(job) if "_" in record["id"]}
        self.assertEqual(ended, {f"{job}_{task}" for task in range(0, 30, 3)})

    def test_no_more_at_once_than_the_throttle_says(self):
        job = self.c.submit("-c", "1", "-a", "0-11%3", wrap="echo + >> $JARVIS_ARRAY_JOB_ID.live; sleep 0.5; echo - >> $JARVIS_ARRAY_JOB_ID.live")
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        live = most = 0
        for sign in self.read(f"{job}.live").split():
            live += 1 if sign == "+" else -1
            most = max(most, live)
        self.assertEqual(self.read(f"{job}.live").count("+"), 12)
        self.assertLessEqual(most, 3)

    def test_parts_are_cancelled_held_and_listed(self):
        job = self.c.submit("-H", "-a", "0-9", wrap="true")
        self.c.run("jcancel", f"{job}_[1-4]", check=0)
        self.assertEqual(self.c.job(f"{job}_2")["state"], "CANCELLED")
        self.assertEqual(self.c.job(f"{job}_5")["state"], "PENDING")
        self.c.run("jrelease", f"{job}_[5-6]", check=0)
        for task in (5, 6):
            self.assertEqual(self.c.wait_job(f"{job}_{task}")["state"], "COMPLETED")
        self.assertEqual(self.c.job(f"{job}_7")["state"], "PENDING")
        self.c.run("jrelease", job, check=0)
        self.assertIn(self.c.wait_job(job)["state"], FINAL)
        states = {record["id"]: record["state"] for record in self.history(job)}
        self.assertEqual([states.get(f"{job}_{task}") for task in (0, 7, 8, 9)], ["COMPLETED"] * 4)

    def test_code_of_the_whole_is_the_highest_of_its_tasks(self):
        result = self.c.run("jsub", "--wait", "-c", "1", "-a", "1-4", "--wrap", "exit $JARVIS_ARRAY_TASK_ID")
        self.assertEqual(result.code, 4, result)


@needs_namespaces
class Dependencies(Relations):
    def test_each_kind(self):
        first = self.c.submit("-H", wrap="exit 3")
        waits = {kind: self.c.submit("-d", f"{kind}:{first}", wrap="true") for kind in ("after", "afterany", "afternotok", "afterok")}
        for job in waits.values():
            self.assertEqual(self.c.job(job)["reason"]["code"], "Dependency", self.c.job(job))
        doomed = self.c.submit("-d", f"afterok:{first}", "--kill-on-invalid-dep", wrap="true")
        self.c.run("jrelease", first, check=0)
        for kind in ("after", "afterany", "afternotok"):
            self.assertEqual(self.c.wait_job(waits[kind])["state"], "COMPLETED", kind)
        wait_for(lambda: self.c.job(waits["afterok"])["reason"]["code"] == "DependencyNeverSatisfied", lambda: self.c.job(waits["afterok"]))
        self.assertEqual(self.c.wait_job(doomed)["state"], "CANCELLED")

    def test_chain_and_any_of_two(self):
        job = self.c.submit("-H", wrap="echo 0 >> chain")
        start = job
        for link in range(1, 11):
            job = self.c.submit("-d", f"afterok:{job}", wrap=f"echo {link} >> chain")
        either = self.c.submit("-d", f"afterok:{start}?afternotok:{start}", wrap="true")
        self.c.run("jrelease", start, check=0)
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        self.assertEqual(self.read("chain").split(), [str(n) for n in range(11)])
        self.assertEqual(self.c.wait_job(either)["state"], "COMPLETED")

    def test_corresponding_tasks(self):
        first = self.c.submit("-H", "-c", "1", "-a", "0-3", wrap="sleep 0.2; echo first $JARVIS_ARRAY_TASK_ID >> corr; exit $((JARVIS_ARRAY_TASK_ID % 2))")
        second = self.c.submit("-c", "1", "-a", "0-3", "-d", f"aftercorr:{first}", wrap="echo second $JARVIS_ARRAY_TASK_ID >> corr")
        self.c.run("jrelease", first, check=0)
        for task in (0, 2):
            self.assertEqual(self.c.wait_job(f"{second}_{task}")["state"], "COMPLETED")
        self.assertIn(self.c.wait_job(first)["state"], FINAL)
        said = self.read("corr").splitlines()
        for task in (0, 2):
            self.assertLess(said.index(f"first {task}"), said.index(f"second {task}"))
        self.assertNotIn("second 1", said)

    def test_one_of_a_name_at_a_time(self):
        jobs = [self.c.submit("-c", "1", "-J", "alone", "-d", "singleton", wrap="echo + >> alone; sleep 0.3; echo - >> alone") for _ in range(4)]
        for job in jobs:
            self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        self.assertEqual(self.read("alone").split(), ["+", "-"] * 4)

    def test_unknown_and_own_ids_are_refused(self):
        self.assertSays(self.c.run("jsub", "-d", "afterok:999999", "--wrap", "true"), 3, "999999")


@needs_namespaces
class Again(Relations):
    def test_requeue_starts_the_next_incarnation_when_the_first_is_gone(self):
        job = self.c.submit("--requeue", wrap='echo "run $JARVIS_RESTART_COUNT" >> again; [ $JARVIS_RESTART_COUNT = 1 ] || sleep 1000')
        self.wait_text("again", "run 0\n")
        self.c.run("jrequeue", job, check=0)
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        self.assertEqual(self.read("again"), "run 0\nrun 1\n")
        self.assertEqual(self.c.job(job)["restarts"], 1)

    def test_retry_until_it_works(self):
        job = self.c.submit("--retry", "3,backoff=1s..2s", wrap='echo "try $JARVIS_RESTART_COUNT" >> tries; [ $JARVIS_RESTART_COUNT = 2 ]')
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        self.assertEqual(self.read("tries"), "try 0\ntry 1\ntry 2\n")
        self.assertEqual([record["state"] for record in self.history(job)][-1], "COMPLETED")

    def test_retry_only_what_was_asked_for_and_only_so_often(self):
        job = self.c.submit("--retry", "2,backoff=1s,on=exit:3-5", wrap="echo x >> often; exit 4")
        other = self.c.submit("--retry", "2,backoff=1s,on=exit:3-5", wrap="echo x >> once; exit 6")
        self.assertEqual(self.c.wait_job(job)["state"], "FAILED")
        self.assertEqual(self.c.wait_job(other)["state"], "FAILED")
        self.assertEqual((self.read("often"), self.read("once")), ("x\n" * 3, "x\n"))


if __name__ == "__main__":
    main()
