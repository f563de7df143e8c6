#!/usr/bin/env python3
"""Records what a version of Jarvis leaves behind, for test_upgrade.py. It is run once for each release, as root:

    JARVIS_BUILD_DIR=<a build of that version> tests/upgrade/record.py VERSION

It makes the folder tests/upgrade/VERSION, but for its proto/, which are the .proto files of that version.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

from jarvis_cluster import USER, Cluster, wait_for          # noqa: E402
from recording import SETTINGS, Recorder, name_as_recorded, save_frames, save_state     # noqa: E402

def cluster():
    c = Cluster(start=False, **SETTINGS)
    name_as_recorded(c)
    c.start()
    return c


def fill(c):
    """Jobs of all states, nodes and settings, so that most events are there."""
    ended = [c.submit(user=USER, wrap="exit 0"),
             c.submit("-J", "fails", "--comment", "three", user=USER, wrap="exit 3"),
             c.submit("-J", "is_killed", wrap="kill -9 $$"),
             c.submit("-J", "is_late", "-t", "0:01", wrap="sleep 1000")]
    cancelled = c.submit("-J", "is_cancelled", "--mem", "10M", wrap="sleep 1000")
    c.wait_state(cancelled, "RUNNING")
    c.run("jcancel", cancelled, check=0)
    for job in [*ended, cancelled]:
        c.wait_job(job)
    released = c.submit("-H", "-J", "was_held", wrap="true")
    c.run("jrelease", released, check=0)
    c.wait_job(released)
    c.submit("-H", "-J", "is_held", user=USER, wrap="true")
    by_operator = c.submit("-J", "held_by_operator", "--begin", "2099-01-01", user=USER, wrap="true")
    c.run("jhold", by_operator, check=0)
    c.submit("-J", "begins_late", "--begin", "2099-01-01", wrap="true")
    c.submit("-H", "-J", "with_all", "-p", "long", "-n", "1", "-c", "2", "--mem-per-cpu", "20M", "--exclusive", "-t", "3d", "--nice", "7",
             "--requeue", "--signal", "USR1@60", "-o", "out-%j", "-e", "err-%j", "-i", "/dev/null", "--open-mode", "append",
             script="#!/bin/sh\nexit 0\n", arguments=["one", "two words"])
    requeued = c.submit("-J", "runs_again", "--requeue", wrap="sleep 1000")
    c.wait_state(requeued, "RUNNING")
    reboot(c)
    wait_for(lambda: (c.job(requeued) or {}).get("restarts") == 1 and c.job(requeued)["state"] == "RUNNING", "the job to run again")
    c.run("jnodes", "drain", "n1", "--reason", "new disk", check=0)
    c.submit("-J", "waits", wrap="true")


def reboot(c):
    c.jnoded.kill()
    for pid in [*c.shepherd_pids(), *c.job_processes()]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not c.shepherd_pids() and not c.job_processes(), "the node's processes to be gone")
    for folder in c.tmp_dir.iterdir():
        shutil.rmtree(folder)
    c.set_boot_id("00000000-0000-4000-8000-000000000002")
    c.jnoded.start()


def answers(c):
    """What the version itself says of the state, once its node is gone."""
    jobs = c.json("jq", "-t", "all", "--json")["jobs"]
    return {"jobs": [c.json("jq", "-j", job["id"], "--json")["jobs"][0] for job in jobs],
            "nodes": c.json("jnodes", "--json")["nodes"], "history": c.json("jacct", "--all-users", "--json")["jobs"]}


def record_state(folder):
    """The journal from its first group, and then a snapshot with groups after it."""
    c = cluster()
    try:
        fill(c)
        for name, after in (("journal", None), ("snapshot", "snapshot")):
            if after:
                c.jctld.start()
                c.wait_controller()
                c.run("jadmin", "snapshot", check=0)
                c.submit("-H", "-J", "after_the_snapshot", wrap="true")
            c.jnoded.kill()
            wait_for(lambda: c.node_state() in ("unreachable", "down"), "the node to be gone")
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name / "answers.json").write_text(json.dumps(answers(c), indent=1) + "\n")
            c.jctld.stop()
            save_state(c.state_dir, folder / name)
    finally:
        c.end_everything()


def record_frames(folder):
    """A node and commands, with the controller behind a socket that listens in."""
    c = cluster()
    try:
        c.jnoded.stop()
        recorder = Recorder(c.folder / "heard.sock", c.socket_path)
        heard = c.folder / "heard.toml"
        heard.write_text(c.config_path.read_text().replace(str(c.socket_path), str(recorder.path)))
        comments = {1: ["jnoded"]}

        def run(*words, code=0):
            before = recorder.connections
            c.run(*words, env={"JARVIS_CONF": str(heard)}, cwd="/", check=code)
            comments.update({number: list(words) for number in range(before + 1, recorder.connections + 1)})
        # The node is the first connection; it speaks to the recorder by the same configuration.
        c.config_path.write_text(heard.read_text())
        c.jnoded.start()
        wait_for(lambda: recorder.frames and any(who == "<" and len(body) for _, who, body in recorder.frames[1:]), "the node to connect")
        c.wait_node()
        c.config_path.write_text(c.config_path.read_text().replace(str(recorder.path), str(c.socket_path)))
        run("jsub", "-J", "first", "-t", "5", "-o", "/dev/null", "--wait", "--wrap", "exit 3", code=3)
        run("jsub", "-J", "second", "-o", "/dev/null", "--wrap", "sleep 1000")
        c.wait_state("8", "RUNNING")
        run("jq", "-j", "8", "--json")
        run("jq", "--json")
        run("jcancel", "8")
        c.wait_job("8")
        run("jsub", "--hold", "-J", "third", "--wrap", "true")
        run("jrelease", "9")
        c.wait_job("9")
        run("jsub", "--test-only", "--wrap", "true")
        run("jhold", "77", code=3)
        run("jnodes", "--json")
        run("jacct", "--json")
        run("jnodes", "drain", "n1", "--reason", "new disk")
        run("jnodes", "resume", "n1")
        run("jadmin", "ping")
        save_frames(folder / "frames.txt", recorder.frames, comments)
    finally:
        c.end_everything()


def main():
    folder = HERE / sys.argv[1]
    record_state(folder)
    record_frames(folder)


main()
