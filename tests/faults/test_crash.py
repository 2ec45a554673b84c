"""`make crash`: kill -9 under load, as one test; crash.py runs by itself, too."""

import os

from crash import Crash


def test_every_202_survives_kill_9(tmp_path):
    crash = Crash(tmp_path, rounds=int(os.environ.get("CRASH_ROUNDS", "20")), seed=1)
    findings = crash.run()
    print(crash.summary())
    assert findings == []
