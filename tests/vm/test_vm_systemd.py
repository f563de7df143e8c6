#!/usr/bin/env python3
"""A virtual machine with systemd as process 1: units run, and one with Delegate=yes has a cgroup with controllers."""
import re
import unittest

from jarvis_vm import main, shell

SCRIPT = r"""
section() { echo "== $1"; }
section one; cat /proc/1/comm
section hierarchy; stat -f -c %T /sys/fs/cgroup; cat /proc/self/cgroup
cat >/run/systemd/system/delegated.service <<'END'
[Service]
ExecStart=/bin/sleep 100000
Delegate=yes
END
systemctl daemon-reload && systemctl start delegated.service
section state; systemctl is-active delegated.service
group=$(systemctl show -P ControlGroup delegated.service)
section group; echo "$group"; cat /proc/$(systemctl show -P MainPID delegated.service)/cgroup
section controllers; cat "/sys/fs/cgroup/$group/cgroup.controllers"
# A delegate makes groups of its own below, with limits, once no process is in its own group.
mkdir "/sys/fs/cgroup/$group/leaf"
systemctl show -P MainPID delegated.service >"/sys/fs/cgroup/$group/leaf/cgroup.procs"
echo '+cpuset +cpu +io +memory +pids' >"/sys/fs/cgroup/$group/cgroup.subtree_control"
section below; cat "/sys/fs/cgroup/$group/leaf/cgroup.controllers"
systemctl stop delegated.service
section stopped; systemctl is-active delegated.service; test -e "/sys/fs/cgroup/$group" || echo gone
section journal; journalctl -q -o cat -u delegated.service
section end; echo failed units: $(systemctl --failed --no-legend --plain | wc -l)
exit 5
"""
CONTROLLERS = {"cpuset", "cpu", "io", "memory", "pids"}


class Systemd(unittest.TestCase):
    def test_unit_with_delegated_controllers(self):
        result = shell(SCRIPT, cpus=2, memory="1G", systemd=True, hostname="with-systemd")
        parts = re.split(r"(?m)^== (\w+)\n", result.out)
        found = dict(zip(parts[1::2], parts[2::2], strict=True))
        self.assertEqual((result.code, result.err), (5, ""), result)
        self.assertEqual(found["one"], "systemd\n")
        self.assertEqual(found["hierarchy"], "cgroup2fs\n0::/system.slice/vm-command.service\n")
        self.assertEqual(found["state"], "active\n")
        self.assertEqual(found["group"], "/system.slice/delegated.service\n0::/system.slice/delegated.service\n")
        self.assertLessEqual(CONTROLLERS, set(found["controllers"].split()))
        self.assertLessEqual(CONTROLLERS, set(found["below"].split()))
        self.assertEqual(found["stopped"], "inactive\ngone\n")
        self.assertIn("Started delegated.service", found["journal"])
        self.assertEqual(found["end"], "failed units: 0\n")


main()
