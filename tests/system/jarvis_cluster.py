"""A real one-node cluster for tests: real daemons, in a folder of their own, driven by the real commands.

    from jarvis_cluster import Cluster, TestCase, main

    class Hello(TestCase):
        def test_runs(self):
            with Cluster() as c:
                job = c.submit(script="#!/bin/sh\\necho hello\\n")
                self.assertEqual(c.wait_job(job)["state"], "COMPLETED")
    main()

Started by root the cluster serves all users and may make cgroups; else it is a personal one. Every wait has a deadline
that says what it waited for; no test asserts how long something took. Leaving the `with` block ends the cluster and
fails the test if anything is left over: processes, job cgroups, job folders, temporary folders, reports of sanitizers.
"""
import contextlib
import ctypes
import glob
import itertools
import json
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = pathlib.Path(os.environ.get("JARVIS_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
# Of the presets that a person may have built, by hand or by contrib/quickstart.sh, release is the first choice.
BUILD = pathlib.Path(os.environ.get("JARVIS_BUILD_DIR") or next(
    (path for path in (SOURCE / "build/release", SOURCE / "build/debug") if (path / "bin/jctld").exists()), SOURCE / "build/debug")).resolve()
IS_ROOT = os.getuid() == 0
# Sanitizers and loaded machines are slow: every deadline is multiplied by this.
SLOWDOWN = float(os.environ.get("JARVIS_TEST_SLOWDOWN", "1"))
# An account without rights that every Debian has, and a second one to be told apart from it.
USER, OTHER_USER = "nobody", "games"
FINAL = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "PREEMPTED"}
SANITIZER_REPORTS = re.compile(
    r"(AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehavior|runtime error:|Assertion .* failed|terminate called)")
_numbers = itertools.count(1)
_libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


class Failure(AssertionError):
    pass


def seed_of_run():
    """One seed per test program; JARVIS_TEST_SEED repeats a run."""
    value = int(os.environ.get("JARVIS_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"seed {value} (repeat with JARVIS_TEST_SEED={value})", flush=True)
    return value


def wait_for(condition, what, seconds=60):
    """Calls condition until it is true and returns its value; the deadline is generous, since it is no measurement."""
    end = time.monotonic() + seconds * SLOWDOWN
    pause = 0.01
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {seconds * SLOWDOWN:.0f} s in vain for {what() if callable(what) else what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)


def processes_of(text):
    """The processes that have text in their command line or environment: {pid: command line}."""
    found = {}
    needle = os.fsencode(text)
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            command = pathlib.Path("/proc", entry, "cmdline").read_bytes()
            environment = pathlib.Path("/proc", entry, "environ").read_bytes()
            state = pathlib.Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if (needle in command or needle in environment) and state not in "ZX":
            found[int(entry)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def reachable(path):
    """Whether every user can read what is there."""
    path = pathlib.Path(path)
    return all(p.stat().st_mode & 0o001 for p in [path, *path.parents])


def sweep(base):
    """Ends what a test that was killed has left behind; a cluster's folder names the process that owns it."""
    for folder in base.iterdir():
        with contextlib.suppress(OSError, ValueError):
            owner, started = (folder / "owner").read_text().split()
            if start_time(int(owner)) == started:
                continue
            for pid in processes_of(str(folder)):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            mount = Cluster.cgroup_mount()
            for tree in glob.glob(f"{mount}/**/jarvis_*_t{owner}x*", recursive=True) if mount else []:
                remove_cgroup_tree(tree)
            shutil.rmtree(folder, ignore_errors=True)


def below(folder, pattern):
    """Like Path.rglob(pattern), and fine with folders that others remove meanwhile."""
    return [pathlib.Path(found) for found in glob.glob(f"{glob.escape(str(folder))}/**/{pattern}", recursive=True)]


def start_time(pid):
    """What tells two processes with one number apart; None when there is none, or one that has ended and waits for its parent."""
    try:
        words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if words[0] in "ZX" else words[19]
    except OSError:
        return None


def remove_cgroup_tree(tree):
    for folder, _, _ in os.walk(tree, topdown=False):
        for _ in range(100):
            try:
                os.rmdir(folder)
                break
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(0.02)


class Result:
    def __init__(self, arguments, code, out, err):
        self.arguments, self.code, self.out, self.err = arguments, code, out, err

    def __repr__(self):
        return f"{self.arguments}: exit {self.code}\n  stdout: {self.out!r}\n  stderr: {self.err!r}"


class Daemon:
    """jctld or jnoded, as a child of the test."""

    def __init__(self, cluster, name, config=None, log=None):
        self.cluster, self.name = cluster, name
        self.config = config or cluster.config_path
        self.log = cluster.folder / f"{log or name}.log"
        self.process = None
        self.environment = {}

    def enter(self):
        """What the process does before it becomes the daemon."""
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)       # a test that is killed leaves no daemon

    def start(self):
        assert self.process is None, f"{self.name} runs already"
        arguments = [str(self.cluster.program(self.name)), "--config", str(self.config)]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=self.enter, cwd=self.cluster.folder,
                env=self.cluster.daemon_environment() | {"JARVIS_CONF": str(self.config)} | self.environment)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, how=signal.SIGTERM):
        """Ends it and returns its exit status."""
        if self.process is None:
            return None
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(how)
        try:
            code = process.wait(60 * SLOWDOWN)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)     # a core or a sanitizer's stacks say where it hangs
            process.wait(60)
            raise Failure(f"{self.name} did not end after signal {how}\n{self.tail()}") from None
        if how == signal.SIGTERM and code != 0:
            raise Failure(f"{self.name} ended with {code} after SIGTERM\n{self.tail()}")
        return code

    def kill(self):
        return self.stop(signal.SIGKILL)

    def tail(self, lines=40):
        with contextlib.suppress(OSError):
            text = self.log.read_text(errors="replace").splitlines()[-lines:]
            return f"--- {self.log}\n" + "\n".join(text)
        return f"--- {self.log}: empty"


class Cluster:
    """Settings are TOML text by section: Cluster(limits='script_size = "1K"', jnoded='tmp_dir = "/x"')."""

    def __init__(self, start=True, keep=False, partitions=None, extra="", node_cores=0, node_settings="", **sections):
        base = pathlib.Path(tempfile.gettempdir(), f"jarvis-test-{os.getuid()}")
        base.mkdir(mode=0o755, exist_ok=True)
        sweep(base)
        # Short, since UNIX sockets are in it.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="c", dir=base))
        self.folder.chmod(0o755)
        (self.folder / "owner").write_text(f"{os.getpid()} {start_time(os.getpid())}")
        self.keep = keep or bool(os.environ.get("JARVIS_TEST_KEEP"))
        self.node = f"t{os.getpid()}x{next(_numbers)}"
        self.cluster_name = f"test-{self.node}"
        self.config_path = self.folder / "jarvis.toml"
        self.socket_path = self.folder / "jctld.sock"
        self.run_dir = self.folder / "run"
        self.state_dir = self.folder / "state"
        self.node_state_dir = self.folder / "node"
        self.tmp_dir = self.folder / "tmp"
        self.boot_id_file = self.folder / "boot_id"
        self.sections, self.partitions, self.extra, self.node_cores = sections, partitions, extra, node_cores
        self.node_settings = node_settings              # more lines of [[node]]
        self.jctld, self.jnoded = Daemon(self, "jctld"), Daemon(self, "jnoded")
        self.node_daemons = [self.jnoded]
        self.submitted = []
        self._copies = {}
        self.make_folders()
        self.write_config()
        if start:
            try:
                self.start()
            except BaseException:
                self.report()
                self.end_everything()
                raise

    def make_folders(self):
        for path in (self.run_dir, self.state_dir, self.node_state_dir, self.tmp_dir):
            path.mkdir(mode=0o755)
        self.state_dir.chmod(0o700)
        self.tmp_dir.chmod(0o1777)
        self.set_boot_id("00000000-0000-4000-8000-000000000001")

    def job_folders(self):
        """The run-time folders and the temporary folders of all nodes."""
        return [self.run_dir], [self.tmp_dir]

    # --- configuration

    def write_config(self, **changes):
        """The settings that the harness needs, and those of the test in the same sections."""
        self.sections.update(changes)
        sections = {
            "cluster": f'name = "{self.cluster_name}"',
            "controller": f'state_dir = "{self.state_dir}"\nsocket = "{self.socket_path}"',
            "security": "allow_root_jobs = true" if IS_ROOT else "personal = true",
            "log": 'level = "debug"',
            "plugins": f'directory = "{BUILD}/lib/jarvis/plugins"',
            "jnoded": f'name = "{self.node}"\nrun_dir = "{self.run_dir}"\nstate_dir = "{self.node_state_dir}"\n'
                      f'tmp_dir = "{self.tmp_dir}"\nshepherd = "{BUILD}/bin/jshepherd"\nboot_id_file = "{self.boot_id_file}"',
        }
        for name, text in self.sections.items():
            mine = dict(line.split(" = ", 1) for line in sections.get(name, "").splitlines())
            for line in text.splitlines():
                if " = " in line:
                    key, value = line.strip().split(" = ", 1)
                    mine[key] = value
            sections[name] = "\n".join(f"{key} = {value}" for key, value in mine.items())
        self.write_files(sections)

    def partitions_text(self):
        return self.partitions or (
            '[[partition]]\nname = "batch"\nnodes = "ALL"\ndefault = true\ndefault_time = "1h"\n'
            f'confinement = "{"track" if self.cgroup_mount() and IS_ROOT else "none"}"\n')

    def write_files(self, sections):
        text = "".join(f"[{name}]\n{body}\n\n" for name, body in sections.items())
        text += f'[[node]]\nnames = "{self.node}"\ncores = {self.node_cores}\n{self.node_settings}\n\n'
        text += f'{self.partitions_text()}\n{self.extra}\n'
        self.config_path.write_text(text)
        self.config_path.chmod(0o644)

    def set_boot_id(self, text):
        self.boot_id_file.write_text(text + "\n")

    def daemon_environment(self):
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                       "JARVIS_CONF": str(self.config_path)}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        if not IS_ROOT and "XDG_RUNTIME_DIR" in os.environ:
            environment["XDG_RUNTIME_DIR"] = os.environ["XDG_RUNTIME_DIR"]
        return environment

    # --- daemons

    def start(self):
        self.jctld.start()
        self.wait_controller()
        for node in self.node_daemons:
            node.start()
        self.wait_node()

    def wait_controller(self):
        def answers():
            if not self.jctld.running():
                raise Failure(f"jctld has ended with {self.jctld.process.returncode}\n{self.jctld.tail()}")
            return self.run("jadmin", "ping").code == 0
        wait_for(answers, lambda: f"the controller to answer\n{self.jctld.tail()}")

    def wait_node(self, states=("idle", "mixed", "allocated")):
        def ready():
            for node in self.node_daemons:
                if node.process is not None and not node.running():
                    raise Failure(f"jnoded has ended with {node.process.returncode}\n{node.tail()}")
            known = self.node_states()
            return known and all(state in states for state in known.values())
        wait_for(ready, lambda: f"all nodes to become one of {states}: {self.node_states()}\n{self.tails()}")

    def node_states(self):
        nodes = self.json("jnodes", "--json", check=False)
        return {node["name"]: node["state"] for node in (nodes or {}).get("nodes", [])}

    def node_state(self):
        return next(iter(self.node_states().values()), None)

    def restart_controller(self, how=signal.SIGTERM):
        self.jctld.stop(how)
        self.jctld.start()
        self.wait_controller()

    # --- commands

    def program(self, name, user=None):
        path = BUILD / "bin" / name
        if name == "jq" and not path.exists():
            path = BUILD / "bin" / "jqueue"
        if user is None or reachable(path.parent):
            return path
        # A build under a closed folder such as /root: others get a copy.
        if name not in self._copies:
            copy = self.folder / "bin" / path.name
            copy.parent.mkdir(mode=0o755, exist_ok=True)
            shutil.copy(path, copy)
            copy.chmod(0o755)
            self._copies[name] = copy
        return self._copies[name]

    def work(self, user=None):
        """A folder of that user's own, the working folder of what it runs."""
        path = self.folder / f"work-{user or 'self'}"
        if not path.exists():
            path.mkdir(mode=0o755)
            if user:
                account = pwd.getpwnam(user)
                os.chown(path, account.pw_uid, account.pw_gid)
        return path

    def _how(self, user, env, cwd):
        environment = {"PATH": f"{BUILD}/bin:/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/",
                       "JARVIS_CONF": str(self.config_path), "USER": user or pwd.getpwuid(os.getuid()).pw_name}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        environment.update(env or {})
        how = {"env": {k: v for k, v in environment.items() if v is not None}, "cwd": cwd or self.work(user)}
        if user:
            account = pwd.getpwnam(user)
            how |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        return how

    def run(self, name, *arguments, user=None, input=None, env=None, cwd=None, check=None, binary=False, umask=-1, seconds=120):
        """Runs a command to its end. check: the exit code that is expected."""
        full = [str(self.program(name, user)), *[a if isinstance(a, bytes) else str(a) for a in arguments]]
        if isinstance(input, str):
            input = input.encode()
        feed = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
        done = subprocess.run(full, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds * SLOWDOWN, umask=umask,
                              check=False, **feed, **self._how(user, env, cwd))
        decode = (lambda b: b) if binary else (lambda b: b.decode(errors="surrogateescape"))
        result = Result([name, *arguments], done.returncode, decode(done.stdout), decode(done.stderr))
        if check is not None and result.code != check:
            raise Failure(f"expected exit code {check}\n{result}\n{self.jctld.tail(15)}")
        return result

    def spawn(self, name, *arguments, user=None, env=None, cwd=None, **more):
        return subprocess.Popen([str(self.program(name, user)), *map(str, arguments)], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **self._how(user, env, cwd), **more)

    def json(self, name, *arguments, check=True, **how):
        result = self.run(name, *arguments, **how)
        if result.code != 0 and not result.out:
            if check:
                raise Failure(f"no JSON\n{result}")
            return None
        try:
            return json.loads(result.out)
        except ValueError as error:
            raise Failure(f"not JSON ({error})\n{result}") from None

    # --- jobs

    def script(self, text, name=None, user=None):
        path = self.work(user) / (name or f"script{next(_numbers)}.sh")
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o755)
        return path

    def submit(self, *options, script=None, wrap=None, arguments=(), user=None, **how):
        """Submits and returns the job's id, as text."""
        if wrap is not None:
            what = ["--wrap", wrap]
        else:
            what = [str(self.script(script if script is not None else "#!/bin/sh\nexit 0\n", user=user)), *arguments]
        result = self.run("jsub", *options, *what, user=user, check=0, **how)
        if not re.fullmatch(r"[0-9]+\n", result.out):
            raise Failure(f"not a job id alone\n{result}")
        job = result.out.strip()
        self.submitted.append(job)
        return job

    def job(self, job, **how):
        """What jq knows of a job, or None; how it ended is in it under the keys of `end`."""
        return self._first_job(self.json("jq", "-j", job, "--json", check=False, **how))

    def history(self, job, **how):
        """What jacct knows of a job, or None; how it ended is in it under the keys of `end`."""
        return self._first_job(self.json("jacct", "-j", job, "--json", check=False, **how))

    @staticmethod
    def _first_job(answer):
        job = next(iter((answer or {}).get("jobs", [])), None)
        return job and job | (job.get("end") or {})

    def wait_state(self, job, *states, seconds=60):
        last = {}

        def there():
            last["job"] = self.job(job)
            return last["job"] and last["job"]["state"] in states and last["job"]
        return wait_for(there, lambda: f"job {job} to become {' or '.join(states)}, last seen {last}\n{self.tails()}", seconds)

    def wait_job(self, job, seconds=120):
        return self.wait_state(job, *FINAL, seconds=seconds)

    def output(self, job, user=None):
        """What the job has written so far; nothing while its file is not there yet."""
        path = self.work(user) / f"jarvis-{job}.out"
        return path.read_bytes().decode(errors="surrogateescape") if path.exists() else ""

    def run_job(self, *options, user=None, **what):
        """Submits, waits, and returns what jacct says of the end, with the default output under 'text'."""
        job = self.submit(*options, user=user, **what)
        self.wait_job(job)
        record = self.history(job)
        path = self.work(user) / f"jarvis-{job}.out"
        record["text"] = path.read_bytes().decode(errors="surrogateescape") if path.exists() else None
        return record

    # --- the machine

    @staticmethod
    def cgroup_mount():
        with open("/proc/self/mounts", encoding="utf-8") as mounts:
            return next((line.split()[1] for line in mounts if line.split()[2] == "cgroup2"), None)

    def cgroups(self):
        """The trees that this cluster's nodes made."""
        mount = self.cgroup_mount()
        return [pathlib.Path(found) for found in glob.glob(f"{mount}/**/jarvis_*_{self.node}", recursive=True)] if mount else []

    def cgroup(self):
        return next(iter(self.cgroups()), None)

    def shepherd_pids(self):
        return [pid for pid, command in processes_of(str(self.folder)).items() if "jshepherd" in command.split(" ")[0]]

    def job_processes(self):
        """The processes of jobs: they have a job id in their environment and our configuration."""
        found = {}
        for pid, command in processes_of(str(self.folder)).items():
            with contextlib.suppress(OSError):
                if b"JARVIS_JOB_ID=" in pathlib.Path(f"/proc/{pid}/environ").read_bytes():
                    found[pid] = command
        return found

    def leftovers(self):
        """What an idle cluster must not have: processes, cgroups, folders of jobs."""
        found = [f"process {pid}: {command}" for pid, command in self.job_processes().items()]
        found += [f"cgroup {path}" for tree in self.cgroups() for path in below(tree, "job_*")]
        run_folders, temporary = self.job_folders()
        found += [f"temporary folder {path}" for folder in temporary for path in folder.iterdir()]
        found += [f"run-time folder {path}" for folder in run_folders for path in below(folder, "*")
                  if path.name in ("order", "exit", "exit.tmp")]
        return found

    def sanitizer_reports(self):
        found = []
        for log in self.folder.glob("*.log"):
            for line in log.read_text(errors="replace").splitlines():
                if SANITIZER_REPORTS.search(line):
                    found.append(f"{log.name}: {line}")
        return found

    # --- the end

    def all_running(self):
        return all(daemon.running() for daemon in (self.jctld, *self.node_daemons))

    def tails(self):
        return "\n".join(daemon.tail() for daemon in (self.jctld, *self.node_daemons))

    def report(self):
        for log in sorted(self.folder.glob("*.log")):
            text = log.read_text(errors="replace").splitlines()[-60:]
            print(f"--- {log}", *text, sep="\n", file=sys.stderr)

    def end_everything(self):
        for daemon in (*self.node_daemons, self.jctld):
            with contextlib.suppress(Exception):
                daemon.kill()
        for _ in range(50):
            pids = [*self.job_processes(), *self.shepherd_pids(), *processes_of(str(self.folder))]
            for pid in pids:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            if not pids:
                break
            time.sleep(0.1)
        self.remove_cgroups()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def remove_cgroups(self):
        for tree in self.cgroups():
            remove_cgroup_tree(tree)

    def close(self):
        """Ends a healthy cluster, and complains about whatever is left over."""
        problems = []
        try:
            if self.all_running():
                if self.run("jq", "--json").code == 0:
                    left = [j["id"] for j in self.json("jq", "--json").get("jobs", [])]
                    if left:
                        self.run("jcancel", *left)
                    for job in left:
                        self.wait_job(job)
                try:
                    wait_for(lambda: not self.leftovers(), "jobs to leave nothing behind", 30)
                except Failure:
                    problems += self.leftovers()
            for daemon in (*self.node_daemons, self.jctld):
                if daemon.process is not None and not daemon.running():
                    problems.append(f"{daemon.name} had ended with {daemon.process.returncode}\n{daemon.tail()}")
                    daemon.process = None
                elif daemon.running():
                    daemon.stop()
            shepherds = self.shepherd_pids()
            for pid in shepherds:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            try:
                wait_for(lambda: not processes_of(str(self.folder)), "processes to end", 30)
            except Failure:
                problems += [f"process {pid} left: {command}" for pid, command in processes_of(str(self.folder)).items()]
            problems += self.sanitizer_reports()
        except BaseException:
            self.report()
            raise
        finally:
            if problems:
                self.report()
            self.end_everything()
        if problems:
            raise Failure("the cluster left something behind or reported a problem:\n" + "\n".join(problems))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.close()
            return False
        if not issubclass(kind, unittest.SkipTest):
            self.report()
        self.end_everything()
        return False


# --- the wire, by hand: what no honest client sends

def varint(number):
    out = b""
    while True:
        number, low = number >> 7, number & 0x7F
        out += bytes([low | (0x80 if number else 0)])
        if not number:
            return out


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def frame(body):
    return struct.pack(">I", len(body)) + body


def hello(major=1, minor=0, software=b"test 0", role=0, **fields):
    return field(1, major) + field(2, minor) + field(3, software) + field(6, int(time.time() * 1e6)) + field(7, role) + b"".join(
        field(n, v) for n, v in fields.get("more", []))


def fields(body):
    """The fields of a message by number, each with its values: numbers and bytes."""
    found, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = body[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
    while at < len(body):
        key = number()
        value = number()
        if key & 7 == 2:
            at, value = at + value, body[at:at + value]
        found.setdefault(key >> 3, []).append(value)
    return found


def receive(channel):
    """The next frame's message, or None when the peer has closed."""
    def exactly(count):
        data = b""
        while len(data) < count:
            piece = channel.recv(count - len(data))
            if not piece:
                return None
            data += piece
        return data
    head = exactly(4)
    return head and exactly(struct.unpack(">I", head)[0])


def connect(path, seconds=20):
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    channel.settimeout(seconds * SLOWDOWN)
    channel.connect(str(path))
    return channel


# --- running tests

class TestCase(unittest.TestCase):
    maxDiff = None

    def assertSays(self, result, code, *words):
        """The exit code, and every word somewhere in what it said to the person."""
        self.assertEqual(result.code, code, f"exit code\n{result}")
        for word in words:
            self.assertIn(word.lower(), (result.err + result.out).lower(), f"\n{result}")


class SharedCluster(TestCase):
    """One cluster for all tests of a class, as self.c; settings are those of Cluster."""
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.c = Cluster(**cls.settings)

    @classmethod
    def tearDownClass(cls):
        cls.c.close()

    def run(self, result=None):
        # One dead daemon is one finding, and not one of every test after it.
        if hasattr(self, "c") and not self.c.all_running():
            result.startTest(self)
            result.addSkip(self, "a daemon of this class's cluster has ended")
            result.stopTest(self)
            return result
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before and hasattr(self, "c"):
            print(f"--- logs at the failure of {self.id()}\n{self.c.tails()}", file=sys.stderr)
        return result


def needs_root(test):
    return unittest.skipUnless(IS_ROOT, "needs root")(test)


def main():
    """Runs the tests of the calling script: exit 0, 1, or 77 when all of them were skipped."""
    if not (BUILD / "bin" / "jctld").exists():
        print(f"there is no {BUILD}/bin/jctld: build first", file=sys.stderr)
        sys.exit(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))       # so that clusters are cleaned up
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    result = program.result
    for test, reason in result.skipped:
        print(f"skipped {test.id()}: {reason}")
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if result.testsRun and len(result.skipped) == result.testsRun else 0)
