"""a: how many submits a second become durable. The jobs are held, so that nothing else goes on."""
import contextlib
import sqlite3

from measure import Watch, bench, program, spawn_ms


def process_start(b, system):
    count = b.count(2000)
    empty = spawn_ms(count, program("empty"))
    command = spawn_ms(count, *system.version_words(), **system.how())
    b.row(f"process start, {system.submit_words()[0].name} --version", command, "ms", f"an empty C program: {empty:.2f} ms",
          f"loading its libraries: {command / empty:.1f} times the empty program", limit=empty)
    return command


def by_commands(b, system, start_ms):
    for at_once in (1, 8):
        count = b.count(2000)
        watch = Watch(system)
        seconds = bench("spawn", at_once, count, *system.submit_words(held=True), **system.how())
        watch.done()
        system.submitted += count
        # Two programs start at a time on two cores.
        limit = min(at_once, 2) / start_ms * 1e3
        b.row(f"{system.acknowledged} submits by commands, {at_once} at once", count / seconds, "/s", f"starts of the command alone: {limit:.0f} /s",
              watch.bound(f"{seconds / count * 1e3:.2f} ms each, {start_ms:.2f} of them the command's start, an fsync {1e3 / b.fsync:.2f}"),
              watch.details(), limit=limit)


class Journal:
    """How many bytes and commits submits take in the journal of Jarvis, from here to limit()."""

    def __init__(self, b, system):
        self.b, self.system = b, system
        self.appends, self.groups = self.counts()

    def counts(self):
        seen = self.system.metrics()
        return seen["jarvis_journal_appends_total"], seen["jarvis_event_groups_total"]

    def mean_group(self):
        """Bytes of a group, of those that are still there."""
        with contextlib.closing(sqlite3.connect(f"file:{self.system.c.state_dir}/journal.db?mode=ro", uri=True)) as database:
            newest = "SELECT data FROM groups ORDER BY sequence DESC LIMIT 1000"
            return database.execute(f"SELECT avg(length(data)) FROM ({newest})").fetchone()[0]

    def limit(self, count):
        """What SQLite alone does with records of that size, so many in a commit."""
        appends, groups = self.counts()
        size = max(round(self.mean_group() * (groups - self.groups) / count), 1)
        per_commit = max(round(count / max(appends - self.appends, 1)), 1)
        rate = bench("group_commit", self.b.folder, size, per_commit, 0.2 if self.b.quick else 2)
        return rate, f"SQLite, {per_commit} of {size} B a commit: {rate:.0f} /s"


def by_connections(b, system):
    for connections in (1, 8):
        for window in (1, 64) if system.pipelines else (1,):
            count = b.count(5000 if connections * window == 1 else 20000 if window == 1 else 100000)
            journal = Journal(b, system) if system.pipelines else None
            watch = Watch(system)
            done = system.submit(count, connections, window, "held")
            watch.done()
            limit, reference = journal.limit(count) if journal else (b.fsync, f"fsyncs of this disk: {b.fsync:.0f} /s")
            how = "one by one" if window == 1 else f"{window} under way"
            b.row(f"{system.acknowledged} submits, {connections} connection{'s'[:connections - 1]}, {how}", count / done["seconds"], "/s", reference,
                  watch.bound("the way through the controller's threads"),
                  f"p50 {done['p50_ms']:.2f} ms, p99 {done['p99_ms']:.2f} ms; {watch.details()}", limit=limit)


def run(b):
    b.row("fsyncs of 512 bytes", b.fsync, "/s", "", "the disk")
    with b.system() as system:
        start_ms = process_start(b, system)
        by_commands(b, system, start_ms)
        by_connections(b, system)
        system.account()
