#!/usr/bin/env python3
"""What queries print and return for answers that have no jobs, given by a controller of a few lines."""
import socket
import struct
import threading

from commands_under_test import Commands, main

NOT_FOUND, DENIED = 1, 2  # Errc by number, as in common.proto


def number(field, value):
    return bytes([field << 3, value])


def text(field, value):
    return bytes([field << 3 | 2, len(value)]) + value


def failure(code, message):
    return text(4, number(1, code) + text(2, message))


JOBS = 7  # field of Reply
HELLO = number(1, 1) + text(3, b"jctld") + number(7, 2)


class Answers(Commands):
    def setUp(self):
        super().setUp()
        self.listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.listener.close)
        self.listener.bind(self.environment["JARVIS_SOCKET"])
        self.listener.listen()
        self.listener.settimeout(30)

    def serve(self, body):
        connection = self.listener.accept()[0]
        with connection, connection.makefile("rb") as stream:
            connection.settimeout(30)
            for answer in (HELLO, number(1, 1) + body):  # a command's first request has the tag 1
                stream.read(struct.unpack(">I", stream.read(4))[0])
                connection.sendall(struct.pack(">I", len(answer)) + answer)
            stream.read(1)  # until the command has gone

    def ask(self, body, *words):
        controller = threading.Thread(target=self.serve, args=(body,))
        controller.start()
        try:
            return self.run_command(*words)
        finally:
            controller.join()

    def test_what_is_not_found_is_3(self):
        for words in (["jqueue", "-p", "nope"], ["jacct", "-a"], ["jnodes"],
                      ["jqueue", "-l", "-p", "nope"], ["jqueue", "--json", "-p", "nope"]):
            got = self.ask(failure(NOT_FOUND, b'no partition "nope"'), *words)
            self.assertEqual(got, (3, "", f'{words[0]}: no partition "nope"\n'), words)

    def test_what_is_refused_is_1(self):
        self.assertEqual(self.ask(failure(DENIED, b"not yours"), "jqueue"), (1, "", "jqueue: not yours\n"))

    def test_messages_are_escaped(self):
        got = self.ask(failure(NOT_FOUND, b'no partition "a\x1b[2J\n\xff"'), "jqueue", "-p", "a")
        self.assertEqual(got, (3, "", 'jqueue: no partition "a\\x1b[2J\\n\\xff"\n'))

    def test_nothing_is_printed_of_an_unknown_request(self):
        request = "0123456789abcdef" * 2
        for words in ([], ["-l"]):
            got = self.ask(text(JOBS, b""), "jqueue", "--request", request, *words)
            self.assertEqual(got, (3, "", f"jqueue: no job came of request {request}\n"))
        code, out, err = self.ask(text(JOBS, b""), "jqueue", "--json", "--request", request)
        self.assertEqual(code, 3)
        self.assertIn("jarvis.jobs/1", out)

    def test_nothing_is_printed_of_unknown_jobs(self):
        self.assertEqual(self.ask(text(JOBS, number(3, 7)), "jqueue", "-j", "7"), (3, "", "jqueue: no such job: 7\n"))

    def test_an_empty_queue_is_no_failure(self):
        code, out, err = self.ask(text(JOBS, b""), "jqueue")
        self.assertEqual((code, err), (0, ""))
        self.assertTrue(out.startswith("JOB"), out)


main()
