#!/usr/bin/env python3
"""Faults of the network and of daemons on 8 nodes with real jobs; after each of them the books balance.

See jarvis_books.py; the end of a Network complains about processes, cgroups, folders and namespaces that are left over.
"""
import signal
import time

from jarvis_books import SCRIPT, Books
from jarvis_cluster import TestCase, seed_of_run, start_time, wait_for
from jarvis_network import Network, main, needs_namespaces

SEED = seed_of_run()


def sockets(c):
    return sorted(str(path.relative_to(c.folder)) for path in c.folder.rglob("*") if path.is_socket())


@needs_namespaces
class Faults(TestCase):
    def network(self, **settings):
        sections = {"controller": 'heartbeat = "200ms"\nkill_grace = "2s"'} | settings
        return Network(nodes=8, namespaces=True, **sections)

    def test_link_down_for_seconds_keeps_the_job_and_its_process(self):
        with self.network() as c:
            books = Books(c, f"{SEED}-{self.id()}")
            job = books.long()
            node, process = books.node_of(job), books.pid(job)
            node.link_down()
            node.wait_state("unreachable")
            # Nothing new for it; the others go on.
            others = books.short(10)
            for other in others:
                self.assertNotEqual(c.wait_job(other)["nodes"], node.node)
            self.assertEqual(c.job(job)["state"], "RUNNING")
            node.link_up()
            node.wait_state("mixed", "allocated")
            self.assertEqual(books.pid(job), process)
            self.assertEqual(c.job(job)["restarts"], 0)
            books.open()
            books.check()

    def test_one_way_cuts(self):
        for direction in ("output", "input"):
            with self.subTest(direction=direction), self.network() as c:
                books = Books(c, f"{SEED}-{self.id()}")
                job = books.long()
                node, process = books.node_of(job), books.pid(job)
                node.cut(direction)
                # To some node all of these go, and to this one too, if nobody has noticed yet.
                books.short(24, "-c", "1")
                if direction == "output":
                    node.wait_state("unreachable")
                time.sleep(2)
                node.heal()
                wait_for(lambda: node.state() not in ("unreachable", "down"), "the node to come back")
                self.assertEqual(books.pid(job), process)
                books.open()
                books.check()

    def test_ends_that_cannot_be_told_are_told_later(self):
        with self.network() as c:
            books = Books(c, f"{SEED}-{self.id()}")
            job = books.long(code=5)
            node, (pid, started) = books.node_of(job), books.pid(job)
            node.link_down()
            node.wait_state("unreachable")
            books.open()
            wait_for(lambda: start_time(pid) != started, "the job to end")
            self.assertEqual(c.job(job)["state"], "RUNNING")
            node.link_up()
            self.assertEqual(c.wait_job(job)["state"], "FAILED")
            books.check()

    def test_all_nodes_lose_their_links_at_once(self):
        with self.network() as c:
            books = Books(c, f"{SEED}-{self.id()}")
            jobs = [books.long("-c", "1") for _ in range(8)]
            books.short(20, "-c", "1")
            processes = [books.pid(job) for job in jobs]
            for node in c.nodes:
                node.link_down()
            for node in c.nodes:
                node.wait_state("unreachable")
            books.short(8)
            for node in c.nodes:
                node.link_up()
            c.wait_node()
            self.assertEqual([books.pid(job) for job in jobs], processes)
            books.open()
            books.check()

    def test_node_daemons_are_killed_and_started_again(self):
        with self.network() as c:
            books = Books(c, f"{SEED}-{self.id()}")
            job = books.long()
            process = books.pid(job)
            for round in range(3):
                books.short(12, "-c", "1")
                victims = books.chance.sample(c.nodes, 3) if round < 2 else c.nodes
                for node in victims:
                    node.stop(books.chance.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)))
                books.short(4)
                for node in victims:
                    node.start()
                c.wait_node()
            self.assertEqual(books.pid(job), process)
            before = sockets(c)
            books.open()
            books.check()
            self.assertEqual(sockets(c), before)

    def test_controller_is_killed(self):
        with self.network() as c:
            books = Books(c, f"{SEED}-{self.id()}")
            job = books.long()
            process = books.pid(job)
            for _ in range(3):
                books.short(12, "-c", "1")
                c.restart_controller(signal.SIGKILL)
                books.short(4)
                c.wait_node()
            self.assertEqual(books.pid(job), process)
            books.open()
            books.check()

    def test_work_of_all_kinds_under_faults_of_all_kinds(self):
        with self.network() as c:
            books = Books(c, f"{SEED}-{self.id()}")
            for _ in range(5):
                books.short(3, "-c", "1")
                books.array(6, "-c", "1")
                for nodes in ("2", "3-4"):
                    books.enter(SCRIPT, "0.5", "-N", nodes, "-c", "1", code=books.chance.choice((0, 7)))
                last = books.short(1, "-N", "2")[0]
                if last:
                    books.short(2, "-c", "1", "-d", f"afterany:{last}")
                victims = books.chance.sample(c.nodes, books.chance.randint(1, 3))
                fault = books.chance.choice(("link", "cut", "node", "controller"))
                print(f"{fault}: {[node.host for node in victims]}", flush=True)
                if fault == "controller":
                    c.restart_controller(signal.SIGKILL)
                for node in victims:
                    {"link": node.link_down, "cut": lambda n=node: n.cut("input", "output"), "node": node.kill}.get(fault, lambda: None)()
                time.sleep(books.chance.choice((0.2, 1, 8)))
                for node in victims:
                    {"link": node.link_up, "cut": node.heal, "node": node.start}.get(fault, lambda: None)()
            c.wait_node()
            books.check()

    def test_certificates_end_in_mid_run(self):
        with self.network() as c:
            books = Books(c, f"{SEED}-{self.id()}")
            job = books.long()
            node, process = books.node_of(job), books.pid(job)
            node.take_certificate("--not-before", "2020-01-01", "--not-after", "2020-02-01")
            wait_for(lambda: "2020-02-01" in node.log.read_text(), lambda: f"the node to take it up\n{node.tail()}")
            # The connection goes on; the next one is refused.
            books.short(8, "-c", "1")
            c.restart_controller()
            wait_for(lambda: f"certificate of node {node.node} expired on 2020-02-01" in c.jctld.log.read_text(),
                     lambda: f"the controller to refuse it\n{c.jctld.tail()}")
            others = [n for n in c.nodes if n is not node]
            for other in others:
                other.wait_state("idle", "mixed", "allocated")
            self.assertIn(node.state(), ("unreachable", "down"))
            self.assertEqual(c.job(job)["state"], "RUNNING")
            for done in books.short(8):
                self.assertNotEqual(c.wait_job(done)["nodes"], node.node)
            node.take_certificate()
            node.wait_state("mixed", "allocated")
            self.assertEqual(books.pid(job), process)
            books.open()
            books.check()


if __name__ == "__main__":
    main()
