#!/usr/bin/env python3
"""What a submit carries to its job: output names, environment, umask, input, arguments, options from all places."""
import os
import resource
import signal
import stat
import time

from jarvis_cluster import SharedCluster, main, wait_for


def numbers(text):
    """Those of a list such as 0-3,8."""
    ends = [[int(end) for end in part.split("-")] for part in text.split(",")]
    return [number for part in ends for number in range(part[0], part[-1] + 1)]


class Jsub(SharedCluster):
    def read(self, name):
        return (self.c.work() / name).read_text()

    # --- output

    def test_output_patterns(self):
        job = self.c.submit("-J", "pat", "-o", "o-%j-%x-%u-%A-%a-%N-%%.txt", wrap="echo x")
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        user = self.c.json("jq", "-j", job, "--json")["jobs"][0]["user"]
        self.assertEqual(self.read(f"o-{job}-pat-{user}-{job}-0-{self.c.node}-%.txt"), "x\n")

    def test_unknown_pattern_is_refused(self):
        result = self.c.run("jsub", "-o", "out-%q", "--wrap", "true")
        self.assertIn(result.code, (1, 2))
        self.assertIn("%q", result.err)

    def test_errors_go_to_a_file_of_their_own(self):
        job = self.c.submit("-o", "both-%j.out", "-e", "both-%j.err", wrap="echo out; echo err >&2")
        self.c.wait_job(job)
        self.assertEqual((self.read(f"both-{job}.out"), self.read(f"both-{job}.err")), ("out\n", "err\n"))

    def test_output_is_truncated_or_appended_as_asked(self):
        for mode, expected in (("truncate", "new\n"), ("append", "old\nnew\n")):
            (self.c.work() / "mode.txt").write_text("old\n")
            job = self.c.submit("-o", "mode.txt", "--open-mode", mode, wrap="echo new")
            self.c.wait_job(job)
            self.assertEqual(self.read("mode.txt"), expected, mode)

    def test_working_folder_is_where_relative_names_begin(self):
        (self.c.work() / "deep er").mkdir(exist_ok=True)
        job = self.c.submit("-D", str(self.c.work() / "deep er"), "-o", "here.txt", wrap="pwd")
        self.c.wait_job(job)
        self.assertEqual(self.read("deep er/here.txt"), f"{self.c.work()}/deep er\n")

    # --- environment

    def test_environment_of_the_submitter_is_exported_without_ours(self):
        dirty = {"FRUIT": "an apple", "JSUB_COMMENT": "x", "JARVIS_JUNK": "y", "EMPTY": "", "LATIN": b"\xe4"}
        job = self.c.submit(wrap="env", env=dirty)
        self.c.wait_job(job)
        text = self.c.output(job)
        self.assertIn("FRUIT=an apple\n", text)
        self.assertIn("EMPTY=\n", text)
        self.assertIn("LATIN=\udce4\n", text)
        self.assertNotIn("JSUB_COMMENT", text)
        self.assertNotIn("JARVIS_JUNK", text)

    def test_export_none_and_export_of_names(self):
        job = self.c.submit("--export=NONE", wrap="env", env={"FRUIT": "apple"})
        self.c.wait_job(job)
        self.assertNotIn("FRUIT", self.c.output(job))
        for name in ("HOME=", "USER=", "LOGNAME=", "SHELL=", "PATH="):
            self.assertIn(f"\n{name}", "\n" + self.c.output(job))
        job = self.c.submit("--export=FRUIT,COLOUR=deep red", wrap="env", env={"FRUIT": "apple", "OTHER": "1"})
        self.c.wait_job(job)
        text = self.c.output(job)
        self.assertIn("FRUIT=apple\n", text)
        self.assertIn("COLOUR=deep red\n", text)
        self.assertNotIn("OTHER=", text)

    def test_umask_is_the_submitters(self):
        job = self.c.submit(wrap="umask; touch made-by-job", umask=0o027)
        self.c.wait_job(job)
        self.assertEqual(int(self.c.output(job), 8), 0o027)
        self.assertEqual(stat.S_IMODE((self.c.work() / "made-by-job").stat().st_mode), 0o640)

    def test_resource_limits_are_the_nodes_unless_propagated(self):
        job = self.c.submit("--export=NONE", wrap="ulimit -c; ulimit -Sn")
        self.c.wait_job(job)
        self.assertEqual(self.c.output(job), "0\n1024\n")
        job = self.c.submit("--propagate=NOFILE", wrap="ulimit -Sn")
        self.c.wait_job(job)
        self.assertEqual(self.c.output(job), f"{resource.getrlimit(resource.RLIMIT_NOFILE)[0]}\n")

    # --- input, arguments, script

    def test_input_is_empty_or_the_named_file(self):
        job = self.c.submit(wrap="wc -c; readlink /proc/self/fd/0")
        self.c.wait_job(job)
        self.assertEqual(self.c.output(job), "0\n/dev/null\n")
        (self.c.work() / "in.txt").write_text("12345")
        job = self.c.submit("-i", "in.txt", wrap="cat")
        self.c.wait_job(job)
        self.assertEqual(self.c.output(job), "12345")

    def test_arguments_arrive_as_they_were(self):
        arguments = ["two words", "", "it's", '"', "$HOME", "line\nbreak", "--wrap", b"\xff"]
        job = self.c.submit(script='#!/bin/sh\nprintf "[%s]" "$@"\n', arguments=arguments)
        self.c.wait_job(job)
        expected = b"".join(b"[" + (a if isinstance(a, bytes) else a.encode()) + b"]" for a in arguments)
        self.assertEqual((self.c.work() / f"jarvis-{job}.out").read_bytes(), expected)

    def test_script_from_standard_input(self):
        result = self.c.run("jsub", "-J", "piped", "-", input="#!/bin/sh\n#JSUB --comment 'from a pipe'\necho piped\n", check=0)
        job = result.out.strip()
        self.c.wait_job(job)
        self.assertEqual(self.c.output(job), "piped\n")

    def test_script_is_the_one_at_submit(self):
        path = self.c.script("#!/bin/sh\necho first\n")
        job = self.c.run("jsub", "-H", path, check=0).out.strip()
        path.write_text("#!/bin/sh\necho second\n")
        self.c.run("jrelease", job, check=0)
        self.c.wait_job(job)
        self.assertEqual(self.c.output(job), "first\n")

    def test_any_interpreter_runs(self):
        job = self.c.submit(script="#!/usr/bin/env -S sed -n 2p\nthis line\n")
        self.c.wait_job(job)
        self.assertEqual(self.c.output(job), "this line\n")

    def test_command_line_wins_over_environment_over_directives(self):
        script = "#!/bin/sh\n# a remark\n\n#JSUB -J in_script --comment 'it is \"quoted\"'\n#JSUB --nice=3\ntrue\n#JSUB -J too_late\n"
        name = lambda job: self.c.job(job)["name"]      # noqa: E731
        job = self.c.submit("-H", script=script)
        self.assertEqual(name(job), "in_script")
        env = {"JSUB_JOB_NAME": "in_environment"}
        self.assertEqual(name(self.c.submit("-H", script=script, env=env)), "in_environment")
        self.assertEqual(name(self.c.submit("-H", "-J", "in_line", script=script, env=env)), "in_line")
        self.c.run("jcancel", "-u", self.c.job(job)["user"], check=0)

    def test_test_only_submits_nothing(self):
        before = len(self.c.json("jq", "--json")["jobs"])
        result = self.c.run("jsub", "--test-only", "--wrap", "true", check=0)
        self.assertNotRegex(result.out, r"^\d+\n$")
        answer = self.c.json("jsub", "--test-only", "--json", "--wrap", "true")
        self.assertEqual([place["node"] for place in answer["placement"]], [self.c.node] if answer["would_start_now"] else [])
        self.assertEqual(len(self.c.json("jq", "--json")["jobs"]), before)

    # --- placement

    def test_wishes_are_kept_and_shown(self):
        script = "#!/bin/sh\n#JSUB --place=spread --exclusive=numa --hint=nomultithread\ntrue\n"
        job = self.c.submit("-H", "--place=numa", "-m", "block:cyclic", script=script)
        wishes = self.c.history(job)["request"]["wishes"]
        self.assertEqual({k: wishes[k] for k in ("place", "alone_on", "threads_per_core", "over_nodes", "inside")},
                         {"place": "numa", "alone_on": "numa", "threads_per_core": 1, "over_nodes": "block", "inside": "cyclic"})
        self.assertRegex(self.c.run("jq", "-l", "-j", job, check=0).out,
                         r"(?m)^ +placement +each task inside one NUMA node, whole NUMA nodes, 1 thread per core, tasks cyclic inside nodes$")
        self.c.run("jcancel", job, check=0)
        plain = self.c.submit("-H", "--exclusive", wrap="true")
        self.assertIsNone(self.c.history(plain)["request"]["wishes"])
        self.c.run("jcancel", plain, check=0)

    def test_topology_shows_who_holds_what(self):
        job = self.c.submit("--mem", "32M", wrap="sleep 1000")
        self.c.wait_state(job, "RUNNING")
        place, = self.c.history(job)["placement"]
        topology = self.c.json("jnodes", "topo", self.c.node, "--json")
        cores = [core for core in topology["cores"] if core["job"] == job]
        self.assertEqual([core["core"] for core in cores], numbers(place["cores"]))
        self.assertEqual(sorted(pu for core in cores for pu in core["pus"]), numbers(place["pus"]))
        held = [share for numa in topology["numa_nodes"] for share in numa["held_by"] if share["job"] == job]
        self.assertEqual(sum(share["memory_bytes"] for share in held), 32 << 20)
        self.assertIn(f"job {job} (", self.c.run("jnodes", "topo", self.c.node, check=0).out)
        self.assertEqual(self.c.run("jnodes", "topo", "nobody").code, 3)
        self.assertEqual(self.c.run("jnodes", "topo").code, 3)      # a node of that name
        self.c.run("jcancel", job, check=0)
        self.c.wait_job(job)

    # --- waiting, holding, beginning

    def test_wait_returns_the_jobs_own_code(self):
        self.assertEqual(self.c.run("jsub", "--wait", "--wrap", "exit 3").code, 3)
        self.assertSays(self.c.run("jsub", "--wait", "--wrap", "kill -TERM $$"), 128 + signal.SIGTERM)
        self.assertSays(self.c.run("jsub", "--wait", "-t", "0:02", "--wrap", "sleep 1000"), 125, "time")
        self.assertEqual(self.c.run("jsub", "--wait", "--wrap", "true").code, 0)

    def test_wait_for_a_job_that_is_cancelled_before_its_start_is_125(self):
        waiter = self.c.spawn("jsub", "--wait", "-H", "-J", "never", "--wrap", "true")
        job = wait_for(lambda: [j["id"] for j in self.c.json("jq", "--json")["jobs"] if j["name"] == "never"], "the job")[0]
        self.c.run("jcancel", job, check=0)
        out, err = waiter.communicate(timeout=120)
        self.assertEqual(waiter.returncode, 125, err)
        self.assertEqual(out.decode().strip(), job)

    def test_hold_and_release(self):
        job = self.c.submit("-H", wrap="echo released")
        self.assertEqual(self.c.job(job)["state"], "PENDING")
        self.c.run("jrelease", job, check=0)
        self.assertEqual(self.c.wait_job(job)["state"], "COMPLETED")
        later = self.c.submit("--begin", "2099-01-01", wrap="true")
        self.c.run("jhold", later, check=0)
        self.assertIn("held", str(self.c.job(later)["reason"]).lower())
        self.c.run("jcancel", later, check=0)

    def test_begin_is_waited_for(self):
        begin = time.time() + 4
        text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begin))
        job = self.c.submit("--begin", text, wrap="date +%s")
        self.assertIn("begin", str(self.c.job(job)["reason"]).lower())
        self.c.wait_job(job)
        self.assertGreaterEqual(int(self.c.output(job)), int(begin))

    # --- the temporary folder

    def test_temporary_folder_is_private_and_removed_without_following_links(self):
        precious = self.c.work() / "precious"
        precious.mkdir()
        (precious / "file").write_text("keep me")
        record = self.c.run_job(
            wrap=f'cd "$JARVIS_TMPDIR" && stat -c %a . && mkdir -p deep/er && ln -s {precious} link && ln -s {precious} deep/link '
                 '&& touch deep/er/x && chmod 0 deep/er && pwd')
        mode, path = record["text"].split()
        self.assertEqual(mode, "700")
        self.assertFalse(os.path.exists(path))
        self.assertEqual((precious / "file").read_text(), "keep me")


main()
