#!/usr/bin/env python3
"""jnoded.private_shm: what a job leaves in shared memory is its own, on each of its nodes, and goes with it."""
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

from jarvis_cluster import IS_ROOT, USER, Cluster, TestCase, main, needs_root, wait_for
from jarvis_network import Network

PARTITION = '[[partition]]\nname = "batch"\nnodes = "ALL"\ndefault = true\ndefault_time = "1h"\nconfinement = "none"\n'
LEAVE = "echo mine >/dev/shm/left; ipcmk -M 4096 -Q -S 1 >/dev/null; "
LOOK = "echo files $(ls -A /dev/shm); echo others $(ipcs -m -q -s | grep -c ^0x); "
CLONE_NEWNS, CLONE_NEWIPC = 0x00020000, 0x08000000
_libc = ctypes.CDLL(None, use_errno=True)


def permitted():
    """Whether namespaces can be made here, by which these tests do not ask the code that they test."""
    child = os.fork()
    if child == 0:
        os._exit(0 if _libc.unshare(CLONE_NEWNS | CLONE_NEWIPC) == 0 else 1)
    return os.waitpid(child, 0)[1] == 0


def namespaces(pid):
    return [os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("mnt", "ipc")]


def left_by_jobs():
    """What the machine's own /dev/shm and IPC namespace have of these jobs."""
    listed = subprocess.run(["ipcs", "-m", "-q", "-s"], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [name for name in os.listdir("/dev/shm") if name in ("left", "name")] + [line for line in listed if f" {USER} " in line]


class PrivateShm(TestCase):
    @classmethod
    def setUpClass(cls):
        if not IS_ROOT or not permitted():
            raise unittest.SkipTest("namespaces need CAP_SYS_ADMIN")
        cls.c = Network(nodes=2, peers=True, node_cores=2, jnoded='private_shm = "on"')

    @classmethod
    def tearDownClass(cls):
        cls.c.close()

    def text(self, body, *options):
        record = self.c.run_job(*options, script=f"#!/bin/bash\n{body}\n", user=USER)
        self.assertEqual(record["state"], "COMPLETED", record)
        return record["text"].splitlines()

    def waiting(self, body):
        """A job that has done that and waits for a file, which is the second answer."""
        go = self.c.work(USER) / f"go{len(self.c.submitted)}"
        job = self.c.submit(wrap=f"{body} echo ready; while ! test -e {go}; do sleep 0.1; done; " + LOOK, user=USER)
        wait_for(lambda: "ready" in self.c.output(job, USER), lambda: f"job {job} to be ready: {self.c.output(job, USER)}\n{self.c.tails()}")
        return job, go

    def test_steps_share_it_and_other_jobs_do_not_see_it(self):
        job, go = self.waiting(LEAVE)
        self.assertEqual(self.text(LOOK), ["files", "others 0"])
        self.assertEqual(left_by_jobs(), [])
        go.touch()
        self.c.wait_job(job)
        self.assertEqual(self.c.output(job, USER).splitlines(), ["ready", "files left", "others 3"])
        self.assertEqual(self.text(f"{LEAVE} jrun -n 1 bash -c '{LOOK}'"), ["files left", "others 3"])
        self.assertEqual(left_by_jobs(), [])

    def test_tasks_on_another_node_share_that_nodes(self):
        out = self.text("jrun -N 2 -n 2 sh -c 'echo $JARVIS_NODENAME >/dev/shm/name'\n"
                        "jrun -N 2 -n 2 sh -c 'echo $JARVIS_NODENAME $(cat /dev/shm/name) $(readlink /proc/self/ns/ipc)'\n"
                        "readlink /proc/self/ns/ipc", "-N", "2", "--ntasks-per-node", "1")
        tasks = [line.split() for line in out[:2]]
        self.assertEqual(sorted(name for name, _, _ in tasks), sorted(node.node for node in self.c.nodes))
        for name, found, _ in tasks:
            self.assertEqual(name, found)
        self.assertEqual(len({namespace for _, _, namespace in tasks}), 2)      # both nodes are on this machine
        self.assertIn(out[2], {namespace for _, _, namespace in tasks})
        self.assertEqual(left_by_jobs(), [])

    def test_all_other_files_are_the_machines(self):
        job, go = self.waiting('echo "$JARVIS_TMPDIR"; touch "$JARVIS_TMPDIR/there"; echo out >made;')
        folder = pathlib.Path(self.c.output(job, USER).splitlines()[0])
        self.assertTrue((folder / "there").exists())
        self.assertEqual((self.c.work(USER) / "made").read_text(), "out\n")
        go.touch()
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        wait_for(lambda: not folder.exists(), "the temporary folder to go")

    def test_daemons_stay_outside_and_a_dead_shepherd_leaves_nothing(self):
        job, _ = self.waiting(LEAVE)
        node = next(node for node in self.c.nodes if (node.run_dir / f"jobs/{job}.1").exists())
        shepherd, _, script = (node.run_dir / f"jobs/{job}.1/shepherd.pid").read_text().split()[:3]
        own = namespaces(script)
        self.assertEqual(namespaces(shepherd), own)
        self.assertEqual(namespaces(node.process.pid), namespaces("self"))
        self.assertNotEqual(own[0], namespaces("self")[0])
        self.assertNotEqual(own[1], namespaces("self")[1])
        os.kill(int(shepherd), signal.SIGKILL)
        self.assertEqual(self.c.wait_job(job)["state"], "FAILED")
        self.assertEqual(left_by_jobs(), [])
        self.assertEqual(self.text(LOOK), ["files", "others 0"])


class WithoutIt(TestCase):
    @needs_root
    def test_a_folder_in_dev_shm_stands_in_the_way(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="jarvis-test-", dir="/dev/shm"))
        self.addCleanup(shutil.rmtree, folder)
        folder.chmod(0o1777)
        with Cluster(jnoded=f'private_shm = "on"\ntmp_dir = "{folder}"', partitions=PARTITION) as c:
            self.assertIn(f"private_shm: {folder} has to be seen in jobs", c.run("jnodes", "-l", check=0).out)
            self.assertEqual(c.run_job(wrap='test -d "$JARVIS_TMPDIR" && readlink /proc/self/ns/mnt')["text"].strip(), namespaces("self")[0])

    def test_off_and_below_level_full_jobs_share_the_nodes(self):
        for setting in ("auto", "off"):
            with Cluster(jnoded=f'private_shm = "{setting}"', node_cores=1) as c:
                self.assertEqual(c.run_job(wrap="readlink /proc/self/ns/mnt /proc/self/ns/ipc")["text"].split(), namespaces("self"))
                self.assertNotIn("private_shm", c.run("jnodes", "-l", check=0).out)


main()
