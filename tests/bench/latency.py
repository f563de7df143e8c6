"""c: how long a job waits when nothing keeps it: from the start of jsub to the script's first line, and from a job's end to the
start of the one that waited for its core."""
import os
import subprocess

from measure import bench_text, percentile, program, spawn_ms

PERCENTS = (50, 95, 99)


def fifo_script(system, name):
    fifo = system.work() / name
    os.mkfifo(fifo, 0o666)
    fifo.chmod(0o666)
    path = system.work() / f"{name}.sh"
    path.write_text(f"#!/bin/sh\necho s >{fifo}\necho e >{fifo}\n")
    path.chmod(0o755)
    return fifo, path


def rows(b, name, times, reference, bound, limit):
    for percent in PERCENTS:
        b.row(f"{name}, p{percent}", percentile(times, percent), "ms", reference, bound, limit=limit)


def start_times(system, count, pause_ms=20):
    """Of jobs that are submitted one by one to an idle cluster, in ms."""
    fifo, script = fifo_script(system, f"starts{system.submitted}")
    words = [*system.submit_words()[:-1], script]
    text = bench_text("latency", "starts", fifo, count, pause_ms, *words, **system.how())
    system.submitted += count
    return [float(line) for line in text.split()]


def gap_times(system, count):
    """Between an end and the next start of jobs that wait for one core, in ms."""
    fifo, system.script = fifo_script(system, "gaps")
    with subprocess.Popen([program("latency"), "gaps", fifo, str(count)], stdout=subprocess.PIPE, text=True) as reader:
        system.submit(count + 1, window=64)
        times = [float(line) for line in reader.communicate()[0].split()]
    system.wait_ended(system.submitted)
    return times


def run(b):
    count = b.count(1000, 40)
    with b.system(cores=2) as system:
        start = spawn_ms(b.count(500), *system.version_words(), **system.how())
        fsync = 1e3 / b.fsync
        limit = start + 2 * fsync
        rows(b, "from jsub's start to the script's first line", start_times(system, count),
             f"start of jsub and two fsyncs: {limit:.2f} ms", "processes: jsub, the job's, its shell", limit)
        system.account()
    with b.system(cores=1) as system:
        rows(b, "from an end to the start of the next", gap_times(system, count), f"an fsync: {fsync:.2f} ms",
             "the end's way to the controller, an fsync, the start's way back", fsync)
        system.account()
