#!/usr/bin/env python3
"""tests/vm/run: what comes out of a virtual machine, how it ends, and that its hardware and cgroups are what was asked for."""
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from jarvis_vm import NO_MACHINE, SOURCE, TIMED_OUT, main, run, shell

RUN = SOURCE / "tests/vm/run"
CONTROLLERS = {"cpuset", "cpu", "io", "memory", "hugetlb", "pids"}
# One boot answers many questions: each is a section of the output.
MACHINE = r"""
section() { echo "== $1"; }
section environment; echo "$WORDS"; pwd
cd /sys/fs/cgroup
section mounts; cat /proc/mounts
section controllers; cat cgroup.controllers
echo '+cpuset +cpu +io +memory +hugetlb +pids' >cgroup.subtree_control
mkdir try && section enabled && cat try/cgroup.controllers
section attributes; ls try
echo 32M >try/memory.max; echo 1-2 >try/cpuset.cpus; echo 3 >try/cpuset.mems; echo 7 >try/pids.max
section limits; cat try/memory.max try/cpuset.cpus.effective try/cpuset.mems.effective try/pids.max
# Twice its limit: tail keeps all of it, is killed, and the group says so.
sh -c 'echo 0 >try/cgroup.procs; head -c 64M /dev/zero | tail -c 64M >/dev/null'; status=$?
section killed; echo $status
section events; cat try/memory.events
cd /sys/devices/system/node
section nodes; for node in node[0-9]*; do echo "$node cpus=$(cat $node/cpulist) $(cat $node/distance) $(grep -o 'MemTotal:.*' $node/meminfo)"; done
cd /sys/devices/system/cpu
section packages; for cpu in cpu[0-9]*; do echo "$cpu $(cat $cpu/topology/physical_package_id)"; done
section name; uname -n
section writes; echo changed >"$HOST_FILE" && cat "$HOST_FILE"; echo from the guest >/mnt/share/guest; cat /mnt/share/host
cp /etc/hosts /mnt/read-only/ 2>/dev/null || echo refused
section end
"""


def sections(text):
    parts = re.split(r"(?m)^== (\w+)\n", text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


class Machine(unittest.TestCase):
    """4 NUMA nodes of 3 sizes in 2 packages, one without CPUs."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(dir=SOURCE / "build")
        scratch = pathlib.Path(cls.scratch.name)
        cls.host_file = scratch / "host-file"
        cls.host_file.write_text("as it was\n")
        cls.share = scratch / "share"
        cls.share.mkdir()
        (cls.share / "host").write_text("from the host\n")
        os.chdir(SOURCE)
        cls.result = shell(MACHINE, cpus=8, packages=2, node=["0-1:512M", "2-3:384M", "4-7:512M", ":256M"],
                           distance=["0,1=12", "0,2=32", "1,2=32", "0,3=40", "2,3=17"], hostname="numa-box",
                           share=[f"{cls.share}:/mnt/share", f"{cls.share}:/mnt/read-only:ro"],
                           env=[f"HOST_FILE={cls.host_file}", "WORDS=two  words; and $more"])
        cls.found = sections(cls.result.out)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def setUp(self):
        self.assertIn("end", self.found, self.result)

    def test_cgroups_are_v2_alone_with_all_controllers(self):
        types = [line.split()[2] for line in self.found["mounts"].splitlines()]
        self.assertEqual((types.count("cgroup2"), types.count("cgroup")), (1, 0))
        self.assertLessEqual(CONTROLLERS, set(self.found["controllers"].split()))
        self.assertLessEqual(CONTROLLERS, set(self.found["enabled"].split()))
        self.assertLessEqual({"memory.high", "memory.oom.group", "cpuset.cpus.partition", "cpu.weight", "io.max", "pids.max",
                              "cgroup.kill", "cgroup.freeze", "memory.pressure"}, set(self.found["attributes"].split()))

    def test_limits_hold(self):
        self.assertEqual(self.found["limits"].split(), [str(32 << 20), "1-2", "3", "7"])
        self.assertRegex(self.found["events"], r"(?m)^oom_kill [1-9]")
        self.assertEqual(self.found["killed"], f"{128 + signal.SIGKILL}\n")

    def test_numa_nodes_and_packages_are_as_asked(self):
        nodes = [re.fullmatch(r"node(\d) cpus=(\S*) ([\d ]+) MemTotal:\s+(\d+) kB", line) for line in self.found["nodes"].splitlines()]
        self.assertEqual([node.group(2) for node in nodes], ["0-1", "2-3", "4-7", ""])
        self.assertEqual([list(map(int, node.group(3).split())) for node in nodes],
                         [[10, 12, 32, 40], [12, 10, 32, 20], [32, 32, 10, 17], [40, 20, 17, 10]])
        # The kernel keeps some of each for itself.
        for node, size in zip(nodes, (512, 384, 512, 256), strict=True):
            self.assertTrue(size * 0.7 < int(node.group(4)) / 1024 <= size, self.found["nodes"])
        packages = dict(line.split() for line in self.found["packages"].splitlines())
        self.assertEqual(packages, {f"cpu{n}": str(n // 4) for n in range(8)})

    def test_host_is_seen_and_only_shares_are_changed(self):
        self.assertEqual(self.found["writes"], "changed\nfrom the host\nrefused\n")
        self.assertEqual(self.host_file.read_text(), "as it was\n")
        self.assertEqual((self.share / "guest").read_text(), "from the guest\n")

    def test_name_environment_and_working_folder(self):
        self.assertEqual(self.found["name"], "numa-box\n")
        self.assertEqual(self.found["environment"], f"two  words; and $more\n{SOURCE}\n")
        self.assertEqual((self.result.code, self.result.err), (0, "Killed\n"))     # as the shell says of what met its limit


class Ends(unittest.TestCase):
    def test_output_and_errors_stay_apart_and_whole_and_the_status_is_returned(self):
        lines = 100_000
        # One that stays keeps the pipes open, and ends with the machine.
        script = f"seq 1 {lines}; seq 1 3 >/dev/stderr; setsid sleep 100000 & seq -f e%g 1 {lines} >&2; exit 9"
        result = shell(script, cpus=1, memory="512M")
        self.assertEqual(result.code, 9)
        self.assertEqual(result.out, "".join(f"{n}\n" for n in range(1, lines + 1)))
        self.assertEqual(result.err, "1\n2\n3\n" + "".join(f"e{n}\n" for n in range(1, lines + 1)))

    def test_signal_is_128_and_its_number(self):
        self.assertEqual(shell("kill -SEGV $$", cpus=1, memory="512M").code, 128 + signal.SIGSEGV)

    def test_hybrid_hierarchy_has_its_controllers_in_v1(self):
        result = shell("grep cgroup /proc/mounts; echo \"v2: $(cat /sys/fs/cgroup/unified/cgroup.controllers)\"", cpus=1, memory="512M", hybrid=True)
        self.assertRegex(result.out, r"cgroup /sys/fs/cgroup/memory cgroup rw")
        self.assertRegex(result.out, r"cgroup2 /sys/fs/cgroup/unified cgroup2 rw")
        self.assertEqual(result.out.splitlines()[-1], "v2: ", result)

    def test_time_that_is_up_is_124(self):
        # On a busy host the time may be up before the command has begun; that shows another thing.
        for seconds in (30, 120, 480):
            began = time.monotonic()
            result = shell("echo begun; sleep 100000", cpus=1, memory="512M", timeout=seconds)
            self.assertGreaterEqual(time.monotonic() - began, seconds)
            self.assertEqual(result.code, TIMED_OUT, result)
            self.assertIn(f"not done after {seconds} s", result.err)
            if result.out:
                break
        self.assertEqual(result.out, "begun\n", result)

    def test_no_machine_is_125_and_says_why(self):
        for options, words in (({"kernel": "/nonexistent/vmlinuz"}, "/nonexistent/vmlinuz"),
                               ({"kernel": "/bin/true"}, "without the command's exit status"),
                               ({"append": ["rdinit=/bin/false"], "memory": "512M"}, "Kernel panic"),
                               ({"distance": ["0,7=12"], "numa": 2}, "there are 2 nodes"),
                               ({"memory": "lots"}, "expected a size"),
                               ({"cpus": 3, "packages": 2}, "do not divide"),
                               ({"share": ["/nonexistent:/mnt"]}, "HOST being a folder")):
            with self.subTest(words):
                result = run("true", timeout=300, **options)
                self.assertEqual(result.code, NO_MACHINE, result)
                self.assertIn(words, result.err)


class Leftovers(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        # A folder for temporary files of our own: machines of others are none of our business.
        self.environment = os.environ | {"TMPDIR": self.scratch.name}

    def ours(self):
        folder = pathlib.Path(self.scratch.name)
        found = [str(path) for path in folder.glob("jarvis-vm-*")]
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if self.scratch.name.encode() in (path / "cmdline").read_bytes():
                    found.append(f"process {path.name}")
            except OSError:
                continue
        return found

    def wait(self, condition, what):
        end = time.monotonic() + 120
        while not condition():
            self.assertLess(time.monotonic(), end, f"waited in vain for {what}: {self.ours()}")
            time.sleep(0.1)

    def started(self, *before):
        harness = subprocess.Popen([*before, sys.executable, str(RUN), "--cpus=1", "--", "sleep", "100000"],
                                   env=self.environment, stderr=subprocess.DEVNULL)
        self.wait(lambda: any(found.startswith("process") for found in self.ours()), "a machine")
        return harness

    def test_harness_that_is_asked_to_end_leaves_nothing(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            harness = self.started()
            harness.send_signal(number)
            self.assertEqual(harness.wait(60), 128 + number)
            self.assertEqual(self.ours(), [])

    def test_harness_that_is_killed_takes_its_machine_along_and_the_next_one_sweeps(self):
        harness = self.started()
        harness.kill()
        harness.wait()
        self.wait(lambda: not any(found.startswith("process") for found in self.ours()), "QEMU to end")
        self.assertEqual(len(self.ours()), 1)
        subprocess.run([sys.executable, str(RUN), "--kernel=/nonexistent", "--", "true"], env=self.environment, check=False,
                       stderr=subprocess.DEVNULL)
        self.assertEqual(self.ours(), [])

    def test_test_program_that_is_killed_takes_its_machine_along(self):
        program = "import jarvis_vm\njarvis_vm.run('sleep', '100000', cpus=1)\n"
        test = subprocess.Popen([sys.executable, "-c", program], env=self.environment | {"PYTHONPATH": str(RUN.parent)})
        self.wait(lambda: any(found.startswith("process") for found in self.ours()), "a machine")
        test.kill()
        test.wait()
        self.wait(lambda: not self.ours(), "machine and files to go")


main()
