"""What the experiments share: the control file of control.h, a service with a library preloaded, a
ledger of what was answered 202, and the row that each experiment prints."""

import http.client
import json
import mmap
import os
import struct
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "api"))

from surehook import BINARY, DEADLINE, Service, eventually, run

TOOLS = BINARY.parent / "faults"
FOREVER = 2**62
FAIL_HIDDEN = 1000  # as in control.h
WORKERS = os.cpu_count() or 1


@dataclass
class Row:
    """The outcome of an experiment. `findings` has a line for each failure (or the first of many)."""

    experiment: str
    trials: int = 0
    failures: int = 0
    findings: list = field(default_factory=list)
    planted: list = field(default_factory=list)  # (name of a bug put in on purpose, whether it was found)

    def check(self, good, finding):
        self.trials += 1
        if not good:
            self.fail(finding)

    def fail(self, finding):
        self.failures += 1
        self.findings.append(f"{self.experiment}: {finding}")

    def plant(self, name, found):
        self.planted.append((name, found))
        if not found:
            self.fail(f"the planted bug `{name}` was not found")


class Control:
    """The file that control.h describes."""

    NAMES = ("sequence", "calls", "write", "sync", "allocate", "memory", "fail_kind", "fail_at",
             "fail_more", "error", "quota", "failed", "spared")
    KINDS = {"write": 1, "sync": 2, "allocate": 3, "memory": 4}

    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(mmap.PAGESIZE))
        with path.open("r+b") as file:
            self.map = mmap.mmap(file.fileno(), mmap.PAGESIZE)

    def get(self, name):
        return struct.unpack_from("<Q", self.map, 8 * self.NAMES.index(name))[0]

    def set(self, name, value):
        struct.pack_into("<Q", self.map, 8 * self.NAMES.index(name), value)

    def fail(self, kind, nth, error=0, forever=False):
        """The n-th call of the kind from now on fails; with `forever` all behind it, too."""
        self.clear()
        self.set("error", error)
        self.set("fail_more", FOREVER if forever else 0)
        self.set("fail_at", self.get(kind) + nth)
        self.set("fail_kind", self.KINDS[kind])

    def clear(self):
        for name in ("fail_kind", "fail_at", "fail_more", "error", "quota", "failed", "spared"):
            self.set(name, 0)

    def preload(self, library, **more):
        return {"LD_PRELOAD": str(TOOLS / library), "FAULTS_CONTROL": str(self.path), **more}


class FaultyService(Service):
    """A service that may end by itself: `status` is how the last process ended."""

    status = None

    def starts(self):
        """False: it ended before it listened."""
        try:
            self.start()
            return True
        except RuntimeError:
            return False

    def _ended(self, expected):
        self.status = self.process.wait(DEADLINE)
        super()._ended(expected)


@contextmanager
def scratch():
    """A directory in memory where there is one: thousands of states are written there."""
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as directory:
        yield Path(directory)


class Client:
    """A connection that posts events and remembers which were answered 202."""

    def __init__(self, service, token=None):
        self.service = service
        self.token = token or service.token
        self.connection = None
        self.accepted = {}  # id -> payload

    def call(self, method, path, body=None, key=None):
        """The status and the answer; (0, None) when the service closed the connection or is gone."""
        headers = {"authorization": f"Bearer {self.token}"}
        if key:
            headers["idempotency-key"] = key
        try:
            if not self.connection:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=DEADLINE)
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            self.headers = response.headers
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return 0, None

    def send(self, app, payload, key=None):
        """The status of one event."""
        body = b'{"eventType":"fault.test","payload":' + payload + b"}"
        status, answer = self.call("POST", f"/api/v1/app/{app}/msg", body, key)
        if status == 202:
            self.accepted[json.loads(answer)["id"]] = payload
        return status

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


def missing(service, accepted, app):
    """What a running service lacks of the events that were answered 202."""
    for message, payload in accepted.items():
        reply = service.get(f"/app/{app}/msg/{message}")
        if reply.status != 200:
            yield f"{message} was answered 202 and is answered {reply.status} now"
        elif reply.json()["payload"] != json.loads(payload):
            yield f"{message} has another payload than was posted"


def check_clean(service, map_size):
    """What `surehook check` says of a stopped service's data; empty when all is well."""
    checked = run("check", f"--data={service.data}", f"--map-size={map_size}", "--log-level=error", timeout=300)
    return "" if checked.returncode == 0 else (checked.stdout + checked.stderr)[-500:] or f"{checked.returncode}"
