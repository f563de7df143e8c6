#!/usr/bin/env python3
"""The steps of README's "A head node and nodes", as printed, on three machines made of namespaces.

Each machine has a network, a host name and mounts of its own: what is written below /etc, /usr, /var and /run stays in it.
Other programs stand in for ssh and scp (they enter the other machine), and for systemctl (it starts what the unit that was
installed says); the build is where the test has it, and /etc/hosts knows the machines, as a site's name service would.
"""
import contextlib
import os
import pathlib
import re
import signal
import subprocess

from jarvis_cluster import BUILD, SLOWDOWN, SOURCE, USER, TestCase, main, processes_of, remove_cgroup_tree, wait_for
from jarvis_network import Network, needs_namespaces

SECTION = "A head node and nodes"
PROMPT = re.compile(r"(head|n\d+)([#$]) (.*)")
OVERLAID = ("/etc", "/usr", "/var", "/root")

SSH = """#!/bin/sh
host=$1; shift
exec nsenter -t "$(cat "{folder}/machines/$host")" -m -u -n -- sh -c "$*"
"""
# scp FILE... HOST:FOLDER
SCP = """#!/bin/sh
for last; do :; done
host=${{last%%:*}}
while [ $# -gt 1 ]; do
    cp -p "$1" "/proc/$(cat "{folder}/machines/$host")/root${{last#*:}}" || exit 1
    shift
done
"""
# systemctl enable --now UNIT...: what systemd would do of it.
SYSTEMCTL = """#!/bin/bash
set -e
[ "$1 $2" = "enable --now" ] || {{ echo "systemctl $*: the test does not know this" >&2; exit 1; }}
shift 2
for unit; do
    file=$(find /usr/local/lib/systemd/system /usr/lib/systemd/system -name "$unit.service" 2>/dev/null | head -n 1)
    value() {{ sed -n "s/^$1=//p" "$file"; }}
    for setting in $(value Environment); do export "$setting"; done
    for folder in $(value RuntimeDirectory); do mkdir -p -m "$(value RuntimeDirectoryMode | grep . || echo 755)" "/run/$folder"; done
    for folder in $(value StateDirectory); do mkdir -p -m "$(value StateDirectoryMode | grep . || echo 755)" "/var/lib/$folder"; done
    test -e "$(value ConditionPathExists | grep . || echo /)"
    value ExecStartPre | while read -r line; do eval "$line"; done
    eval "setsid $(value ExecStart) >>/run/$unit.log 2>&1 </dev/null 9>&- &"
    value ExecStartPost | while read -r line; do eval "$line"; done
done
"""


def steps():
    """What the section says: (machine, prompt, command), and ("file", path, text)."""
    text = (SOURCE / "README.md").read_text().partition(f"## {SECTION}\n")[2].partition("\n## ")[0]
    found, path, block = [], None, []
    for line in [*text.splitlines(), "end"]:
        if line.startswith("    ") or (block and not line):
            block.append(line[4:])
            continue
        if block:
            typed = [PROMPT.fullmatch(one) for one in block if one]
            if all(typed):
                found += [match.groups() for match in typed]
            elif path and not any(typed):
                found.append(("file", path, "\n".join(block) + "\n"))
            else:
                raise AssertionError(f"README: neither commands nor a file whose path was named: {block}")
            block, path = [], None
        named = re.findall(r"`(/[^`]*)`", line)
        path = named[-1] if named else path
    return found


@needs_namespaces
class Setup(TestCase):
    def setUp(self):
        self.c = Network(nodes=2, namespaces=True, start=False)
        self.addCleanup(self.end)
        self.c.folder.chmod(0o755)
        tools = self.c.folder / "tools"
        tools.mkdir()
        (self.c.folder / "machines").mkdir()
        for name, text in (("ssh", SSH), ("scp", SCP), ("systemctl", SYSTEMCTL)):
            (tools / name).write_text(text.format(folder=self.c.folder))
            (tools / name).chmod(0o755)
        self.holders = {}
        for host in (self.c.jctld, *self.c.nodes):
            self.boot(host)

    def boot(self, host):
        disk = self.c.folder / "disks" / host.host
        lines = ["set -e", "mount --make-rprivate /"]
        for path in OVERLAID:
            upper, work = disk / f"upper{path}", disk / f"work{path}"
            upper.mkdir(parents=True)
            work.mkdir(parents=True)
            lines.append(f"mount -t overlay overlay -o lowerdir={path},upperdir={upper},workdir={work} {path}")
        names = "".join(f"{address} {h.host}\\n" for h in (self.c.jctld, *self.c.nodes) for address in (h.ipv4, h.ipv6))
        lines += ["mount -t tmpfs tmpfs /run", "rm -rf /etc/jarvis /var/lib/jarvis",
                  f"printf '127.0.0.1 localhost\\n{names}' > /etc/hosts", "echo ready", "exec sleep infinity"]
        holder = subprocess.Popen(["unshare", "-m", "sh", "-c", "\n".join(lines)], preexec_fn=host.enter, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/")
        said = holder.stdout.readline()
        self.holders[host.host] = holder
        if said != "ready\n":
            self.skipTest(f"no machines with mounts of their own here: {said}{holder.stdout.read()}")
        (self.c.folder / "machines" / host.host).write_text(str(holder.pid))

    def end(self):
        for folder in self.c.folder.glob("disks/*/upper/etc/jarvis"):
            for tree in pathlib.Path(self.c.cgroup_mount()).glob(f"**/jarvis_{self.uuid(folder)}_n[12]") if self.c.cgroup_mount() else []:
                with contextlib.suppress(OSError):
                    (tree / "cgroup.kill").write_text("1")
                remove_cgroup_tree(tree)
        for pid in processes_of(f"JARVIS_TEST={self.c.folder}"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for holder in self.holders.values():
            holder.kill()
            holder.wait()
            holder.stdout.close()
        self.c.end_everything()

    def uuid(self, folder):
        shown = self.c.run("jadmin", "pki", "show", folder / "pki" / "ca.crt").out
        found = re.search(r"([0-9a-f]{8})-[0-9a-f]{4}-", shown)
        return found.group(1) if found else "none"

    def on(self, machine, command, user=None):
        """Somebody types it on a machine."""
        environment = {"PATH": f"{self.c.folder}/tools:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/",
                       "JARVIS_TEST": f"{self.c.folder}", "LC_ALL": "C.UTF-8"}
        who = ["setpriv", "--reuid", user, "--regid", "nogroup", "--clear-groups"] if user else []
        cwd = self.c.work(user) if user else SOURCE
        return subprocess.run(["nsenter", "-t", str(self.holders[machine].pid), "-m", "-u", "-n", f"--wd={cwd}", "--", *who, "sh", "-c", command],
                              env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=300 * SLOWDOWN, check=False)

    def logs(self):
        return "\n".join(self.on(machine, f"tail -n 20 /run/{unit}.log 2>/dev/null").stdout for machine, unit in
                         (("head", "jctld"), ("n1", "jnoded"), ("n2", "jnoded")))

    def test_the_steps_of_the_readme(self):
        todo = steps()
        self.assertGreater(len(todo), 10)
        for machine, prompt, command in todo:
            if machine == "file":
                self.assertEqual(self.on("head", f"mkdir -p {pathlib.Path(prompt).parent} && cat > {prompt} <<'END'\n{command}END").returncode, 0)
                continue
            if prompt == "$":
                wait_for(lambda: self.on("head", "jnodes --json").stdout.count('"state":"idle"') == 2, self.logs)
            done = self.on(machine, command.replace("build/release", str(BUILD)), USER if prompt == "$" else None)
            self.assertEqual(done.returncode, 0, f"{machine}{prompt} {command}\n{done.stdout}{done.stderr}\n{self.logs()}")
        self.assertRegex(done.stdout, r"^hello from n\d\n$")
        # Both nodes run jobs, and each has the launcher that its unit started.
        for name in ("n1", "n2"):
            self.assertIn("/run/jarvis-node/launcher.sock", self.on(name, "tr '\\0' ' ' </proc/*/cmdline 2>/dev/null; cat /run/jarvis-launch.log").stdout)
            self.assertEqual(self.on(name, "pgrep -c -f '^/usr/local/libexec/jarvis/jshepherd --socket' --ns $$ --nslist mnt").stdout.strip(), "1")
        # In the end: the daemons stop in order, and nothing is left on the nodes.
        self.on("n1", "true")
        for pid, command in processes_of(f"JARVIS_TEST={self.c.folder}").items():
            if re.match(r"/usr/local/sbin/j(noded|ctld)\b", command):
                os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not processes_of(f"JARVIS_TEST={self.c.folder}"),
                 lambda: f"everything to end: {processes_of(f'JARVIS_TEST={self.c.folder}')}\n{self.logs()}")


if __name__ == "__main__":
    main()
