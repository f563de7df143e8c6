#!/usr/bin/env python3
"""A node that reaches its controller over TLS: jobs, restarts, certificates that end, are renewed, or are the wrong ones."""
import contextlib
import os
import re
import socket
import ssl
import subprocess
import time

from jarvis_cluster import BUILD, Cluster, Daemon, TestCase, main, wait_for


def free_port():
    """One that is free on both loopback addresses."""
    for _ in range(100):
        with socket.socket(socket.AF_INET6) as six, socket.socket() as four:
            six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            six.bind(("::1", 0))
            with contextlib.suppress(OSError):
                four.bind(("127.0.0.1", six.getsockname()[1]))
                return six.getsockname()[1]
    raise AssertionError("no free port")


class TlsCluster(Cluster):
    """Its node dials `host`; the certificates are in self.pki."""

    def __init__(self, host="localhost", node_term=(), **sections):
        super().__init__(start=False, **sections)
        self.port = free_port()
        self.pki = self.folder / "pki"
        self.use_tls(host)
        self.jadmin("init", "--name", self.cluster_name)
        self.jadmin("node", *node_term, self.node)

    def use_tls(self, *hosts):
        dialled = ", ".join(f'"{host}:{self.port}"' for host in hosts)
        self.write_config(controller=f'listen = ["127.0.0.1:{self.port}", "[::1]:{self.port}"]\naddresses = [{dialled}]',
                          tls=f'ca = "{self.pki}/ca.crt"')

    def jadmin(self, verb, *words, pki=None, code=0):
        done = self.run("jadmin", "pki", verb, "--dir", pki or self.pki, *words)
        assert done.code == code, done
        return done.out

    def says(self, daemon, text, times=1, seconds=60):
        wait_for(lambda: daemon.log.exists() and daemon.log.read_text(errors="replace").count(text) >= times,
                 lambda: f"{daemon.name} to say: {text}\n{self.tails()}", seconds)

    def node_says(self, text, **how):
        self.says(self.jnoded, text, **how)

    def controller_says(self, text, **how):
        self.says(self.jctld, text, **how)

    def start_daemons(self):
        """Without waiting for the node to be let in."""
        self.jctld.start()
        self.wait_controller()
        self.jnoded.start()

    def refused(self, program="jctld"):
        """What a daemon that cannot start says."""
        done = subprocess.run([self.program(program), "--config", self.config_path], env=self.daemon_environment(), cwd=self.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        assert done.returncode == 1, done
        return done.stdout


class Tls(TestCase):
    def cluster(self, *arguments, **how):
        c = TlsCluster(*arguments, **how)
        self.addCleanup(c.end_everything)
        return c

    def test_jobs_run_over_both_families_and_by_name(self):
        for host, shown in (("127.0.0.1", "127.0.0.1"), ("[::1]", "[::1]"), ("localhost", "")):
            with self.subTest(host), self.cluster(host) as c:
                c.start()
                self.assertRegex(c.jnoded.log.read_text(), rf"connected to the controller, controller controller at {re.escape(shown)}\S*:{c.port} \(TLS\)")
                self.assertEqual(c.run_job(wrap="echo over TLS")["text"], "over TLS\n")

    def test_a_new_cluster_takes_the_uuid_of_its_certificate(self):
        with self.cluster() as c:
            c.start()
            uuid = re.search(r"cluster +\S+, ([0-9a-f-]{36})", c.run("jadmin", "pki", "show", c.pki / "controller.crt").out).group(1)
            self.assertIn(f"UUID {uuid}", c.jctld.log.read_text())
            c.restart_controller()
            c.wait_node()

    def test_a_state_with_another_uuid_is_refused_naming_both(self):
        with self.cluster() as c:
            tls = dict(c.sections)
            c.sections = {}
            c.write_config()
            c.jctld.start()
            c.wait_controller()
            c.jctld.stop()
            c.write_config(**tls)
            said = c.refused()
            uuids = re.search(r"holds the state of the cluster with the UUID ([0-9a-f-]{36}), .*controller.crt is a certificate of that with the UUID "
                              r"([0-9a-f-]{36}); jadmin pki init --uuid \1 makes", said)
            self.assertTrue(uuids, said)
            self.assertNotEqual(uuids.group(1), uuids.group(2))
            # As it says: an authority for the cluster that is there.
            for path in sorted(c.pki.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            c.jadmin("init", "--name", c.cluster_name, "--uuid", uuids.group(1))
            c.jadmin("node", c.node)
            c.start()
            self.assertEqual(c.run_job(wrap="true")["state"], "COMPLETED")

    def test_files_that_are_missing_or_of_another_cluster_are_told_at_the_start(self):
        with self.cluster() as c:
            c.jctld.environment = {}
            (c.pki / "controller.key").chmod(0o644)
            self.assertIn("controller.key can be read by others", c.refused())
            (c.pki / "controller.key").chmod(0o600)
            (c.pki / "nodes" / f"{c.node}.crt").rename(c.folder / "kept.crt")
            self.assertIn(f"controller.addresses needs a certificate: cannot open {c.pki}/nodes/{c.node}.crt: no such file", c.refused("jnoded"))
            (c.folder / "kept.crt").rename(c.pki / "nodes" / f"{c.node}.crt")
            c.write_config(cluster='name = "other"')
            self.assertIn(f'is a certificate of cluster "{c.cluster_name}", and the configuration names "other"', c.refused())
            self.assertIn(f'is a certificate of cluster "{c.cluster_name}", and the configuration names "other"', c.refused("jnoded"))

    def test_a_node_comes_back_with_a_shorter_handshake(self):
        with self.cluster() as c:
            c.start()
            job = c.submit(wrap="while [ ! -e go ]; do sleep 0.1; done")
            c.wait_state(job, "RUNNING")
            for times, how in enumerate((15, 9), 1):
                c.restart_controller(how)
                c.node_says("(TLS, resumed)", times=times)
                c.wait_node()
            c.controller_says("(TLS, resumed)", times=2)
            (c.work() / "go").touch()
            self.assertEqual(c.wait_job(job)["state"], "COMPLETED")

    def test_a_node_whose_certificate_ends_in_mid_run(self):
        # Long enough for the start on a slow machine; the wait below is for the end, whenever that is.
        with self.cluster(node_term=("--not-before", "2020-01-01", "--not-after", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 30)))) as c:
            c.start()
            c.node_says(f"certificate of node {c.node} expires on")
            job = c.submit(wrap="while [ ! -e go ]; do sleep 0.1; done")
            c.wait_state(job, "RUNNING")
            show = lambda: c.run("jadmin", "pki", "show", c.pki / "nodes" / f"{c.node}.crt").err      # noqa: E731
            wait_for(lambda: "expired on" in show(), "the certificate to end", 120)
            # The connection goes on.
            self.assertIn(c.node_state(), ("mixed", "allocated"))
            pid = c.jnoded.process.pid
            c.restart_controller(9)
            c.controller_says(f"certificate of node {c.node} expired on")
            c.node_says(f"the peer refuses the certificate of node {c.node}")
            c.node_says("by its clock it has expired")
            self.assertEqual(c.job(job)["state"], "RUNNING")
            c.jadmin("renew", c.node)
            c.node_says(f"took up a renewed certificate: certificate of node {c.node}")
            c.wait_node()
            self.assertEqual(c.jnoded.process.pid, pid)
            (c.work() / "go").touch()
            self.assertEqual(c.wait_job(job)["state"], "COMPLETED")

    def test_a_controller_whose_certificate_ends_in_mid_run(self):
        with self.cluster() as c:
            c.start()
            c.jadmin("renew", "--not-before", "2020-01-01", "--not-after", "2020-02-01", "controller")
            c.controller_says("took up a renewed certificate: certificate of controller controller, valid until 2020-02-01")
            c.controller_says("certificate of controller controller expired on 2020-02-01")
            # The connection goes on; the next one is refused.
            self.assertEqual(c.run_job(wrap="true")["state"], "COMPLETED")
            c.jnoded.stop()
            c.jnoded.start()
            c.node_says("certificate of controller controller expired on 2020-02-01")
            c.controller_says("the peer refuses the certificate of controller controller")
            c.jadmin("renew", "controller")
            c.wait_node()
            self.assertEqual(c.run_job(wrap="true")["state"], "COMPLETED")

    def test_a_certificate_of_the_future_hints_at_the_clocks(self):
        with self.cluster(node_term=("--not-before", "now+2h")) as c:
            c.start_daemons()
            c.controller_says(f"certificate of node {c.node} is not valid before")
            c.controller_says("are the clocks apart?")
            c.node_says("by its clock it is not valid yet; are the clocks apart?")
            c.jadmin("renew", c.node)
            c.wait_node()

    def test_a_node_of_another_cluster(self):
        with self.cluster() as c:
            other = c.folder / "other"
            c.jadmin("init", "--name", c.cluster_name, pki=other)
            c.jadmin("node", c.node, pki=other)
            c.jctld.start()
            c.wait_controller()
            ours = c.config_path.read_text()
            c.config_path.write_text(ours.replace(str(c.pki), str(other)))
            c.jnoded.start()
            c.node_says(f'certificate of controller controller is of another cluster: of "{c.cluster_name}" with the UUID')
            c.controller_says("the peer refuses the certificate of controller controller")
            c.controller_says("it is of another cluster, or of another authority")
            self.assertNotIn("idle", str(c.node_state()))
            c.jnoded.stop()
            c.config_path.write_text(ours)
            c.jnoded.start()
            c.wait_node()

    def test_names_that_do_not_resolve(self):
        with self.cluster() as c:
            c.use_tls("no-such-host.invalid")
            c.start_daemons()
            c.node_says("the name no-such-host.invalid does not resolve: ")
            c.jnoded.stop()
            c.use_tls("no-such-host.invalid", "localhost")
            c.jnoded.start()
            c.wait_node()

    def test_a_name_that_does_not_resolve_for_a_while(self):
        library = BUILD / "lib" / "libtest_slow_names.so"
        for name in ("later.test", "hanging.test"):
            with self.subTest(name), self.cluster() as c:
                c.use_tls(name)
                gate = c.folder / "gate"
                c.jnoded.environment = {"LD_PRELOAD": str(library), "JARVIS_TEST_GATE": str(gate)}
                if "ASAN_OPTIONS" in os.environ:
                    c.jnoded.environment["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"] + ":verify_asan_link_order=0"
                c.start_daemons()
                c.node_says(f"the name {name} does not resolve: ")
                # A look-up that hangs does not hold up the end.
                c.jnoded.stop()
                c.jnoded.start()
                c.node_says(f"the name {name} does not resolve: ", times=2)
                gate.touch()
                c.wait_node()
                self.assertEqual(c.run_job(wrap="true")["state"], "COMPLETED")

    def test_two_daemons_with_one_name(self):
        with self.cluster() as c:
            c.start()
            (c.folder / "run2").mkdir()
            config = c.folder / "second.toml"
            config.write_text(re.sub(r"(?m)^run_dir = .*$", f'run_dir = "{c.folder}/run2"\ncgroup = "none"', c.config_path.read_text()))
            second = Daemon(c, "jnoded", config=config, log="second")
            second.start()
            try:
                c.says(second, f"node {c.node} is connected already: node {c.node} at ")
                c.says(second, "is another daemon of that name; this one is refused")
                c.controller_says(f"node {c.node} is connected already: ")
                # The first one is as before.
                self.assertEqual(c.run_job(wrap="true")["state"], "COMPLETED")
                self.assertNotIn("replaces the one from", c.jctld.log.read_text())
                # When it is gone the other one is let in.
                c.jnoded.stop()
                c.says(second, "connected to the controller, controller controller at ")
            finally:
                second.stop()
                c.jnoded.start()
            c.wait_node()

    def test_garbage_on_the_port_disturbs_nobody(self):
        with self.cluster() as c:
            c.start()
            idle = [socket.create_connection(("127.0.0.1", c.port)) for _ in range(20)]
            try:
                for garbage in (b"GET / HTTP/1.1\r\n\r\n", bytes(5000), b"\x16\x03\x01\x02\x00" + bytes(512)):
                    with socket.create_connection(("127.0.0.1", c.port), timeout=60) as peer:
                        with contextlib.suppress(ConnectionError):
                            peer.sendall(garbage)
                            while peer.recv(4096):
                                pass
                c.controller_says("connection from 127.0.0.1:")
                self.assertEqual(c.run_job(wrap="true")["state"], "COMPLETED")
                c.restart_controller()
                c.wait_node()
            finally:
                for peer in idle:
                    peer.close()

    def test_peers_that_say_nothing_do_not_keep_a_node_out(self):
        with self.cluster() as c:
            c.start()
            idle = [socket.create_connection(("127.0.0.1", c.port)) for _ in range(300)]    # more than handshakes at once
            try:
                c.jnoded.stop()
                c.jnoded.start()
                c.wait_node()
                self.assertEqual(c.run_job(wrap="true")["state"], "COMPLETED")
                c.controller_says("no TLS handshake within")
            finally:
                for peer in idle:
                    peer.close()

    def test_somebody_without_a_certificate_is_refused(self):
        with self.cluster() as c:
            c.start()
            trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            trusting.check_hostname = False
            trusting.load_verify_locations(c.pki / "ca.crt")
            with socket.create_connection(("127.0.0.1", c.port), timeout=60) as peer, self.assertRaises(ssl.SSLError) as refused:
                with trusting.wrap_socket(peer) as connection:
                    connection.recv(1)
            self.assertIn("CERTIFICATE_REQUIRED", str(refused.exception))
            c.controller_says("peer did not return a certificate")
            # Neither does an older TLS get through.
            trusting.maximum_version = ssl.TLSVersion.TLSv1_2
            with socket.create_connection(("127.0.0.1", c.port), timeout=60) as peer, self.assertRaises(ssl.SSLError) as refused:
                trusting.wrap_socket(peer)
            self.assertIn("PROTOCOL_VERSION", str(refused.exception))


main()
