#!/usr/bin/env python3
"""jrun outside a job, on another machine than the job's: what it says and hears goes over both node daemons. The third node is the
one that jrun is typed on; its TMPDIR is in a mount namespace of its own, so that no process of a job reaches the socket in it."""
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

from jarvis_cluster import IS_ROOT, USER, SharedCluster, connect, field, fields, frame, hello, needs_root, processes_of, receive, wait_for
from jarvis_network import Network, main, needs_namespaces

HERE = 3                                    # the node that jrun is typed on
FOREIGN = 'mount -t tmpfs -o mode=1777 tmpfs "$TMPDIR" && exec "$@"'


class Far:
    namespaces = False

    @classmethod
    def setUpClass(cls):
        cls.c = Network(nodes=3, namespaces=cls.namespaces, peers=True, node_cores=4, node_settings="vouch = true")
        cls.tmpdir = cls.c.folder / "tmpdir"
        cls.tmpdir.mkdir(mode=0o1777)

    @property
    def first(self):
        return self.c.nodes[0]

    @property
    def here(self):
        return self.c.nodes[HERE - 1]

    def spawn(self, *arguments, here=None, config=None, user=None, **more):
        """jrun on a node's machine, for jobs on the first two."""
        jrun = self.c.program("jrun", user)
        drop = ["setpriv", f"--reuid={user}", "--regid=nogroup", "--clear-groups"] if user else []
        how = self.c._how(None, {"JARVIS_CONF": str(config or (here or self.here).config), "TMPDIR": str(self.tmpdir)}, self.c.work(user))
        more = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "bufsize": 0} | more
        return subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c", FOREIGN, "sh", *drop, str(jrun),
                                 "-x", self.c.nodes[HERE - 1].node, *map(str, arguments)], **how, **more)

    def jrun(self, *arguments, input=None, **how):
        run = self.spawn(*arguments, **({"stdin": subprocess.PIPE} if input is not None else {}), **how)
        out, err = run.communicate(input, timeout=300)
        return run.returncode, out, err.decode()

    def processes(self, mark):
        return [pid for pid, command in processes_of(mark).items() if command.split() == [mark, "600"]]

    def running(self, name):
        return [j for j in self.c.json("jq", "-t", "all", "--json")["jobs"] if j["name"] == name and j["state"] == "RUNNING"]

    def started(self, name, *options, **how):
        """A jrun whose four tasks on two nodes sleep, and its job."""
        mark = f"{self.c.node}-{name}"
        options = options or ("-N", 2, "-n", 4, "--ntasks-per-node", 2)
        run = self.spawn("-J", name, *options, "bash", "-c", f"exec -a {mark} sleep 600", **how)
        wait_for(lambda: len(self.processes(mark)) == 4, lambda: f"the tasks: {processes_of(mark)}")
        return run, self.running(name)[0]["id"], mark

    def ended(self, run, job, mark):
        _, err = run.communicate(timeout=300)
        wait_for(lambda: not self.processes(mark), lambda: f"the tasks to end: {processes_of(mark)}")
        return run.returncode, err.decode(), self.c.wait_job(job)

    # --- what goes through

    def test_input_output_errors_and_exit_code(self):
        code, out, err = self.jrun("-w", self.first.node, "sh", "-c", "cat; echo $JARVIS_NODENAME; echo to stderr >&2; exit 3",
                                   input=b"hello\n")
        self.assertEqual((code, out.decode()), (3, f"hello\n{self.first.node}\n"), err)
        self.assertEqual(sorted(err.splitlines()), ["jrun: task 0: exit code 3", "to stderr"])

    def test_megabytes_both_ways(self):
        data = os.urandom(16 << 20)
        code, out, err = self.jrun("cat", input=data)
        self.assertEqual((code, err), (0, ""))
        self.assertTrue(out == data, f"{len(out)} bytes of {len(data)} came back, or others")

    def test_tasks_on_both_nodes_with_labels(self):
        code, out, err = self.jrun("-N", 2, "-n", 4, "--ntasks-per-node", 2, "-l", "sh", "-c", "echo $JARVIS_NODENAME; seq 20000")
        self.assertEqual((code, err), (0, ""))
        lines = out.decode().splitlines()
        for rank in range(4):
            own = [line for line in lines if line.startswith(f"{rank}: ")]
            self.assertEqual(own, [f"{rank}: {self.c.nodes[rank // 2].node}", *(f"{rank}: {n}" for n in range(1, 20001))])

    def test_as_an_ordinary_user(self):
        user = USER if IS_ROOT else None
        code, out, err = self.jrun("sh", "-c", "id -un; env | grep -c JRUN_", user=user)
        self.assertEqual((code, out.decode().split()[1:], err), (1, ["0"], "jrun: task 0: exit code 1\n"))
        if user:
            self.assertEqual(out.decode().split()[0], user)

    def test_nobody_reads_the_input_that_no_task_gets(self):
        read, write = os.pipe()
        os.write(write, b"for the next one\n")
        os.close(write)
        code, out, err = self.jrun("-i", "none", "cat", stdin=read)
        self.assertEqual((code, out, err), (0, b"", ""))
        self.assertEqual(os.read(read, 100), b"for the next one\n")
        os.close(read)

    def test_commands_that_are_not_there(self):
        code, _, err = self.jrun("no-such-program")
        self.assertEqual((code, err), (127, "jrun: cannot execute no-such-program: no such file or directory\n"))

    def test_a_reader_that_has_enough_ends_the_writer(self):
        run = self.spawn("yes")
        self.assertEqual(run.stdout.read(2), b"y\n")
        run.stdout.close()
        err = run.stderr.read().decode()
        self.assertEqual((run.wait(60), err), (141, "jrun: task 0: ended by signal PIPE\n"))
        run.stderr.close()

    def test_signals_are_passed_on(self):
        run = self.spawn("-n", 2, "-N", 2, "bash", "-c", 'trap "echo got it; exit 7" USR1; echo ready; while :; do sleep 0.05; done')
        for _ in range(2):
            self.assertEqual(run.stdout.readline(), b"ready\n")
        run.send_signal(signal.SIGUSR1)
        out, err = run.communicate(timeout=60)
        self.assertEqual((run.returncode, out), (7, b"got it\n" * 2), err)

    def test_a_caller_that_stands_still_loses_nothing(self):
        """For longer than the daemons and the kernel wait for a peer that takes nothing."""
        run = self.spawn("seq", "3000000")
        self.assertEqual(run.stdout.read(2), b"1\n")
        run.send_signal(signal.SIGSTOP)
        time.sleep(35)
        run.send_signal(signal.SIGCONT)
        out, err = run.communicate(timeout=300)
        self.assertEqual((run.returncode, err), (0, b""))
        self.assertEqual(out.decode().split(), [str(n) for n in range(2, 3000001)])

    def test_on_the_jobs_own_node_with_a_private_folder(self):
        code, out, err = self.jrun("-w", self.first.node, "cat", input=b"hello\n", here=self.first)
        self.assertEqual((code, out, err), (0, b"hello\n", ""))

    # --- ends

    def test_an_interrupt_cancels_the_job(self):
        run, job, mark = self.started("interrupted")
        run.send_signal(signal.SIGINT)
        code, err, record = self.ended(run, job, mark)
        self.assertEqual(record["state"], "CANCELLED")
        self.assertIn(f"jrun: cancelling job {job}", err)
        self.assertNotEqual(code, 0)

    def test_a_killed_caller_ends_the_tasks(self):
        run, job, mark = self.started("killed")
        run.kill()
        _, _, record = self.ended(run, job, mark)
        self.assertEqual(record["state"], "FAILED")

    def test_a_job_that_is_cancelled_ends_its_caller(self):
        run, job, mark = self.started("cancelled")
        self.c.run("jcancel", job, check=0)
        code, err, record = self.ended(run, job, mark)
        self.assertEqual(record["state"], "CANCELLED")
        self.assertNotEqual(code, 0, err)

    def test_a_killed_daemon_of_either_side(self):
        for node in (self.first, self.here):
            run, job, mark = self.started(f"daemon{node.number}")
            node.stop(signal.SIGKILL)
            node.start()
            code, err, record = self.ended(run, job, mark)
            self.assertIn(f"jrun: node {self.first.node}: the connection to it is lost", err)
            self.assertEqual((record["state"], code != 0), ("FAILED", True), err)
            self.c.wait_node()

    def test_a_killed_inner_jrun(self):
        run, job, mark = self.started("inner")
        inner = [pid for pid in self.c.job_processes() if b"JRUN_CALLER=" in self.environment(pid)]
        os.kill(min(inner), signal.SIGKILL)         # the one that stays between
        code, err, _ = self.ended(run, job, mark)
        self.assertNotEqual(code, 0, err)

    # --- who may meet

    @staticmethod
    def environment(pid):
        with contextlib.suppress(OSError):
            return pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        return b""

    def token(self):
        found = {m[1] for pid in self.c.job_processes() for m in re.finditer(rb"JRUN_CALLER=([0-9a-f]{32}):", self.environment(pid))}
        self.assertEqual(len(found), 1)
        return bytes.fromhex(found.pop().decode())

    def call(self, node, job, token, to=None):
        """What a node daemon answers to one who says that it is the caller: the code and the text of a refusal."""
        to = self.first.node if to is None else to
        with connect(node.run_dir / "steps.sock") as channel:
            channel.sendall(frame(field(22, field(1, hello()) + field(2, int(job)) + field(3, token) + field(4, to.encode()))))
            answer = receive(channel)
        refused = fields(fields(answer)[1][0]) if answer else {}
        return refused.get(1, [0])[0], refused.get(2, [b""])[0].decode()

    def test_only_the_caller_is_met_and_only_once(self):
        run, job, mark = self.started("once", "-w", self.first.node, "-n", 4)
        token = self.token()
        for node in (self.here, self.first):
            code, text = self.call(node, job, bytes(16))
            self.assertEqual((code, text), (2, f"the jrun of job {job} waits for another one than this"))
            code, text = self.call(node, job, token)
            self.assertEqual((code, text), (2, f"the jrun of job {job} has met its caller already"))
            for name in ("/run/jctld.sock", "n1:22", "../x", "n" * 300, ""):
                self.assertEqual(self.call(node, job, token, name), (0, "it does not say whom it calls"))
        self.assertEqual(self.call(self.here, job, b"short"), (0, "it does not say whom it calls"))
        self.assertIn("no jrun of job 999999", self.call(self.here, 999999, token)[1])
        self.assertIn("nowhere", self.call(self.here, job, token, "nowhere")[1])
        self.assertEqual(len(self.processes(mark)), 4)
        run.send_signal(signal.SIGINT)
        self.ended(run, job, mark)

    @needs_root
    def test_another_user_is_refused(self):
        run, job, mark = self.started("theirs", "-w", self.first.node, "-n", 4)
        token = self.token()
        child = os.fork()
        if child == 0:
            os.setresuid(65534, 65534, 65534)
            code, text = self.call(self.here, job, token)
            os._exit(0 if code == 2 and "belongs to uid 0" in text else 1)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        run.send_signal(signal.SIGINT)
        self.ended(run, job, mark)

    def test_senseless_messages(self):
        def inner(*more):
            return field(21, field(1, hello()) + field(2, 1) + b"".join(more))
        for node in (self.first, self.here):
            for body in (inner(field(3, bytes(16))), inner(), field(22, b""), field(22, field(1, hello())), field(22, b"\xff" * 40),
                         field(6, field(1, hello()) + field(2, 1) + field(21, b"")), field(6, field(21, field(1, bytes(16)))),
                         field(21, b"\xff")):
                with connect(node.run_dir / "steps.sock") as channel:
                    channel.sendall(frame(body))
                    while receive(channel):
                        pass
        code, out, err = self.jrun("echo", "well")
        self.assertEqual((code, out), (0, b"well\n"), err)

    def test_without_a_node_daemon_the_job_is_cancelled(self):
        run = self.spawn("-J", "alone", "sleep", "600", config=self.c.config_path)
        _, err = run.communicate(timeout=300)
        self.assertEqual(run.returncode, 4, err)
        first, *_, said, _end = err.decode().splitlines()
        self.assertIn("warning: no answer from a node daemon of this machine", first)
        self.assertIn("jrun outside a job needs the node daemon", said)
        self.assertEqual(self.running("alone"), [])


class Sockets(Far, SharedCluster):
    pass


@needs_namespaces
class Tls(Far, SharedCluster):
    namespaces = True

    def test_a_cut_connection_ends_the_tasks_and_names_the_node(self):
        run, job, mark = self.started("cut", "-w", self.first.node, "-n", 4)
        self.first.link_down()
        wait_for(lambda: not self.processes(mark), "the tasks to end", 120)
        self.first.link_up()
        code, err, _ = self.ended(run, job, mark)
        self.assertIn(f"jrun: node {self.first.node}: the connection to it is lost", err)
        self.assertNotEqual(code, 0)


main()
