#!/usr/bin/env python3
"""Nodes that fall silent for too long, or are given up: their jobs end or run again, and what is over is not taken up anew."""
import signal

from jarvis_cluster import TestCase, main, start_time, wait_for
from jarvis_network import Network

LONG = "sleep 600"


class Silence(TestCase):
    def network(self, more="", nodes=2):
        return Network(nodes=nodes, node_cores=1, controller=f'heartbeat = "300ms"\nkill_grace = "2s"\ndown_after = "3s"\n{more}')

    def start(self, c, *options, wrap=LONG):
        """A job that runs, its node and its process."""
        job = c.submit(*options, wrap=f"echo $$ >> pid-$JARVIS_JOB_ID; {wrap}")
        c.wait_state(job, "RUNNING")
        file = c.work() / f"pid-{job}"
        wait_for(lambda: file.exists() and file.read_text().endswith("\n"), "the job's process")
        node = next(node for node in c.nodes if node.node == c.job(job)["nodes"])
        pid = int(file.read_text().split()[0])
        return job, node, (pid, start_time(pid))

    def shown(self, c, node):
        return next(shown for shown in c.json("jnodes", "--json")["nodes"] if shown["name"] == node.node)

    def assertDies(self, process, why):
        wait_for(lambda: start_time(process[0]) != process[1], why)

    def test_silent_node_goes_down_and_what_it_still_runs_is_killed_when_it_returns(self):
        with self.network() as c:
            job, node, process = self.start(c, "--requeue")
            node.stop(signal.SIGKILL)
            node.wait_state("unreachable", "down")
            ended = c.wait_job(job)
            # It is not known that it runs no more, so it is not requeued either.
            self.assertEqual((ended["state"], ended["restarts"]), ("NODE_FAIL", 0))
            self.assertIn(f"node {node.node} is down: silent for 3s", ended["cause"])
            node.wait_state("down")
            self.assertEqual(self.shown(c, node)["reason"], "silent for 3s")
            self.assertEqual(start_time(process[0]), process[1])
            node.start()
            self.assertDies(process, "the old process to be killed")
            node.wait_state("idle")
            violations = self.shown(c, node)["violations"]
            self.assertEqual(len(violations), 1, violations)
            self.assertIn(f"job {job} (incarnation 1) still ran when the node was heard of again", violations[0])
            self.assertEqual(c.job(job)["state"], "NODE_FAIL")
            # It is a node like any other again.
            again = c.submit("-w", node.node, wrap="true")
            self.assertEqual(c.wait_job(again)["state"], "COMPLETED")

    def test_short_silence_costs_nothing(self):
        with self.network() as c:
            job, node, process = self.start(c, wrap="sleep 2; echo done")
            node.stop(signal.SIGKILL)
            node.wait_state("unreachable")
            node.start()
            self.assertEqual(c.wait_job(job)["state"], "COMPLETED")
            self.assertEqual(c.output(job), "done\n")
            self.assertEqual(self.shown(c, node)["violations"], [])

    def test_requeue_on_silence_accepts_two_copies(self):
        with self.network("requeue_on_silence = true") as c:
            job, node, process = self.start(c, "--requeue")
            node.stop(signal.SIGKILL)
            wait_for(lambda: c.job(job)["restarts"] == 1 and c.job(job)["state"] == "RUNNING", lambda: f"the job to run again: {c.job(job)}")
            self.assertNotEqual(c.job(job)["nodes"], node.node)
            self.assertEqual(start_time(process[0]), process[1])
            node.start()
            self.assertDies(process, "the old copy to be killed")
            node.wait_state("idle")
            self.assertEqual(c.job(job)["state"], "RUNNING")
            c.run("jcancel", job, check=0)
            self.assertEqual(c.wait_job(job)["state"], "CANCELLED")

    def test_confirmed_down_lets_a_job_run_elsewhere_at_once(self):
        with self.network() as c:
            job, node, process = self.start(c, "--requeue")
            node.stop(signal.SIGKILL)
            c.run("jnodes", "down", node.node, "--confirmed", "--reason", "burnt", check=0)
            wait_for(lambda: c.job(job)["restarts"] == 1 and c.job(job)["state"] == "RUNNING", lambda: f"the job to run again: {c.job(job)}")
            shown = self.shown(c, node)
            self.assertEqual((shown["state"], shown["reason"]), ("down", "burnt"))
            # It was not true; the node stays down until an operator has looked after it.
            node.start()
            self.assertDies(process, "the old copy to be killed")
            node.wait_state("down")
            c.run("jnodes", "resume", node.node, check=0)
            node.wait_state("idle")
            c.run("jcancel", job, check=0)
            c.wait_job(job)

    def test_connected_node_that_is_given_up_ends_what_it_has(self):
        with self.network() as c:
            job, node, process = self.start(c)
            c.run("jnodes", "down", node.node, "--reason", "smoke", check=0)
            self.assertEqual(c.wait_job(job)["state"], "NODE_FAIL")
            self.assertDies(process, "its process to be killed")
            self.assertEqual(node.state(), "down")
            c.run("jnodes", "resume", node.node, check=0)
            node.wait_state("idle")

    def test_job_on_several_nodes_ends_as_a_whole(self):
        with self.network(nodes=3) as c:
            job = c.submit("-N", "3", wrap=f"echo $$ > pid; {LONG}")
            file = c.work() / "pid"
            wait_for(lambda: file.exists() and file.read_text().endswith("\n"), "the script to run")
            pid = int(file.read_text())
            process = (pid, start_time(pid))
            member = next(node for node in c.nodes if node.node != c.job(job)["nodes"].split(",")[0] and node.number == 3)
            member.stop(signal.SIGKILL)
            ended = c.wait_job(job)
            self.assertEqual(ended["state"], "NODE_FAIL")
            self.assertIn(member.node, ended["cause"])
            self.assertDies(process, "the script to be ended")
            member.start()
            for node in c.nodes:
                node.wait_state("idle")


main()
