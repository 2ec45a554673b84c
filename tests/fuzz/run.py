"""Runs fuzz targets under libFuzzer, several at a time, and prints one table: target, executions,
coverage, findings.

    run.py RESULTS BINARY... [--seconds 60] [--jobs 2] [--seed N] [--minimise]

Each target begins with its corpus, tests/fuzz/corpus/TARGET. With a seed a run starts from that
alone and so repeats itself as far as the clock lets it; without one it is a random run, and goes
on from what earlier ones found (the folder `found` beside the binaries). RESULTS gets a result for
each target, the table as table.tsv, each target's log, and the inputs of findings. Exit status 1
when there is any, or when a bug that some targets plant on purpose (FUZZ_PLANT) is not found.

With --minimise nothing is fuzzed: each corpus becomes a few dozen inputs that reach most of what it
and the found inputs reach; files with a name of their own stay.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
INPUT_SECONDS_MAX = 10  # for one input: parsers need microseconds
MEMORY_MIB_MAX = 1024
INPUT_BYTES_MAX = 4096
NAMED_BY_HASH = re.compile("[0-9a-f]{40}")  # as libFuzzer names inputs
CORPUS_FILES_MAX = 60  # of such
PLANTED = ("guard", "record", "token", "url")  # targets that have a bug when asked to
PLANT_SECONDS_MAX = 150  # ten times what the slowest takes
COLUMNS = ("target", "executions", "edges", "inputs", "findings", "planted", "seconds")


@dataclass
class Outcome:
    target: str
    executions: int
    edges: int
    inputs: int
    findings: int
    planted: str  # of the bugs planted in it, how many were found
    seconds: int
    log: Path

    def row(self):
        return [str(getattr(self, column)) for column in COLUMNS]


def name_of(binary):
    return binary.name.removesuffix("_fuzz")


def corpus_of(binary):
    return HERE / "corpus" / name_of(binary)


def found_of(binary):
    return binary.parent / "found" / name_of(binary)


def environment():
    return os.environ | {"UBSAN_OPTIONS": "print_stacktrace=1", "ASAN_OPTIONS": "allocator_may_return_null=1"}


def limits(binary):
    words = [f"-timeout={INPUT_SECONDS_MAX}", f"-rss_limit_mb={MEMORY_MIB_MAX}", f"-max_len={INPUT_BYTES_MAX}"]
    dictionary = HERE / "dict" / name_of(binary)
    return words + ([f"-dict={dictionary}"] if dictionary.exists() else [])


def last_number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def find_planted(binary, options):
    if name_of(binary) not in PLANTED:
        return "-"
    with tempfile.TemporaryDirectory() as work:
        words = [binary, f"-max_total_time={PLANT_SECONDS_MAX}", f"-seed={options.seed or 1}",
                 f"-artifact_prefix={work}/", *limits(binary), work, corpus_of(binary)]
        found = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True,
                               env=environment() | {"FUZZ_PLANT": "1"})
    return "1 of 1" if b"does not hold" in found.stderr else "0 of 1"


def fuzz(binary, options):
    name, log = name_of(binary), options.results / f"{name_of(binary)}.log"
    artifacts = options.results / f"{name}-"
    work = Path(tempfile.mkdtemp()) if options.seed else found_of(binary)
    work.mkdir(parents=True, exist_ok=True)
    words = [binary, f"-max_total_time={options.seconds}", f"-seed={options.seed}", "-print_final_stats=1",
             f"-artifact_prefix={artifacts}", *limits(binary), work, corpus_of(binary)]
    with log.open("w") as out:
        status = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment()).returncode
    if options.seed:
        shutil.rmtree(work)
    text = log.read_text(errors="replace")
    findings = len(list(options.results.glob(f"{name}-*-*"))) or (1 if status else 0)
    return Outcome(name, last_number(r"number_of_executed_units: (\d+)", text) or last_number(r"#(\d+)", text),
                   last_number(r"cov: (\d+)", text), len(list(corpus_of(binary).iterdir())), findings,
                   find_planted(binary, options), last_number(r"in (\d+) second", text), log)


def report(outcome, results):
    blind = outcome.planted.startswith("0")
    state = "not ok" if outcome.findings or blind or not outcome.executions else "ok"
    (results / f"{outcome.target}.tap").write_text(f"{state} - fuzzing {outcome.target}\n")
    if state == "ok":
        return True
    if blind:
        print(f"{outcome.target}: the planted bug was not found")
    print("".join(outcome.log.read_text(errors="replace").splitlines(keepends=True)[-60:]))
    for path in results.glob(f"{outcome.target}-*-*"):
        print(f"{outcome.target}: {path}; once mended it belongs into {HERE / 'corpus' / outcome.target} as found-…")
    return False


def print_table(outcomes, path):
    rows = [COLUMNS, *(outcome.row() for outcome in outcomes)]
    path.write_text("".join("\t".join(row) + "\n" for row in rows))
    for target, *figures in rows:
        print(f"{target:<14}" + "".join(f"{figure:>12}" for figure in figures))


def run(options):
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        outcomes = list(pool.map(lambda binary: fuzz(binary, options), options.binaries))
    good = [report(outcome, options.results) for outcome in outcomes]
    print_table(outcomes, options.results / "table.tsv")
    return all(good)


def minimise(binary):
    corpus, found = corpus_of(binary), found_of(binary)
    found.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        small = Path(directory)
        words = [binary, "-set_cover_merge=1", "-use_counters=0", *limits(binary), small, corpus, found]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
        for path in corpus.iterdir():
            if NAMED_BY_HASH.fullmatch(path.name):
                path.unlink()
        # libFuzzer writes first what adds most
        for path in sorted(small.iterdir(), key=lambda path: path.stat().st_mtime_ns)[:CORPUS_FILES_MAX]:
            shutil.copy(path, corpus / path.name)
    print(f"{name_of(binary)}: {len(list(corpus.iterdir()))} inputs")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("binaries", type=Path, nargs="+")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minimise", action="store_true")
    options = parser.parse_args()
    options.binaries = [binary.resolve() for binary in options.binaries]
    if options.minimise:
        for binary in options.binaries:
            minimise(binary)
        return 0
    options.results.mkdir(parents=True, exist_ok=True)
    return 0 if run(options) else 1


if __name__ == "__main__":
    sys.exit(main())
