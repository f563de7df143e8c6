"""Slurm as Debian packages it, on loopback and in a folder of its own, for benchmarks and tests that look at both.

    from slurm_cluster import SlurmCluster, why_no_slurm

    with SlurmCluster(folder, nodes=16, cores=4) as s:
        job = s.submit("/tmp/job.sh", "--hold")         # its id, as sbatch --parsable says it
        s.kill_controller()
        s.start_controller()

It has settings for many short jobs: passes are put off while submits come in, nothing is accounted but a line for each job
that has ended. Needs root and the packages of `contrib/packages.sh install slurm`. Daemons are children of the caller and are
ended by their process, whoever else runs Slurm on the machine.
"""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SETTINGS = """\
ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CryptoType=crypto/munge
SlurmctldPort={port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/spool/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
SlurmctldDebug=error
SlurmdDebug=error
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/ended.txt
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters={scheduler}
PriorityType=priority/basic
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
MessageTimeout=100
MinJobAge=10
MaxJobCount=2000000
MaxArraySize=100001
PropagateResourceLimits=NONE
SlurmdTimeout=0
InactiveLimit=0
KillWait=1
SlurmdParameters=config_overrides
NodeName={nodes} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports} CPUs={cores} RealMemory=8000
PartitionName=batch Nodes={nodes} Default=YES MaxTime=INFINITE State=UP
"""
SCHEDULER = ("defer,batch_sched_delay=0,sched_min_interval=50000,sched_interval=5,sched_max_job_start=0,default_queue_depth=10000,"
             "partition_job_depth=10000,bf_interval=10,bf_max_job_test=1000,bf_continue")
DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch")


class SlurmFailure(AssertionError):
    pass


def why_no_slurm():
    """Why Slurm cannot be run here, or nothing."""
    if os.getuid() != 0:
        return "Slurm beside us needs root"
    missing = [name for name in DAEMONS if not shutil.which(name, path=PATH)]
    return f"no {', '.join(missing)}: contrib/packages.sh install slurm" if missing else None


class SlurmCluster:
    def __init__(self, folder, nodes=1, cores=64, port=16817, scheduler=SCHEDULER):
        self.folder, self.port, self.scheduler = pathlib.Path(folder), port, scheduler
        self.node_names = [f"vm{number}" for number in range(1, nodes + 1)]
        self.cores = cores              # of each node
        self.config_path = self.folder / "slurm.conf"
        self.ended_path = self.folder / "ended.txt"
        self.daemons = {}
        self.write_files()

    def write_files(self):
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True, mode=0o755)
        self.folder.chmod(0o755)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        count = len(self.node_names)
        several = count > 1
        self.config_path.write_text(SETTINGS.format(
            host=socket.gethostname().partition(".")[0], folder=self.folder, port=self.port, cores=self.cores, scheduler=self.scheduler,
            nodes=f"vm[1-{count}]" if several else "vm1", ports=f"[{self.port + 1}-{self.port + count}]" if several else self.port + 1))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, value, trace):
        self.stop()

    # --- daemons

    def environment(self):
        return {"PATH": PATH, "SLURM_CONF": str(self.config_path), "LC_ALL": "C.UTF-8", "HOME": "/"}

    def start_daemon(self, name, *words):
        with open(self.folder / f"{name}.out", "ab") as log:
            self.daemons[name] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment(),
                                                  cwd=self.folder, start_new_session=True)

    def start(self):
        why = why_no_slurm()
        if why:
            raise SlurmFailure(why)
        place = self.folder / "munge"
        self.start_daemon("munged", "munged", "-F", "--force", f"--key-file={place}.key", f"--socket={place}.sock",
                          f"--pid-file={place}.pid", f"--log-file={place}.log", f"--seed-file={place}.seed", "--num-threads=4")
        self.wait(lambda: pathlib.Path(f"{place}.sock").exists(), "munged to listen")
        self.start_controller()
        for name in self.node_names:
            (self.folder / "spool" / name).mkdir()
            self.start_daemon(name, "slurmd", "-D", "-N", name)
        self.wait_nodes()

    def start_controller(self):
        self.start_daemon("slurmctld", "slurmctld", "-D")

    def stop_controller(self, how=signal.SIGTERM):
        controller = self.daemons.pop("slurmctld")
        controller.send_signal(how)
        return controller.wait(120)

    def kill_controller(self):
        return self.stop_controller(signal.SIGKILL)

    @property
    def controller_pid(self):
        return self.daemons["slurmctld"].pid

    def stop(self):
        """Cancels what is there, and ends all daemons."""
        with contextlib.suppress(Exception):
            self.run("scancel", "--user=root", seconds=60)
        for name, daemon in reversed(self.daemons.items()):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
            self.end_children(name)
        self.daemons.clear()

    def end_children(self, name):
        """slurmstepd processes of a node that is gone: they have its spool folder in their command line or our configuration."""
        if name not in self.node_names:
            return
        needle = os.fsencode(f"SLURM_CONF={self.config_path}")
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if (entry / "comm").read_text().startswith("slurmstepd") and needle in (entry / "environ").read_bytes():
                        os.kill(int(entry.name), signal.SIGKILL)

    def wait(self, condition, what, seconds=120):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise SlurmFailure(f"waited {seconds} s in vain for {what}")
            dead = [name for name, daemon in self.daemons.items() if daemon.poll() is not None]
            if dead:
                raise SlurmFailure(f"{', '.join(dead)} ended: see the .out files in {self.folder}")
            time.sleep(0.05)

    def node_states(self):
        """The states by node, such as "idle" and "drained"."""
        done = self.run("sinfo", "-h", "-N", "-o", "%N %t", check=False)
        return dict(line.split() for line in done.stdout.splitlines()) if done.returncode == 0 else {}

    def wait_nodes(self, states=("idle", "mix", "alloc")):
        def there():
            known = self.node_states()
            return len(known) == len(self.node_names) and all(state in states for state in known.values())
        self.wait(there, f"all nodes to be one of {states}")

    # --- commands

    def run(self, *words, check=True, seconds=600):
        done = subprocess.run([str(word) for word in words], env=self.environment(), cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=seconds, check=False)
        if check and done.returncode != 0:
            raise SlurmFailure(f"{words}: exit {done.returncode}\n{done.stderr}")
        return done

    def submit(self, script, *options, seconds=600):
        """The job's id, as a number; None when sbatch did not acknowledge it."""
        done = self.run("sbatch", "--parsable", "--output=/dev/null", *options, script, check=False, seconds=seconds)
        return int(done.stdout.strip()) if done.returncode == 0 else None

    def jobs(self):
        """Names of the jobs that it knows and that have not ended, by id."""
        lines = self.run("squeue", "-h", "-o", "%A %j").stdout.splitlines()
        return {int(number): name for number, name in (line.split(" ", 1) for line in lines)}

    def ended(self):
        """How many jobs and tasks have ended."""
        with contextlib.suppress(FileNotFoundError):
            with open(self.ended_path, "rb") as lines:
                return sum(piece.count(b"\n") for piece in iter(lambda: lines.read(1 << 20), b""))
        return 0
