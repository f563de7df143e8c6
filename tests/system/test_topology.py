#!/usr/bin/env python3
"""What a node has by its configuration, what is expected of it, and a machine that changes while its jobs run."""
import os

from jarvis_cluster import Cluster, TestCase, main, wait_for


class Topologies(TestCase):
    def node(self, c):
        return next(node for node in c.json("jnodes", "--json")["nodes"] if node["name"] == c.node)

    def test_described_topology_runs_jobs_on_virtual_cores(self):
        with Cluster(node_settings='topology = "pack:2 [numa(memory=8589934592)] core:8 pu:2"\nreserve = { cores = 1, memory = "1G" }') as c:
            node = self.node(c)
            self.assertEqual((node["cores"], node["memory_bytes"]), (15, 15 << 30))
            listing = c.run("jnodes", "-l", check=0).out
            self.assertIn("cores are virtual, jobs are not bound: the configuration describes them", listing)
            self.assertEqual(c.run_job("-n", "15", "--mem", "64", wrap="true")["state"], "COMPLETED")

    def test_description_that_makes_no_sense_is_refused_with_its_place(self):
        with Cluster(start=False, node_settings='topology = "pack:2 coer:4 pu:1"') as c:
            checked = c.run("jnoded", "--config", str(c.config_path), "--check-config")
            self.assertEqual(checked.code, 1)
            self.assertRegex(checked.err, r'jarvis.toml:\d+: node \S+: topology: synthetic topology "pack:2 coer:4 pu:1": at character 8 "coer"')

    def test_node_below_what_is_expected_gets_no_job_until_it_is(self):
        with Cluster(start=False, node_settings='devices = [{ name = "gpu", count = 3 }]\nexpect = { devices = { gpu = 4 } }') as c:
            c.jctld.start()
            c.wait_controller()
            c.jnoded.start()
            wait_for(lambda: c.node_state() == "drained", lambda: f"a drained node: {self.node(c)}")
            self.assertEqual(self.node(c)["reason"], "expected 4 gpu, found 3")
            self.assertIn("expected 4 gpu, found 3", c.run("jnodes", check=0).out)
            job = c.submit("-n", "1", "--mem", "64", wrap="true")
            self.assertIn("drained", str(c.job(job)["reason"]))
            c.config_path.write_text(c.config_path.read_text().replace("gpu = 4", "gpu = 3"))
            c.run("jadmin", "reconfigure", check=0)
            self.assertEqual(c.wait_job(job)["state"], "COMPLETED")
            self.assertEqual(c.node_state(), "idle")

    def test_cores_that_are_taken_away_are_not_given(self):
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < 2:
            self.skipTest("one CPU")
        with Cluster(jnoded='recheck = "1s"') as c:
            there = self.node(c)["cores"]
            if there < 2:
                self.skipTest("one core")
            job = c.submit("-n", str(there), "--mem", "64", wrap="sleep 1000")
            c.wait_state(job, "RUNNING")
            self.set_affinity(c, allowed[:1])
            wait_for(lambda: self.node(c)["cores"] == 1, lambda: f"a node with one core: {self.node(c)}")
            notes = c.run("jnodes", "-l", check=0).out
            self.assertRegex(notes, rf"core {there - 1} \(PU \d+\) is no longer given while job {job} has it")
            self.assertEqual(c.job(job)["state"], "RUNNING")
            self.set_affinity(c, allowed)
            wait_for(lambda: self.node(c)["cores"] == there, lambda: f"a node with all cores: {self.node(c)}")
            self.assertNotIn("no longer given", c.run("jnodes", "-l", check=0).out)
            c.run("jcancel", str(job), check=0)
            c.wait_job(job)
            self.assertEqual(c.run_job("-n", str(there), "--mem", "64", wrap="true")["state"], "COMPLETED")

    # Every thread: hwloc asks for what all of them together may use.
    def set_affinity(self, c, cpus):
        pid = c.jnoded.process.pid
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), cpus)


main()
