"""`make crash`: kill -9 does not reorder a key; lines.py runs by itself, too."""

import os

from lines import Lines


def test_no_key_is_reordered_by_kill_9(tmp_path):
    lines = Lines(tmp_path, rounds=int(os.environ.get("CRASH_ROUNDS", "20")) // 2, seed=1)
    findings = lines.run()
    print(lines.summary())
    assert findings == []
