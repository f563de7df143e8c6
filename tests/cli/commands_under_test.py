"""What the scripts of this folder share."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(os.environ.get("JARVIS_BUILD_DIR", "build/debug")).resolve()
SOURCE = pathlib.Path(os.environ.get("JARVIS_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
BIN = BUILD / "bin"
COMMANDS = ("jsub", "jrun", "jqueue", "jcancel", "jhold", "jrelease", "jsuspend", "jresume", "jrequeue", "jnodes", "jacct", "jstat", "jeff", "jadmin")


class Commands(unittest.TestCase):
    """Runs commands in a folder of their own, with no controller to be found."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="jarvis-cli-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.environment = {"PATH": os.environ["PATH"], "JARVIS_SOCKET": str(self.folder / "nobody.sock"), "JARVIS_RETRY": "0s"}

    def run_command(self, *words, input=None, argv0=None, **environment):
        executable = words[0] if os.sep in str(words[0]) else BIN / words[0]
        done = subprocess.run([argv0 or executable, *words[1:]], executable=executable, cwd=self.folder, input=input, timeout=60,
                              env=self.environment | environment, stdin=None if input is not None else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return done.returncode, done.stdout.decode(errors="surrogateescape"), done.stderr.decode(errors="surrogateescape")

    def write(self, name, content, mode=0o644):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path


def main():
    if not (BIN / "jsub").exists():
        print(f"skipped: no commands in {BIN}")
        sys.exit(77)
    unittest.main(module="__main__", verbosity=1)
