"""Virtual machines for tests: one or several that run a command each, or one that runs the tests of the calling script.

    from jarvis_vm import run_here          # first: it makes jarvis_cluster importable
    from jarvis_cluster import SharedCluster

    class Memory(SharedCluster):
        def test_limit(self): ...

    run_here(cpus=4, numa=2)                # boots a machine, and runs this script in it

    with start("cat", "/proc/cpuinfo", cpus=8) as vm:
        self.assertEqual(vm.wait().code, 0)

Options are those of tests/vm/run: cpus=4, systemd=True, node=["0-3:512M", ":256M"]. JARVIS_NO_VM=1 skips all such tests;
without it a machine that cannot be had is a failure.
"""
import ctypes
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "system"))
# Emulated CPUs are 25 to 50 times slower: the waits of jarvis_cluster, none of which is a measurement, become this much longer.
SLOWDOWN = 20
# What a test is told by its environment, and is to be told in the guest, too.
ENVIRONMENT = ("JARVIS_BUILD_DIR", "JARVIS_SOURCE_DIR", "JARVIS_TEST_SEED", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS")
IN_GUEST = os.environ.get("JARVIS_VM") == "1"
TIMED_OUT, NO_MACHINE, SKIPPED = 124, 125, 77
_libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"exit {self.code}\n  stdout: {self.out[-4000:]!r}\n  stderr: {self.err[-4000:]!r}"


def tie_to_parent():
    """The harness of a test that is killed ends its machine and removes its files."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def words_of(options):
    words = []
    for name, value in options.items():
        option = f"--{name}"
        if value is True:
            words.append(option)
        elif isinstance(value, (list, tuple)):
            words += [f"{option}={one}" for one in value]
        elif value is not False and value is not None:
            words.append(f"{option}={value}")
    return words


def start_harness(command, options, **how):
    return subprocess.Popen([sys.executable, str(HERE / "run"), *words_of(options), "--", *map(str, command)],
                            stdin=subprocess.DEVNULL, preexec_fn=tie_to_parent, **how)


def stop(process):
    if process.poll() is None:
        process.terminate()
        process.wait()


class Vm:
    """A machine that runs a command. Its output goes to files, so that none waits for being read."""

    def __init__(self, *command, **options):
        self.out, self.err = tempfile.TemporaryFile(), tempfile.TemporaryFile()     # noqa: SIM115
        self.process = start_harness(command, options, stdout=self.out, stderr=self.err)
        self.result = None

    @staticmethod
    def text(file):
        return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="surrogateescape")

    def so_far(self):
        """What it has written up to now; one can wait for a word of it."""
        return self.text(self.out)

    def wait(self):
        code = self.process.wait()
        return Result(code, self.text(self.out), self.text(self.err))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.process)
        self.out.close()
        self.err.close()


def start(*command, **options):
    return Vm(*command, **options)


def run(*command, **options):
    """Runs a command in a machine to its end."""
    with start(*command, **options) as vm:
        return vm.wait()


def shell(script, **options):
    """Runs the text of a shell script likewise."""
    return run("/bin/sh", "-c", script, **options)


def skip_if_switched_off():
    if os.environ.get("JARVIS_NO_VM", "") not in ("", "0"):
        print("skipped: virtual machines are switched off (JARVIS_NO_VM)")
        sys.exit(SKIPPED)


def main():
    """Runs the tests of a script that boots its machines itself."""
    skip_if_switched_off()
    import unittest     # noqa: PLC0415
    # By way of what ends the machines; unlike an exit this also ends the run of the tests.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    unittest.main(module="__main__", verbosity=2)


def boot_and_run_here(options):
    """Boots a machine and runs the calling script in it; returns the exit code."""
    slowdown = SLOWDOWN * float(os.environ.get("JARVIS_TEST_SLOWDOWN", "1"))
    environment = [f"{name}={os.environ[name]}" for name in ENVIRONMENT if name in os.environ]
    options["env"] = [*options.get("env", []), *environment, f"JARVIS_TEST_SLOWDOWN={slowdown:g}", "PYTHONUNBUFFERED=1"]
    began = time.monotonic()
    harness = start_harness(["python3", pathlib.Path(sys.argv[0]).resolve(), *sys.argv[1:]], options)
    try:
        code = harness.wait()
    finally:
        stop(harness)
    print(f"the machine took {time.monotonic() - began:.0f} s", flush=True)
    if code == SKIPPED:
        print("all tests were skipped, in a machine that was made for them")
    return code


def run_here(*machines, **options):
    """On the host: boots a machine and runs the calling script in it. There: runs its tests. With several machines, each a
    dict of options beside the common ones, this is done in one after the other, to the last one whatever the others say."""
    if IN_GUEST:
        import jarvis_cluster   # noqa: PLC0415
        jarvis_cluster.main()
    skip_if_switched_off()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    codes = [boot_and_run_here(options | machine) for machine in machines or ({},)]
    sys.exit(1 if any(codes) else 0)
