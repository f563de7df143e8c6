#!/usr/bin/env python3
"""Users of a node reach the controller through its jnoded, which vouches for them where it may."""
import signal
import threading

from jarvis_cluster import OTHER_USER, USER, Cluster, TestCase, connect, field, frame, hello, main, needs_root, wait_for
from jarvis_network import Network, needs_namespaces

VOUCH = "vouch = true"


class Through:
    """The commands of a cluster, by the socket of one of its node daemons."""

    def __init__(self, cluster, socket=None):
        self.c, self.socket = cluster, socket or cluster.folder / "jnoded.sock"

    def environment(self, how):
        return {"env": {"JARVIS_SOCKET": str(self.socket)} | how.pop("env", {})} | how

    def run(self, *words, **how):
        return self.c.run(*words, **self.environment(how))

    def submit(self, *options, **how):
        return self.c.submit(*options, **self.environment(how))

    def spawn(self, *words, **how):
        return self.c.spawn(*words, **self.environment(how))

    def json(self, *words, **how):
        return self.c.json(*words, **self.environment(how))


class Vouching(TestCase):
    def test_everything_works_through_the_node(self):
        with Cluster(node_settings=VOUCH) as c:
            node = Through(c)
            job = node.submit("--wait", wrap="exit 0")
            self.assertEqual(c.wait_job(job)["state"], "COMPLETED")
            self.assertEqual(node.run("jsub", "--wait", "--wrap", "exit 7").code, 7)
            held = node.submit("-H", wrap="true")
            self.assertEqual(node.json("jq", "-j", held, "--json")["jobs"][0]["state"], "PENDING")
            node.run("jrelease", held, check=0)
            c.wait_job(held)
            long = node.submit(wrap="sleep 600")
            c.wait_state(long, "RUNNING")
            node.run("jcancel", long, check=0)
            self.assertEqual(c.wait_job(long)["state"], "CANCELLED")
            self.assertIn(c.node, node.run("jnodes", check=0).out)
            self.assertEqual(node.json("jacct", "-j", long, "--json")["jobs"][0]["state"], "CANCELLED")
            self.assertEqual(node.run("jadmin", "ping").code, 0)
            self.assertSays(node.run("jq", "-j", "999999"), 3, "999999")

    def test_commands_find_the_node_when_the_controller_has_no_socket_here(self):
        """A job's own configuration names a controller's socket that is not on its machine: it submits its successor."""
        with Network(nodes=2, node_settings=VOUCH) as c:
            second = c.nodes[1]
            elsewhere = c.folder / "login.toml"
            text = second.config.read_text().replace(f'socket = "{c.socket_path}"', f'socket = "{c.folder}/nothing/jctld.sock"')
            self.assertIn("nothing", text)
            elsewhere.write_text(text)
            elsewhere.chmod(0o644)
            work = c.work()
            script = c.script(f"#!/bin/sh\necho $JARVIS_NODENAME >> {work}/chain\n"
                              f'[ "$(wc -l < {work}/chain)" -ge 3 ] || JARVIS_CONF={elsewhere} jsub {work}/next.sh\n', name="next.sh")
            job = c.submit(script=script.read_text(), env={"JARVIS_CONF": str(elsewhere)})
            c.wait_job(job)
            wait_for(lambda: len((work / "chain").read_text().split()) == 3, "the job and two successors")
            wait_for(lambda: not c.json("jq", "--json")["jobs"], "all jobs to end")

    @needs_namespaces
    def test_a_job_submits_its_successor_from_the_second_node(self):
        """Over TLS, from a machine on which the controller has no socket; what others may not, a node's user may not either."""
        with Network(nodes=2, namespaces=True, node_settings=VOUCH) as c:
            first, second = c.nodes
            c.run("jnodes", "drain", first.node, "--reason", "only the second", check=0)
            work = c.work()
            c.script(f"#!/bin/sh\necho $JARVIS_JOB_ID $JARVIS_NODENAME >> {work}/chain\n"
                     f'[ "$(wc -l < {work}/chain)" -ge 3 ] || jsub {work}/next.sh\n', name="next.sh")
            c.run("jsub", work / "next.sh", check=0)
            wait_for(lambda: (work / "chain").exists() and len((work / "chain").read_text().splitlines()) == 3, "three jobs in a row")
            wait_for(lambda: not c.json("jq", "--json")["jobs"], "all jobs to end")
            self.assertEqual({line.split()[1] for line in (work / "chain").read_text().splitlines()}, {second.node})

    def test_refused_without_vouch(self):
        with Cluster() as c:
            node = Through(c)
            self.assertSays(node.run("jq"), 1, "vouch = true", c.node)
            self.assertSays(node.run("jsub", "--wrap", "true"), 1, "vouch = true")
            self.assertEqual(c.run("jq").code, 0)
            # Allowed, and forbidden again, without a restart of anything.
            c.node_settings = VOUCH
            c.write_config()
            c.run("jadmin", "reconfigure", check=0)
            self.assertEqual(node.run("jq").code, 0)
            c.node_settings = ""
            c.write_config()
            c.run("jadmin", "reconfigure", check=0)
            self.assertSays(node.run("jq"), 1, "vouch = true")

    @needs_root
    def test_user_is_who_the_nodes_kernel_says(self):
        with Cluster(node_settings=VOUCH) as c:
            node = Through(c)
            mine = node.submit(user=USER, wrap="id -un; sleep 600")
            c.wait_state(mine, "RUNNING")
            self.assertEqual(c.job(mine)["user"], USER)
            wait_for(lambda: USER in c.output(mine, user=USER), "the job's first words")
            self.assertSays(node.run("jcancel", mine, user=OTHER_USER), 1, USER)
            self.assertSays(node.run("jnodes", "drain", c.node, "--reason", "x", user=USER), 1, "operator")
            self.assertEqual(node.run("jcancel", mine, user=USER).code, 0)
            c.wait_job(mine)

    def test_controller_away_is_said_and_waited_for(self):
        with Cluster(node_settings=VOUCH) as c:
            node = Through(c)
            job = node.submit(wrap=f"while ! test -e {c.work()}/go; do sleep 0.1; done; exit 3")
            c.wait_state(job, "RUNNING")
            waiting = node.spawn("jsub", "--wait", "--wrap", f"while ! test -e {c.work()}/go; do sleep 0.1; done; exit 5")
            other = wait_for(waiting.stdout.readline, "the job's id").decode().strip()
            others = []
            for how in (signal.SIGTERM, signal.SIGKILL):
                c.jctld.stop(how)
                wait_for(lambda: node.run("jq").code == 4, "jnoded to notice")
                said = node.run("jq")
                self.assertSays(said, 4, c.node, "no connection to the controller")
                late = node.spawn("jsub", "--wrap", "true", env={"JARVIS_RETRY": "60s"})
                c.jctld.start()
                c.wait_controller()
                out, err = late.communicate(timeout=120)
                self.assertEqual(late.returncode, 0, err)
                others.append(out.decode().strip())
            c.wait_state(other, "RUNNING")
            (c.work() / "go").touch()
            _, err = waiting.communicate(timeout=120)
            self.assertEqual(waiting.returncode, 5, err)
            self.assertEqual(c.wait_job(job)["exit_code"], 3)
            for late in others:
                self.assertEqual(c.wait_job(late)["state"], "COMPLETED")
            # The node daemon itself, too.
            c.jnoded.stop(signal.SIGKILL)
            self.assertEqual(node.run("jq").code, 4)
            c.jnoded.start()
            c.wait_node()
            self.assertEqual(node.run("jq").code, 0)

    def test_long_replies_and_many_users_at_once(self):
        """Replies much longer than what may be under way, beside one reader that never reads and orders that go through."""
        with Cluster(node_settings=VOUCH) as c:
            node = Through(c)
            count = 3000
            script = c.script("#!/bin/sh\nexit 0\n")
            name = "n" * 200
            submits = [threading.Thread(target=lambda: [c.run("jsub", "-H", "-J", name, script, check=0) for _ in range(count // 10)])
                       for _ in range(10)]
            for thread in submits:
                thread.start()
            for thread in submits:
                thread.join()
            stalled = connect(node.socket)
            ask = field(1, 1) + field(5, field(2, 1))               # QueryJobs in detail
            stalled.sendall(frame(hello(role=0)) + frame(ask) * 20)
            direct = sorted(j["id"] for j in c.json("jq", "--json")["jobs"])
            self.assertEqual(len(direct), count)
            answers, quick = [], []

            def look():
                answers.append(sorted(j["id"] for j in node.json("jq", "-l", "--json")["jobs"]))

            readers = [threading.Thread(target=look) for _ in range(8)]
            for thread in readers:
                thread.start()
            for _ in range(3):
                quick.append(node.submit(wrap="true"))
                self.assertEqual(c.wait_job(quick[-1])["state"], "COMPLETED")
            for thread in readers:
                thread.join()
            self.assertEqual([len(set(answer) & set(direct)) for answer in answers], [count] * 8)
            stalled.close()
            c.run("jcancel", "-n", name, check=0)
            wait_for(lambda: not c.json("jq", "--json")["jobs"], "all jobs to end")

    def test_garbage_ends_that_connection_alone(self):
        with Cluster(node_settings=VOUCH) as c:
            node = Through(c)
            for bytes_ in (b"\xff" * 100, frame(b"\xff\xff\xff"), frame(hello()) + frame(b"\x0a\xff"), frame(hello(major=99)),
                           frame(hello(role=1)), b"", b"\x00"):
                with connect(node.socket) as channel:
                    channel.sendall(bytes_)
                    if bytes_ != b"\x00":
                        channel.shutdown(1)
                    while bytes_ != b"\x00" and channel.recv(4096):
                        pass
            self.assertEqual(node.run("jq").code, 0)
            self.assertEqual(c.node_state(), "idle")

    def test_socket_of_an_earlier_start_is_replaced(self):
        with Cluster(node_settings=VOUCH) as c:
            path = c.folder / "jnoded.sock"
            self.assertTrue(path.is_socket())
            before = path.stat().st_ino
            c.jnoded.stop()
            c.jnoded.start()
            c.wait_node()
            self.assertNotEqual(path.stat().st_ino, before)
            self.assertTrue(path.is_socket())


main()
