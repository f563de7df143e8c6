#!/usr/bin/env python3
"""Metrics of both daemons: OpenMetrics text over HTTP, on a UNIX socket and a port, that moves with what happens."""
import re
import socket

from jarvis_cluster import Cluster, SharedCluster, TestCase, connect, main, wait_for

SAMPLE = re.compile(r'([a-z_]+)(?:\{([a-z_]+="(?:[^"\\\n]|\\.)*"(?:,[a-z_]+="(?:[^"\\\n]|\\.)*")*)\})? (-?[0-9]+(?:\.[0-9]+)?)')


def talk(channel, request):
    """Sends the bytes, and returns what comes back until the peer closes."""
    with channel:
        try:
            channel.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            pass
        data = b""
        while True:
            try:
                piece = channel.recv(65536)
            except ConnectionResetError:
                return data
            if not piece:
                return data
            data += piece


def get(channel, path="/metrics", method="GET", more=""):
    """Status, header by names in lower case, and body."""
    answer = talk(channel, f"{method} {path} HTTP/1.1\r\nHost: jarvis\r\nConnection: close\r\n{more}\r\n".encode())
    head, _, body = answer.decode().partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    return int(status.split()[1]), {line.split(": ")[0].lower(): line.split(": ", 1)[1] for line in lines}, body


def parse(text):
    """The values by sample as written, after a look at the form: types, names and the end."""
    assert text.endswith("# EOF\n"), text
    values, kinds, family = {}, {}, None
    for line in text.splitlines()[:-1]:
        if line.startswith("# TYPE "):
            family, kind = line.split()[2:]
            assert family not in kinds and kind in ("counter", "gauge"), line
            kinds[family] = kind
        elif line.startswith("# "):
            assert line.split()[1] in ("UNIT", "HELP") and line.split()[2] == family, line
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            assert sample[1] == family + ("_total" if kinds[family] == "counter" else ""), line
            name = line.rpartition(" ")[0]
            assert name not in values, line
            values[name] = float(sample[3])
    return values


class Metrics(SharedCluster):
    settings = {"controller": 'metrics_listen = ["127.0.0.1:0"]'}

    def socket(self, daemon="jctld"):
        return connect(self.c.folder / "jctld-metrics.sock" if daemon == "jctld" else self.c.run_dir / "metrics.sock")

    def values(self, daemon="jctld"):
        status, header, body = get(self.socket(daemon))
        self.assertEqual(status, 200)
        self.assertEqual(header["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8")
        return parse(body)

    def moved(self, before, daemon="jctld"):
        after = self.values(daemon)
        self.assertEqual(set(before), set(after))
        return {name: after[name] - before[name] for name in after if after[name] != before[name]}

    def test_counters_follow_a_job(self):
        before, node_before = self.values(), self.values("jnoded")
        go = self.c.work() / "go"
        job = self.c.submit(wrap=f"while [ ! -e {go} ]; do sleep 0.05; done; exit 3")
        self.c.wait_state(job, "RUNNING")
        running = self.moved(before)
        self.assertEqual(running['jarvis_jobs{state="RUNNING"}'], 1)
        self.assertEqual(running["jarvis_job_submits_total"], 1)
        self.assertEqual(running["jarvis_job_starts_total"], 1)
        self.assertEqual(running['jarvis_requests_total{kind="submit"}'], 1)
        self.assertGreater(running['jarvis_requests_total{kind="query_jobs"}'], 0)
        self.assertGreaterEqual(running["jarvis_events_total"], running["jarvis_event_groups_total"])
        self.assertEqual(running["jarvis_event_groups_total"], running["jarvis_sequence"])
        self.assertGreater(running["jarvis_journal_appends_total"], 0)
        self.assertGreater(running["jarvis_journal_append_seconds_total"], 0)
        self.assertGreater(running['jarvis_node_messages_total{direction="sent"}'], 0)
        nodes = {name: value for name, value in self.values().items() if name.startswith("jarvis_nodes")}
        self.assertEqual(sum(nodes.values()), 1)
        self.assertEqual(nodes['jarvis_nodes{state="idle"}'], 0)
        self.assertEqual(self.moved(node_before, "jnoded")['jarvis_node_jobs{phase="running"}'], 1)
        go.touch()
        self.c.wait_job(job)
        ended = self.moved(before)
        self.assertNotIn('jarvis_jobs{state="RUNNING"}', ended)
        self.assertEqual(ended['jarvis_jobs{state="FAILED"}'], 1)
        self.assertEqual(ended['jarvis_job_ends_total{state="FAILED"}'], 1)
        self.assertEqual(self.values()['jarvis_nodes{state="idle"}'], 1)
        wait_for(lambda: 'jarvis_node_jobs{phase="ended"}' not in self.moved(node_before, "jnoded"), "the end to be acknowledged")
        on_node = self.moved(node_before, "jnoded")
        self.assertEqual(on_node["jarvis_node_job_starts_total"], 1)
        self.assertEqual(on_node["jarvis_node_job_ends_total"], 1)
        self.assertNotIn("jarvis_node_launch_failures_total", on_node)
        go.unlink()

    def test_ends_of_an_array_are_those_of_its_tasks(self):
        before = self.values()
        self.c.wait_job(self.c.submit("-a", "0-2", wrap="true"))
        ended = self.moved(before)
        self.assertEqual(ended['jarvis_job_ends_total{state="COMPLETED"}'], 3)

    def test_refused_requests_and_connections(self):
        before = self.values()
        self.assertEqual(self.c.run("jq", "-p", "nowhere").code, 3)
        self.assertEqual(self.c.run("jsub", "-p", "nowhere", "--wrap", "true").code, 3)
        after = self.moved(before)
        self.assertEqual(after['jarvis_refused_requests_total{code="not_found"}'], 2)
        self.assertEqual(after["jarvis_connections_opened_total"], 2)
        self.assertEqual(self.values()['jarvis_connections{peer="node"}'], 1)

    def test_port(self):
        log = self.c.jctld.log.read_text()
        port = int(re.search(r"metrics: http://127\.0\.0\.1:(\d+)/metrics", log)[1])
        status, _, body = get(socket.create_connection(("127.0.0.1", port), 20))
        self.assertEqual(status, 200)
        self.assertEqual(set(parse(body)), set(self.values()))

    def test_head_query_and_several_requests_on_one_connection(self):
        status, header, body = get(self.socket(), method="HEAD")
        self.assertEqual((status, body), (200, ""))
        self.assertGreater(int(header["content-length"]), 100)
        self.assertEqual(get(self.socket(), "/metrics?name[]=jarvis_jobs")[0], 200)
        twice = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\nGET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        self.assertEqual(talk(self.socket(), twice.encode()).count(b"HTTP/1.1 200 OK"), 2)

    def test_whatever_else_is_asked_is_refused(self):
        self.assertEqual(get(self.socket(), "/")[0], 404)
        self.assertEqual(get(self.socket(), "/metrics/../etc/passwd")[0], 404)
        status, header, _ = get(self.socket(), method="DELETE")
        self.assertEqual((status, header["allow"]), (405, "GET, HEAD"))
        for garbage in (b"\x00\xff" * 30 + b"\r\n\r\n", b"GET\r\n\r\n", b"GET /metrics HTTP/9.9\r\n\r\n",
                        b"POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
                        b"GET /metrics HTTP/1.1\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n"):
            for daemon in ("jctld", "jnoded"):
                answer = talk(self.socket(daemon), garbage)
                self.assertTrue(answer == b"" or answer.startswith(b"HTTP/1."), answer)
                self.assertNotIn(b" 200 ", answer.split(b"\r\n")[0])
        self.values()
        self.values("jnoded")

    def test_silent_peers_hold_up_nobody(self):
        silent = [self.socket() for _ in range(20)]
        half = self.socket()
        half.sendall(b"GET /metr")
        self.values()
        for channel in [*silent, half]:
            channel.close()
        # More than are served at once are closed, and there is room again when they go.
        many = [self.socket() for _ in range(100)]
        for channel in many:
            channel.close()
        wait_for(lambda: talk(self.socket(), b"GET /metrics HTTP/1.0\r\n\r\n"), "a scrape to be served again")


class Restarts(TestCase):
    def test_numbers_after_a_restart_and_sockets_at_the_end(self):
        with Cluster() as c:
            places = [c.folder / "jctld-metrics.sock", c.run_dir / "metrics.sock"]
            held = c.submit("-H", wrap="true")
            done = c.run_job(wrap="true")["id"]
            c.restart_controller()
            c.wait_node()
            values = parse(get(connect(places[0]))[2])
            self.assertEqual(values['jarvis_jobs{state="PENDING"}'], 1, (held, done))
            self.assertEqual(values['jarvis_jobs{state="COMPLETED"}'], 1)
            self.assertEqual(values["jarvis_job_submits_total"], 0)
            self.assertEqual(parse(get(connect(places[1]))[2])["jarvis_node_connections_total"], 2)
            c.run("jcancel", held, check=0)
            c.jnoded.stop()
            c.jctld.stop()
            self.assertFalse([place for place in places if place.exists()])

    def test_place_that_cannot_be_had(self):
        with Cluster(start=False) as c:
            c.write_config(controller='metrics_socket = "/nowhere/metrics.sock"')
            c.jctld.start()
            wait_for(lambda: not c.jctld.running(), "jctld to give up")
            self.assertIn("/nowhere", c.jctld.tail())
            c.jctld.process = None
            c.write_config(controller='metrics_socket = "none"')
            c.start()
            self.assertFalse(list(c.folder.glob("*metrics*")))


main()
