"""The data file under a long load: events of 200 B to 64 KiB are taken, delivered and expire, and the file
stays small and its commits quick. Large values need room that is contiguous; a file that many small and
large ones have come and gone from has little of it, and that is where such stores degrade. It is on a disk, not
in memory, so that commits are what they are."""

import math
import re
import statistics
import tempfile
import threading
import time
from pathlib import Path

from faults import Row, eventually
from overload import Bed
from surehook import BINARY

EVENTS = 2_000_000
QUICK_S = 4  # of load, where that is all
WARM = 3000  # events that tell what the machine can do
SIZES = 997  # different ones, spread evenly over their logarithm
SMALL, LARGE = 200, 64 * 1024
APPS = 10
CONNECTIONS = 32
LOAD = 0.6  # of what a closed loop delivers
RETENTION_S = 20
EXPIRY_LAG_S = 3  # that a message may outlive its retention
FILE_MAX = 2  # of the most payload that was alive, …
FILE_SPARE = 32 << 20  # … but for what an almost empty store has
SLOWER_MAX = 3  # of the p99 of commits at the start; …
SLOWER_CLEARLY = 20  # … of a second's
SAMPLE_S = 0.5
PARTS = 10  # the first is the start, the last the end


def write_events(path):
    """Events whose payloads have every magnitude between the smallest and the largest, in mixed order; their mean."""
    stamp = len('"bench":1234567890123456789,')
    frame = len('{"pad":""}') + stamp
    spread = [SMALL * (LARGE / SMALL) ** (i / (SIZES - 1)) for i in range(SIZES)]
    sizes = [round(spread[i * 389 % SIZES]) for i in range(SIZES)]
    pads = ("x" * (size - frame) for size in sizes)
    path.write_text("".join(f'{{"eventType":"soak.event","payload":{{"pad":"{pad}"}}}}\n' for pad in pads))
    return statistics.mean(sizes)


class Samples:
    """What /metrics says every half second."""

    # The pages up to the last in use: what is prepared past it comes and goes with idle moments.
    NAMES = ("surehook_messages_accepted_total", "surehook_messages_accepted_bytes_total",
             "surehook_records_expired_total", "surehook_map_used_bytes")

    def __init__(self, service):
        self.service = service
        self.taken = []
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def take(self):
        text = self.service.get("/metrics", api="").body.decode()
        figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        accepted, size, expired, file = (float(figures[name]) for name in self.NAMES)
        commits = [(float(bound), float(figures[name])) for name in figures
                   for bound in re.findall(r'surehook_commit_seconds_bucket\{le="(\S+)"\}', name)]
        sample = {"at": time.monotonic(), "accepted": accepted, "bytes": size, "expired": expired, "file": file,
                  "commits": commits}
        self.taken.append(sample)
        return sample

    def run(self):
        while not self.done.wait(SAMPLE_S):
            self.take()

    def __enter__(self):
        self.take()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        self.take()


def quantile(before, after, share):
    """Of the commits between two samples: its bucket's bound, by parts of the bucket."""
    counts = [(bound, b - a) for (bound, a), (_, b) in zip(before["commits"], after["commits"])]
    wanted, low, passed = share * counts[-1][1], 0.0, 0.0
    for bound, count in counts:
        if count >= wanted and count > passed:
            part = (wanted - passed) / (count - passed)
            return low if math.isinf(bound) else low + part * (bound - low)
        low, passed = bound, count
    return low


def peak_of_living(taken):
    """Payload bytes of the messages that had not expired, at most."""
    mean = taken[-1]["bytes"] / taken[-1]["accepted"]
    return max(s["bytes"] - s["expired"] * mean for s in taken)


def peak_of_due(taken, seconds):
    """Payload bytes that had to be alive, at most: what was accepted within so many seconds."""
    peak, first = 0, 0
    for s in taken:
        while s["at"] - taken[first]["at"] > seconds:
            first += 1
        peak = max(peak, s["bytes"] - taken[first]["bytes"])
    return peak


def milliseconds(times):
    return " ".join(f"{t * 1e3:.2f}" for t in times)


def judge(row, samples, marks, retention, slower):
    """`marks` are the samples between the parts of the load."""
    living, due = peak_of_living(samples), peak_of_due(samples, retention)
    most = peak_of_due(samples, retention + EXPIRY_LAG_S)
    size = max(s["file"] for s in samples)
    row.check(living <= most, f"{living / 1e6:.0f} MB are alive where {most / 1e6:.0f} MB should be at most")
    row.check(size <= FILE_MAX * due + FILE_SPARE,
              f"the file has {size / 1e6:.0f} MB for {due / 1e6:.0f} MB that are alive")
    commits = [quantile(before, after, 0.99) for before, after in zip(marks, marks[1:])]
    row.check(commits[-1] <= slower * commits[0], f"p99 of commits by parts, in ms: {milliseconds(commits)}")
    print(f"soak: {marks[-1]['accepted'] - marks[0]['accepted']:.0f} events, {due / 1e6:.0f} MB due and "
          f"{living / 1e6:.0f} MB alive at most, file {size / 1e6:.0f} MB ({size / due:.2f}), p99 of commits by "
          f"parts, in ms: {milliseconds(commits)}", flush=True)


def soak(row, events, retention, kept, slower):
    """`events` None: as many as come in QUICK_S. `kept` is how long the service is told to keep messages,
    `retention` how long it should."""
    with tempfile.TemporaryDirectory(dir=BINARY.parent) as directory:
        kinds = Path(directory) / "events"
        mean = write_events(kinds)
        bed = Bed(directory, apps=APPS, message_retention=f"{kept}s")
        begun = time.monotonic()
        bed.load(CONNECTIONS, 0, WARM, kinds)
        eventually(lambda: bed.service.metric("surehook_deliveries_waiting") == 0, timeout=120)
        rate = LOAD * WARM / (time.monotonic() - begun)
        events = events or rate * QUICK_S
        with Samples(bed.service) as samples:
            marks = [samples.take()]
            parts = []
            for _ in range(PARTS):
                parts.append(bed.load(CONNECTIONS, rate, events / PARTS, kinds))
                marks.append(samples.take())
        refused = sum(part["refused"] for part in parts)
        row.check(refused == 0, f"{refused} events were refused")
        print(f"soak: {rate:.0f} events/s of {mean:.0f} B; p50 and p99 of answers by parts, in ms: "
              + ", ".join(milliseconds((part["p50"] / 1e6, part["p99"] / 1e6)) for part in parts), flush=True)
        judge(row, samples.taken, marks, retention, slower)
        bed.finish(row)


def experiment(quick, seed):
    row = Row("soak of the file")
    if quick:
        soak(row, None, 2, 2, SLOWER_CLEARLY)
    else:
        soak(row, EVENTS, RETENTION_S, RETENTION_S, SLOWER_MAX)
    planted = Row("planted")
    soak(planted, None, 1, 3600, SLOWER_CLEARLY)
    row.plant("messages that do not expire", planted.failures > 0)
    yield row
