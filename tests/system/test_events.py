#!/usr/bin/env python3
"""The feed of events: everything that happens, in order, with its cause; over restarts, for slow readers, for operators alone."""
import json
import pwd
import os
import signal
import threading

from jarvis_cluster import (USER, Cluster, SharedCluster, TestCase, connect, field, fields, frame, hello, main, needs_root, receive,
                            wait_for)

ME = pwd.getpwuid(os.getuid()).pw_name


class Follower:
    """jadmin events --follow --json, with what it has printed so far."""

    def __init__(self, cluster, *options):
        self.process = cluster.spawn("jadmin", "events", "--follow", "--json", *options)
        self.events = []
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def wait(self, **wanted):
        """The first event with these members."""
        def found():
            return next((e for e in list(self.events) if all(e[k] == v for k, v in wanted.items())), None)
        return wait_for(found, lambda: f"an event with {wanted}; there are {[(e['event'], e['job']) for e in self.events]}")

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.thread.join(20)
        self.process.stdout.close()
        self.process.stderr.close()


def check_order(test, events):
    """Groups without gaps, each once and in order, and the events in them numbered."""
    places = [(int(e["sequence"]), e["index"]) for e in events]
    for (group, index), (next_group, next_index) in zip(places, places[1:]):
        test.assertIn((next_group, next_index), ((group, index + 1), (group + 1, 0)))
    if places:
        test.assertEqual(places[0][1], 0)


class Events(SharedCluster):
    def follow(self, *options):
        follower = Follower(self.c, *options)
        self.addCleanup(follower.end)
        return follower

    def newest(self):
        return int(json.loads(self.c.run("jadmin", "events", "--last", "1", "--json", check=0).out.splitlines()[-1])["sequence"])

    def test_life_of_a_job_with_causes(self):
        follower = self.follow()
        job = self.c.submit("-J", "told", wrap="exit 3")
        self.c.wait_job(job)
        follower.wait(event="JobEnded", job=job)
        mine = [e for e in follower.events if e["job"] == job]
        self.assertEqual([e["event"] for e in mine], ["JobSubmitted", "JobStarted", "JobEnded"])
        submitted, started, ended = mine
        self.assertEqual(submitted["schema"], "jarvis.events/1")
        self.assertEqual((submitted["cause"]["command"], submitted["cause"]["by"]), ("submit", ME))
        self.assertEqual((submitted["data"]["user"], submitted["data"]["name"], submitted["data"]["tasks"]), (ME, "told", 1))
        self.assertEqual(started["cause"]["command"], "scheduling")
        self.assertIsNone(started["cause"]["by"])
        self.assertEqual((started["data"]["nodes"], started["data"]["cores"]), (self.c.node, 1))
        self.assertEqual((ended["cause"]["command"], ended["cause"]["by"]), ("node report", self.c.node))
        self.assertEqual((ended["data"]["state"], ended["data"]["exit_code"]), ("FAILED", 3))
        check_order(self, follower.events)

    def test_commands_of_people(self):
        job = self.c.submit("-H", wrap="true")
        first = self.newest() + 1
        self.c.run("jnodes", "drain", self.c.node, "--reason", "a new fan", check=0)
        self.c.run("jnodes", "resume", self.c.node, check=0)
        self.c.run("jcancel", job, check=0)
        events = [json.loads(line) for line in self.c.run("jadmin", "events", "--from", first, "--json", check=0).out.splitlines()]
        causes = {(e["event"], e["cause"]["command"], e["cause"]["by"], e["job"] or e["node"]) for e in events}
        self.assertLessEqual({("NodeDrained", "drain", ME, self.c.node), ("NodeResumed", "resume", ME, self.c.node),
                              ("JobEnded", "cancel", ME, job)}, causes)
        self.assertIn("a new fan", str(events))

    def test_text_is_for_people_and_harmless(self):
        first = self.newest() + 1
        job = self.c.submit("-H", "-J", "a \u202eb", wrap="true")      # would turn the direction of writing
        text = self.c.run("jadmin", "events", "--from", first, check=0).out
        line = next(line for line in text.splitlines() if "JobSubmitted" in line)
        self.assertIn(f"job {job} ", line)
        self.assertIn(f"[submit by {ME}", line)
        self.assertIn('name="a \\u202eb"', line)
        self.assertNotIn("\u202e", text)
        self.c.run("jcancel", job, check=0)

    def test_last_from_and_what_cannot_be(self):
        for _ in range(3):
            self.c.run_job(wrap="true")
        newest = self.newest()
        groups = [json.loads(line)["sequence"] for line in self.c.run("jadmin", "events", "--last", "2", "--json", check=0).out.splitlines()]
        self.assertEqual(sorted({int(group) for group in groups})[0], max(int(g) for g in groups) - 1)
        everything = [json.loads(line) for line in self.c.run("jadmin", "events", "--last", "1000000", "--json", check=0).out.splitlines()]
        check_order(self, everything)
        self.assertSays(self.c.run("jadmin", "events", "--from", newest + 1000), 1, f"there is no group {newest + 1000}", "newest")
        self.assertSays(self.c.run("jadmin", "events", "--from", "0"), 1, "there is no group 0")
        self.assertSays(self.c.run("jadmin", "events", "--from", "x"), 2, "--from")
        self.assertSays(self.c.run("jadmin", "events", "--from", "1", "--last", "1"), 2, "exclude")
        self.assertSays(self.c.run("jadmin", "events", "more"), 2, "more")
        self.assertSays(self.c.run("jadmin", "ping", "--follow"), 2, "--follow", "events")

    @needs_root
    def test_ordinary_users_are_refused(self):
        self.assertSays(self.c.run("jadmin", "events", user=USER), 1, "operator")

    def test_reader_that_asks_and_never_reads_disturbs_nobody(self):
        with connect(self.c.socket_path) as channel:
            channel.sendall(frame(hello()))
            receive(channel)
            # As many readers as one connection may have under way, none of whom reads.
            for tag in range(1, 201):
                channel.sendall(frame(field(1, tag) + field(20, field(1, 1) + field(3, 1))))
            for _ in range(5):
                self.assertEqual(self.c.run_job(wrap="true")["state"], "COMPLETED")
        self.assertEqual(self.c.run("jadmin", "ping").code, 0)

    def test_sign_of_life(self):
        with connect(self.c.socket_path, 60) as channel:
            channel.sendall(frame(hello()))
            receive(channel)
            channel.sendall(frame(field(1, 5) + field(20, field(2, 0) + field(3, 1))))
            reply = fields(receive(channel))
            self.assertEqual((reply[1], reply.get(3)), ([5], [1]))


class Durability(TestCase):
    def test_follower_misses_nothing_over_restarts(self):
        with Cluster() as c:
            follower = Follower(c, "--from", "1")
            try:
                jobs = []
                for round_number in range(3):
                    jobs += [c.submit("-H", wrap="true") for _ in range(3)]
                    follower.wait(event="JobSubmitted", job=jobs[-1])
                    c.restart_controller(signal.SIGKILL if round_number % 2 else signal.SIGTERM)
                last = c.submit("-H", wrap="true")
                follower.wait(event="JobSubmitted", job=last)
                check_order(self, follower.events)
                self.assertEqual([e["job"] for e in follower.events if e["event"] == "JobSubmitted"], [*jobs, last])
                self.assertEqual(sum(e["event"] == "ControllerStarted" for e in follower.events), 4)
                # What is read back from the journal is what was told as it happened.
                read = [json.loads(line) for line in c.run("jadmin", "events", "--from", "1", "--json", check=0).out.splitlines()]
                told = [{k: v for k, v in e.items() if k != "time"} for e in follower.events]
                read = [{k: v for k, v in e.items() if k != "time"} for e in read]
                self.assertEqual(read[:len(told)], told[:len(read)])
            finally:
                follower.end()
            c.run("jcancel", *jobs, last, check=0)

    def test_events_that_the_journal_has_no_more(self):
        with Cluster() as c:
            c.run_job(wrap="true")

            # A second snapshot lets the journal before the first one go, and a restart what is in memory of it.
            def trimmed():
                c.run("jadmin", "snapshot", check=0)
                c.run_job(wrap="true")
                c.run("jadmin", "snapshot", check=0)
                c.restart_controller()
                c.wait_node()
                result = c.run("jadmin", "events", "--from", "1")
                return result.code == 1 and result
            refused = wait_for(trimmed, "the first group to leave the journal")
            self.assertRegex(refused.err, r"begins with group \d+")
            oldest = int(refused.err.split("begins with group ")[1].split(",")[0].split()[0])
            self.assertGreater(oldest, 1)
            self.assertEqual(c.run("jadmin", "events", "--from", oldest).code, 0)
            self.assertEqual(c.run("jadmin", "events", "--from", oldest - 1).code, 1)
            self.assertEqual(c.run("jadmin", "events", "--last", "100000").code, 0)


main()
