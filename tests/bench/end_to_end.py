"""b: jobs a second from submit to end, beside a launcher that does for each job what has to be done, and nothing else."""
import contextlib
import os
import pathlib
import time

from measure import Watch, bench
from jarvis_cluster import IS_ROOT, Cluster, remove_cgroup_tree

CORES = 64


@contextlib.contextmanager
def own_cgroup():
    """A group for the bare launcher, where there can be one."""
    mount = Cluster.cgroup_mount()
    if not IS_ROOT or not mount:
        yield []
        return
    group = pathlib.Path(mount, f"jarvis-bench-{os.getpid()}")
    group.mkdir()
    try:
        yield [group]
    finally:
        remove_cgroup_tree(group)


def bare_launcher(b, system, count):
    """Jobs a second of bench_bound, two at once; files that it makes stay until the end."""
    folder = pathlib.Path(b.folder, f"bound-{time.monotonic_ns()}")
    folder.mkdir()
    with own_cgroup() as group:
        return count / bench("bound", 2, count, system.script, folder, *group)


def submit_jobs(system, count):
    system.submit(count, 8, 8)
    return count


def measure(b, system, name, count, submit):
    """submit(system, count) returns how many ends that will be."""
    limit = bare_launcher(b, system, count)
    before = system.ended()
    watch = Watch(system)
    begin = time.monotonic()
    ends = submit(system, count)
    submitted = time.monotonic() - begin
    system.wait_ended(before + ends)
    seconds = time.monotonic() - begin
    watch.done()
    rate = count / seconds
    b.row(name, rate, "jobs/s", f"bare launcher in C: {limit:.0f} jobs/s",
          f"{rate / limit:.2f} of the bare launcher; " + watch.bound("the way from an end to the next start"),
          f"submitted after {submitted:.2f} s of {seconds:.2f} s; {watch.details()}", limit=limit)


def run(b):
    count = b.count(5000, 100)
    for nodes in (1, 4 if b.quick else 16):
        with b.system(nodes=nodes, cores=CORES) as system:
            where = f"one node of {CORES} cores" if nodes == 1 else f"{nodes} node daemons"
            measure(b, system, f"scripts, {where}", count, submit_jobs)
            measure(b, system, f"array of tasks, {where}", count, b.system.submit_array)
            system.account()
