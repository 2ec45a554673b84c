"""Every change of an endpoint with a delivery in every state that it can wait in: docs/api.md has
the table. Nothing is timed: what is under way stays so until the test lets the receiver answer."""

import threading

import pytest

from receivers import Answer
from surehook import eventually

STATES = ["queued", "in flight", "retrying", "held back by order", "paused"]


class Scene:
    """A message in a state at an endpoint with room for one attempt, until `go`."""

    def __init__(self, service, receiver, state):
        self.service, self.receiver = service, receiver
        self.app = service.new_app()
        self.endpoint = service.subscribe(self.app, receiver)
        self.gates = {}  # by message: its next attempt is held, then answered so
        self.lock = threading.Lock()
        receiver.script = self._answer
        self.edit(maxInFlight=1, retryPolicy={"schedule": ["1ms"], "jitterPercent": 0})
        getattr(self, "_" + state.replace(" ", "_"))()
        self.state = state

    @property
    def path(self):
        return f"/app/{self.app}/endpoint/{self.endpoint}"

    def edit(self, **fields):
        reply = self.service.call("PATCH", self.path, fields)
        assert reply.status == 200, reply.body

    def _answer(self, delivery):
        with self.lock:
            gate = self.gates.pop(delivery.body, None)
        if not gate:
            return Answer()
        event, status = gate
        return Answer(status, hold=event)

    def _send_held(self, payload, status):
        """A message whose first attempt is under way until the event is set."""
        event = threading.Event()
        self.gates[payload] = event, status
        before = len(self.receiver.deliveries)
        msg = self.service.send(self.app, payload)
        self.receiver.wait(before + 1)
        return msg, event

    def _queued(self):
        _, self.blocker = self._send_held(b'{"n":1}', 204)
        self.msg = self.service.send(self.app, b'{"n":2}')
        self.go = self.blocker.set

    def _in_flight(self):
        self.msg, event = self._send_held(b'{"n":2}', 500)
        self.go = event.set

    def _retrying(self):
        """Its retry is due, and another message has the place."""
        self.msg, first = self._send_held(b'{"n":2}', 500)
        blocker = threading.Event()
        self.gates[b'{"n":1}'] = blocker, 204
        self.service.send(self.app, b'{"n":1}')
        first.set()
        self.receiver.wait(2)
        self.service.until(self.app, self.msg, self.endpoint, "retrying")
        self.go = blocker.set

    def _held_back_by_order(self):
        self.edit(ordering="fifo")
        first, blocker = self._send_held(b'{"n":1}', 204)
        self.msg = self.service.send(self.app, b'{"n":2}')
        assert self.delivery()["waitsFor"] == first
        self.go = blocker.set

    def _paused(self):
        self.edit(paused=True)
        self.msg = self.service.send(self.app, b'{"n":2}')
        self.go = lambda: self.edit(paused=False)

    def delivery(self):
        return self.service.delivery(self.app, self.msg, self.endpoint)

    def until(self, state):
        return self.service.until(self.app, self.msg, self.endpoint, state)

    def attempts(self):
        """What the receiver saw of the message."""
        return [d for d in self.receiver.deliveries if d.id == self.msg]

    @property
    def made(self):
        """Attempts that began before the change."""
        return 1 if self.state in ("in flight", "retrying") else 0


@pytest.fixture(params=STATES)
def scene(request, service, receiver):
    return Scene(service, receiver, request.param)


def test_a_new_url_gets_what_waits_and_every_later_attempt(scene):
    secret = scene.receiver._secrets["/hook"]
    scene.receiver.expect("/new", secret)
    scene.edit(url=scene.receiver.url + "/new")
    scene.go()
    scene.until("delivered")
    paths = [d.path for d in scene.attempts()]
    assert paths == ["/hook"] * scene.made + ["/new"]


def test_filters_judge_what_comes_and_let_go_on_what_was_accepted(scene):
    scene.service.post("/event-type", {"name": "other", "description": ""})
    scene.edit(eventTypes=["other"])
    later = scene.service.send(scene.app, b'{"n":3}')
    scene.go()
    scene.until("delivered")
    assert len(scene.attempts()) == scene.made + 1
    reply = scene.service.get(f"/app/{scene.app}/msg/{later}/endpoint/{scene.endpoint}")
    assert reply.status == 404


def test_channels_judge_what_comes_alone_too(scene):
    scene.edit(channels=["elsewhere"])
    scene.go()
    scene.until("delivered")
    assert len(scene.attempts()) == scene.made + 1


def test_new_headers_go_with_every_attempt_that_begins_later(scene):
    scene.edit(headers={"x-version": "2"})
    scene.go()
    scene.until("delivered")
    versions = [d.headers.get("x-version") for d in scene.attempts()]
    assert versions == [None] * scene.made + ["2"]


def test_a_new_authentication_goes_with_every_attempt_that_begins_later(scene):
    basic = {"type": "basic", "username": "user", "password": "new"}
    assert scene.service.call("PUT", scene.path + "/authentication", basic).status == 204
    scene.go()
    scene.until("delivered")
    shown = [d.headers.get("authorization") for d in scene.attempts()]
    assert shown == [None] * scene.made + ["Basic dXNlcjpuZXc="]


@pytest.fixture(params=STATES)
def tls_scene(request, start, authority, new_receiver):
    service = start(ca_file=authority.file)
    return Scene(service, new_receiver(authority.tls(clients=authority.file)), request.param)


def test_a_new_certificate_is_shown_at_every_attempt_that_begins_later(tls_scene, authority):
    certificate, key = authority.client("new")
    pair = {"clientCertificate": certificate, "clientKey": key}
    assert tls_scene.service.call("PUT", tls_scene.path + "/tls", pair).status == 204
    tls_scene.go()
    tls_scene.until("delivered")
    assert [d.client for d in tls_scene.attempts()] == [None] * tls_scene.made + ["new"]


def test_a_new_secret_signs_every_attempt_that_begins_later(scene):
    """A rotation: the receiver, which knows the new one alone from here on, verifies each."""
    service = scene.service
    reply = service.post(scene.path + "/secret/rotate", {"gracePeriodSeconds": 0})
    assert reply.status == 204
    key = service.get(scene.path + "/secret").json()["key"]
    scene.receiver.expect("/hook", key)
    scene.go()
    scene.until("delivered")
    assert len(scene.attempts()) == scene.made + 1
    signatures = scene.attempts()[-1].headers["webhook-signature"].split(" ")
    assert len(signatures) == 1


def test_a_pause_holds_it_and_resuming_lets_it_go(scene):
    scene.edit(paused=True)
    if scene.state != "paused":
        scene.go()
    if scene.state == "in flight":
        scene.until("retrying")
    marker(scene)
    assert len(scene.attempts()) == scene.made
    scene.edit(paused=False)
    scene.until("delivered")
    assert len(scene.attempts()) == scene.made + 1


def marker(scene):
    """Once it returns, another endpoint has got an event that is younger than the change."""
    other = scene.service.subscribe(scene.app, scene.receiver, "/other")
    msg = scene.service.send(scene.app, b'{"n":9}', event_type="marker")
    scene.service.until(scene.app, msg, other, "delivered")


def recorded(scene):
    return scene.service.get(f"/app/{scene.app}/attempt/msg/{scene.msg}").json()["data"]


def test_disabling_makes_a_dead_letter_of_it(scene):
    scene.edit(disabled=True)
    if scene.state != "in flight":
        assert scene.until("dead")["reason"] == "endpoint_disabled"
    if scene.state != "paused":
        scene.go()
    assert scene.until("dead")["reason"] == "endpoint_disabled"
    eventually(lambda: len(recorded(scene)) == scene.made)
    marker(scene)
    scene.edit(disabled=False)
    scene.go()
    fresh = scene.service.send(scene.app, b'{"n":4}')
    scene.service.until(scene.app, fresh, scene.endpoint, "delivered")
    assert len(scene.attempts()) == scene.made
    letters = scene.service.get(scene.path + "/dead-letter").json()["data"]
    assert scene.msg in [letter["id"] for letter in letters]


def test_an_attempt_that_succeeds_after_its_endpoint_was_disabled_delivers(service, receiver):
    scene = Scene(service, receiver, "queued")
    blocked = scene.receiver.deliveries[0].id
    scene.edit(disabled=True)
    scene.go()
    service.until(scene.app, blocked, scene.endpoint, "delivered")
    assert service.get(scene.path + "/dead-letter").json()["data"][0]["id"] == scene.msg


def test_deleting_cancels_it(scene):
    """Nobody can ask for a delivery of an endpoint that is gone; its attempts are kept."""
    assert scene.service.call("DELETE", scene.path).status == 204
    if scene.state != "paused":
        scene.go()
    marker(scene)
    assert len(scene.attempts()) == scene.made
    assert scene.service.get(f"/app/{scene.app}/dead-letter").json()["data"] == []
    eventually(lambda: len(recorded(scene)) == scene.made)
    eventually(lambda: scene.service.metric("surehook_deliveries_waiting") == 0)
