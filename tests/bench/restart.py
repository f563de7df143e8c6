"""e: from the start of a controller that has a long queue to the first submit that it takes."""
import pathlib
import signal
import time

from measure import resident
from depth import LongQueue, depths


def restart(b, system, how):
    """Seconds that the old one took to end, and until the new one had taken a submit."""
    begin = time.monotonic()
    system.c.jctld.stop(how)
    stopped = time.monotonic()
    system.c.jctld.start()
    system.submit(1, patience=600000)
    return stopped - begin, time.monotonic() - stopped


def read_rate(b, system):
    """How fast what a restart reads comes from the disk's cache, in MiB/s, and how much that is."""
    files = [path for path in pathlib.Path(system.c.state_dir).rglob("*") if path.is_file()]
    begin = time.monotonic()
    size = 0
    for path in files:
        with open(path, "rb", buffering=0) as file:
            while piece := file.read(1 << 20):
                size += len(piece)
    return size / 2**20, time.monotonic() - begin


def run(b):
    depth = depths(b)[-1]
    with b.system() as system:
        queue = LongQueue(b, system)
        queue.fill(depth)
        for name, how in (("SIGTERM", signal.SIGTERM), ("kill -9", signal.SIGKILL)):
            # Something behind the last snapshot.
            queue.submit(b.count(5000))
            size, reading = read_rate(b, system)
            stopping, starting = restart(b, system, how)
            b.row(f"restart to the first submit, {depth} waiting, {name}", starting, "s", f"reading its {size:.0f} MiB: {reading:.2f} s",
                  "reading the snapshot, twice, and the journal behind it",
                  f"the old one ended in {stopping:.2f} s; afterwards {resident(system.controller_pid) / 2**20:.0f} MiB", limit=reading)
        system.account()
