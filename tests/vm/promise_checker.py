"""Compares what the controller has promised to jobs with what the kernel gives them.

It stands apart from the daemons: of Jarvis it reads `jq -l` alone, and everything else from /sys, /proc and cgroup files. Cores are
compared by the kernel's numbers of their hardware threads (PUs). NUMA nodes are numbered by jq in hwloc's order, which is not the kernel's
where one has no cores: `jnodes topo` tells which is which.

    checker = Checker(cluster, max_processes=60)
    checker.check()         # what is wrong, in words; nothing: []
"""
import contextlib
import dataclasses
import itertools
import os
import pathlib
import re

PAGE = 4096
# The kernel's counters of a cgroup lag by some pages for each CPU (kernel docs, cgroup-v2, "memory.stat").
LAG_BYTES = 1 << 20
NODES = pathlib.Path("/sys/devices/system/node")


def numbers(text):
    """Of a list as the kernel writes it: "0-2,5"."""
    found = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return frozenset(found)


def read(path):
    """None when it is gone, as everything of a job may be at any time."""
    with contextlib.suppress(OSError):
        return pathlib.Path(path).read_text()
    return None


@dataclasses.dataclass(frozen=True)
class Promise:
    job: str
    started: str
    restarts: int
    held: frozenset         # all hardware threads of its cores, which nobody else may have
    cpus: frozenset         # those of them that it is bound to
    memory: tuple           # of (NUMA node, bytes)

    @property
    def nodes(self):
        return frozenset(node for node, _ in self.memory)

    @property
    def total(self):
        return sum(size for _, size in self.memory)


@dataclasses.dataclass
class Seen:
    """What has been looked at, so that a test can say that it was something."""
    checks: int = 0
    processes: int = 0
    threads: int = 0
    pages: int = 0
    jobs: set = dataclasses.field(default_factory=set)
    most_at_once: int = 0


class Checker:
    def __init__(self, cluster, max_processes):
        self.cluster, self.max_processes = cluster, max_processes
        self.seen = Seen()
        self.machine_cpus = numbers(read("/sys/devices/system/cpu/online"))
        # Cores as sets of their hardware threads, by each of these.
        self.core_of = {cpu: numbers(read(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")) for cpu in self.machine_cpus}
        self.single_threaded = set()        # jobs that asked for one thread of each core: they get the first
        self.os_index = {part["numa"]: part["os_index"] for part in cluster.json("jnodes", "topo", cluster.node, "--json")["numa_nodes"]}
        self.machine_memory = {}
        for folder in NODES.glob("node[0-9]*"):
            total = re.search(r"MemTotal:\s+(\d+) kB", read(folder / "meminfo"))
            self.machine_memory[int(folder.name[4:])] = int(total.group(1)) << 10

    # --- the two sides

    def promises(self):
        """Of all jobs that hold something, by id."""
        found = {}
        for job in self.cluster.json("jq", "-l", "--json")["jobs"]:
            for place in job.get("placement") or []:
                held = numbers(place["pus"])
                bound = frozenset(min(self.core_of.get(cpu, {cpu})) for cpu in held) if job["id"] in self.single_threaded else held
                found[job["id"]] = Promise(job["id"], job["started"], job["restarts"], held, bound, tuple(
                    (self.os_index[share["numa"]], share["memory_bytes"]) for share in place["memory"]))
        return found

    def groups(self):
        """The groups of jobs with processes in them, by id."""
        jobs = self.cluster.cgroup() / "jobs"
        return {path.name[4:]: path for path in jobs.glob("job_*") if self.populated(path)}

    @staticmethod
    def populated(group):
        return "populated 1" in (read(group / "cgroup.events") or "")

    # --- the comparison

    def check(self):
        before, groups = self.promises(), self.groups()
        problems = self.compare_promises(before) + self.compare_groups(groups)
        judged = []
        for job, group in groups.items():
            if job in before:
                judged.append((before[job], self.problems_of(before[job], group)))
        strays = self.strays(groups)
        # A job that ended or was started again meanwhile may have been anything.
        after, still = self.promises(), self.groups()
        for promise, found in judged:
            if after.get(promise.job) == promise and promise.job in still:
                problems += found
                self.seen.jobs.add(promise.job)
        problems += [text for job, text in strays if job in still and job in after]
        problems += [f"job {job}: has a cgroup with processes and no promise" for job in still
                     if job in groups and job not in before and job not in after]
        self.seen.checks += 1
        self.seen.most_at_once = max(self.seen.most_at_once, len(before))
        return problems

    def compare_promises(self, promises):
        """One answer of jq is one moment: what it promises must be there, and once only."""
        problems = []
        for one, other in itertools.combinations(promises.values(), 2):
            if shared := self.whole(one.held) & self.whole(other.held):
                problems.append(f"jobs {one.job} and {other.job}: both were promised cores {sorted(shared)}")
        for node, size in self.machine_memory.items():
            given = sum(bytes_ for p in promises.values() for number, bytes_ in p.memory if number == node)
            if given > size:
                problems.append(f"NUMA node {node}: {given} bytes promised of {size}")
        for p in promises.values():
            if not p.cpus or not p.cpus <= self.machine_cpus or not p.nodes <= set(self.machine_memory):
                problems.append(f"job {p.job}: was promised cores {sorted(p.cpus)} and NUMA nodes {sorted(p.nodes)}; not all are here")
            elif p.held != (whole := self.whole(p.held)):
                problems.append(f"job {p.job}: was promised threads {sorted(p.held)} of the cores {sorted(whole)}, and not all of them")
        return problems

    def whole(self, cpus):
        """All threads of the cores that these belong to."""
        return frozenset().union(*(self.core_of.get(cpu, {cpu}) for cpu in cpus))

    def compare_groups(self, groups):
        """Groups that had processes before and after they were read stood side by side."""
        values = {job: (numbers(read(group / "cpuset.cpus.effective") or ""), read(group / "memory.max") or "0\n")
                  for job, group in groups.items()}
        values = {job: value for job, value in values.items() if self.populated(groups[job])}
        problems = []
        for (one, (mine, _)), (other, (theirs, _)) in itertools.combinations(values.items(), 2):
            if shared := self.whole(mine) & self.whole(theirs):
                problems.append(f"jobs {one} and {other}: their cgroups share cores {sorted(shared)}")
        limits = [limit.strip() for _, limit in values.values()]
        if "max" not in limits and sum(map(int, limits)) > sum(self.machine_memory.values()):
            problems.append("the limits of all cgroups exceed the memory of the machine")
        return problems

    def problems_of(self, promise, group):
        return [f"job {promise.job}: {problem}" for problem in (
            *self.files(promise, group), *self.usage(promise, group),
            *(problem for leaf in (group, *(path for path in group.rglob("*") if path.is_dir()))
              for pid in (read(leaf / "cgroup.procs") or "").split() for problem in self.process(promise, pid)))]

    def files(self, promise, group):
        limit = promise.total // PAGE * PAGE
        wanted = {"cpuset.cpus": promise.cpus, "cpuset.cpus.effective": promise.cpus, "cpuset.mems": promise.nodes,
                  "cpuset.mems.effective": promise.nodes, "memory.max": limit, "memory.swap.max": 0, "pids.max": self.max_processes}
        for file, value in wanted.items():
            text = read(group / file)
            if text is None:
                continue        # the job has ended, or the kernel has no swap
            found = numbers(text) if file.startswith("cpuset") else text.strip()
            if found != (value if file.startswith("cpuset") else str(value)):
                yield f"{file} is {text.strip()}, promised {sorted(value) if file.startswith('cpuset') else value}"

    def usage(self, promise, group):
        """Memory by NUMA node, and that no limit has been passed."""
        for line in (read(group / "memory.numa_stat") or "").splitlines():
            kind, *shares = line.split()
            for share in shares if kind == "anon" else ():
                node, size = share[1:].split("=")
                if int(node) not in promise.nodes and int(size) > LAG_BYTES:
                    yield f"{size} bytes of its memory are on NUMA node {node}, promised {sorted(promise.nodes)}"
        for file, most in (("memory.current", promise.total), ("pids.current", self.max_processes)):
            now = read(group / file)
            if now and int(now) > most:
                yield f"{file} is {now.strip()}, promised {most}"

    def process(self, promise, pid):
        if b"jshepherd" in os.path.basename(self.program(pid)):
            return              # not yet the job's own program
        self.seen.processes += 1
        for task in pathlib.Path("/proc", pid, "task").glob("[0-9]*"):
            yield from self.thread(promise, pid, task)
        for line in (read(f"/proc/{pid}/numa_maps") or "").splitlines():
            if " file=" in line or " anon=" not in line:
                continue        # files are where whoever read them first has put them
            for node, pages in re.findall(r" N(\d+)=(\d+)", line):
                self.seen.pages += int(pages)
                if int(node) not in promise.nodes:
                    yield f"process {pid} has {pages} pages on NUMA node {node}, promised {sorted(promise.nodes)}: {line}"

    def thread(self, promise, pid, task):
        shown = dict(re.findall(r"(\w+)_allowed_list:\s*(\S+)", read(task / "status") or ""))
        if not shown:
            return
        self.seen.threads += 1
        for name, value in (("Cpus", promise.cpus), ("Mems", promise.nodes)):
            if numbers(shown[name]) != value:
                yield f"process {pid}, thread {task.name}: {name}_allowed_list is {shown[name]}, promised {sorted(value)}"

    @staticmethod
    def program(pid):
        with contextlib.suppress(OSError):
            return os.fsencode(os.readlink(f"/proc/{pid}/exe"))
        return b""

    def strays(self, groups):
        """Processes that have a job's environment and are outside its cgroup: (job, what)."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                environment = pathlib.Path("/proc", pid, "environ").read_bytes().split(b"\0")
                job = next((os.fsdecode(value[14:]) for value in environment if value.startswith(b"JARVIS_JOB_ID=")), None)
                group = read(f"/proc/{pid}/cgroup") or ""
                if job in groups and f"/job_{job}/" not in group + "/" and b"jshepherd" not in self.program(pid):
                    yield job, f"job {job}: process {pid} is outside its cgroup, in {group.strip()}"
