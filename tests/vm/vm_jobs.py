"""Jobs of tests in virtual machines that run vm_worker, which is told what to do by options and signals."""
import contextlib
import os
import pathlib
import signal

from jarvis_cluster import BUILD, USER, Failure, wait_for

# A job's cgroup may have so many processes, in the clusters of these tests.
MAX_PROCESSES = 60
PARTITION = '[[partition]]\nname = "batch"\nnodes = "ALL"\ndefault = true\ndefault_time = "1h"\nconfinement = "full"\n'
SETTINGS = {"partitions": PARTITION, "jnoded": f"max_processes = {MAX_PROCESSES}", "controller": 'kill_grace = "5s"'}
WORKER = BUILD / "tests/vm/vm_worker"


class Jobs:
    def __init__(self, cluster):
        self.c = cluster
        # A build folder may be closed to other users.
        self.worker = cluster.folder / "vm_worker"
        self.worker.write_bytes(WORKER.read_bytes())
        self.worker.chmod(0o755)

    def submit(self, *options, do, after=""):
        """A job that does that, and nothing else, unless `after` goes on in the script."""
        return self.c.submit(*options, wrap=f"{'' if after else 'exec '}{self.worker} {do}{after}", user=USER)

    def group(self, job):
        return self.c.cgroup() / "jobs" / f"job_{job}"

    def read(self, job, file):
        return (self.group(job) / file).read_text().strip()

    def keyed(self, job, file):
        return {key: int(value) for key, value in (line.split() for line in self.read(job, file).splitlines())}

    def pids(self, job):
        found = []
        for folder, _, _ in os.walk(self.group(job)):
            with contextlib.suppress(OSError):
                found += map(int, (pathlib.Path(folder) / "cgroup.procs").read_text().split())
        return sorted(found)

    def output(self, job):
        return self.c.output(job, USER)

    def says(self, job, word):
        wait_for(lambda: word in self.output(job), lambda: f"job {job} to say {word}: {self.output(job)[-200:]!r}\n{self.c.tails()}")

    def running(self):
        return {job["id"]: job for job in self.c.json("jq", "-l", "--json")["jobs"] if job["state"] == "RUNNING"}

    def end(self, *jobs):
        """Holders of memory end by themselves when they are asked to."""
        for job in jobs:
            for pid in self.pids(job):
                with contextlib.suppress(ProcessLookupError):
                    if os.readlink(f"/proc/{pid}/exe") == str(self.worker):
                        os.kill(pid, signal.SIGUSR1)
                        break
            else:
                raise Failure(f"job {job}: there is no worker")

    def cancel(self, *jobs):
        self.c.run("jcancel", *jobs, check=0)
        return [self.c.wait_job(job) for job in jobs]

    def gone(self, job):
        wait_for(lambda: not self.group(job).exists(), f"the cgroup of job {job} to go")
