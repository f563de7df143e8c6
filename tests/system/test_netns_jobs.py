#!/usr/bin/env python3
"""Real jobs on 8 nodes, each in a network namespace with a host name, folders and a boot id of its own."""
import unittest

from jarvis_cluster import FINAL, SharedCluster, wait_for
from jarvis_network import Network, main, needs_namespaces


class Nodes(SharedCluster):
    """One network of 8 nodes for all tests of a class."""
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.c = Network(**({"nodes": 8, "namespaces": True} | cls.settings))

    def node_of(self, job):
        return self.c.job(job)["nodes"]

    def finish(self, jobs, state="COMPLETED"):
        for job in jobs:
            self.assertEqual(self.c.wait_job(job)["state"], state, job)

    def tearDown(self):
        left = [j["id"] for j in self.c.json("jq", "--json")["jobs"] if j["state"] not in FINAL]
        if left:
            self.c.run("jcancel", *left)
        wait_for(lambda: not self.c.json("jq", "--json")["jobs"], "all jobs to end")


@needs_namespaces
class Spread(Nodes):
    def test_each_node_has_a_host_name_and_an_address_of_its_own(self):
        cores = sum(node["cores"] for node in self.c.json("jnodes", "--json")["nodes"])
        go = self.c.work() / "all-have-started"
        script = f"uname -n; ip -4 -brief address show dev eth0; while ! test -e {go}; do sleep 0.1; done"
        jobs = [self.c.submit("-c", "1", wrap=script) for _ in range(cores)]
        for job in jobs:
            self.c.wait_state(job, "RUNNING")
        go.touch()
        self.finish(jobs)
        seen = set()
        for job in jobs:
            host, address = self.c.output(job).splitlines()
            node = next(n for n in self.c.nodes if n.host == host)
            self.assertEqual(self.node_of(job), node.node)
            self.assertIn(node.ipv4, address)
            seen.add(host)
        self.assertEqual(len(seen), 8)

    def test_nodes_reach_the_controller_over_tls_by_either_family(self):
        head = self.c.jctld
        for node in self.c.nodes:
            self.assertRegex(node.log.read_text(), rf"connected to the controller.* at \S*{head.ipv4 if node.number % 2 else head.ipv6}\S* \(TLS")

    def test_drained_node_ends_what_it_has_and_gets_nothing(self):
        first = self.c.nodes[0]
        job = self.c.submit(wrap="sleep 2")
        self.c.wait_state(job, "RUNNING")
        self.assertEqual(self.node_of(job), first.node)
        self.c.run("jnodes", "drain", first.node, "--reason", "new disk", check=0)
        self.assertEqual(first.state(), "draining")
        others = [self.c.submit(wrap="true") for _ in range(20)]
        self.finish([job, *others])
        self.assertNotIn(first.node, {self.node_of(other) for other in others})
        first.wait_state("drained")
        self.c.run("jnodes", "resume", first.node, check=0)
        first.wait_state("idle")

    def test_node_daemon_killed_and_started_again_keeps_its_job(self):
        job = self.c.submit(wrap="sleep 3; uname -n")
        self.c.wait_state(job, "RUNNING")
        node = next(n for n in self.c.nodes if n.node == self.node_of(job))
        node.kill()
        node.wait_state("unreachable", "down")
        node.start()
        self.finish([job])
        self.assertEqual(self.c.output(job), f"{node.host}\n")
        node.wait_state("idle")

    def test_all_nodes_at_once(self):
        jobs = [self.c.submit(wrap=f"echo {n} >> ran-{n}; sleep 3") for n in range(16)]
        wait_for(lambda: any(j["state"] == "RUNNING" for j in self.c.json("jq", "--json")["jobs"]), "jobs to run")
        for node in self.c.nodes:
            node.kill()
        for node in self.c.nodes:
            node.start()
        self.finish(jobs)
        for n in range(16):
            self.assertEqual((self.c.work() / f"ran-{n}").read_text(), f"{n}\n")
        self.c.wait_node()


if __name__ == "__main__":
    unittest.TestCase.maxDiff = None
    main()
