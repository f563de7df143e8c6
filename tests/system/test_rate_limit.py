#!/usr/bin/env python3
"""A connection that asks too much too fast: each request has its answer, done or refused, and nobody else notices."""
from jarvis_cluster import SharedCluster, connect, field, fields, frame, hello, main, receive, wait_for

LIMIT = 10
BURST = 300
UNAVAILABLE = 3
TAG, ERROR, CODE, TEXT = 1, 4, 1, 2


def ping(tag):
    return frame(field(1, tag) + field(9, field(1, 0)))


class RateLimit(SharedCluster):
    settings = {"limits": f"requests_per_second = {LIMIT}"}

    def setUp(self):
        self.channel = connect(self.c.socket_path)
        self.addCleanup(self.channel.close)
        self.channel.sendall(frame(hello()))
        self.assertIsNotNone(receive(self.channel))
        self.last_tag = 0

    def ask(self, count):
        """Sends pings in one write; returns their answers by tag: True, or the error's code and text."""
        tags = range(self.last_tag + 1, self.last_tag + count + 1)
        self.last_tag += count
        self.channel.sendall(b"".join(map(ping, tags)))
        answers = {}
        for _ in tags:
            reply = receive(self.channel)
            self.assertIsNotNone(reply, f"the connection was closed after {len(answers)} answers")
            reply = fields(reply)
            tag = reply[TAG][0]
            self.assertNotIn(tag, answers)
            error = fields(reply[ERROR][0]) if ERROR in reply else None
            answers[tag] = (error[CODE][0], error[TEXT][0].decode()) if error else True
        self.assertEqual(sorted(answers), list(tags))
        return answers

    def test_what_is_above_the_limit_is_refused_politely(self):
        answers = self.ask(BURST)
        self.assertIs(answers[1], True)
        done = [tag for tag, answer in answers.items() if answer is True]
        refused = [answer for answer in answers.values() if answer is not True]
        self.assertGreaterEqual(len(done), LIMIT)
        self.assertTrue(refused)
        for code, text in refused:
            self.assertEqual(code, UNAVAILABLE)
            self.assertIn("too many requests; slow down", text)
            self.assertIn(str(LIMIT), text)
        # The connection stays, and a slower peer is served again.
        wait_for(lambda: self.ask(1)[self.last_tag] is True, "a slower request to be answered")
        log = self.c.jctld.log.read_text(errors="replace")
        self.assertIn(f"more than {LIMIT} requests a second", log)

    def test_others_do_not_notice(self):
        for _ in range(3):
            self.ask(BURST)
            self.assertEqual(self.c.run("jadmin", "ping").code, 0)
        self.assertEqual(self.c.run_job(wrap="echo well")["text"], "well\n")

    def test_another_limit_holds_at_once_and_zero_is_none(self):
        self.ask(BURST)
        self.c.write_config(limits="requests_per_second = 0")
        try:
            self.c.run("jadmin", "reconfigure", check=0)
            self.assertEqual(set(self.ask(BURST).values()), {True})
        finally:
            self.c.write_config(limits=f"requests_per_second = {LIMIT}")
            self.c.run("jadmin", "reconfigure", check=0)


main()
