#!/usr/bin/env python3
"""jadmin pki: certificates are made, renewed and shown; what is wrong is said with the right exit code."""
import json
import os
import re
import shutil
import stat
import subprocess

from commands_under_test import Commands, main


class Pki(Commands):
    def pki(self, *words, code=0):
        got = self.run_command("jadmin", "pki", *words)
        self.assertEqual(got[0], code, got)
        return got[1], got[2]

    def made(self, *nodes):
        out, _ = self.pki("init", "--dir", "pki", "--name", "hpc")
        if nodes:
            self.pki("node", "--dir", "pki", *nodes)
        return out

    def fails(self, said, *words, code=1):
        out, err = self.pki(*words, code=code)
        self.assertEqual(out, "")
        self.assertIn(said, err)

    def test_a_cluster_from_nothing(self):
        out = self.made("n[1-2],login1")
        uuid = re.search(r"The cluster is \"hpc\" with the UUID ([0-9a-f-]{36})\.", out).group(1)
        found = sorted(str(p.relative_to(self.folder)) for p in (self.folder / "pki").rglob("*") if p.is_file())
        self.assertEqual(found, [f"pki/{n}" for n in ("ca.crt", "ca.key", "controller.crt", "controller.key", "nodes/login1.crt",
                                                      "nodes/login1.key", "nodes/n1.crt", "nodes/n1.key", "nodes/n2.crt", "nodes/n2.key")])
        for key in (self.folder / "pki").rglob("*.key"):
            self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600, key)
        out, err = self.pki("show", "--dir", "pki", "--json")
        self.assertEqual(err, "")
        shown = json.loads(out)
        self.assertEqual(shown["schema"], "jarvis.pki/1")
        self.assertEqual([(c["role"], c["name"]) for c in shown["certificates"]],
                         [("authority", "hpc"), ("controller", "controller"), ("node", "login1"), ("node", "n1"), ("node", "n2")])
        self.assertEqual({(c["cluster_name"], c["cluster_uuid"], c["trouble"]) for c in shown["certificates"]}, {("hpc", uuid, None)})

    def test_openssl_agrees(self):
        if not shutil.which("openssl"):
            self.skipTest("no openssl command")
        self.made("n1")
        subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", "pki/ca.crt", "pki/nodes/n1.crt", "pki/controller.crt"],
                       cwd=self.folder, check=True, stdout=subprocess.DEVNULL)
        text = subprocess.run(["openssl", "x509", "-in", "pki/nodes/n1.crt", "-noout", "-text"], cwd=self.folder, check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        self.assertRegex(text, r"URI:jarvis://[0-9a-f-]{36}/node/n1\b")

    def test_show(self):
        self.made("n1")
        out, err = self.pki("show", "pki/nodes/n1.crt")
        self.assertEqual(err, "")
        for pattern in (r"role +node", r"name +n1", r"cluster +hpc, [0-9a-f-]{36}", r"valid +\d{4}-\S+ to \d{4}-\S+", r"fingerprint +([0-9a-f]{2}:){31}"):
            self.assertRegex(out, pattern)

    def test_ends_are_warned_of(self):
        self.made()
        self.pki("node", "--dir", "pki", "--days", "20", "soon")
        out, err = self.pki("show", "--dir", "pki", code=1)
        self.assertIn("certificate of node soon expires on", err)
        self.assertRegex(err, r"in (19|20) days")
        self.assertNotIn("controller", err)
        self.pki("renew", "--dir", "pki", "soon")
        self.pki("show", "--dir", "pki")
        self.pki("node", "--dir", "pki", "--not-before", "2020-01-01", "--not-after", "2020-02-01", "past")
        self.assertIn("certificate of node past expired on 2020-02-01", self.pki("show", "pki/nodes/past.crt", code=1)[1])
        self.pki("node", "--dir", "pki", "--not-before", "now+2h", "future")
        self.assertIn("are the clocks apart?", self.pki("show", "pki/nodes/future.crt", code=1)[1])

    def test_renewing_keeps_the_key(self):
        self.made("n1", "n2")
        folder = self.folder / "pki" / "nodes"
        before = {p.name: p.read_bytes() for p in folder.iterdir()}
        self.pki("renew", "--dir", "pki", "n1")
        after = {p.name: p.read_bytes() for p in folder.iterdir()}
        self.assertEqual({n for n in before if before[n] != after.get(n)}, {"n1.crt"})
        self.assertEqual(set(before), set(after))
        out, _ = self.pki("renew", "--dir", "pki")
        self.assertEqual(len(out.splitlines()), 3)

    def test_what_is_there_stays(self):
        self.made("n1")
        self.fails("there is a certificate authority in pki already", "init", "--dir", "pki")
        self.fails("there is a certificate of n1 in pki already", "node", "--dir", "pki", "n[1-3]")
        self.assertFalse((self.folder / "pki/nodes/n2.key").exists())

    def test_what_is_missing_is_named(self):
        self.fails("there is no certificate authority in nowhere; make one with jadmin pki init", "node", "--dir", "nowhere", "n1")
        self.fails("there is no certificate in nowhere", "show", "--dir", "nowhere")
        self.fails("cannot open nowhere.crt: no such file or directory", "show", "nowhere.crt")
        self.made()
        self.fails("cannot renew n7: cannot open pki/nodes/n7.crt", "renew", "--dir", "pki", "n7")

    def test_unreadable_files(self):
        self.made()
        key = self.folder / "pki/ca.key"
        key.chmod(0o644)
        self.fails("pki/ca.key can be read by others (mode 0644); chmod 600 it", "node", "--dir", "pki", "n1")
        key.chmod(0o600)
        self.write("pki/ca.crt", "nothing of use")
        self.fails("pki/ca.crt holds no certificate", "node", "--dir", "pki", "n1")
        if os.geteuid() != 0:
            key.chmod(0)
            self.fails("ca.key: permission denied", "renew", "--dir", "pki", "ca")
        self.write("file", "")
        self.fails("cannot", "init", "--dir", "file/pki")

    def test_an_expired_authority(self):
        self.pki("init", "--dir", "pki", "--not-before", "2020-01-01", "--not-after", "2020-02-01")
        self.fails("expired on 2020-02-01", "node", "--dir", "pki", "n1")
        self.pki("renew", "--dir", "pki", "ca", "controller")
        self.pki("node", "--dir", "pki", "n1")
        self.pki("show", "--dir", "pki")

    def test_wrong_usage(self):
        wrong = lambda said, *words: self.fails(said, *words, code=2)
        wrong("what to do with the certificates?")
        wrong("unknown action \"pki nodes\"; did you mean \"node\"?", "nodes")
        wrong("which nodes?", "node")
        wrong("n[1-", "node", "n[1-")
        wrong("--days: \"many\" is no number of days", "node", "--days", "many", "n1")
        wrong("--days or --not-after, not both", "node", "--days", "1", "--not-after", "now+1h", "n1")
        wrong("--not-after", "node", "--not-after", "once", "n1")
        wrong("--name: \"a b\" is no name of a cluster", "init", "--name", "a b")
        wrong("--uuid", "init", "--uuid", "7")
        wrong("--name is not for pki node", "node", "--name", "x", "n1")
        wrong("--json is not for pki init", "init", "--json")
        wrong("pki init takes no names", "init", "n1")
        self.assertIn("--dir is for jadmin pki", self.run_command("jadmin", "ping", "--dir", "x")[2])


main()
