"""What a hostile receiver can do to an attempt, each way by itself and all of them at once: the attempt ends
in time and as its class, memory stays, and the endpoint beside it gets everything.

One service meets them all; the tests look at what became of each."""

import pytest

from chaos import Chaos
from receivers import Receiver
from surehook import BINARY, SANITIZED, Service, eventually
from test_isolation import anonymous_memory

CHAOS = BINARY.parent / "chaos/chaos"

# Milliseconds. What ends by itself must not meet a timeout on a busy machine; an attempt without an end would
# show beside either. How much longer than its timeout one lasts, `make isolation` measures: a second at most.
REQUEST_TIMEOUT, PATIENCE = 400, 20_000
SLACK = 5000

# What an attempt ends as, and its status: 0 where there was no answer.
SUCCESS, REFUSAL = ("success", 200), ("status", 500)
REFUSED, TIMEOUT, TLS, PROTOCOL = ("refused", 0), ("timeout", 0), ("tls", 0), ("protocol", 0)
EXPECTED = {
    "drip-body": SUCCESS,  # the status decides
    "drip-headers": TIMEOUT,
    "drip-status": TIMEOUT,
    "drip-informational": TIMEOUT,
    "drip-refusal": REFUSAL,
    "silent": TIMEOUT,
    "deaf": TIMEOUT,
    "close": REFUSED,
    "close-headers": PROTOCOL,
    "reset": REFUSED,
    "reset-accept": REFUSED,
    "reset-headers": REFUSED,
    "reset-body": SUCCESS,
    "garbage": PROTOCOL,
    "garbage-flood": PROTOCOL,
    "garbage-in-headers": PROTOCOL,
    "endless-body": SUCCESS,
    "endless-chunks": SUCCESS,
    "endless-trailers": SUCCESS,
    "endless-refusal": REFUSAL,
    "headers-100000": PROTOCOL,
    "headers-short": PROTOCOL,
    "header-endless": PROTOCOL,
    "informational-flood": PROTOCOL,
    "continue-flood": PROTOCOL,
    "switching-protocols": TIMEOUT,
    "gzip-bomb": SUCCESS,
    "gzip-bomb-in-transfer": SUCCESS,
    "encodings": PROTOCOL,
    "length-negative": PROTOCOL,
    "length-huge": SUCCESS,
    "chunk-huge": SUCCESS,
    "status-000": PROTOCOL,
    "http2-unasked": PROTOCOL,
    "tls-silent": TIMEOUT,
    "tls-stall": TIMEOUT,
    "tls-reset": TLS,
    "tls-flood": TLS,
    "tls-drip": TIMEOUT,
    "tls-plain": TLS,
}

# Of each event; the large one is still being sent when most misbehaviours begin.
PAYLOADS = [b'{"n":1}', b'{"n":2}', b'{"n":"' + b"x" * 300_000 + b'"}']


class Ordeal:
    """A service, an application for each behaviour with a hostile and a healthy endpoint, and what came of
    it."""

    def __init__(self, directory):
        self.chaos = Chaos(CHAOS)
        self.healthy = Receiver()
        self.service = Service(
            directory,
            request_timeout=f"{PATIENCE}ms",
            retry_schedule="",
            log_level="warn",
        ).start()
        try:
            self.sent = {name: self.send(name) for name in self.chaos.ports}
            self.attempts = {name: self.ended(name) for name in self.chaos.ports}
            self.healthy.wait(len(PAYLOADS) * len(self.sent))
            self.figures = self.chaos.figures()
            self.memory = anonymous_memory(self.service)
        finally:
            self.service.stop()
            self.healthy.close()
            self.chaos.stop()

    def send(self, name):
        app = self.service.new_app(uid=name)
        body = {"url": self.chaos.url(name), "uid": "hostile"}
        if EXPECTED[name] == TIMEOUT:
            body["attemptTimeout"] = f"{REQUEST_TIMEOUT}ms"
        reply = self.service.post(f"/app/{app}/endpoint", body)
        assert reply.status == 201, reply.body
        self.service.subscribe(app, self.healthy, f"/{name}")
        return [self.service.send(app, payload) for payload in PAYLOADS]

    def ended(self, name):
        """The attempts at the hostile endpoint, once there is one for each event."""
        path = f"/app/{name}/attempt/endpoint/hostile"
        ask = lambda: self.service.get(path).json()["data"]
        return eventually(ask, lambda attempts: len(attempts) == len(PAYLOADS))


@pytest.fixture(scope="module")
def ordeal(tmp_path_factory):
    return Ordeal(tmp_path_factory.mktemp("chaos"))


def test_every_behaviour_is_expected_to_end_somehow(ordeal):
    assert sorted(ordeal.sent) == sorted(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_attempt_ends_as_its_class_and_in_time(ordeal, name):
    """By our clock, and by the receiver's: how long its longest connection lasted."""
    attempts = ordeal.attempts[name]
    assert {a["msgId"] for a in attempts} == set(ordeal.sent[name])
    assert {(a["outcome"], a["responseStatusCode"]) for a in attempts} == {EXPECTED[name]}
    assert max(a["responseDurationMs"] for a in attempts) <= REQUEST_TIMEOUT + SLACK
    assert ordeal.figures[name]["connections"] >= len(PAYLOADS)
    assert ordeal.figures[name]["longest_us"] <= (REQUEST_TIMEOUT + SLACK) * 1000


def test_the_healthy_endpoint_beside_each_gets_everything(ordeal):
    assert ordeal.healthy.errors == []
    for name, ids in ordeal.sent.items():
        arrived = [d.id for d in ordeal.healthy.deliveries if d.path == f"/{name}"]
        assert sorted(arrived) == sorted(ids)


@pytest.mark.skipif(SANITIZED, reason="the sanitizer's memory is not ours")
def test_all_of_it_at_once_is_bounded_in_memory(ordeal):
    assert ordeal.memory < 64 * 1024 * 1024


def test_nothing_hostile_is_left_unbegun(ordeal):
    """The control: a behaviour that never began would have been survived by all."""
    idle = {name for name, seen in ordeal.figures.items() if not seen["begun"]}
    assert idle == {"deaf"}
