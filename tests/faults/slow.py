"""Slow senders and readers: a thousand connections that cost the service and never end (crowd.py) must not
stop another client's event from its answer, whether they are fewer than there may be, or more."""

import http.client
import statistics
import subprocess
import sys
import time
from pathlib import Path

from crowd import MODES
from faults import Row, scratch
from overload import Bed

CROWD = Path(__file__).with_name("crowd.py")
CONNECTIONS = 1000
ATTACKER, OTHER = "127.0.0.2", "127.0.0.1"
LATE_S = 0.5
LATE_SHARE = 0.05  # of the posts that a shared machine may spoil
GROWTH_MAX = 256 << 20  # the answers that nobody reads, and a thousand connections
LIMIT = 500  # of connections, where the thousand are more than there may be


class Attack:
    def __init__(self, mode, service, app, source):
        self.process = subprocess.Popen(
            [sys.executable, CROWD, mode, str(service.port), str(CONNECTIONS), source, service.token, app],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        self.process.stdout.readline()
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def post(service, app):
    """Seconds until a valid POST on a new connection has its 202; None without one."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", service.port, 5, (OTHER, 0))
    try:
        connection.request("POST", f"/api/v1/app/{app}/msg", b'{"eventType":"e","payload":{"a":1}}',
                           {"authorization": f"Bearer {service.token}"})
        if connection.getresponse().status != 202:
            return None
        return time.monotonic() - begun
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def judge(row, mode, service, app, seconds):
    """Others post all the while, one after another."""
    until, times = time.monotonic() + seconds, []
    while time.monotonic() < until:
        times.append(post(service, app))
        time.sleep(0.01)
    answered = [t for t in times if t is not None]
    late = len(times) - sum(t <= LATE_S for t in answered)
    row.check(late <= LATE_SHARE * len(times), f"{mode}: {late} of {len(times)} posts had no answer in time")
    if answered:
        print(f"slow {mode}: {len(times)} posts, median {statistics.median(answered) * 1e3:.1f} ms, longest "
              f"{max(answered) * 1e3:.1f} ms, {late} late", flush=True)
    return answered


def experiment(quick, seed):
    row = Row("slow senders and readers")
    seconds = 1 if quick else 6
    for limit in (None, LIMIT):
        with scratch() as directory:
            bed = Bed(directory, 0, max_connections=limit)
            app = bed.apps.read_text().strip()
            for _ in range(250):  # a page that takes long to read
                bed.service.send(app, b'{"pad":"' + b"x" * 60_000 + b'"}')
            for mode in MODES:
                before = bed.memory()
                with Attack(mode, bed.service, app, ATTACKER):
                    judge(row, f"{mode}, limit {limit or 'default'}", bed.service, app, seconds)
                    growth = bed.memory() - before
                row.check(growth <= GROWTH_MAX, f"{mode}: memory grew by {growth >> 20} MiB")
            if limit:
                planted = Row("planted")
                with Attack("headers", bed.service, app, OTHER):
                    judge(planted, "planted", bed.service, app, 1)
                row.plant("attackers who cannot be told from others", planted.failures > 0)
            bed.close()
    yield row
