"""Keeps the books of what a cluster has acknowledged, for tests that do it harm meanwhile.

    books = Books(cluster, f"{SEED}-{self.id()}")
    books.short(20)                     # jobs of all kinds of ends
    job = books.long()                  # runs until books.open()
    with books.streams(4):              # four clients that submit without a pause
        ...
    books.check()

What was acknowledged is known, ended once and as its script said, ran once, and has its whole output; and no process,
cgroup or folder of a job is left over.
"""
import collections
import contextlib
import random
import subprocess
import threading
import time

from jarvis_cluster import Failure, start_time, wait_for

# Appends a line, lives for a moment, says something, exits with a code that tells it from its neighbours.
SCRIPT = """#!/bin/sh
tag=$1${JARVIS_ARRAY_TASK_ID:+-$JARVIS_ARRAY_TASK_ID}
echo "$JARVIS_JOB_ID $JARVIS_RESTART_COUNT" >> "ran-$tag"
echo "$$" > "pid-$tag"
sleep "$2"
echo "output of $tag"
exit "$3"
"""
HOLDS = """#!/bin/sh
echo "$JARVIS_JOB_ID $JARVIS_RESTART_COUNT" >> "ran-$1"
echo "$$" > "pid-$1"
while [ ! -e "$2" ]; do sleep 0.1; done
echo "output of $1"
exit "$3"
"""

# lost: acknowledged and not known, or without its output; doubled: known or run twice; wrong: ended otherwise than its script said;
# left: still there when all is over.
Loss = collections.namedtuple("Loss", "kind text")
KINDS = ("lost", "doubled", "wrong", "left")


class Books:
    """What was acknowledged, and what has to have come of it. excuses: states and classes of ends, such as "NODE_FAIL" or "system",
    that a job may have for the fault's sake; nothing is asked of the output of such a job."""

    def __init__(self, c, seed, excuses=()):
        self.c, self.entries, self.unknown, self.excuses = c, {}, [], frozenset(excuses)
        self.chance = random.Random(seed)
        self.number = 0
        self.twice = []                     # ids that were given twice
        self.excused = 0                    # how many ends were so at the last balance
        self.lock = threading.Lock()
        self.scripts = {text: c.script(text) for text in (SCRIPT, HOLDS)}

    # --- jobs

    def enter(self, script, second, *options, code=0):
        """Submits a job, or returns None if it was told that the outcome is unknown."""
        tag = self.next_tag()
        return self.ask(tag, code, "-o", f"out-{tag}", "-t", "20:00", *options, self.scripts[script], tag, second, code)

    def next_tag(self):
        with self.lock:
            self.number += 1
            return f"{self.number - 1}"

    def ask(self, tag, code, *arguments, tasks=None):
        result = self.c.run("jsub", *arguments)
        if result.code not in (0, 4):
            raise Failure(f"a submit was refused: {result}")
        tags = [tag] if tasks is None else [f"{tag}-{task}" for task in range(tasks)]
        with self.lock:
            if result.code == 4:
                self.unknown += tags
                return None
            job = result.out.strip()
            for index, name in enumerate(tags):
                key = job if tasks is None else f"{job}_{index}"
                if key in self.entries:
                    self.twice.append(key)
                self.entries[key] = (name, code)
        return job

    def short(self, count, *options):
        return [self.enter(SCRIPT, self.chance.choice(("0", "0", "0.2", "1")), *options, code=self.chance.choice((0, 0, 3, 42)))
                for _ in range(count)]

    def timed(self, seconds, *options, code=0):
        return self.enter(SCRIPT, f"{seconds:.1f}", *options, code=code)

    def array(self, count, *options):
        """An array of so many tasks; each of them is in the books."""
        tag = self.next_tag()
        return self.ask(tag, 0, "-a", f"0-{count - 1}", "-o", f"out-{tag}-%a", "-t", "20:00", *options, self.scripts[SCRIPT], tag, "0.2", 0,
                        tasks=count)

    def long(self, *options, gate="go", code=9):
        """A job that runs until open() and is seen to run."""
        job = self.enter(HOLDS, gate, *options, code=code)
        self.c.wait_state(job, "RUNNING")
        self.pid(job)
        return job

    def open(self, gate="go"):
        (self.c.work() / gate).touch()

    def pid(self, job):
        """The process of a job's script, with what tells it from a later one of that number."""
        path = self.c.work() / f"pid-{self.entries[job][0]}"
        pid = int(wait_for(lambda: path.exists() and path.read_text().strip(), f"the process of job {job}\n{self.c.tails()}"))
        return pid, start_time(pid)

    def node_of(self, job):
        """The node that its script runs on."""
        name = self.c.history(job)["placement"][0]["node"]
        return next(node for node in self.c.nodes if node.node == name)

    @contextlib.contextmanager
    def streams(self, count, *options):
        """That many clients submit, each without a pause, until the block is left."""
        clients = [Stream(self, self.chance.random(), options) for _ in range(count)]
        for client in clients:
            client.start()
        try:
            yield clients
        finally:
            for client in clients:
                client.stopping.set()
            for client in clients:
                client.join()
        problems = [client.problem for client in clients if client.problem]
        if problems:
            raise Failure("\n".join(problems))

    # --- the balance

    def quiet(self):
        return not self.c.json("jq", "--json")["jobs"]

    def wait_quiet(self, seconds=300):
        wait_for(self.quiet, lambda: f"all jobs to end: {self.c.run('jq', '-l').out}\n{self.c.tails()}", seconds)

    def check(self):
        self.wait_quiet()
        losses = self.losses()
        if losses:
            raise Failure("\n".join(f"{loss.kind}: {loss.text}" for loss in losses))
        if set(self.c.node_states().values()) != {"idle"}:
            raise Failure(f"nodes are not idle: {self.c.node_states()}")

    def losses(self):
        """Every difference between what was acknowledged and what there is, once all jobs have ended."""
        known = collections.defaultdict(list)
        for record in self.c.json("jacct", "--all-users", "--since", "2000-01-01", "--json")["jobs"]:
            known[record["id"]].append(record)
        found = [Loss("doubled", f"id {job} was given twice") for job in self.twice]
        self.excused = 0
        for job, (tag, code) in self.entries.items():
            found += self.losses_of(job, tag, code, known[job])
        for tag in self.unknown:
            ran = self.lines(f"ran-{tag}")
            if len(ran) != len(set(ran)) or len({line.split()[0] for line in ran}) > 1:
                found.append(Loss("doubled", f"{tag}, of unknown outcome, ran more than once: {ran}"))
        try:
            wait_for(lambda: not self.c.leftovers(), "nothing to be left over")
        except Failure:
            found += [Loss("left", text) for text in self.c.leftovers()]
        return found

    def losses_of(self, job, tag, code, records):
        where = f"job {job} ({tag})"
        if len(records) != 1:
            return [Loss("doubled" if records else "lost", f"{where} is known {len(records)} times")]
        record, end = records[0], records[0]["end"]
        found = []
        ran = self.lines(f"ran-{tag}")
        if len(set(ran)) != len(ran) or len(ran) > record["restarts"] + 1:
            found.append(Loss("doubled", f"{where} ran as {ran}: {record}"))
        if {record["state"], end["class"]} & self.excuses:
            self.excused += 1
            return found
        if record["state"] != ("FAILED" if code else "COMPLETED") or end["exit_code"] != code:
            found.append(Loss("wrong", f"{where} should have ended with {code}: {record}"))
        if ran[-1:] != [f"{job} {record['restarts']}"]:
            found.append(Loss("lost", f"{where} ended, and ran as {ran}: {record}"))
        if self.lines(f"out-{tag}") != [f"output of {tag}"]:
            found.append(Loss("lost", f"{where} has the output {self.lines(f'out-{tag}')}: {record}"))
        return found

    def lines(self, name):
        path = self.c.work() / name
        return path.read_text().splitlines() if path.exists() else []


class Stream(threading.Thread):
    """A client that submits into the books without a pause until it is told to stop."""

    def __init__(self, books, seed, options=()):
        super().__init__(daemon=True)
        self.books, self.options, self.chance = books, options, random.Random(seed)
        self.stopping = threading.Event()
        self.problem = None
        self.acknowledged = 0

    def run(self):
        while not self.stopping.is_set():
            # Not faster than the nodes run them, so that jobs of all ages meet the fault.
            time.sleep(self.chance.uniform(0, 0.1))
            pause = self.chance.choice(("0", "0", "0", "0", "0", "0", "0.1", "0.1", "0.5", "0.5", "4"))
            try:
                if self.books.enter(SCRIPT, pause, *self.options, code=self.chance.choice((0, 0, 3, 42))):
                    self.acknowledged += 1
                else:
                    time.sleep(0.02)
            except (Failure, subprocess.TimeoutExpired) as problem:
                self.problem = str(problem)
                return
