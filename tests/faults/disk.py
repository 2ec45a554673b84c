"""Disk errors: the n-th write, sync or allocation fails, for every n of a start and of a load, once and
from then on; and a disk and a map that are full under load.

After each fault the process is killed and started again without it. Whatever happened: no event that was
answered 202 is missing, each is delivered, and `check` finds nothing. By design an error of the disk
ends the process with status 74; a full disk ends ingest alone, which comes back with the space.
"""

import errno
import itertools
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from faults import (DEADLINE, FAIL_HIDDEN, WORKERS, Client, Control, FaultyService, Row, check_clean,
                    eventually, missing, scratch)
from receivers import Answer, Receiver

MAP = 32 << 20
DISK_FAILED = 74
EVENTS = 8
PAYLOAD = b'{"pad":"' + b"x" * 100_000 + b'"}'  # large enough that a load needs more of the disk
RESUMES_WITHIN = 5.0
SWEEP_MAX = 200  # calls of one kind in a start or a load; each sweep ends where nothing is met any more
ERRORS = {
    "write": (errno.EIO, errno.ENOSPC, 0),
    "sync": (errno.EIO, errno.ENOSPC),
    "allocate": (errno.EIO, errno.ENOSPC),
}


def name_of(error):
    return errno.errorcode.get(error, "short write" if error == 0 else "hidden")


class Trial:
    """One service on a copy of a prepared directory, with one fault."""

    def __init__(self, template, directory, receiver):
        directory.mkdir()
        shutil.copytree(template.data, directory / "data")
        self.control = Control(directory / "control")
        self.receiver = receiver
        self.service = FaultyService(directory, env=self.control.preload("disk.so"), **options())
        self.app, self.accepted, self.findings = template.app, {}, []

    def start(self):
        """A start that meets the fault goes on, or ends with a status of its own."""
        if not self.service.starts() and self.service.status <= 0:
            self.findings.append(f"the start ended with status {self.service.status}")
        self.service.kill()

    def load(self):
        """Posts some events; None when the process ended, or the last status."""
        client = Client(self.service)
        status = None
        for _ in range(EVENTS):
            status = client.send(self.app, PAYLOAD)
            if status not in (0, 202, 500, 503, 507):
                self.findings.append(f"an event was answered {status}")
            if status in (503, 507) and "retry-after" not in client.headers:
                self.findings.append(f"{status} without Retry-After")
            if status == 0:
                break
        self.accepted |= client.accepted
        client.close()
        if status != 0:
            eventually(lambda: self.ended() is not None or self.idle())
        return status

    def idle(self):
        try:
            waiting = self.service.metric("surehook_deliveries_waiting")
        except OSError:
            return False
        return waiting == 0 or self.control.get("failed") > 0

    def ended(self):
        return self.service.process.poll() if self.service.process else None

    def judge(self, error):
        """Whether a fault in the load ended as designed; the process is gone afterwards."""
        if not self.control.get("failed"):
            self.service.kill()
            return
        stopped = error != errno.ENOSPC and self.must_stop
        if stopped:
            try:
                self.service.process.wait(DEADLINE)
            except Exception:
                self.findings.append("the process went on after an error of the disk")
        self.control.clear()
        if self.ended() is None:
            self.resumes()
        if self.ended() not in (None, DISK_FAILED):
            self.findings.append(f"the process ended with status {self.ended()}")
        self.service.kill()

    def resumes(self):
        client = Client(self.service)
        begun = time.monotonic()
        try:
            eventually(lambda: client.send(self.app, b'{"more":1}') == 202 or self.ended() is not None,
                       timeout=RESUMES_WITHIN)
        except TimeoutError:
            self.findings.append(f"no event is taken {time.monotonic() - begun:.1f} s after the fault")
        self.accepted |= client.accepted
        client.close()

    def settle(self, known):
        """Starts again without faults: everything that was answered 202 is there, and is delivered."""
        self.control.clear()
        self.service.env = {}
        if not self.service.starts():
            self.findings.append("the service does not start without the fault")
            return
        self.findings += missing(self.service, {**known, **self.accepted}, self.app)
        try:
            eventually(lambda: self.service.metric("surehook_deliveries_waiting") == 0)
        except TimeoutError:
            self.findings.append("deliveries wait for ever after the restart")
        arrived = {d.id for d in self.receiver.deliveries}
        self.findings += [f"{i} was answered 202 and not delivered" for i in self.accepted if i not in arrived]
        self.service.stop()
        unclean = check_clean(self.service, MAP)
        if unclean:
            self.findings.append(f"check: {unclean}")


def options():
    return {"map_size": MAP, "retry_schedule": ",".join(["50ms"] * 20), "log_level": "error"}


class Template:
    """A data directory with an application, an endpoint and a few events."""

    def __init__(self, directory, receiver):
        directory.mkdir()
        service = FaultyService(directory, **options()).start()
        self.app = service.new_app(uid="fault")
        service.subscribe(self.app, receiver, "/fault")
        client = Client(service)
        for n in range(5):
            client.send(self.app, b'{"n":%d}' % n)
        self.accepted = client.accepted
        client.close()
        eventually(lambda: service.metric("surehook_deliveries_waiting") == 0)
        service.stop()
        self.data = service.data


class Sweep:
    def __init__(self, directory, quick):
        self.directory = directory
        self.step = 5 if quick else 1
        self.receiver = Receiver()
        self.template = Template(directory / "template", self.receiver)
        self.number = itertools.count()

    def trial(self, phase, kind, error, forever, nth):
        """Its findings, and whether the fault was met."""
        directory = self.directory / f"trial-{next(self.number)}"
        trial = Trial(self.template, directory, self.receiver)
        trial.must_stop = kind != "allocate" and error != FAIL_HIDDEN
        if phase == "start":
            trial.control.fail(kind, nth, error, forever)
            trial.start()
            met = trial.control.get("failed") > 0
        else:
            trial.service.start()
            trial.control.fail(kind, nth, error, forever)
            trial.load()
            met = trial.control.get("failed") > 0
            trial.judge(error)
        trial.settle(self.template.accepted)
        shutil.rmtree(directory)
        return met, trial.findings

    def run(self, job):
        """One series of n, up to the first that is not met."""
        phase, kind, error, forever = job
        trials, findings = 0, []
        for nth in range(1, SWEEP_MAX, self.step):
            met, found = self.trial(*job, nth)
            trials += 1
            how = "from then on" if forever else "once"
            findings += [f"{name_of(error)} at {kind} {nth} of a {phase}, {how}: {f}" for f in found[:3]]
            if not met:
                break
        return trials, findings

    def close(self):
        self.receiver.close()


def errors(quick):
    row = Row("disk errors")
    with scratch() as directory:
        sweep = Sweep(directory, quick)
        jobs = [(phase, kind, error, forever) for phase in ("start", "load") for kind in ERRORS
                for error in ERRORS[kind] for forever in (False, True)]
        with ThreadPoolExecutor(WORKERS) as pool:
            for trials, findings in pool.map(sweep.run, jobs):
                row.trials += trials
                for finding in findings:
                    row.fail(finding)
        _, found = sweep.trial("load", "sync", FAIL_HIDDEN, True, 4)
        row.plant("a failed sync that nobody notices", bool(found))
        sweep.close()
    return row


# ---------------------------------------------------------------- full


class Full:
    """Load on a service whose disk or map is full, and has room again."""

    def __init__(self, directory, **more):
        directory.mkdir()
        self.control = Control(directory / "control")
        self.receiver = Receiver()
        self.receiver.script = lambda d: Answer(500)
        self.service = FaultyService(directory, env=self.control.preload("disk.so"),
                               **{**options(), "retry_schedule": ",".join(["1s"] * 60), **more})
        self.service.start()
        self.app = self.service.new_app()
        self.service.subscribe(self.app, self.receiver, "/full")
        self.accepted = {}

    def until_refused(self, row):
        """Several connections post until the service refuses; they all must be told when to come back."""
        refusals = []

        def post():
            client = Client(self.service)
            for _ in range(5000):
                status = client.send(self.app, b'{"pad":"' + b"y" * 20_000 + b'"}')
                if status != 202:
                    refusals.append((status, client.headers.get("retry-after")))
                    break
            self.accepted.update(client.accepted)
            client.close()

        threads = [threading.Thread(target=post) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        good = len(refusals) == 3 and all(s in (503, 507) and after and int(after) > 0 for s, after in refusals)
        row.check(good, f"{row.experiment}: refused as {refusals}")

    def deliveries_go_on(self, row):
        """What was accepted before is delivered while nothing more is taken."""
        self.receiver.script = lambda d: Answer(204)
        try:
            eventually(lambda: self.service.metric("surehook_deliveries_waiting") == 0, timeout=60)
            row.check(True, "")
        except (TimeoutError, OSError) as e:
            row.check(False, f"deliveries stopped: {e}")

    def takes_again(self, row, app):
        client = Client(self.service)
        try:
            eventually(lambda: client.send(app, b'{"more":1}'), lambda s: s == 202, RESUMES_WITHIN)
            taken = True
        except TimeoutError:
            taken = False
        client.close()
        row.check(taken, f"no event is taken {RESUMES_WITHIN} s after space came back")
        return taken

    def finish(self, row):
        lost = list(itertools.islice(missing(self.service, self.accepted, self.app), 5))
        row.check(not lost, "; ".join(lost))
        arrived = {d.id for d in self.receiver.deliveries}
        row.check(self.accepted.keys() <= arrived, "an accepted event was not delivered")
        self.service.stop()
        unclean = check_clean(self.service, self.service.options["map-size"])
        row.check(not unclean, f"check: {unclean}")
        self.receiver.close()


def full_disk(quick):
    row = Row("full disk under load")
    with scratch() as directory:
        for number in range(1 if quick else 5):
            full = Full(directory / f"{number}", map_size=256 << 20)
            full.control.set("quota", (full.service.data / "data.mdb").stat().st_size + number * 1_000_000)
            full.until_refused(row)
            full.deliveries_go_on(row)
            if number == 0:
                row.plant("a disk that stays full", not full.takes_again(Row("planted"), full.app))
            full.control.clear()
            full.takes_again(row, full.app)
            full.finish(row)
    return row


def full_map(quick):
    row = Row("full map under load")
    with scratch() as directory:
        for number in range(1 if quick else 5):
            full = Full(directory / f"{number}", map_size=(16 + 4 * number) << 20)
            full.until_refused(row)
            full.deliveries_go_on(row)
            if number == 0:
                row.plant("a map that stays full", not full.takes_again(Row("planted"), full.app))
            keep = full.service.new_app()
            halves = list(full.accepted)[::2]
            for message in halves:
                full.service.call("DELETE", f"/app/{full.app}/msg/{message}/content")
                del full.accepted[message]
            full.takes_again(row, keep)
            full.finish(row)
    return row


def experiment(quick, seed):
    yield errors(quick)
    yield full_disk(quick)
    yield full_map(quick)
