#!/usr/bin/env python3
"""jstat on a terminal: it draws in place, follows the window's size, and leaves the terminal as it was."""
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from jarvis_cluster import SLOWDOWN, SharedCluster, main, wait_for

SLEEPER = "#!/bin/sh\nwhile ! test -e go.$JARVIS_JOB_ID; do sleep 0.1; done\n"
CONTROL = re.compile(rb"\x1b\[(\??)([0-9;]*)([A-Za-z])")


class Screen:
    """What a terminal would show. It knows what jstat says to it, and fails at anything else."""

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.clear()
        self.cursor_shown = self.wraps = True
        self.frames = self.scrolled = 0
        self._rest = b""

    def clear(self):
        self.cells = [[" "] * self.columns for _ in range(self.rows)]
        self.row = self.column = 0

    def resize(self, rows, columns):
        """What a window shows after that differs between terminals; all of it is drawn again."""
        self.rows, self.columns = rows, columns
        self.clear()

    def lines(self):
        return ["".join(line).rstrip() for line in self.cells]

    def feed(self, data):
        data = self._rest + data
        at = 0
        while at < len(data):
            if data[at] == 0x1b:
                found = CONTROL.match(data, at)
                if not found:
                    break           # the rest of it is to come
                self.control(*(part.decode() for part in found.groups()))
                at = found.end()
            else:
                self.put(chr(data[at]))
                at += 1
        self._rest = data[at:]
        assert len(self._rest) < 16, self._rest

    def control(self, private, number, what):
        if private:
            shown = {"h": True, "l": False}[what]
            if number == "25":
                self.cursor_shown = shown
            else:
                assert number == "7", number
                self.wraps = shown
        elif what == "H":
            assert not number
            self.row = self.column = 0
            self.frames += 1
        elif what in "KJ":
            assert not number
            self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)
            for row in range(self.row + 1, self.rows) if what == "J" else ():
                self.cells[row] = [" "] * self.columns
        else:
            assert what == "m", what

    def put(self, char):
        if char == "\r":
            self.column = 0
        elif char == "\n":
            self.down()
        else:
            assert " " <= char <= "\xff", repr(char)
            if self.column == self.columns and self.wraps:
                self.column = 0
                self.down()
            self.cells[self.row][min(self.column, self.columns - 1)] = char
            self.column = min(self.column + 1, self.columns)

    def down(self):
        if self.row < self.rows - 1:
            self.row += 1
        else:
            self.cells = [*self.cells[1:], [" "] * self.columns]
            self.scrolled += 1


class Terminal:
    """A command with a terminal of its own, which it controls, as a login shell's commands do."""

    def __init__(self, cluster, *command, rows=24, columns=100):
        self.master, slave = pty.openpty()
        self.screen = Screen(rows, columns)
        self.set_size(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.slave = slave

        def take():
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        how = cluster._how(None, {"TERM": "xterm"}, None)
        self.process = subprocess.Popen([str(cluster.program(command[0])), *command[1:]], stdin=slave, stdout=slave, stderr=slave,
                                        start_new_session=True, preexec_fn=take, **how)

    def set_size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and select.select([self.master], [], [], left)[0]:
            self.screen.feed(os.read(self.master, 65536))

    def wait(self, condition, what, seconds=20):
        def look():
            self.read(0.05)
            return condition()
        return wait_for(look, lambda: f"{what}\n{self.screen.frames} frames, {self.process.poll()}\n" + "\n".join(self.screen.lines()), seconds)

    def end(self):
        """How it ended, with all that it said."""
        self.wait(lambda: self.process.poll() is not None, "the end")
        self.read(0.2)
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for descriptor in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(descriptor)


class Redraw(SharedCluster):
    def setUp(self):
        self.job = self.c.submit("-J", "redrawn", script=SLEEPER)
        self.c.wait_state(self.job, "RUNNING")
        self.addCleanup(lambda: self.c.run("jcancel", self.job))

    def watched(self, *options, **size):
        terminal = Terminal(self.c, "jstat", *options, self.job, **size)
        self.addCleanup(terminal.close)
        return terminal

    def assert_as_it_was(self, terminal):
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)
        self.assertTrue(terminal.screen.cursor_shown)
        self.assertTrue(terminal.screen.wraps)

    def assert_drawn_once(self, screen):
        lines = screen.lines()
        self.assertTrue(lines[0].startswith(f"job {self.job}  redrawn"), lines)
        self.assertEqual([line.split()[0] for line in lines if line.startswith(("job", "time", "memory"))], ["job", "time", "memory"], lines)
        self.assertEqual(screen.scrolled, 0)
        self.assertFalse(screen.cursor_shown)

    def test_it_is_drawn_in_place_until_ctrl_c(self):
        terminal = self.watched("-i", "0.2")
        screen = terminal.screen
        terminal.wait(lambda: screen.frames >= 3, "three frames")
        self.assert_drawn_once(screen)
        first = screen.lines()[1]
        terminal.wait(lambda: screen.lines()[1] != first, "the time to go on")
        self.assert_drawn_once(screen)
        os.write(terminal.master, b"\x03")
        self.assertEqual(terminal.end(), -signal.SIGINT)
        self.assert_as_it_was(terminal)
        # What was shown last stays, and what the shell says comes below it.
        self.assertTrue(screen.lines()[0].startswith(f"job {self.job}  redrawn"))
        self.assertEqual(screen.column, 0)

    def test_it_follows_the_windows_size(self):
        terminal = self.watched("-i", "1h")         # so that whatever is drawn again is drawn for the size
        screen = terminal.screen
        terminal.wait(lambda: any(line.startswith("processes") for line in screen.lines()), "the whole of it")
        for rows, columns in ((6, 100), (5, 30), (40, 120)):
            frames = screen.frames
            screen.resize(rows, columns)
            terminal.set_size(rows, columns)
            terminal.wait(lambda frames=frames: screen.frames > frames and screen.lines()[1], "another frame", 10)
            terminal.read(0.2)
            self.assert_drawn_once(screen) if rows > 20 else self.assertEqual(screen.scrolled, 0)
            self.assertTrue(screen.lines()[0].startswith(f"job {self.job}  redrawn"), screen.lines())
            shown = [line for line in screen.lines() if line]
            if rows > 20:
                self.assertTrue(any(line.startswith("processes") for line in shown), shown)
            else:
                self.assertRegex(shown[-1], r"^\.\.\. \d+ lines more$")
                self.assertEqual(len(shown), rows - 1)

    def test_a_narrow_low_window_does_not_scroll(self):
        terminal = self.watched("-i", "0.2", rows=8, columns=24)
        terminal.wait(lambda: terminal.screen.frames >= 3, "three frames")
        self.assertEqual(terminal.screen.scrolled, 0)
        self.assertTrue(terminal.screen.lines()[0].startswith(f"job {self.job}  redrawn"))
        self.assertTrue(terminal.screen.lines()[2].startswith("cores"), terminal.screen.lines())
        os.kill(terminal.process.pid, signal.SIGTERM)
        self.assertEqual(terminal.end(), -signal.SIGTERM)
        self.assert_as_it_was(terminal)

    def test_it_ends_with_the_job(self):
        terminal = self.watched("-i", "0.2")
        terminal.wait(lambda: terminal.screen.frames >= 2, "two frames")
        (self.c.work() / f"go.{self.job}").touch()
        self.assertEqual(terminal.end(), 0)
        self.assert_as_it_was(terminal)
        self.assertIn(f"jstat: job {self.job} is not running: it is COMPLETED", "\n".join(terminal.screen.lines()))

    def test_it_ends_after_so_many(self):
        terminal = self.watched("-i", "0.2", "-n", "2")
        self.assertEqual(terminal.end(), 0)
        self.assertEqual(terminal.screen.frames, 2)
        self.assert_as_it_was(terminal)

    def test_it_ends_with_the_terminal(self):
        terminal = self.watched("-i", "0.2")
        terminal.wait(lambda: terminal.screen.frames >= 2, "two frames")
        os.close(terminal.slave)
        os.close(terminal.master)
        self.assertIn(terminal.process.wait(20 * SLOWDOWN), (0, -signal.SIGHUP))


main()
