"""Sums test results: every *.tap and *.xml (JUnit) below the folders given.

Prints one line, `N passed, N failed`, and exits 1 when anything failed or nothing ran.
"""

import pathlib
import sys
import xml.etree.ElementTree


def tap(path):
    lines = path.read_text(errors="replace").splitlines()
    return (sum(line.startswith("ok") for line in lines),
            sum(line.startswith("not ok") for line in lines))


def junit(path):
    passed = failed = 0
    for suite in xml.etree.ElementTree.parse(path).getroot().iter("testsuite"):
        broken = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        failed += broken
        passed += int(suite.get("tests", 0)) - broken - int(suite.get("skipped", 0))
    return passed, failed


def main():
    passed = failed = 0
    for folder in map(pathlib.Path, sys.argv[1:]):
        for path in folder.glob("*.*"):
            more = {".tap": tap, ".xml": junit}.get(path.suffix, lambda _: (0, 0))(path)
            passed += more[0]
            failed += more[1]
    print(f"{passed} passed, {failed} failed")
    return failed > 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
