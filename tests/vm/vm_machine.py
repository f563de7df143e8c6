"""One virtual machine: its folder, QEMU's command line, and how its command ended."""
import ctypes
import fcntl
import hashlib
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

import vm_layout
from vm_kernel import HERE, SEARCH_PATH, SOURCE, VmError

TIMED_OUT, NO_MACHINE = 124, 125
# Folders that are the guest's own; what the host has below them is not seen.
OWN_FOLDERS = ("/tmp", "/run", "/var/run", "/dev", "/proc", "/sys")
PREFIX = "jarvis-vm-"
_libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1

# What makes emulated machines start fast and none of them hang: no self-tests of ciphers, no watchdogs, which slow CPUs
# set off, no wait for timers. panic=-1 with -no-reboot ends QEMU.
KERNEL_COMMAND_LINE = (
    "console=ttyS0 quiet panic=-1 psi=1 mitigations=off tsc=reliable no_timer_check cryptomgr.notests nosoftlockup nowatchdog "
    "random.trust_cpu=on rcupdate.rcu_expedited=1 net.ifnames=0")

def say(text):
    print(f"vm: {text}", file=sys.stderr, flush=True)


def escaped(path):
    """A comma ends a value of QEMU's options."""
    return str(path).replace(",", ",,")


def hidden(path):
    """Whether the guest has a folder of its own in place of the host's one."""
    return any(pathlib.Path(path).is_relative_to(folder) for folder in OWN_FOLDERS)


# --- the folder of one machine

def sweep():
    """Removes the folders of harnesses that were killed: nobody holds their lock any more."""
    for owner in pathlib.Path(tempfile.gettempdir()).glob(f"{PREFIX}*/owner"):
        try:
            with open(owner, "r+", encoding="ascii") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(owner.parent, ignore_errors=True)
        except OSError:
            continue


class Folder:
    """What QEMU and the harness write, and in `control` what the guest reads. Removed at the end."""

    def __init__(self):
        sweep()
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX))
        # Named when locked, so that no sweep meets it in between.
        self.lock = open(self.path / "owner.new", "w", encoding="ascii")     # noqa: SIM115
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        (self.path / "owner.new").rename(self.path / "owner")
        self.control = self.path / "control"
        self.control.mkdir()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)
        self.lock.close()

    def read(self, name):
        try:
            return (self.path / name).read_text(errors="replace")
        except OSError:
            return ""


def command_text(options):
    """The command as a script of the guest; its working folder is ours, where the guest has it."""
    lines = ["export HOME=/root LANG=C.UTF-8 JARVIS_VM=1"]
    lines += [f"export {shlex.quote(setting)}" for setting in options.env]
    lines += [f"cd {shlex.quote(os.getcwd())} 2>/dev/null || cd /", "exec " + shlex.join(options.command)]
    return "\n".join(lines) + "\n"


class Share:
    def __init__(self, text):
        words = text.split(":")
        if len(words) not in (2, 3) or not os.path.isdir(words[0]) or words[2:] not in ([], ["ro"], ["rw"]):
            raise VmError(f"share '{text}': expected HOST:GUEST or HOST:GUEST:ro, HOST being a folder")
        self.host, self.guest = pathlib.Path(words[0]).resolve(), words[1]
        self.mode = words[2] if words[2:] else "rw"


def shares_of(options):
    """Those that were asked for, and this tree and its build folder, if the guest would not see them otherwise."""
    shares = [Share(text) for text in options.share]
    for path in (SOURCE, pathlib.Path(os.environ.get("JARVIS_BUILD_DIR") or SOURCE).resolve()):
        if hidden(path) and not any(path.is_relative_to(share.guest) for share in shares):
            shares.append(Share(f"{path}:{path}:ro"))
    return shares


def write_control(folder, options, kernel, shares):
    settings = {"hostname": options.hostname, "release": kernel.release, "network": options.net or "", "address": options.ip,
                "modules": " ".join(options.module), "systemd": "yes" if options.systemd else "",
                "hybrid": "yes" if options.hybrid else ""}
    (folder / "settings").write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items()))
    (folder / "shares").write_text("".join(f"share{n} {share.mode} {share.guest}\n" for n, share in enumerate(shares)))
    (folder / "command").write_text(command_text(options))
    for name in ("boot.sh", "session.sh", "vm-command.service", "masked-units"):
        shutil.copy(HERE / "guest" / name, folder / name)


# --- QEMU's command line

def kernel_command_line(options):
    words = [KERNEL_COMMAND_LINE, *([] if options.hybrid else ["cgroup_no_v1=all"])]
    if options.systemd:
        # Of the kernel's command line no more than 2048 bytes are read.
        words += ["systemd.firstboot=no", "systemd.journald.forward_to_console=1", "fstab=no",
                  f"systemd.machine_id={os.urandom(16).hex()}", f"systemd.unified_cgroup_hierarchy={0 if options.hybrid else 1}"]
    return " ".join([*words, *options.append])


def network(name):
    """Machines that say one name share a multicast group, which the loopback interface keeps on this machine."""
    digest = hashlib.sha256(name.encode()).digest()
    group = f"239.{digest[0]}.{digest[1]}.{digest[2]}:{20000 + digest[3] * 40}"
    address = ":".join(f"{byte:02x}" for byte in (0x52, 0x54, 0, *os.urandom(3)))
    return ["-netdev", f"socket,id=net,mcast={group},localaddr=127.0.0.1", "-device", f"virtio-net-pci,netdev=net,romfile=,mac={address}"]


def file_system(tag, path, mode):
    # Host folders may be on several devices, whose inode numbers would meet in the guest without remap.
    return ["-virtfs", f"local,path={escaped(path)},mount_tag={tag},security_model=none,multidevs=remap"
            + (",readonly=on" if mode == "ro" else "")]


def port(number, chardev):
    return ["-chardev", f"file,id=port{number},{chardev}", "-device", f"virtserialport,nr={number},chardev=port{number}"]


def cpu_model(options):
    """To a processor of AMD, as "max" says of itself, the kernel believes several threads in a core only with more than QEMU tells of it."""
    return "max,vendor=GenuineIntel" if options.threads > 1 else "max"


def qemu_arguments(options, kernel, folder, shares, output, errors):
    console = pathlib.Path(options.console).resolve() if options.console else folder.path / "console"
    result = [
        "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-machine", "q35,hpet=off",
        # One thread for all CPUs: with several, machines of more CPUs than the host has are slower, and some hang at boot.
        "-accel", "tcg,thread=single,tb-size=512", "-cpu", cpu_model(options), "-kernel", escaped(options.kernel or kernel.image),
        "-initrd", str(kernel.initramfs), "-append", kernel_command_line(options), "-serial", f"file:{escaped(console)}",
        "-device", "isa-debug-exit,iobase=0x501,iosize=1", "-device", "virtio-serial-pci,max_ports=8",
        "-object", "rng-random,filename=/dev/urandom,id=rng", "-device", "virtio-rng-pci,rng=rng",
        "-add-fd", f"fd={output},set=1", "-add-fd", f"fd={errors},set=2",
        *port(1, "path=/dev/fdset/1,append=on"), *port(2, "path=/dev/fdset/2,append=on"),
        *port(3, f"path={escaped(folder.path / 'status')}"),
        *file_system("root", "/", "ro"), *file_system("control", folder.control, "ro"), *file_system("modules", kernel.modules, "ro")]
    for number, share in enumerate(shares):
        result += file_system(f"share{number}", share.host, share.mode)
    if options.net:
        result += network(options.net)
    return result + vm_layout.arguments(options) + options.qemu


# --- its run

def tie_to_parent():
    """A harness that is killed takes QEMU with it."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def pump(source, target):
    """Copies until all writers are gone. A reader of ours that is gone stops nothing."""
    with open(source, "rb", buffering=0) as pipe:
        while data := pipe.read(1 << 16):
            while data and target is not None:
                try:
                    data = data[os.write(target, data):]
                except OSError:
                    target = None


def start_qemu(options, kernel, folder, shares):
    """QEMU, and the threads that bring its command's output and errors here."""
    pipes = [os.pipe(), os.pipe()]
    writers = [writer for _, writer in pipes]
    arguments = qemu_arguments(options, kernel, folder, shares, *writers)
    with open(folder.path / "qemu.log", "wb") as log:
        qemu = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=writers,
                                start_new_session=True, preexec_fn=tie_to_parent, env=os.environ | {"PATH": SEARCH_PATH})
    for writer in writers:
        os.close(writer)
    pumps = [threading.Thread(target=pump, args=(reader, target), daemon=True) for (reader, _), target in zip(pipes, (1, 2), strict=True)]
    for thread in pumps:
        thread.start()
    return qemu, pumps


def explain(options, folder):
    """What is known of a machine that did not run its command to the end."""
    console = pathlib.Path(options.console).read_text(errors="replace") if options.console else folder.read("console")
    for line in [*folder.read("qemu.log").splitlines(), *console.splitlines()[-30:]]:
        say(f"  {line}")


def run(options, kernel):
    """Runs the command of the options and returns its exit status."""
    shares = shares_of(options)
    with Folder() as folder:
        write_control(folder.control, options, kernel, shares)
        qemu, pumps = start_qemu(options, kernel, folder, shares)
        try:
            qemu.wait(options.timeout)
            in_time = True
        except subprocess.TimeoutExpired:
            in_time = False
        finally:
            qemu.kill()
            qemu.wait()
        for thread in pumps:
            thread.join(None if in_time else 5)
        status = folder.read("status").split()
        if not in_time:
            say(f"not done after {options.timeout:g} s" + ("" if status else "; the machine had not started the command"))
            if not status:
                explain(options, folder)
            return TIMED_OUT
        if status[1:2] == ["exit"]:
            return int(status[2])
        say(f"the machine ended without the command's exit status (QEMU: {qemu.returncode})")
        explain(options, folder)
        return NO_MACHINE
