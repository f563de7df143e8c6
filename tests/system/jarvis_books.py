"""Keeps the books of what a cluster has acknowledged, for tests that do it harm meanwhile.

    books = Books(self, cluster, seed)
    books.short(20)                     # jobs of all kinds of ends
    job = books.long()                  # runs until books.open()
    ...
    books.check()

What was acknowledged is known, ended once and as its script said, ran once, and has its whole output; and no process,
cgroup or folder of a job is left over.
"""
import random

from jarvis_cluster import start_time, wait_for

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


class Books:
    """What was acknowledged, and what has to have come of it."""

    def __init__(self, test, c, seed):
        self.test, self.c, self.entries, self.unknown = test, c, {}, []
        self.chance = random.Random(f"{seed}-{test.id()}")
        self.number = 0
        self.scripts = {text: c.script(text) for text in (SCRIPT, HOLDS)}

    def enter(self, script, second, *options, code=0):
        tag = f"{self.number}"
        self.number += 1
        result = self.c.run("jsub", "-o", f"out-{tag}", "-t", "20:00", *options, self.scripts[script], tag, second, code)
        if result.code == 4:            # told that its outcome is unknown
            self.unknown.append(tag)
            return None
        self.test.assertEqual(result.code, 0, result)
        job = result.out.strip()
        self.test.assertNotIn(job, self.entries, "an id was given twice")
        self.entries[job] = (tag, code)
        return job

    def short(self, count, *options):
        return [self.enter(SCRIPT, self.chance.choice(("0", "0", "0.2", "1")), *options, code=self.chance.choice((0, 0, 3, 42)))
                for _ in range(count)]

    def timed(self, seconds, *options, code=0):
        return self.enter(SCRIPT, f"{seconds:.1f}", *options, code=code)

    def array(self, count, *options):
        """An array of so many tasks; each of them is in the books."""
        job = self.enter(SCRIPT, "0.2", "-a", f"0-{count - 1}", "-o", f"out-{self.number}-%a", *options)
        if job:
            tag, code = self.entries.pop(job)
            self.entries |= {f"{job}_{task}": (f"{tag}-{task}", code) for task in range(count)}
        return job

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

    def check(self):
        wait_for(lambda: not self.c.json("jq", "--json")["jobs"], lambda: f"all jobs to end: {self.c.run('jq', '-l').out}\n{self.c.tails()}", 300)
        known = self.c.json("jacct", "--all-users", "--json")["jobs"]
        for job, (tag, code) in self.entries.items():
            records = [record for record in known if record["id"] == job]
            self.test.assertEqual(len(records), 1, f"job {job} ({tag})")
            end = records[0]["end"]
            where = f"job {job} ({tag}): {records[0]}"
            self.test.assertEqual(end["exit_code"], code, where)
            self.test.assertEqual(records[0]["state"], "FAILED" if code else "COMPLETED", where)
            self.test.assertEqual((self.c.work() / f"ran-{tag}").read_text(), f"{job} 0\n", where)
            self.test.assertEqual((self.c.work() / f"out-{tag}").read_text(), f"output of {tag}\n", where)
        for tag in self.unknown:
            ran = self.c.work() / f"ran-{tag}"
            self.test.assertLessEqual(len(ran.read_text().splitlines()) if ran.exists() else 0, 1, f"{tag} ran more than once")
        self.test.assertEqual(set(self.c.node_states().values()), {"idle"})
        wait_for(lambda: not self.c.leftovers(), lambda: f"nothing to be left over: {self.c.leftovers()}")
