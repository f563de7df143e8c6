#!/usr/bin/env python3
"""Makes one ctest folder out of the tests of several builds, so that one run has one summary.

    collect.py FOLDER PRESET PREFIX REGEX [PRESET PREFIX REGEX]...

The tests of build/PRESET whose names match REGEX are called PREFIX + name. Tests of a sanitizer's build are told by
JARVIS_TEST_SLOWDOWN how much longer to wait.
"""
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
SLOWDOWN = {"asan": 3, "tsan": 10}


def quoted(text):
    return f"[==[{text}]==]"


def entry(test, prefix, slowdown):
    name = prefix + test["name"]
    properties = {p["name"]: p["value"] for p in test.get("properties", [])}
    properties.pop("_BACKTRACE_TRIPLES", None)
    if slowdown > 1:
        properties["TIMEOUT"] = properties.get("TIMEOUT", 300) * slowdown
        properties["ENVIRONMENT"] = [*properties.get("ENVIRONMENT", []), f"JARVIS_TEST_SLOWDOWN={slowdown}"]
    lines = [f"add_test({quoted(name)} {' '.join(quoted(a) for a in test['command'])})"]
    for key, value in properties.items():
        if isinstance(value, list):
            value = ";".join(value)
        if isinstance(value, bool):
            value = "TRUE" if value else "FALSE"
        lines.append(f"set_tests_properties({quoted(name)} PROPERTIES {key} {quoted(value)})")
    return lines


def main():
    folder = pathlib.Path(sys.argv[1])
    lines = []
    for preset, prefix, regex in zip(*[iter(sys.argv[2:])] * 3, strict=True):
        shown = subprocess.run(["ctest", "--test-dir", ROOT / "build" / preset, "--show-only=json-v1"],
                               check=True, stdout=subprocess.PIPE).stdout
        for test in json.loads(shown)["tests"]:
            # A program that was not built has no command: only its folder's other targets were asked for.
            if re.search(regex, test["name"]) and "command" in test:
                lines += entry(test, prefix, SLOWDOWN.get(preset, 1))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "CTestTestfile.cmake").write_text("\n".join(lines) + "\n")


main()
