"""Memory: every allocation fails in turn, over a start, and over accepting, delivering and looking at an
event. A start goes on or ends with an error of its own; a service that runs answers an error or closes a
connection, goes on, and keeps and delivers whatever it answered 202."""

import itertools
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

from faults import (FAIL_HIDDEN, FOREVER, WORKERS, Client, Control, FaultyService, Row, check_clean, eventually,
                    missing, scratch)
from receivers import Receiver

MAP = 32 << 20
UNMET_AT_END = 3  # scenarios in a row that met no fault: the sweep is over
CALLS_MAX = 20_000
OPTIONS = {"map_size": MAP, "retry_schedule": ",".join(["10ms"] * 50), "log_level": "error"}


class Running:
    """A service whose n-th allocation from now on fails, for every n of a scenario."""

    def __init__(self, directory):
        self.control = Control(directory / "control")
        self.receiver = Receiver()
        self.service = FaultyService(directory, env=self.control.preload("memory.so"), **OPTIONS)
        self.service.start()
        self.app = self.service.new_app()
        self.endpoint = self.service.subscribe(self.app, self.receiver)
        self.client = Client(self.service)
        self.number = itertools.count()

    def alive(self):
        return self.service.process.poll() is None

    def ends(self):
        try:
            return eventually(lambda: not self.alive(), timeout=5)
        except TimeoutError:
            return False

    def accept(self):
        """One event, from POST to its delivery; a new connection now and then."""
        n = next(self.number)
        if n % 4 == 0:
            self.client.close()
        before = set(self.client.accepted)
        status = self.client.send(self.app, b'{"n":%d}' % n, f"key-{n}")
        for message in self.client.accepted.keys() - before:
            eventually(lambda: not self.alive() or any(d.id == message for d in self.receiver.deliveries))
        return status in (0, 202, 500, 503)

    def administer(self):
        """What an operator calls most, each on its own connection."""
        n = next(self.number)
        calls = [("POST", "/app", {"name": f"app {n}"}), ("GET", "/app", None),
                 ("GET", f"/app/{self.app}/endpoint/{self.endpoint}/headers", None),
                 ("GET", f"/app/{self.app}/msg?limit=5", None),
                 ("GET", f"/app/{self.app}/attempt/endpoint/{self.endpoint}?limit=5", None),
                 ("POST", "/event-type", {"name": f"type.{n}", "description": "x"}),
                 ("PATCH", f"/app/{self.app}/endpoint/{self.endpoint}", {"description": f"{n}"})]
        method, path, body = calls[n % len(calls)]
        client = Client(self.service)
        status, _ = client.call(method, "/api/v1" + path, body and json.dumps(body))
        client.close()
        return status in (0, 200, 201, 202, 500, 503)

    def close(self):
        self.client.close()
        self.service.kill()
        self.receiver.close()


def sweep(running, scenario, repeats, step, row):
    """`repeats` runs of the scenario for each n, since one has several forms."""
    unmet = 0
    for nth in range(1, CALLS_MAX, step):
        met = False
        for _ in range(repeats):
            running.control.fail("memory", nth)
            try:
                good = scenario()
            except TimeoutError:
                good = False
            met |= running.control.get("failed") > 0
            running.control.clear()
            row.check(good, f"allocation {nth}: {scenario.__name__} went wrong")
            if not running.alive():
                row.fail(f"allocation {nth} of {scenario.__name__}: status {running.service.process.poll()}")
                return
        unmet = 0 if met else unmet + 1
        if unmet == UNMET_AT_END:
            return


def serving(quick):
    row = Row("no memory while serving")
    with scratch() as directory:
        running = Running(directory)
        sweep(running, running.accept, 1, 7 if quick else 1, row)
        if running.alive():
            sweep(running, running.administer, 7, 31 if quick else 1, row)
        if running.alive():
            lost = list(itertools.islice(missing(running.service, running.client.accepted, running.app), 5))
            row.check(not lost, "; ".join(lost))
            eventually(lambda: running.service.metric("surehook_deliveries_waiting") == 0)
            running.control.set("error", FAIL_HIDDEN)
            running.control.set("fail_more", FOREVER)
            running.control.set("fail_at", running.control.get("memory") + 1)
            running.control.set("fail_kind", Control.KINDS["memory"])
            running.accept()
            row.plant("an allocation that ends the process", running.ends())
        arrived = {d.id for d in running.receiver.deliveries}
        row.check(running.client.accepted.keys() <= arrived, "an accepted event was not delivered")
        running.close()
        unclean = check_clean(running.service, MAP)
        row.check(not unclean, f"check: {unclean}")
    return row


class Start:
    """Starts on copies of one directory, each with an allocation that fails."""

    def __init__(self, directory, quick):
        self.directory = directory
        (directory / "template").mkdir()
        service = FaultyService(directory / "template", **OPTIONS).start()
        service.new_app()
        service.stop()
        self.template = service.data
        self.total = self.once(0, 0)[1]
        self.step = max(1, self.total // (40 if quick else 1500))

    def once(self, worker, nth, forever=False, error=0):
        """What is wrong with a start whose n-th allocation fails, and how many it made."""
        directory = self.directory / f"worker-{worker}"
        if not directory.exists():
            directory.mkdir()
            shutil.copytree(self.template, directory / "data")
        control = Control(directory / "control")
        service = FaultyService(directory, env=control.preload("memory.so"), **OPTIONS)
        if nth:
            control.fail("memory", nth, error, forever)
        started = service.starts()
        service.kill()
        finding = None if started or service.status > 0 else f"status {service.status}"
        return finding, control.get("memory")

    def share(self, worker):
        found = []
        for nth in range(1 + worker * self.step, self.total + 1, self.step * WORKERS):
            for forever in (False, True):
                finding, _ = self.once(worker, nth, forever)
                found.append((nth, forever, finding))
        return found


def starting(quick):
    row = Row("no memory at the start")
    with scratch() as directory:
        start = Start(directory, quick)
        with ThreadPoolExecutor(WORKERS) as pool:
            for found in pool.map(start.share, range(WORKERS)):
                for nth, forever, finding in found:
                    row.check(not finding, f"allocation {nth} of {start.total}, forever {forever}: {finding}")
        finding, _ = start.once(0, start.total // 2, True, FAIL_HIDDEN)
        row.plant("an allocation that ends the process", bool(finding))
    return row


def experiment(quick, seed):
    yield serving(quick)
    yield starting(quick)
