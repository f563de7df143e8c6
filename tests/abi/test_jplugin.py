#!/usr/bin/env python3
"""jplugin on the plugins of this tree and on broken ones: what it prints and how it ends."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest
import unittest.mock

BUILD = pathlib.Path(os.environ.get("JARVIS_BUILD_DIR", "build/debug")).resolve()
OURS = BUILD / "lib/jarvis/plugins"
BROKEN = BUILD / "tests/plugins"
CONFIG = """
[controller]
storage = "sqlite"
[plugin.storage.sqlite]
{setting}
[[node]]
names = "n1"
[[partition]]
name = "batch"
nodes = "ALL"
"""

RUNTIME_CHECKS = [
    "loads_and_its_settings_have_good_defaults",
    "loads",
    "gives_the_exit_code",
    "gives_the_signal_that_ended_it",
    "reaps_what_the_job_leaves_behind",
    "gives_input_and_output_and_makes_files_with_the_umask",
    "joins_error_with_output_where_it_has_no_path",
    "empties_the_output_or_appends_to_it",
    "gives_arguments_and_this_environment_alone",
    "starts_a_session",
    "gives_no_descriptor_but_0_1_2",
    "blames_the_user_for_an_output_that_cannot_be_opened",
    "blames_the_user_for_an_interpreter_that_is_missing",
]


def working_below(folder):
    """The processes whose working directory is in a folder, also in one that is removed by now."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "cwd").startswith(str(folder)):
                found.append(process.name)
        except OSError:
            pass  # gone, or not ours
    return found


class Jplugin(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def config(self, setting='reserve = "8M"'):
        path = pathlib.Path(self.folder.name) / "jarvis.toml"
        path.write_text(CONFIG.format(setting=setting))
        return str(path)

    def run_it(self, *words, code=0, config=None, directory=OURS):
        command = [str(BUILD / "bin/jplugin"), "--config", config or self.config(), "--directory", str(directory), *words]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def test_list_says_what_is_used(self):
        plugins = json.loads(self.run_it("list", "--json").stdout)["plugins"]
        used = {p["kind"] + "." + p["name"] for p in plugins if p["used"]}
        self.assertEqual(used, {"auth.peercred", "policy.fifo", "runtime.native", "storage.sqlite"})
        self.assertIn("storage.memory", {p["kind"] + "." + p["name"] for p in plugins})
        self.assertIn("sqlite", self.run_it("list").stdout)

    def test_list_goes_on_after_a_broken_plugin(self):
        done = self.run_it("list", "--json", code=1, directory=BROKEN)
        plugins = {p["name"]: p for p in json.loads(done.stdout)["plugins"]}
        self.assertIn("7.3", plugins["other_major"]["error"])
        self.assertIsNone(plugins["newer"]["error"])
        self.assertIn("policy_other_major.so", done.stderr)

    def test_describe_documents_every_setting(self):
        settings = json.loads(self.run_it("describe", "storage.sqlite", "--json").stdout)["settings"]
        self.assertIn(("reserve", "size", "16M"), [(s["name"], s["type"], s["default"]) for s in settings])
        for setting in settings:
            self.assertTrue(setting["text"].endswith("."), setting)
            self.assertIn(setting["name"] + ":", self.run_it("describe", "sqlite").stdout)

    def test_check_of_our_own_passes(self):
        for name in ("memory", "sqlite", "peercred", "fifo", "native"):
            with self.subTest(name):
                answer = json.loads(self.run_it("check", name, "--json").stdout)
                self.assertTrue(answer["passed"])
                self.assertGreater(len(answer["checks"]), 1)

    def test_check_names_what_failed(self):
        crashed = self.run_it("check", str(BROKEN / "policy_crashes.so"), code=1)
        self.assertIn("FAILED  opens_and_chooses_an_order: crashed the process: signal", crashed.stdout)
        refused = self.run_it("check", str(BROKEN / "policy_other_major.so"), code=1)
        self.assertIn("made for plugin ABI 7.3", refused.stdout)

    def test_check_of_a_runtime_runs_jobs_and_leaves_nothing(self):
        scratch = pathlib.Path(self.folder.name) / "scratch"
        scratch.mkdir()
        with unittest.mock.patch.dict(os.environ, TMPDIR=str(scratch)):
            for plugin in ("native", str(BROKEN / "runtime_teaching.so")):
                answer = json.loads(self.run_it("check", plugin, "--json").stdout)
                self.assertEqual([c["name"] for c in answer["checks"]], RUNTIME_CHECKS)
            leaky = json.loads(self.run_it("check", str(BROKEN / "runtime_leaky.so"), "--json", code=1).stdout)
        failed = {c["name"]: c["why"] for c in leaky["checks"] if not c["passed"]}
        self.assertEqual(set(failed), {"gives_the_signal_that_ended_it", "gives_no_descriptor_but_0_1_2"})
        self.assertIn("97", failed["gives_no_descriptor_but_0_1_2"])
        self.assertIn("signals blocked", failed["gives_the_signal_that_ended_it"])
        self.assertEqual(list(scratch.iterdir()), [])
        self.assertEqual(working_below(scratch), [])

    def test_a_wrong_setting_is_named_with_its_place(self):
        path = self.config('reserv = "8M"')
        done = self.run_it("check", "sqlite", code=1, config=path)
        self.assertIn(f'{path}:5:1: plugin.storage.sqlite.reserv: unknown key; did you mean "reserve"?', done.stdout)

    def test_exit_codes(self):
        self.run_it(code=2)
        self.run_it("frobnicate", code=2)
        self.run_it("describe", code=2)
        self.run_it("list", "sqlite", code=2)
        self.run_it("list", config="/nonexistent/jarvis.toml", code=2)
        self.assertIn("sqlite", self.run_it("describe", "sqlit", code=3).stderr)
        self.run_it("check", "/nonexistent/storage_x.so", code=3)
        self.run_it("check", "/etc/passwd.so", code=2)
        self.assertIn("auth.teaching", self.run_it("describe", "teaching", code=2, directory=BROKEN).stderr)


if __name__ == "__main__":
    unittest.main()
