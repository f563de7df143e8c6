#!/usr/bin/env python3
"""jrun over several nodes of a job: by sockets on one machine, and over TLS between network namespaces."""
import os
import re
import signal

from jarvis_cluster import IS_ROOT, USER, SharedCluster, processes_of, wait_for
from jarvis_network import Network, main, needs_namespaces

NODES = 3


def job_script(body):
    return "#!/bin/bash\n" + body + "\n"


class Steps:
    namespaces = False

    @classmethod
    def setUpClass(cls):
        cls.c = Network(nodes=NODES, namespaces=cls.namespaces, peers=True, node_cores=4)

    def lines(self, body, *options, user=None, nodes=2, cores=4):
        record = self.c.run_job("-N", str(nodes), "--ntasks-per-node", str(cores // nodes), *options, script=job_script(body), user=user)
        return record["text"].splitlines()

    def processes(self, mark):
        return [pid for pid, command in processes_of(mark).items() if command.split() == [mark, "600"]]

    def daemon_of(self, name):
        return next(node for node in self.c.nodes if node.node == name)

    # --- tasks

    def test_tasks_on_two_nodes(self):
        out = self.lines("""echo $JARVIS_NODELIST
jrun -N 2 -n 4 -l sh -c 'echo $JARVIS_PROCID $JARVIS_LOCALID $JARVIS_NODEID $JARVIS_NODENAME $JARVIS_STEP_NUM_NODES $JARVIS_STEP_TASKS_PER_NODE' | sort
echo over ${PIPESTATUS[0]}""")
        first, second = [f"{self.c.node}n{number}" for number in re.search(r"n\[(\d)[-,](\d)\]", out[0]).groups()]
        self.assertEqual(out[1:], [f"0: 0 0 0 {first} 2 2,2", f"1: 1 1 0 {first} 2 2,2", f"2: 2 0 1 {second} 2 2,2",
                                   f"3: 3 1 1 {second} 2 2,2", "over 0"])

    def test_exit_codes_and_signals(self):
        out = self.lines("""jrun -N 2 -n 4 sh -c 'exit $((JARVIS_PROCID + 3))' 2>&1; echo $?
jrun -N 2 -n 2 sh -c 'kill -USR1 $$' 2>&1; echo $?
jrun -N 2 -n 2 -K sh -c 'if [ $JARVIS_PROCID = 1 ]; then exit 3; fi; exec sleep 600'; echo $?
jrun -N 2 -n 2 bash -c 'trap "echo got it; exit 7" USR1; echo ready; while :; do sleep 0.05; done' & pid=$!
sleep 1.5; kill -USR1 $pid; wait $pid; echo $?""")
        self.assertEqual(out[:5], ["jrun: task 0: exit code 3", "jrun: task 1: exit code 4", "jrun: task 2: exit code 5",
                                   "jrun: task 3: exit code 6", "6"])
        self.assertEqual(out[5:7], ["jrun: tasks 0-1: ended by signal USR1", "138"])
        self.assertIn("jrun: task 1 has failed, so all are ended (--kill-on-bad-exit)", out)
        self.assertEqual(out.count("got it"), 2)
        self.assertEqual(out[-1], "7")

    def test_all_output_comes_whole(self):
        out = self.lines("jrun -N 2 -n 4 -l sh -c 'seq -f \"line %.0f\" 20000'")
        for rank in range(4):
            self.assertEqual([line for line in out if line.startswith(f"{rank}: ")], [f"{rank}: line {n}" for n in range(1, 20001)])

    def test_a_reader_that_has_enough_ends_the_writers(self):
        self.assertEqual(self.lines("jrun -N 2 -n 2 yes 2> /dev/null | head -1; echo over"), ["y", "over"])

    def test_input_reaches_the_other_node(self):
        out = self.lines("seq 50000 | jrun -N 2 -n 2 -i 1 -l sh -c 'cat | md5sum'; seq 50000 | md5sum")
        self.assertIn("1: " + out[-1], out)

    def test_files_are_written_where_jrun_is(self):
        out = self.lines("cd $JARVIS_TMPDIR; jrun -N 2 -n 2 -o out.%t sh -c 'echo $JARVIS_PROCID'; cat out.0 out.1")
        self.assertEqual(out, ["0", "1"])

    def test_as_an_ordinary_user(self):
        user = USER if IS_ROOT else None
        out = self.lines("jrun -N 2 -n 2 id -u", user=user)
        self.assertEqual(out, [str(os.getuid() if user is None else __import__("pwd").getpwnam(user).pw_uid)] * 2)

    # --- cores

    def test_cores_of_all_nodes_are_granted_and_free_again(self):
        out = self.lines("""for i in 1 2 3 4; do jrun -n 4 sleep 0.2 & done; wait
jrun -n 4 -I true; echo free $?
jrun -n 5 true; echo $?; jrun -N 3 -n 3 true; echo $?""")
        self.assertIn("free 0", out)
        self.assertIn("has 4 cores on 2 nodes", " ".join(out))
        self.assertEqual(out[-1], "1")

    def test_steps_are_accounted_with_their_nodes(self):
        job = self.c.submit("-N", "2", "--ntasks-per-node", "2", script=job_script("jrun -N 2 -n 4 -J both sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'"))
        self.c.wait_job(job)
        def steps():
            return [s for s in self.c.json("jacct", "--steps", "--json", "-j", job)["jobs"][0].get("steps", []) if s["name"] == "both"]
        step = wait_for(steps, "the step in the history")[0]
        self.assertEqual((step["node_count"], step["tasks"], step["cores"]), (2, 4, 4), step)

    # --- ends

    def test_a_killed_jrun_ends_all_tasks(self):
        mark = f"{self.c.node}-killed"
        out = self.lines(f"""jrun -N 2 -n 4 bash -c 'exec -a {mark} sleep 600' & pid=$!
sleep 1.5; pgrep -f '^{mark}' | wc -l; kill -9 $pid; wait $pid 2> /dev/null
for i in $(seq 100); do jrun -n 4 -I echo free && break; sleep 0.1; done 2> /dev/null""")
        self.assertEqual((out[0], out[-4:]), ("4", ["free"] * 4), out)
        self.assertEqual(self.processes(mark), [])

    def started(self, mark, tail):
        job = self.c.submit("-N", "2", "--ntasks-per-node", "2", script=job_script(f"jrun -N 2 -n 4 bash -c 'exec -a {mark} sleep 600'; echo code $?\n{tail}"))
        wait_for(lambda: len(self.processes(mark)) == 4, lambda: f"the tasks: {processes_of(mark)} {self.c.output(job)}")
        return job, [part["node"] for part in self.c.history(job)["placement"]]

    def test_a_killed_daemon_of_the_other_node(self):
        mark = f"{self.c.node}-peer"
        job, nodes = self.started(mark, "jrun -N 2 -n 4 echo again")
        peer = self.daemon_of(nodes[1])
        peer.stop(signal.SIGKILL)
        wait_for(lambda: not self.processes(mark), lambda: f"the tasks to end: {processes_of(mark)}")
        peer.start()
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        out = self.c.output(job)
        self.assertIn(f"jrun: node {nodes[1]}: the connection to it is lost", out)
        self.assertEqual(out.splitlines().count("again"), 4, out)

    def test_a_killed_daemon_of_the_first_node(self):
        mark = f"{self.c.node}-first"
        job, nodes = self.started(mark, "jrun -N 2 -n 4 echo again")
        first = self.daemon_of(nodes[0])
        first.stop(signal.SIGKILL)
        first.start()
        wait_for(lambda: not self.processes(mark), lambda: f"the tasks to end: {processes_of(mark)}")
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        self.assertEqual(self.c.output(job).splitlines().count("again"), 4, self.c.output(job))

    def test_a_killed_agent(self):
        mark = f"{self.c.node}-agent"
        job, nodes = self.started(mark, "jrun -N 2 -n 4 echo again")
        for pid in processes_of("jagent"):
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        self.assertEqual(self.processes(mark), [])
        self.assertEqual(self.c.output(job).splitlines().count("again"), 4, self.c.output(job))


class Sockets(Steps, SharedCluster):
    pass


@needs_namespaces
class Tls(Steps, SharedCluster):
    namespaces = True

    def test_a_cut_connection_ends_the_step_and_names_the_node(self):
        mark = f"{self.c.node}-cut"
        job, nodes = self.started(mark, "jrun -N 2 -n 4 echo again")
        peer = self.daemon_of(nodes[1])
        peer.link_down()
        wait_for(lambda: "connection to it is lost" in self.c.output(job), lambda: self.c.output(job), 90)
        peer.link_up()
        self.c.wait_job(job, 120)
        self.assertEqual(self.processes(mark), [])


main()
