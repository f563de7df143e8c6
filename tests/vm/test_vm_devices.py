#!/usr/bin/env python3
"""What a job may open of the node's devices, how many huge pages it gets, where its memory lies, and whose cores are isolated."""
import ctypes
import errno
import os
import pathlib
import re
import stat
import struct

from jarvis_vm import run_here
from jarvis_cluster import SharedCluster, USER, wait_for

PARTITION = '[[partition]]\nname = "batch"\nnodes = "ALL"\ndefault = true\ndefault_time = "1h"\nconfinement = "full"\n'
# Numbers for local use that no driver has: opening one that is allowed says ENXIO, and one that is not EPERM.
FILES = {"/dev/testgpu0": (240, 0), "/dev/testgpu1": (240, 1), "/dev/testother": (241, 0)}
GPUS, OTHER, CHIP = ["/dev/testgpu0", "/dev/testgpu1"], "/dev/testother", "/dev/full"
DEVICES = ('devices = [{ name = "gpu", paths = ["/dev/testgpu0"] }, { name = "gpu", paths = ["/dev/testgpu1"] }, '
           f'{{ name = "chip", paths = ["{CHIP}"] }}]')
OPEN = """#!/usr/bin/env python3
import errno, os, sys, time
def opened(path):
    try:
        os.close(os.open(path, os.O_RDWR))
        return "opened"
    except OSError as error:
        return errno.errorcode[error.errno]
def show():
    print(*(f"{path}={opened(path)}" for path in sys.argv[1:]), flush=True)
show()
while os.path.exists("wait"):
    time.sleep(0.2)
    if os.path.exists("again"):
        os.rename("again", "done")
        show()
"""
MAKE = """#!/usr/bin/env python3
import os, stat
for kind, name in ((stat.S_IFCHR, "null"), (stat.S_IFBLK, "disk")):
    try:
        os.mknod(os.environ["JARVIS_TMPDIR"] + "/" + name, kind | 0o600, os.makedev(1, 3))
        print("made", name)
    except OSError as error:
        print(error.strerror)
"""
HUGE = """#!/usr/bin/env python3
import mmap, sys
MAP_HUGETLB = 0x40000
for pages in (4, 5):
    try:
        with mmap.mmap(-1, pages << 21, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_HUGETLB) as memory:
            for page in range(pages):
                memory[page << 21] = 1
        print(pages, "pages")
    except OSError as error:
        print(pages, error.strerror)
"""
NUMA_MAPS = """#!/usr/bin/env python3
import mmap, re
size = 64 << 20
memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, size, 4096):
    memory[at] = 1
lines = open("/proc/self/numa_maps").read().splitlines()
print(max(lines, key=lambda line: int((re.search("anon=([0-9]+)", line) or [0, 0])[1])))
"""

# bpf(2), as linux/bpf.h has it
BPF_PROG_DETACH, BPF_PROG_GET_FD_BY_ID, BPF_PROG_QUERY, BPF_CGROUP_DEVICE = 9, 13, 16, 6
SYS_BPF = 321
libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, 128)
    result = libc.syscall(SYS_BPF, command, buffer, ctypes.c_long(128))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result, buffer.raw


def programs(group):
    """The ids of the device programs that are attached to the group itself."""
    ids = (ctypes.c_uint32 * 64)()
    folder = os.open(group, os.O_RDONLY)
    try:
        _, answer = bpf(BPF_PROG_QUERY, struct.pack("=IIIIQI", folder, BPF_CGROUP_DEVICE, 0, 0, ctypes.addressof(ids), 64))
        return list(ids[:struct.unpack_from("=I", answer, 24)[0]])
    finally:
        os.close(folder)


def detach(group, program):
    folder = os.open(group, os.O_RDONLY)
    descriptor, _ = bpf(BPF_PROG_GET_FD_BY_ID, struct.pack("=I", program))
    bpf(BPF_PROG_DETACH, struct.pack("=IIII", folder, descriptor, BPF_CGROUP_DEVICE, 0))
    os.close(folder)
    os.close(descriptor)


def words(text):
    return dict(word.split("=", 1) for word in text.split())


class Devices(SharedCluster):
    settings = {"partitions": PARTITION, "node_settings": DEVICES, "controller": 'kill_grace = "3s"'}

    @classmethod
    def setUpClass(cls):
        for path, (major, minor) in FILES.items():
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(major, minor))
            os.chmod(path, 0o666)
        super().setUpClass()

    def node(self):
        return self.c.json("jnodes", "-l", "--json")["nodes"][0]

    def group(self, job):
        return self.c.cgroup() / "jobs" / f"job_{job}"

    def opened(self, *options, user=USER, paths=(*GPUS, OTHER, CHIP, "/dev/null")):
        return words(self.c.run_job(*options, script=OPEN, arguments=paths, user=user)["text"])

    def holder(self, *options, user=USER):
        """A job that opens the devices when it starts, and once more whenever it is asked to."""
        work = self.c.work(user)
        (work / "wait").touch()
        job = self.c.submit(*options, script=OPEN, arguments=[*GPUS, OTHER, CHIP], user=user)
        self.c.wait_state(job, "RUNNING")
        wait_for(lambda: self.c.output(job, user), f"job {job} to say what it may open")
        return job

    def ask(self, job, user=USER):
        lines = len(self.c.output(job, user).splitlines())
        again = self.c.work(user) / "again"
        again.touch()
        os.chmod(again, 0o666)
        return words(wait_for(lambda: self.c.output(job, user).splitlines()[lines:], f"job {job} to look again")[-1])

    def release(self, job, user=USER):
        (self.c.work(user) / "wait").unlink()
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")

    def test_1_the_node_is_full_with_devices(self):
        node = self.node()
        self.assertEqual(node["confinement"], "full")
        for capability in ("devices", "hugetlb", "pages_2M"):
            self.assertIn(capability, node["capabilities"].split(","))
        self.assertNotIn("isolation", node["capabilities"].split(","))
        self.assertEqual([note for note in node["notes"] if "confinement" in note], [])

    def test_2_a_job_opens_what_it_was_given_and_nothing_else_of_the_node(self):
        for user in (USER, "root"):
            found = self.opened(user=user)
            self.assertEqual(found, {**{gpu: "EPERM" for gpu in GPUS}, OTHER: "ENXIO", CHIP: "EPERM", "/dev/null": "opened"})
        found = self.opened("--gres=gpu:1")
        self.assertEqual(sorted(found[gpu] for gpu in GPUS), ["ENXIO", "EPERM"])
        self.assertEqual(found[CHIP], "EPERM")
        found = self.opened("--gres=gpu:2,chip:1")
        self.assertEqual([found[path] for path in (*GPUS, CHIP)], ["ENXIO", "ENXIO", "opened"])

    def test_3_no_job_makes_device_files(self):
        self.assertEqual(self.c.run_job(script=MAKE, user="root")["text"].splitlines(), ["Operation not permitted"] * 2)

    def test_4_the_program_outlives_the_daemon_and_is_taken_up(self):
        job = self.holder("--gres=gpu:1")
        before = words(self.c.output(job, USER))
        attached = programs(self.group(job))
        self.assertEqual(len(attached), 1)
        self.c.jnoded.kill()
        self.assertEqual(programs(self.group(job)), attached)
        self.assertEqual(self.ask(job), before)
        self.c.jnoded.start()
        self.c.wait_node()
        wait_for(lambda: f"device program {attached[0]} is there" in self.c.jnoded.log.read_text(), "the program to be looked for")
        self.assertEqual(programs(self.group(job)), attached)
        self.assertEqual(self.ask(job), before)
        self.assertEqual(self.node()["notes"], [note for note in self.node()["notes"] if "device program" not in note])
        self.release(job)

    def test_5_a_job_whose_program_is_gone_drains_the_node(self):
        job = self.holder()
        self.c.jnoded.kill()
        group, program = self.group(job), programs(self.group(job))[0]
        detach(group, program)
        self.assertEqual(self.ask(job)[GPUS[0]], "ENXIO")
        self.c.jnoded.start()
        self.c.wait_node()
        gone = f"device program {program} was attached to {group}, and is not there any more"
        self.assertIn(f"confinement of job {job}: {gone}", self.node()["notes"])
        self.release(job)
        node = wait_for(lambda: self.node()["reason"] and self.node(), "the node to be drained")
        self.assertEqual((node["state"], node["reason"]), ("drained", f"job {job}: {gone}"))
        self.c.run("jnodes", "resume", self.c.node, check=0)
        self.c.wait_node()

    def test_6_huge_pages_are_limited_for_who_asks(self):
        pool = pathlib.Path("/proc/sys/vm/nr_hugepages")
        pool.write_text("16")
        self.assertGreaterEqual(int(pool.read_text()), 8)
        self.assertEqual(self.c.run_job("--hugepages=4", script=HUGE, user=USER)["text"].splitlines(),
                         ["4 pages", "5 Cannot allocate memory"])
        self.assertEqual(self.c.run_job(script=HUGE, user=USER)["text"].splitlines(), ["4 pages", "5 pages"])
        pool.write_text("0")
        refused = self.c.run("jsub", "--hugepages=64K:1", "--wrap", "true", user=USER)
        self.assertEqual(refused.code, 1)
        self.assertIn("it wants nodes to limit huge pages of 64K, and none can", refused.err)

    def test_7_cores_that_cannot_be_isolated_are_refused(self):
        refused = self.c.run("jsub", "--cpu-isolation", "--wrap", "true", user=USER)
        self.assertEqual(refused.code, 1)
        self.assertIn("it wants nodes to isolate cores, and none can (on kernels up to 6.6 every cgroup above", refused.err)

    def test_8_memory_lies_as_it_was_asked_for(self):
        def mapped(*options):
            line = self.c.run_job(*options, script=NUMA_MAPS, user=USER)["text"]
            return re.match(r"\S+ (prefer \(many\):\S+|\S+)", line)[1], {int(node): int(pages) for node, pages in re.findall(r"N(\d+)=(\d+)", line)}

        policy, pages = mapped("-n", "2", "--place=spread", "--mem-bind=interleave", "--mem", "400M")
        self.assertEqual(policy, "interleave:0-1")
        self.assertLess(abs(pages[0] - pages[1]), 2048)               # it may go by transparent huge pages
        self.assertGreaterEqual(sum(pages.values()), 16384)
        policy, pages = mapped("-c", "1", "--mem-bind=local", "--mem", "200M")
        self.assertRegex(policy, r"^bind(:|=\w+:)[01]$")
        self.assertEqual(len(pages), 1)
        policy, pages = mapped("-c", "1", "--mem", "200M")
        self.assertEqual((policy, len(pages)), ("default", 1))
        biggest = max(share["memory_bytes"] for share in self.node()["numa_nodes"])
        policy, pages = mapped("-c", "1", "--mem", f"{(biggest >> 20) + 200}M")
        self.assertRegex(policy, r"^prefer \(many\):[01]$")
        self.assertEqual(len(pages), 1)

    def test_9_strict_leaves_the_usual_devices(self):
        self.c.write_config(jnoded='devices = "strict"')
        self.c.jnoded.stop()
        self.c.jnoded.start()
        self.c.wait_node()
        usual = ["/dev/null", "/dev/zero", "/dev/urandom", "/dev/ptmx"]
        found = self.opened("--gres=gpu:1", paths=(*GPUS, OTHER, *usual))
        self.assertEqual(sorted(found[gpu] for gpu in GPUS), ["ENXIO", "EPERM"])
        self.assertEqual(found[OTHER], "EPERM")
        self.assertEqual([found[path] for path in usual], ["opened"] * 4)


class Isolation(SharedCluster):
    """Below a partition root with four of the six CPUs, of which the node offers two."""
    site = pathlib.Path("/sys/fs/cgroup/site")
    settings = {"partitions": PARTITION, "node_cores": 2, "jnoded": f'cgroup = "{site}"', "controller": 'kill_grace = "3s"'}

    @classmethod
    def setUpClass(cls):
        control = pathlib.Path("/sys/fs/cgroup/cgroup.subtree_control")
        control.write_text("+cpuset +cpu +memory +pids +io")
        cls.site.mkdir()
        (cls.site / "cpuset.cpus").write_text("0-3")
        (cls.site / "cpuset.cpus.partition").write_text("root")
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.site.rmdir()

    def node(self):
        return self.c.json("jnodes", "-l", "--json")["nodes"][0]

    def group(self, job):
        return self.site / f"{self.tree().name}/jobs/job_{job}"

    def tree(self):
        return next(self.site.glob("jarvis_*"))

    def test_1_the_node_isolates(self):
        self.assertIn("isolation", self.node()["capabilities"].split(","), self.node()["notes"])
        self.assertEqual((self.tree() / "jobs/cpuset.cpus.partition").read_text(), "root\n")

    def test_2_the_cores_of_a_job_are_isolated(self):
        job = self.c.submit("-c", "1", "--mem", "100M", "--cpu-isolation", wrap="grep Cpus_allowed_list /proc/self/status; exec sleep 1000", user=USER)
        neighbour = self.c.submit("-c", "1", "--mem", "100M", wrap="grep Cpus_allowed_list /proc/self/status; exec sleep 1000", user=USER)
        for one in (job, neighbour):
            wait_for(lambda one=one: self.c.output(one, USER), f"job {one} to say where it runs")
        self.assertEqual((self.group(job) / "cpuset.cpus.partition").read_text(), "isolated\n")
        self.assertEqual((self.group(neighbour) / "cpuset.cpus.partition").read_text(), "member\n")
        cores = [re.search(r"\d+$", self.c.output(one, USER).strip())[0] for one in (job, neighbour)]
        self.assertEqual(sorted(cores), ["0", "1"])
        self.c.jnoded.kill()
        self.c.jnoded.start()
        self.c.wait_node()
        self.assertIn("isolation", self.node()["capabilities"].split(","))
        self.assertEqual((self.group(job) / "cpuset.cpus.partition").read_text(), "isolated\n")
        self.c.run("jcancel", job, neighbour, check=0)
        for one in (job, neighbour):
            self.c.wait_job(one)

    def test_3_a_promise_of_isolation_that_cannot_be_kept_drains_the_node(self):
        (self.tree() / "jobs/cpuset.cpus.partition").write_text("member")           # as somebody with root's rights may
        job = self.c.submit("-c", "1", "--mem", "100M", "--cpu-isolation", wrap="echo ran", user=USER)
        node = wait_for(lambda: self.node()["reason"] and self.node(), "the node to be drained")
        self.assertRegex(node["reason"], rf"^job {job}: cpuset.cpus.partition says isolated invalid \(.*\), asked for isolated$")
        self.assertEqual(self.c.wait_state(job, "PENDING")["restarts"], 1)
        (self.tree() / "jobs/cpuset.cpus.partition").write_text("root")
        self.c.run("jnodes", "resume", self.c.node, check=0)
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")


run_here(cpus=6, numa=2, memory="3G")
