#!/usr/bin/env python3
"""What released versions left behind is understood, and they understand what is said today. See README.md.

For each version: a controller of today takes over its state, from the journal and from a snapshot; its node and its
commands work with a controller of today; the node and the commands of today work with its controller. The programs of
that time are played from what was recorded of them.
"""
import contextlib
import itertools
import json
import os
import pathlib
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

from jarvis_cluster import (SLOWDOWN, SOURCE, Cluster, TestCase, connect, field, fields, main, needs_root, wait_for)    # noqa: E402
from recording import (SETTINGS, Protocol, load_frames, name_as_recorded, read_frame, restore_state, unknown_fields,    # noqa: E402
                       write_frame)

VERSIONS = sorted(path.name for path in HERE.iterdir() if (path / "frames.txt").exists())
# What differs between two controllers that are right: who they are, when they are asked, and in which words they say it.
VOLATILE = {"version", "uuid", "epoch", "sequence", "history_sequence", "last_heard", "elapsed_ms", "storage_text"}
# What a command tells a newer controller besides, and an older one does well without: the age of a request id (it goes by made_us).
HARMLESS = {"submit.7"}


def differences(old, new, where=""):
    """What of an old answer is not in the new one; that the new one says more is fine."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [d for key, value in old.items() if key not in VOLATILE for d in
                (differences(value, new[key], f"{where}.{key}") if key in new else [f"{where}.{key} is gone"])]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [d for n, value in enumerate(old) for d in differences(value, new[n], f"{where}[{n}]")]
    return [] if old == new else [f"{where}: was {old}, is {new}"]


def replaced(body, number, value):
    """A message with another value in one of its fields."""
    return b"".join(field(n, value if n == number else one) for n, values in fields(body).items() for one in values)


def recorded_cluster(version=None, state=None):
    c = Cluster(start=False, **SETTINGS)
    name_as_recorded(c)
    if state:
        restore_state(HERE / version / state, c.state_dir)
    return c


class State(TestCase):
    def test_a_controller_of_today_takes_over(self):
        for version in VERSIONS:
            for state in ("journal", "snapshot"):
                with self.subTest(version=version, state=state), recorded_cluster(version, state) as c:
                    self.take_over(c, json.loads((HERE / version / state / "answers.json").read_text()))
                    self.old_events_alone(c, Protocol(version))

    def take_over(self, c, old):
        checked = subprocess.run([str(c.program("jctld")), "--config", str(c.config_path), "--check-state"], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(checked.returncode, 0, checked)
        # Twice: the second time what the first one wrote is there, too.
        for _ in range(2):
            c.jctld.start()
            c.wait_controller()
            jobs = [c.json("jq", "-j", job["id"], "--json")["jobs"][0] for job in old["jobs"]]
            self.assertEqual(differences(old["jobs"], jobs), [])
            self.assertEqual(differences(old["nodes"], c.json("jnodes", "--json")["nodes"]), [])
            history = c.json("jacct", "--all-users", "--since", "2026-01-01", "--json")["jobs"]  # the recording is of another day
            self.assertEqual(differences(old["history"], history), [])
            c.jctld.stop()
        # Life goes on: what waited runs, what ran and was lost with its node ends, ids are new ones.
        c.jctld.start()
        c.wait_controller()
        c.set_boot_id("00000000-0000-4000-8000-000000000003")
        c.jnoded.start()
        self.assertEqual(c.run("jnodes", "resume", "n1").code, 0)
        c.wait_node()
        job = c.submit("--nice", "-100" if os.getuid() == 0 else "0", "-J", "of_today", wrap="true")
        self.assertGreater(int(job), max(int(j["id"]) for j in old["jobs"]))
        running = next(j["id"] for j in old["jobs"] if j["state"] == "RUNNING")
        wait_for(lambda: c.job(running)["restarts"] == 2, "the job of the rebooted node to be given back")
        c.run("jcancel", running, check=0)
        c.wait_job(job)


    def old_events_alone(self, c, protocol):
        """Where nothing new was used, an old controller can go on from the journal of today."""
        with contextlib.closing(sqlite3.connect(f"file:{c.state_dir}/journal.db?mode=ro", uri=True)) as journal:
            groups = [row[0] for row in journal.execute("SELECT data FROM groups ORDER BY sequence")]
        self.assertGreater(len(groups), 5)
        for data in groups:
            group = protocol.decode("jarvis.journal.Group", data)
            self.assertEqual(group["format"], ["1"])
            for event in group["events"]:
                self.assertTrue(any(not name.isdigit() for name in event), f"an event that it does not know: {group}")


    def test_fields_that_the_way_down_takes_for_known_are_those_of_the_version(self):
        source = (SOURCE / "lib/journal/older_version.cpp").read_text()
        for version in VERSIONS:
            table = source.partition(f'"{version}",')[2].partition("};")[0]
            known = {name: (int(last), {(int(n), inner) for n, inner in re.findall(r'\{(\d+), "(\w+)"\}', rest)})
                     for name, last, rest in re.findall(r'\{"(\w+)", (\d+), (.*)\},\n', table)}
            released = {}
            for path in ("common", "journal"):
                text = re.sub(r"//.*", "", (HERE / version / "proto" / f"{path}.proto").read_text())
                for name, body in re.findall(r"(?ms)^message (\w+) \{(.*?)^\}", text):
                    released[name] = [(int(number), kind.rpartition(".")[2]) for kind, number in re.findall(r"([\w.]+) \w+ = (\d+)", body)]
            self.assertGreater(len(known), 20)
            for name, (last, inner) in known.items():
                self.assertEqual([n for n, _ in sorted(released[name])], list(range(1, last + 1)), name)
                self.assertEqual({(n, kind) for n, kind in released[name] if kind in released and kind[0].isupper()}, inner, name)


class OldPeers(TestCase):
    """The old node and the old commands, played, with a controller of today."""

    def test_old_node_and_commands(self):
        for version in VERSIONS:
            with self.subTest(version=version):
                c = recorded_cluster()
                self.addCleanup(c.end_everything)
                c.jctld.start()
                c.wait_controller()
                Play(self, c, version).run()
                self.assertEqual(c.jctld.stop(), 0)


class Play:
    """The recorded frames in their order: what went to the controller is sent, what came from it is awaited."""

    def __init__(self, test, c, version):
        self.test, self.c = test, c
        self.protocol = Protocol(version)
        self.frames, self.commands = load_frames(HERE / version / "frames.txt")
        self.channels, self.session = {}, None

    def run(self):
        with contextlib.ExitStack() as stack:
            for number, who, body in self.frames:
                if number not in self.channels:
                    self.channels[number] = stack.enter_context(connect(self.c.socket_path))
                node = self.commands[number] == ["jnoded"]
                if who == ">":
                    write_frame(self.channels[number], self.of_now(body, node))
                else:
                    self.expect(number, body, node)

    def of_now(self, body, node):
        """What cannot be played back: numbers that the controller gave, and the time of a submit."""
        parsed = fields(body)
        if node and self.session and 1 in parsed and isinstance(parsed[1][0], int) and 8 not in parsed:
            return replaced(body, 1, self.session)
        if not node and 2 in parsed and isinstance(parsed[2][0], bytes):
            return replaced(body, 2, replaced(parsed[2][0], 2, int(time.time() * 1e6)))
        return body

    def expect(self, number, body, node):
        hello = "protocol_major" in self.protocol.decode("jarvis.wire.Hello", body) and self.is_hello(body)
        message = "jarvis.wire.Hello" if hello else "jarvis.wire.ToNode" if node else "jarvis.wire.Reply"
        old = self.protocol.decode(message, body)
        kind = [name for name in old if name not in ("epoch", "session", "serial", "tag", "sequence")]
        what = f"{self.commands[number]}: {kind}"
        for _ in range(20):
            got = read_frame(self.channels[number])
            self.test.assertIsNotNone(got, f"{what}: the controller has closed the connection\n{self.c.jctld.tail()}")
            new = self.protocol.decode(message, got)
            if hello or all(name in new for name in kind):
                break
            # Something that this version does not know, which it passes over.
            self.test.assertTrue(unknown_fields(new) or "welcome" in new, f"{what}: {new} instead of {old}")
        else:
            self.test.fail(f"{what} does not come")
        if hello:
            self.test.assertNotIn("refused", new)
            self.test.assertEqual(new["protocol_major"], old["protocol_major"])
            return
        if node:
            self.session = int(new["session"][0])
        self.test.assertEqual(self.differences(old, new), [], what)

    @staticmethod
    def is_hello(body):
        parsed = fields(body)
        return parsed.get(7) == [2] and isinstance(parsed.get(3, [0])[0], bytes)

    def differences(self, old, new):
        """Of the things that a peer acts on; not those that are of that cluster or hour."""
        def plain(tree):
            if not isinstance(tree, dict):
                return tree
            return {name: [plain(value) for value in values] for name, values in tree.items() if not name.isdigit()
                    and not name.endswith("_us") and name not in ("epoch", "session", "serial", "sequence", "cluster_uuid", "text", "json",
                                                                  "usage", "notes", "account", "uid", "user", "cause")}
        return differences(plain(old), plain(new))


class Speaker:
    """The old controller, played: it answers connections in the order of the recording."""

    def __init__(self, c):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(c.socket_path))
        self.listener.listen(8)
        self.listener.settimeout(60 * SLOWDOWN)

    def accept(self):
        channel, _ = self.listener.accept()
        channel.settimeout(60 * SLOWDOWN)
        return channel


class OldController(TestCase):
    """The node and the commands of today with an old controller, played."""

    def setUp(self):
        self.c = recorded_cluster()
        self.addCleanup(self.c.end_everything)
        self.speaker = Speaker(self.c)
        self.addCleanup(self.speaker.listener.close)

    def test_commands(self):
        for version in VERSIONS:
            protocol = Protocol(version)
            frames, commands = load_frames(HERE / version / "frames.txt")
            for command, numbers in itertools.groupby(commands, key=commands.get):
                if command not in ([], ["jnoded"]):
                    with self.subTest(version=version, command=command):
                        self.one_command(protocol, command, [[(who, body) for n, who, body in frames if n == number] for number in numbers])

    def one_command(self, protocol, command, connections):
        asked, done = [], {}
        playing = threading.Thread(target=lambda: [self.play(frames, asked, done) for frames in connections])
        playing.start()
        result = self.c.run(*command, cwd="/")
        playing.join()
        self.assertEqual(done.get("problem"), None, result)
        self.assertEqual(result.code, {"--wait": 3, "77": 3}.get(next((w for w in command if w in ("--wait", "77")), None), 0), result)
        if "--json" in command:
            self.assertTrue(json.loads(result.out), result)
        recorded = [(at == 0, body) for frames in connections for at, (_, body) in enumerate(f for f in frames if f[0] == ">")]
        for (first, old), new in zip(recorded, asked, strict=True):
            message = "jarvis.wire.Hello" if first else "jarvis.wire.Request"
            told = protocol.decode(message, new)
            unknown = [field for field in unknown_fields(told) if field not in HARMLESS]
            self.assertEqual(unknown, [], f"{command}: an old controller does not know these")
            self.assertEqual(without_chance(protocol.decode(message, old)), without_chance(told), command)

    def play(self, frames, asked, done):
        """Reads a message where the recording has one, answers as it did, under the tag of the question."""
        try:
            with self.speaker.accept() as channel:
                tag = None
                for who, body in frames:
                    if who == ">":
                        asked.append(read_frame(channel))
                        tag = fields(asked[-1] or b"").get(1, [None])[0]
                    elif Play.is_hello(body):
                        write_frame(channel, body)
                    else:
                        write_frame(channel, replaced(body, 1, tag))
        except (OSError, AssertionError) as problem:
            done["problem"] = problem

    @needs_root
    def test_node(self):
        """Root's jobs are in the recording, so it takes root to run them."""
        for version in VERSIONS:
            frames, commands = load_frames(HERE / version / "frames.txt")
            node = next(number for number, command in commands.items() if command == ["jnoded"])
            self.play_to_node(Protocol(version), [(who, body) for n, who, body in frames if n == node])

    def play_to_node(self, protocol, frames):
        self.c.jnoded.start()
        said = []       # what the old node would have understood, and how it ended its jobs
        with self.speaker.accept() as channel:
            for who, old in frames:
                if who == "<":
                    write_frame(channel, old)
                    continue
                message = "jarvis.wire.Hello" if not said else "jarvis.wire.FromNode"
                wanted = self.kind(protocol.decode(message, old))
                while True:
                    body = read_frame(channel)
                    self.assertIsNotNone(body, f"the node has closed the connection\n{self.c.jnoded.tail()}")
                    new = protocol.decode(message, body)
                    said.append(new)
                    if self.kind(new) == wanted:
                        break
                    self.assertEqual(self.kind(new), {"report"}, f"instead of {wanted}: {new}")
                if wanted == {"ended"}:
                    (before,), (after,) = protocol.decode(message, old)["ended"], new["ended"]
                    self.assertEqual([before[key] for key in ("job_id", "incarnation", "end")],
                                     [after[key] for key in ("job_id", "incarnation", "end")])
                elif wanted == {"register"}:
                    self.assertEqual(set(new["register"][0]) - set(protocol.decode(message, old)["register"][0])
                                     - set(unknown_fields(new["register"][0])), set())
        self.c.jnoded.stop()
        self.assertEqual(self.c.leftovers(), [])

    @staticmethod
    def kind(message):
        return {name for name in message if name in ("protocol_major", "register", "report", "ended")}


def without_chance(tree):
    """A message without what is different each time: ids of requests, hours, the environment of who asks; and additions to the protocol."""
    if not isinstance(tree, dict):
        return tree
    return {name: [without_chance(value) for value in values] for name, values in tree.items()
            if name not in ("protocol_minor", "request_id", "made_us", "environment", "wall_us", "software", "since_us", "submit_host", "umask", "limits", "uids",
                            *(field.rpartition(".")[2] for field in HARMLESS))}


main()
