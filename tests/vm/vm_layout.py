"""CPUs, packages, NUMA nodes and distances of a virtual machine, as QEMU's arguments."""
import dataclasses
import re

from vm_kernel import VmError

# What firmware says of a node and itself, and of two nodes of which nothing is known (ACPI, "SLIT").
LOCAL_DISTANCE, REMOTE_DISTANCE = 10, 20


@dataclasses.dataclass
class NumaNode:
    cpus: list          # of (first, last); none: memory alone
    mebibytes: int


def mebibytes(text):
    found = re.fullmatch(r"(\d+)([MG])", text)
    if not found:
        raise VmError(f"memory '{text}': expected a size such as 512M or 2G")
    return int(found.group(1)) * (1024 if found.group(2) == "G" else 1)


def node_of(text):
    """A node as a person writes it: "0-3,8:512M", or ":512M" for one without CPUs."""
    cpus, colon, size = text.rpartition(":")
    if not colon or not re.fullmatch(r"(\d+(-\d+)?(,\d+(-\d+)?)*)?", cpus):
        raise VmError(f"NUMA node '{text}': expected CPUS:SIZE such as 0-3:512M, or :512M")
    ranges = [part.split("-") for part in cpus.split(",") if part]
    return NumaNode([(int(part[0]), int(part[-1])) for part in ranges], mebibytes(size))


def distance_of(text):
    found = re.fullmatch(r"(\d+),(\d+)=(\d+)", text)
    if not found:
        raise VmError(f"distance '{text}': expected FROM,TO=DISTANCE such as 0,1=12")
    return tuple(map(int, found.groups()))


def equal_nodes(count, cpus, memory):
    """CPUs and memory divided over the nodes, the first ones getting what does not divide."""
    nodes, first = [], 0
    for number in range(count):
        mine = cpus // count + (number < cpus % count)
        nodes.append(NumaNode([(first, first + mine - 1)] if mine else [], memory // count + (number < memory % count)))
        first += mine
    return nodes


def distances(count, given):
    """The whole matrix: QEMU takes all of it or nothing. A distance counts both ways unless the way back is given, too."""
    matrix = {(a, b): LOCAL_DISTANCE if a == b else REMOTE_DISTANCE for a in range(count) for b in range(count)}
    for a, b, value in given:
        if (a, b) not in matrix or a == b:
            raise VmError(f"distance {a},{b}: there are {count} nodes")
        matrix[a, b] = matrix[b, a] = value
    for a, b, value in given:
        matrix[a, b] = value
    return matrix


def arguments(options):
    nodes = [node_of(text) for text in options.node] or equal_nodes(options.numa, options.cpus, mebibytes(options.memory))
    per_package = options.packages * options.threads
    if options.cpus % per_package:
        raise VmError(f"{options.cpus} CPUs do not divide into {options.packages} packages with {options.threads} threads per core")
    result = ["-m", f"{sum(node.mebibytes for node in nodes)}M", "-smp",
              f"{options.cpus},sockets={options.packages},cores={options.cpus // per_package},threads={options.threads}"]
    for number, node in enumerate(nodes):
        text = f"node,nodeid={number}" + "".join(f",cpus={first}-{last}" for first, last in node.cpus)
        if node.mebibytes:
            result += ["-object", f"memory-backend-ram,id=memory{number},size={node.mebibytes}M"]
            text += f",memdev=memory{number}"
        result += ["-numa", text]
    if len(nodes) > 1:
        for (a, b), value in distances(len(nodes), map(distance_of, options.distance)).items():
            result += ["-numa", f"dist,src={a},dst={b},val={value}"]
    return result
