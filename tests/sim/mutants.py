#!/usr/bin/env python3
"""That the simulation finds each of the faults of mutations.toml, and that it is needed: that many of them are found by it alone.

    mutants.py SIM_MUTANTS UNIT_TEST... [--seeds A..B]

SIM_MUTANTS and the unit tests are built with the switches of mutate.py in them. Without a fault the programs must find nothing.
"""
import argparse
import os
import re
import subprocess
import sys

from mutate import mutations

LEAST, LEAST_ALONE = 12, 0.5


def run(command, mutation):
    return subprocess.run(command, env=os.environ | {"JARVIS_MUTATION": mutation}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)


def by_simulation(options, mutation):
    """What the simulation says, with the seed; nothing when it finds nothing. A program that is killed found something, too."""
    result = run([options.sim, "--seeds", options.seeds], mutation)
    if result.returncode < 0:
        return f"killed by signal {-result.returncode}"
    found = re.search(r"^seed \d+: .*", result.stdout, re.MULTILINE)
    return found[0] if found else None


def by_unit_tests(options, mutation):
    return any(run([test], mutation).returncode != 0 for test in options.unit_tests)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sim")
    parser.add_argument("unit_tests", nargs="*")
    parser.add_argument("--seeds", default="1..200")
    options = parser.parse_args()
    missing = [program for program in (options.sim, *options.unit_tests) if not os.path.exists(program)]
    if missing:
        print(f"not built: {missing[0]}; build the target mutants")
        return 77
    problems = []
    if found := by_simulation(options, ""):
        problems.append(f"the simulation finds something without any fault: {found}")
    if by_unit_tests(options, ""):
        problems.append("a unit test fails without any fault")
    all_mutations = mutations()
    alone = 0
    for mutation in all_mutations:
        name, found = mutation["name"], by_simulation(options, mutation["name"])
        unit = by_unit_tests(options, name)
        alone += found is not None and not unit
        print(f"{name}\n    {found or 'NOT FOUND'}\n    {'found' if unit else 'not found'} by unit tests", flush=True)
        if not found:
            problems.append(f"not found by seeds {options.seeds}: {name}")
        if unit != mutation["unit"]:
            problems.append(f"mutations.toml says unit = {str(mutation['unit']).lower()}, and it is not so: {name}")
    print(f"{len(all_mutations)} faults, {alone} found by the simulation alone")
    if len(all_mutations) < LEAST or alone < LEAST_ALONE * len(all_mutations):
        problems.append(f"there should be at least {LEAST} faults, and {LEAST_ALONE:.0%} of them found by the simulation alone")
    for problem in problems:
        print(f"mutants.py: {problem}", file=sys.stderr)
    return 1 if problems else 0


sys.exit(main())
