#!/usr/bin/env python3
"""The accounting history is complete, also when it could not be written for a while and the controller died meanwhile."""
import contextlib
import sqlite3
import unittest

from jarvis_cluster import BUILD, Cluster, TestCase, main, wait_for

VFS = BUILD / "tests" / "failing_vfs.so"


def history(c):
    """Which jobs the history itself holds; jacct would add what the controller still knows."""
    with contextlib.closing(sqlite3.connect(f"file:{c.state_dir}/history.db?mode=ro", uri=True)) as database:
        return {str(job) for (job,) in database.execute("SELECT job FROM jobs")}


@unittest.skipUnless(VFS.exists(), f"there is no {VFS}")
class History(TestCase):
    @staticmethod
    def ended_job(c, command):
        """Asks the queue alone, since jacct needs the history that fails."""
        job = c.submit(wrap=command)
        c.wait_job(job)
        return str(job)

    def test_what_the_controller_knows_is_shown_while_the_history_cannot_be_read(self):
        extra = f'[plugin.storage.sqlite]\nvfs = "failing"\nvfs_module = "{VFS}"\n'
        c = Cluster(start=False, extra=extra, controller='keep_ended = "1h"')
        control = c.folder / "vfs-control"
        c.jctld.environment = {"JARVIS_FAILING_VFS": str(control)}
        self.addCleanup(c.end_everything)
        c.start()
        with c:
            ended = c.run_job(wrap="exit 3")["id"]
            held = c.submit("-H", wrap="true")
            nobody = str(int(held) + 1000)
            self.assertSays(c.run("jacct", "-j", nobody), 3, "no such job", nobody)
            # What the storage has in memory of the history is older than this, so that it must read.
            newer = self.ended_job(c, "true")
            wait_for(lambda: newer in history(c), "the history of the newer job")
            control.write_text("eio only=history.db\n")
            both = c.run("jacct", "-j", f"{ended},{held}", "--format", "id,state")
            self.assertSays(both, 0, "history cannot be read", "i/o")
            self.assertEqual(both.out.split()[2:], [ended, "FAILED", held, "PENDING"])
            self.assertEqual({j["id"] for j in c.json("jacct", "--json")["jobs"]}, {ended, held, newer})
            self.assertTrue(c.json("jacct", "--json")["history_missing"])
            # An id that may be in the history alone: nobody can say that there is no such job.
            some = c.run("jacct", "-j", f"{ended},{nobody}", "--format", "id")
            self.assertSays(some, 4, "history cannot be read", nobody)
            self.assertEqual(some.out.split()[1:], [ended])
            control.write_text("ok\n")
            wait_for(lambda: c.run("jacct", "-j", nobody).code == 3, "the history to be read again")
            answer = c.json("jacct", "-j", ended, "--json")
            self.assertNotIn("history_missing", answer)

    def test_it_catches_up_from_behind_a_snapshot(self):
        c = Cluster(start=False, extra=f'[plugin.storage.sqlite]\nvfs = "failing"\nvfs_module = "{VFS}"\n')
        control = c.folder / "vfs-control"
        c.jctld.environment = {"JARVIS_FAILING_VFS": str(control)}
        self.addCleanup(c.end_everything)
        c.start()
        with c:
            first = c.run_job(wrap="true")["id"]
            wait_for(lambda: first in history(c), "the history of the first job")
            control.write_text("eio only=history.db\n")
            second = self.ended_job(c, "exit 3")
            snapshot = c.run("jadmin", "snapshot")
            self.assertEqual(snapshot.code, 0, snapshot)
            third = self.ended_job(c, "true")
            c.jctld.kill()
            control.write_text("ok\n")
            c.jctld.start()
            c.wait_controller()
            wait_for(lambda: history(c) == {first, second, third}, "the history of all three")
            # Now it has caught up, and a later snapshot lets the older ones and their journal go.
            old = {path.name for path in (c.state_dir / "snapshots").iterdir()}

            def old_ones_are_gone():
                self.assertEqual(c.run("jadmin", "snapshot").code, 0)
                return not old & {path.name for path in (c.state_dir / "snapshots").iterdir()}
            wait_for(old_ones_are_gone, "older snapshots to go")
            c.restart_controller()
            self.assertEqual(c.history(second)["exit_code"], 3)
            self.assertEqual(history(c), {first, second, third})


main()
