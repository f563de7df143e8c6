#!/usr/bin/env python3
"""Bad input: each with a clear error, and nothing changed."""
from jarvis_cluster import SharedCluster, main


class BadInput(SharedCluster):
    settings = {"limits": 'script_size = "64K"'}

    def setUp(self):
        self.before = int(self.c.submit("-H", wrap="true"))

    def tearDown(self):
        after = int(self.c.submit("-H", wrap="true"))
        self.c.run("jcancel", self.before, after, check=0)
        self.assertEqual(after, self.before + 1, "something was submitted")

    def refused(self, *arguments, words=(), codes=(1, 2), **how):
        result = self.c.run("jsub", *arguments, **how)
        self.assertIn(result.code, codes, result)
        self.assertEqual(result.out, "", result)
        self.assertSays(result, result.code, *words)
        return result

    def refused_script(self, text, *words, **how):
        path = self.c.script(text)
        return self.refused(path, words=(path.name, *words), codes=(2,), **how)

    # --- scripts

    def test_script_without_interpreter(self):
        self.refused_script("echo hello\n", "#!")

    def test_empty_script(self):
        self.refused_script("", "empty")
        self.refused("-", input="", codes=(2,), words=["empty"])

    def test_script_over_the_size_limit(self):
        path = self.c.script("#!/bin/sh\n" + "# padding\n" * 8000)
        self.refused(path, words=["64"])

    def test_line_ends_of_dos_are_named(self):
        self.refused_script("#!/bin/sh\r\necho hello\r\n", "CRLF")

    def test_nul_bytes(self):
        self.refused_script(b"#!/bin/sh\necho \0hello\n", "NUL")

    def test_script_that_is_not_there_or_not_readable(self):
        self.refused("/no/such/script.sh", codes=(2,), words=["/no/such/script.sh"])
        self.refused(str(self.c.folder), codes=(2,), words=[str(self.c.folder)])

    def test_directive_with_an_unknown_option_names_place_and_nearest(self):
        path = self.c.script("#!/bin/sh\n# first\n#JSUB --job-nmae=x\ntrue\n")
        self.refused(path, codes=(2,), words=[f"{path}:3", "--job-nmae", "--job-name"])

    def test_directive_with_a_bad_value_or_open_quote(self):
        path = self.c.script("#!/bin/sh\n#JSUB -n many\n")
        self.refused(path, codes=(2,), words=[f"{path}:2", "many"])
        path = self.c.script("#!/bin/sh\n#JSUB --comment 'open\n")
        self.refused(path, codes=(2,), words=[f"{path}:2"])

    # --- options

    def test_unknown_option_and_bad_values(self):
        self.refused("--no-such-option", "--wrap", "true", codes=(2,), words=["--no-such-option"])
        for option, value in (("-n", "0"), ("-n", "-1"), ("-n", "x"), ("-n", "99999999999999999999"), ("-c", "0"), ("--mem", "lots"),
                              ("--mem", "-1"), ("-t", "soon"), ("-t", "-5"), ("--signal", "NOSUCH"), ("--begin", "whenever"),
                              ("--nice", "x"), ("--open-mode", "sideways"), ("--propagate", "NOSUCH")):
            self.refused(f"{option}={value}" if option.startswith("--") else f"{option}{value}", "--wrap", "true",
                         codes=(1, 2), words=[value.lstrip("-")])

    def test_no_script_at_all(self):
        self.assertEqual(self.c.run("jsub").code, 2)

    def test_names_with_newlines_escapes_or_invalid_text(self):
        for name in ("two\nlines", "esc\x1b[31m", b"latin\xe4", "tab\t"):
            self.refused("-J", name, "--wrap", "true")

    def test_request_that_no_node_can_ever_satisfy(self):
        cores = self.c.json("jnodes", "--json")["nodes"][0]["cores"]
        self.refused("-n", "100000", "--wrap", "true", codes=(1,), words=["core", str(cores)])
        self.refused("--mem", "1000T", "--wrap", "true", codes=(1,), words=["memory"])

    def test_unknown_partition_and_user(self):
        self.refused("-p", "btach", "--wrap", "true", codes=(3, 1), words=["btach", "batch"])
        self.assertSays(self.c.run("jq", "-u", "no_such_user_here"), 3, "no_such_user_here")
        self.assertSays(self.c.run("jcancel", "-u", "no_such_user_here"), 3, "no_such_user_here")

    def test_unknown_node(self):
        self.assertSays(self.c.run("jnodes", "no-such-node"), 3, "no-such-node")
        self.assertSays(self.c.run("jnodes", "drain", "no-such-node", "--reason", "x"), 3, "no-such-node")
        for verb in ("drain", "down"):
            self.assertSays(self.c.run("jnodes", verb, self.c.node, "--reason", "x" * 100_000), 1, "--reason")

    def test_ids_that_are_none(self):
        for command in ("jcancel", "jhold", "jrelease"):
            self.assertEqual(self.c.run(command, "twelve").code, 2, command)

    def test_bad_configuration_names_the_place(self):
        good = self.c.config_path.read_text()
        try:
            self.c.config_path.write_text(good.replace("[log]", "[log]\nlevl = \"debug\"", 1))
            self.assertSays(self.c.run("jctld", "--config", self.c.config_path, "--check-config"), 1, "levl", "level",
                            str(self.c.config_path))
        finally:
            self.c.config_path.write_text(good)


class BadPaths(SharedCluster):
    """Paths are the business of the node, as the job's user: the job fails with that reason, here and in the history."""

    def assert_fails(self, word, *options):
        job = self.c.submit(*options, wrap="true")
        shown = self.c.wait_job(job)
        self.assertEqual(shown["state"], "FAILED")
        self.assertIn(word, self.c.run("jq", "-j", job, "-l", check=0).out)
        record = self.c.history(job)
        self.assertIn(word, record["cause"])
        self.assertEqual(record["class"], "user")

    def test_working_folder_that_does_not_exist(self):
        self.assert_fails("/no/such/folder", "-D", "/no/such/folder")

    def test_output_in_a_folder_that_does_not_exist(self):
        self.assert_fails("/no/such/folder/out", "-o", "/no/such/folder/out")

    def test_output_that_is_a_folder(self):
        self.assert_fails(str(self.c.folder), "-o", str(self.c.folder))

    def test_input_that_does_not_exist(self):
        self.assert_fails("no-such-input", "-i", "no-such-input")

    def test_interpreter_that_does_not_exist(self):
        job = self.c.submit(script="#!/no/such/interpreter\n")
        self.assertEqual(self.c.wait_job(job)["state"], "FAILED")
        self.assertTrue(self.c.history(job)["cause"])


main()
