"""g: what a job costs the controller: CPU of its threads, messages of nodes and clients, appends to the journal."""
import time

from measure import Watch

# The metrics that count, by what they are called here.
COUNTED = {
    "messages from nodes": 'jarvis_node_messages_total{direction="received"}',
    "messages to nodes": 'jarvis_node_messages_total{direction="sent"}',
    "requests of clients": 'jarvis_requests_total{kind="submit"}',
    "events": "jarvis_events_total",
    "appends to the journal": "jarvis_journal_appends_total",
}
# An order, that it is taken, the end, and that this is known.
LEAST_MESSAGES = 4


def run_jobs(b, system, count):
    before, ended = system.metrics(), system.ended()
    watch = Watch(system)
    system.submit(count, 8, 8)
    system.wait_ended(ended + count)
    watch.done()
    time.sleep(0.2)                     # what nodes are told behind the end
    after = system.metrics()
    return watch, {name: (after[metric] - before[metric]) / count for name, metric in COUNTED.items()}


def run(b):
    count = b.count(20000, 200)
    with b.system(cores=64) as system:
        watch, counts = run_jobs(b, system, count)
        cpu = sum(watch.used.values()) / count * 1e3
        by_thread = ", ".join(f"{name.split(' ')[0]} {seconds / count * 1e3:.3f}" for name, seconds in watch.used.items() if seconds > 0)
        all_cpu = watch.shares["machine"] * b.cpus * watch.seconds / count * 1e3
        b.row("CPU of the controller for a job", max(cpu, 0.001), "ms", f"the machine's for it: {all_cpu:.2f} ms",
              f"{cpu / all_cpu:.0%} of the machine's work", f"ms by thread: {by_thread}", limit=all_cpu)
        messages = counts["messages from nodes"] + counts["messages to nodes"]
        b.row("messages of nodes for a job", messages, "", f"start, taken, end, known: {LEAST_MESSAGES}", "some are put together",
              ", ".join(f"{name} {value:.2f}" for name, value in counts.items()), limit=LEAST_MESSAGES)
        system.account()
