#!/usr/bin/env python3
"""Holds that the folders know only what they may know.

- Each lib folder includes only the lib folders that the table below grants it.
- The pure libraries call no clock, open no file or socket, start no thread, and use no Asio, OpenSSL or hwloc.
- Plugins of the tree include include/jarvis and nothing of lib, as any site's plugin does.
- The headers that outsiders compile against include nothing of lib either.
- Each lib folder has its README.md.
"""
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(os.environ.get("JARVIS_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[1]))
LIBRARIES = {path.name for path in (ROOT / "lib").iterdir() if path.is_dir()}

# What a folder may include, besides itself. The edges know any library but the pure cores, unless they are listed.
GRANTS = {
    "base": set(),
    "model": {"base"},
    "sched": {"base", "model"},
    "cluster": {"base", "model", "sched"},
    "node": {"base", "model"},
    "config": {"base", "model", "cluster", "sched", "node", "plugin"},
    "pki": {"base"},
    "devices": {"base"},
    "shm": {"base"},
    "wire": {"base", "model", "cluster", "node", "daemon", "pki"},
    "cgroup": {"base", "wire"},
    "plugin": {"base", "model", "config"},
    "journal": {"base", "model", "cluster", "wire", "plugin", "config", "daemon"},
    "client": {"base", "model", "config", "wire"},
    "daemon": {"base", "model", "config", "wire"},
}
PURE = ("base", "model", "sched", "cluster", "node")

# Headers of the outside world that a pure library must not see.
FORBIDDEN_HEADERS = re.compile(
    r"^(boost/asio|boost/beast|openssl|hwloc|google/protobuf|sqlite3|spdlog|toml\+\+|sys/(socket|un|stat|time|epoll|mman|wait|file)|"
    r"netinet/|arpa/|fcntl|unistd|dlfcn|pwd|grp|time\.h|signal\.h|poll\.h|pthread|"
    r"(thread|mutex|shared_mutex|condition_variable|future|fstream|filesystem|random|ctime|iostream|cstdio)$)")
# Calls that ask the world. std::chrono's durations are fine, its clocks are not; floating point decides nothing.
FORBIDDEN_CODE = {
    "a clock": re.compile(r"\b(system_clock|steady_clock|high_resolution_clock|clock_gettime|gettimeofday)\b|(?<![\w.:>])::?time\s*\("),
    "a file or socket": re.compile(r"::(open|openat|socket|connect|read|write|stat)\s*\(|\bstd::(i|o)?fstream\b"),
    "the environment": re.compile(r"\bgetenv\s*\("),
}
FLOATING = {"floating point": re.compile(r"(?<!\w)(float|double)(?!\w)")}
# lib/base owns the descriptor type and the units, which print with a fraction: rules that would make it useless.
EXEMPT = {
    # Holders of one value are copied by all threads around the cores; what the value is depends on none of them.
    "lib/base/interned.hpp": {"mutex"},
    "lib/base/fd.cpp": {"unistd.h", "fcntl.h", "a file or socket"},
    "lib/base/fd.hpp": {"unistd.h", "fcntl.h", "a file or socket"},
    # Wall times as people read and type them: the C library knows the time zones.
    "lib/base/wall_time.cpp": {"ctime"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def sources(folder):
    return [p for p in sorted((ROOT / folder).rglob("*")) if p.suffix in (".cpp", ".hpp", ".c", ".h", ".in")]


def without_comments(text):
    """Comments and string literals blanked, line numbers kept."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(\\.|[^"\\\n])*"', blank, text, flags=re.S)


def check(path, problems):
    name = path.relative_to(ROOT).as_posix()
    library = name.split("/")[1] if name.startswith("lib/") else None
    exempt = EXEMPT.get(name, set())
    pure = library in PURE
    text = path.read_text()
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, header = match.groups()
        first = header.split("/")[0]
        local = quote == '"' and "/" in header and first in LIBRARIES
        if library and local and first != library and first not in GRANTS.get(library, LIBRARIES):
            problems.append(f"{name}:{number}: lib/{library} may not include lib/{first} ({header})")
        if not library and local:
            problems.append(f"{name}:{number}: only include/jarvis may be included here, not lib/{first} ({header})")
        if pure and FORBIDDEN_HEADERS.match(header) and header not in exempt:
            problems.append(f"{name}:{number}: a pure library may not include <{header}>")
    if pure:
        rules = FORBIDDEN_CODE | (FLOATING if library in ("sched", "cluster", "node") else {})
        for number, line in enumerate(without_comments(text).splitlines(), 1):
            for what, pattern in rules.items():
                if what not in exempt and pattern.search(line):
                    problems.append(f"{name}:{number}: a pure library may not use {what}: {line.strip()}")


def main():
    problems = []
    unknown = LIBRARIES - set(GRANTS)
    if unknown:
        problems.append(f"tests/check_layers.py does not say what lib/{', lib/'.join(sorted(unknown))} may include")
    problems += [f"lib/{name} has no README.md" for name in sorted(LIBRARIES) if not (ROOT / "lib" / name / "README.md").exists()]
    files = [*sources("lib"), *sources("include"), *sources("plugins")]
    for path in files:
        check(path, problems)
    print(*problems, sep="\n")
    print(f"{len(files)} files, {len(problems)} problems")
    sys.exit(1 if problems else 0)


main()
