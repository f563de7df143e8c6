#!/usr/bin/env python3
"""contrib/quickstart.sh with what is built: as root and as an ordinary user, twice, in deep folders, and stopped."""
import os
import pathlib
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
import tomllib
import unittest

from jarvis_cluster import (BUILD, IS_ROOT, OTHER_USER, SLOWDOWN, SOURCE, USER, Cluster, TestCase, main, needs_root, processes_of,
                            reachable)


def quote(path):
    return shlex.quote(str(path))


def as_user(name):
    if name is None:
        return {}
    account = pwd.getpwnam(name)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


class Quickstart(TestCase):
    def setUp(self):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="jarvis-quickstart-"))
        self.base.chmod(0o755)
        self.addCleanup(self.clean)

    def clean(self):
        for pid in processes_of(str(self.base)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.2)
        mount = Cluster.cgroup_mount()
        for config in self.base.rglob("jarvis.toml") if mount else []:
            node = re.search(r'names = "([^"]*)"', config.read_text()).group(1)
            for tree in pathlib.Path(mount).glob(f"**/jarvis_*_{node}"):
                for folder, _, _ in os.walk(tree, topdown=False):
                    try:
                        os.rmdir(folder)
                    except OSError:
                        pass
        shutil.rmtree(self.base, ignore_errors=True)

    def folder(self, name, user=None):
        path = self.base / name
        path.mkdir(parents=True)
        if user:
            account = pwd.getpwnam(user)
            os.chown(path, account.pw_uid, account.pw_gid)
        return path

    def quickstart(self, *arguments, user=None, cwd=None, code=0):
        script = SOURCE / "contrib" / "quickstart.sh"
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(cwd or self.base), "LC_ALL": "C.UTF-8"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                env[name] = os.environ[name]
        done = subprocess.run([str(script), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env=env, cwd=cwd or self.base, timeout=300 * SLOWDOWN,
                              check=False, **as_user(user))
        self.assertEqual(done.returncode, code, done.stdout)
        return done.stdout

    def shell(self, text, user=None, cwd=None):
        """What somebody types into a fresh shell."""
        done = subprocess.run(["sh", "-c", text], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env={"PATH": "/usr/bin:/bin", "HOME": "/"}, cwd=cwd or "/tmp", timeout=120 * SLOWDOWN, check=False,
                              **as_user(user))
        return done.returncode, done.stdout

    def whole_life(self, parent, user=None, name="jarvis-demo"):
        demo = parent / name
        said = self.quickstart("--build-dir", BUILD, "--dir", demo, user=user, cwd=parent)
        self.assertIn("Hello from job 1 ", said)
        self.assertIn(f". {name}/env.sh", said)
        self.assertRegex(said, r"confinement of jobs here: (none|track|full)")
        self.assertRegex(said, r"(?m)^stop it: .*--stop")
        code, out = self.shell(f". {quote(demo)}/env.sh && jsub --wait -o {quote(parent)}/again.txt --wrap 'echo again' && jq -l && jacct", user)
        self.assertEqual(code, 0, out)
        self.assertEqual((parent / "again.txt").read_text(), "again\n")
        # Twice is fine: the same cluster goes on, and the next id is a new one.
        said = self.quickstart("--build-dir", BUILD, "--dir", demo, user=user, cwd=parent)
        self.assertIn("Hello from job 3 ", said)
        return demo

    def stop(self, demo, parent, user=None):
        self.quickstart("--stop", "--dir", demo, user=user, cwd=parent)
        self.assertEqual(processes_of(str(demo)), {})
        # What was known is known after the next start.
        said = self.quickstart("--build-dir", BUILD, "--dir", demo, user=user, cwd=parent)
        self.assertGreater(int(re.search(r"Hello from job (\d+) ", said).group(1)), 3)
        self.quickstart("--stop", "--dir", demo, user=user, cwd=parent)
        self.assertEqual(processes_of(str(demo)), {})

    def test_by_whoever_runs_the_tests(self):
        parent = self.folder("here")
        demo = self.whole_life(parent)
        if IS_ROOT:
            theirs = self.folder("theirs", OTHER_USER)
            code, out = self.shell(f". '{demo}/env.sh' && jsub --wait -o '{theirs}/out.txt' --wrap 'id -un'", OTHER_USER, cwd=theirs)
            self.assertEqual(code, 0, out)
            self.assertEqual((theirs / "out.txt").read_text(), f"{OTHER_USER}\n")
        self.stop(demo, parent)

    @needs_root
    @unittest.skipUnless(reachable(BUILD / "bin") and reachable(SOURCE / "contrib"), "the build is in a folder closed to other users")
    def test_by_an_ordinary_user(self):
        parent = self.folder("theirs", USER)
        demo = self.whole_life(parent, USER)
        self.stop(demo, parent, USER)

    @unittest.skipUnless(reachable(BUILD / "bin") and reachable(SOURCE / "contrib"), "the build is in a folder closed to other users")
    def test_folder_too_deep_for_a_socket_and_with_odd_names(self):
        user = USER if IS_ROOT else None
        parent = self.folder("a folder with blanks/" + "very-deep/" * 12 + "it's \"here\"", user)
        demo = self.whole_life(parent, user)
        run = pathlib.Path(tomllib.loads((demo / "jarvis.toml").read_text())["controller"]["socket"]).parent
        self.assertTrue(run.is_dir() and demo not in run.parents, run)
        self.stop(demo, parent, user)
        self.assertFalse(run.exists(), run)

    @needs_root
    def test_folder_that_others_cannot_reach_is_named(self):
        closed = self.folder("closed")
        closed.chmod(0o700)
        said = self.quickstart("--build-dir", BUILD, "--dir", closed / "demo", cwd=closed)
        self.assertIn(str(closed), said)
        self.assertIn("--dir", said)
        self.quickstart("--stop", "--dir", closed / "demo")

    def node_names_of_jobs(self, demo, parent, count):
        """Runs so many jobs of one core at once; where each was, and the CPUs that it had."""
        script = parent / "where.sh"
        script.write_text('#!/bin/sh\necho "$JARVIS_NODENAME $JARVIS_CPU_LIST $(taskset -cp $$ | sed s/.*://)"\n'
                          f'touch {parent}/here-$JARVIS_JOB_ID\nwhile [ $(ls {parent}/here-* | wc -l) -lt {count} ]; do sleep 0.1; done\n')
        code, out = self.shell(f". {demo}/env.sh && cd {parent} && for i in $(seq {count}); do jsub --mem 64 -o where-%j.txt where.sh; done",
                               cwd=parent)
        self.assertEqual(code, 0, out)
        found = [parent / f"where-{job}.txt" for job in out.split()]
        code, out = self.shell(f". {demo}/env.sh && for i in $(seq 600); do jq --json | grep -q submitted || exit 0; sleep 0.2; done; jq -l; exit 1")
        self.assertEqual(code, 0, out)
        for path in parent.glob("here-*"):
            path.unlink()
        return [path.read_text().split() for path in found]

    def test_several_nodes(self):
        cores = len(os.sched_getaffinity(0))
        parent = self.folder("many")
        demo = parent / "demo"
        start = ("--build-dir", BUILD, "--dir", demo, "--nodes")
        # More nodes than cores: virtual ones.
        count = cores + 1
        said = self.quickstart(*start, count, cwd=parent)
        self.assertIn("Hello from job 1 ", said)
        self.assertIn(f"{count} nodes share", said)
        self.assertRegex(said, r"Job 2 has the nodes n\[1-2\]; its script runs on n1\.")
        for task in (0, 1):
            self.assertIn(f"{task}: task {task} of 2 runs on n{task + 1}", said)
        words = self.node_names_of_jobs(demo, parent, count)
        self.assertEqual(sorted(w[0] for w in words), [f"n{i + 1}" for i in range(count)])
        code, out = self.shell(f". {demo}/env.sh && jrun -N 2 -n 2 -l sh -c 'echo on $JARVIS_NODENAME' 2>&1 | sort")
        self.assertEqual(out.splitlines(), ["0: on n1", "1: on n2"])
        code, out = self.shell(f". {demo}/env.sh && jnodes -l")
        self.assertIn("cores are virtual, jobs are not bound", out)
        self.assertTrue(all((demo / "pki" / "nodes" / f"n{i + 1}.crt").exists() for i in range(count)))
        # The same again changes nothing that runs; another number restarts it, and each node has cores of its own.
        def daemons():
            return {pid for pid, command in processes_of(str(demo)).items() if "/jnoded " in command}
        before = daemons()
        self.assertEqual(len(before), count)
        self.assertIn("runs already", self.quickstart(*start, count, cwd=parent))
        self.assertEqual(daemons(), before)
        if cores > 1:
            said = self.quickstart(*start, 2, cwd=parent)
            self.assertNotIn("share", said)
            words = self.node_names_of_jobs(demo, parent, 2)
            self.assertEqual(sorted(w[0] for w in words), ["n1", "n2"])
            self.assertEqual(len({w[2] for w in words}), 2, words)
            code, out = self.shell(f". {demo}/env.sh && jnodes -l")
            self.assertNotIn("virtual", out)
        # A user of a node, by that node's socket.
        run = pathlib.Path(tomllib.loads((demo / "jarvis.toml").read_text())["controller"]["socket"]).parent
        code, out = self.shell(f". {demo}/env.sh && JARVIS_SOCKET={run}/n1.sock jnodes")
        self.assertEqual(code, 0, out)
        self.assertIn("n1", out)
        self.quickstart("--stop", "--dir", demo, cwd=parent)
        self.assertEqual(processes_of(str(demo)), {})

    def test_nodes_may_come_later(self):
        parent = self.folder("later")
        demo = parent / "demo"
        self.quickstart("--build-dir", BUILD, "--dir", demo, cwd=parent)
        said = self.quickstart("--build-dir", BUILD, "--dir", demo, "--nodes=2", cwd=parent)
        self.assertIn("Hello from job 2 ", said)
        said = self.quickstart("--build-dir", BUILD, "--dir", demo, cwd=parent)
        self.assertIn("Hello from job 4 ", said)       # 3 had two nodes
        self.quickstart("--stop", "--dir", demo, cwd=parent)
        self.assertEqual(processes_of(str(demo)), {})

    def test_wrong_use(self):
        self.assertIn("--nodes", self.quickstart("--nodes", "many", code=2))
        self.assertIn("--nodes", self.quickstart("--nodes=1000", code=2))
        self.assertIn("--no-such", self.quickstart("--no-such", code=2))
        self.quickstart("--stop", "--dir", self.base / "nothing-here", code=1)
        self.quickstart("--build-dir", self.base, "--dir", self.base / "demo", code=1)
        self.assertIn("--build-dir", self.quickstart("--help"))


main()
