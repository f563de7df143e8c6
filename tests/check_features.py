#!/usr/bin/env python3
"""Holds that FEATURES.md is true: every line names tests that exist, or says that it is planned.

A line of its tables is `| what | tests |`, where tests are names in backquotes, or the word planned. Every test of ctest
belongs to a tier: its label is short or full.
"""
import json
import os
import pathlib
import re
import subprocess
import sys

BUILD = os.environ.get("JARVIS_BUILD_DIR", "build/debug")
SOURCE = pathlib.Path(os.environ.get("JARVIS_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[1]))


def tiers():
    shown = subprocess.run(["ctest", "--test-dir", BUILD, "--show-only=json-v1"], check=True, stdout=subprocess.PIPE).stdout
    found = {}
    for test in json.loads(shown)["tests"]:
        labels = next((p["value"] for p in test.get("properties", []) if p["name"] == "LABELS"), [])
        found[test["name"]] = [label for label in labels if label in ("short", "full")]
    return found


def main():
    problems = []
    tests = tiers()
    for name, labels in tests.items():
        if len(labels) != 1:
            problems.append(f"ctest: {name} must have one of the labels short and full")
    lines = 0
    for number, line in enumerate((SOURCE / "FEATURES.md").read_text().splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or len(cells) != 2 or set(cells[0]) <= set("-: ") or cells[1] == "shown by":
            continue
        lines += 1
        names = re.findall(r"`([^`]+)`", cells[1])
        if cells[1] != "planned" and not names:
            problems.append(f"FEATURES.md:{number}: names no test and is not marked planned: {cells[0]}")
        problems += [f"FEATURES.md:{number}: there is no test {name}" for name in names if name not in tests]
    if lines == 0:
        problems.append("FEATURES.md: no table was found")
    print(*problems, sep="\n")
    print(f"{lines} features, {len(tests)} tests, {len(problems)} problems")
    sys.exit(1 if problems else 0)


main()
