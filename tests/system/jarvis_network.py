"""A cluster of several nodes on this machine, for tests.

    from jarvis_network import Network, main

    with Network(nodes=3, namespaces=True) as c:
        job = c.submit("-N", "3", wrap="jq")
        c.nodes[1].link_down()

Each node is a jnoded with a name, folders and boot id of its own. With namespaces it also has a host name and a network
of its own: a veth into a bridge, to which the controller's namespace is connected alike, in a namespace that has nothing
else in it. It then has a certificate of its own, too, and dials the controller over TLS, odd nodes by IPv4 first and even
ones by IPv6; without namespaces it uses the controller's UNIX socket. Nothing of the machine's own network is touched, and
networks of several tests do not meet. The commands run outside of all of them and reach the controller by its UNIX socket, as
users on its machine do.
"""
import contextlib
import ctypes
import functools
import os
import pathlib
import re
import shutil
import signal
import subprocess
import unittest

import jarvis_cluster
from jarvis_cluster import IS_ROOT, Cluster, Daemon, below, main  # noqa: F401    # main: for those who import it from here

CLONE_NEWUTS, CLONE_NEWNET = 0x04000000, 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
NETNS = pathlib.Path("/run/netns")
PREFIX = "jarvis-t"
PORT = 6820


def ip(*arguments, netns=None):
    subprocess.run(["ip", *(["-n", netns] if netns else []), *arguments], check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def nft(netns, text):
    subprocess.run(["ip", "netns", "exec", netns, "nft", "-f", "-"], check=True, input=text, stdout=subprocess.PIPE,
                   stderr=subprocess.PIPE, text=True)


def sweep_namespaces():
    """Deletes the namespaces of tests that are no more."""
    for path in NETNS.glob(f"{PREFIX}*") if NETNS.exists() else []:
        owner = re.match(rf"{PREFIX}(\d+)x", path.name)
        if owner and not pathlib.Path("/proc", owner.group(1)).exists():
            subprocess.run(["ip", "netns", "delete", path.name], check=False, stderr=subprocess.DEVNULL)


@functools.cache
def why_no_namespaces():
    """Why this machine cannot have network namespaces for tests, or nothing."""
    if not IS_ROOT:
        return "network namespaces need root"
    name = f"{PREFIX}{os.getpid()}x0-try"
    try:
        sweep_namespaces()
        ip("netns", "add", name)
        try:
            ip("link", "add", "bridge", "type", "bridge", netns=name)
            ip("link", "add", "veth0", "type", "veth", "peer", "name", "veth1", netns=name)
            nft(name, "table inet try {\nchain in { type filter hook input priority 0; tcp dport 1 drop; }\n}\n")
        finally:
            ip("netns", "delete", name)
    except FileNotFoundError as error:
        return f"no {error.filename} (packages iproute2 and nftables)"
    except subprocess.CalledProcessError as error:
        return f"no network namespaces here: {error.cmd}: {error.stderr.strip()}"
    return None


def needs_namespaces(test):
    return unittest.skipIf(why_no_namespaces(), why_no_namespaces())(test)


class Host(Daemon):
    """A daemon in a network namespace with a host name of its own, or in those of the test."""

    def __init__(self, cluster, name, host, number, namespaces, **more):
        super().__init__(cluster, name, **more)
        self.host, self.cpus = host, None
        self.netns = f"{PREFIX}{cluster.node[1:]}-{host}" if namespaces else None
        self.port = f"to-{host}"                # its end in the bridge
        self.ipv4, self.ipv6 = f"10.77.0.{number}", f"fd77::{number:x}"

    def enter(self):
        super().enter()
        if self.cpus:
            os.sched_setaffinity(0, self.cpus)
        if self.netns:
            # Not by `ip netns exec`: that mounts another /sys, without cgroups.
            with open(NETNS / self.netns, "rb") as namespace:
                if _libc.setns(namespace.fileno(), CLONE_NEWNET) != 0 or _libc.unshare(CLONE_NEWUTS) != 0:
                    raise OSError(ctypes.get_errno(), "cannot enter the namespace")
            pathlib.Path("/proc/sys/kernel/hostname").write_text(self.host)

    def make_network(self, bridge):
        ip("netns", "add", self.netns)
        ip("link", "add", self.port, "type", "veth", "peer", "name", "eth0", "netns", self.netns, netns=bridge)
        ip("link", "set", self.port, "master", "bridge", "up", netns=bridge)
        ip("link", "set", "lo", "up", netns=self.netns)
        ip("address", "add", f"{self.ipv4}/24", "dev", "eth0", netns=self.netns)
        ip("address", "add", f"{self.ipv6}/64", "dev", "eth0", "nodad", netns=self.netns)
        ip("link", "set", "eth0", "up", netns=self.netns)

    # --- faults of the network

    def link_down(self):
        ip("link", "set", self.port, "down", netns=self.cluster.bridge)

    def link_up(self):
        ip("link", "set", self.port, "up", netns=self.cluster.bridge)

    def cut(self, *directions):
        """Drops what comes in, what goes out, or both, without anybody being told."""
        chains = "".join(f"chain {d} {{ type filter hook {d} priority 0; {'iif' if d == 'input' else 'oif'} != lo drop; }}\n"
                         for d in directions)
        nft(self.netns, f"table inet cut {{\n{chains}}}\n")

    def heal(self):
        nft(self.netns, "delete table inet cut\n")


class Node(Host):
    def __init__(self, cluster, number, namespaces):
        self.number = number
        self.node = f"{cluster.node}n{number}"
        self.folder = cluster.folder / f"n{number}"
        self.run_dir, self.state_dir, self.tmp_dir = self.folder / "run", self.folder / "state", self.folder / "tmp"
        self.boot_id_file, self.user_socket = self.folder / "boot_id", self.folder / "jnoded.sock"
        super().__init__(cluster, "jnoded", f"n{number}", 10 + number, namespaces, config=self.folder / "jarvis.toml",
                         log=f"jnoded-n{number}")
        self.cpus = cluster.cpus.get(number)

    def make_folders(self):
        for path in (self.folder, self.run_dir, self.state_dir, self.tmp_dir):
            path.mkdir(mode=0o755)
        self.tmp_dir.chmod(0o1777)
        self.reboot()

    def take_certificate(self, *options):
        """Makes a certificate for the node and brings it there, with the authority's."""
        there = (self.cluster.pki_dir / "nodes" / f"{self.node}.crt").exists()
        self.cluster.pki("renew" if there else "node", *options, self.node)
        (self.folder / "pki" / "nodes").mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy2(self.cluster.pki_dir / "ca.crt", self.folder / "pki" / "ca.crt")
        for end in ("key", "crt"):
            shutil.copy2(self.cluster.pki_dir / "nodes" / f"{self.node}.{end}", self.folder / "pki" / "nodes" / f"{self.node}.{end}")

    def settings(self, sections):
        """The sections of its own configuration."""
        mine = {line.split(" = ")[0]: line for line in sections["jnoded"].splitlines()}
        for key, value in (("name", self.node), ("run_dir", self.run_dir), ("state_dir", self.state_dir), ("tmp_dir", self.tmp_dir),
                           ("boot_id_file", self.boot_id_file), ("socket", self.user_socket)):
            mine[key] = f'{key} = "{value}"'
        more = {"jnoded": "\n".join(mine.values())}
        if self.netns:
            head = self.cluster.jctld
            addresses = [f"{head.ipv4}:{PORT}", f"[{head.ipv6}]:{PORT}"]
            addresses = ", ".join(f'"{address}"' for address in (addresses if self.number % 2 else addresses[::-1]))
            more |= {"controller": f'socket = "{self.folder}/jctld.sock"\naddresses = [{addresses}]',
                     "tls": f'ca = "{self.folder}/pki/ca.crt"'}
        return sections | more

    def reboot(self):
        """Gives the machine another boot id, for the next start of the daemon."""
        self.cluster.boots += 1
        self.boot_id_file.write_text(f"00000000-0000-4000-8000-{self.cluster.boots:012}\n")

    def state(self):
        return self.cluster.node_states().get(self.node)

    def wait_state(self, *states, seconds=60):
        jarvis_cluster.wait_for(lambda: self.state() in states, lambda: f"node {self.node} to become {' or '.join(states)}, it is "
                                f"{self.state()}\n{self.tail()}\n{self.cluster.jctld.tail()}", seconds)


class Network(Cluster):
    """Settings as for Cluster; those of [jnoded] are for each node. features: what nodes have, by number: {1: ["gpu"]}. peers: the
    nodes know each other's addresses, for steps over several. cpus: those of the machine that a node has, by number: {1: {0, 1}}."""

    def __init__(self, nodes=8, namespaces=False, features=None, peers=False, cpus=None, **more):
        if namespaces and why_no_namespaces():
            raise unittest.SkipTest(why_no_namespaces())
        self.count, self.namespaces, self.boots = nodes, namespaces, 0
        self.features, self.peers, self.cpus = features or {}, peers, cpus or {}
        super().__init__(**more)

    def make_folders(self):
        """Called when the folder of the cluster is there: the daemons are made here, too."""
        self.state_dir.mkdir(mode=0o700)
        self.bridge = f"{PREFIX}{self.node[1:]}-bridge"
        self.jctld = Host(self, "jctld", "head", 1, self.namespaces)
        self.nodes = [Node(self, number, self.namespaces) for number in range(1, self.count + 1)]
        self.jnoded, self.node_daemons = self.nodes[0], self.nodes
        for node in self.nodes:
            node.make_folders()
        if self.namespaces:
            sweep_namespaces()
            self.make_networks()
            self.pki_dir = self.folder / "pki"
            self.pki("init", "--name", self.cluster_name)
            for node in self.nodes:
                node.take_certificate()

    def pki(self, verb, *words, code=0):
        return self.run("jadmin", "pki", verb, "--dir", self.pki_dir, *words, check=code)

    def make_networks(self):
        try:
            ip("netns", "add", self.bridge)
            ip("link", "add", "bridge", "type", "bridge", "forward_delay", "0", netns=self.bridge)
            ip("link", "set", "bridge", "up", netns=self.bridge)
            for host in (self.jctld, *self.nodes):
                host.make_network(self.bridge)
        except subprocess.CalledProcessError as error:
            self.end_everything()
            raise jarvis_cluster.Failure(f"{error.cmd}: {error.stderr}") from None

    def kill_processes_of(self, node):
        """What a machine that loses its power ends: the launcher and all processes of jobs there."""
        def left():
            return jarvis_cluster.processes_of(str(node.folder))
        for _ in range(3):
            for pid in left():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        jarvis_cluster.wait_for(lambda: not left(), lambda: f"processes of {node.node} to be gone: {left()}")
        for tree in self.cgroups():
            if tree.name.endswith(f"_{node.node}"):
                jarvis_cluster.remove_cgroup_tree(tree)
        for folder in node.tmp_dir.iterdir():
            shutil.rmtree(folder)

    def job_folders(self):
        return [node.run_dir for node in self.nodes], [node.tmp_dir for node in self.nodes]

    def declared(self, numbers, features=()):
        text = f'[[node]]\nnames = "{self.node}n[{numbers}]"\ncores = {self.node_cores}\n'
        if features:
            text += "features = [" + ", ".join(f'"{feature}"' for feature in features) + "]\n"
        return f"{text}{self.node_settings}\n\n"

    def all_declared(self):
        if not self.features:
            return self.declared(f"1-{self.count}")
        return "".join(self.declared(node.number, self.features.get(node.number, ())) for node in self.nodes)

    def write_files(self, sections):
        own = {}
        if self.namespaces:
            own = {"controller": f'{sections["controller"]}\nlisten = ["{self.jctld.ipv4}:{PORT}", "[{self.jctld.ipv6}]:{PORT}"]',
                   "tls": f'ca = "{self.pki_dir}/ca.crt"'}
        every = self.all_declared() + f"{self.partitions_text()}\n{self.extra}\n"
        self.write(self.config_path, {name: body for name, body in sections.items() if name != "jnoded"} | own, every)
        for node in self.nodes:
            self.write(node.config, node.settings(sections), self.with_addresses() if self.peers else self.declared(node.number))

    def with_addresses(self):
        return "".join(f'{self.declared(node.number).rstrip()}\naddress = "{node.ipv4 if self.namespaces else node.run_dir / "steps.sock"}"\n\n'
                       for node in self.nodes)

    @staticmethod
    def write(path, sections, rest):
        path.write_text("".join(f"[{name}]\n{body}\n\n" for name, body in sections.items()) + rest)
        path.chmod(0o644)

    def cgroups(self):
        mount = self.cgroup_mount()
        found = below(mount, f"jarvis_*_{self.node}n*") if mount else []
        return [path for path in found if re.fullmatch(r"jarvis_\w+_t\d+x\d+n\d+", path.name)]

    def end_everything(self):
        super().end_everything()
        if self.namespaces:
            for path in [*NETNS.glob(f"{self.bridge.removesuffix('bridge')}*")]:
                subprocess.run(["ip", "netns", "delete", path.name], check=False, stderr=subprocess.DEVNULL)
