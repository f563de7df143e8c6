"""What tests do to the disk under a controller's state folder."""
import os
import subprocess
import unittest

from jarvis_cluster import BUILD

VFS = BUILD / "tests" / "failing_vfs.so"
DISK_MIB = 64


class SmallDisk:
    """A tmpfs over the controller's state folder."""

    def __init__(self, cluster):
        self.path = cluster.state_dir
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=0700", "tmpfs", str(self.path)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise unittest.SkipTest(f"cannot mount a tmpfs: {done.stdout.strip()}")
        self.filler = self.path / "filler"

    def fill(self):
        """To the last byte."""
        with open(self.filler, "ab", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    pass

    def empty(self):
        self.filler.unlink(missing_ok=True)

    def unmount(self):
        subprocess.run(["umount", "-l", str(self.path)], check=False)


class FailingDisk:
    """The layer under SQLite that fails on demand: tests/system/failing_vfs, where its modes are told."""
    settings = f'[plugin.storage.sqlite]\nvfs = "failing"\nvfs_module = "{VFS}"\n'

    def __init__(self, cluster):
        self.control = cluster.folder / "vfs-control"
        cluster.jctld.environment["JARVIS_FAILING_VFS"] = str(self.control)

    def set_mode(self, text):
        new = self.control.with_suffix(".new")
        new.write_text(text + "\n")
        os.rename(new, self.control)
