"""d: what a long queue costs: memory for each job that waits, and the time of questions, submits and jobs beside it.

The jobs wait for nodes that are drained. They belong to many users, each with an environment of 6 KiB, and each has a name and
a working folder of its own. For the rate of jobs the nodes are resumed, as many jobs are submitted as end, and the nodes are
drained again: the queue stays as long as it is.
"""
import pathlib
import time

from measure import Watch, median, resident, spawn_ms

CORES = 64
# Connections submit side by side: a job may come so many places earlier than its number says.
SHUFFLED = 1024


class LongQueue:
    """A system whose queue is filled step by step."""

    def __init__(self, b, system):
        self.b, self.system = b, system
        self.users = min(system.users, 20) if b.quick else system.users
        self.folder = pathlib.Path(b.folder, f"jobs-{time.monotonic_ns()}")
        self.folder.mkdir()
        self.folder.chmod(0o755)
        self.folders_made = 0
        self.empty = resident(system.controller_pid)
        system.pause()

    def make_folders(self, count):
        """Working folders of the jobs that will run: the first ones."""
        for number in range(self.folders_made, count):
            path = self.folder / str(number)
            path.mkdir()
            path.chmod(0o777)
        self.folders_made = max(self.folders_made, count)

    def submit(self, count):
        return self.system.submit_as_users(count, self.folder, self.users)

    def fill(self, depth):
        """Returns seconds and jobs."""
        missing = int(depth - self.system.waiting())
        watch = Watch(self.system)
        done = self.submit(missing)
        watch.done()
        self.system.settle()
        return missing, done, watch

    def bytes_a_job(self):
        return max(resident(self.system.controller_pid) - self.empty, 1) / self.system.waiting()


def questions(b, queue, depth):
    system, how = queue.system, queue.system.how()
    job = str(system.a_waiting_job())
    user = system.a_user(queue.users)
    count = 3 if b.quick else 15
    start = spawn_ms(count, *system.version_words(), **how)
    command = system.query_words()[0].name
    for name, words, times in ((command, system.query_words(), 1 if depth > 1000 else count),
                               (f"{command} -j ID", system.query_words(job=job), count),
                               (f"{command} -u USER", system.query_words(user=user), count)):
        took = median([spawn_ms(1, *words, **how) for _ in range(max(times, 3))])
        b.row(f"{name}, {depth} waiting", took, "ms", f"start of the command: {start:.2f} ms",
              "what it prints" if "-j" not in name else "the command's start", limit=start)


def submits(b, queue, depth):
    system, count = queue.system, b.count(500)
    start = spawn_ms(count, *system.version_words(), **system.how())
    took = spawn_ms(count, *system.submit_words(), **system.how())
    system.submitted += count
    limit = start + 1e3 / b.fsync
    b.row(f"a submit by a command, {depth} waiting", took, "ms", f"start of the command and an fsync: {limit:.2f} ms",
          "the command's start", limit=limit)


def jobs(b, queue, depth, shallow):
    """So many jobs end while as many are submitted. What filling the queue left to be written is written before: the next snapshot
    is due after half as many events as there are jobs."""
    system, count = queue.system, b.count(5000, 100)
    queue.make_folders(int(system.ended()) + 2 * count + CORES + SHUFFLED)
    system.write_down()
    before = system.ended()
    watch = Watch(system)
    begin = time.monotonic()
    system.resume()
    queue.submit(count)
    system.wait_ended(before + count)
    seconds = time.monotonic() - begin
    watch.done()
    system.pause()
    rate = count / seconds
    shallow = shallow or rate
    b.row(f"jobs, {depth} waiting", rate, "jobs/s", f"with the shortest queue: {shallow:.0f} jobs/s",
          f"{rate / shallow:.2f} of that; " + watch.bound("the way from an end to the next start"), watch.details(), limit=shallow)
    return rate


def depths(b):
    return (100, 1000) if b.quick else [*(depth for depth in (1000, 100000) if depth < b.deepest), b.deepest]


def run(b):
    with b.system(cores=CORES) as system:
        queue = LongQueue(b, system)
        shallow = None
        for depth in depths(b):
            count, done, watch = queue.fill(depth)
            b.row(f"submits of many users up to {depth} waiting", count / done["seconds"], "/s", f"fsyncs of this disk: {b.fsync:.0f} /s",
                  watch.bound("the way through the controller's threads"), watch.details(), limit=b.fsync)
            b.row(f"memory of the controller for a job, {depth} waiting", queue.bytes_a_job(), "bytes", "to be below 1024",
                  "what is kept of a job", f"{resident(system.controller_pid) / 2**20:.0f} MiB in all", limit=1024)
            questions(b, queue, depth)
            submits(b, queue, depth)
            rate = jobs(b, queue, depth, shallow)
            shallow = shallow or rate
        system.account()
