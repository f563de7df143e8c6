#!/usr/bin/env python3
"""Holds that every program has a man page, that mandoc finds nothing wrong in any, and that no option is left out.

The options of a program are those that its --help names; each must stand in its man page. (Exit code 77: no mandoc.)
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

BUILD = pathlib.Path(os.environ.get("JARVIS_BUILD_DIR", "build/debug"))
SOURCE = pathlib.Path(os.environ.get("JARVIS_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[1]))


def page_of(program):
    # The queue command is documented as jq and installed as jqueue too.
    names = {"jqueue": ["jqueue", "jq"], "jq": ["jq", "jqueue"]}.get(program, [program])
    for name in names:
        for section in "158":
            path = SOURCE / "man" / f"{name}.{section}"
            if path.exists():
                return path
    return None


def plain(page):
    shown = subprocess.run(["mandoc", "-T", "ascii", page], check=True, stdout=subprocess.PIPE, text=True).stdout
    return re.sub(".\x08", "", shown)


def main():
    if not shutil.which("mandoc"):
        print("skipped: mandoc is not installed")
        sys.exit(77)
    problems = []
    pages = sorted(p for p in (SOURCE / "man").iterdir() if re.search(r"\.[158]$", p.name))
    for page in pages:
        # STYLE asks for a title in lower case and a date that mandoc accepts; its style remarks are left alone.
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], stdout=subprocess.PIPE, text=True)
        problems += lint.stdout.splitlines()
    programs = sorted(p.name for p in (BUILD / "bin").iterdir() if p.is_file() and os.access(p, os.X_OK))
    for program in programs:
        page = page_of(program)
        if page is None:
            problems.append(f"{program}: there is no man page of it in man/")
            continue
        shown = subprocess.run([BUILD / "bin" / program, "--help"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               stdin=subprocess.DEVNULL, text=True)
        if shown.returncode != 0:
            problems.append(f"{program} --help: exit code {shown.returncode}")
        text = plain(page)
        for option in sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", shown.stdout))):
            if option not in text:
                problems.append(f"{page.name}: says nothing of {option}, which {program} --help has")
    print(*problems, sep="\n")
    print(f"{len(pages)} pages, {len(programs)} programs, {len(problems)} problems")
    sys.exit(1 if problems else 0)


main()
