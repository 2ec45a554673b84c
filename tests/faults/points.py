"""Kills between every pair of durable steps: the places that base/failpoint.h names, in a binary of their
own. For each a fresh service lives until it comes there and is killed; then `check` is clean, the service
starts again, and every event that was answered 202 arrives at every endpoint with its bytes. A place that
is not reached is a failure: the list says what is between the steps, so the experiment must go there."""

import contextlib
import random
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

from faults import BINARY, DEADLINE, TOOLS, WORKERS, Client, FaultyService, Row, check_clean, eventually, run, scratch
from receivers import Answer, Receiver
from surehook import ROOT, clean_environment

FAILING = TOOLS / "surehook"
MAP = 512 << 20
EVENTS = 24
PATIENCE = 10  # seconds for what is due to happen
FAILURE_SHARE = 0.25
BACKLOG = 400  # deliveries of an endpoint, more than a task's step takes
BULK = 1000  # messages of a batch that only the index is to grow by
BULK_BATCHES = 15  # more than a table of the index holds
BULK_BATCHES_MERGE = 120  # more than become one run
OLD_FORMAT = ROOT / "tests/data/format-1.tar.xz"

COMMIT = ("batch-applied", "commit", "committed", "notified", "completed")
WITHIN_BATCH = ("task-", "message-", "renewed", "row-", "run-", "tail-")  # killed at its commit as well
MERGES = ("run-doomed", "run-removed")
RESTORING = ":1"  # the first time, which is in a restore instead of a compacting
LOST = "an event that was answered 202 did not arrive everywhere"
UNREACHED = "it was never reached"


class Died(Exception):
    """The service was killed at its place."""


class Life:
    """A service with everything in its life, in phases."""

    def __init__(self, directory, place, seed):
        directory.mkdir()
        self.place = place
        self.name = place.split(">")[0].split(":")[0]
        self.receiver = Receiver()
        self.rng = random.Random(seed)
        self.receiver.script = self.answer
        expires = self.name in ("message-expired", "renewed")
        self.service = FaultyService(
            directory,
            env={"FAULTS_POINT": place},
            map_size=MAP,
            retry_schedule=",".join(["200ms" if expires else "20ms"] * 60),
            message_retention="1s" if expires else "90d",
            log_level="warn",
        )
        self.service.binary = FAILING
        self.accepted = {}
        self.app = None

    def answer(self, delivery):
        sick = delivery.path.startswith("/sick") or self.rng.random() < FAILURE_SHARE
        return Answer(500 if sick else 204)

    def post_batch(self, app, items):
        client = Client(self.service)
        client.call("POST", f"/api/v1/app/{app}/msg/batch", b'{"messages":[%s]}' % b",".join(items))
        client.close()
        self.alive()

    # ------------------------------------------------ phases

    def alive(self):
        if self.service.process and self.service.process.poll() == -signal.SIGKILL:
            raise Died
        return True

    def wait_for_death(self):
        """Returns when it does not come."""
        if self.service.process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.service.process.wait(PATIENCE)
        self.alive()

    def command(self, *words, data=None):
        """A command of the same binary, with the same place to die at."""
        data = [f"--data={data or self.service.data}", f"--map-size={MAP}", "--log-level=error"]
        done = subprocess.run([FAILING, *map(str, words), *data], env={**clean_environment(), **self.service.env},
                              capture_output=True, timeout=DEADLINE)
        if done.returncode == -signal.SIGKILL:
            raise Died
        return done

    def begin(self):
        if self.name == "format-step":
            shutil.unpack_archive(OLD_FORMAT, self.service.directory)
        self.service.start()
        self.app = self.service.new_app(uid="life")
        for number in range(2):
            self.service.subscribe(self.app, self.receiver, f"/{number}")

    def post(self):
        """Events one by one and in batches; every answer is noted before the next request."""
        client = Client(self.service)
        client.accepted = self.accepted
        for n in range(EVENTS):
            self.alive()
            client.send("life", b'{"n":%d,"pad":"%s"}' % (n, b"x" * self.rng.choice((10, 900, 6000))), f"key-{n}")
        client.close()
        self.alive()

    def work(self):
        """Tasks of several kinds, of one step and of several: disabling, recovering, deleting."""
        service = self.service
        other = service.new_app()
        endpoints = [service.subscribe(other, self.receiver, f"/sick/{n}") for n in range(2)]
        self.post_batch(other, [b'{"eventType":"bulk","payload":{"n":%d}}' % n for n in range(BACKLOG)])
        service.call("PATCH", f"/app/{other}/endpoint/{endpoints[0]}", {"disabled": True})
        service.call("PATCH", f"/app/{other}/endpoint/{endpoints[0]}", {"disabled": False})
        service.post(f"/app/{other}/endpoint/{endpoints[0]}/recover", {"since": "2020-01-01T00:00:00Z"})
        service.call("DELETE", f"/app/{other}/endpoint/{endpoints[1]}")
        service.call("DELETE", f"/app/{other}")
        eventually(lambda: self.alive() and service.metric("surehook_deliveries_waiting") == 0)

    def expire(self):
        """A delivery that outlives its message's retention, messages that go, a row of another kind."""
        service = self.service
        if self.name == "row-expired":
            service.post(f"/auth/app-portal-access/{self.app}", {})
            service.post(f"/auth/app/{self.app}/expire-all", {"expiry": 1})
        else:
            service.subscribe(self.app, self.receiver, "/sick")
            service.send(self.app)

    def grow(self):
        """Fills the index's tables, so that runs are written and merged."""
        app = self.service.new_app()
        item = b'{"eventType":"bulk","eventId":"%d-%d","payload":{}}'
        for batch in range(BULK_BATCHES_MERGE if self.name in MERGES else BULK_BATCHES):
            self.post_batch(app, [item % (batch, n) for n in range(BULK)])

    def copy(self):
        copies = self.service.directory
        self.command("backup", copies / "copy")
        self.alive()
        self.service.stop()
        if self.place.endswith(RESTORING):
            self.command("restore", copies / "copy", data=copies / "restored")
        elif self.name.startswith("replace-"):
            self.command("compact")

    # ------------------------------------------------ life and death

    def phases(self):
        yield self.begin
        yield self.post
        if self.name.startswith("task-"):
            yield self.work
        elif self.name in ("message-expired", "renewed", "row-expired"):
            yield self.expire
        elif self.name.startswith(("run-", "tail-")):
            yield self.grow
        elif self.name.startswith(("backup-", "replace-")):
            yield self.copy

    def lives(self):
        """False: it was killed at its place."""
        for phase in self.phases():
            try:
                phase()
            except Died:
                return False
            except Exception:  # whatever a caller meets whose service dies, which its status tells
                if self.service.process is None:  # it ended before it listened
                    return self.service.status != -signal.SIGKILL
                if self.service.process.wait(PATIENCE) == -signal.SIGKILL:
                    return False
                raise
        try:
            self.wait_for_death()
        except Died:
            return False
        return True

    def restore_again(self):
        """What an interrupted restore left does not hinder the next, or is the whole of it."""
        copies, service = self.service.directory, self.service
        again = run("restore", copies / "copy", f"--data={copies / 'restored'}", f"--map-size={MAP}")
        if again.returncode and not (copies / "restored" / "data.mdb").exists():
            yield f"restored again: {again.stderr}"
        shutil.copy(service.data / "admin.key", copies / "restored")
        service.data = service.options["data"] = copies / "restored"

    def judge(self):
        """What is wrong with what the dead process left."""
        self.service.kill()
        self.service.binary, self.service.env = BINARY, {}
        if self.place.endswith(RESTORING):
            yield from self.restore_again()
        if (self.service.data / "data.mdb").exists() and self.name != "format-step":
            unclean = check_clean(self.service, MAP)
            if unclean:
                yield f"check: {unclean}"
        self.receiver.script = lambda d: Answer()
        self.service.start()
        wanted = [(path, message) for message in self.accepted for path in ("/0", "/1")]
        try:
            self.receiver.wait_for(lambda: set(wanted) <= {(d.path, d.id) for d in self.receiver.deliveries}, 20)
        except TimeoutError:
            yield LOST
        for d in self.receiver.deliveries:
            if d.id in self.accepted and d.body != self.accepted[d.id]:
                yield f"{d.id} arrived with other bytes than were posted"
        yield from self.receiver.errors[:2]
        if self.service.post("/app", {"name": "after"}).status != 201:
            yield "the first key does not work"
        self.service.stop()
        unclean = check_clean(self.service, MAP)
        if unclean:
            yield f"check after the next start: {unclean}"

    def close(self):
        self.service.kill()
        self.receiver.close()


def trial(directory, place, seed, lie=False):
    """The findings of one life. `lie` plants a bug: the ledger has an event that nobody posted."""
    life = Life(directory, place, seed)
    try:
        if life.lives():
            return [UNREACHED]
        if lie:
            life.accepted["msg_lie"] = b"{}"
        return list(life.judge())
    finally:
        life.close()
        shutil.rmtree(directory)


def places(quick):
    """Each place of the list, and each of some of them in several ways."""
    listed = subprocess.run([FAILING, "version", "--fail-points"], check=True, capture_output=True, text=True)
    for name in listed.stdout.split():
        if quick and name in MERGES:
            continue
        yield name
        if name.startswith("replace-"):
            yield name + RESTORING
        within = name.startswith(WITHIN_BATCH)
        if within and (not quick or name.startswith("task-")):
            yield f"{name}>commit"
        if quick:
            continue
        if within:
            yield f"{name}>committed"
        for nth in (2, 3, 5, 8, 13) if name in COMMIT + ("request-begun", "outcome") else ():
            yield f"{name}:{nth}"


def experiment(quick, seed):
    row = Row("kill -9 between two steps")
    with scratch() as directory, ThreadPoolExecutor(WORKERS) as pool:
        lie = pool.submit(trial, directory / "lie", "committed:6", seed, lie=True)
        nowhere = pool.submit(trial, directory / "nowhere", "nowhere", seed)
        all_places = list(places(quick))
        trials = [pool.submit(trial, directory / f"{n}", place, seed) for n, place in enumerate(all_places)]
        for place, done in zip(all_places, trials):
            findings = done.result()
            row.check(not findings, f"{place}: {'; '.join(findings)}")
        row.plant("an event that was lost", lie.result() == [LOST])
        row.plant("a place that is not reached", nowhere.result() == [UNREACHED])
    yield row
