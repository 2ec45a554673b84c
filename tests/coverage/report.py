"""What the tests reached, by folder, and whether that is enough.

    report.py BUILD

BUILD is the folder of `make MODE=coverage`. Sums the counters of every object of the program over all
runs, writes BUILD/coverage.txt (each file, each line that was not reached) and prints a table. Exit status
1 below the floor: LINES_MIN of the lines of the program, and in store/ every line and every branch of a
condition on an error, but for what exceptions.txt names. What it names without need is printed.

Asserts do not count: their other branch is a bug, and no test can take it.
"""

import collections
import gzip
import json
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from reasons import Reasons  # noqa: E402

FOLDERS = ("base", "store", "dispatcher", "http", "ingest", "admin", "cli")
LINES_MIN = 90.0
STRICT = "store/"
EXCEPTIONS = pathlib.Path(__file__).with_name("exceptions.txt")

# An operand that asks for nothing but an error: a result, a sticky failure, a call that returned -1. (That
# of snprintf, which cannot fail with our formats, is called `len`.)
ON_ERROR = re.compile(r"!?\(*(?:(e|err|rc)(?: [!=]= (?:ERR|MDB)_\w+)?|.*failed|(?!.*len < 0).* < 0)\)*")
CONDITION = re.compile(r"\b(?:if|while) \((.*)|\bfor \([^;]*;([^;]*);|(?:return|=) (.*?) \?|^(.*)$")


class Line:
    def __init__(self):
        self.count = 0
        self.branches = collections.Counter()
        self.branch_number = 0
        self.function = ""


def gcov(build, objects):
    """Yields what gcov says of each object; in one folder per call, since it names its files itself."""
    with tempfile.TemporaryDirectory() as scratch:
        if not objects:
            return
        command = ["gcov", "--json-format", "--branch-probabilities", *map(str, objects)]
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
        for line in done.stderr.splitlines():
            if "mismatch" in line:  # of a program that was built anew meanwhile
                print(f"gcov: {line}")
        for path in sorted(pathlib.Path(scratch).glob("*.json.gz")):
            with gzip.open(path, "rt") as packed:
                yield json.load(packed)


def add(lines, counted, source):
    for said in counted["lines"]:
        text = source[said["line_number"] - 1]
        if re.match(r"\s*assert\(", text):
            continue
        line = lines[said["line_number"]]
        line.count += said["count"]
        line.function = said.get("function_name", "")
        for i, branch in enumerate(said["branches"]):
            line.branches[i] += branch["count"]
        line.branch_number = max(line.branch_number, len(said["branches"]))


def collect(build):
    """{path: {number: Line}} of every source of the program, and the sources."""
    files, sources = collections.defaultdict(lambda: collections.defaultdict(Line)), {}
    for folder in FOLDERS:
        objects = sorted((build / "obj" / folder).glob("*.gcno"))
        for answer in gcov(build, [o.resolve() for o in objects]):
            for counted in answer["files"]:
                path = pathlib.Path(counted["file"])
                if path.is_absolute() or path.parts[0] not in FOLDERS:
                    continue
                name = str(path)
                if name not in sources:
                    sources[name] = path.read_text().splitlines()
                add(files[name], counted, sources[name])
    return files, sources


def statement(source, number):
    return source[number - 1].strip()


def operands(text):
    """The operands of the condition in this line, as far as the line goes."""
    condition = next(part for part in CONDITION.search(text).groups() if part is not None)
    return [operand.strip(" {") for operand in re.split(r"&&|\|\|", condition)]


def untaken(text, line):
    """Whether an operand that asks for an error always said the same. Each has two branches, in its order;
    where a line has others as well, only the first operand's are known."""
    asked = [operand for operand in operands(text) if operand]
    if 2 * len(asked) != line.branch_number:
        asked = asked[:1]
    pairs = ((line.branches[2 * i], line.branches[2 * i + 1]) for i in range(len(asked)))
    return any(ON_ERROR.fullmatch(o) and (0 in pair) and any(pair) for o, pair in zip(asked, pairs))


def findings(lines, source):
    """(number, what) of the lines and error branches of a strict file that no test reached."""
    for number, line in sorted(lines.items()):
        text = statement(source, number)
        if not line.count:
            yield number, f"never run: {text}"
        elif line.branch_number and untaken(text, line):
            yield number, f"always says the same: {text}"


def judge(files, sources):
    """The breaches of the strict folder, and what is excepted without need."""
    reasons = Reasons(EXCEPTIONS)
    breaches = []
    for path in sorted(files):
        if not path.startswith(STRICT):
            continue
        for number, what in findings(files[path], sources[path]):
            key = f"{files[path][number].function}: {statement(sources[path], number)}"
            if not reasons.excuse(path, key):
                breaches.append(f"{path}:{number}: {what}")
    for entry in reasons.needless():  # not a breach: what two threads do decides about some
        print(f"{EXCEPTIONS.name}: reached: {entry}")
    return breaches


def open_exceptions():
    return sum("  # open" in line for line in EXCEPTIONS.read_text().splitlines())


def share(lines):
    reached = sum(1 for line in lines if line.count)
    return reached, len(lines)


def table(files):
    rows = []
    for folder in FOLDERS:
        lines = [line for path in files if path.startswith(folder + "/") for line in files[path].values()]
        branches = [count for line in lines for count in (line.branches[i] for i in range(line.branch_number))]
        rows.append((folder, *share(lines), sum(map(bool, branches)), len(branches)))
    rows.append(("all", *(sum(column) for column in list(zip(*rows))[1:])))
    return rows


def percent(part, whole):
    return f"{100 * part / whole:.1f}%" if whole else "-"


def print_table(rows):
    print(f"{'folder':<12} {'lines':>7} {'reached':>9} {'branches':>9} {'taken':>8}")
    for folder, reached, lines, taken, branches in rows:
        print(f"{folder:<12} {lines:>7} {percent(reached, lines):>9} {branches:>9} {percent(taken, branches):>8}")


def write_details(build, files, sources):
    with open(build / "coverage.txt", "w") as out:
        for path in sorted(files):
            reached, all_lines = share(files[path].values())
            out.write(f"{path}: {percent(reached, all_lines)} of {all_lines} lines\n")
            for number, line in sorted(files[path].items()):
                if not line.count:
                    out.write(f"  {number}: {sources[path][number - 1].strip()}\n")


def main():
    build = pathlib.Path(sys.argv[1])
    files, sources = collect(build)
    write_details(build, files, sources)
    rows = table(files)
    breaches = judge(files, sources)
    for breach in breaches:
        print(breach)
    print_table(rows)
    print(f"{open_exceptions()} lines and error branches of {STRICT} are listed as open in {EXCEPTIONS.name}")
    reached = 100 * rows[-1][1] / rows[-1][2]
    if reached < LINES_MIN:
        print(f"coverage: {reached:.1f}% of the lines, at least {LINES_MIN:.0f}% are wanted")
    return bool(breaches) or reached < LINES_MIN


if __name__ == "__main__":
    sys.exit(main())
