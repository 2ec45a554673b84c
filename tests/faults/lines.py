"""Order by key under kill -9, judged by what the receiver saw.

Each round: start, post to several keys and to a FIFO endpoint, while the receiver fails some of its
deliveries, kill -9 at a random moment, check the data. Ids of messages grow in the order in which
they were accepted, so that of every line (an endpoint's key, or all of a FIFO endpoint)

  - the ids arrive in their order, and the same one again only before the next;
  - the next one arrives only after the one before was answered with a success;
  - whatever was answered 202 arrives in the end.

    python tests/faults/lines.py [--rounds 10] [--seed N]
"""

import argparse
import http.client
import json
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "api"))

from receivers import Answer, Receiver
from surehook import Service, eventually, run

KEYS = ("a", "b", "c", None)
FAILURE_SHARE = 0.2  # deliveries that the receiver refuses


class Line:
    """What arrived in one line. The law needs the last one alone."""

    def __init__(self):
        self.last = ""
        self.succeeded = True
        self.seen = set()

    def take(self, message, succeeds):
        """A finding, or None."""
        finding = None
        if message < self.last:
            finding = f"{message} arrived behind {self.last}"
        elif message > self.last and not self.succeeded:
            finding = f"{message} arrived while {self.last} had not succeeded"
        self.succeeded = succeeds or (message == self.last and self.succeeded)
        self.last = max(self.last, message)
        self.seen.add(message)
        return finding


class Lines:
    def __init__(self, directory, rounds=10, seed=None):
        self.rounds = rounds
        self.seed = seed if seed is not None else random.randrange(2**32)
        self.rng = random.Random(self.seed)
        self.lock = threading.Lock()
        self.lines = {}  # (path, key) -> Line
        self.accepted = []  # (id, key)
        self.findings = []
        self.failing = True
        self.receiver = Receiver()
        self.service = Service(
            directory, retry_schedule=",".join(["5ms"] * 20 + ["1s"] * 10), log_level="warn"
        )

    def run(self):
        """All rounds and the end; the findings, none when all is well."""
        try:
            self.set_up()
            for _ in range(self.rounds):
                self.crash_once()
            self.settle()
        finally:
            self.service.stop()
            self.receiver.close()
        return self.findings + self.receiver.errors

    def set_up(self):
        self.service.start()
        self.token = self.service.token
        self.app = self.service.new_app()
        for ordering in ("key", "fifo"):
            endpoint = self.service.subscribe(self.app, self.receiver, f"/{ordering}")
            path = f"/app/{self.app}/endpoint/{endpoint}"
            assert self.service.call("PATCH", path, {"ordering": ordering}).status == 200
        self.receiver.script = self.judge

    def judge(self, delivery):
        key = json.loads(delivery.body)["key"]
        ordered = delivery.path == "/fifo" or key is not None
        with self.lock:
            succeeds = not self.failing or self.rng.random() >= FAILURE_SHARE
            name = (delivery.path, key if delivery.path == "/key" else "all")
            line = self.lines.setdefault(name, Line())
            finding = line.take(delivery.id, succeeds)
            if finding and ordered:
                self.findings.append(f"{name}: {finding}")
        return Answer(204 if succeeds else 500)

    def post(self, key):
        """Posts to one key, one after another, until the service dies."""
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=30)
        body = {"eventType": "line.test", "payload": {"key": key}, "orderingKey": key}
        headers = {"authorization": f"Bearer {self.token}"}
        try:
            while True:
                connection.request("POST", f"/api/v1/app/{self.app}/msg", json.dumps(body), headers)
                response = connection.getresponse()
                answer = json.loads(response.read())
                with self.lock:
                    if response.status == 202:
                        self.accepted.append((answer["id"], key))
                    elif response.status not in (503, 507):
                        self.findings.append(f"POST: {response.status} {answer}")
        except (OSError, http.client.HTTPException, ValueError):
            pass  # killed
        finally:
            connection.close()

    def crash_once(self):
        if not self.service.process:
            self.service.start()
        producers = [threading.Thread(target=self.post, args=(key,), daemon=True) for key in KEYS]
        for producer in producers:
            producer.start()
        time.sleep(self.rng.uniform(0.1, 0.6))
        self.service.kill()
        for producer in producers:
            producer.join()
        checked = run("check", f"--data={self.service.data}", "--map-size=256m", "--log-level=error")
        if checked.returncode:
            self.findings.append(f"check: {checked.stdout[-1000:]}{checked.stderr[-500:]}")

    def settle(self):
        self.failing = False
        self.service.start()
        eventually(lambda: self.service.metric("surehook_deliveries_waiting"), lambda n: n == 0, 120)
        if self.service.metric("surehook_dead_letters"):
            self.findings.append("a message died, though the receiver answers in the end")
        for message, key in self.accepted:
            for name in (("/key", key), ("/fifo", "all")):
                if message not in self.lines[name].seen:
                    self.findings.append(f"{message} was answered 202 and never came to {name}")

    def summary(self):
        return (
            f"order: {self.rounds} rounds, seed {self.seed}: {len(self.accepted)} events acknowledged, "
            f"{len(self.receiver.deliveries)} attempts, {len(self.findings)} findings"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        lines = Lines(directory, options.rounds, options.seed)
        findings = lines.run()
    for finding in findings[:50]:
        print(finding)
    print(lines.summary())
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
