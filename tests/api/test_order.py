"""Strict order by key: an endpoint option, and the key of a message."""

import json
import threading
from collections import defaultdict

import pytest

from receivers import Answer
from surehook import eventually

# Some retries at once, and none that ends in the dead letters while a test runs.
LONG = ",".join(["10ms"] * 3 + ["1s"] * 20)


def ordered(service, app, receiver, ordering, path="/hook"):
    """An endpoint at the receiver with this ordering; its id."""
    endpoint = service.subscribe(app, receiver, path)
    change(service, app, endpoint, ordering)
    return endpoint


def change(service, app, endpoint, ordering):
    reply = service.call("PATCH", f"/app/{app}/endpoint/{endpoint}", {"ordering": ordering})
    assert (reply.status, reply.json()["ordering"]) == (200, ordering)


def key_of(service, app):
    """Messages' keys by id, from the service itself."""
    rows = service.get(f"/app/{app}/msg?limit=250").json()["data"]
    return {row["id"]: row["orderingKey"] for row in rows}


class Gate:
    """Fails what has one of its payloads until it is opened."""

    def __init__(self, receiver, *payloads):
        self.shut = set(payloads)
        receiver.script = lambda d: Answer(500 if d.body in self.shut else 204)

    def open(self):
        self.shut = set()


# ---------------------------------------------------------------- the fields


def test_the_option_is_shown_kept_and_cleared(service, app):
    body = {"url": "https://example.com/", "uid": "erp", "ordering": "key"}
    made = service.post(f"/app/{app}/endpoint", body)
    assert (made.status, made.json()["ordering"]) == (201, "key")
    path = f"/app/{app}/endpoint/erp"
    assert service.call("PATCH", path, {"description": "d"}).json()["ordering"] == "key"
    assert service.call("PUT", path, {**body, "ordering": "fifo"}).json()["ordering"] == "fifo"
    assert service.get(path).json()["ordering"] == "fifo"
    assert service.call("PATCH", path, {"ordering": None}).json()["ordering"] == "none"
    service.call("PATCH", path, {"ordering": "key"})
    del body["ordering"]
    assert service.call("PUT", path, body).json()["ordering"] == "key"


@pytest.mark.parametrize("value", ["", "Key", "random", 1, True, ["key"], {"key": 1}])
def test_no_other_ordering_is_taken(service, app, value):
    reply = service.post(f"/app/{app}/endpoint", {"url": "https://example.com/", "ordering": value})
    assert reply.status == 422
    assert reply.json()["detail"][0]["loc"] == ["body", "ordering"]
    assert service.get(f"/app/{app}/endpoint").json()["data"] == []


def test_the_key_of_a_message_is_shown_with_it(service, app):
    alone = service.send(app, orderingKey="customer é/7")
    item = {"eventType": "e", "payload": {}, "orderingKey": "k"}
    batch = service.post(f"/app/{app}/msg/batch", {"messages": [item, {"eventType": "e", "payload": {}}]})
    with_key, without = (result["id"] for result in batch.json()["data"])
    assert key_of(service, app) == {alone: "customer é/7", with_key: "k", without: None}
    assert service.get(f"/app/{app}/msg/{alone}").json()["orderingKey"] == "customer é/7"


# ---------------------------------------------------------------- order


def test_a_failing_message_holds_back_its_key_alone(start, receiver):
    service = start(retry_schedule=LONG)
    app = service.new_app()
    endpoint = ordered(service, app, receiver, "key")
    gate = Gate(receiver, b'{"n":0}')
    stuck = [service.send(app, b'{"n":%d}' % n, orderingKey="stuck") for n in range(3)]
    other = [service.send(app, orderingKey="other") for _ in range(3)]
    free = service.send(app)
    for msg in [*other, free]:
        service.until(app, msg, endpoint, "delivered")
    arrived = [d.id for d in receiver.deliveries]
    assert stuck[1] not in arrived and stuck[2] not in arrived
    assert [i for i in arrived if i in other] == other
    held = service.delivery(app, stuck[2], endpoint)
    assert (held["state"], held["nextAttempt"], held["waitsFor"]) == ("scheduled", None, stuck[0])
    assert service.delivery(app, stuck[0], endpoint)["waitsFor"] is None
    gate.open()
    service.until(app, stuck[2], endpoint, "delivered")
    succeeded = [d.id for d in receiver.deliveries if d.id in stuck]
    assert succeeded[-3:] == stuck
    assert set(succeeded[:-3]) <= {stuck[0]}


def test_a_dead_message_lets_the_next_go_and_goes_last_when_it_is_replayed(start, receiver):
    service = start(retry_schedule="")
    app = service.new_app()
    endpoint = ordered(service, app, receiver, "fifo")
    gate = Gate(receiver, b'{"n":0}')
    first, second = (service.send(app, b'{"n":%d}' % n) for n in range(2))
    service.until(app, second, endpoint, "delivered")
    assert service.delivery(app, first, endpoint)["state"] == "dead"
    gate.shut = {b'{"n":2}'}
    later = threading.Event()
    receiver.script = lambda d: Answer(hold=later)
    third = service.send(app, b'{"n":2}')
    receiver.wait(3)
    reply = service.post(f"/app/{app}/endpoint/{endpoint}/dead-letter/{first}/replay")
    assert reply.status == 202, reply.body
    assert service.delivery(app, first, endpoint)["waitsFor"] == third
    later.set()
    service.until(app, first, endpoint, "delivered")
    assert [d.id for d in receiver.deliveries] == [first, second, third, first]


def test_never_two_of_a_key_are_under_way_at_once(service, app, receiver):
    """With many keys and retries, through the hot path."""
    ordered(service, app, receiver, "key")
    lock = threading.Lock()
    busy, problems, tries = set(), [], defaultdict(int)
    keys = {}

    def script(d):
        key = keys[d.body]
        with lock:
            if key in busy:
                problems.append(f"{d.body} beside another of {key}")
            busy.add(key)
            tries[d.id] += 1
            fails = tries[d.id] == 1 and json.loads(d.body)["n"] % 3 == 0
        threading.Event().wait(0.002)  # what overlaps must have the time to do so
        with lock:
            busy.discard(key)
        return Answer(500 if fails else 204)

    receiver.script = script
    messages = []
    for n in range(200):
        keys[b'{"n":%d}' % n] = f"k{n % 7}"
        messages.append({"eventType": "e", "payload": {"n": n}, "orderingKey": f"k{n % 7}"})
    for at in range(0, 200, 20):
        for message in messages[at : at + 20]:
            payload = b'{"n":%d}' % message["payload"]["n"]
            service.send(app, payload, orderingKey=message["orderingKey"])
    eventually(lambda: service.metric("surehook_deliveries_waiting"), lambda n: n == 0)
    assert problems == []
    seen = defaultdict(list)
    for d in receiver.deliveries:
        line = seen[keys[d.body]]
        if not line or line[-1] != d.id:
            line.append(d.id)
    for line in seen.values():
        assert line == sorted(line) and len(set(line)) == len(line)


def test_the_order_survives_a_kill(start, receiver):
    service = start(retry_schedule=LONG)
    app = service.new_app()
    endpoint = ordered(service, app, receiver, "fifo")
    gate = Gate(receiver, b'{"n":0}')
    ids = [service.send(app, b'{"n":%d}' % n) for n in range(20)]
    receiver.wait(3)
    service.kill()
    service.start()
    gate.open()
    service.until(app, ids[-1], endpoint, "delivered")
    arrived = [d.id for d in receiver.deliveries]
    assert arrived == sorted(arrived)
    assert set(arrived) == set(ids)


# ---------------------------------------------------------------- changes


def test_switched_off_what_waited_goes_at_once(start, receiver):
    service = start(retry_schedule="1h")
    app = service.new_app()
    endpoint = ordered(service, app, receiver, "key")
    Gate(receiver, b'{"n":0}')
    ids = [service.send(app, b'{"n":%d}' % n, orderingKey="k") for n in range(4)]
    service.until(app, ids[0], endpoint, "retrying")
    change(service, app, endpoint, "none")
    for msg in ids[1:]:
        service.until(app, msg, endpoint, "delivered")


def test_from_fifo_to_key_each_key_keeps_its_order(start, receiver):
    service = start(retry_schedule="1h")
    app = service.new_app()
    endpoint = ordered(service, app, receiver, "fifo")
    Gate(receiver, b'{"n":0}')
    ids = [service.send(app, b'{"n":%d}' % n, orderingKey=f"k{n % 2}") for n in range(6)]
    service.until(app, ids[0], endpoint, "retrying")
    change(service, app, endpoint, "key")
    last = service.send(app, orderingKey="k1")
    service.until(app, last, endpoint, "delivered")
    assert [d.id for d in receiver.deliveries][1:] == [*ids[1::2], last]
    assert service.delivery(app, ids[2], endpoint)["waitsFor"] == ids[0]


def test_a_resend_does_not_wait_for_its_turn(start, receiver):
    service = start(retry_schedule="1h")
    app = service.new_app()
    endpoint = ordered(service, app, receiver, "key")
    Gate(receiver, b'{"n":0}')
    ids = [service.send(app, b'{"n":%d}' % n, orderingKey="k") for n in range(3)]
    service.until(app, ids[0], endpoint, "retrying")
    service.svix().message_attempt.resend(app, ids[2], endpoint)
    service.until(app, ids[2], endpoint, "delivered")
    assert service.delivery(app, ids[1], endpoint)["waitsFor"] == ids[0]


@pytest.mark.parametrize("ordering", ["key", "fifo"])
def test_disabled_or_deleted_nothing_that_waits_is_left(start, receiver, ordering):
    service = start(retry_schedule="1h")
    app = service.new_app()
    disabled = ordered(service, app, receiver, ordering, "/disabled")
    deleted = ordered(service, app, receiver, ordering, "/deleted")
    receiver.always(500)
    ids = [service.send(app, orderingKey="k") for _ in range(4)]
    for endpoint in (disabled, deleted):
        service.until(app, ids[0], endpoint, "retrying")
    service.call("PATCH", f"/app/{app}/endpoint/{disabled}", {"disabled": True})
    service.call("DELETE", f"/app/{app}/endpoint/{deleted}")
    for msg in ids:
        assert service.until(app, msg, disabled, "dead")["reason"] == "endpoint_disabled"
    eventually(lambda: service.metric("surehook_deliveries_waiting"), lambda n: n == 0)
