"""Kill -9 under load, with a ledger outside.

Each round: start, load over several connections, kill -9 at a random moment, check the data. At the
end the service runs until nothing waits, and the ledger, which has only what the producers and the
receivers saw, must balance:

  - every event that was answered 202 arrived at every endpoint of its application,
  - every delivery verifies with its endpoint's secret,
  - every delivery carries the bytes that were posted under its id,
  - events arrive twice only under the same id: one idempotency key never makes two events.

    python tests/faults/crash.py [--rounds 20] [--seed N]
"""

import argparse
import http.client
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "api"))

from receivers import Answer, Receiver
from surehook import Service, eventually, run

CONNECTIONS = 4
FAN_OUT = (2, 3)  # endpoints of each application
REPEAT_SHARE = 0.1  # requests sent again under the key of an earlier one
BATCH_SHARE = 0.05
FAILURE_SHARE = 0.1  # deliveries that a receiver refuses
MAP = "4g"


class Ledger:
    """What the outside world saw. Shared by all threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.accepted = {}  # id -> (application, payload)
        self.keys = {}  # key of an event -> (application, payload), sent and perhaps taken
        self.alone = []  # keys of events that were posted by themselves, under that Idempotency-Key
        self.answers = defaultdict(set)  # key of an event -> ids that it was answered
        self.findings = []

    def note(self, finding):
        with self.lock:
            self.findings.append(finding)

    def sent(self, key, app, payload, alone):
        with self.lock:
            self.keys[key] = (app, payload)
            if alone:
                self.alone.append(key)

    def answered(self, key, message):
        with self.lock:
            self.answers[key].add(message)
            self.accepted[message] = self.keys[key]

    def earlier(self, rng):
        with self.lock:
            key = rng.choice(self.alone[-50:]) if self.alone else None
            return key and (key, *self.keys[key])


class Producer(threading.Thread):
    """One connection that posts until the service dies."""

    def __init__(self, crash, number):
        super().__init__(daemon=True)
        self.crash = crash
        self.rng = random.Random(crash.rng.random())
        self.name = f"{crash.round}-{number}"
        self.count = 0

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.crash.service.port, timeout=30)
        try:
            while True:
                self.step(connection)
        except (OSError, http.client.HTTPException):
            pass  # killed; what was under way is unknown and may or may not arrive
        finally:
            connection.close()

    def step(self, connection):
        ledger = self.crash.ledger
        if self.rng.random() < BATCH_SHARE:
            self.post_batch(connection)
            return
        earlier = ledger.earlier(self.rng) if self.rng.random() < REPEAT_SHARE else None
        if earlier:
            key, app, payload = earlier
        else:
            key, app, payload = self.fresh()
            ledger.sent(key, app, payload, alone=True)
        body = b'{"eventType":"crash.test","payload":' + payload + b"}"
        reply = self.post(connection, f"/api/v1/app/{app}/msg", body, key)
        if reply is not None:
            ledger.answered(key, reply["id"])

    def fresh(self):
        self.count += 1
        name = f"{self.name}-{self.count}"
        app = self.rng.choice(list(self.crash.endpoints))
        padding = "x" * self.rng.choice((10, 100, 1000, 5000))
        # White space, escapes and numbers that a re-serialisation would change.
        payload = f'{{ "name":"{name}", "n":1.0,"n":1, "esc":"\\u0041\\/",  "pad":"{padding}" }}'
        return f"key-{name}", app, payload.encode()

    def post_batch(self, connection):
        items = [self.fresh() for _ in range(20)]
        app = items[0][1]
        for key, _, payload in items:
            self.crash.ledger.sent(key, app, payload, alone=False)
        messages = b",".join(b'{"eventType":"crash.batch","payload":%s}' % p for _, _, p in items)
        reply = self.post(
            connection, f"/api/v1/app/{app}/msg/batch", b'{"messages":[' + messages + b"]}", f"b-{items[0][0]}"
        )
        for (key, _, _), result in zip(items, reply["data"] if reply else ()):
            if result["status"] == 202:
                self.crash.ledger.answered(key, result["id"])

    def post(self, connection, path, body, key):
        """The answer, or None when the service was too busy."""
        headers = {"authorization": f"Bearer {self.crash.token}", "idempotency-key": key}
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status == 202:
            return json.loads(answer)
        if response.status not in (503, 507):
            self.crash.ledger.note(f"POST {path}: {response.status} {answer[:200]!r}")
        return None


class Crash:
    def __init__(self, directory, rounds=20, seed=None):
        self.rounds = rounds
        self.seed = seed if seed is not None else random.randrange(2**32)
        self.rng = random.Random(self.seed)
        self.ledger = Ledger()
        self.receivers = [Receiver() for _ in range(max(FAN_OUT))]
        self.endpoints = {}  # application -> number of its endpoints
        self.round = 0
        self.service = Service(
            directory,
            map_size=MAP,
            retry_schedule=",".join(["50ms"] * 30),
            log_level="warn",
            endpoint_max_in_flight=20,
        )

    def run(self):
        """All rounds and the balance; the findings, none when all is well."""
        try:
            self.set_up()
            for self.round in range(1, self.rounds + 1):
                self.crash_once()
            self.settle()
            self.balance()
        finally:
            self.service.stop()
            for receiver in self.receivers:
                receiver.close()
        return self.ledger.findings

    def set_up(self):
        self.service.start()
        self.token = self.service.token
        for fan_out in FAN_OUT:
            app = self.service.new_app()
            self.endpoints[app] = fan_out
            for receiver in self.receivers[:fan_out]:
                self.service.subscribe(app, receiver, f"/{app}")
        for number, receiver in enumerate(self.receivers):
            rng = random.Random(self.seed + number)
            receiver.script = lambda d, rng=rng: Answer(500 if rng.random() < FAILURE_SHARE else 204)

    def crash_once(self):
        if not self.service.process:
            self.service.start()
        producers = [Producer(self, n) for n in range(CONNECTIONS)]
        for producer in producers:
            producer.start()
        time.sleep(self.rng.uniform(0.1, 1.5))
        self.service.kill()
        for producer in producers:
            producer.join()
        checked = run("check", f"--data={self.service.data}", f"--map-size={MAP}", "--log-level=error")
        if checked.returncode:
            self.ledger.note(f"round {self.round}: check: {checked.stdout[-1000:]}{checked.stderr[-500:]}")

    def settle(self):
        self.service.start()
        for receiver in self.receivers:
            receiver.script = lambda d: Answer()
        eventually(lambda: self.service.metric("surehook_deliveries_waiting"), lambda n: n == 0, 120)
        dead = self.service.metric("surehook_dead_letters")
        if dead:
            self.ledger.note(f"{dead:.0f} dead letters, though every receiver answers in the end")

    def balance(self):
        ledger = self.ledger
        sent = set(ledger.keys.values())
        arrived = [Counter(d.id for d in receiver.deliveries) for receiver in self.receivers]
        for receiver in self.receivers:
            ledger.findings += receiver.errors
            for d in receiver.deliveries:
                app = d.path[1:]
                known = ledger.accepted.get(d.id)
                if known and known != (app, d.body):
                    ledger.note(f"{d.id} carried other bytes than were posted, or to another application")
                if not known and (app, d.body) not in sent:
                    ledger.note(f"{d.id} carried bytes that nobody posted")
        for message, (app, _) in ledger.accepted.items():
            for number in range(self.endpoints[app]):
                if not arrived[number][message]:
                    ledger.note(f"{message} was answered 202 and never reached endpoint {number} of {app}")
        for key, messages in ledger.answers.items():
            if len(messages) > 1:
                ledger.note(f"{key} was answered {len(messages)} different ids")
        self.count_events_by_payload()

    def count_events_by_payload(self):
        """A producer that lost its answer and asked again must not have made a second event."""
        ids = defaultdict(set)
        for receiver in self.receivers:
            for d in receiver.deliveries:
                ids[(d.path, d.body)].add(d.id)
        for (path, body), messages in ids.items():
            if len(messages) > 1:
                self.ledger.note(f"{body[:40]!r} became {len(messages)} events at {path}")

    def summary(self):
        deliveries = sum(len(receiver.deliveries) for receiver in self.receivers)
        wanted = sum(self.endpoints[app] for app, _ in self.ledger.accepted.values())
        return (
            f"crash: {self.rounds} rounds, seed {self.seed}: {len(self.ledger.accepted)} events acknowledged, "
            f"{deliveries} attempts for {wanted} deliveries, {len(self.ledger.findings)} findings"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        crash = Crash(directory, options.rounds, options.seed)
        findings = crash.run()
    for finding in findings[:50]:
        print(finding)
    print(crash.summary())
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
