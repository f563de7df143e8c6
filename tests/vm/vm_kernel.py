"""The kernel of the virtual machines: Debian's, unpacked into a folder of its own, and an initramfs that finds the root.

Nothing is installed: apt downloads the package that linux-image-amd64 depends on at present, once; remove the folder for
a newer one. It is build/vm of this tree, or $JARVIS_VM_CACHE. Two who prepare at the same time wait for each other.
"""
import contextlib
import dataclasses
import fcntl
import hashlib
import lzma
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
# The full kernel: the one for clouds has no 9p.
META_PACKAGE = "linux-image-amd64"
MODULES_FOR_ROOT = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
PROGRAMS = ("qemu-system-x86_64", "busybox", "depmod", "modprobe", "apt-get", "dpkg")
SEARCH_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin"


class VmError(Exception):
    """There is no virtual machine, and why."""


@dataclasses.dataclass
class Kernel:
    release: str
    image: pathlib.Path
    modules: pathlib.Path
    initramfs: pathlib.Path


def call(*command, **how):
    """Runs a program to its end and returns its output; what it says when it fails is in the error."""
    done = subprocess.run(command, stdin=how.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, env=os.environ | {"PATH": SEARCH_PATH, "LC_ALL": "C"}, **how)
    if done.returncode != 0:
        raise VmError(f"{' '.join(map(str, command))}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def check_programs():
    missing = [name for name in PROGRAMS if not shutil.which(name, path=SEARCH_PATH)]
    if missing:
        raise VmError(f"there is no {', '.join(missing)} (contrib/packages.sh install vm)")


def cache_folder():
    return pathlib.Path(os.environ.get("JARVIS_VM_CACHE") or SOURCE / "build/vm").resolve()


@contextlib.contextmanager
def locked(folder):
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# --- the package

def package_name():
    found = re.search(r"Depends: (linux-image-\d\S*)", call("apt-cache", "depends", META_PACKAGE).decode())
    if not found:
        raise VmError(f"apt does not know what {META_PACKAGE} depends on")
    return found.group(1)


def download(folder):
    """The kernel's package as a file in that folder."""
    try:
        call("apt-get", "-q", "download", package_name(), cwd=folder)
    except VmError:
        # Lists that are missing or old name what the mirror no longer has. Only root may renew them.
        if os.geteuid() != 0:
            raise
        call("apt-get", "-q", "update")
        call("apt-get", "-q", "download", package_name(), cwd=folder)
    return next(folder.glob("*.deb"))


def unpack(cache):
    """Downloads and unpacks, under a name that appears when all of it is there."""
    with tempfile.TemporaryDirectory(prefix="new-", dir=cache) as scratch:
        scratch = pathlib.Path(scratch)
        package = download(scratch)
        root = scratch / "root"
        root.mkdir()
        call("dpkg", "-x", package, root)
        if not (root / "lib").exists():         # from Debian 13 on all is below /usr
            (root / "lib").symlink_to("usr/lib")
        call("depmod", "-b", root, next((root / "lib/modules").iterdir()).name)
        target = cache / package.stem
        root.rename(target)
    return target


def unpacked(cache):
    found = [path for path in cache.glob("linux-image-*") if list(path.glob("boot/vmlinuz-*"))]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


# --- the initramfs

def modules_of_root(root, release):
    """The files of the modules that mount the root, in the order in which they must be loaded."""
    files = []
    for module in MODULES_FOR_ROOT:
        for line in call("modprobe", "-d", root, "-S", release, "--show-depends", module).decode().splitlines():
            words = line.split()
            if words[0] == "insmod" and words[1] not in files:
                files.append(words[1])
    return [pathlib.Path(file) for file in files]


def fill(folder, modules, busybox):
    (folder / "bin").mkdir()
    (folder / "modules").mkdir()
    shutil.copy(busybox, folder / "bin/busybox")
    shutil.copy(HERE / "guest/init.sh", folder / "init")
    (folder / "init").chmod(0o755)
    for number, file in enumerate(modules):
        target = folder / "modules" / f"{number:02}-{file.name.removesuffix('.xz')}"
        target.write_bytes(lzma.open(file).read() if file.suffix == ".xz" else file.read_bytes())


def make_initramfs(root, release):
    """Its name tells what it was made of, so that a changed init is another one."""
    busybox = shutil.which("busybox", path=SEARCH_PATH)
    inputs = [(HERE / "guest/init.sh").read_bytes(), pathlib.Path(busybox).read_bytes(), " ".join(MODULES_FOR_ROOT).encode()]
    target = root / f"initramfs-{hashlib.sha256(b'|'.join(inputs)).hexdigest()[:16]}"
    if not target.exists():
        with tempfile.TemporaryDirectory(prefix="initramfs-new-", dir=root) as scratch:
            folder = pathlib.Path(scratch, "files")
            folder.mkdir()
            fill(folder, modules_of_root(root, release), busybox)
            names = "\n".join(str(path.relative_to(folder)) for path in sorted(folder.rglob("*")))
            archive = pathlib.Path(scratch, "archive")
            archive.write_bytes(call(busybox, "cpio", "-o", "-H", "newc", cwd=folder, stdin=None, input=names.encode()))
            archive.rename(target)
    return target


def prepare():
    """The kernel, fetched if it is not there yet."""
    check_programs()
    cache = cache_folder()
    with locked(cache):
        root = unpacked(cache) or unpack(cache)
        image = next(root.glob("boot/vmlinuz-*"))
        release = image.name.removeprefix("vmlinuz-")
        return Kernel(release, image, root / "lib/modules" / release, make_initramfs(root, release))
