"""What a released version left behind: files of its state, and frames that its programs sent each other. See README.md."""
import json
import pathlib
import socket
import sqlite3
import struct
import subprocess
import threading

HERE = pathlib.Path(__file__).resolve().parent
# The cluster of the recordings.
SETTINGS = {"node_cores": 2, "controller": 'keep_ended = "36500d"', "cluster": "first_job_id = 7", "partitions": """
[[partition]]
name = "batch"
nodes = "n1"
default = true
default_time = "1h"
confinement = "none"

[[partition]]
name = "long"
nodes = "n1"
default_time = "1d"
max_time = "14d"
default_memory_per_cpu = "100M"
confinement = "none"
"""}
PRAGMAS = ("application_id", "user_version")


def name_as_recorded(c):
    c.node, c.cluster_name = "n1", "demo"
    c.write_config()


# --- a state folder as text

def save_state(state_dir, folder):
    """A state folder whose controller has ended, as SQL and hexadecimal lines."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("journal", "history"):
        database = sqlite3.connect(state_dir / f"{name}.db")
        lines = [f"PRAGMA {pragma}={database.execute(f'PRAGMA {pragma}').fetchone()[0]};" for pragma in PRAGMAS]
        (folder / f"{name}.sql").write_text("\n".join([*lines, *database.iterdump()]) + "\n")
        database.close()
    for path in (state_dir / "snapshots").iterdir():
        text = path.read_bytes().hex()
        (folder / f"{path.name}.hex").write_text("".join(text[i:i + 120] + "\n" for i in range(0, len(text), 120)))


def restore_state(folder, state_dir):
    for name in ("journal", "history"):
        database = sqlite3.connect(state_dir / f"{name}.db")
        database.executescript((folder / f"{name}.sql").read_text())
        database.close()
    (state_dir / "snapshots").mkdir(mode=0o700, exist_ok=True)
    for path in folder.glob("*.hex"):
        (state_dir / "snapshots" / path.stem).write_bytes(bytes.fromhex(path.read_text()))


# --- messages

class Protocol:
    """The messages of one version, read and written by protoc."""

    def __init__(self, version):
        self.folder = HERE / version / "proto"

    def _run(self, how, message, data):
        package = "journal" if message.startswith("jarvis.journal.") else None
        files = ["journal.proto"] if package else ["common.proto", "node.proto", "client.proto"]
        done = subprocess.run(["protoc", f"--{how}={message}", "-I", self.folder, *files], input=data, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise ValueError(f"protoc --{how}={message}: {done.stderr.decode()}")
        return done.stdout

    def decode(self, message, data):
        """The message as a tree of dictionaries of lists: {"job_id": [1], ...}; a field that it does not know is a number."""
        return parse_text(self._run("decode", message, data).decode())

    def encode(self, message, text):
        return self._run("encode", message, text.encode())


def parse_text(text):
    root, stack = {}, []
    at = root
    for line in text.splitlines():
        line = line.strip()
        if line.endswith(" {"):
            inner = {}
            at.setdefault(line[:-2], []).append(inner)
            stack.append(at)
            at = inner
        elif line == "}":
            at = stack.pop()
        elif line:
            name, _, value = line.partition(": ")
            at.setdefault(name, []).append(value)
    return root


def unknown_fields(tree, path=""):
    """The fields that the version did not know."""
    found = []
    for name, values in tree.items():
        if name.isdigit():
            found.append(f"{path}{name}")
        for value in values:
            if isinstance(value, dict):
                found += unknown_fields(value, f"{path}{name}.")
    return found


# --- frames

def read_frame(channel):
    data = b""
    while len(data) < 4 or len(data) < 4 + struct.unpack(">I", data[:4])[0]:
        missing = 4 - len(data) if len(data) < 4 else 4 + struct.unpack(">I", data[:4])[0] - len(data)
        piece = channel.recv(missing)
        if not piece:
            return None
        data += piece
    return data[4:]


def write_frame(channel, body):
    channel.sendall(struct.pack(">I", len(body)) + body)


class Recorder:
    """A socket in front of the controller's, which keeps each frame that passes: (connection, from whom, body)."""

    def __init__(self, path, controller):
        self.path, self.controller = path, controller
        self.frames, self.lock, self.connections = [], threading.Lock(), 0
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(path))
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            ours, _ = self.listener.accept()
            theirs = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            theirs.connect(str(self.controller))
            self.connections += 1
            for source, target, who in ((ours, theirs, ">"), (theirs, ours, "<")):
                threading.Thread(target=self.pump, args=(self.connections, who, source, target), daemon=True).start()

    def pump(self, number, who, source, target):
        try:
            while (body := read_frame(source)) is not None:
                with self.lock:
                    self.frames.append((number, who, body))
                    write_frame(target, body)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def save_frames(path, frames, comments):
    """One line for each frame: its connection, > to or < from the controller, its body. comments: {connection: command line}; a
    connection without one was made by the recording itself."""
    lines, seen = [], set()
    for number, who, body in frames:
        if number not in seen:
            seen.add(number)
            lines.append(f"# {number} {json.dumps(comments.get(number, []))}")
        lines.append(f"{number} {who} {body.hex()}")
    path.write_text("\n".join(lines) + "\n")


def load_frames(path):
    """(frames, {connection: command line})"""
    frames, commands = [], {}
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            _, number, command = line.split(" ", 2)
            commands[int(number)] = json.loads(command)
        else:
            number, who, body = line.split(" ")
            frames.append((int(number), who, bytes.fromhex(body)))
    return frames, commands
