"""j: steps a second inside one job, each one task that does nothing, one after the other and some at once, beside the same program
run without any of it. (Of a peer: with its own command for steps.)"""
import os

from measure import program

# A step takes at most so many times what starting its program alone takes.
GOAL = 12


def run(b):
    at_once = 2 * b.cpus
    with b.system(cores=64) as system:
        for width, what in ((1, "one after the other"), (at_once, f"{at_once} at once")):
            count = b.count(2000, 20) if b.system.name == "jarvis" else b.count(200, 10)
            spawn = program("spawn")
            step = " ".join(map(str, [spawn, width, count, *system.step_words(), "/bin/true"]))
            bare = " ".join(map(str, [spawn, width, 10 * count, "/bin/true"]))
            took, alone = map(float, system.output_of(f"#!/bin/sh\n{step}\n{bare}\n", tasks=at_once).split())
            rate, bound = count / took, 10 * count / alone
            b.row(f"steps, {what}", rate, "1/s", f"fork and exec: {bound:.0f} 1/s", f"{bound / rate:.1f} programs",
                  f"{took / count * 1e3:.2f} ms each", limit=bound / GOAL if b.system.name == "jarvis" else None)
    if os.getuid() == 0 and b.system.name == "jarvis":
        with b.system(cores=64) as system:
            count = b.count(50, 5)
            step = " ".join(map(str, [program("spawn"), 1, count, *system.step_words()[:1], "-n", "64", "/bin/true"]))
            took = float(system.output_of(f"#!/bin/sh\n{step}\n", tasks=64))
            b.row("tasks, in steps of 64", 64 * count / took, "1/s", "", "", f"{took / count * 1e3:.1f} ms for each step")
