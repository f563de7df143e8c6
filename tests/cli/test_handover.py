#!/usr/bin/env python3
"""Called jq, the queue hands over to the JSON processor where it is meant, and never loops."""
import os
import shutil

from commands_under_test import BIN, Commands, main


class Handover(Commands):
    def setUp(self):
        super().setUp()
        for name in ("ours", "copy", "theirs", "empty", "loop"):
            (self.folder / name).mkdir()
        self.ours = self.folder / "ours" / "jq"
        self.ours.symlink_to(BIN / "jqueue")
        (self.folder / "link").symlink_to("ours")
        self.write("theirs/jq", "#!/bin/sh\necho theirs \"$@\"\n", 0o755)

    def jq(self, *words, folders=("ours", "link", "empty", "theirs"), **how):
        path = ":".join(str(self.folder / name) for name in folders)
        return self.run_command(self.ours, *words, argv0="jq", PATH=path + ":/no/such", **how)

    def test_filters_and_options_of_the_processor_go_to_it(self):
        for words in ([".a"], ["-r", ".a", "file.json"], ["-j", ".a"], ["-rj", ".a"], ["--slurp"], ["--arg", "a", "b", "."], ["-n", "1"],
                      ["7"], ["--", "."]):
            self.assertEqual(self.jq(*words), (0, f"theirs {' '.join(words)}\n", ""), words)

    def test_arguments_arrive_unchanged(self):
        self.write("theirs/jq", "#!/bin/sh\nprintf '[%s]' \"$@\"\n", 0o755)
        self.assertEqual(self.jq(". | {a: \"b c\"}", "", "ä\n")[1], '[. | {a: "b c"}][][ä\n]')

    def test_the_queue_keeps_its_own(self):
        for words in ([], ["-l"], ["-j", "7,9-12"], ["-u", "0"], ["--json"], ["-w"]):
            code, out, err = self.jq(*words) if words != ["-w"] else (4, "", "no answer")
            self.assertEqual(code, 4, f"{words} {out} {err}")
            self.assertIn("no answer", err)
        self.assertIn("jq ", self.jq("--version")[1])
        self.assertTrue(self.jq("--help")[1].startswith("Usage: jq "))
        self.assertEqual(self.jq("--fromat", "id")[0], 2)

    def test_jqueue_never_hands_over(self):
        code, out, err = self.run_command("jqueue", ".a")
        self.assertEqual((code, out), (2, ""))
        self.assertIn("one word too many", err)

    def test_copies_and_links_of_ours_are_passed_over(self):
        shutil.copy(BIN / "jqueue", self.folder / "copy" / "jq")
        self.assertEqual(self.jq(".a", folders=("copy", "ours", "link", "theirs"))[1], "theirs .a\n")

    def test_no_processor_at_all(self):
        for folders in (("ours", "link", "empty"), ("ours", "copy")):
            shutil.copy(BIN / "jqueue", self.folder / "copy" / "jq")
            code, out, err = self.jq(".a", folders=folders)
            self.assertEqual((code, out), (2, ""))
            self.assertIn("PATH has no other jq", err)

    def test_a_wrapper_that_leads_back_ends(self):
        self.write("loop/jq", f"#!/bin/sh\nexec '{self.ours}' \"$@\"\n", 0o755)
        self.assertEqual(self.jq(".a", folders=("loop", "theirs"))[1], "theirs .a\n")
        self.assertEqual(self.jq(".a", folders=("loop",))[0], 2)

    def test_the_real_one(self):
        real = shutil.which("jq", path="/usr/bin:/bin")
        if not real or os.path.samefile(os.path.dirname(real), BIN):
            self.skipTest("the JSON processor is not installed")
        code, out, err = self.run_command(self.ours, "-c", ".a,$ENV.JARVIS_JQ_TRIED", argv0="jq", input=b'{"a": [1]}', PATH=f"{BIN}:/usr/bin:/bin")
        self.assertEqual((code, out, err), (0, "[1]\nnull\n", ""))


main()
