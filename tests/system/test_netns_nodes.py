#!/usr/bin/env python3
"""Jobs over several of 8 nodes, each in a network namespace of its own: -N, -w, -x, -C, --exclusive, --contiguous, partitions."""
import re

from jarvis_cluster import FINAL, OTHER_USER, USER, SharedCluster, below, wait_for
from jarvis_network import Network, main, needs_namespaces

PARTITIONS = """
[[partition]]
name = "batch"
default = true
confinement = "none"

[[partition]]
name = "small"
nodes = "{node}n[1-4]"
max_nodes = 2
max_time = "10m"
default_time = "5m"
confinement = "none"

[[partition]]
name = "theirs"
nodes = "{node}n[5-8]"
min_nodes = 2
allow_users = ["{user}"]
confinement = "none"

[[partition]]
name = "shut"
state = "down"
confinement = "none"
"""
# What the script sees of the job's folders on all nodes, which share this machine's file system.
LOOK = """#!/bin/sh
echo "$JARVIS_NODELIST $JARVIS_NNODES $JARVIS_NTASKS"
echo "host $(uname -n)"
for folder in {folder}/n*/tmp/*; do echo "folder $(echo "$folder" | sed 's|.*/\\(n[0-9]*\\)/tmp/.*|\\1|')"; done
while [ -e {folder}/wait ]; do sleep 0.1; done
"""


class Several(SharedCluster):
    @classmethod
    def setUpClass(cls):
        features = {n: ["rack1" if n <= 4 else "rack2"] + (["gpu"] if n in (2, 3, 7) else []) for n in range(1, 9)}
        cls.c = Network(nodes=8, namespaces=True, features=features, start=False, controller='heartbeat = "200ms"')
        cls.c.partitions = PARTITIONS.format(node=cls.c.node, user=USER)
        cls.c.write_config()
        cls.c.start()
        cls.cores = cls.c.json("jnodes", "--json")["nodes"][0]["cores"]

    def tearDown(self):
        left = [j["id"] for j in self.c.json("jq", "--json")["jobs"] if j["state"] not in FINAL]
        if left:
            self.c.run("jcancel", *left)
        wait_for(lambda: not self.c.json("jq", "--json")["jobs"], "all jobs to end")

    def nodes(self, job):
        """The numbers of a job's nodes."""
        return [int(re.search(r"n(\d+)$", part["node"]).group(1)) for part in self.c.history(job)["placement"]]

    def run_on(self, *options, wrap="true", **how):
        job = self.c.submit(*options, wrap=wrap, **how)
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED", self.c.job(job))
        return self.nodes(job)

    def name(self, numbers):
        return f"{self.c.node}n[{numbers}]"

    def refused(self, *options, says, **how):
        result = self.c.run("jsub", *options, "--wrap", "true", **how)
        self.assertSays(result, 1, *says)


@needs_namespaces
class Nodes(Several):
    def test_three_nodes_are_prepared_before_the_script_starts_and_cleaned_after_it(self):
        hold = self.c.folder / "wait"
        hold.touch()
        try:
            job = self.c.submit("-N", "3", script=LOOK.format(folder=self.c.folder))
            self.c.wait_state(job, "RUNNING")
            wait_for(lambda: self.c.output(job).count("folder") >= 3, lambda: f"the script to look: {self.c.output(job)}")
            record = self.c.history(job)
            members = [n for n in self.c.nodes if any(part["node"] == n.node for part in record["placement"])]
            self.assertEqual(len(members), 3)
            said = self.c.output(job).splitlines()
            self.assertEqual(said[0].split()[1:], ["3", "3"])
            self.assertEqual(said[1], f"host {members[0].host}")
            self.assertEqual(said[2:], [f"folder {node.host}" for node in members])
            groups = [path for tree in self.c.cgroups() for path in below(tree, f"job_{job}")]
            if self.c.cgroups():
                self.assertEqual(len(groups), 3)
        finally:
            hold.unlink()
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        self.assertEqual(self.c.leftovers(), [])

    def test_from_two_to_four_nodes(self):
        self.assertIn(len(self.run_on("-N", "2-4")), (2, 3, 4))
        self.assertEqual(len(self.run_on("-N", "2-4", "-n", str(4 * self.cores))), 4)

    def test_tasks_for_each_node(self):
        job = self.c.submit("-N", "4", "--ntasks-per-node", "1", wrap="echo $JARVIS_NTASKS $JARVIS_TASKS_PER_NODE")
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        self.assertEqual(self.c.output(job), "4 1(x4)\n")

    def test_more_tasks_than_a_node_has_cores_take_as_many_nodes_as_needed(self):
        self.assertEqual(len(self.run_on("-n", str(3 * self.cores))), 3)

    def test_node_lists(self):
        self.assertEqual(self.run_on("-w", self.name("5")), [5])
        self.assertEqual(set(self.run_on("-N", "3", "-w", self.name("5-6"))) >= {5, 6}, True)
        self.assertEqual(set(self.run_on("-N", "3", "-x", self.name("1-4"))) <= {5, 6, 7, 8}, True)
        result = self.c.run("jsub", "-w", "no-such-node", "--wrap", "true")
        self.assertIn(result.code, (1, 3), result)
        self.assertIn("no-such-node", result.err)

    def test_constraints(self):
        self.assertIn(self.run_on("-C", "gpu&rack2"), ([7],))
        self.assertEqual(set(self.run_on("-N", "3", "-C", "gpu")), {2, 3, 7})
        self.assertEqual(set(self.run_on("-N", "4", "-C", "gpu|rack2")) <= {2, 3, 5, 6, 7, 8}, True)
        racks = self.run_on("-N", "4", "-C", "rack1*2&rack2*2")
        self.assertEqual((sum(n <= 4 for n in racks), len(racks)), (2, 4))
        self.refused("-N", "4", "-C", "gpu", says=["gpu", "4"])

    def test_exclusive_nodes_have_nobody_else(self):
        job = self.c.submit("-N", "8", "--exclusive", "-c", "1", wrap="sleep 1000")
        self.c.wait_state(job, "RUNNING")
        self.assertEqual(set(self.c.node_states().values()), {"allocated"})
        other = self.c.submit("-c", "1", wrap="true")
        self.assertEqual(self.c.job(other)["state"], "PENDING")
        self.c.run("jcancel", job, check=0)
        self.assertEqual(self.c.wait_job(other)["state"], "COMPLETED")

    def test_contiguous_nodes_follow_each_other(self):
        self.c.run("jnodes", "drain", self.name("2"), "--reason", "gap", check=0)
        try:
            found = self.run_on("-N", "3", "--contiguous")
            self.assertEqual(found, list(range(found[0], found[0] + 3)))
            self.assertNotIn(2, found)
        finally:
            self.c.run("jnodes", "resume", self.name("2"), check=0)

    def test_cancel_reaches_all_nodes(self):
        job = self.c.submit("-N", "4", wrap="sleep 1000")
        self.c.wait_state(job, "RUNNING")
        self.c.run("jcancel", job, check=0)
        self.assertEqual(self.c.wait_job(job)["state"], "CANCELLED")
        wait_for(lambda: not self.c.leftovers(), lambda: f"{self.c.leftovers()}")

    def test_drained_member_ends_its_job_and_gets_nothing(self):
        job = self.c.submit("-w", self.name("3,4"), wrap="sleep 2")
        self.c.wait_state(job, "RUNNING")
        self.c.run("jnodes", "drain", self.name("4"), "--reason", "fan", check=0)
        try:
            self.assertEqual(self.c.nodes[3].state(), "draining")
            self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
            self.c.nodes[3].wait_state("drained")
        finally:
            self.c.run("jnodes", "resume", self.name("4"), check=0)


@needs_namespaces
class Partitions(Several):
    def test_limits(self):
        self.assertTrue(set(self.run_on("-p", "small", "-N", "2")) <= {1, 2, 3, 4})
        self.refused("-p", "small", "-N", "3", says=["small", "2"])
        self.refused("-p", "small", "-t", "11", says=["small", "00:10:00"])
        job = self.c.submit("-H", "-p", "small", wrap="true")
        self.assertEqual(self.c.job(job)["time_limit_ms"], 5 * 60_000)

    def test_users(self):
        self.assertTrue(set(self.run_on("-p", "theirs", "-N", "2", user=USER)) <= {5, 6, 7, 8})
        self.refused("-p", "theirs", "-N", "2", user=OTHER_USER, says=["theirs", OTHER_USER])
        self.refused("-p", "theirs", "-N", "1", user=USER, says=["theirs", "2"])

    def test_one_that_is_down_takes_jobs_and_starts_none(self):
        job = self.c.submit("-p", "shut", wrap="true")
        self.assertEqual(self.c.run_job(wrap="true")["state"], "COMPLETED")
        self.assertEqual(self.c.job(job)["state"], "PENDING")
        self.assertEqual(self.c.job(job)["reason"]["code"], "PartitionDown")


if __name__ == "__main__":
    main()
