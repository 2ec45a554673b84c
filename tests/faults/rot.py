"""Bit rot: single bits of the data file flip while the service is stopped. Offline each flip must be
detected or harmless (rot.c); online the service sets a damaged event aside, delivers all others, and
signs no body that was not posted."""

import random
import re
import subprocess

from faults import TOOLS, WORKERS, Client, Row, Service, check_clean, eventually, scratch
from power import MAP, Recording
from receivers import Answer, Receiver

PLANTS = ("blind", "other-bytes")
ROUND_EVENTS = 60
ROUND_DAMAGED = 10


def flip_all(recording, trials, seed, plant="none"):
    """Flips and bad flips of all processes, their findings, and what else they count."""
    processes = []
    for worker in range(WORKERS):
        directory = recording.record.parent / f"rot-{plant}-{worker}"
        directory.mkdir()
        words = [recording.service.data / "data.mdb", recording.ledger, directory, MAP, trials, seed, worker,
                 WORKERS, plant]
        processes.append(subprocess.Popen([TOOLS / "rot", *map(str, words)], stdout=subprocess.PIPE, text=True))
    totals, findings = [0, 0, 0, 0], []
    for process in processes:
        *lines, last = process.communicate()[0].splitlines() or [""]
        found = re.fullmatch(r"(\d+) flips, (\d+) detected, (\d+) harmless, (\d+) bad", last)
        if not found:
            raise RuntimeError(f"rot ended with status {process.returncode}: {last}")
        totals = [a + int(b) for a, b in zip(totals, found.groups())]
        findings += lines
    return totals, findings


def offline(quick, seed):
    row = Row("bit rot, offline")
    with scratch() as directory:
        recording = Recording(directory, 200 if quick else 1000, seed)
        recording.run()
        (row.trials, detected, harmless, row.failures), findings = flip_all(recording, 100 if quick else 1000, seed)
        row.findings = [f"bit rot: {line}" for line in findings]
        print(f"bit rot: {detected} flips detected, {harmless} harmless")
        for plant in PLANTS:
            (*_, bad), _ = flip_all(recording, 20 if quick else 100, seed, plant)
            row.plant(plant, bad > 0)
    return row


class Round:
    """Events that wait on disk while bits of some of them flip."""

    def __init__(self, directory, rng):
        directory.mkdir()
        self.rng = rng
        self.receiver = Receiver()
        self.receiver.always(500)
        self.service = Service(directory, map_size=MAP, retry_schedule=",".join(["1s"] * 60), retry_jitter="0",
                               log_level="error")

    def run(self, row, hide=False):
        """`hide` plants a bug: the damaged events are taken for good ones."""
        service = self.service.start()
        app = service.new_app()
        service.subscribe(app, self.receiver)
        client = Client(service)
        for n in range(ROUND_EVENTS):
            pad = "z" * self.rng.choice((10, 500, 3000, 40_000))
            assert client.send(app, f'{{"mark":"rot-{n:04}","pad":"{pad}"}}'.encode()) == 202
        client.close()
        service.stop()
        damaged = set(self.rng.sample(list(client.accepted), ROUND_DAMAGED))
        self.flip([client.accepted[message] for message in damaged])
        row.check(check_clean(service, MAP), "check did not see damaged payloads")
        self.receiver.deliveries.clear()
        self.receiver.always(204)
        service.start()
        good = client.accepted.keys() - (set() if hide else damaged)
        arrived = {}
        try:
            self.receiver.wait_for(lambda: good <= {d.id for d in self.receiver.deliveries}, 5 if hide else 30)
            row.check(True, "")
        except TimeoutError:
            row.check(False, "a whole event was not delivered beside damaged ones")
        arrived = {d.id: d.body for d in self.receiver.deliveries}
        wrong = [i for i, body in arrived.items() if body != client.accepted[i]]
        row.check(not wrong, f"{wrong} arrived with other bytes than were posted")
        row.check(not self.receiver.errors, f"{self.receiver.errors[:2]}")
        eventually(lambda: service.metric("surehook_deliveries_waiting") == 0)
        row.check(service.send(app) and True, "")
        service.stop()
        self.receiver.close()

    def flip(self, payloads):
        """A bit of each of these, wherever its bytes stand in the file."""
        path = self.service.data / "data.mdb"
        data = bytearray(path.read_bytes())
        for payload in payloads:
            mark = payload[:18]
            at = data.find(mark)
            assert at >= 0
            while at >= 0:
                data[at + self.rng.randrange(9, 18)] ^= 1 << self.rng.randrange(8)
                at = data.find(mark, at + 1)
        path.write_bytes(data)


def online(quick, seed):
    row = Row("bit rot, while serving")
    rng = random.Random(seed)
    with scratch() as directory:
        for number in range(1 if quick else 5):
            Round(directory / f"{number}", rng).run(row)
        planted = Row("planted")
        Round(directory / "planted", rng).run(planted, hide=True)
        row.plant("a damaged event that counts as whole", planted.failures > 0)
    return row


def experiment(quick, seed):
    yield offline(quick, seed)
    yield online(quick, seed)
