#!/usr/bin/env python3
"""Nodes that give jobs something else than what their machine has: nothing, or cores that are only counted."""
import os

from jarvis_cluster import Cluster, TestCase, main, wait_for
from jarvis_network import Network


class Shapes(TestCase):
    def node(self, c, name):
        return next(node for node in c.json("jnodes", "--json")["nodes"] if node["name"] == name)

    def test_more_cores_than_the_machine_has_are_virtual(self):
        with Cluster(node_cores=96) as c:
            self.assertEqual(self.node(c, c.node)["cores"], 96)
            self.assertIn("cores are virtual, jobs are not bound: 96 are stated", c.run("jnodes", "-l", check=0).out)
            job = c.run_job("-n", "96", "--mem", "64", wrap='echo "$JARVIS_CPUS_ON_NODE [$JARVIS_CPU_LIST]"; taskset -cp $$ | sed "s/.*: //"')
            self.assertEqual(job["state"], "COMPLETED")
            counted, affinity = job["text"].splitlines()
            self.assertEqual(counted, "96 []")
            spelled = {cpu for part in affinity.split(",") for cpu in range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1)}
            self.assertEqual(spelled, os.sched_getaffinity(0))

    def test_nodes_of_one_machine_share_it_with_virtual_cores(self):
        with Network(nodes=2, node_cores=1, jnoded="virtual_cores = true") as c:
            self.assertEqual(c.run("jnodes", "-l", check=0).out.count("cores are virtual, jobs are not bound"), 2)
            self.assertEqual(c.run_job("-N", "2", "--mem", "64", wrap="true")["state"], "COMPLETED")

    def test_login_node_gives_nothing_and_serves_its_users(self):
        with Network(nodes=2, node_settings="vouch = true") as c:
            login, other = c.nodes
            login.stop()
            text = login.config.read_text()
            login.config.write_text(text.replace("[jnoded]\n", "[jnoded]\nlogin = true\n"))
            login.start()
            # It may still be shown as it was before.
            wait_for(lambda: (self.node(c, login.node)["cores"], self.node(c, login.node)["memory_bytes"]) == (0, 0),
                     lambda: f"a node without cores: {self.node(c, login.node)}")
            login.wait_state("idle")
            self.assertIn("a login node: no job runs here", c.run("jnodes", "-l", check=0).out)
            job = c.submit("-n", "1", "--mem", "64", wrap="true", env={"JARVIS_SOCKET": str(login.user_socket)})
            self.assertEqual(c.wait_job(job)["nodes"], other.node)
            self.assertEqual(c.run("jsub", "-N", "2", "--wrap", "true", env={"JARVIS_SOCKET": str(login.user_socket)}).code, 1)
            login.wait_state("idle")


main()
