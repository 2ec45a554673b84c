#!/bin/sh
# Runs unit tests, three at a time for each processor: many wait for the disk. Prints the output of
# those that fail and leaves the result of each as RESULTS/<layer>-<name>.tap. Exit status 1 when any
# failed.
#
#     tests/unit.sh RESULTS BINARY...
set -u

results=$1
shift
mkdir -p "$results"
export CMOCKA_MESSAGE_OUTPUT=TAP

# A binary that dies or hangs reports nothing more: that is a failure of its own.
# shellcheck disable=SC2016 # the inner shell expands
printf '%s\n' "$@" | xargs -P "$((3 * $(nproc)))" -I {} sh -c '
    layer=$(dirname "$1")
    name=${layer##*/}-$(basename "$1")
    tap=$0/$name.tap
    timeout 300 "$1" >"$tap" 2>&1
    status=$?
    if [ $status -ne 0 ]; then
        grep -q "^not ok" "$tap" || echo "not ok - $name ended with status $status" >>"$tap"
        sed "s|^|$name: |" "$tap"
        exit 1
    fi
    echo "$name: $(grep -c "^ok" "$tap") passed"' "$results" {}
[ $? -eq 0 ]
