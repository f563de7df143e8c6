#!/usr/bin/env python3
"""jrun: steps inside a job, and commands outside one, on a real node daemon. Cores are virtual, so that there are enough."""
import os
import pathlib
import re
import signal
import subprocess
import time

from jarvis_cluster import IS_ROOT, USER, SharedCluster, TestCase, Cluster, main, processes_of, wait_for

CORES = 8


def job_script(body):
    return "#!/bin/bash\n" + body + "\n"


class Jrun(SharedCluster):
    settings = {"node_cores": CORES}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()

    def inside(self, body, *options, user=None, cores=4):
        """What a job with so many cores writes, which runs this script."""
        record = self.c.run_job("-n", str(cores), *options, script=job_script(body), user=user)
        return record["text"]

    def lines(self, body, *options, **how):
        return self.inside(body, *options, **how).splitlines()

    # --- tasks

    def test_tasks_know_who_they_are(self):
        out = self.lines('jrun -n 3 sh -c \'echo $JARVIS_PROCID $JARVIS_LOCALID $JARVIS_NODEID $JARVIS_STEP_ID $JARVIS_STEP_NUM_TASKS '
                         '$JARVIS_STEP_NODELIST $JARVIS_STEP_TASKS_PER_NODE $JARVIS_NODENAME\'\n'
                         'jrun -n 1 -c 2 sh -c \'echo $JARVIS_STEP_ID $JARVIS_CPUS_PER_TASK\'')
        node = self.c.node
        self.assertEqual(sorted(out[:3]), [f"{i} {i} 0 0 3 {node} 3 {node}" for i in range(3)])
        self.assertEqual(out[3:], ["1 2"])

    def test_a_step_has_the_jobs_tasks_unless_it_says_otherwise(self):
        self.assertEqual(sorted(self.lines("jrun sh -c 'echo $JARVIS_PROCID'")), list("0123"))
        self.assertEqual(self.lines("JARVIS_NTASKS=2 jrun true; echo $?; JARVIS_NTASKS=x jrun true; echo $?"),
                         ["0", 'jrun: JARVIS_NTASKS: expected a number from 1 to 1048576, found "x"', "2"])

    def test_as_an_ordinary_user(self):
        user = USER if IS_ROOT else None
        out = self.lines("jrun -n 2 id -u; jrun -n 1 sh -c 'exit 5'; echo $?", user=user)
        uid = str(os.getuid() if user is None else __import__("pwd").getpwnam(user).pw_uid)
        self.assertEqual(out, [uid, uid, "jrun: task 0: exit code 5", "5"])

    def test_exit_codes(self):
        out = self.lines("""jrun -n 3 sh -c 'exit $((JARVIS_PROCID + 3))' 2>&1; echo $?
jrun -n 2 sh -c 'kill -USR1 $$' 2>&1; echo $?
jrun -n 1 no-such-program; echo $?
jrun -n 1 /etc/passwd; echo $?
jrun --nonsense true; echo $?
jrun; echo $?
jrun -n 0 true; echo $?
jrun -p batch true; echo $?
jrun -n 99 true; echo $?
jrun -w elsewhere true; echo $?
jrun -n 1 -D /nowhere true; echo $?
jrun -n1 --overlap -I true; echo $?
jrun -n1 -o /nowhere/x true; echo $?""")
        self.assertEqual(out[:5], ["jrun: task 0: exit code 3", "jrun: task 1: exit code 4", "jrun: task 2: exit code 5", "5",
                                   "jrun: tasks 0-1: ended by signal USR1"])
        text = "\n".join(out[5:])
        for part in ("138", "jrun: cannot execute no-such-program: No such file or directory\n127", "jrun: cannot execute /etc/passwd: Permission denied\n126",
                     'jrun: unknown option --nonsense\nTry "jrun --help".\n2', 'jrun: no command given\nTry "jrun --help".\n2',
                     "\n2\njrun: --partition is for a new job, and this is inside job ", "has 4 cores on 1 node (with --overlap tasks share cores)\n1",
                     "jrun: node elsewhere is none of the job's\n3", "jrun: cannot enter /nowhere: No such file or directory\n1",
                     "--overlap and --immediate exclude each other", "jrun: cannot open /nowhere/x: No such file or directory\n1"):
            self.assertIn(part.lower(), text.lower())

    def test_many_tasks(self):
        out = self.lines("jrun -n 500 --overlap sh -c 'echo $JARVIS_PROCID'")
        self.assertEqual(sorted(map(int, out)), list(range(500)))

    # --- output and input

    def test_labelled_lines_are_whole(self):
        out = self.lines("jrun -n 4 -l sh -c 'seq -f \"line %.0f of a task that writes a lot\" 25000; printf end'")
        self.assertEqual(len(out), 4 * 25001)
        seen = {rank: 0 for rank in range(4)}
        for line in out:
            match = re.fullmatch(r"([0-3]): (?:line (\d+) of a task that writes a lot|end)", line)
            self.assertTrue(match, line)
            rank = int(match[1])
            seen[rank] += 1
            if match[2]:
                self.assertEqual(int(match[2]), seen[rank], line)
        self.assertEqual(set(seen.values()), {25001})

    def test_files_of_tasks(self):
        out = self.lines("""cd $JARVIS_TMPDIR
jrun -n 2 -o out.%t -e none sh -c 'echo $JARVIS_PROCID; echo bad >&2'; cat out.0 out.1
jrun -n 2 -o same sh -c 'echo $JARVIS_PROCID; echo too >&2'; sort same
jrun -n 2 -l -o labelled.%j.%s echo x; sort labelled.$JARVIS_JOB_ID.2
jrun -n 1 -o '%q' true; echo $?""")
        self.assertEqual(out[:2], ["0", "1"])
        self.assertEqual(out[2:6], ["0", "1", "too", "too"])
        self.assertEqual(out[6:8], ["0: x", "1: x"])
        self.assertIn("unknown %q", out[8])
        self.assertEqual(out[9], "2")

    def test_input_goes_to_one_task(self):
        out = self.lines("""echo hello | jrun -n 2 -l cat
echo hello | jrun -n 2 -l -i 1 cat
echo hello | jrun -n 1 -i none cat
echo there > $JARVIS_TMPDIR/f; jrun -n 1 -l -i $JARVIS_TMPDIR/f cat""")
        self.assertEqual(out, ["0: hello", "1: hello", "0: there"])

    def test_variables_and_folder(self):
        out = self.lines("""export A=1 B=2; jrun -n 1 --export=A,C=3 sh -c 'echo $A-$B-$C-$JARVIS_JOB_ID'; jrun -n 1 -D / pwd""")
        self.assertRegex(out[0], r"^1--3-\d+$")
        self.assertEqual(out[1], "/")

    # --- cores

    def test_steps_side_by_side_have_cores_of_their_own(self):
        out = self.lines("""for i in 1 2 3 4 5 6 7 8; do jrun -n 2 --report-bindings sleep 0.3 & done; wait""")
        bindings = [re.fullmatch(r"jrun: task \d on \S+: cores (\d+), not bound", line) for line in out if "task" in line]
        self.assertEqual(len(bindings), 16)
        self.assertTrue(all(bindings), out)
        # Two run at a time: each core is told four times.
        cores = [int(match[1]) for match in bindings]
        self.assertEqual({core: cores.count(core) for core in set(cores)}, {core: 4 for core in set(cores)})
        self.assertEqual(len(set(cores)), 4)

    def test_waiting_immediate_and_overlap(self):
        out = self.lines("""jrun -n 4 sleep 4 & sleep 1
jrun -n 1 -I true; echo immediate $?
jrun -n 1 --overlap true; echo overlap $?
jrun -n 1 true; echo waited $?; wait""")
        self.assertIn("jrun: there are no 1 core, while other steps of the job have theirs (1)", out[0])
        self.assertEqual(out[1:3], ["immediate 4", "overlap 0"])
        self.assertEqual(out[-1], "waited 0")
        self.assertIn("jrun: waiting for 1 core, while other steps of the job have theirs (1)", out)

    # --- ends

    def test_kill_on_bad_exit(self):
        out = self.lines("""time=$SECONDS; jrun -n 3 -K sh -c 'if [ $JARVIS_PROCID = 1 ]; then exit 3; fi; exec sleep 600'; echo $?""")
        self.assertIn("jrun: task 1 has failed, so all are ended (--kill-on-bad-exit)", out)
        self.assertEqual(out[-1], "143")

    def test_time_limit_of_a_step(self):
        out = self.lines("jrun -n 1 -t 00:00:01 sleep 600; echo $?")
        self.assertIn("jrun: time limit of 1s reached", out)
        self.assertEqual(out[-1], "125")

    def test_signals_are_passed_on(self):
        out = self.lines("""jrun -n 2 bash -c 'trap "echo got it; exit 7" USR1; echo ready; while :; do sleep 0.05; done' & pid=$!
sleep 1; kill -USR1 $pid; wait $pid; echo $?""")
        self.assertEqual(out.count("got it"), 2)
        self.assertEqual(out[-1], "7")

    def test_a_killed_jrun_ends_its_tasks(self):
        mark = f"jrun-test-{os.getpid()}-killed"
        out = self.lines(f"""jrun -n 2 bash -c 'exec -a {mark} sleep 600' & pid=$!
sleep 1; kill -9 $pid; wait $pid; for i in $(seq 100); do pgrep -f {mark} > /dev/null || break; sleep 0.1; done
pgrep -f 'sleep 600' -a | grep {mark}; jrun -n 4 -I true || sleep 1; jrun -n 4 -I echo free""")
        self.assertEqual(out[-1], "free", out)
        self.assertEqual(processes_of(mark), {})

    def test_leftovers_of_tasks_end_with_the_step(self):
        if not (self.c.cgroup_mount() and IS_ROOT):
            self.skipTest("needs cgroups")
        mark = f"jrun-test-{os.getpid()}-left"
        out = self.lines(f"jrun -n 1 bash -c 'setsid bash -c \"exec -a {mark} sleep 600\" & sleep 0.3'; pgrep -f {mark} | wc -l; echo over")
        self.assertEqual(out[-1], "over", out)
        self.assertEqual(processes_of(mark), {})

    def test_a_job_that_is_cancelled_takes_its_steps_along(self):
        job = self.c.submit("-n", "4", script=job_script("jrun -n 4 sleep 600"))
        self.c.wait_state(job, "RUNNING")
        wait_for(lambda: len([p for p in self.c.job_processes().values() if p == "sleep 600"]) == 4, "the tasks")
        self.c.run("jcancel", job, check=0)
        self.assertEqual(self.c.wait_job(job)["state"], "CANCELLED")

    def test_others_get_no_steps(self):
        job = self.c.submit("-n", "4", script=job_script("echo $JARVIS_STEP_SOCKET; sleep 600"))
        socket = wait_for(lambda: self.c.output(job), "the job's output").strip()
        done = self.c.run("jrun", "true", env={"JARVIS_STEP_SOCKET": socket, "JARVIS_JOB_ID": job})
        self.assertEqual((done.code, "is not inside job" in done.err), (1, True), done)
        if IS_ROOT:
            done = self.c.run("jrun", "true", env={"JARVIS_STEP_SOCKET": socket, "JARVIS_JOB_ID": job}, user=USER)
            self.assertEqual((done.code, "belongs to uid 0" in done.err), (1, True), done)
        done = self.c.run("jrun", "true", env={"JARVIS_STEP_SOCKET": socket, "JARVIS_JOB_ID": "999"})
        self.assertEqual((done.code, "does not run its script" in done.err), (3, True), done)
        done = self.c.run("jrun", "true", env={"JARVIS_STEP_SOCKET": "/nowhere", "JARVIS_JOB_ID": job, "JARVIS_RETRY": "0s"})
        self.assertEqual((done.code, "no answer from the node daemon" in done.err), (4, True), done)
        self.c.run("jcancel", job, check=0)
        self.c.wait_job(job)

    # --- afterwards

    def test_steps_are_in_the_accounting(self):
        record = self.c.run_job("-n", "2", script=job_script("jrun -n 2 true; jrun -n 1 -J solve sh -c 'exit 3'; jrun -n 1 sh -c 'kill -9 $$'; true"))
        job = record["id"]
        found = self.c.json("jacct", "--steps", "--json", "-j", job)["jobs"][0]
        self.assertEqual((found["steps_ended"], found["steps_failed"]), (3, 2), found)
        steps = {step["step"]: step for step in found["steps"]}
        self.assertEqual([(n, steps[n]["name"], steps[n]["state"], steps[n]["exit_code"], steps[n]["signal"], steps[n]["tasks"]) for n in sorted(steps)],
                         [(0, "true", "COMPLETED", 0, None, 2), (1, "solve", "FAILED", 3, None, 1), (2, "sh", "FAILED", 0, 9, 1)])
        for step in steps.values():
            self.assertEqual((step["nodes"], step["node_count"]), (self.c.node, 1))
            self.assertLessEqual(step["started"], step["ended"])
        table = self.c.run("jacct", "--steps", "-j", job, "--format", "id,name,state,exit", check=0).out
        self.assertEqual([line.split()[0] for line in table.splitlines()[1:]], [job, f"{job}.0", f"{job}.1", f"{job}.2"])
        self.assertNotIn("steps", self.c.json("jacct", "--json", "-j", job)["jobs"][0])

    def test_many_short_steps_are_all_accounted(self):
        job = self.c.run_job("-n", "4", script=job_script("for i in $(seq 50); do jrun -n 1 true & jrun -n 1 true & jrun -n 1 true & wait; done"))["id"]
        found = self.c.json("jacct", "--steps", "--json", "-j", job)["jobs"][0]
        self.assertEqual(sorted(step["step"] for step in found["steps"]), list(range(150)))

    # --- outside a job

    def test_outside(self):
        done = self.c.run("jrun", "-n", "2", "sh", "-c", "cat; echo $JARVIS_PROCID; echo to stderr >&2; exit 3", input="hello\n")
        self.assertEqual(done.code, 3, done)
        self.assertEqual(sorted(done.out.splitlines()), ["0", "1", "hello"])
        self.assertEqual(sorted(done.err.splitlines()), ["jrun: tasks 0-1: exit code 3", "to stderr", "to stderr"])

    def test_outside_refusals(self):
        for arguments, code, words in ((("-p", "nowhere", "true"), 3, "nowhere"), (("-n", "2000000", "true"), 2, "--ntasks"),
                                       (("-n", "1", "-N", "7", "true"), 1, "")):
            done = self.c.run("jrun", *arguments)
            self.assertEqual(done.code, code, done)
            self.assertIn(words, done.err)

    def test_interrupt_outside_cancels_the_job(self):
        run = self.c.spawn("jrun", "-J", "interrupted", "sleep", "600")
        def running():
            return [j for j in self.c.json("jq", "-t", "all", "--json")["jobs"] if j["state"] == "RUNNING"]
        job = wait_for(running, "the job to run")[0]["id"]
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=120)
        self.assertEqual(self.c.wait_job(job)["state"], "CANCELLED")
        self.assertIn(f"jrun: cancelling job {job}", err.decode())
        self.assertNotEqual(run.returncode, 0)


class Restarts(TestCase):
    """The node daemon ends and starts while steps run."""

    def test_steps_go_on_and_keep_their_cores(self):
        with Cluster(node_cores=4) as c:
            job = c.submit("-n", "4", script=job_script(
                "jrun -n 3 sh -c 'while [ ! -e go ]; do sleep 0.1; done; echo done'; echo code $?; jrun -n 4 -I true; echo free $?"))
            wait_for(lambda: len([p for p in c.job_processes().values() if "while [ ! -e go" in p]) >= 3, "the tasks")
            for how in (signal.SIGKILL, signal.SIGTERM):
                c.jnoded.stop(how)
                c.jnoded.start()
                c.wait_node()
            time.sleep(1)
            (c.work() / "go").touch()
            c.wait_job(job)
            self.assertEqual(c.output(job).splitlines(), ["done", "done", "done", "code 0", "free 0"])

    def test_the_step_of_a_jrun_that_died_meanwhile_is_ended(self):
        with Cluster(node_cores=4) as c:
            job = c.submit("-n", "4", script=job_script("jrun -n 4 sleep 601 & wait $!; while [ ! -e go ]; do sleep 0.1; done; jrun -n 4 echo free"))
            wait_for(lambda: len([p for p in c.job_processes().values() if p == "sleep 601"]) == 4, "the tasks")
            c.jnoded.stop(signal.SIGKILL)
            for pid, command in c.job_processes().items():
                if "jrun -n 4 sleep" in command:
                    os.kill(pid, signal.SIGKILL)
            c.jnoded.start()
            c.wait_node()
            wait_for(lambda: "sleep 601" not in c.job_processes().values(), "the tasks to be ended")
            (c.work() / "go").touch()
            c.wait_job(job)
            self.assertIn("free", c.output(job))

    def test_without_cgroups(self):
        with Cluster(node_cores=4, jnoded='cgroup = "none"', partitions=(
                '[[partition]]\nname = "batch"\nnodes = "ALL"\ndefault = true\ndefault_time = "1h"\nconfinement = "none"\n')) as c:
            record = c.run_job("-n", "4", script=job_script(
                "jrun -n 4 sh -c 'echo $JARVIS_PROCID'\njrun -n 2 bash -c 'sleep 602 & sleep 602' & pid=$!\nsleep 1; kill -9 $pid; wait $pid\n"
                "jrun -n 4 echo free"))
            self.assertEqual(record["state"], "COMPLETED")
            lines = record["text"].splitlines()
            self.assertEqual(sorted(lines[:4]), list("0123"))
            self.assertEqual(lines.count("free"), 4)
            self.assertEqual([p for p in c.job_processes().values() if p == "sleep 602"], [])


main()
