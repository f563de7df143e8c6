#!/usr/bin/env python3
"""Questions to nodes: what a running job uses (jstat, jeff), and what a node can enforce (jadmin node check, jnoded --check)."""
import json
import os
import signal
import time

from jarvis_cluster import IS_ROOT, OTHER_USER, SharedCluster, TestCase, USER, main, needs_root, wait_for
from jarvis_network import Network

BUSY = "#!/bin/sh\nsh -c 'while :; do :; done' &\nwait\n"
HOLDS = """#!/usr/bin/env python3
import time
held = b"x" * (100 << 20)
time.sleep(1000)
"""
MIB = 1 << 20


class Stat(SharedCluster):
    def running(self, *options, script, user=None):
        job = self.c.submit(*options, script=script, user=user)
        self.c.wait_state(job, "RUNNING")
        self.addCleanup(lambda: self.c.run("jcancel", job))
        return job

    def samples(self, job, *options, **how):
        done = self.c.run("jstat", "--json", *options, job, check=0, **how)
        return [json.loads(line) for line in done.out.splitlines()]

    def settled(self, job, good):
        """A sample that is as it should be, once the job has come so far."""
        def look():
            sample = self.samples(job, "--once", "-i", "0.5")[0]
            return sample if good(sample["sum"]) else None
        return wait_for(look, f"job {job} to be busy")

    def test_a_busy_job_uses_its_core(self):
        job = self.running(script=BUSY)
        sample = self.settled(job, lambda figures: figures["cores_used"] > 0.2)
        self.assertEqual((sample["schema"], sample["id"], sample["state"]), ("jarvis.usage/1", job, "RUNNING"))
        self.assertEqual([node["node"] for node in sample["nodes"]], [self.c.node])
        figures = sample["nodes"][0]
        self.assertEqual(figures["cores"], 1)
        self.assertLess(figures["cores_used"], 1.5)
        self.assertGreater(figures["cores_user"], figures["cores_system"])
        self.assertGreaterEqual(figures["processes"], 2)
        self.assertGreater(sample["left_ms"], 0)

    def test_memory_by_kind(self):
        job = self.running(script=HOLDS)
        sample = self.settled(job, lambda figures: figures["anonymous_bytes"] > 100 * MIB)
        figures = sample["nodes"][0]
        self.assertLess(figures["anonymous_bytes"], 200 * MIB)
        self.assertGreaterEqual(figures["memory_bytes"], figures["anonymous_bytes"])
        if not self.full():
            self.assertIsNone(figures["memory_limit_bytes"])
            self.assertTrue(any("memory is not counted by job" in note for note in figures["notes"]), figures["notes"])

    def full(self):
        return self.c.json("jnodes", "--json")["nodes"][0]["confinement"] == "full"

    def test_lines_and_counts(self):
        job = self.running(script=BUSY)
        lines = self.c.run("jstat", "-n", "3", "-i", "0.2", job, check=0).out.splitlines()
        self.assertEqual(len(lines), 4, lines)                       # one line of titles
        self.assertEqual(lines[0].split()[:3], ["NODE", "CORES", "USED"])
        self.assertTrue(all(line.startswith(self.c.node) for line in lines[1:]), lines)
        self.assertEqual(len(self.samples(job, "-n", "2", "-i", "200ms")), 2)

    def test_a_job_that_ends_meanwhile_is_no_failure(self):
        job = self.running(script="#!/bin/sh\nsleep 3\n")
        done = self.c.run("jstat", "-i", "0.2", job, check=0)
        self.assertIn(f"job {job} is not running: it is COMPLETED", done.err)

    def test_tasks_of_an_array(self):
        array = self.c.submit("-a", "1-2", "-c", "1", script=BUSY)
        self.addCleanup(lambda: self.c.run("jcancel", array))
        self.c.wait_state(f"{array}_1", "RUNNING")
        self.assertEqual(self.samples(f"{array}_1", "--once", "-i", "0.2")[0]["id"], f"{array}_1")
        refused = self.c.run("jstat", "--once", array, check=1)
        self.assertIn(f"{array}_1", refused.err)

    def test_what_cannot_be_shown(self):
        self.assertIn("no such job", self.c.run("jstat", "--once", "999999", check=3).err)
        held = self.c.submit("--hold", script=BUSY)
        self.addCleanup(lambda: self.c.run("jcancel", held))
        self.assertIn("it is PENDING", self.c.run("jstat", "--once", held, check=1).err)
        ended = self.c.run_job(script="#!/bin/sh\ntrue\n")["id"]
        self.assertIn("it is COMPLETED", self.c.run("jstat", "--once", ended, check=1).err)
        for words in ([], ["1", "2"], ["1-3"], ["x"], ["-n", "0", "1"], ["-i", "0", "1"], ["--once", "-n", "2", "1"]):
            self.c.run("jstat", *words, check=2)

    def test_other_peoples_jobs(self):
        if not IS_ROOT:
            self.skipTest("needs root, to be several users")
        job = self.running(script=BUSY, user=USER)
        self.assertEqual(len(self.samples(job, "--once", "-i", "0.2", user=USER)), 1)
        refused = self.c.run("jstat", "--once", job, user=OTHER_USER, check=1)
        self.assertIn(f"job {job} belongs to {USER}", refused.err)
        self.assertIn("belongs to", self.c.run("jeff", job, user=OTHER_USER, check=1).err)

    def test_efficiency(self):
        record = self.c.run_job("-c", "1", "--mem", "1G", "-t", "4h", script="#!/bin/sh\ni=0; while [ $i -lt 200000 ]; do i=$((i+1)); done\n")
        job = record["id"]
        answer = self.c.json("jeff", "--json", job)
        self.assertEqual((answer["schema"], answer["unknown"]), ("jarvis.efficiency/1", []))
        one = answer["jobs"][0]
        self.assertEqual((one["id"], one["states"], one["running"], one["cores"]), (job, {"COMPLETED": 1}, False, 1))
        self.assertAlmostEqual(one["cpu_ms"], record["usage"]["cpu_user_ms"] + record["usage"]["cpu_system_ms"], delta=1)  # cut to ms
        self.assertGreater(one["core_efficiency"], 0.2)
        self.assertEqual(one["memory_asked_bytes"], 1 << 30)
        self.assertTrue(any("--time=5m" in sentence for sentence in one["advice"]), one["advice"])
        text = self.c.run("jeff", job, check=0).out
        self.assertRegex(text, rf"^job {job} ")
        self.assertIn("advice   asked for 4h and ran", text)
        self.c.run("jeff", job, "999999", check=3)
        self.c.run("jeff", check=2)

    def test_efficiency_of_an_array_and_of_a_running_job(self):
        array = self.c.submit("-a", "1-3", "-c", "1", script="#!/bin/sh\nexit $((JARVIS_ARRAY_TASK_ID == 2))\n")
        for task in (1, 2, 3):
            self.c.wait_job(f"{array}_{task}")
        whole = self.c.json("jeff", "--json", array)["jobs"]
        self.assertEqual([(one["id"], one["states"]) for one in whole], [(array, {"COMPLETED": 2, "FAILED": 1})])
        self.assertEqual([one["id"] for one in self.c.json("jeff", "--json", f"{array}_[1,3]")["jobs"]], [f"{array}_1", f"{array}_3"])
        job = self.running(script=BUSY)
        self.settled(job, lambda figures: figures["cores_used"] > 0.2)
        one = self.c.json("jeff", "--json", job)["jobs"][0]
        self.assertTrue(one["running"])
        self.assertGreater(one["cpu_ms"], 0)

    def test_node_check(self):
        node = self.c.json("jnodes", "--json")["nodes"][0]
        answer = self.c.json("jadmin", "node", "check", self.c.node, "--json")
        self.assertEqual((answer["schema"], answer["unknown"]), ("jarvis.node_check/1", []))
        check = answer["nodes"][0]
        self.assertEqual((check["node"], check["confinement"], check["error"]), (self.c.node, node["confinement"], None))
        works = [one["name"] for one in check["capabilities"] if one["works"]]
        self.assertEqual(",".join(works) or "none", node["capabilities"])
        for one in check["capabilities"]:
            self.assertEqual(one["why_not"] is None, one["works"], one)
        text = self.c.run("jadmin", "node", "check", self.c.node, check=0).out
        self.assertTrue(text.startswith(f"node {self.c.node}: confinement {node['confinement']}"), text)
        self.assertIn("controllers: ", text)
        # An ordinary user may know that too.
        self.assertEqual(self.c.run("jadmin", "node", "check", self.c.node, user=USER, check=0).out.splitlines()[0], text.splitlines()[0])
        self.c.run("jadmin", "node", "check", self.c.node, "nobody", check=3)
        self.c.run("jadmin", "node", "check", check=2)
        self.c.run("jadmin", "node", "chekc", self.c.node, check=2)

    def test_node_check_without_a_controller(self):
        said = self.c.json("jadmin", "node", "check", self.c.node, "--json")["nodes"][0]
        alone = self.c.run("jnoded", "--check", "--json", "--config", self.c.config_path, check=0)
        check = json.loads(alone.out)["nodes"][0]
        self.assertEqual(check["node"], self.c.node)
        self.assertEqual({one["name"]: one["works"] for one in check["capabilities"]},
                         {one["name"]: one["works"] for one in said["capabilities"]})
        text = self.c.run("jnoded", "--check", "--config", self.c.config_path, check=0).out
        self.assertTrue(text.startswith(f"node {self.c.node}: confinement"), text)
        self.c.run("jnoded", "--json", "--config", self.c.config_path, check=2)


class SeveralNodes(TestCase):
    @needs_root
    def test_a_line_for_each_node_and_their_sum(self):
        with Network(nodes=2, node_cores=1) as c:
            job = c.submit("-N", "2", script=BUSY)
            c.wait_state(job, "RUNNING")
            names = [node.node for node in c.nodes]
            lines = c.run("jstat", "--once", "-i", "0.2", job, check=0).out.splitlines()
            self.assertEqual([line.split()[0] for line in lines], ["NODE", *names, "all"])
            sample = c.json("jstat", "--once", "--json", "-i", "0.2", job)
            self.assertEqual([node["error"] for node in sample["nodes"]], [None, None])
            self.assertEqual(sample["sum"]["cores"], 2)
            self.assertTrue(c.json("jeff", "--json", job)["jobs"][0]["running"])
            # What is there is shown; a node that is away is said to be so.
            c.nodes[1].stop()
            sample = wait_for(lambda: (got := c.json("jstat", "--once", "--json", "-i", "0.2", job))["nodes"][1]["error"] and got, "the node to be away")
            self.assertIn("is not connected", sample["nodes"][1]["error"])
            self.assertIsNone(sample["nodes"][0]["error"])
            self.assertIn("is not connected", c.run("jeff", job, check=4).err)
            c.run("jcancel", job, check=0)
            c.nodes[1].start()
            c.wait_job(job)
            both = c.json("jadmin", "node", "check", names[0], names[1], "--json")["nodes"]
            self.assertEqual([node["node"] for node in both], names)


class AwayNode(SharedCluster):
    """A node that does not answer holds up nobody for longer than the deadline."""

    def test_a_silent_node(self):
        job = self.c.submit(script=BUSY)
        self.c.wait_state(job, "RUNNING")
        pid = self.c.jnoded.process.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            self.assertIn("did not answer within 5 s", self.c.run("jstat", "--once", job, check=4).err)
            self.assertLess(time.monotonic() - begin, 20)
            begin = time.monotonic()
            self.c.run("jq", check=0)
            self.assertLess(time.monotonic() - begin, 4)
        finally:
            os.kill(pid, signal.SIGCONT)
        self.assertEqual(len(self.c.run("jstat", "--once", "--json", job, check=0).out.splitlines()), 1)
        self.c.jnoded.kill()
        wait_for(lambda: "is not connected" in self.c.run("jstat", "--once", job, check=4).err, "the node to be away")
        self.assertIn("is not connected", self.c.run("jadmin", "node", "check", self.c.node, check=4).err)
        self.c.jnoded.start()
        self.c.wait_node()
        self.c.run("jcancel", job, check=0)


class NoGroups(Stat):
    """The same at level none."""
    settings = {"jnoded": 'cgroup = "none"',
                "partitions": '[[partition]]\nname = "batch"\nnodes = "ALL"\ndefault = true\ndefault_time = "1h"\nconfinement = "none"\n'}


if __name__ == "__main__":
    main()
