"""Sums test results: every *.tap and *.xml (JUnit) below the folders given.

Names each test that failed, with where and its first words on why, so that the end of a long log tells
what to look at; then prints one line, `N passed, N failed`, and exits 1 when anything failed or nothing ran.
"""

import pathlib
import sys
import xml.etree.ElementTree


def tap(path):
    lines = path.read_text(errors="replace").splitlines()
    return (sum(line.startswith("ok") for line in lines),
            [line for line in lines if line.startswith("not ok")])


def junit(path):
    passed, failures = 0, []
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        broken = [child for child in case if child.tag in ("failure", "error")]
        failures += [f"{case.get('classname')} {case.get('name')}: {found.get('message') or found.text}"
                     for found in broken]
        passed += not broken and case.find("skipped") is None
    return passed, failures


def main():
    passed, failures = 0, []
    for folder in map(pathlib.Path, sys.argv[1:]):
        for path in sorted(folder.glob("*.*")):
            count, broken = {".tap": tap, ".xml": junit}.get(path.suffix, lambda _: (0, []))(path)
            passed += count
            failures += [f"{path}: {' '.join(found.split())[:300]}" for found in broken]
    for found in failures:
        print(f"failed: {found}")
    print(f"{passed} passed, {len(failures)} failed")
    return bool(failures) or passed == 0


if __name__ == "__main__":
    sys.exit(main())
