"""Fuzzing: `make fuzz`, as rows of this table. A quick run leaves it out: it is a step of its own."""

import csv
import subprocess

from faults import Row
from surehook import ROOT

TABLE = ROOT / "build/fuzz/results/fuzz/table.tsv"


def experiment(quick, seed):
    if quick:
        return
    TABLE.unlink(missing_ok=True)
    made = subprocess.run(["make", "-C", ROOT, "fuzz", f"FUZZ_SEED={seed}", "FUZZ_JOBS=4"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if not TABLE.exists():
        row = Row("fuzzing")
        row.check("SKIPPED" in made.stdout, made.stdout[-2000:])
        print("fuzzing: skipped, there is no clang here")
        yield row
        return
    for target in csv.DictReader(TABLE.open(), delimiter="\t"):
        row = Row(f"fuzzing: {target['target']}", int(target["executions"]), int(target["findings"]))
        if target["planted"] != "-":
            row.plant(target["target"], target["planted"] == "1 of 1")
        row.findings += [line for line in made.stdout.splitlines() if line.startswith(f"{target['target']}: ")]
        yield row
