"""Lists of exceptions, each with its reason: `path: key  # reason` a line.

A finding that is listed does not count; an entry without a finding does, so that lists stay short. A path
and the text of a line name a place that moves with the code.
"""

import sys


class Reasons:
    def __init__(self, path):
        self.path = path
        self.listed, self.used = set(), set()
        for line in path.read_text().splitlines():
            if line and not line.startswith("#"):
                entry, _, reason = line.partition("  # ")
                if not reason:
                    sys.exit(f"{path}: no reason: {line}")
                self.listed.add(entry)

    def excuse(self, place, key):
        """Whether the finding is listed."""
        entry = f"{place}: {key}"
        if entry in self.listed:
            self.used.add(entry)
        return entry in self.listed

    def needless(self):
        return sorted(self.listed - self.used)
