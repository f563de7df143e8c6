#!/usr/bin/env python3
"""Every example of every man page is run, as it is printed, on a real cluster.

What stands in displays (.Bd -literal, .Dl) of a page's EXAMPLES is one of four things, and a display that is none of
them is a problem:

    $ COMMAND          typed by an ordinary user, or `# COMMAND` by root; it has to succeed, and lines without a prompt
                       after it are what it prints (numbers may differ)
    #!/bin/...         a script: it is submitted, and its job has to complete
    [section] ...      a configuration: both daemons' --check-config take it
    {...}              JSON that a command prints

The jobs of a page have to complete, or to wait for what the example asked to wait for. Names and files that a page can
only suppose are in the tables below, and an entry that no page needs is a problem too.
"""
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tomllib

from jarvis_cluster import (BUILD, FINAL, IS_ROOT, SLOWDOWN, SOURCE, USER, Cluster, SharedCluster, main, wait_for)

CORES = os.cpu_count() or 1
# page: what is printed, what is run instead
STAND_INS = {
    # The test has a folder in the place of the machine's own, and folders in the place of other machines.
    "jadmin.8": {"jadmin pki init": "jadmin pki init --dir pki", "jadmin pki node": "jadmin pki node --dir pki",
                 "jadmin pki show": "jadmin pki show --dir pki", "jadmin pki renew": "jadmin pki renew --dir pki",
                 "scp /etc/jarvis/": "mkdir -p n001/pki/nodes; cp ", "n001:/etc/jarvis/": "n001/"},
    # The account is one that every machine has, and the folder is not the machine's own.
    "jarvis.toml.5": {'"alice"': f'"{USER}"'},
    "jplugin.1": {"sudo cp storage_ours.so /usr/lib/jarvis/plugins/": "cp storage_ours.so plugins/"},
    # As many cores as the machine that runs the test has.
    "jsub.1": {"-c 4": f"-c {min(4, CORES)}"},
}
# page: files that its examples suppose
FILES = {
    "jctld.8": lambda c, folder: (folder / "copy.toml").write_text(copy_of_state(c, folder)),
    "jplugin.1": lambda c, folder: (shutil.copy(BUILD / "lib/jarvis/plugins/storage_memory.so", folder / "storage_ours.so"),
                                    (folder / "plugins").mkdir(0o777), (folder / "plugins").chmod(0o777)),
}
# (page, command): the exit code that the page says
CODES = {}
# What a job may wait for at the end of an example.
WAITING = {"Held", "BeginTime"}

ESCAPES = {"e": "\\", "&": "", "-": "-", "(dq": '"', "(aq": "'", "(ti": "~", "(ha": "^", "(ga": "`", "(rs": "\\"}


class Problem(Exception):
    pass


def copy_of_state(c, folder):
    shutil.copytree(c.state_dir, folder / "state")
    return c.config_path.read_text().replace(f'"{c.state_dir}"', f'"{folder / "state"}"')


def pages():
    return sorted(p for p in (SOURCE / "man").iterdir() if re.search(r"\.[1-9]$", p.name))


def plain(line):
    """A line of a display without roff's escapes."""
    def one(match):
        name = match.group(1)
        if name not in ESCAPES:
            raise Problem(f"escape \\{name} is not understood here")
        return ESCAPES[name]
    return re.sub(r"\\(\(..|.)", one, line)


def has_examples(page):
    return re.search(r"(?m)^\.Sh \"?EXAMPLES?\b", page.read_text()) is not None


def displays(page):
    """The displays of EXAMPLES: (text, the last .Pa before it)."""
    found, inside, display, named = [], False, None, None
    for line in page.read_text().splitlines():
        macro = line.split(" ")[0]
        if macro == ".Sh":
            inside = line.split(" ", 1)[1].strip('"') in ("EXAMPLES", "EXAMPLE")
            continue
        if not inside:
            continue
        if display is not None:
            if macro == ".Ed":
                found.append(("\n".join(display) + "\n", named))
                display = named = None
            elif macro.startswith("."):
                raise Problem(f"macro {macro} in a display")
            else:
                display.append(plain(line))
        elif macro in (".Bd", ".D1", ".Bl"):
            if macro == ".D1" or (macro == ".Bd" and "-literal" not in line):
                raise Problem(f"{line!r}: examples are in .Bd -literal or .Dl")
            display = [] if macro == ".Bd" else None
        elif macro == ".Dl":
            found.append((plain(line[4:]) + "\n", named))
            named = None
        elif macro == ".Pa":
            named = line.split(" ")[1]
    if display is not None:
        raise Problem("a display without an end")
    return found


def kind(text):
    if text.startswith("#!"):
        return "script"
    if re.match(r"[$#] ", text) and not re.search(r"(?m)^\[", text):
        return "session"
    for name, parse in (("configuration", tomllib.loads), ("json", json.loads)):
        try:
            if parse(text):
                return name
        except ValueError:
            pass
    raise Problem(f"this example is not recognised:\n{text}")


def as_first_node(text):
    """The configuration with the name of its first node, as if this machine were that; None where it declares none."""
    names = re.search(r'(?m)^names = "([^"]*)"', text)
    if "[[node]]" not in text or not names:
        return None
    first = re.sub(r"\[(\d+)[^]]*\].*", r"\1", names.group(1)).split(",")[0]
    if "[jnoded]" in text:
        return text if "\nname = " in text.partition("[jnoded]")[2].partition("\n[")[0] else text.replace("[jnoded]", f'[jnoded]\nname = "{first}"')
    return f'{text}\n[jnoded]\nname = "{first}"\n'


def commands(text):
    """What is typed in a session: (by root, command, the lines that it prints)."""
    found = []
    for line in text.splitlines():
        if found and found[-1][1].endswith("\\") and not found[-1][2]:
            found[-1][1] += "\n" + line.removeprefix("> ")
        elif re.match(r"[$#] ", line):
            found.append([line[0] == "#", line[2:], []])
        else:
            found[-1][2].append(line)
    return found


def pattern(line):
    """What a printed line looks like: numbers and the widths of columns are those of another cluster."""
    return re.sub(r"\d+", r"\\d+", re.sub(r"\s+", r"\\s+", re.escape(re.sub(r"\s+", " ", line.strip())).replace(r"\ ", " ")))


class ManExamples(SharedCluster):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.known = cls.c.submit("-H", wrap="true")            # job 1, which examples may speak of
        cls.used = set()

    def test_every_page(self):
        run = {}
        for page in pages():
            with self.subTest(page=page.name):
                try:
                    run[page.name] = self.run_page(page)
                except Problem as problem:
                    self.fail(f"{page.name}: {problem}")
        print("examples:", ", ".join(f"{name} {count}" for name, count in run.items()), flush=True)
        self.assertEqual([name for name, count in run.items() if not count and has_examples(SOURCE / "man" / name)], [],
                         "EXAMPLES without a display")
        for table, words in (("STAND_INS", [(p, t) for p, texts in STAND_INS.items() for t in texts]), ("FILES", [(p,) for p in FILES]),
                             ("CODES", list(CODES))):
            self.assertEqual([w for w in words if w not in self.used], [], f"{table} has what no page needs")

    def stand_in(self, page, text):
        for printed, instead in STAND_INS.get(page.name, {}).items():
            if printed in text:
                self.used.add((page.name, printed))
                text = text.replace(printed, instead)
        return text

    def run_page(self, page):
        examples = [(kind(text), self.stand_in(page, text), name) for text, name in displays(page)]
        folder = self.c.work(USER if IS_ROOT else None) / page.name
        folder.mkdir()
        folder.chmod(0o777)
        if page.name in FILES:
            FILES[page.name](self.c, folder)
            self.used.add((page.name,))
        before = self.newest()
        for number, (what, text, name) in enumerate(examples):
            path = folder / (name or f"example-{number}")
            if what in ("script", "configuration"):
                path.write_text(text)
                path.chmod(0o755)
        for number, (what, text, name) in enumerate(examples):
            path = folder / (name or f"example-{number}")
            if what == "script":
                self.session(page, folder, f"$ jsub {path.name}\n")
            elif what == "configuration":
                self.session(page, folder, f"# jctld --config {path.name} --check-config\n")
                if as_first_node(text):
                    (folder / "of-node").write_text(as_first_node(text))
                    self.session(page, folder, "# jnoded --config of-node --check-config\n")
            elif what == "session":
                self.session(page, folder, text)
        self.check_jobs(page, before)
        return len(examples)

    def session(self, page, folder, text):
        """All lines in one shell, so that variables and folders last from line to line."""
        typed = commands(text)
        shells = {by_root for by_root, _, _ in typed}
        self.assertEqual(len(shells), 1, f"{page.name}: one display with two prompts")
        user = USER if IS_ROOT and not shells.pop() else None
        lines = ["trap 'echo \"exit $?: $BASH_COMMAND\" >&2; echo $? >> \"$failed\"' ERR"]
        for number, (_, command, _) in enumerate(typed):
            here = shlex.quote(str(folder / f"said-{number}"))
            lines += [f"failed={here}.failed", f"{{ {command}\n}} > {here}.out 2> {here}.err", f"echo $? > {here}.code"]
        how = self.c._how(user, {}, folder)
        if user:
            how["env"]["PATH"] = f"{self.c.program('jsub', user).parent}:/usr/bin:/bin"
            for name in sorted(p.name for p in (BUILD / "bin").iterdir()):
                self.c.program(name, user)
        subprocess.run(["bash", "-c", "\n".join(lines)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       timeout=300 * SLOWDOWN, check=False, **how)
        for number, (_, command, printed) in enumerate(typed):
            def said(what, number=number):
                path = folder / f"said-{number}.{what}"
                return path.read_text(errors="replace") if path.exists() else ""
            wanted = str(CODES.get((page.name, command), 0))
            self.used.add((page.name, command))
            where = f"{page.name}: {command}\nexit code {said('code')}stdout: {said('out')}\nstderr: {said('err')}"
            self.assertEqual(said("code").strip(), wanted, where)
            self.assertEqual([code for code in said("failed").split() if code != wanted], [], where)
            for line in printed:
                if line.strip():
                    self.assertRegex(re.sub(r"[ \t]+", " ", said("out") + said("err")), pattern(line), where)
            for path in folder.glob(f"said-{number}.*"):
                path.unlink()

    def newest(self):
        return max(int(j["id"].partition("_")[0]) for j in self.c.json("jq", "-t", "all", "--json")["jobs"])

    def check_jobs(self, page, before):
        def all_done():
            jobs = [j for j in self.c.json("jq", "-t", "all", "--json")["jobs"] if int(j["id"].partition("_")[0]) > before]
            running = [j for j in jobs if j["state"] not in FINAL and not self.waits(j)]
            return None if running else [jobs]
        jobs, = wait_for(all_done, lambda: f"the jobs of {page.name} to end:\n{self.c.run('jq', '-l').out}", 120)
        for job in jobs:
            record = self.c.job(job["id"])
            self.assertIn(record["state"], {"COMPLETED", "CANCELLED", "PENDING"}, f"{page.name}: {record}")
        left = [j["id"] for j in jobs if j["state"] not in FINAL]
        if left:
            self.c.run("jcancel", *left, check=0)

    @staticmethod
    def waits(job):
        return job["state"] == "PENDING" and (job.get("reason") or {}).get("code") in WAITING


main()
