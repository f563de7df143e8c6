#!/usr/bin/env python3
"""A node that comes back with a new boot id: its jobs are requeued where they may be, and NODE_FAIL where not."""
import os
import shutil
import signal

from jarvis_cluster import Cluster, TestCase, main, wait_for

BOOTS = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(1, 6)]


class Requeue(TestCase):
    def reboot(self, c, number):
        """As a reboot does: every process of the node is gone and /tmp is empty, then the daemon starts with another boot id."""
        c.jnoded.kill()
        for pid in [*c.shepherd_pids(), *c.job_processes()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_for(lambda: not c.shepherd_pids() and not c.job_processes(), "the node's processes to be gone")
        c.remove_cgroups()
        for folder in c.tmp_dir.iterdir():
            shutil.rmtree(folder)
        c.set_boot_id(BOOTS[number])
        c.jnoded.start()
        c.wait_node()

    def test_new_boot_id_gives_the_job_back_as_the_next_incarnation(self):
        with Cluster() as c:
            job = c.submit("--requeue", wrap='echo "run $JARVIS_RESTART_COUNT"; [ $JARVIS_RESTART_COUNT = 2 ] || sleep 1000')
            lost = c.submit("--no-requeue", wrap="echo once; sleep 1000")
            for count in (0, 1):
                c.wait_state(job, "RUNNING")
                wait_for(lambda: f"run {count}\n" in c.output(job), f"run {count}")
                if count == 0:
                    c.wait_state(lost, "RUNNING")
                    wait_for(lambda: c.output(lost) == "once\n", "the other job")
                self.reboot(c, count + 1)
            self.assertEqual(c.wait_job(job)["state"], "COMPLETED")
            # Truncated at the first start, appended after a requeue.
            self.assertEqual(c.output(job), "run 0\nrun 1\nrun 2\n")
            self.assertEqual(c.wait_job(lost)["state"], "NODE_FAIL")
            self.assertEqual(c.history(lost)["class"], "node")
            self.assertEqual(c.output(lost), "once\n")

    def test_same_boot_id_keeps_the_job(self):
        with Cluster() as c:
            job = c.submit("--requeue", wrap='sleep 2; echo "run $JARVIS_RESTART_COUNT"')
            c.wait_state(job, "RUNNING")
            c.jnoded.kill()
            c.jnoded.start()
            c.wait_node()
            self.assertEqual(c.wait_job(job)["state"], "COMPLETED")
            self.assertEqual(c.output(job), "run 0\n")


main()
