#!/usr/bin/env python3
"""cmake --install into a folder of its own (DESTDIR): all is there, and what is installed finds its own parts."""
import os
import pathlib
import shutil
import subprocess
import tempfile

from jarvis_cluster import BUILD, TestCase, main


class Install(TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="jarvis-install-"))
        self.addCleanup(shutil.rmtree, self.root)
        done = subprocess.run(["cmake", "--install", str(BUILD), "--prefix", "/usr"], env=os.environ | {"DESTDIR": str(self.root)},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)

    def find(self, pattern):
        return [path.relative_to(self.root).as_posix() for path in self.root.glob(pattern)]

    def test_everything_has_its_place(self):
        for name in ("jsub", "jqueue", "jcancel", "jhold", "jrelease", "jsuspend", "jresume", "jrequeue", "jnodes", "jacct", "jstat", "jeff"):
            self.assertTrue(self.find(f"usr/bin/{name}"), name)
        for name in ("jctld", "jnoded", "jadmin", "jplugin"):
            self.assertTrue(self.find(f"usr/*bin/{name}"), name)
        self.assertTrue(self.find("usr/libexec/jarvis/jshepherd"))
        plugins = self.find("usr/lib*/**/jarvis/plugins/*.so")
        for name in ("storage_sqlite", "storage_memory", "auth_peercred", "runtime_native", "policy_fifo"):
            self.assertTrue([p for p in plugins if p.endswith(f"/{name}.so")], f"{name} in {plugins}")
        for unit in ("jctld", "jnoded", "jarvis-launch"):
            self.assertTrue(self.find(f"usr/lib/systemd/system/{unit}.service"), unit)
        self.assertTrue(self.find("usr/include/jarvis/*.h"))
        for page in ("man1/jsub.1", "man5/jarvis.toml.5", "man8/jctld.8", "man8/jnoded.8", "man8/jshepherd.8"):
            self.assertTrue(self.find(f"usr/share/man/{page}*"), page)
        # Another package owns the name on a system prefix; a site asks for it with JARVIS_INSTALL_JQ.
        cache = (BUILD / "CMakeCache.txt").read_text()
        if "JARVIS_INSTALL_JQ:BOOL=OFF" in cache:
            self.assertEqual(self.find("usr/bin/jq"), [])
        # Nothing else, such as a library that is only linked in.
        self.assertEqual(self.find("usr/lib*/**/*.a"), [])

    def test_units_name_programs_that_are_installed(self):
        for unit in self.root.glob("usr/lib/systemd/system/*.service"):
            for line in unit.read_text().splitlines():
                key, _, value = line.partition("=")
                if key.startswith("Exec") and "jarvis" in value + unit.name and "/j" in value.split()[0]:
                    name = value.split()[0].rsplit("/", 1)[1]
                    self.assertTrue(self.find(f"usr/**/{name}"), line)

    def test_installed_programs_run_and_find_their_plugins(self):
        program = self.root / self.find("usr/*bin/jplugin")[0]
        shown = subprocess.run([str(program), "list"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, env={"PATH": "/usr/bin:/bin"})
        self.assertEqual(shown.returncode, 0, shown.stdout)
        self.assertIn("sqlite", shown.stdout)
        self.assertIn(str(self.root), subprocess.run([str(program), "list", "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                                     text=True, env={"PATH": "/usr/bin:/bin"}).stdout)


main()
