#!/usr/bin/env python3
"""What many nodes cost the controller, each figure beside what bounds it. Run by tests/bench/run.sh on a quiet machine.

    nodes.py [--quick] [--tls] [--nodes N] [--cores N] [--jobs N] [--json FILE] [--folder DIR]

The controller, its storage and its connections are real. The nodes are simulated by one process (bench_node_load) that has
the product's node core and a connection for each of them (a UNIX socket, or with --tls a TLS one with a certificate for each
node, where every start is signed and checked), and jobs that do nothing but take their time. Every job must have been
launched once, ended once, and be in the accounting history once.
"""
import argparse
import contextlib
import json
import os
import pathlib
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

from measure import BUILD, CpuTime, DiskWaits, Table, bench, bench_json, share_text, threads_of, what_bounds
from jarvis_cluster import Cluster, Failure, wait_for

SCRIPT = "#!/bin/sh\nexit 0\n"
MINUTES = 60


class Load:
    """The simulated nodes."""

    def __init__(self, c, threads):
        self.process = subprocess.Popen(
            [BUILD / "bench" / "bench_node_load", "--config", c.config_path, "--threads", str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def stats(self):
        self.tell("stats")
        line = self.process.stdout.readline()
        if not line:
            raise Failure(f"bench_node_load has ended with {self.process.wait()}")
        return json.loads(line)

    def wait(self, condition, what, seconds=5 * MINUTES):
        """Until the counts are so; returns them."""
        last = {}

        def there():
            last.update(self.stats())
            return condition(last) and last
        return wait_for(there, lambda: f"{what}, last seen {last}", seconds)

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise Failure(f"bench_node_load has ended with {self.process.returncode}")


class Probe:
    """How long the controller takes to answer meanwhile."""

    def __init__(self, c):
        self.process = subprocess.Popen([BUILD / "bench" / "bench_probe", c.socket_path, "5"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def close(self):
        out, _ = self.process.communicate()
        return json.loads(out)


def resident_mib(pid):
    fields = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024


def rates(before, after, seconds):
    """Messages per second and direction, for a row's text."""
    return ", ".join(f"{(after[name] - before[name]) / seconds:.0f} messages/s {direction} nodes"
                     for name, direction in (("from_nodes", "from"), ("to_nodes", "to")))


class Measured:
    """CPU of the controller and its threads, messages and groups, from here to done()."""

    def __init__(self, b):
        self.b = b
        self.groups = b.status()["sequence"]
        self.stats = b.load.stats()
        self.threads = threads_of(b.jctld)
        self.cpu = CpuTime(jctld=b.jctld, nodes=b.load.pid)
        self.disk = DiskWaits(b.jctld, "journal")
        self.begin = time.monotonic()

    def done(self):
        self.seconds = time.monotonic() - self.begin
        self.jctld_cpu = self.cpu.used("jctld")
        self.shares = self.cpu.shares()
        self.disk_share = self.disk.share()
        after = threads_of(self.b.jctld)
        used = {name: seconds - self.threads.get(name, 0) for name, seconds in after.items()}
        busiest = max(used, key=used.get)
        self.busiest_name, self.busiest_share = busiest.split(" ")[0], used[busiest] / self.seconds
        now = self.b.load.stats()
        self.messages = rates(self.stats, now, self.seconds)
        self.delta = {name: now[name] - self.stats[name] for name in now}
        self.groups_a_second = (self.b.status()["sequence"] - self.groups) / self.seconds
        return self

    def bound(self, waiting):
        return what_bounds(self.busiest_name, self.busiest_share, self.shares["machine"], self.disk_share, waiting)

    def details(self):
        return (f"{share_text(self.shares)}; jctld's busiest thread: {self.busiest_name}, {self.busiest_share:.0%}; its journal waits "
                f"for the disk {self.disk_share:.0%} of the time, {self.groups_a_second:.0f} groups/s; {self.messages}")


class Nodes:
    def __init__(self, options):
        self.quick, self.folder, self.threads, self.tls = options.quick, options.folder, options.threads, options.tls
        self.nodes = options.nodes or (20 if self.quick else 1000)
        self.cores = options.cores
        self.jobs = options.jobs or (200 if self.quick else 20000)
        self.submitted = 0
        self.table = Table("jarvis.bench-nodes/1", f"{self.nodes} nodes of {self.cores} cores{' over TLS' if self.tls else ''}, state on {self.folder}")
        self.row = self.table.row
        self.fsync = bench("fsync", self.folder, 0.2 if self.quick else 5)

    @property
    def jctld(self):
        return self.c.jctld.process.pid

    def status(self):
        return self.c.json("jadmin", "ping", "--json")["result"]

    def all_welcome(self):
        return self.load.wait(lambda s: s["welcomed"] == self.nodes, f"{self.nodes} nodes to be welcome")

    def submit(self, count, window, mode):
        return bench_json("pipeline", f"socket={self.c.socket_path}", f"count={count}", f"window={window}", f"mode={mode}",
                          f"script={self.script}", f"folder={self.c.work()}")["seconds"]

    # --- the rows

    def registrations(self):
        before = resident_mib(self.jctld)
        cpu = CpuTime(jctld=self.jctld)
        begin = time.monotonic()
        self.load = Load(self.c, self.threads)
        stats = self.all_welcome()
        seconds = stats["last_welcome_us"] / 1e6 - begin
        each = cpu.used("jctld") / self.nodes
        self.row(f"registrations, {self.nodes} nodes at once", self.nodes / seconds, "nodes/s", f"fsyncs of this disk: {self.fsync:.0f} /s",
                 "the CPUs, start of the load program included", f"{each * 1e3:.2f} ms of jctld's CPU each; {share_text(cpu.shares())}")
        self.row("memory of the controller with them", resident_mib(self.jctld), "MiB", f"before they came: {before:.1f} MiB", "")

    def heartbeats(self):
        wanted = self.nodes * (2 if self.quick else 10)
        probe = Probe(self.c)
        m = Measured(self)
        self.load.wait(lambda s: s["reports"] - m.stats["reports"] >= wanted, f"{wanted} heartbeats")
        m.done()
        answers = probe.close()
        each = m.jctld_cpu / m.delta["reports"]
        self.row("heartbeats, one a second and node", m.delta["reports"] / m.seconds, "/s",
                 f"answers: {answers['median_ms']:.1f} ms, worst {answers['worst_ms']:.0f} ms", "the interval",
                 f"{each * 1e6:.0f} us of jctld's CPU each: one in 10 s and node takes {self.nodes / 10 * each:.1%} of a core; {m.details()}")

    def run_jobs(self, name, count, window, run_ms):
        self.load.tell(f"run {run_ms}")
        m = Measured(self)
        seconds = self.submit(count, window, "run")
        m.done()
        self.submitted += count
        rate = count / seconds
        slots = self.nodes * self.cores
        reference = f"{slots} cores could: {slots / run_ms * 1e3:.0f} jobs/s" if run_ms else f"fsyncs of this disk: {self.fsync:.0f} /s"
        waiting = f"the way from an end to the next start, {window} jobs under way"
        self.row(name, rate, "jobs/s", reference, m.bound(waiting),
                 f"{m.jctld_cpu / count * 1e3:.3f} ms of jctld's CPU a job; {m.details()}")

    def restart(self):
        """kill -9, and all nodes come back, each with a job that goes on."""
        jobs = self.nodes
        self.load.tell("run 3000")
        self.submit(jobs, 256, "leave")
        self.submitted += jobs
        self.load.wait(lambda s: s["launched"] == self.submitted, "the jobs to be launched")
        self.c.jctld.stop(signal.SIGKILL)
        before = self.load.wait(lambda s: s["welcomed"] == 0, "the nodes to notice")
        begin = time.monotonic()
        self.c.jctld.start()
        probe = Probe(self.c)
        cpu = CpuTime(jctld=self.jctld)
        stats = self.all_welcome()
        used = cpu.used("jctld")
        seconds = stats["last_welcome_us"] / 1e6 - begin
        answers = probe.close()
        self.row("all nodes back after kill -9 of jctld", seconds, "s", f"answers: {answers['median_ms']:.1f} ms, worst {answers['worst_ms']:.0f} ms",
                 "the nodes' pause before they dial, up to 5 s",
                 f"{used / self.nodes * 1e3:.2f} ms of jctld's CPU each, its recovery included; "
                 f"{stats['registrations'] - before['registrations']} Register messages")
        wait_for(lambda: self.status()["active_jobs"] == 0, "the jobs that went on meanwhile to end", 5 * MINUTES)

    def books(self):
        """Every job once, wherever it is counted."""
        stats = self.load.wait(lambda s: s["forgotten"] >= self.submitted, "all ends to be acknowledged")
        wait_for(lambda: self.status()["history_sequence"] == self.status()["sequence"], "the history to be complete", MINUTES)
        with contextlib.closing(sqlite3.connect(f"file:{self.c.state_dir}/history.db?mode=ro", uri=True)) as database:
            rows, distinct = database.execute("SELECT count(*), count(DISTINCT job) FROM jobs").fetchone()
        seen = {"launched": stats["launched"], "ended": stats["ended"], "acknowledged": stats["forgotten"],
                "history": rows, "jobs in the history": distinct}
        wrong = {name: count for name, count in seen.items() if count != self.submitted}
        wrong |= {name: stats[name] for name in ("launched_twice", "signalled", "refused") if stats[name]}
        completed = len(self.c.json("jacct", "--states", "COMPLETED", "--json")["jobs"]) if self.quick else self.submitted
        if completed != self.submitted:
            wrong["completed"] = completed
        if wrong:
            raise Failure(f"{self.submitted} jobs were submitted, and the counts do not add up: {wrong}")
        print(f"{self.submitted} jobs: each launched once, ended once, in the history once")

    def connect_by_tls(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % free.getsockname()[1]
        pki = self.c.folder / "pki"
        for words in (("init", "--name", self.c.cluster_name), ("node", self.c.node)):
            self.c.run("jadmin", "pki", words[0], "--dir", pki, *words[1:], check=0, seconds=10 * MINUTES)
        text = self.c.config_path.read_text()
        self.c.config_path.write_text(text.replace("[controller]\n", f'[controller]\nlisten = ["{address}"]\naddresses = ["{address}"]\n')
                                      + f'\n[tls]\nca = "{pki}/ca.crt"\n')

    def run(self):
        c = Cluster(start=False, log='level = "info"', limits="requests_per_second = 0", controller='heartbeat = "1s"',
                    node_cores=self.cores, jnoded='name = "s0001"')
        self.c = c
        c.node = f"s[0001-{self.nodes:04}]"
        c.write_config()
        self.script = c.script(SCRIPT)
        if self.tls:
            self.connect_by_tls()
        try:
            c.jctld.start()
            c.wait_controller()
            self.registrations()
            self.heartbeats()
            slots = self.nodes * self.cores
            self.run_jobs("trivial jobs, most nodes idle", self.jobs, min(512, slots), 0)
            run_ms = 100 if self.quick else 1000
            self.run_jobs("jobs on full nodes, others wait", self.jobs, slots + slots // 4, run_ms)
            self.row("memory of the controller after these", resident_mib(self.jctld), "MiB", f"{self.submitted} jobs, all ended and known", "")
            self.restart()
            self.books()
            self.load.close()
            c.jctld.stop()
        except BaseException:
            print(c.jctld.tail(), file=sys.stderr)
            raise
        finally:
            if hasattr(self, "load") and self.load.process.poll() is None:
                self.load.process.kill()
            c.end_everything()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 nodes and few jobs: shows that it works, measures nothing")
    parser.add_argument("--tls", action="store_true", help="connections over TLS instead of a UNIX socket")
    parser.add_argument("--nodes", type=int, help="how many (1000)")
    parser.add_argument("--cores", type=int, default=4, help="of each node (4)")
    parser.add_argument("--jobs", type=int, help="in each measurement (20000)")
    parser.add_argument("--threads", type=int, default=1, help="of the simulated nodes (1)")
    parser.add_argument("--json", help="write the rows there too")
    parser.add_argument("--folder", help="where the state goes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jarvis-bench-", dir=options.folder) as folder:
        os.chmod(folder, 0o755)
        tempfile.tempdir = options.folder = folder
        result = Nodes(options)
        result.run()
    if options.json:
        result.table.write(options.json)


main()
