#!/usr/bin/env python3
"""--help of each command against its man page: every option of one is in the other, spelled alike."""
import re
import shutil
import subprocess

from commands_under_test import COMMANDS, SOURCE, Commands, main


def options_of_help(text):
    """{"--ntasks": ("-n", "value")} from the lines of --help."""
    found = {}
    for letter, name, maybe, value in re.findall(r"^  (?:(-\w), |    )(--[\w-]+)(\[=\S+\])?(?: (\S+))?", text, re.M):
        found[name] = (letter, "perhaps" if maybe else "value" if value else "")
    return found


def options_of_page(text):
    """The same from the tags of the page's option list."""
    found = {}
    for tag in re.findall(r"^\.It (Fl .*)$", text, re.M):
        match = re.fullmatch(r"(?:Fl (\w) , )?Fl -([\w-]+)(?:( Ns Op = Ns Ar \w+)| Ar (.+))?", tag)
        assert match, f"a tag that this test does not understand: {tag}"
        letter, name, maybe, value = match.groups()
        found[f"--{name}"] = (f"-{letter}" if letter else "", "perhaps" if maybe else "value" if value else "")
    return found


class Manual(Commands):
    def page(self, command):
        section = "8" if command == "jadmin" else "1"
        return SOURCE / "man" / f"{command}.{section}"

    def test_options_are_the_same(self):
        for command in COMMANDS:
            shown = options_of_help(self.run_command(command, "--help")[1])
            self.assertIn("--help", shown)
            self.assertEqual(shown, options_of_page(self.page(command).read_text()), command)

    def test_columns_are_the_same(self):
        err = self.run_command("jqueue", "--format", "no_such_column")[2]
        known = re.search(r"known are (.*)", err).group(1).split()
        page = self.page("jqueue").read_text()
        columns = page[page.index(".Sh COLUMNS"):page.index(".Sh THE NAME JQ")]
        self.assertEqual(known, re.findall(r"^\.It Cm (\w+)$", columns, re.M))

    def test_pages_are_clean(self):
        if not shutil.which("mandoc"):
            self.skipTest("mandoc is not installed")
        for command in COMMANDS:
            lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", self.page(command)], stdout=subprocess.PIPE, text=True)
            self.assertEqual(lint.stdout, "")


main()
