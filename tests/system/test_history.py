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
