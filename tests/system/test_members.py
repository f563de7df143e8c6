#!/usr/bin/env python3
"""Jobs on several nodes with real daemons: what the nodes beside the first do for them, and what faults there come to."""
import os
import pathlib
import signal

from jarvis_cluster import SharedCluster, below, main, wait_for
from jarvis_network import Network


class Members(SharedCluster):
    @classmethod
    def setUpClass(cls):
        cls.c = Network(nodes=3, node_cores=1, controller='heartbeat = "500ms"\nkill_grace = "2s"')

    def parts(self, job):
        """The nodes on which something of the job is: its record, its temporary folder, its cgroup."""
        found = {}
        for node in self.c.nodes:
            here = {"record" for path in (node.run_dir / "jobs").glob(f"{job}.*")}
            here |= {"folder" for path in node.tmp_dir.glob(f"*_{job}.*")}
            here |= {"cgroup" for tree in self.c.cgroups() if tree.name.endswith(f"_{node.node}") for path in below(tree, f"job_{job}")}
            if here:
                found[node.number] = here
        return found

    def start(self, *options, script="while ! test -e {go}; do sleep 0.1; done", **how):
        """A job on three nodes; its script runs."""
        go = self.c.work() / "go"
        go.unlink(missing_ok=True)
        job = self.c.submit("-N", "3", *options, wrap="echo up $JARVIS_NODENAME $JARVIS_NODELIST $JARVIS_NNODES $JARVIS_TASKS_PER_NODE; " +
                            script.format(go=go), **how)
        wait_for(lambda: self.c.output(job).startswith("up"), lambda: f"job {job} to run\n{self.c.job(job)}\n{self.c.tails()}")
        return job, go

    def assertGone(self, job):
        wait_for(lambda: not self.parts(job), lambda: f"nothing to be left of job {job}: {self.parts(job)}")

    def shepherd(self, job, node):
        return int((node.run_dir / "jobs" / f"{job}.1" / "shepherd.pid").read_text().split()[0])

    def test_all_nodes_are_prepared_before_the_script_and_cleaned_after_it(self):
        job, go = self.start()
        first = self.c.nodes[0].node
        self.assertEqual(self.c.output(job).split(), ["up", first, f"{first[:-1]}[1-3]", "3", "1(x3)"])
        parts = self.parts(job)
        self.assertEqual(set(parts), {1, 2, 3})
        for here in parts.values():
            self.assertLessEqual({"record", "folder"}, here)
            self.assertEqual("cgroup" in here, bool(self.c.cgroups()))
        go.touch()
        ended = self.c.wait_job(job)
        self.assertEqual(ended["state"], "COMPLETED")
        self.assertEqual(ended["node_count"], 3)
        self.assertGone(job)

    def test_cancelled_job_leaves_nothing_on_any_node(self):
        job, _ = self.start()
        self.c.run("jcancel", job, check=0)
        self.assertEqual(self.c.wait_job(job)["state"], "CANCELLED")
        self.assertGone(job)

    def test_time_limit_and_exit_code_are_the_scripts(self):
        job, _ = self.start(script="exit 7")
        self.assertEqual(self.c.wait_job(job)["exit_code"], 7)
        self.assertGone(job)
        job, _ = self.start("-t", "2s")
        self.assertEqual(self.c.wait_job(job)["state"], "TIMEOUT")
        self.assertGone(job)

    def test_daemons_come_and_go_while_it_runs(self):
        job, go = self.start()
        for node in self.c.nodes:
            node.stop(signal.SIGKILL)
            node.start()
            node.wait_state("allocated")
        self.c.restart_controller(signal.SIGKILL)
        for node in self.c.nodes:
            node.wait_state("allocated")
        self.assertEqual(self.c.job(job)["state"], "RUNNING")
        # The end comes while a member's daemon is away.
        self.c.nodes[2].stop(signal.SIGKILL)
        go.touch()
        wait_for(lambda: set(self.parts(job)) == {3}, lambda: f"the others to be cleaned: {self.parts(job)}")
        self.c.nodes[2].start()
        ended = self.c.wait_job(job)
        self.assertEqual((ended["state"], ended["restarts"]), ("COMPLETED", 0))
        self.assertEqual(self.c.output(job).count("up"), 1)
        self.assertGone(job)

    def test_member_that_dies_fails_the_job_and_names_the_node(self):
        job, _ = self.start()
        os.kill(self.shepherd(job, self.c.nodes[1]), signal.SIGKILL)
        ended = self.c.wait_job(job)
        self.assertEqual(ended["state"], "FAILED")
        self.assertIn(self.c.nodes[1].node, ended["cause"])
        self.assertGone(job)

    def test_member_that_cannot_be_prepared_fails_the_job_before_its_script(self):
        node = self.c.nodes[2]
        away = pathlib.Path(f"{node.tmp_dir}.away")
        node.tmp_dir.rename(away)
        node.tmp_dir.write_text("in the way")
        try:
            job = self.c.submit("-N", "3", wrap="touch ran-too-early")
            ended = self.c.wait_job(job)
        finally:
            node.tmp_dir.unlink()
            away.rename(node.tmp_dir)
        self.assertEqual(ended["state"], "FAILED")
        self.assertIn(node.node, ended["cause"])
        self.assertFalse((self.c.work() / "ran-too-early").exists())
        self.assertGone(job)


main()
