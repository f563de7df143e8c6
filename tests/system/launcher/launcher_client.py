"""Speaks with jshepherd as jnoded does. The messages are lib/wire/proto/shepherd.proto, encoded here by hand, so that a
test needs nothing but Python, and a number changed by mistake is noticed."""
import os
import pathlib
import signal
import socket
import struct
import subprocess
import time

BUILD = pathlib.Path(os.environ.get("JARVIS_BUILD_DIR", "build/debug")).resolve()
SLOWDOWN = float(os.environ.get("JARVIS_TEST_SLOWDOWN", "1"))

ORDER = {"job_id": 1, "incarnation": 2, "job_folder": 5, "runtime": 6, "account": 7, "script_path": 8, "arguments": 9,
         "environment": 10, "working_directory": 11, "output_path": 12, "error_path": 13, "input_path": 14, "append": 15,
         "umask": 16, "limits": 17, "pus": 18, "cgroup": 19, "temporary_folder": 20,
         "cgroup_values": 50, "numa_nodes": 51, "confined": 52}
VALUE = {"file": 1, "value": 2, "optional": 3}
ACCOUNT = {"uid": 1, "gid": 2, "groups": 3}
LIMIT = {"name": 1, "soft": 2, "hard": 3}
USER, SYSTEM, NODE = 1, 2, 3  # LaunchFault


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = os.fsencode(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def encode(numbers, values):
    out = b""
    for name, value in values.items():
        for item in value if isinstance(value, (list, tuple)) else [value]:
            out += field(numbers[name], item)
    return out


def decode(data):
    """{number: [values]}, messages and text as bytes."""
    fields, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = number()
        value = number()
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        fields.setdefault(key >> 3, []).append(value)
    return fields


def one(fields, number, default=None):
    return fields.get(number, [default])[0]


def signed(value):
    return value - (1 << 64) if value is not None and value >= 1 << 63 else value


def wait_for(condition, what, seconds=30):
    deadline = time.monotonic() + seconds * SLOWDOWN
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.01)
    return result


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


PF_FORKNOEXEC = 0x40     # in the flags of proc(5), "stat": forked, and has executed nothing since


class ExitRecord:
    def __init__(self, data):
        fields = decode(data)
        usage = decode(one(fields, 6, b""))
        self.job, self.incarnation = one(fields, 1), one(fields, 2)
        self.status = one(fields, 3)
        self.launch_error = one(fields, 4, b"").decode()
        self.fault = one(fields, 5, 0)
        self.notes = one(fields, 7, b"").decode()
        self.elapsed_us, self.user_us, self.system_us = (one(usage, n, 0) for n in (1, 2, 3))


class Launcher:
    """A launcher process and our connection to it."""

    def __init__(self, folder, *options):
        self.socket_path = f"{folder}/launcher.sock"
        self.log = f"{folder}/launcher.log"
        self.process = subprocess.Popen(
            [f"{BUILD}/bin/jshepherd", "--socket", self.socket_path, "--plugins", f"{BUILD}/lib/jarvis/plugins",
             "--log-file", self.log, *options], stdin=subprocess.DEVNULL, start_new_session=True)
        self.socket = None
        self.connect()

    def connect(self):
        def attempt():
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(self.socket_path)
                return True
            except OSError:
                self.socket.close()
                return False
        wait_for(attempt, "the launcher to answer")
        self.socket.settimeout(30 * SLOWDOWN)
        self.seen = []

    def send(self, body):
        self.socket.sendall(struct.pack(">I", len(body)) + body)

    def launch(self, order):
        self.send(field(1, order))

    def list(self):
        self.send(field(2, b""))
        return [(m[1], m[2], m[3]) for m in self.next("list")]

    def receive(self):
        """(kind, fields) of the next message."""
        def exactly(count):
            data = b""
            while len(data) < count:
                part = self.socket.recv(count - len(data))
                if not part:
                    raise AssertionError("the launcher closed the connection")
                data += part
            return data
        fields = decode(exactly(struct.unpack(">I", exactly(4))[0]))
        if 3 in fields:
            shepherds = [decode(s) for s in decode(fields[3][0]).get(1, [])]
            return "list", [{n: one(s, n) for n in (1, 2, 3)} for s in shepherds]
        kind = 1 if 1 in fields else 2
        return ("launched" if kind == 1 else "gone"), {n: one(decode(fields[kind][0]), n) for n in (1, 2, 3, 4)}

    def next(self, kind, job=None):
        """The first message of that kind (and job), keeping the others."""
        def fits(message):
            return message[0] == kind and (job is None or message[1][1] == job)
        while True:
            for message in self.seen:
                if fits(message):
                    self.seen.remove(message)
                    return message[1]
            self.seen.append(self.receive())

    def template(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as children:
            for pid in map(int, children.read().split()):
                try:
                    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
                        name, _, fields = stat.read().rpartition(") ")
                    # Shepherds are called job_<id> soon after they were forked, and a template was executed.
                    if name.endswith("(jshepherd") and not int(fields.split()[6]) & PF_FORKNOEXEC:
                        return pid
                except (FileNotFoundError, ProcessLookupError):  # it went meanwhile
                    continue
        return None

    def stop(self, number=signal.SIGTERM):
        self.socket.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30 * SLOWDOWN)
