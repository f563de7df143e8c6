"""f: jobs (as in b) and latencies (as in c) beside a steady load of queries, over 200 connections of one program that takes half
a core at most. The control is the same load on a server that answers from a constant: what the machine loses to the clients."""
import contextlib
import json
import subprocess
import time

from measure import median, percentile, program
from latency import start_times

CONNECTIONS = 200


@contextlib.contextmanager
def process(*words, **how):
    """A program that says when it is ready, and ends when its input does."""
    with subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **how) as running:
        assert running.stdout.readline() == "ready\n", words
        yield running
        running.stdin.close()


@contextlib.contextmanager
def constant_server(system):
    socket = system.work() / "constant.sock"
    with process(program("constant_server"), socket):
        yield socket


@contextlib.contextmanager
def beside(system, rate, socket):
    """What runs meanwhile; yields a dictionary that holds the load's own counts afterwards."""
    result = {}
    with process(*system.query_load_words(rate, CONNECTIONS, socket), **system.how()) as load:
        yield result
        load.stdin.close()
        result |= json.loads(load.stdout.read())


def jobs_a_second(b, system):
    count, before = b.count(system.load_jobs, 100), system.ended()
    begin = time.monotonic()
    system.submit(count, 8, 8)
    system.wait_ended(before + count)
    return count / (time.monotonic() - begin)


def measure(b, system, rate, socket):
    """Jobs a second, percentiles of starts, and what the load says."""
    with beside(system, rate, socket) as load:
        jobs = jobs_a_second(b, system)
        times = start_times(system, b.count(system.load_starts, 20), 10)
    return jobs, percentile(times, 50), percentile(times, 99), load


def medians(runs):
    return *(median([run[i] for run in runs]) for i in range(3)), runs[-1][3]


def compare(b, system, rate, constant):
    """The controller and the control in turn, so that both see the same machine."""
    asked, control = [], []
    for _ in range(1 if b.quick else 3):
        control.append(measure(b, system, rate, constant))
        asked.append(measure(b, system, rate, system.query_socket()))
    rows(b, rate, medians(asked), medians(control))


def rows(b, rate, asked, control):
    jobs, p50, p99, load = asked
    base_jobs, base_p50, base_p99, base_load = control
    seen = (f"{load['answered'] / load['seconds']:.0f} answers/s, p50 {load['p50_ms']:.2f} ms, p99 {load['p99_ms']:.2f} ms, "
            f"late {load['late']}; control: {base_load['answered'] / base_load['seconds']:.0f} answers/s")
    b.row(f"jobs beside {rate} queries/s", jobs, "jobs/s", f"control: {base_jobs:.0f} jobs/s",
          f"{jobs / base_jobs:.2f} of the control", seen, limit=base_jobs)
    for percent, value, base in ((50, p50, base_p50), (99, p99, base_p99)):
        b.row(f"jsub to the first line beside {rate} queries/s, p{percent}", value, "ms", f"control: {base:.2f} ms",
              f"{value / base:.2f} of the control", limit=base)


def run(b):
    with b.system(cores=64) as system:
        jobs_a_second(b, system)        # the jobs that are asked for
        with constant_server(system) as constant:
            for rate in (100,) if b.quick else (100, 1000, 5000):
                compare(b, system, rate, constant)
        system.account()
