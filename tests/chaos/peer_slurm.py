"""The campaign's stream of submits and its kill -9 of the controller, done to Slurm.

A job appends a line to a file of its own, by the name that its submitter gave it, so whether it ran, and how often, is seen
without asking Slurm, which forgets jobs soon after their end.
"""
import contextlib
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench" / "slurm"))
# pylint: disable=wrong-import-position
from jarvis_books import Loss
from slurm_cluster import SlurmCluster, SlurmFailure, why_no_slurm  # noqa: F401    # why_no_slurm: for those who import this

SCRIPT = """#!/bin/sh
echo "$SLURM_JOB_ID" >> "{folder}/ran-$SLURM_JOB_NAME"
sleep {pause}
"""
QUIET_SECONDS = 120


class Client(threading.Thread):
    """Submits without a pause until it is told to stop; remembers what was acknowledged."""

    def __init__(self, slurm, folder, prefix, seed):
        super().__init__(daemon=True)
        self.slurm, self.prefix, self.chance = slurm, prefix, random.Random(seed)
        self.acknowledged, self.unknown = {}, []        # name: id
        self.stopping = threading.Event()
        self.script = folder / f"{prefix}.sh"
        self.script.write_text(SCRIPT.format(folder=folder, pause=0.1))

    def run(self):
        number = 0
        while not self.stopping.is_set():
            time.sleep(self.chance.uniform(0, 0.1))
            name = f"{self.prefix}-{number}"
            number += 1
            try:
                job = self.slurm.submit(self.script, "-J", name, "-o", "/dev/null")
            except (SlurmFailure, subprocess.TimeoutExpired):
                job = None
            if job is None:
                self.unknown.append(name)
                time.sleep(0.1)
            else:
                self.acknowledged[name] = str(job)


def one_round(slurm, folder, number, chance, clients):
    streams = [Client(slurm, folder, f"r{number}c{client}", chance.random()) for client in range(clients)]
    for stream in streams:
        stream.start()
    time.sleep(chance.uniform(0.1, 0.8))
    slurm.kill_controller()
    time.sleep(chance.uniform(0.1, 1.5))
    slurm.start_controller()
    time.sleep(1)
    for stream in streams:
        stream.stopping.set()
    for stream in streams:
        stream.join()
    return streams


def wait_quiet(slurm):
    """Until no job waits or runs, or nothing has moved for long; returns the ids of those that still do."""
    last, end = None, 0
    while jobs := set(slurm.jobs()):
        if jobs != last:
            last, end = jobs, time.monotonic() + QUIET_SECONDS
        if time.monotonic() > end:
            break
        time.sleep(0.5)
    return {str(job) for job in jobs}


def losses(folder, streams, left):
    ids, found = {}, []
    for stream in streams:
        for name, job in stream.acknowledged.items():
            if job in ids:
                found.append(Loss("doubled", f"id {job} was given to {ids[job]} and to {name}"))
            ids[job] = name
            ran = (folder / f"ran-{name}").read_text().split() if (folder / f"ran-{name}").exists() else []
            if not ran and job in left:
                found.append(Loss("left", f"job {job} ({name}) waits and does not run"))
            elif not ran:
                found.append(Loss("lost", f"job {job} ({name}) was acknowledged and never ran"))
            elif len(ran) > 1:
                found.append(Loss("doubled", f"job {job} ({name}) ran as {ran}"))
    return found


def run(row, rounds, seed, clients):
    """Fills a row of the table with what the rounds came to."""
    chance = random.Random(seed)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="jarvis-chaos-slurm-"))
    try:
        with SlurmCluster(folder / "slurm", nodes=2, cores=8) as slurm:
            streams = []
            for number in range(rounds):
                streams += one_round(slurm, folder, number, chance, clients)
                row.rounds += 1
                with contextlib.suppress(SlurmFailure):
                    slurm.wait_nodes()
                    row.healed += 1
            row.losses = losses(folder, streams, wait_quiet(slurm))
            row.acknowledged = sum(len(stream.acknowledged) for stream in streams)
            row.unknown = sum(len(stream.unknown) for stream in streams)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return row
