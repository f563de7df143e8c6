#!/usr/bin/env python3
"""The crash campaign: four clients submit without a pause, a fault strikes, its cause ends, and at last the books balance.

    campaign.py [--rounds N] [--fault NAME]... [--json FILE] [--list]
    campaign.py --peer slurm [--rounds N]

A round is: clients submit; at a random moment the fault strikes and lasts for a random time; its cause ends; then the
cluster has to take a job on every node without anybody touching it ("healed"). After all rounds of a fault every
acknowledged job is known, ended once, as its script said, with its whole output, and nothing is left over. A table of
faults, rounds and losses is printed; the exit code is 1 if anything was lost, doubled, wrong, left, or did not heal.

--peer slurm does the rounds of jctld-killed to Debian's Slurm instead (slurmctld killed, sbatch as the client).
JARVIS_TEST_SEED repeats a run, as far as processes can be repeated.
"""
import argparse
import dataclasses
import json
import pathlib
import random
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
# pylint: disable=wrong-import-position
import faults
import peer_slurm
from jarvis_books import KINDS, Books, Loss
from jarvis_cluster import BUILD, Failure, seed_of_run, wait_for
from jarvis_network import Network, why_no_namespaces

CLIENTS = 4
HEAL_SECONDS = 90


@dataclasses.dataclass
class Row:
    """A line of the table: what the rounds of one fault came to."""
    fault: str
    what: str
    rounds: int = 0
    acknowledged: int = 0
    unknown: int = 0
    excused: int = 0
    healed: int = 0
    losses: list = dataclasses.field(default_factory=list)

    def count(self, kind):
        return sum(loss.kind == kind for loss in self.losses)

    def good(self):
        return not self.losses and self.healed == self.rounds


def one_round(c, fault, books, chance):
    """Whether the cluster was well again by itself."""
    with books.streams(CLIENTS):
        time.sleep(chance.uniform(0.1, 0.8))
        fault.strike()
        time.sleep(chance.uniform(*fault.seconds))
        fault.heal()
        time.sleep(0.2)
    try:
        wait_for(lambda: works(c), lambda: f"the cluster to be well after {fault.__doc__}\n{c.tails()}", HEAL_SECONDS)
    except (Failure, subprocess.TimeoutExpired) as failure:
        print(failure, file=sys.stderr, flush=True)
        for daemon in (c.jctld, *c.nodes):      # the person
            daemon.kill()
            daemon.start()
        return False
    return True


def works(c):
    """A job on every node is taken, and runs to its end."""
    result = c.run("jsub", "-N", faults.NODES, "-c", "1", "-o", "/dev/null", "--wrap", "true")
    return result.code == 0 and c.wait_job(result.out.strip(), HEAL_SECONDS)["state"] == "COMPLETED"


def run_fault(name, rounds, seed):
    kind = faults.ALL[name]
    row = Row(name, kind.__doc__)
    chance = random.Random(f"{seed}-{name}")
    c = Network(**faults.network_settings(kind))
    fault = faults.make(name, c, chance.random())
    try:
        fault.prepare()
        with c:
            c.start()
            books = Books(c, chance.random(), kind.excuses)
            for _ in range(rounds):
                row.healed += one_round(c, fault, books, chance)
                row.rounds += 1
            row.acknowledged, row.unknown = len(books.entries), len(books.unknown)
            books.wait_quiet()
            row.losses = books.losses() + [Loss("wrong", problem) for problem in fault.check()]
            row.excused = books.excused
            if row.losses:
                c.report()
    except (Failure, subprocess.TimeoutExpired) as failure:
        row.losses.append(Loss("wrong", str(failure)))
    finally:
        fault.close()
        c.end_everything()
    return row


def print_table(rows):
    head = ("fault", "rounds", "healed", "jobs", "unknown", "excused", *KINDS, "what")
    lines = [head] + [(r.fault, r.rounds, r.healed, r.acknowledged, r.unknown, r.excused, *map(r.count, KINDS), r.what) for r in rows]
    widths = [max(len(str(line[i])) for line in lines) for i in range(len(head))]
    for line in lines:
        cells = [str(cell).ljust(w) if i in (0, len(head) - 1) else str(cell).rjust(w) for i, (cell, w) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())
    rounds, healed = sum(r.rounds for r in rows), sum(r.healed for r in rows)
    print(f"{rounds} faults, {healed} healed without a person ({100 * healed / max(1, rounds):.1f} %); "
          f"{sum(r.acknowledged for r in rows)} acknowledged jobs, {sum(len(r.losses) for r in rows)} losses", flush=True)


def campaign(options, seed):
    rows = []
    for name in options.fault or faults.ALL:
        why = faults.ALL[name].missing()
        if why:
            print(f"{name}: left out, {why}", flush=True)
            continue
        start = time.monotonic()
        row = run_fault(name, options.rounds, seed)
        print(f"{name}: {row.rounds} rounds, {row.acknowledged} jobs, {time.monotonic() - start:.0f} s", flush=True)
        for loss in row.losses[:20]:
            print(f"  {loss.kind}: {loss.text}", flush=True)
        rows.append(row)
    return rows


def slurm_campaign(options, seed):
    why = peer_slurm.why_no_slurm()
    if why:
        print(f"skipped: {why}")
        sys.exit(77)
    row = Row("slurmctld-killed", "Slurm's controller: kill -9")
    return [peer_slurm.run(row, options.rounds, seed, CLIENTS)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fault", action="append", choices=sorted(faults.ALL), metavar="NAME")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--peer", choices=["slurm"])
    parser.add_argument("--list", action="store_true", help="the faults, and what each is")
    options = parser.parse_args()
    if options.list:
        for name, kind in faults.ALL.items():
            print(f"{name:20} {kind.__doc__}")
        return 0
    if options.peer:
        rows = slurm_campaign(options, seed_of_run())
    elif not (BUILD / "bin" / "jctld").exists():
        print(f"there is no {BUILD}/bin/jctld: build first", file=sys.stderr)
        return 1
    elif why_no_namespaces():
        print(f"skipped: {why_no_namespaces()}")
        return 77
    else:
        rows = campaign(options, seed_of_run())
    print()
    print_table(rows)
    if options.json:
        options.json.write_text(json.dumps([dataclasses.asdict(row) for row in rows], indent=1) + "\n")
    return 0 if rows and all(row.good() for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
