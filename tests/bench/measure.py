"""What the benchmarks share: programs of tests/bench, CPU time of processes and threads, percentiles, rows of a table."""
import contextlib
import json
import os
import pathlib
import platform
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
from jarvis_cluster import BUILD        # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


# --- programs

def program(name):
    return BUILD / "bench" / f"bench_{name}"


def bench_text(name, *arguments, **how):
    done = subprocess.run([str(program(name)), *map(str, arguments)], stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)
    if done.returncode != 0:
        sys.exit(f"bench_{name} {arguments}: {done.stderr}")
    return done.stdout


def bench(name, *arguments, **how):
    return float(bench_text(name, *arguments, **how))


def bench_json(name, *arguments, **how):
    return json.loads(bench_text(name, *arguments, **how))


def spawn_ms(count, *words, **how):
    """What one run of a command takes, one after the other."""
    return bench("spawn", 1, count, *words, **how) / count * 1e3


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) * percent // 100, len(values) - 1)]


def median(values):
    return percentile(values, 50)


# --- processes

def cpu_seconds(folder):
    """Of a process (/proc/PID) or a thread (/proc/PID/task/TID); 0 when it is gone."""
    try:
        fields = pathlib.Path(folder, "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def thread_name(task, pid):
    return "main" if task.name == str(pid) else (task / "comm").read_text(encoding="utf-8").strip()


def threads_of(pid):
    """CPU seconds of each thread, by name and number."""
    found = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            found[f"{thread_name(task, pid)} ({task.name})"] = cpu_seconds(task)
    return found


def resident(pid):
    """Bytes of memory."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss:"))


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


def what_bounds(busiest, busiest_share, machine_share, disk_share, waiting):
    """In words: the controller's busiest thread, the CPUs, the disk, or else what everybody waits for."""
    if busiest_share > 0.8:
        return f"one thread of the controller: {busiest}"
    if machine_share > 0.85:
        return "the machine's CPUs"
    return "the disk's fsyncs" if disk_share > 0.6 else waiting


class Watch:
    """What a system's processes do from here to done(), and what bounds it."""

    def __init__(self, system):
        self.controller = system.controller_pid
        self.cpu = CpuTime(**system.pids())
        self.threads = threads_of(self.controller)
        self.disk = DiskWaits(self.controller, "journal") if "journal" in str(self.threads) else None
        self.begin = time.monotonic()

    def done(self):
        self.seconds = time.monotonic() - self.begin
        self.shares = self.cpu.shares()
        self.used = {name: seconds - self.threads.get(name, 0) for name, seconds in threads_of(self.controller).items()}
        self.disk_share = self.disk.share() if self.disk else 0
        busiest = max(self.used, key=self.used.get)
        self.busiest_name, self.busiest_share = busiest.split(" ")[0], self.used[busiest] / max(self.seconds, 1 / TICKS)
        return self

    def bound(self, waiting):
        return what_bounds(self.busiest_name, self.busiest_share, self.shares["machine"], self.disk_share, waiting)

    def details(self):
        by_name = {}
        for name, seconds in self.used.items():
            by_name[name.split(" ")[0]] = by_name.get(name.split(" ")[0], 0) + seconds
        threads = ", ".join(f"{name} {seconds / self.seconds:.0%}" for name, seconds in by_name.items() if seconds > 0.02 * self.seconds)
        waits = f"; its journal waits for the disk {self.disk_share:.0%}" if self.disk else ""
        return f"{share_text(self.shares)}; threads of the controller: {threads or 'idle'}{waits}"


def share_text(shares):
    return ", ".join([f"machine {shares['machine']:.0%} busy"] + [f"{n} {s:.0%} of a core" for n, s in shares.items() if n != "machine"])


# --- results

class Table:
    """Rows that are printed as they come, and written as JSON at the end."""

    def __init__(self, schema, what):
        self.schema = schema
        self.rows = []
        print(f"{platform.node()}, {os.cpu_count()} CPUs, Linux {platform.release()}, load {os.getloadavg()[0]:.1f}, {what}")

    def row(self, name, value, unit, reference, bound, details="", limit=None):
        """A figure, what it is compared with in words, and what bounds it; limit is the number that reference tells."""
        self.rows.append({"name": name, "value": value, "unit": unit, "limit": limit, "reference": reference, "bound": bound,
                          "details": details})
        print(f"{name:52} {value:11.2f} {unit:9} {reference:46} {bound}", flush=True)
        if details:
            print(f"    {details}", flush=True)

    def write(self, path):
        pathlib.Path(path).write_text(json.dumps({
            "schema": self.schema, "machine": platform.node(), "cpus": os.cpu_count(), "kernel": platform.release(),
            "rows": self.rows}, indent=2) + "\n", encoding="utf-8")
