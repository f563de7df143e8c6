#!/usr/bin/env python3
"""How fast Jarvis is, each figure beside what bounds it. Run by tests/bench/run.sh on a quiet machine.

    bench.py [LETTER... | all] [--quick] [--json FILE] [--folder DIR] [--deepest N] [--peer slurm]

    a  durable submits a second: by commands, by connections, one by one and with many under way (submits.py)
    b  jobs a second, submit to end: scripts and an array, on one node and on sixteen (end_to_end.py)
    c  from a submit to the script's first line, and from an end to the next start (latency.py)
    d  a long queue: its memory, and what questions, submits and jobs take beside it (depth.py)
    e  a restart with a long queue (restart.py)
    f  jobs and latencies beside a load of queries (queries.py)
    g  what a job costs the controller: CPU and messages (cost.py)
    h  what placement inside a node costs, and what it is good for (placement.py)
    i  what a job's cgroup costs, beside the bare calls that make and remove it (job_cgroup.py)
    j  steps inside a job (steps.py)
    k  jobs a second that are followed by cgroup, beside jobs that are not (levels.py)

--folder is where the controller's state and the jobs' output go (default: a new folder in /tmp): its disk is measured too.
--peer slurm measures a, b, d, f and j of Slurm, as Debian packages it.
"""
import argparse
import functools
import importlib
import os
import pathlib
import sys
import tempfile

from measure import Table, bench
from systems import Jarvis

LETTERS = {"a": "submits", "b": "end_to_end", "c": "latency", "d": "depth", "e": "restart", "f": "queries", "g": "cost", "h": "placement",
           "i": "job_cgroup", "j": "steps", "k": "levels"}
PEER_LETTERS = "abdfj"


class Bench:
    def __init__(self, options, system):
        self.quick, self.folder, self.deepest = options.quick, options.folder, options.deepest
        self.system, self.cpus = system, os.cpu_count()
        self.table = Table("jarvis.bench/2", f"{system.name}, state on {self.folder}")
        self.row = self.table.row

    def count(self, number, least=8):
        return max(number // 50, least) if self.quick else number

    @functools.cached_property
    def fsync(self):
        return bench("fsync", self.folder, 0.2 if self.quick else 3)

    def run(self, letter):
        print(f"--- {letter}", flush=True)
        before = len(self.table.rows)
        importlib.import_module(LETTERS[letter]).run(self)
        rows = self.table.rows[before:]
        if not rows or any(row["value"] <= 0 for row in rows):
            sys.exit(f"{letter}: there are no results, or empty ones: {rows}")
        for row in rows:
            row["letter"] = letter


def peer(name):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / name))
    return importlib.import_module("peer").Peer


def options_of_command_line():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("letters", nargs="*", default=["all"], choices=[*LETTERS, "all"], metavar="LETTER")
    parser.add_argument("--quick", action="store_true", help="small counts: shows that it works, measures nothing")
    parser.add_argument("--json", help="write the rows there too")
    parser.add_argument("--folder", help="where state and output go")
    parser.add_argument("--deepest", type=int, help="the longest queue of d and e (1000000; of a peer 100000)")
    parser.add_argument("--peer", choices=["slurm"], help="measure that instead")
    options = parser.parse_args()
    options.deepest = options.deepest or (100000 if options.peer else 1000000)
    if "all" in options.letters:
        options.letters = PEER_LETTERS if options.peer else LETTERS
    elif options.peer and set(options.letters) - set(PEER_LETTERS):
        parser.error(f"of {options.peer} only {', '.join(PEER_LETTERS)} are measured")
    return options


def main():
    options = options_of_command_line()
    with tempfile.TemporaryDirectory(prefix="jarvis-bench-", dir=options.folder) as folder:
        os.chmod(folder, 0o755)
        tempfile.tempdir = options.folder = folder
        result = Bench(options, peer(options.peer) if options.peer else Jarvis)
        for letter in options.letters:
            result.run(letter)
    if options.json:
        result.table.write(options.json)


main()
