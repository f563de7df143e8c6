"""What the benchmarks share: programs of tests/bench, CPU time of processes and threads, rows of a table."""
import contextlib
import json
import os
import pathlib
import platform
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
from jarvis_cluster import BUILD        # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


def bench(name, *arguments, **how):
    done = subprocess.run([str(BUILD / "bench" / f"bench_{name}"), *map(str, arguments)], stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)
    if done.returncode != 0:
        sys.exit(f"bench_{name} {arguments}: {done.stderr}")
    return float(done.stdout)


def cpu_seconds(folder):
    """Of a process (/proc/PID) or a thread (/proc/PID/task/TID); 0 when it is gone."""
    try:
        fields = pathlib.Path(folder, "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def threads_of(pid):
    """CPU seconds of each thread, by name and number."""
    found = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            name = (task / "comm").read_text(encoding="utf-8").strip()
        except OSError:
            continue
        found[f"{'main' if task.name == str(pid) else name} ({task.name})"] = cpu_seconds(task)
    return found


class DiskWaits:
    """How much of the time a thread waits for the disk, by a look at it fifty times a second."""

    def __init__(self, pid, thread_name):
        tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
        self.stat = next(t / "stat" for t in tasks if (t / "comm").read_text(encoding="utf-8").strip() == thread_name)
        self.looks = self.waits = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        while not self.over.wait(0.02):
            with contextlib.suppress(OSError):
                self.looks += 1
                self.waits += self.stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "D"

    def share(self):
        self.over.set()
        self.thread.join()
        return self.waits / max(self.looks, 1)


class CpuTime:
    """CPU seconds of the machine and of some processes, between two looks."""

    def __init__(self, **pids):
        self.pids = pids
        self.before = self.look()

    def look(self):
        with open("/proc/stat", encoding="ascii") as stat:
            numbers = list(map(int, stat.readline().split()[1:9]))
        seen = {"busy": (sum(numbers) - numbers[3] - numbers[4]) / TICKS, "all": sum(numbers) / TICKS}
        return seen | {name: cpu_seconds(f"/proc/{pid}") for name, pid in self.pids.items()}

    def used(self, name):
        """CPU seconds of one process since the first look."""
        return self.look()[name] - self.before[name]

    def shares(self):
        """The machine's busy share, and each process's share of one core."""
        after = self.look()
        used = {name: after[name] - self.before[name] for name in after}
        seconds = max(used["all"] / os.cpu_count(), 1 / TICKS)
        return {name: used[name] / seconds for name in self.pids} | {"machine": used["busy"] / max(used["all"], 1 / TICKS)}


def share_text(shares):
    return ", ".join([f"machine {shares['machine']:.0%} busy"] + [f"{n} {s:.0%} of a core" for n, s in shares.items() if n != "machine"])


def verdict(shares, waiting):
    if shares["machine"] > 0.85:
        return f"the machine's CPUs ({share_text(shares)})"
    for name in ("jctld", "jnoded"):
        if shares.get(name, 0) > 0.8:
            return f"{name}'s CPU ({share_text(shares)})"
    return f"{waiting} ({share_text(shares)})"


class Table:
    """Rows that are printed as they come, and written as JSON at the end."""

    def __init__(self, schema, what):
        self.schema = schema
        self.rows = []
        print(f"{platform.node()}, {os.cpu_count()} CPUs, Linux {platform.release()}, load {os.getloadavg()[0]:.1f}, {what}")

    def row(self, name, value, unit, reference, bound, details=""):
        self.rows.append({"name": name, "value": value, "unit": unit, "reference": reference, "bound": bound, "details": details})
        print(f"{name:44} {value:10.1f} {unit:9} {reference:38} {bound}", flush=True)
        if details:
            print(f"    {details}", flush=True)

    def write(self, path):
        pathlib.Path(path).write_text(json.dumps({
            "schema": self.schema, "machine": platform.node(), "cpus": os.cpu_count(), "kernel": platform.release(),
            "rows": self.rows}, indent=2) + "\n", encoding="utf-8")
