"""k: jobs a second from submit to end at level track, whose jobs each have a cgroup, also with a /dev/shm of their own, and at level none,
in turns."""
import time

from end_to_end import CORES
from jarvis_cluster import IS_ROOT, Cluster
from measure import median

PARTITION = '[[partition]]\nname = "batch"\nnodes = "ALL"\ndefault = true\ndefault_time = "1h"\nconfinement = "none"\n'


WITH_SHM = "track with private_shm"


def rate(b, level, count):
    cgroup, shm = "none" if level == "none" else "auto", "on" if level == WITH_SHM else "off"
    with b.system(cores=CORES, partitions=PARTITION, jnoded=f'cgroup = "{cgroup}"\nprivate_shm = "{shm}"') as system:
        before = system.ended()
        begin = time.monotonic()
        system.submit(count, 8, 8)
        system.wait_ended(before + count)
        return count / (time.monotonic() - begin)


def run(b):
    levels = ["none"] + (["track", WITH_SHM] if IS_ROOT and Cluster.cgroup_mount() else [])
    count = b.count(3000, 50)
    rates = {level: [] for level in levels}
    for _ in range(1 if b.quick else 3):
        for level in levels:
            rates[level].append(rate(b, level, count))
    bare = median(rates["none"])
    for level in levels:
        value = median(rates[level])
        b.row(f"scripts at level {level}, one node of {CORES} cores", value, "jobs/s", f"level none: {bare:.0f} jobs/s", f"{value / bare:.2f} of level none",
              f"rounds: {', '.join(f'{one:.0f}' for one in rates[level])}", limit=bare)
