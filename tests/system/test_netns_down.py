#!/usr/bin/env python3
"""Nodes that are silent for longer than down_after, or are said to be down: what becomes of their jobs, and of what still runs there."""
from jarvis_books import Books
from jarvis_cluster import TestCase, seed_of_run, start_time, wait_for
from jarvis_network import Network, main, needs_namespaces

SEED = seed_of_run()


@needs_namespaces
class Down(TestCase):
    def network(self, more=""):
        return Network(nodes=8, namespaces=True, controller=f'heartbeat = "200ms"\nkill_grace = "2s"\ndown_after = "3s"\n{more}')

    def start(self, c, *options):
        """A job that runs on some node, and its process."""
        books = Books(c, f"{SEED}-{self.id()}")
        job = books.long(*options)
        return books, job, books.node_of(job), books.pid(job)

    def details(self, c, node):
        return next(n for n in c.json("jnodes", node.node, "--json")["nodes"])

    def test_silent_for_longer_than_the_limit(self):
        with self.network() as c:
            books, job, node, (pid, started) = self.start(c)
            del books.entries[job]              # it does not end as its script says
            node.link_down()
            node.wait_state("down", seconds=120)
            record = c.wait_job(job)
            self.assertEqual((record["state"], record["class"]), ("NODE_FAIL", "node"))
            self.assertEqual(start_time(pid), started, "the process ended by itself")
            for other in books.short(10):
                self.assertNotEqual(c.wait_job(other)["nodes"], node.node)
            node.link_up()
            wait_for(lambda: start_time(pid) != started, lambda: f"the old process to be killed\n{node.tail()}")
            node.wait_state("idle")
            self.assertIn(f"job {job}", c.run("jnodes", "-l", node.node).out)
            self.assertTrue(self.details(c, node)["violations"])
            self.assertEqual(c.job(job)["state"], "NODE_FAIL")
            # And it gets work again.
            self.assertEqual(c.wait_job(c.submit("-w", node.node, wrap="true"))["state"], "COMPLETED")
            books.check()

    def test_requeue_on_silence_runs_it_again_and_kills_the_old_one(self):
        with self.network("requeue_on_silence = true") as c:
            books, job, node, (pid, started) = self.start(c, "--requeue")
            tag, _ = books.entries.pop(job)
            node.link_down()
            node.wait_state("down", seconds=120)
            wait_for(lambda: (c.work() / f"ran-{tag}").read_text().count("\n") == 2, lambda: f"the next incarnation\n{c.jctld.tail()}")
            self.assertNotEqual(c.job(job)["nodes"], node.node)
            node.link_up()
            wait_for(lambda: start_time(pid) != started, lambda: f"the old process to be killed\n{node.tail()}")
            books.open()
            record = c.wait_job(job)
            self.assertEqual((record["exit_code"], record["restarts"]), (9, 1))
            node.wait_state("idle")
            books.check()

    def test_said_to_be_down_and_known_to_be_gone(self):
        with self.network() as c:
            books, job, node, _ = self.start(c, "--requeue")
            tag, _ = books.entries.pop(job)
            # Its machine dies: no daemon, no process, another boot.
            node.kill()
            c.kill_processes_of(node)
            c.run("jnodes", "down", node.node, "--confirmed", "--reason", "smoke", check=0)
            self.assertEqual(node.state(), "down")
            self.assertEqual(self.details(c, node)["reason"], "smoke")
            wait_for(lambda: (c.work() / f"ran-{tag}").read_text().count("\n") == 2, lambda: f"the next incarnation\n{c.jctld.tail()}")
            books.open()
            self.assertEqual(c.wait_job(job)["exit_code"], 9)
            node.reboot()
            node.start()
            wait_for(lambda: "registered" in node.log.read_text() or node.state() == "down", "the node")
            self.assertEqual(node.state(), "down")      # until somebody says otherwise
            c.run("jnodes", "resume", node.node, check=0)
            node.wait_state("idle")
            books.check()

    def test_a_member_of_a_job_over_several_nodes_is_lost(self):
        with self.network() as c:
            books, job, node, (pid, started) = self.start(c, "-N", "3")
            books.entries.pop(job)
            member = next(n for n in c.nodes if n.node in str(c.history(job)["placement"]) and n is not node)
            member.link_down()
            member.wait_state("down", seconds=120)
            self.assertEqual(c.wait_job(job)["state"], "NODE_FAIL")
            wait_for(lambda: start_time(pid) != started, "the script to be ended on its node")
            member.link_up()
            member.wait_state("idle")
            books.check()

    def test_a_machine_that_reboots_gives_back_a_job_over_several_nodes(self):
        for which in ("first", "member"):
            with self.subTest(which), self.network() as c:
                books, job, node, (pid, started) = self.start(c, "-N", "3", "--requeue")
                tag, _ = books.entries.pop(job)
                lost = node if which == "first" else next(n for n in c.nodes if n.node in str(c.history(job)["placement"]) and n is not node)
                lost.kill()
                c.kill_processes_of(lost)
                lost.reboot()
                lost.start()
                wait_for(lambda: (c.work() / f"ran-{tag}").read_text().count("\n") == 2, lambda: f"the next incarnation\n{c.jctld.tail()}")
                # It may be a zombie for a moment; if it ran it would wait for books.open().
                wait_for(lambda: start_time(pid) != started, "the first incarnation to be gone: two would run at once")
                books.open()
                record = c.wait_job(job)
                self.assertEqual((record["exit_code"], record["restarts"]), (9, 1))
                self.assertEqual((c.work() / f"ran-{tag}").read_text(), f"{job} 0\n{job} 1\n")
                books.check()


if __name__ == "__main__":
    main()
