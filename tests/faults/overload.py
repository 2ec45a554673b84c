"""Overload: more events than the service can take, and hundreds of thousands of requests that are suspended
and resumed.

Capacity is what a closed loop reaches; then an open loop sends at five times that rate, in turns, because a shared
machine is faster in one minute than in the next. A wide fan-out makes an event dear to
store, or five times capacity would be more than a load generator on the same processors can send; all but
one of its endpoints are paused, so that the rest is not a measure of the dispatcher."""

import importlib.util
import json
import statistics
import subprocess
import threading
from pathlib import Path

from faults import FaultyService, Row, check_clean, eventually, scratch
from surehook import BINARY, ROOT

MAP = 32 << 30
FAN_OUT = 200
OVERLOAD = 5
CLOSED = 64  # connections of the closed loop
OPEN = 1000  # of the open loop: it never waits for one
RATIO_MAX = 2  # of the accepted events' p99 under overload to that at capacity, …
RATIO_QUICK = 5  # … or of one second, in which other programs may have had their turn
GROWTH_MAX = 64 << 20
STALL_US = 1_000_000
RESUMED = 100_000
# libmicrohttpd's own loop stalled whenever an exact multiple of 128 connections was ready.
CONNECTIONS = (1, 7, 64, 127, 128, 129, 255, 256, 257, 512, 1000)


def load_bench():
    """tests/bench/run.py, whose name is that of the experiments' own."""
    spec = importlib.util.spec_from_file_location("bench", ROOT / "tests/bench/run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Bed:
    """A service whose applications have `fan_out` endpoints, all but one paused, a sink, and the load generator."""

    def __init__(self, directory, fan_out=1, apps=1, **options):
        self.directory = Path(directory)
        self.sink = load_bench().Sink(str(BINARY.parent), str(self.directory))
        self.service = FaultyService(self.directory, map_size=MAP, log_level="warn", **options)
        self.service.start()
        self.fan_out = fan_out
        self.accepted = 0
        self.apps = self.directory / "apps"
        self.apps.write_text("".join(f"{self.new_app(n)}\n" for n in range(apps)))

    def new_app(self, number):
        app = self.service.new_app()
        for endpoint in range(self.fan_out):
            url = f"http://127.0.0.1:{self.sink.port}/{number}/{endpoint}"
            fields = {"url": url, "paused": endpoint > 0}
            assert self.service.post(f"/app/{app}/endpoint", fields).status == 201
        return app

    def load(self, connections, rate, count, events="-"):
        """`count` events at `rate` a second; 0: as fast as they are answered."""
        words = [BINARY.parent / "bench/load", f"127.0.0.1:{self.service.port}", self.service.token, self.apps,
                 events, connections, rate, int(count)]
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
        assert done.stdout, done.stderr
        report = json.loads(done.stdout)
        report["accepted"] = report["count"] - report["refused"]
        report["goodput"] = report["accepted"] / report["seconds"]
        self.accepted += report["accepted"]
        return report

    def memory(self):
        status = Path(f"/proc/{self.service.process.pid}/status").read_text()
        return int(status.split("RssAnon:")[1].split()[0]) * 1024

    def finish(self, row):
        """What was accepted arrives, or waits where it is held: all of it and no more."""
        held = self.accepted * (self.fan_out - 1)
        try:
            eventually(lambda: self.service.metric("surehook_deliveries_waiting"), lambda n: n == held, 300)
            arrived = self.sink.ask("report")["count"]
            row.check(arrived == self.accepted, f"{arrived} deliveries of {self.accepted}")
        except TimeoutError as e:
            row.fail(f"not all is delivered: {e}")
        self.close()
        unclean = check_clean(self.service, MAP)
        row.check(not unclean, f"check: {unclean}")

    def close(self):
        self.service.stop()
        self.sink.stop()


class Pauses:
    """A planted bug: the service stands still now and then."""

    def __init__(self, service, every, length):
        self.process, self.every, self.length = service.process, every, length
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.done.wait(self.every):
            self.process.send_signal(19)
            self.done.wait(self.length)
            self.process.send_signal(18)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


# ---------------------------------------------------------------- five times capacity


def median(rounds, which, what):
    return statistics.median(r[which][what] for r in rounds)


def judge(row, rounds, ratio):
    at, over = (median(rounds, which, "p99") for which in ("at", "over"))
    row.check(over <= ratio * at, f"p99 of accepted events is {over} us, at capacity {at} us")
    refusals = median(rounds, "over", "refused_p99")
    row.check(refusals <= ratio * at, f"p99 of refusals is {refusals} us, of accepted at capacity {at} us")
    for r in rounds:
        row.check(r["at"]["refused"] == 0, "an event was refused at capacity")
        row.check(r["over"]["refused"] > r["over"]["count"] / 3, "few were refused: too little load to show anything")
        row.check(r["over"]["unkind"] == 0, "a refusal was not 503 with Retry-After")
        row.check(r["over"]["goodput"] > r["at"]["goodput"] / 3, "little is accepted under overload")


def one_round(bed, seconds):
    warm = bed.load(CLOSED, 0, 200)["goodput"]
    at = bed.load(CLOSED, 0, warm * seconds)
    return {"at": at, "over": bed.load(OPEN, OVERLOAD * at["rate"], OVERLOAD * at["rate"] * seconds)}


def overload(quick):
    row = Row("overload")
    with scratch() as directory:
        bed = Bed(directory, FAN_OUT)
        seconds = 1 if quick else 2
        rounds = [one_round(bed, seconds)]
        before = bed.memory()
        rounds += [one_round(bed, seconds) for _ in range(0 if quick else 4)]
        growth = bed.memory() - before
        ratio = RATIO_QUICK if quick else RATIO_MAX
        judge(row, rounds, ratio)
        row.check(growth <= GROWTH_MAX, f"memory grew by {growth >> 20} MiB")
        for which in rounds[0]:
            print(f"overload, {which}:", {what: median(rounds, which, what) for what in
                  ("rate", "goodput", "p50", "p99", "max", "refused_p99", "late_p99")}, flush=True)
        with Pauses(bed.service, 0.2, 1):
            planted, rate = Row("planted"), OVERLOAD * rounds[0]["at"]["rate"]
            judge(planted, [{"at": rounds[0]["at"], "over": bed.load(OPEN, rate, rate)}], ratio)
        row.plant("a service that stands still under load", planted.failures > 0)
        bed.finish(row)
    return row


# ---------------------------------------------------------------- suspended and resumed


def resume(bed, row, total):
    """`total` events are accepted over many numbers of connections."""
    begun = bed.accepted
    while bed.accepted < begun + total:
        for connections in CONNECTIONS:
            report = bed.load(connections, 0, total // len(CONNECTIONS) + connections)
            row.check(report["max"] <= STALL_US, f"{connections} connections: {report['max']} us for an answer")


def resumed(quick):
    row = Row("suspended and resumed")
    for threads in (1, 2, 4):
        with scratch() as directory:
            bed = Bed(directory, http_threads=threads)
            resume(bed, row, (6_000 if quick else RESUMED) // 3)
            if threads == 1:
                planted = Row("planted")
                with Pauses(bed.service, 0.1, 1.2):
                    resume(bed, planted, 1_000)
                row.plant("a request that stalls", planted.failures > 0)
            bed.finish(row)
    return row


def experiment(quick, seed):
    yield overload(quick)
    yield resumed(quick)
