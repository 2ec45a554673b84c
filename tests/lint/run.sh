#!/bin/sh
# make lint: structure, format and static analysis. Prints what each check found, leaves a result
# for each as RESULTS/lint.tap, and exits 1 when any found something.
#
#     tests/lint/run.sh RESULTS
set -u

results=$1
mkdir -p "$results"
: >"$results/lint.tap"
failed=0

sources() { git ls-files --cached --others --exclude-standard -- '*.c' '*.h'; }

# check NAME COMMAND...
check() {
    name=$1
    shift
    if "$@"; then
        echo "ok - $name" >>"$results/lint.tap"
    else
        echo "not ok - $name" >>"$results/lint.tap"
        echo "lint: $name failed"
        failed=1
    fi
}

format() { sources | xargs clang-format --dry-run -Werror || { echo "run make fmt"; return 1; }; }

# Matters of taste are left to readers.
analysis() {
    cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
        --error-exitcode=1 -j "$(nproc)" -I. -D_GNU_SOURCE --suppress=missingIncludeSystem \
        --suppressions-list=tests/lint/cppcheck.txt \
        base store dispatcher http ingest admin cli tests
}

python() { python3 -m compileall -q tests; }

check structure python3 tests/lint/structure.py
check format format
check analysis analysis
check python python
exit $failed
