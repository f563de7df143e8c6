#!/usr/bin/env python3
"""How fast Jarvis is, each figure beside what bounds it. Run by tests/bench/run.sh on a quiet machine.

    bench.py [--quick] [--json FILE] [--folder DIR]

--folder is where the controller's state and the jobs' output go (default: a new folder in /tmp): its disk is measured too.
"""
import argparse
import os
import pathlib
import tempfile

from measure import BUILD, CpuTime, Table, bench, verdict
from jarvis_cluster import IS_ROOT, Cluster

SCRIPT = "#!/bin/sh\nexit 0\n"


class Bench:
    def __init__(self, options):
        self.quick = options.quick
        self.folder = options.folder
        self.table = Table("jarvis.bench/1", f"state on {self.folder}")
        self.row = self.table.row

    def count(self, number):
        return max(number // 20, 8) if self.quick else number

    def process_start(self):
        count = self.count(2000)
        empty = bench("spawn", 1, count, BUILD / "bench" / "bench_empty") / count * 1e3
        jsub = bench("spawn", 1, count, BUILD / "bin" / "jsub", "--version") / count * 1e3
        self.row("process start, jsub --version", jsub, "ms", f"empty C program: {empty:.2f} ms",
                 f"loading its libraries: {jsub / empty:.1f} times the empty program")
        return jsub

    def submits(self, c, fsync, start_ms):
        script = c.script(SCRIPT)
        environment = os.environ | {"JARVIS_CONF": str(c.config_path)}
        for at_once in (1, 8):
            count = self.count(1000)
            cpu = CpuTime(jctld=c.jctld.process.pid)
            seconds = bench("spawn", at_once, count, BUILD / "bin" / "jsub", "-H", script, env=environment, cwd=c.work())
            rate = count / seconds
            each = f"of {seconds / count * 1e3:.2f} ms each, process start takes {start_ms:.2f} ms, an fsync {1e3 / fsync:.2f} ms"
            self.row(f"durable submits, command line, {at_once} at once", rate, "jobs/s", f"fsyncs of this disk: {fsync:.0f} /s",
                     verdict(cpu.shares(), each if at_once == 1 else "waiting for the disk"))
        count = self.count(20000)
        cpu = CpuTime(jctld=c.jctld.process.pid)
        seconds = bench("pipeline", c.socket_path, count, 256, script, c.work())
        self.row("durable submits, one connection, pipelined", count / seconds, "jobs/s", f"fsyncs of this disk: {fsync:.0f} /s",
                 verdict(cpu.shares(), "waiting for the disk"))

    def jobs(self, c):
        count = self.count(2000)
        script = c.script(SCRIPT)
        folder = c.folder / "bound"
        folder.mkdir()
        group = None
        mount = Cluster.cgroup_mount()
        if IS_ROOT and mount:
            group = pathlib.Path(mount, f"jarvis-bench-{os.getpid()}")
            group.mkdir()
        try:
            bound = count / bench("bound", 2, count, script, folder, *([group] if group else []))
        finally:
            if group:
                group.rmdir()
        launcher = dict(zip(("launcher",), c.shepherd_pids()))
        cpu = CpuTime(jctld=c.jctld.process.pid, jnoded=c.jnoded.process.pid, **launcher)
        seconds = bench("pipeline", c.socket_path, count, 64, script, c.work(), "--run")
        rate = count / seconds
        self.row("trivial jobs, submit to end, 2 at once", rate, "jobs/s", f"bare launcher in C: {bound:.0f} jobs/s",
                 f"{rate / bound:.2f} of the bare launcher; " + verdict(cpu.shares(), "the way from an end to the next start"))

    def run(self):
        start_ms = self.process_start()
        fsync = bench("fsync", self.folder, 0.2 if self.quick else 5)
        # One connection submits as fast as it can: no limit but the controller's own.
        with Cluster(extra="", log='level = "info"', limits="requests_per_second = 0", node_cores=min(2, os.cpu_count())) as c:
            self.submits(c, fsync, start_ms)
            user = c.json("jq", "--json")["jobs"][0]["user"]
            c.run("jcancel", "-u", user, check=0)
            self.jobs(c)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small counts: shows that it works, measures nothing")
    parser.add_argument("--json", help="write the rows there too")
    parser.add_argument("--folder", help="where state and output go")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jarvis-bench-", dir=options.folder) as folder:
        os.chmod(folder, 0o755)
        tempfile.tempdir = options.folder = folder
        result = Bench(options)
        result.run()
    if options.json:
        result.table.write(options.json)


main()
