#!/usr/bin/env python3
"""A node that goes on in a session that is over is cut off, so that it registers anew: else neither would ever notice."""
import contextlib
import itertools
import socket
import time

from jarvis_cluster import SLOWDOWN, Cluster, TestCase, connect, field, fields, frame, hello, main, receive, wait_for
from jarvis_network import Network


class Node:
    """A node daemon by hand."""

    def __init__(self, c, name=None, minor=0):
        self.name = (name or c.node).encode()
        self.serial = itertools.count(1)
        self.channel = connect(c.socket_path)
        self.channel.sendall(frame(hello(minor=minor, role=1, more=[(8, self.name)])))
        self.channel.settimeout(0.05)

    def say(self, session, number, body):
        self.channel.sendall(frame(field(1, session) + field(2, next(self.serial)) + field(number, body)))

    def register(self):
        topology = field(1, field(1, b"\0"))        # one core with PU 0
        self.say(0, 3, field(1, self.name) + field(2, b"boot") + field(3, topology) + field(4, 0x30) + field(7, b""))

    def report(self, session):
        self.say(session, 4, b"")

    def question(self):
        """The number of the next question that the controller asks."""
        self.channel.settimeout(20 * SLOWDOWN)
        while True:
            asked = fields(receive(self.channel)).get(21)
            if asked:
                return fields(asked[0])[1][0]

    def answer(self, number, body=b""):
        self.channel.sendall(frame(field(21, field(1, number) + body)))

    def is_cut_off(self):
        try:
            return self.channel.recv(65536) == b""
        except socket.timeout:
            return False
        except ConnectionResetError:
            return True


class Session(TestCase):
    def test_a_node_in_an_old_session_is_cut_off(self):
        c = Cluster(start=False, controller='heartbeat = "100ms"')
        self.addCleanup(c.end_everything)
        with c:
            c.jctld.start()
            c.wait_controller()
            node = Node(c)
            with contextlib.closing(node.channel):
                registered = lambda: c.jctld.log.read_text().count(f"node {c.node} has registered")    # noqa: E731
                for times in (1, 2):
                    node.register()
                    wait_for(lambda: registered() == times, "the node's registration")
                # The silence that is allowed is 3 heartbeats and 5 s; in the current session it stays longer than that.
                until = time.monotonic() + 8
                while time.monotonic() < until:
                    node.report(2)
                    self.assertFalse(node.is_cut_off())

                def speaks_of_the_past():
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        node.report(1)
                    return node.is_cut_off()
                wait_for(speaks_of_the_past, "the node to be cut off")
            self.assertEqual(c.node_state(), "unreachable")

    def test_an_older_node_gets_no_part_of_a_job_over_several_nodes(self):
        with Network(nodes=2, node_cores=1) as c:
            old = c.nodes[1]
            old.stop()
            node = Node(c, old.node)
            with contextlib.closing(node.channel):
                node.register()
                old.wait_state("idle")
                job = c.submit("-N", "2", wrap="touch ran")
                ended = c.wait_job(job)
                self.assertEqual(ended["state"], "FAILED")
                self.assertIn(f"the jnoded of node {old.node} is too old for jobs over several nodes", ended["cause"])
                self.assertFalse((c.work() / "ran").exists())

    def test_answers_of_nodes_are_not_believed_too_much(self):
        c = Cluster(start=False)
        self.addCleanup(c.end_everything)
        with c:
            c.jctld.start()
            c.wait_controller()

            def node(minor, times):
                made = Node(c, minor=minor)
                made.register()
                wait_for(lambda: c.jctld.log.read_text().count(f"node {c.node} has registered") == times, "the registration")
                return made

            def ask():
                return c.spawn("jadmin", "node", "check", c.node)

            def words(asking, code=4):
                out, err = asking.communicate(timeout=60 * SLOWDOWN)
                self.assertEqual(asking.returncode, code, (out, err))
                return (out if code == 0 else err).decode()

            with contextlib.closing(node(0, 1).channel):
                self.assertIn("too old to answer questions", words(ask()))
            newer = node(2, 2)
            with contextlib.closing(newer.channel):
                asking = ask()
                number = newer.question()
                newer.answer(number + 1, field(4, field(1, b"nobody asked\n")))
                newer.answer(number, field(4, field(1, b"good\x1b[31m\nnode\n") + field(2, b"{}")))
                self.assertEqual(words(asking, 0), "good\\x1b[31m\nnode\n")
                newer.answer(number, field(4, field(1, b"once more")))
                asking = ask()
                newer.answer(newer.question(), field(4, field(1, b"x" * 100_000)))
                self.assertIn("is too large", words(asking, 1))
                asking = ask()
                newer.answer(newer.question())
                self.assertIn("does not know this question", words(asking))
                asking = ask()
                newer.question()
            self.assertIn("has disconnected", words(asking))


main()
