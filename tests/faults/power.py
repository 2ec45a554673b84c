"""Power cut: the service runs with a recorder between it and its data file; then every state in which
a power cut may have left the file is opened (cut.c)."""

import random
import re
import subprocess
import threading
import time

from faults import TOOLS, WORKERS, Client, Control, Row, Service, eventually, scratch
from receivers import Answer, Receiver

MAP = 32 << 20
CLIENTS = 4
FAN_OUT = 2
PLANTS = ("no-sync", "lazy-meta", "early-answer")
PLANT_TRIES = 10


class Recording:
    """A run of the service with everything in it that writes: events of all sizes, batches, keys,
    retries, dead letters, replays, deletions, a restart."""

    def __init__(self, directory, events, seed):
        self.events = events
        self.rng = random.Random(seed)
        self.record = directory / "record"
        self.ledger = directory / "ledger"
        self.lock = threading.Lock()
        self.rows = []
        self.control = Control(directory / "control")
        self.receiver = Receiver()
        self.service = Service(
            directory,
            env=self.control.preload("disk.so", FAULTS_RECORD=str(self.record)),
            map_size=MAP,
            retry_schedule="10ms,20ms",
            log_level="warn",
        )

    def run(self):
        try:
            self.service.start()
            self.set_up()
            for half in range(2):
                self.load(half)
                if half == 0:
                    self.service.stop()
                    self.service.start()
            eventually(lambda: self.service.metric("surehook_deliveries_waiting") == 0, timeout=120)
        finally:
            self.service.stop()
            self.receiver.close()
        self.ledger.write_bytes(b"".join(self.rows))

    def set_up(self):
        rng = random.Random(self.rng.random())
        self.receiver.script = lambda d: Answer(500 if rng.random() < 0.25 else 204)
        self.app = self.service.new_app(uid="cut")
        for number in range(FAN_OUT):
            self.service.subscribe(self.app, self.receiver, f"/{number}")

    def load(self, half):
        threads = [threading.Thread(target=self.produce, args=(half, n)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        self.churn(half, threads)
        for thread in threads:
            thread.join()

    def produce(self, half, number):
        client = Client(self.service)
        rng = random.Random(self.rng.random())
        for n in range(self.events // CLIENTS // 2):
            name = f"{half}-{number}-{n}"
            if rng.random() < 0.03:
                self.post_batch(client, rng, name)
                continue
            payload = self.payload(rng, name)
            # One in ten under a key, and asked again: the second answer names the same event.
            key = name if rng.random() < 0.1 else None
            for _ in range(2 if key else 1):
                client.accepted.clear()
                client.send("cut", payload, key)
                self.note(client.accepted.items())
        client.close()

    def payload(self, rng, name):
        size = rng.choice((10, 10, 200, 200, 1000, 3000, 9000))
        return f'{{"name":"{name}","pad":"{"x" * size}"}}'.encode()

    def post_batch(self, client, rng, name):
        payloads = [self.payload(rng, f"{name}-{i}") for i in range(20)]
        items = b",".join(b'{"eventType":"fault.batch","payload":%s}' % p for p in payloads)
        status, answer = client.call("POST", "/api/v1/app/cut/msg/batch", b'{"messages":[' + items + b"]}")
        if status != 202:
            raise RuntimeError(f"a batch was answered {status}")
        ids = re.findall(rb'"id":"(msg_\w+)"', answer)
        self.note(zip((i.decode() for i in ids), payloads, strict=True))

    def note(self, accepted):
        """They are answered: what the file has been given by now owes them."""
        after = self.control.get("sequence")
        with self.lock:
            self.rows += [b"%d %s %d %s\n" % (after, i.encode(), FAN_OUT, p) for i, p in accepted]

    def churn(self, half, threads):
        """What else writes: applications and endpoints that come and go, replays, deletions."""
        service, count = self.service, 0
        while any(thread.is_alive() for thread in threads):
            count += 1
            app = service.new_app(uid=f"churn-{half}-{count}")
            endpoint = service.subscribe(app, self.receiver, f"/churn/{half}/{count}")
            msg = service.send(app, eventId=f"event-{count}")
            service.call("DELETE", f"/app/{app}/msg/{msg}/content")
            if count % 10 == 1:  # not more: what fails again and again would fill the map with attempts
                service.post(f"/app/{self.app}/dead-letter/replay")
            service.call("PATCH", f"/app/{app}/endpoint/{endpoint}", {"disabled": True})
            if count % 5 == 1:
                self.bring_rare_rows(half, count)
            if count % 2:
                service.call("DELETE", f"/app/{app}")
            time.sleep(0.1)

    def bring_rare_rows(self, half, count):
        """Those of a token, a consumer, results, a replay, a line and a sick endpoint."""
        service, age = self.service, {"since": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
        kept = service.new_app(uid=f"kept-{half}-{count}")
        service.post(f"/auth/app-portal-access/{kept}", {})
        line = service.subscribe(kept, self.receiver, f"/line/{half}/{count}")
        service.call("PATCH", f"/app/{kept}/endpoint/{line}", {"ordering": "fifo"})
        sick = service.post(f"/app/{kept}/endpoint", {"url": "http://127.0.0.1:1/"}).json()["id"]
        for n in range(3):
            service.send(kept, b'{"n":%d}' % n)
        service.get(f"/app/{kept}/poller/all/consumer/one?limit=1")
        service.post("/stats/usage/app", age)
        service.call("PUT", "/stats/usage/event-types")
        service.post(f"/app/{kept}/endpoint/{sick}/bulk-replay", {"since": age["since"]})


def explore(recording, states, seed, plant="none"):
    """Opens the states, a share in each process. Numbers of states and of bad ones, and findings."""
    processes = []
    for worker in range(WORKERS):
        directory = recording.record.parent / f"{plant}-{worker}"
        directory.mkdir(exist_ok=True)
        words = [recording.record, recording.ledger, directory, MAP, states, seed, worker, WORKERS, plant]
        processes.append(subprocess.Popen([TOOLS / "cut", *map(str, words)], stdout=subprocess.PIPE, text=True))
    opened = bad = 0
    findings = []
    for process in processes:
        *lines, last = process.communicate()[0].splitlines() or [""]
        found = re.fullmatch(r"(\d+) states, (\d+) bad", last)
        if not found:
            raise RuntimeError(f"cut ended with status {process.returncode}: {last}")
        opened, bad = opened + int(found[1]), bad + int(found[2])
        findings += lines
    return opened, bad, findings


def experiment(quick, seed):
    row = Row("power cut")
    with scratch() as directory:
        recording = Recording(directory, 200 if quick else 1200, seed)
        recording.run()
        row.trials, row.failures, findings = explore(recording, 400 if quick else 25_000, seed)
        row.findings = [f"power cut: {line}" for line in findings[:50]]
        for plant in PLANTS:
            # A bug that shows in few states is looked for until it does.
            found = any(explore(recording, 200, seed + n, plant)[1] for n in range(PLANT_TRIES))
            row.plant(plant, found)
    yield row
