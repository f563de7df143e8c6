#!/usr/bin/env python3
"""The launcher, its templates and shepherds, without daemons: how jobs start, end and are cleaned away, and what
survives whose death. Each test runs without cgroups and, for root, with them, and as another user with them."""
import itertools
import os
import pathlib
import pwd
import resource
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import unittest

import launcher_client
from launcher_client import ACCOUNT, LIMIT, NODE, ORDER, SYSTEM, USER, VALUE, ExitRecord, Launcher, alive, encode, signed, wait_for

IS_ROOT = os.getuid() == 0
CGROUPS = next((pathlib.Path(p) for p in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup") if os.path.exists(p + "/cgroup.controllers")), None)
numbers = itertools.count(1)


class Jobs(unittest.TestCase):
    """How jobs run; the classes below say where."""
    uid = os.getuid()
    with_cgroup = False

    def setUp(self):
        if type(self) is Jobs:
            self.skipTest("only its subclasses run")
        if (self.with_cgroup or self.uid != os.getuid()) and not (IS_ROOT and CGROUPS):
            self.skipTest("needs root and a cgroup2 mount")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="jarvis_launcher_", dir="/tmp"))
        self.folder.chmod(0o755)
        self.work = self.folder / "work"
        self.work.mkdir()
        os.chown(self.work, self.uid, -1)
        self.cgroup = None
        if self.with_cgroup:
            self.cgroup = CGROUPS / f"jarvis_test_launcher_{os.getpid()}_{next(numbers)}"
            self.cgroup.mkdir()
        self.launcher = Launcher(self.folder)
        self.orders = {}

    def tearDown(self):
        if not hasattr(self, "folder"):
            return
        self.launcher.stop()
        if self.cgroup:
            self.assertEqual([p.name for p in self.cgroup.iterdir() if p.is_dir()], [], "job cgroups are left")
            self.cgroup.rmdir()
        self.assertEqual(list(self.folder.glob("tmp.*")), [], "temporary folders are left")
        mine = [pid for pid in os.listdir("/proc") if pid.isdigit() and self.is_of_this_test(pid)]
        self.assertEqual(mine, [], "processes are left")
        log = pathlib.Path(self.launcher.log).read_text()
        self.assertNotRegex(log, r"Sanitizer|runtime error:|terminate called")
        shutil.rmtree(self.folder)

    def is_of_this_test(self, pid):
        try:
            with open(f"/proc/{pid}/environ", "rb") as environment:
                return f"JARVIS_TEST={self.folder}".encode() in environment.read().split(b"\0")
        except OSError:
            return False

    def order(self, script, job=None, environment=(), account=None, **values):
        """An order with everything in it; keyword arguments replace or (with None) remove fields."""
        job = job or next(numbers)
        folder = self.folder / f"jobs/{job}.1"
        folder.mkdir(parents=True)
        (folder / "script").write_text(script)
        (folder / "script").chmod(0o755)
        account = account or {"uid": self.uid, "gid": pwd.getpwuid(self.uid).pw_gid, "groups": [pwd.getpwuid(self.uid).pw_gid]}
        fields = {
            "job_id": job, "incarnation": 1, "job_folder": str(folder), "runtime": "native",
            "account": encode(ACCOUNT, account), "script_path": str(folder / "script"),
            "environment": ["PATH=/usr/bin:/bin", f"JARVIS_TEST={self.folder}", f"JARVIS_TMPDIR={self.folder}/tmp.{job}", *environment],
            "working_directory": str(self.work), "output_path": f"job-{job}.out", "umask": 0o22,
            "temporary_folder": f"{self.folder}/tmp.{job}"}
        if self.cgroup:
            fields["cgroup"] = str(self.cgroup / f"job_{job}")
        fields.update(values)
        self.orders[job] = encode(ORDER, {k: v for k, v in fields.items() if v is not None})
        return job

    def start(self, script, **values):
        """The job and its shepherd's pid."""
        job = self.order(script, **values)
        self.launcher.launch(self.orders[job])
        launched = self.launcher.next("launched", job)
        self.assertIsNone(launched[4])
        return job, launched[3]

    def record(self, job):
        path = self.folder / f"jobs/{job}.1/exit"
        return ExitRecord(path.read_bytes()) if path.exists() else None

    def end(self, job, status=0):
        gone = self.launcher.next("gone", job)
        self.assertEqual(signed(gone[3]) or 0, status)
        return self.record(job)

    def run_job(self, script, **values):
        return self.end(self.start(script, **values)[0])

    def output(self, job):
        return (self.work / f"job-{job}.out").read_text()

    def wait_output(self, job, text):
        path = self.work / f"job-{job}.out"
        wait_for(lambda: path.exists() and text in path.read_text(), f"job {job} to say {text}")

    def script_of(self, job):
        """The script's pid. The shepherd writes it when the script may already be running."""
        path = self.folder / f"jobs/{job}.1/shepherd.pid"
        return int(wait_for(lambda: path.read_text().splitlines()[1:], f"the script's pid of job {job}")[0])

    def fails(self, message, fault, script="#!/bin/sh\n", **values):
        record = self.run_job(script, **values)
        self.assertIsNone(record.status)
        self.assertEqual((record.launch_error, record.fault), (message, fault))


class Ends(Jobs):
    def test_output_and_success(self):
        job, pid = self.start("#!/bin/sh\necho hello; echo oops >&2\n")
        record = self.end(job)
        self.assertEqual((record.job, record.incarnation, record.status, record.launch_error, record.notes), (job, 1, 0, "", ""))
        self.assertEqual(self.output(job), "hello\noops\n")
        self.assertEqual(stat.S_IMODE((self.work / f"job-{job}.out").stat().st_mode), 0o644)
        self.assertFalse(alive(pid))

    def test_exit_code(self):
        self.assertEqual(os.WEXITSTATUS(self.run_job("#!/bin/sh\nexit 42\n").status), 42)

    def test_end_by_a_signal(self):
        self.assertEqual(os.WTERMSIG(self.run_job("#!/bin/sh\nkill -KILL $$\n").status), signal.SIGKILL)

    def test_usage(self):
        record = self.run_job("#!/bin/sh\ni=0; while [ $i -lt 50000 ]; do i=$((i + 1)); done; sleep 0.2\n")
        self.assertGreater(record.elapsed_us, 200_000)
        self.assertGreater(record.user_us, 0)

    def test_usage_of_orphans_counts(self):
        busy = "i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done"
        record = self.run_job(f"#!/bin/sh\nsh -c '({busy}; echo done > orphan) & exit 0'\nwhile [ ! -e orphan ]; do sleep 0.05; done\n")
        self.assertGreater(record.user_us, 50_000)

    def test_what_a_script_leaves_is_killed(self):
        job, _ = self.start("#!/bin/sh\n"
                            "setsid sh -c 'trap \"\" TERM HUP INT; (trap \"\" TERM; echo $$ >&2; sleep 1000) & sleep 1000' &\n"
                            "echo $! ; sleep 0.3\n")
        record = self.end(job)
        self.assertEqual(record.status, 0)
        self.assertEqual(record.notes, "processes that the job left running were killed")
        self.assertEqual([pid for pid in self.output(job).split() if alive(pid)], [])

    def test_a_stopped_leftover_is_killed(self):
        record = self.run_job("#!/bin/sh\nsleep 1000 & kill -STOP $!\n")
        self.assertIn("killed", record.notes)

    def test_script_that_ignores_signals_dies_of_kill(self):
        job, shepherd = self.start("#!/bin/sh\ntrap '' TERM INT HUP\necho ready; while :; do sleep 0.1; done\n")
        self.wait_output(job, "ready")
        script = self.script_of(job)
        os.kill(script, signal.SIGTERM)
        os.kill(shepherd, signal.SIGTERM)  # blocked: a shepherd stays with its job
        time.sleep(0.3)
        self.assertTrue(alive(script) and alive(shepherd))
        os.kill(script, signal.SIGKILL)
        self.assertEqual(os.WTERMSIG(self.end(job).status), signal.SIGKILL)

    def test_pid_file_names_the_shepherd_for_ever(self):
        job, shepherd = self.start("#!/bin/sh\necho ready; sleep 1000\n")
        self.wait_output(job, "ready")
        pid, start_time = (self.folder / f"jobs/{job}.1/shepherd.pid").read_text().splitlines()[0].split()
        with open(f"/proc/{shepherd}/stat", encoding="latin-1") as fields:
            self.assertEqual((int(pid), start_time), (shepherd, fields.read().rpartition(")")[2].split()[19]))
        os.kill(self.script_of(job), signal.SIGKILL)
        self.end(job)


class Starts(Jobs):
    def test_environment_arguments_and_identity(self):
        job, _ = self.start("#!/bin/sh\nid -u; id -g; id -G; pwd; umask; env; echo \"$1|$2\"; ls /proc/self/fd | wc -l\n",
                            arguments=["a b", "c"], environment=["LATIN=\udce9"], umask=0o27)
        self.end(job)
        raw = (self.work / f"job-{job}.out").read_bytes()
        lines = os.fsdecode(raw).splitlines()
        account = pwd.getpwuid(self.uid)
        self.assertEqual(lines[:5], [str(self.uid), str(account.pw_gid), str(account.pw_gid), str(self.work), "0027"])
        self.assertIn("LATIN=\udce9", lines)
        self.assertEqual(lines[-2:], ["a b|c", "4"])  # 0, 1, 2 and the listing's own
        self.assertEqual(sorted(line.split("=")[0] for line in lines[5:-2]),
                         ["JARVIS_TEST", "JARVIS_TMPDIR", "LATIN", "PATH", "PWD"])
        self.assertEqual(stat.S_IMODE((self.work / f"job-{job}.out").stat().st_mode), 0o640)

    def test_signals_limits_and_cores(self):
        job, _ = self.start("#!/bin/sh\ngrep -E '^(Sig(Blk|Ign)|Cpus_allowed_list)' /proc/self/status; ulimit -n; ulimit -Hn; ulimit -c\n",
                            pus=[0], limits=[encode(LIMIT, {"name": "NOFILE", "soft": 100, "hard": 200}),
                                             encode(LIMIT, {"name": "CORE", "soft": 0, "hard": 0})])
        self.end(job)
        lines = [line.split()[-1] for line in self.output(job).splitlines()]
        self.assertEqual(lines, ["0" * 16, "0" * 16, "0", "100", "200", "0"])

    def test_a_limit_above_what_we_may_set_becomes_what_there_is(self):
        ours = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if IS_ROOT:
            self.skipTest("root may raise every limit")
        job, _ = self.start("#!/bin/sh\nulimit -Hn\n", limits=[encode(LIMIT, {"name": "NOFILE", "soft": ours + 1, "hard": ours + 1})])
        self.end(job)
        self.assertEqual(self.output(job).split(), [str(ours)])

    def test_runs_in_the_cgroup_from_the_start(self):
        job, _ = self.start("#!/bin/sh\ngrep ^0:: /proc/self/cgroup\n")
        self.end(job)
        if self.cgroup:
            self.assertTrue(self.output(job).strip().endswith(f"{self.cgroup.name}/job_{job}/tasks.0"))

    def test_what_the_node_does_not_give_is_its_fault(self):
        self.fails("its first process may run on CPUs 0, and was promised 0,8000", NODE, pus=[0, 8000], confined=1)
        self.assertEqual(self.run_job("#!/bin/sh\n", pus=[0], confined=1).status, 0)
        memory = "".join(line for line in open("/proc/self/status") if line.startswith("Mems_allowed_list"))
        if memory.split()[-1] == "0":
            self.assertEqual(self.run_job("#!/bin/sh\n", pus=[0], numa_nodes=[0], confined=1).status, 0)
            self.fails("its first process may have memory of NUMA nodes 0, and was promised 0-1", NODE, pus=[0], numa_nodes=[0, 1], confined=1)

    def test_values_of_the_cgroup_are_written_or_the_job_does_not_run(self):
        if not self.cgroup:
            self.skipTest("no cgroup can be made here")
        value = encode(VALUE, {"file": "no.such", "value": "1"})
        self.fails("cannot set no.such to 1: no such file or directory", NODE, cgroup_values=[value])
        self.assertEqual(self.run_job("#!/bin/sh\n", cgroup_values=[value + encode(VALUE, {"optional": 1})]).status, 0)
        depth = [encode(VALUE, {"file": "cgroup.max.depth", "value": "7"})]    # a file that every cgroup has
        self.assertEqual(self.run_job("#!/bin/sh\n", cgroup_values=depth).status, 0)
        self.fails("cgroup.max.depth says 7, asked for 07", NODE, cgroup_values=[encode(VALUE, {"file": "cgroup.max.depth", "value": "07"})])

    def test_output_paths(self):
        (self.work / "sub").mkdir(mode=0o777)
        (self.work / "sub").chmod(0o777)
        (self.work / "in").write_text("input\n")
        job, _ = self.start("#!/bin/sh\ncat; echo err >&2\n", output_path=str(self.work / "sub/out"), error_path="sub/err", input_path="in")
        self.end(job)
        self.assertEqual(((self.work / "sub/out").read_text(), (self.work / "sub/err").read_text()), ("input\n", "err\n"))

    def test_output_is_truncated_or_appended(self):
        path = self.work / "kept"
        for append, expected in ((0, "new\n"), (1, "new\nnew\n")):
            if not append:
                path.write_text("old content that is longer\n")
                path.chmod(0o666)
            self.run_job("#!/bin/sh\necho new\n", output_path="kept", append=append)
            self.assertEqual(path.read_text(), expected)

    def test_opening_stdout_anew_leaves_no_holes(self):
        job, _ = self.start("#!/bin/sh\necho one; echo two > /dev/stdout; echo three\n")
        self.end(job)
        self.assertEqual(self.output(job), "two\nthree\n")  # what a plain file does too; no zero bytes

    def test_bad_working_folder(self):
        self.fails("cannot enter working folder /nowhere/at/all: no such file or directory", USER, working_directory="/nowhere/at/all")
        self.fails(f"cannot enter working folder {self.work}/file: not a directory", USER,
                   working_directory=self.file("file"))

    def file(self, name, content="", mode=0o644):
        path = self.work / name
        path.write_text(content)
        path.chmod(mode)
        return str(path)

    def test_bad_output_paths(self):
        self.fails("cannot open output file /nowhere/x: no such file or directory", USER, output_path="/nowhere/x")
        self.fails("cannot open error file /nowhere/x: no such file or directory", USER, error_path="/nowhere/x")
        self.fails("cannot open input file absent: no such file or directory", USER, input_path="absent")
        self.fails(f"cannot open output file {self.work}: is a directory", USER, output_path=str(self.work))

    def test_scripts_that_cannot_run(self):
        self.fails("cannot execute the script: interpreter /no/such of its first line: no such file or directory", USER, "#!/no/such\n")
        self.fails("cannot execute the script: its first line does not begin with #! and an interpreter", USER, "echo hello\n")
        bad = self.file("interpreter", "x", 0o644)
        self.fails(f"cannot execute the script: interpreter {bad} of its first line: permission denied", USER, f"#!{bad}\n")
        self.fails("cannot execute the script: its arguments and environment are too long", USER, environment=["X=" + "y" * 140_000])
        absent = str(self.folder / "absent")
        self.fails(f"cannot execute {absent}: no such file or directory", SYSTEM, script_path=absent)

    def test_environment_of_megabytes(self):
        many = [f"VARIABLE_{i}=" + "v" * 1000 for i in range(1500)]
        job, _ = self.start("#!/bin/sh\necho $VARIABLE_1499 | wc -c\n", environment=many, limits=[encode(LIMIT, {"name": "stack", "soft": 1 << 26, "hard": 1 << 27})])
        self.assertEqual(self.end(job).launch_error, "")
        self.assertEqual(self.output(job).strip(), "1001")

    def test_orders_that_cannot_be_kept(self):
        self.fails("cannot make temporary folder /nowhere/tmp: no such file or directory", SYSTEM, temporary_folder="/nowhere/tmp")
        self.fails("cannot make cgroup /nowhere/job: no such file or directory", SYSTEM, cgroup="/nowhere/job")
        if not os.cpu_count() > 500:
            self.fails("cannot bind the job to its cores: invalid argument", SYSTEM, pus=[500])
        job = self.order("#!/bin/sh\n", runtime="nothing")
        self.launcher.launch(self.orders[job])
        self.assertEqual(self.launcher.next("launched", job)[4], b"runtime nothing is not loaded on this node")

    def test_a_second_start_is_refused(self):
        job, pid = self.start("#!/bin/sh\necho run >> runs; while [ ! -e go ]; do sleep 0.05; done\n")
        self.launcher.launch(self.orders[job])
        self.assertEqual(self.launcher.next("launched", job)[3], pid)  # still the one that runs
        (self.work / "go").touch()
        self.end(job)
        self.launcher.launch(self.orders[job])
        self.assertIn(b"it was started before", self.launcher.next("launched", job)[4])
        self.assertEqual((self.work / "runs").read_text(), "run\n")

    def test_many_at_once(self):
        jobs = [self.order(f"#!/bin/sh\nexit {i % 7}\n") for i in range(100)]
        for job in jobs:
            self.launcher.launch(self.orders[job])
        for i, job in enumerate(jobs):
            self.assertEqual(os.WEXITSTATUS(self.end(job).status), i % 7)


class Folders(Jobs):
    def test_it_is_the_owners_alone(self):
        job, _ = self.start("#!/bin/sh\nstat -c '%a %u' $JARVIS_TMPDIR\n")
        self.end(job)
        self.assertEqual(self.output(job), f"700 {self.uid}\n")

    def test_removal_follows_no_link_and_opens_what_its_owner_closed(self):
        victim = self.work / "victim"
        victim.mkdir(mode=0o777)
        victim.chmod(0o777)
        (victim / "keep").write_text("precious")
        (victim / "keep").chmod(0o666)
        record = self.run_job("#!/bin/sh\ncd $JARVIS_TMPDIR\n"
                              f"ln -s {victim} link; ln -s {victim}/keep file; ln -s / root; ln -s nowhere dangling\n"
                              f"mkdir -p a/b/c closed/inner unreadable; touch a/b/c/f closed/inner/f unreadable/f; ln -s {victim} a/b/link\n"
                              "mkfifo pipe; chmod 500 closed/inner closed; chmod 0 unreadable; touch 'odd\nname'; chmod 0 a/b/c/f; chmod 0 .\n")
        self.assertEqual(record.notes, "")
        self.assertEqual((victim / "keep").read_text(), "precious")
        self.assertEqual(stat.S_IMODE(victim.stat().st_mode), 0o777)

    def test_folder_that_became_a_link(self):
        victim = self.work / "victim"
        victim.mkdir(mode=0o777)
        (victim / "keep").write_text("precious")
        record = self.run_job(f"#!/bin/sh\nmkdir {self.work}/w 2>/dev/null; rmdir $JARVIS_TMPDIR && ln -s {victim} $JARVIS_TMPDIR\nexit 0\n")
        self.assertEqual((victim / "keep").read_text(), "precious")
        for link in self.folder.glob("tmp.*"):  # only the parent's owner could make it; it is told, not followed
            self.assertIn("cannot remove temporary folder", record.notes)
            link.unlink()

    def test_deep_tree(self):
        record = self.run_job("#!/usr/bin/perl\nchdir $ENV{JARVIS_TMPDIR};\n"
                              "for (1..1500) { mkdir 'd' x 20; open F, '>f'; close F; chdir 'd' x 20 or die; }\n")
        self.assertEqual((record.status, record.notes), (0, ""))

    def test_other_mounts_are_not_entered(self):
        if self.uid != os.getuid() or not IS_ROOT:
            self.skipTest("only root can mount")
        victim = self.work / "victim"
        victim.mkdir()
        (victim / "keep").write_text("precious")
        job, _ = self.start(f"#!/bin/sh\nmkdir $JARVIS_TMPDIR/m && mount --bind {victim} $JARVIS_TMPDIR/m; echo $?\n")
        record = self.end(job)
        self.addCleanup(subprocess.run, ["umount", f"{self.folder}/tmp.{job}/m"], check=False, stderr=subprocess.DEVNULL)
        if self.output(job) != "0\n":
            self.skipTest("mounting is not possible here")
        self.assertEqual((victim / "keep").read_text(), "precious")
        self.assertIn(f"cannot remove temporary folder {self.folder}/tmp.{job}", record.notes)
        subprocess.run(["umount", f"{self.folder}/tmp.{job}/m"], check=True)
        shutil.rmtree(f"{self.folder}/tmp.{job}")


class Deaths(Jobs):
    SLEEPER = "#!/bin/sh\nmkdir $JARVIS_TMPDIR/d\nsetsid sh -c 'trap \"\" TERM; sleep 1000' &\necho $$ $!\nsleep 1000\n"

    def kill_script(self, job):
        os.kill(self.script_of(job), signal.SIGKILL)

    def test_template_dies_and_jobs_go_on(self):
        job, shepherd = self.start("#!/bin/sh\necho ready; while [ ! -e go ]; do sleep 0.05; done; exit 7\n")
        self.wait_output(job, "ready")
        first = self.launcher.template()
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: not alive(first), "the template to die")
        second = self.start("#!/bin/sh\nexit 3\n")[0]
        self.assertEqual(os.WEXITSTATUS(self.end(second).status), 3)
        self.assertEqual(self.launcher.list(), [(job, 1, shepherd)])
        (self.work / "go").touch()
        self.assertEqual(os.WEXITSTATUS(self.end(job).status), 7)
        self.assertNotEqual(self.launcher.template(), first)

    def test_template_dies_again_and_again_in_a_stream_of_orders(self):
        jobs = [self.order(f"#!/bin/sh\necho run; exit {i % 5}\n") for i in range(60)]
        for i, job in enumerate(jobs):
            self.launcher.launch(self.orders[job])
            if i % 20 == 10:
                time.sleep(0.005)
                if template := self.launcher.template():
                    os.kill(template, signal.SIGKILL)
        for i, job in enumerate(jobs):
            record = self.end(job)
            self.assertEqual(os.WEXITSTATUS(record.status), i % 5)
            self.assertEqual(self.output(job), "run\n")

    def test_shepherd_dies_and_nothing_is_left_of_its_job(self):
        other, _ = self.start("#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.05; done; echo well\n")
        job, shepherd = self.start(self.SLEEPER)
        self.wait_output(job, " ")
        pids = self.output(job).split()
        os.kill(shepherd, signal.SIGKILL)
        self.assertIsNone(self.end(job, signal.SIGKILL))
        self.assertEqual([pid for pid in pids if alive(pid)], [])
        self.assertFalse((self.folder / f"tmp.{job}").exists())
        (self.work / "go").touch()
        self.assertEqual(self.end(other).status, 0)
        self.assertEqual(self.output(other), "well\n")

    def test_shepherd_and_template_die_together(self):
        job, shepherd = self.start(self.SLEEPER)
        self.wait_output(job, " ")
        os.kill(self.launcher.template(), signal.SIGKILL)
        os.kill(shepherd, signal.SIGKILL)
        self.end(job, signal.SIGKILL)
        self.assertFalse((self.folder / f"tmp.{job}").exists())

    def test_file_that_hangs_holds_up_its_job_alone(self):
        os.mkfifo(self.work / "pipe", 0o666)  # opening it for writing waits for a reader, as a dead file server would
        (self.work / "pipe").chmod(0o666)
        job, shepherd = self.start("#!/bin/sh\n", output_path="pipe")
        self.run_job("#!/bin/sh\n")
        self.assertEqual(self.launcher.list(), [(job, 1, shepherd)])
        def child():
            with open(f"/proc/{shepherd}/task/{shepherd}/children", encoding="ascii") as children:
                return children.read().split()
        os.kill(int(wait_for(child, "the job's process")[0]), signal.SIGKILL)
        self.assertEqual(os.WTERMSIG(self.end(job).status), signal.SIGKILL)

    def test_ends_are_told_to_the_next_connection(self):
        job, shepherd = self.start("#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.05; done\n")
        self.launcher.socket.close()
        (self.work / "go").touch()
        wait_for(lambda: not alive(shepherd), "the shepherd to end")
        self.launcher.connect()
        self.assertEqual(self.launcher.list(), [])
        self.end(job)

    def test_a_new_connection_takes_over_when_it_speaks(self):
        job, shepherd = self.start("#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.05; done\n")
        old = self.launcher.socket
        self.launcher.connect()
        silent = self.launcher.socket
        self.launcher.connect()
        self.assertEqual(self.launcher.list(), [(job, 1, shepherd)])
        self.assertEqual(old.recv(1), b"")
        (self.work / "go").touch()
        self.end(job)
        silent.close()
        old.close()

    def test_stopped_launcher_leaves_jobs_and_a_new_one_works(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            job, shepherd = self.start(f"#!/bin/sh\necho ready; while [ ! -e go{number} ]; do sleep 0.05; done; exit 9\n")
            self.wait_output(job, "ready")
            template = self.launcher.template()
            self.launcher.stop(number)
            wait_for(lambda: not alive(template), "the template to end")
            self.assertTrue(alive(shepherd))
            self.launcher = Launcher(self.folder)
            self.assertEqual(self.launcher.list(), [])
            second = self.start("#!/bin/sh\nexit 2\n")[0]
            self.assertEqual(os.WEXITSTATUS(self.end(second).status), 2)
            self.launcher.launch(self.orders[job])
            self.assertIn(b"it was started before", self.launcher.next("launched", job)[4])
            (self.work / f"go{number}").touch()
            self.assertEqual(os.WEXITSTATUS(wait_for(lambda: self.record(job), "the exit record").status), 9)
            wait_for(lambda: not alive(shepherd), "the shepherd to end")

    def test_an_order_that_meets_a_stopping_launcher_goes_to_the_next_one(self):
        template = self.launcher.template()
        os.kill(template, signal.SIGSTOP)
        first, late = self.order("#!/bin/sh\nexit 1\n"), self.order("#!/bin/sh\nexit 2\n")
        self.launcher.launch(self.orders[first])
        self.assertEqual(self.launcher.list(), [])  # the order is with the template
        self.launcher.process.send_signal(signal.SIGTERM)
        wait_for(lambda: not os.path.exists(self.launcher.socket_path), "the launcher to listen no more")
        self.launcher.launch(self.orders[late])
        os.kill(template, signal.SIGCONT)
        self.launcher.next("launched", first)
        with self.assertRaisesRegex(AssertionError, "closed the connection"):
            self.launcher.next("launched", late)
        self.launcher.stop()
        self.launcher = Launcher(self.folder)
        self.launcher.launch(self.orders[late])
        self.assertEqual(os.WEXITSTATUS(self.end(late).status), 2)
        self.assertEqual(os.WEXITSTATUS(wait_for(lambda: self.record(first), "the exit record").status), 1)

    def test_garbage_closes_that_connection_only(self):
        job, _ = self.start("#!/bin/sh\nsleep 0.5\n")
        old = self.launcher.socket
        for garbage in (b"\xff" * 100, b"\0\0\0\4abcd", b"\0\0\0\0" * 3):
            self.launcher.connect()
            self.launcher.socket.sendall(garbage)
            if garbage[0]:
                self.assertEqual(self.launcher.socket.recv(1), b"")
            self.launcher.socket.close()
        self.launcher.connect()
        self.launcher.list()
        self.end(job)
        old.close()


def placed(name, **attributes):
    """The test classes once more, run elsewhere."""
    for base in (Ends, Starts, Folders, Deaths):
        yield f"{base.__name__}{name}", type(f"{base.__name__}{name}", (base,), attributes)


globals().update(placed("InCgroup", with_cgroup=True))
globals().update(placed("AsNobody", with_cgroup=True, uid=pwd.getpwnam("nobody").pw_uid))


class Options(unittest.TestCase):
    def run_it(self, *options):
        return subprocess.run([f"{launcher_client.BUILD}/bin/jshepherd", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=60, check=False)

    def test_wrong_usage(self):
        for options in ((), ("--nonsense",), ("--socket", "x", "extra"), ("--socket", "x", "--setting", "native"), ("--socket", "x", "--log-format", "xml")):
            result = self.run_it(*options)
            self.assertEqual(result.returncode, 2, options)
            self.assertTrue(result.stderr)

    def test_runtime_that_cannot_be_loaded(self):
        with tempfile.TemporaryDirectory() as folder:
            result = self.run_it("--socket", f"{folder}/s", "--plugins", folder)
            self.assertEqual(result.returncode, 1)
            self.assertIn("runtime native cannot be loaded", result.stderr)
            result = self.run_it("--socket", f"{folder}/s", "--plugins", f"{launcher_client.BUILD}/lib/jarvis/plugins", "--setting", "native.x=1")
            self.assertIn("runtime native: unknown setting x", result.stderr)

    def test_version_and_help(self):
        self.assertRegex(self.run_it("--version").stdout, r"^jshepherd \d")
        self.assertIn("--socket", self.run_it("--help").stdout)


if __name__ == "__main__":
    unittest.main()
