#!/usr/bin/env python3
"""Exit codes and messages of wrong usage, of scripts that are no good, and of a controller that is not there."""
import os

from commands_under_test import BIN, COMMANDS, Commands, main


class Usage(Commands):
    def check(self, code, said, *words, **how):
        got = self.run_command(*words, **how)
        self.assertEqual((got[0], got[1]), (code, ""), f"{words}: {got}")
        self.assertIn(said, got[2], words)

    def test_help_and_version(self):
        for command in COMMANDS:
            code, out, err = self.run_command(command, "--help")
            self.assertEqual((code, err), (0, ""))
            self.assertTrue(out.startswith(f"Usage: {command} "), out)
            code, out, err = self.run_command(command, "-V")
            self.assertEqual((code, err), (0, ""))
            self.assertRegex(out, rf"^{command} \d+\.\d+\.\d+\n$")

    def test_unknown_options_name_the_nearest(self):
        self.check(2, "unknown option --ntask; did you mean \"--ntasks\"?", "jsub", "--ntask=4", "x")
        self.check(2, "did you mean \"--states\"?", "jqueue", "--state=PD")
        for command in COMMANDS:
            self.check(2, f"Try \"{command} --help\".", command, "--no-such-option-at-all")

    def test_wrong_words(self):
        self.check(2, "no script given", "jsub")
        self.check(2, "--wrap takes the place of a script", "jsub", "--wrap", "true", "x.sh")
        self.check(2, "\"twelve\" is no job id", "jqueue", "-j", "twelve")
        self.check(2, "\"7\" is one word too many", "jqueue", "7")
        self.check(2, "unknown job state \"runing\"; did you mean \"RUNNING\"?", "jqueue", "-t", "runing")
        self.check(2, "unknown column \"nmae\"; did you mean \"name\"?", "jqueue", "--format", "nmae")
        self.check(2, "--watch is for people", "jqueue", "-w", "--json")
        self.check(2, "no request id", "jqueue", "--request", "7")
        self.check(2, "which jobs?", "jcancel")
        self.check(2, "which jobs?", "jcancel", "-s", "USR1")
        self.check(2, "--signal", "jcancel", "-s", "NOPE", "7")
        self.check(2, "which jobs?", "jhold")
        self.check(2, "which jobs?", "jrelease")
        for command in ("jrequeue", "jsuspend", "jresume"):
            self.check(2, "which jobs?", command)
        self.check(2, "\"7_[4-1]\" is no job id", "jcancel", "7_[4-1]")
        self.check(2, "say why with --reason", "jnodes", "drain", "n1")
        self.check(2, "which nodes?", "jnodes", "resume")
        self.check(2, "down: say why with --reason", "jnodes", "down", "n1")
        self.check(2, "drain: takes no --confirmed", "jnodes", "drain", "n1", "--reason=x", "--confirmed")
        self.check(2, "--confirmed is for down", "jnodes", "--confirmed")
        self.check(2, "n[1-", "jnodes", "n[1-")
        self.check(2, "--since", "jacct", "--since", "once")
        self.check(2, "--until is not after --since", "jacct", "--since", "2026-01-02", "--until", "2026-01-01")
        self.check(2, "what to do?", "jadmin")
        self.check(2, "unknown action \"pong\"; did you mean \"ping\"?", "jadmin", "pong")

    def test_names_have_no_control_characters(self):
        self.check(2, "--partition: a name has no control characters", "jsub", "-p", b"\xff\n", "--wrap", "true")
        self.check(2, "--mail-user: a name has no control characters", "jsub", "--mail-user", "a\nb", "--wrap", "true")

    def test_an_option_in_the_place_of_a_value(self):
        self.check(2, "--propagate needs a list such as ALL or NOFILE,CORE", "jsub", "--propagate", "--wait", "--wrap", "true")

    def test_unknown_users_are_3(self):
        for words in (["jqueue", "-u"], ["jcancel", "-u"], ["jacct", "-u"]):
            self.check(3, "no such user: no_such_user_here", *words, "no_such_user_here")

    def test_no_controller_is_4(self):
        for words in (["jqueue"], ["jcancel", "7"], ["jhold", "7"], ["jrelease", "7"], ["jrequeue", "7_3"], ["jsuspend", "7"], ["jresume", "7"], ["jstat", "7"], ["jeff", "7"], ["jadmin", "node", "check", "n1"], ["jnodes"], ["jnodes", "down", "n1", "-r", "x"], ["jnodes", "resume", "n1"],
                      ["jacct"], ["jadmin", "ping"], ["jsub", "--wrap", "true"]):
            self.check(4, "no answer from the controller: cannot connect to", *words)

    def test_where_the_controller_is_looked_for(self):
        config = self.write("jarvis.toml", f"[controller]\nsocket = \"{self.folder}/other.sock\"\n")
        self.check(4, "other.sock", "jqueue", JARVIS_SOCKET="", JARVIS_CONF=str(config))
        self.check(4, "cannot open configuration /nowhere.toml", "jqueue", JARVIS_SOCKET="", JARVIS_CONF="/nowhere.toml")
        config.write_text("[controller]\nsocket = 5 # a number\n")
        self.check(4, f"{config}:2:10: controller.socket: expected a string", "jqueue", JARVIS_SOCKET="", JARVIS_CONF=str(config))

    def test_scripts_that_are_no_good(self):
        def script(content, *said):
            path = self.write("run.sh", content)
            code, out, err = self.run_command("jsub", path)
            self.assertEqual((code, out), (2, ""), err)
            for words in said:
                self.assertIn(words, err)

        script("", "run.sh is empty")
        script("echo\n", "run.sh:1", "#!")
        script("#!/bin/sh\r\necho\r\n", "run.sh:1", "CRLF")
        script(b"#!/bin/sh\n\0", "run.sh:2", "NUL")
        script("#!/bin/sh\n\n#JSUB --job-nmae x\n", "run.sh:3", "--job-nmae", "did you mean \"--job-name\"?")
        script("#!/bin/sh\n#JSUB -n many\n", "run.sh:2: --ntasks: expected a number", "many")
        script("#!/bin/sh\n#JSUB --comment 'open\n", "run.sh:2")
        self.check(2, "cannot open script /no/such/script", "jsub", "/no/such/script")
        self.check(2, "is a folder", "jsub", "/tmp")
        self.check(2, "standard input is empty", "jsub", "-", input=b"")

    def test_names_are_escaped_in_messages(self):
        self.check(2, "esc\\x1b[31m\\nx", "jsub", "esc\x1b[31m\nx")
        self.check(2, "latin\\xe4", "jsub", b"latin\xe4")

    def test_warnings_go_to_standard_error(self):
        code, out, err = self.run_command("jsub", "--export=NOT_THERE", "--wrap", "true", JSUB_NTASK="4")
        self.assertEqual((code, out), (4, ""))
        self.assertIn("warning: variable JSUB_NTASK stands for no option", err)
        self.assertIn("did you mean \"JSUB_NTASKS\"?", err)
        self.assertIn("warning: --export: NOT_THERE is not set here", err)

    def test_output_that_cannot_be_written(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        code, out, err = self.run_command("/bin/sh", "-c", f"exec '{BIN}'/jsub --help > /dev/full")
        self.assertEqual(code, 1)
        self.assertIn("no space left on device", err)

    def test_a_reader_that_has_seen_enough_is_no_failure(self):
        code, out, err = self.run_command("/bin/bash", "-c", f"set -o pipefail; '{BIN}/jsub' --help | true; '{BIN}/jsub' --help | head -1")
        self.assertEqual((code, err), (0, ""))


main()
