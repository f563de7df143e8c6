#!/usr/bin/env python3
"""What no honest peer sends, on every socket: that connection ends, with a logged reason, and nothing else is touched."""
import contextlib
import os
import random
import re
import socket
import struct

from jarvis_cluster import SharedCluster, connect, field, frame, hello, main, seed_of_run, wait_for

SEED = seed_of_run()


def read_all(channel):
    """What the peer says until it closes the connection."""
    data = b""
    try:
        while True:
            piece = channel.recv(65536)
            if not piece:
                return data
            data += piece
    except ConnectionResetError:
        return data


class Garbage(SharedCluster):
    settings = {"limits": 'script_size = "64K"\nenvironment_size = "64K"\narguments_size = "64K"\nmessage_size = "2M"'}

    def sockets(self):
        found = [path for path in self.c.folder.rglob("*") if path.is_socket()]
        self.assertIn(self.c.socket_path, found)
        return found

    def assert_all_well(self):
        self.assertTrue(self.c.jctld.running() and self.c.jnoded.running())
        self.assertEqual(self.c.run_job(wrap="echo well")["text"], "well\n")

    def throw(self, path, data):
        with connect(path) as channel:
            try:
                channel.sendall(data)
                channel.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return read_all(channel)

    @contextlib.contextmanager
    def logged(self, reason):
        """The controller's log gets a line with this reason, a regular expression, while the block runs."""
        begin = self.c.jctld.log.stat().st_size
        yield
        lines = lambda: self.c.jctld.log.read_bytes()[begin:].decode(errors="replace")      # noqa: E731
        line = rf"(?m)^\S+ (info|warning) +jctld\[\d+\]: (uid \d+ pid \d+ on |node ).*{reason}"
        wait_for(lambda: re.search(line, lines()), lambda: f"a line with the reason '{reason}' in the controller's log:\n{lines()}", 20)

    def test_reason_of_every_ended_connection_is_logged(self):
        path = self.c.socket_path
        with self.logged("a message of 4294967295 bytes was announced; at most 65536 are taken"):
            self.throw(path, struct.pack(">I", 0xFFFFFFFF))
        with self.logged("the first message is no Hello"):
            self.throw(path, frame(b"\xff" * 50))
        with self.logged("999"):
            self.throw(path, frame(hello(major=999)))
        with self.logged("a request that cannot be read"):
            self.throw(path, frame(hello()) + frame(b"\xff" * 50))
        with self.logged("a message of 3145728 bytes was announced; at most 2097152 are taken"):
            self.throw(path, frame(hello()) + struct.pack(">I", 3 << 20))    # the larger limit holds behind the Hello
        with self.logged("; the connection is closed"):
            self.throw(path, frame(hello(role=1)) + frame(b"\xff" * 50))
        for cut in (struct.pack(">I", 50), frame(b"x" * 50)[:20], b"\0"):
            with self.logged(""):
                self.throw(path, cut)

    def test_random_bytes_on_every_socket(self):
        chance = random.Random(SEED)
        self.c.submit(wrap="true")
        wait_for(lambda: len(self.sockets()) >= 2, "the launcher's socket")
        running = self.c.submit(wrap="sleep 2; echo untouched")
        self.c.wait_state(running, "RUNNING")
        for path in self.sockets():
            for size in (0, 1, 3, 4, 5, 100, 70000):
                self.throw(path, chance.randbytes(size))
            # A true length with nonsense in it, a length without a body, and the body cut short.
            self.throw(path, frame(chance.randbytes(200)))
            self.throw(path, struct.pack(">I", 50))
            self.throw(path, frame(b"x" * 50)[:20])
        self.assertEqual(self.c.wait_job(running)["state"], "COMPLETED")
        self.assertEqual(self.c.output(running), "untouched\n")
        self.assert_all_well()

    def test_oversized_message_is_refused_before_it_is_read(self):
        for path in self.sockets():
            if path.name.endswith("metrics.sock"):
                continue        # speaks HTTP: it waits for a line's end, and for no longer than its limit
            with connect(path) as channel:
                channel.sendall(struct.pack(">I", 0xFFFFFFFF))
                read_all(channel)           # returns: the peer has closed, though nothing of the 4 GiB was sent
        with connect(self.c.socket_path) as channel:
            channel.sendall(frame(hello()))
            channel.sendall(struct.pack(">I", 3 << 20))
            read_all(channel)
        self.assert_all_well()

    def test_nonsense_after_a_good_hello(self):
        chance = random.Random(SEED + 1)
        for role in (0, 1, 2, 77):
            for body in (b"", b"\xff" * 10, chance.randbytes(500), field(1, 5), field(9, b""), field(2, field(1, b"x")) * 20):
                with connect(self.c.socket_path) as channel:
                    try:
                        channel.sendall(frame(hello(role=role)) + frame(body))
                        channel.shutdown(socket.SHUT_WR)
                        read_all(channel)
                    except (BrokenPipeError, ConnectionResetError):
                        pass
        self.assert_all_well()

    def test_client_of_a_newer_protocol_is_told_both_versions(self):
        answer = self.throw(self.c.socket_path, frame(hello(major=999, software=b"jsub 99.0")))
        self.assertIn(b"999", answer)
        self.assert_all_well()

    def test_newer_minor_version_and_unknown_fields_are_fine(self):
        request = field(1, 1) + field(9, field(1, 0)) + field(4000, b"from the future")
        with connect(self.c.socket_path) as channel:
            channel.sendall(frame(hello(minor=99, more=[(5000, b"new")])) + frame(request))
            channel.settimeout(30)
            received = b""
            while received.count(b"jarvis") < 1 or len(received) < 20:
                piece = channel.recv(4096)
                if not piece:
                    break
                received += piece
        self.assertGreater(len(received), 20)
        self.assert_all_well()

    def test_big_request_in_one_write_with_the_hello(self):
        request = field(1, 7) + field(9, field(1, 0)) + field(4000, b"x" * 200_000)
        with connect(self.c.socket_path) as channel:
            channel.sendall(frame(hello()) + frame(request))
            answer = b""
            while b"jarvis.ping/1" not in answer:
                piece = channel.recv(65536)
                self.assertTrue(piece, answer)
                answer += piece

    def test_descriptors_are_given_back(self):
        count = lambda: len(os.listdir(f"/proc/{self.c.jctld.process.pid}/fd"))     # noqa: E731
        self.c.run("jadmin", "ping", check=0)
        before = count()
        for _ in range(200):
            self.throw(self.c.socket_path, b"GET / HTTP/1.1\r\n\r\n")
        wait_for(lambda: count() <= before + 3, "the controller to close its connections")

    def test_peer_that_never_reads_or_sends_disturbs_nobody(self):
        silent = [connect(self.c.socket_path) for _ in range(20)]
        half = connect(self.c.socket_path)
        half.sendall(frame(hello())[:7])
        self.assert_all_well()
        for channel in [*silent, half]:
            channel.close()


main()
