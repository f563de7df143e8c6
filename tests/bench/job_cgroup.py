"""i: what a job's cgroup costs, limited, read back, kept from devices and removed, beside the bare mkdir, write and rmdir of it: here, and
in a virtual machine, which has all controllers of cgroup v2."""
import json
import os
import pathlib
import subprocess
import sys

from measure import bench_json, program
from end_to_end import own_cgroup

GOAL = 1.2
VM = pathlib.Path(__file__).resolve().parents[1] / "vm/run"
CONTROLLERS = "cpuset cpu memory pids io"
# The group of the benchmark, in the guest, with all controllers for the groups below it.
IN_GUEST = ('for at in /sys/fs/cgroup /sys/fs/cgroup/bench; do mkdir -p "$at"; for one in %s; do echo "+$one" >"$at/cgroup.subtree_control"; '
            'done; done; exec "$@"') % CONTROLLERS


def row(b, where, seen):
    ratio = seen["shepherd_us"] / seen["bare_us"]
    b.row(f"a job's cgroup, {where}", ratio, "times", f"bare calls: 1, goal: {GOAL}", "reading back" if seen["values"] else "mkdir and rmdir",
          f"{seen['shepherd_us']:.1f} us, bare {seen['bare_us']:.1f} us; {seen['values']} values, "
          f"{'with' if seen['devices'] else 'without'} a device program", limit=GOAL)


def in_machine(b):
    words = [VM, "--cpus", "1", "--", "sh", "-ec", IN_GUEST, "sh", program("job_cgroup"), "/sys/fs/cgroup/bench", b.count(500, 20), 5]
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode != 0:
        sys.exit(f"bench_job_cgroup in a virtual machine: exit {done.returncode}")
    return json.loads(done.stdout)


def run(b):
    here = False
    with own_cgroup() as group:
        for path in group:
            here = True
            row(b, "this machine", bench_json("job_cgroup", path, b.count(2000, 20), 5))
    if not (b.quick and here) and os.environ.get("JARVIS_NO_VM") != "1":
        row(b, "emulated machine, all controllers", in_machine(b))
