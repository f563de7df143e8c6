"""Jarvis as the benchmarks see it: a running cluster that takes jobs and counts their ends. slurm/peer.py has the same of Slurm."""
import contextlib
import os
import sqlite3
import time

from measure import BUILD, bench_json, program
from jarvis_cluster import IS_ROOT, Cluster, Failure, connect, wait_for
from jarvis_network import Network

FIRST_UID = 700000                      # of the users that bench_users makes
SCRIPT = "#!/bin/sh\n:\n"
MINUTES = 60


def wait_ended(system, count, pause):
    """Looks often enough to measure by."""
    end = time.monotonic() + 60 * MINUTES
    while system.ended() < count:
        if time.monotonic() > end:
            raise Failure(f"of {count} jobs {system.ended()} have ended")
        time.sleep(pause)


class Jarvis:
    name = "jarvis"
    pipelines = True                    # clients may send before they have their answers
    acknowledged = "durable"            # what a submit is when it is answered
    load_jobs, load_starts = 5000, 200  # in one measurement beside queries
    users = 1000 if IS_ROOT else 0

    def __init__(self, nodes=1, cores=64, script=SCRIPT, **settings):
        """settings: of Cluster, beside those that every measurement needs."""
        how = settings | {"start": False, "keep": True, "log": 'level = "info"', "limits": "requests_per_second = 0", "node_cores": cores // nodes}
        self.c = Cluster(**how) if nodes == 1 else Network(nodes=nodes, **how)
        self.c.jctld.environment["LD_PRELOAD"] = f"{BUILD}/bench/libbench_users.so"
        self.script = self.c.script(script)
        self.submitted = 0                  # jobs and tasks of arrays

    def __enter__(self):
        try:
            self.c.start()
        except BaseException:
            self.c.report()
            self.c.end_everything()
            raise
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            self.c.report()
        self.c.end_everything()

    @property
    def controller_pid(self):
        return self.c.jctld.process.pid

    def pids(self):
        return {"jctld": self.controller_pid, "jnoded": self.c.jnoded.process.pid, **dict(zip(["launcher"], self.c.shepherd_pids()))}

    def work(self):
        return self.c.work()

    # --- commands

    def environment(self):
        return os.environ | {"JARVIS_CONF": str(self.c.config_path)}

    def how(self):
        return {"env": self.environment(), "cwd": self.work()}

    def words(self, name, *arguments):
        return [self.c.program(name), *arguments]

    def submit_words(self, held=False):
        return self.words("jsub", *(["-H"] if held else []), self.script)

    def version_words(self):
        return self.words("jsub", "--version")

    def query_words(self, job=None, user=None):
        return self.words("jq", *(["-j", job] if job else []), *(["-u", user] if user else []))

    def query_socket(self):
        return self.c.socket_path

    def query_load_words(self, rate, connections, socket):
        """A program that asks for the first jobs at that rate until its input ends."""
        return [program("queries"), f"socket={socket}", f"rate={rate}", f"connections={connections}", "ids=100"]

    # --- steps

    def step_words(self):
        return [*self.words("jrun"), "-n1"]

    def output_of(self, script, tasks):
        record = self.c.run_job("-n", str(tasks), script=script)
        self.submitted += 1
        if record["state"] != "COMPLETED":
            raise Failure(f"the job with the steps: {record}")
        return record["text"]

    # --- submits

    def submit(self, count, connections=1, window=1, mode="leave", **more):
        """By a client of many connections, with so many requests under way on each: seconds, last_job and percentiles."""
        words = {"socket": self.c.socket_path, "count": count, "connections": connections, "window": window, "mode": mode,
                 "script": self.script, "folder": self.work()} | more
        done = bench_json("pipeline", *(f"{name}={value}" for name, value in words.items()))
        self.submitted += count
        return done

    def submit_as_users(self, count, folder, users):
        """Each job with a name and a working folder of its own, the users with an environment of 6 KiB each."""
        more = {"users": users, "first_uid": FIRST_UID} if users else {"connections": 8, "window": 64}
        return self.submit(count, **{"folder": folder, "folders": "own", "first": self.submitted, "environment": 6144} | more)

    def submit_array(self, count):
        """Returns how many ends will be counted: one for each task."""
        self.c.run("jsub", f"--array=0-{count - 1}", "-o", "out_%A", self.script, check=0)
        self.submitted += count
        return count

    # --- the queue

    def metrics(self):
        with connect(self.c.folder / "jctld-metrics.sock") as channel:
            channel.sendall(b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            text = b"".join(iter(lambda: channel.recv(65536), b"")).decode().partition("\r\n\r\n")[2]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in text.splitlines() if line[0] != "#")}

    def ended(self):
        return sum(value for name, value in self.metrics().items() if name.startswith("jarvis_job_ends_total"))

    def waiting(self):
        return self.metrics()['jarvis_jobs{state="PENDING"}']

    def a_waiting_job(self):
        return self.submit(1)["last_job"]

    def a_user(self, users):
        return str(FIRST_UID + users // 2 if users else os.getuid())

    def wait_ended(self, count):
        wait_ended(self, count, 0.03)

    def pause(self):
        self.c.run("jnodes", "drain", *self.c.node_states(), "--reason", "bench", check=0)
        wait_for(lambda: set(self.c.node_states().values()) == {"drained"}, "the nodes to be drained", 5 * MINUTES)

    def resume(self):
        self.c.run("jnodes", "resume", *self.c.node_states(), check=0)

    def settle(self):
        """Until nothing is left to be written."""
        def written():
            status = self.c.json("jadmin", "ping", "--json")["result"]
            return status["history_sequence"] == status["sequence"]
        wait_for(written, "the history to be complete", 10 * MINUTES)

    def write_down(self):
        """A snapshot, so that none falls into what is measured next."""
        self.c.run("jadmin", "snapshot", check=0, seconds=10 * MINUTES)

    # --- the books

    def account(self):
        """Every job that was submitted waits, or is in the history once and has completed."""
        self.settle()
        seen = self.metrics()
        ends = {name: int(value) for name, value in seen.items() if name.startswith("jarvis_job_ends_total") and value}
        waits = sum(int(seen[f'jarvis_jobs{{state="{state}"}}']) for state in ("PENDING", "RUNNING"))
        with contextlib.closing(sqlite3.connect(f"file:{self.c.state_dir}/history.db?mode=ro", uri=True)) as database:
            rows, distinct = database.execute("SELECT count(*), count(DISTINCT job << 32 | array_index) FROM jobs").fetchone()
        completed = ends.get('jarvis_job_ends_total{state="COMPLETED"}', 0)
        if not rows == distinct == completed == sum(ends.values()) == self.submitted - waits:
            raise Failure(f"{self.submitted} jobs were submitted: {waits} wait, ends {ends}, {rows} rows in the history of {distinct} jobs")
        return completed
