"""House rules that no compiler checks: who may include what, and how long things may be.

    structure.py [FILE...]      all files under version control without arguments

Prints `file:line: rule` for each breach and exits 1 when there is one.
"""

import pathlib
import re
import subprocess
import sys

# A folder may include itself and these. dispatcher and http do not know each other, and neither do
# ingest and admin; tests may include everything.
BELOW = {
    "base": [],
    "store": ["base"],
    "dispatcher": ["base", "store"],
    "http": ["base", "store"],
    "ingest": ["base", "store", "dispatcher", "http"],
    "admin": ["base", "store", "dispatcher", "http"],
    "cli": ["base", "store", "dispatcher", "http", "ingest", "admin"],
}

# A library's header stays in the folder that wraps it, in the tests of that folder, in the
# benchmark's floor, which is written on the bare libraries, and in fuzzing, which asks them again.
LIBRARY_HOME = {
    "lmdb.h": "store",
    "curl/curl.h": "dispatcher",
    "microhttpd.h": "http",
    "yaml.h": "admin",
}

COLUMNS_MAX = {".c": 100, ".h": 100, ".py": 120, ".sh": 120}
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
CODE = set(COLUMNS_MAX)
TEXT = CODE | {".md", ".yml", ".txt", ""}

INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]')
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b|^\s*#\s*if\s+0\b")


def check_include(folder, subfolder, target):
    first = target.split("/")[0]
    if folder in BELOW and first in (*BELOW, "tests") and first != folder:
        if first not in BELOW[folder]:
            return f"{folder}/ must not include {target}"
    home = LIBRARY_HOME.get(target)
    if home and home != folder and not (folder == "tests" and subfolder in (home, "bench", "fuzz")):
        return f"{target} belongs to {home}/"
    return None


def check_includes(path, lines):
    parts = path.parts
    subfolder = parts[1] if len(parts) > 2 else ""
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        breach = match and check_include(parts[0], subfolder, match[1])
        if breach:
            yield number, breach


def check_guard(path, lines):
    name = re.sub(r"\W", "_", str(path)).upper()
    if not any(f"#ifndef {n}" in lines for n in (name, name.removeprefix("TESTS_"))):
        yield 1, f"the include guard is not {name}"


def check_functions(lines):
    """A body is what stands between braces in the first column."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line.startswith("}") and start:
            if number - start - 1 > FUNCTION_LINES_MAX:
                length = number - start - 1
                yield start, f"a function of {length} lines (at most {FUNCTION_LINES_MAX})"
            start = None


def check_lines(path, lines):
    tabs_allowed = path.name == "Makefile"
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield number, "trailing white space"
        if "\t" in line and not tabs_allowed:
            yield number, "a tab"
        columns, columns_max = len(line.removesuffix(" */")), COLUMNS_MAX.get(path.suffix, len(line))
        if columns > columns_max:
            yield number, f"{columns} columns (at most {columns_max})"
        if path.suffix in CODE and UNFINISHED.search(line):
            yield number, "unfinished or disabled code"


def check_file(path):
    lines = path.read_text().splitlines()
    yield from check_lines(path, lines)
    if path.suffix in CODE and len(lines) > FILE_LINES_MAX:
        yield 1, f"{len(lines)} lines (at most {FILE_LINES_MAX})"
    if path.suffix in (".c", ".h"):
        yield from check_includes(path, lines)
        yield from check_functions(lines)
    if path.suffix == ".h":
        yield from check_guard(path, lines)
    if path.suffix in (".c", ".h") and path.parts[0] in BELOW and not lines[0].startswith("/*"):
        yield 1, "does not say at its top why it exists"


def own_files():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                            check=True, capture_output=True, text=True).stdout.splitlines()
    inputs = ("tests/data/", "tests/fuzz/corpus/")
    return [name for name in listed if not name.startswith(inputs) and name != "LICENSE"]


def main():
    breaches = 0
    for path in map(pathlib.Path, sys.argv[1:] or own_files()):
        if path.suffix not in TEXT or not path.is_file():
            continue
        for number, rule in check_file(path):
            print(f"{path}:{number}: {rule}")
            breaches += 1
    return breaches > 0


if __name__ == "__main__":
    sys.exit(main())
