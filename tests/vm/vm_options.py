"""The options of tests/vm/run."""
import argparse

DESCRIPTION = """Runs a command in a virtual machine of its own, which sees this machine's files and changes none of them.
Its output and its errors come out here, and its exit status is returned: 128 + the signal if one ended it, 124 if the
time was up, 125 if there was no machine to run it in, with the end of its console."""


def parser():
    p = argparse.ArgumentParser(prog="tests/vm/run", description=DESCRIPTION, usage="%(prog)s [options] -- COMMAND [ARGUMENTS]",
                                allow_abbrev=False)
    p.add_argument("--prepare", action="store_true", help="only see to it that the kernel is there")
    p.add_argument("--timeout", type=float, default=1800, metavar="S", help="end it after that many seconds (1800)")

    machine = p.add_argument_group("the machine")
    machine.add_argument("--cpus", type=int, default=2, metavar="N", help="number of CPUs (2)")
    machine.add_argument("--packages", type=int, default=1, metavar="N", help="packages that the CPUs are divided over (1)")
    machine.add_argument("--threads", type=int, default=1, metavar="N", help="hardware threads of a core (1)")
    machine.add_argument("--memory", default="2G", metavar="SIZE", help="memory, such as 512M (2G)")
    machine.add_argument("--numa", type=int, default=1, metavar="N", help="NUMA nodes that CPUs and memory are divided over (1)")
    machine.add_argument("--node", action="append", default=[], metavar="CPUS:SIZE",
                         help="one NUMA node, instead of --numa and --memory; :SIZE is one without CPUs; may be repeated")
    machine.add_argument("--distance", action="append", default=[], metavar="A,B=D",
                         help="distance of two NUMA nodes, 20 if not said; may be repeated")
    machine.add_argument("--qemu", action="append", default=[], metavar="ARGUMENT", help="one more argument for QEMU; may be repeated")

    system = p.add_argument_group("its system")
    system.add_argument("--systemd", action="store_true", help="systemd is process 1 and the command a service of it")
    system.add_argument("--hybrid", action="store_true", help="controllers in cgroup v1, a bare cgroup2 beside them, "
                        "instead of all in cgroup2")
    system.add_argument("--append", action="append", default=[], metavar="TEXT",
                        help="more for the kernel's command line, such as cgroup_disable=memory; may be repeated")
    system.add_argument("--module", action="append", default=[], metavar="NAME", help="load a kernel module first; may be repeated")
    system.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="set it for the command; may be repeated")
    system.add_argument("--share", action="append", default=[], metavar="HOST:GUEST[:ro]",
                        help="a folder of this machine that the command may change, or only read; may be repeated")
    system.add_argument("--kernel", metavar="FILE", help="boot this kernel image instead of Debian's, whose modules must fit it")
    system.add_argument("--console", metavar="FILE", help="keep what the kernel says")

    network = p.add_argument_group("its network")
    network.add_argument("--net", metavar="NAME", help="connect it with all machines that say the same name, by the loopback "
                         "interface of this machine")
    network.add_argument("--ip", default="", metavar="ADDRESS/BITS", help="its address in that network")
    network.add_argument("--hostname", default="vm", metavar="NAME", help="its host name (vm)")
    p.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return p


def parse(arguments):
    p = parser()
    options = p.parse_args(arguments)
    if options.command[:1] == ["--"]:
        del options.command[0]
    if not options.command and not options.prepare:
        p.error("no command")
    if options.ip and not options.net:
        p.error("--ip needs --net")
    return options
