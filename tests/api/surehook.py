"""The service under test: one process on a free port and a directory of its own."""

import base64
import hmac
import http.client
import json
import os
import re
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from svix.api import EndpointIn, Svix, SvixOptions

from receivers import DEADLINE, hmac_secret

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("SUREHOOK_BINARY", ROOT / "build/surehook")).resolve()
EVENTS = ROOT / "tests/data/events.ndjson"

# Every client of the SDK makes a TLS context, though all speak plain HTTP: it shall not read a hundred
# authorities each time, which takes longer than most of what a test asks.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = os.devnull

# Whether figures of memory are ours: a sanitizer adds its own.
SANITIZED = BINARY.exists() and re.search(rb"__[at]san_init", BINARY.read_bytes()) is not None

# What suits most tests: receivers are on loopback, a schedule ends within a moment, and no breaker
# stops it before.
DEFAULTS = {
    "listen": "127.0.0.1:0",
    "allow-subnets": "127.0.0.0/8",
    "retry-schedule": "10ms,10ms",
    "breaker-attempts": "0",
    "map-size": "256m",
    "log-level": "debug",
}


def clean_environment():
    """Options are read from SUREHOOK_*, so that the child must not inherit ours. And no test depends on a name
    server: whom the C library asks no times (resolv.conf(5)) says neither yes nor, late, no."""
    keep = ("PATH", "HOME", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS")
    return {"RES_OPTIONS": "attempts:0", **{name: os.environ[name] for name in keep if name in os.environ}}


def run(*words, env=None, timeout=DEADLINE):
    """A command of the binary, to its end."""
    return subprocess.run(
        [BINARY, *map(str, words)],
        env={**clean_environment(), **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def eventually(ask, good=bool, timeout=DEADLINE):
    """Asks until the answer is good. For what the service tells only when asked."""
    deadline = time.monotonic() + timeout
    while True:
        answer = ask()
        if good(answer):
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"last answer: {answer!r}")
        time.sleep(0.01)


def jwt(secret, header=None, signature=None, **claims):
    """A token of the Svix form; `header` and `signature` forge one."""
    encode = lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    parts = [header or {"alg": "HS256", "typ": "JWT"}, claims]
    text = ".".join(encode(json.dumps(part).encode()) for part in parts)
    made = hmac.digest(secret.encode(), text.encode(), "sha256")
    return f"{text}.{encode(made) if signature is None else signature}"


@dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)


class Service:
    source = None  # (address, port) that calls come from
    binary = BINARY

    def __init__(self, directory, env=None, **options):
        self.directory = Path(directory)
        self.data = self.directory / "data"
        self.log = self.directory / "log"
        self.env = env or {}
        self.options = {**DEFAULTS, "data": self.data}
        self.options |= {name.replace("_", "-"): value for name, value in options.items()}
        self.process = None
        self.port = None

    def words(self):
        return [f"--{name}={value}" for name, value in self.options.items() if value is not None]

    def start(self, **options):
        """Returns once it listens. Options given here stay for later starts."""
        self.options |= {name.replace("_", "-"): value for name, value in options.items()}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", *self.words()],
                env={**clean_environment(), **self.env},
                stdout=subprocess.PIPE,
                stderr=log,
            )
        line = self._first_line()
        found = re.fullmatch(rb"listening on http://(\S+):(\d+)\n", line)
        if not found:
            self.kill()
            raise RuntimeError(f"the service said {line!r}\n{self.log.read_text()[-2000:]}")
        self.port = int(found[2])
        return self

    def _first_line(self):
        out = self.process.stdout
        ready, _, _ = select.select([out], [], [], DEADLINE)
        return out.readline() if ready else b""

    def stop(self, sig=signal.SIGTERM):
        """A clean end; the exit status is part of every test."""
        if self.process:
            self.process.send_signal(sig)
            self._ended(0)

    def kill(self):
        if self.process:
            self.process.kill()
            self._ended(None)

    def _ended(self, expected):
        status = self.process.wait(DEADLINE)
        self.process.stdout.close()
        self.process = None
        assert expected is None or status == expected, (status, self.log.read_text()[-4000:])

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self):
        return (self.data / "admin.key").read_text().strip()

    def svix(self, token=None):
        """The official SDK, without its retries: they would hide what we answer."""
        return Svix(token or self.token, SvixOptions(server_url=self.url, retry_schedule=[]))

    def call(self, method, path, body=None, token=None, headers=None, api="/api/v1"):
        """A request with full control; `body` is bytes, or anything that JSON can say."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        fields = {"authorization": f"Bearer {token or self.token}", **(headers or {})}
        address = ("127.0.0.1", self.port)
        connection = http.client.HTTPConnection(*address, DEADLINE, self.source)
        try:
            connection.request(method, api + path, body, {k: v for k, v in fields.items() if v})
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path, **kwargs):
        return self.call("GET", path, **kwargs)

    def post(self, path, body=None, **kwargs):
        return self.call("POST", path, body, **kwargs)

    def new_app(self, **fields):
        reply = self.post("/app", {"name": "Test", **fields})
        assert reply.status == 201, reply.body
        return reply.json()["id"]

    def subscribe(self, app, receiver, path="/hook", secret=None, verify=None, **fields):
        """An endpoint at the receiver, which knows its secret; the id."""
        secret = secret or hmac_secret()
        receiver.expect(path, verify or secret)
        endpoint = EndpointIn(url=receiver.url + path, secret=secret, **fields)
        return self.svix().endpoint.create(app, endpoint).id

    def send(self, app, payload=b'{"n":1}', event_type="test.event", token=None, headers=None, **fields):
        """Posts the exact payload bytes; the reply must be 202. The message's id."""
        reply = self.try_send(app, payload, event_type, token, headers, **fields)
        assert reply.status == 202, reply.body
        return reply.json()["id"]

    def try_send(self, app, payload=b'{"n":1}', event_type="test.event", token=None, headers=None, **fields):
        members = [f'"{name}":{json.dumps(value)}'.encode() for name, value in fields.items()]
        members += [b'"eventType":' + json.dumps(event_type).encode(), b'"payload":' + payload]
        body = b"{" + b",".join(members) + b"}"
        return self.post(f"/app/{app}/msg", body, token=token, headers=headers)

    def delivery(self, app, msg, endpoint):
        """Ours: what happened to one message at one endpoint, and what happens next."""
        reply = self.get(f"/app/{app}/msg/{msg}/endpoint/{endpoint}")
        assert reply.status == 200, reply.body
        return reply.json()

    def until(self, app, msg, endpoint, state):
        return eventually(
            lambda: self.delivery(app, msg, endpoint), lambda answer: answer["state"] == state
        )

    def metric(self, name):
        """A figure of /metrics; `name` with its labels, as printed."""
        text = self.get("/metrics", api="").body.decode()
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else None
