"""clang-tidy (.clang-tidy) and gcc -fanalyzer over every source of the program.

    analyze.py CACHE RESULTS FILE...

The compiler and its flags come from CC and ANALYZE_FLAGS. Prints each finding that analyze.txt does not name
with a reason, and each needless reason; leaves RESULTS/analyze.tap; exit status 1 when there is one. CACHE
remembers what was said of a source as the preprocessor left it, so that only what changed is looked at again.
(cppcheck takes seconds for all of them and is a part of `make lint`.)
"""

import concurrent.futures
import hashlib
import os
import pathlib
import re
import shlex
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from reasons import Reasons  # noqa: E402

FLAGS = shlex.split(os.environ["ANALYZE_FLAGS"])
CC = shlex.split(os.environ.get("CC", "gcc"))
FINDING = re.compile(r"^(\S+?):(\d+):\d+: (?:warning|error): (.*) \[([^\]]+)\]$", re.MULTILINE)


def tools(source):
    return (
        ["clang-tidy", "--quiet", source, "--", *FLAGS],
        [*CC, *FLAGS, "-O1", "-fanalyzer", "-c", "-o", "/dev/null", source],
    )


def cache_key(command, source):
    preprocessed = subprocess.run([*CC, *FLAGS, "-E", source], check=True, capture_output=True).stdout
    configuration = pathlib.Path(".clang-tidy").read_bytes() + shlex.join(command).encode()
    return hashlib.sha256(preprocessed + configuration).hexdigest()


def say(command, source, cache):
    """What the tool says of the source. One that cannot read it is a finding, too."""
    kept = cache / cache_key(command, source)
    if kept.exists():
        return kept.read_text()
    done = subprocess.run(command, capture_output=True, text=True)
    said = done.stdout + done.stderr
    if done.returncode and not FINDING.search(said):
        return f"{source}:1:1: error: {command[0]} failed: {said[-200:].strip()} [tool]\n"
    kept.write_text(said)
    return said


def findings(said):
    """(path, line, text, check) of what lies in the program; what a tool says twice, once."""
    root = str(pathlib.Path.cwd()) + "/"
    for path, number, text, check in sorted(set(FINDING.findall(said))):
        path = path.removeprefix(root).removeprefix("./")
        if not path.startswith("/"):
            yield path, int(number), text, check.removesuffix(",-warnings-as-errors")


def main():
    cache, results, sources = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    cache.mkdir(parents=True, exist_ok=True)
    results.mkdir(parents=True, exist_ok=True)
    reasons = Reasons(pathlib.Path(__file__).with_name("analyze.txt"))
    jobs = [(command, source) for source in sources for command in tools(source)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        said = "".join(pool.map(lambda job: say(*job, cache), jobs))
    breaches = []
    for path, number, text, check in findings(said):
        line = pathlib.Path(path).read_text().splitlines()[number - 1].strip()
        if not (reasons.excuse(path, f"[{check}] {line}") or reasons.excuse(path, f"[{check}]")):
            breaches.append(f"{path}:{number}: {text} [{check}]\n    {line}")
    breaches += [f"analyze.txt: not needed any more: {entry}" for entry in reasons.needless()]
    for breach in breaches:
        print(breach)
    state = "not ok" if breaches else "ok"
    (results / "analyze.tap").write_text(f"{state} - static analysis of {len(sources)} sources\n")
    return bool(breaches)


if __name__ == "__main__":
    sys.exit(main())
