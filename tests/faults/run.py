"""`make faults`: every experiment, and one table: experiment, trials, failures.

    run.py RESULTS [--quick] [--only NAME]... [--timed | --untimed] [--seed N]

Each experiment also finds bugs that were planted, or fails: it can see what it looks for. RESULTS gets
one result for each experiment. Exit status 1 when anything failed. --timed runs those that need the machine
for themselves, because they judge times; --untimed the others.

Without --seed (or FAULTS_SEED in the environment), a full run draws one and prints it; a quick one always
has the same, so that what it finds is what a change did.
"""

import argparse
import importlib
import os
import random
import sys
import time
from pathlib import Path

QUICK_SEED = 1
EXPERIMENTS = ("power", "disk", "rot", "memory", "points", "kill", "overload", "slow", "soak", "fuzz")
TIMED = ("overload", "slow", "soak")  # the verdict hangs on how long something takes
UNTIMED = tuple(name for name in EXPERIMENTS if name not in TIMED)


def print_table(rows):
    head = ("experiment", "trials", "failures", "planted bugs found", "seconds")
    lines = [head]
    for row, seconds in rows:
        found = sum(found for _, found in row.planted)
        lines.append((row.experiment, row.trials, row.failures, f"{found} of {len(row.planted)}", f"{seconds:.0f}"))
    for name, trials, failures, planted, seconds in lines:
        print(f"{name:<34} {trials:>8} {failures:>9} {planted:>19} {seconds:>8}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--quick", action="store_true")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--only", action="append", choices=EXPERIMENTS)
    chosen.add_argument("--timed", action="store_const", dest="only", const=TIMED)
    chosen.add_argument("--untimed", action="store_const", dest="only", const=UNTIMED)
    parser.add_argument("--seed", type=int, default=os.environ.get("FAULTS_SEED"))
    options = parser.parse_args()
    seed = options.seed
    if seed is None:
        seed = QUICK_SEED if options.quick else random.randrange(2**32)
    print(f"seed {seed}", flush=True)
    options.results.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in options.only or EXPERIMENTS:
        begun = time.monotonic()
        for row in importlib.import_module(name).experiment(options.quick, seed):
            rows.append((row, time.monotonic() - begun))
            begun = time.monotonic()
            for finding in row.findings[:20]:
                print(finding, flush=True)
            state = "not ok" if row.failures else "ok"
            (options.results / f"{row.experiment.replace(' ', '-')}.tap").write_text(f"{state} - {row.experiment}\n")
    print_table(rows)
    return any(row.failures for row, _ in rows)


if __name__ == "__main__":
    sys.exit(main())
