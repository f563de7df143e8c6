"""The faults of the crash campaign: what each does to a cluster, and what ends its cause.

strike() harms the cluster and heal() takes the cause away, as a service manager, a returning network or a disk that was
made room on does. Nobody touches Jarvis itself: whether it is well again after heal() is the question.
"""
import contextlib
import os
import pathlib
import random
import signal
import time

from jarvis_cluster import processes_of, wait_for
from jarvis_storage import VFS, FailingDisk, SmallDisk

HEARTBEAT = 0.2                 # s; a node is unreachable after three of them
DOWN_AFTER = 2.0                # s, for the faults that are about it
NODES = 2


class Fault:
    """One kind of harm, done again and again to one cluster. The docstring of each is its line in the table."""
    excuses = ()                # ends that a job may have because of it (see jarvis_books)
    down_after = 3600.0         # s
    extra = ""                  # of the configuration
    seconds = (0.1, 1.5)        # for how long it lasts

    def __init__(self, c, chance):
        self.c, self.chance = c, chance

    @classmethod
    def missing(cls):
        """What this machine lacks for it, or nothing."""
        return None

    def prepare(self):
        """Before the daemons start."""

    def strike(self):
        raise NotImplementedError

    def heal(self):
        raise NotImplementedError

    def check(self):
        """What has to hold besides the books, when all jobs have ended: lines that say what does not."""
        return []

    def close(self):
        """After the daemons' end."""

    # --- parts of many

    def victim(self):
        return self.chance.choice(self.c.nodes)

    def start_daemons(self):
        for daemon in (self.c.jctld, *self.c.nodes):
            if not daemon.running():
                daemon.stop()
                daemon.start()

    def kill_processes(self, choose):
        """Kills the processes of Jarvis that started from the launcher and are chosen by their name."""
        killed = []
        for pid, command in processes_of(str(self.c.folder)).items():
            with contextlib.suppress(OSError, ProcessLookupError):
                name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
                if "jshepherd" in command.split(" ")[0] and choose(pid, name, command):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
        return killed


PF_FORKNOEXEC = 0x40            # of the flags in /proc/PID/stat: a copy of its parent, as shepherds are of their template


def is_copy(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[6]) & PF_FORKNOEXEC


def is_template(pid, name, command):
    return command.startswith("jshepherd: template") and not is_copy(pid)


def is_shepherd(pid, name, command):
    return name.startswith("job_")


class ControllerKilled(Fault):
    """jctld: kill -9"""

    def strike(self):
        self.c.jctld.kill()

    def heal(self):
        self.c.jctld.start()


class NodeDaemonKilled(Fault):
    """jnoded: kill -9, with running jobs"""

    def strike(self):
        self.node = self.victim()
        self.node.kill()

    def heal(self):
        self.node.start()


class TemplateKilled(Fault):
    """shepherds' templates: kill -9"""
    seconds = (0, 0.2)

    def strike(self):
        wait_for(lambda: self.kill_processes(is_template), "a template to kill")

    def heal(self):
        """The launcher starts new ones."""


class LauncherKilled(Fault):
    """launcher: kill -9"""
    seconds = (0, 0.2)

    def strike(self):
        wait_for(lambda: self.kill_processes(lambda pid, name, command: " --socket " in command and not is_copy(pid)),
                 "a launcher to kill")

    def heal(self):
        """The node daemon starts a new one."""


class ShepherdsKilled(Fault):
    """shepherds of running jobs: kill -9"""
    excuses = ("system",)
    seconds = (0, 0.2)

    def strike(self):
        wait_for(lambda: self.kill_processes(is_shepherd), "a shepherd to kill")

    def heal(self):
        """Their jobs end as FAILED, class system."""


class AllKilled(Fault):
    """all daemons, launchers, templates and shepherds: kill -9"""
    excuses = ("system",)

    def strike(self):
        for daemon in self.chance.sample([self.c.jctld, *self.c.nodes], 1 + NODES):
            daemon.kill()
        self.kill_processes(lambda *_: True)

    def heal(self):
        self.start_daemons()


class PowerLost(Fault):
    """a node loses its power and boots again"""
    excuses = ("NODE_FAIL",)

    def strike(self):
        self.node = self.victim()
        self.node.kill()
        self.c.kill_processes_of(self.node)

    def heal(self):
        self.node.reboot()
        self.node.start()


class LinkCut(Fault):
    """a node's network: cut both ways, or one way"""
    seconds = (0.1, 4.0)

    def strike(self):
        self.node = self.victim()
        self.node.cut(*self.chance.choice((("input",), ("output",), ("input", "output"))))

    def heal(self):
        self.node.heal()


class LinkCutForLong(LinkCut):
    """a node's network: cut for longer than down_after"""
    excuses = ("NODE_FAIL",)
    down_after = DOWN_AFTER
    seconds = (4.0, 6.0)


class AllLinksDown(Fault):
    """the links of all nodes: down"""
    seconds = (0.1, 3.0)

    def strike(self):
        for node in self.c.nodes:
            node.link_down()

    def heal(self):
        for node in self.c.nodes:
            node.link_up()


class DiskFull(Fault):
    """the controller's disk: full (a tmpfs, to the last byte)"""
    seconds = (0.1, 6.0)

    @classmethod
    def missing(cls):
        return None if os.getuid() == 0 else "a tmpfs needs root"

    def prepare(self):
        self.disk = SmallDisk(self.c)

    def strike(self):
        self.disk.fill()

    def heal(self):
        self.disk.empty()

    def close(self):
        self.disk.unmount()


class FailingStorage(Fault):
    """the controller's storage: I/O errors on everything"""
    mode = "eio"
    extra = FailingDisk.settings
    seconds = (0.1, 6.0)

    @classmethod
    def missing(cls):
        return None if VFS.exists() else f"there is no {VFS}"

    def prepare(self):
        self.disk = FailingDisk(self.c)

    def strike(self):
        self.disk.set_mode(self.mode)

    def heal(self):
        self.disk.set_mode("ok")


class ReadOnlyStorage(FailingStorage):
    """the controller's storage: read-only"""
    mode = "readonly"


class UnknownOutcome(FailingStorage):
    """the controller's storage: a commit that reaches the disk and reports an error"""
    mode = "unknown once only=journal"


class ControllerStopped(Fault):
    """jctld: SIGSTOP beyond the time-outs of nodes"""
    seconds = (1.0, 4.0)

    def strike(self):
        self.c.jctld.process.send_signal(signal.SIGSTOP)

    def heal(self):
        self.c.jctld.process.send_signal(signal.SIGCONT)


class NodeDaemonStopped(Fault):
    """jnoded: SIGSTOP until it is unreachable"""
    seconds = (1.0, 4.0)

    def strike(self):
        self.node = self.victim()
        self.node.process.send_signal(signal.SIGSTOP)

    def heal(self):
        self.node.process.send_signal(signal.SIGCONT)


class NodeDaemonStoppedForLong(NodeDaemonStopped):
    """jnoded: SIGSTOP for longer than down_after"""
    excuses = ("NODE_FAIL",)
    down_after = DOWN_AFTER
    seconds = (4.0, 6.0)


class LaunchersStopped(Fault):
    """launchers and templates: SIGSTOP"""
    seconds = (0.5, 3.0)

    def strike(self):
        self.stopped = []
        for pid, command in processes_of(str(self.c.folder)).items():
            with contextlib.suppress(OSError, ProcessLookupError):
                name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
                if "jshepherd" in command.split(" ")[0] and not is_shepherd(pid, name, command):
                    os.kill(pid, signal.SIGSTOP)
                    self.stopped.append(pid)

    def heal(self):
        for pid in self.stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


class ClocksJump(Fault):
    """the clocks of all daemons: an hour and a year forward and back"""
    seconds = (1.0, 3.0)
    LIMIT = 6                   # s, the time limit of the jobs whose ends are watched
    TOLERANCE = 5               # s that an end may be early or late
    LIBRARY = "libfaketime.so.1"

    @classmethod
    def library(cls):
        found = [path for path in pathlib.Path("/usr/lib").glob(f"*/faketime/{cls.LIBRARY}")]
        return str(found[0]) if found else None

    @classmethod
    def missing(cls):
        return None if cls.library() else "package libfaketime"

    def prepare(self):
        self.clock = self.c.folder / "clock"
        self.set_clock("+0")
        for daemon in (self.c.jctld, *self.c.nodes):
            daemon.environment |= {"LD_PRELOAD": self.library(), "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
                                   "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
        self.watched, self.problems, self.seen_down = [], [], set()

    def set_clock(self, offset):
        new = self.clock.with_suffix(".new")
        new.write_text(offset + "\n")
        os.rename(new, self.clock)

    def strike(self):
        tag = f"limit-{len(self.watched)}"
        # A limit of the job's own; the script notes when it began and when it was asked to end.
        self.c.submit("-o", "/dev/null", "-t", f"0:{self.LIMIT:02}", script=(
            f"#!/bin/sh\ntrap 'date +%s.%N > {tag}.end; exit 1' TERM\ndate +%s.%N > {tag}.new; mv {tag}.new {tag}.start\n"
            "while :; do sleep 0.1; done\n"))
        self.watched.append(tag)
        self.started(tag)
        for offset in self.chance.sample(("+3600", "-3600", "+365d", "-365d"), 2):
            self.set_clock(offset)
            time.sleep(self.chance.uniform(0.3, 1.0))
            self.look_at_nodes()

    def started(self, tag):
        wait_for((self.c.work() / f"{tag}.start").exists, f"the job {tag} to start", 120)

    def look_at_nodes(self):
        self.seen_down |= {f"node {name} became {state} when the clocks jumped" for name, state in self.c.node_states().items()
                           if state == "down"}

    def heal(self):
        self.look_at_nodes()
        self.set_clock("+0")

    def check(self):
        problems = sorted(self.seen_down)
        for tag in self.watched:
            start = float((self.c.work() / f"{tag}.start").read_text())
            path = self.c.work() / f"{tag}.end"
            if not path.exists():
                problems.append(f"{tag} was not asked to end")
                continue
            lasted = float(path.read_text()) - start
            if abs(lasted - self.LIMIT) > self.TOLERANCE:
                problems.append(f"{tag}: a job of {self.LIMIT} s was asked to end after {lasted:.1f} s")
        return problems


ALL = {
    "jctld-killed": ControllerKilled, "jnoded-killed": NodeDaemonKilled, "template-killed": TemplateKilled, "launcher-killed": LauncherKilled,
    "shepherds-killed": ShepherdsKilled, "all-killed": AllKilled, "power-lost": PowerLost, "link-cut": LinkCut,
    "link-cut-long": LinkCutForLong, "links-down": AllLinksDown, "disk-full": DiskFull, "storage-eio": FailingStorage,
    "storage-readonly": ReadOnlyStorage, "storage-unknown": UnknownOutcome, "jctld-stopped": ControllerStopped,
    "jnoded-stopped": NodeDaemonStopped, "jnoded-stopped-long": NodeDaemonStoppedForLong, "launchers-stopped": LaunchersStopped,
    "clocks": ClocksJump,
}


def network_settings(fault):
    """What the cluster of a fault is made with: two nodes of eight virtual cores, so that many jobs run at once."""
    return {"nodes": NODES, "namespaces": True, "node_cores": 8, "extra": fault.extra, "start": False,
            "controller": f'heartbeat = "{HEARTBEAT * 1000:.0f}ms"\nkill_grace = "2s"\ndown_after = "{fault.down_after:.0f}s"'}


def make(name, c, seed):
    return ALL[name](c, random.Random(seed))
