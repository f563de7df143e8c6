"""Slurm as the benchmarks see it: has what systems.Jarvis has, as far as a, b, d, f and i ask for it."""
import json
import pathlib
import shutil
import subprocess
import tempfile
import time

from jarvis_cluster import Failure, wait_for
from slurm_cluster import PATH, SlurmCluster
from systems import MINUTES, SCRIPT, wait_ended

HERE = pathlib.Path(__file__).resolve().parent


def build(name, folder):
    """A program that needs libslurm."""
    path = pathlib.Path(folder, f"slurm_{name}")
    subprocess.run(["gcc", "-O2", "-D_GNU_SOURCE", HERE / f"{name}.c", "-o", path, "-lslurm"], check=True)
    return path


class Peer:
    name = "slurm"
    pipelines = False
    acknowledged = "answered"           # its state is written every few seconds
    load_jobs, load_starts = 500, 20
    users = 0                           # all jobs are root's

    def __init__(self, nodes=1, cores=64, script=SCRIPT):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="slurm"))
        self.folder.chmod(0o755)
        self.script = self.folder / "job.sh"
        self.script.write_text(script)
        self.script.chmod(0o755)
        self.submit_program, self.query_program = build("submit", self.folder), build("query", self.folder)
        self.submitted = 0
        self.s = SlurmCluster(self.folder / "cluster", nodes=nodes, cores=cores // nodes)

    def __enter__(self):
        try:
            self.s.start()
        except BaseException:
            self.s.stop()
            raise
        return self

    def __exit__(self, kind, value, trace):
        self.s.stop()

    @property
    def controller_pid(self):
        return self.s.controller_pid

    def pids(self):
        return {"slurmctld": self.controller_pid, "slurmd": self.s.daemons[self.s.node_names[0]].pid}

    def work(self):
        return self.folder

    # --- commands

    def how(self):
        return {"env": self.s.environment(), "cwd": self.work()}

    def words(self, name, *arguments):
        return [pathlib.Path(shutil.which(name, path=PATH)), *arguments]

    def submit_words(self, held=False):
        return self.words("sbatch", "-Q", "-o", "/dev/null", *(["-H"] if held else []), self.script)

    def version_words(self):
        return self.words("sbatch", "--version")

    def query_words(self, job=None, user=None):
        return self.words("squeue", *(["-j", job] if job else []), *(["-u", user] if user else []))

    def query_socket(self):
        return None

    def query_load_words(self, rate, _connections, socket):
        """Without a server to ask, a control that asks nobody."""
        nobody = 'echo ready; cat; echo "{\\"answered\\": 0, \\"seconds\\": 1}"'
        return [self.query_program, rate, 8, 100] if socket is None else ["sh", "-c", nobody]

    # --- steps

    def step_words(self):
        return [*self.words("srun"), "-n1", "--exact"]

    def output_of(self, script, tasks):
        path, output = self.folder / "steps.sh", self.folder / "steps.out"
        path.write_text(script)
        path.chmod(0o755)
        self.s.run("sbatch", "-Q", "-W", "-n", tasks, "-o", output, "-e", self.folder / "steps.err", path)
        self.submitted += 1
        return output.read_text()

    # --- submits

    def submit(self, count, connections=1, window=1, mode="run", folder=None):
        assert window == 1 or mode != "held"        # libslurm asks and waits
        words = [self.submit_program, "held" if mode == "held" else "run", count, connections, self.script, folder or self.work()]
        done = subprocess.run(list(map(str, words)), env=self.s.environment(), stdout=subprocess.PIPE, text=True, check=True)
        self.submitted += count
        return json.loads(done.stdout)

    def submit_as_users(self, count, folder, _users):
        return self.submit(count, 8, folder=folder)

    def submit_array(self, count):
        self.s.run("sbatch", "-Q", "-o", "/dev/null", f"--array=0-{count - 1}", self.script)
        self.submitted += count
        return count

    # --- the queue

    def ended(self):
        return self.s.ended()

    def waiting(self):
        return self.submitted - self.ended()

    def a_waiting_job(self):
        return self.submit(1)["last_job"]

    def a_user(self, _users):
        return "root"

    def wait_ended(self, count):
        wait_ended(self, count, 0.05)

    def update_nodes(self, *settings):
        for name in self.s.node_names:
            self.s.run("scontrol", "update", f"nodename={name}", *settings)

    def pause(self):
        self.update_nodes("state=drain", "reason=bench")
        wait_for(lambda: set(self.s.node_states().values()) == {"drain"}, lambda: f"drained nodes: {self.s.node_states()}", 5 * MINUTES)

    def resume(self):
        self.update_nodes("state=resume")

    def settle(self):
        time.sleep(3)                   # a state file is written behind the changes

    def write_down(self):
        self.settle()

    # --- the books

    def account(self):
        known = len(self.s.run("squeue", "-h", "-r", "-o", "%i").stdout.splitlines())
        if known + self.ended() < self.submitted:
            raise Failure(f"{self.submitted} jobs were submitted: {known} are known, {self.ended()} ended")
