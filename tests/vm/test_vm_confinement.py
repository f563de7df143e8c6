#!/usr/bin/env python3
"""Level `full` with a real kernel: what a job was promised is what it has, and what it must not have it does not get."""
import re

from jarvis_vm import run_here
from jarvis_cluster import SharedCluster, USER, wait_for

PARTITION = '[[partition]]\nname = "batch"\nnodes = "ALL"\ndefault = true\ndefault_time = "1h"\nconfinement = "full"\n'
MIB = 1 << 20
# What a process may use, as the kernel has it.
SHOW = "grep -E '^(Cpus|Mems)_allowed_list' /proc/self/status; "
HOG = """#!/usr/bin/env python3
import sys, time
print("begin", flush=True)
held = [b"x" * (1 << 20) for _ in range(400)]
print("end", flush=True)
"""


def numbers(text):
    found = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


class Confinement(SharedCluster):
    settings = {"partitions": PARTITION, "jnoded": "max_processes = 60", "controller": 'kill_grace = "3s"'}

    def tearDown(self):
        left = [job["id"] for job in self.c.json("jq", "--json")["jobs"]]      # of a test that has failed
        if left:
            self.cancel(*left)

    def node(self):
        return self.c.json("jnodes", "-l", "--json")["nodes"][0]

    def group(self, job):
        return self.c.cgroup() / "jobs" / f"job_{job}"

    def read(self, job, file):
        return (self.group(job) / file).read_text().strip()

    def sleeper(self, *options, user=USER):
        job = self.c.submit(*options, wrap=SHOW + "echo there; exec sleep 1000", user=user)
        self.c.wait_state(job, "RUNNING")
        wait_for(lambda: "there" in self.c.output(job, user), f"job {job} to say that it is there")
        return job

    def cancel(self, *jobs):
        self.c.run("jcancel", *jobs, check=0)
        for job in jobs:
            self.c.wait_job(job)

    def check_promise(self, job, user=USER):
        """The cores and memory of `jq -l` against the masks of its process and the files of its group."""
        place = self.c.json("jq", "-l", "-j", job, "--json")["jobs"][0]["placement"][0]
        cpus, nodes = numbers(place["cores"]), {share["numa"] for share in place["memory"]}
        self.assertTrue(cpus)
        shown = dict(re.findall(r"(\w+)_allowed_list:\s*(\S+)", self.c.output(job, user)))
        # One hardware thread a core here, and NUMA nodes numbered as hwloc has them.
        self.assertEqual(numbers(shown["Cpus"]), cpus)
        self.assertEqual(numbers(shown["Mems"]), nodes)
        self.assertEqual(numbers(self.read(job, "cpuset.cpus.effective")), cpus)
        self.assertEqual(numbers(self.read(job, "cpuset.mems.effective")), nodes)
        memory = sum(share["memory_bytes"] for share in place["memory"])
        self.assertEqual(int(self.read(job, "memory.max")), memory // 4096 * 4096)
        self.assertLess(int(self.read(job, "memory.high")), memory)
        self.assertEqual(self.read(job, "memory.oom.group"), "1")
        self.assertEqual(self.read(job, "pids.max"), "60")
        self.assertEqual(int(self.read(job, "cpu.weight")), 20 * len(cpus))
        self.assertEqual(self.read(job, "cgroup.procs"), "")        # the leaf has them
        return cpus

    def test_1_the_node_says_full(self):
        node = self.node()
        self.assertEqual(node["confinement"], "full")
        self.assertEqual([note for note in node["notes"] if "confinement" in note], [])
        jobs = self.c.cgroup() / "jobs"
        self.assertEqual(int((jobs / "memory.max").read_text()), node["memory_bytes"] // 4096 * 4096)
        self.assertEqual(len(numbers((jobs / "cpuset.cpus").read_text())), node["cores"])

    def test_2_jobs_have_what_they_were_promised(self):
        jobs = [self.sleeper("-c", cores, "--mem", f"{memory}M") for cores, memory in ((1, 100), (2, 300), (1, 50))]
        taken = [self.check_promise(job) for job in jobs]
        self.assertEqual(sum(map(len, taken)), len(set().union(*taken)))
        self.cancel(*jobs)

    def test_3_who_takes_too_much_memory_is_told_and_the_neighbour_lives(self):
        neighbour = self.sleeper("-c", "1", "--mem", "50M")
        record = self.c.run_job("-c", "1", "--mem", "80M", "-e", "hog.err", script=HOG, user=USER)
        self.assertEqual((record["state"], record["class"]), ("OUT_OF_MEMORY", "resources"))
        for words in ("out of memory", "limit on this node is 80M", "peak was", "NUMA nodes", "python3 (process"):
            self.assertIn(words, record["cause"])
        error = self.c.work(USER) / "hog.err"
        self.assertIn(record["cause"], error.read_text().splitlines()[-1])
        self.assertLessEqual(record["usage"]["memory_peak_bytes"], 80 * MIB)
        self.assertEqual(record["text"], "begin\n")
        self.assertEqual(self.c.job(neighbour)["state"], "RUNNING")
        self.cancel(neighbour)

    def test_4_a_script_that_survives_its_process_is_out_of_memory_too(self):
        lost = "python3 -c 'x = [b\"x\" * (1 << 20) for _ in range(400)]'; echo went on; exit 0"
        record = self.c.run_job("-c", "1", "--mem", "80M", "--oom=continue", wrap=lost, user=USER)
        self.assertEqual(record["state"], "COMPLETED")
        self.assertIn("went on", record["text"])
        self.assertIn("--oom=continue", record["text"].splitlines()[-1])
        record = self.c.run_job("-c", "1", "--mem", "80M", wrap=lost, user=USER)
        self.assertEqual(record["state"], "OUT_OF_MEMORY")
        self.assertNotIn("went on", record["text"])

    def test_5_a_fork_bomb_stays_below_its_limit(self):
        bomb = "for i in $(seq 200); do sleep 1000 & done 2>&1; true"
        job = self.c.submit("-c", "1", "--mem", "200M", wrap=bomb + "; sleep 1000", user=USER)
        self.c.wait_state(job, "RUNNING")
        wait_for(lambda: int(dict(line.split() for line in self.read(job, "pids.events").splitlines())["max"]) > 0,
                 "the limit to be reached")
        self.assertLessEqual(int(self.read(job, "pids.current")), 60)
        self.cancel(job)

    def test_6_a_job_cannot_raise_its_limits(self):
        group = "/sys/fs/cgroup/$(cut -d: -f3 /proc/self/cgroup)/.."
        script = "#!/bin/sh\n" + "".join(
            f"echo {value} > {group}/{file} && echo raised {file}\n"
            for file, value in (("memory.max", "max"), ("memory.high", "max"), ("pids.max", "max"), ("cpuset.cpus", "0-3"),
                                ("cgroup.procs", "$$"), ("../../daemon/cgroup.procs", "$$"))) + (
            "python3 -c 'import os; os.sched_setaffinity(0, range(8)); print(sorted(os.sched_getaffinity(0)))'\n")
        record = self.c.run_job("-c", "1", "--mem", "100M", script=script, user=USER)
        self.assertNotIn("raised", record["text"])
        self.assertRegex(record["text"].splitlines()[-1], r"^\[\d\]$")

    def test_7_a_promise_that_cannot_be_kept_drains_the_node(self):
        file = self.c.cgroup() / "jobs" / "cpuset.cpus"
        offered = file.read_text()
        file.write_text("0")                                        # as somebody with root's rights may
        job = self.c.submit("-c", "3", "--mem", "100M", wrap="echo ran", user=USER)
        node = wait_for(lambda: self.node()["reason"] and self.node(), "the node to be drained")
        self.assertRegex(node["reason"], rf"^job {job}: cpuset.cpus.effective says 0, asked for [0-9,-]+$")
        self.assertEqual(node["state"], "drained")
        self.assertEqual(self.c.wait_state(job, "PENDING")["restarts"], 1)
        self.assertEqual(self.c.output(job, USER), "")
        file.write_text(offered)
        self.c.run("jnodes", "resume", self.c.node, check=0)
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")

    def test_8_limits_outlive_the_daemon(self):
        job = self.sleeper("-c", "2", "--mem", "100M")
        before = {file: self.read(job, file) for file in ("memory.max", "cpuset.cpus", "pids.max")}
        self.c.jnoded.kill()
        self.assertEqual({file: self.read(job, file) for file in before}, before)
        self.c.jnoded.start()
        self.c.wait_node()
        self.assertEqual(self.c.job(job)["state"], "RUNNING")
        self.check_promise(job)
        self.cancel(job)

    def test_9_what_a_job_used_is_told(self):
        busy = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; dd if=/dev/zero of=$JARVIS_TMPDIR/x bs=1M count=8 2>/dev/null"
        usage = self.c.run_job("-c", "1", "--mem", "200M", wrap=busy, user=USER)["usage"]
        self.assertGreater(usage["cpu_user_ms"], 0)
        self.assertGreater(usage["memory_peak_bytes"], MIB)
        self.assertGreater(usage["largest_process_bytes"], MIB // 2)
        for field in ("cpu_pressure_ms", "memory_pressure_ms", "io_pressure_ms", "throttled_ms", "read_bytes", "written_bytes",
                      "page_cache_bytes", "major_faults"):
            self.assertIsNotNone(usage[field], field)

    def test_a_running_job_can_be_looked_at(self):
        script = ("#!/usr/bin/env python3\nimport mmap, time\nheld = b'x' * (64 << 20)\nshared = mmap.mmap(-1, 32 << 20)\n"
                  "shared.write(b'y' * (32 << 20))\nprint('there', flush=True)\nwhile True: sum(range(10000))\n")
        job = self.c.submit("-c", "1", "--mem", "300M", script=script, user=USER)
        wait_for(lambda: "there" in self.c.output(job, USER), f"job {job} to say that it is there")
        sample = self.c.json("jstat", "--once", "--json", "-i", "5", job)
        figures = sample["nodes"][0]
        self.assertEqual((figures["error"], figures["notes"]), (None, []))
        self.assertEqual(figures["memory_limit_bytes"], 300 * MIB)
        self.assertGreater(figures["anonymous_bytes"], 64 * MIB)
        self.assertGreaterEqual(figures["shared_bytes"], 32 * MIB)
        self.assertGreaterEqual(figures["memory_bytes"], 96 * MIB)
        self.assertGreaterEqual(figures["memory_peak_bytes"], figures["memory_bytes"] - MIB)
        self.assertGreater(figures["cores_used"], 0.1)
        self.assertLess(figures["cores_used"], 1.3)
        self.assertEqual(figures["threads_limit"], 60)
        unknown = [name for name, value in figures.items() if value is None and name != "error"]
        self.assertEqual(unknown, [])
        self.cancel(job)

    def test_b_the_check_agrees_with_what_is_enforced(self):
        node = self.node()
        check = self.c.json("jadmin", "node", "check", self.c.node, "--json")["nodes"][0]
        self.assertEqual((check["confinement"], check["tree"]), ("full", str(self.c.cgroup())))
        self.assertEqual(",".join(one["name"] for one in check["capabilities"] if one["works"]), node["capabilities"])
        self.assertTrue(check["pressure"])
        places = {one["name"]: one for one in check["controllers"]}
        self.assertEqual((places["memory"]["mount"], places["memory"]["version"]), ("/sys/fs/cgroup", 2))
        self.assertIn("memory.max", check["jobs"])                   # as libcgroup reads it


run_here(cpus=4, numa=2, memory="3G")
