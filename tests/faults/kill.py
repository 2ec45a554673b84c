"""Kill -9 under load, 200 times: a witness outside (witness.c) posts thousands of events a second with
fan-out and takes every delivery; the service is killed at random moments, its data is checked after each,
and in the end the witness's account must balance."""

import base64
import json
import random
import secrets
import subprocess
import time

from faults import DEADLINE, TOOLS, FaultyService, Row, check_clean, eventually, scratch

MAP = 4 << 30
FAN_OUT = (1, 2, 3)
PRODUCERS = 32
RATE_MIN = 1000  # events a second that the account must show


class Witness:
    def __init__(self, seed):
        secret = base64.b64encode(secrets.token_bytes(32)).decode()
        self.secret = "whsec_" + secret
        self.process = subprocess.Popen([TOOLS / "witness", secret, str(seed)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def tell(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def report(self):
        return json.loads(self.tell("report"))

    def end(self):
        """What it found."""
        self.process.stdin.close()
        findings = self.process.stderr.read().splitlines()
        self.process.wait(DEADLINE)
        return findings


class Kills:
    def __init__(self, directory, seed, row):
        self.rng = random.Random(seed)
        self.row = row
        self.witness = Witness(seed)
        # Short retention: what is long delivered goes, so that `check` stays quick, and retention is
        # killed at work as well.
        self.service = FaultyService(directory, map_size=MAP, retry_schedule=",".join(["50ms"] * 60),
                                     message_retention="1m", log_level="warn", endpoint_max_in_flight=100)
        self.loaded = 0.0

    def set_up(self):
        self.service.start()
        self.witness.tell("token", self.service.token)
        for number, fan_out in enumerate(FAN_OUT):
            app = self.service.new_app()
            self.witness.tell("app", app, fan_out)
            for endpoint in range(fan_out):
                fields = {"url": f"{self.witness.url}/{number}/{endpoint}", "secret": self.witness.secret}
                assert self.service.post(f"/app/{app}/endpoint", fields).status == 201
        self.service.kill()

    def round(self, number):
        self.service.start()
        begun = time.monotonic()
        self.witness.tell("post", f"127.0.0.1:{self.service.port}", PRODUCERS)
        time.sleep(self.rng.uniform(0.2, 1.5))
        self.service.kill()
        self.witness.tell("killed")
        self.loaded += time.monotonic() - begun
        unclean = check_clean(self.service, MAP)
        self.row.check(not unclean, f"round {number}: check: {unclean}")

    def balance(self):
        self.service.start()
        self.witness.tell("quiet")
        eventually(lambda: self.service.metric("surehook_deliveries_waiting") == 0, timeout=300)
        dead = self.service.metric("surehook_dead_letters")
        self.service.stop()
        report = self.witness.report()
        rate = report["accepted"] / self.loaded
        print(f"kill -9: {report}, {rate:.0f} events/s accepted", flush=True)
        self.row.check(report["missing"] == 0, f"{report['missing']} deliveries of accepted events are missing")
        self.row.check(dead == 0, f"{dead:.0f} dead letters, though every delivery is taken in the end")
        self.row.check(rate >= RATE_MIN, f"only {rate:.0f} events/s: too little load to show anything")
        self.witness.tell("forget")
        self.row.plant("a delivery that was lost", self.witness.report()["missing"] == 1)


def experiment(quick, seed):
    row = Row("kill -9 under load")
    with scratch() as directory:
        kills = Kills(directory, seed, row)
        try:
            kills.set_up()
            for number in range(1, 1 + (4 if quick else 200)):
                kills.round(number)
            kills.balance()
        finally:
            kills.service.kill()
            for finding in kills.witness.end():
                row.fail(finding)
    yield row
