"""No endpoint changes another's deliveries, nor ingest, nor memory: promises 3 and 4."""

import re
import threading
import time
from pathlib import Path

import pytest

from receivers import Answer
from surehook import SANITIZED, eventually


def anonymous_memory(service):
    """Resident bytes but for mapped files: the store's map is the page cache's business."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) * 1024


def batch(service, app, count, size=10):
    messages = [{"eventType": "e", "payload": {"n": n, "x": "y" * size}} for n in range(count)]
    reply = service.post(f"/app/{app}/msg/batch", {"messages": messages})
    assert reply.status == 202, reply.body
    return [item["id"] for item in reply.json()["data"]]


@pytest.fixture
def never():
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("sick", ["hangs", "refuses", "resets", "drips", "errors"])
def test_a_healthy_endpoint_beside_a_sick_one(start, new_receiver, never, sick):
    service = start(request_timeout="20s", retry_schedule="1h")
    app = service.new_app()
    healthy, other = new_receiver(), new_receiver()
    service.subscribe(app, healthy)
    service.subscribe(app, other)
    other.script = {
        "hangs": lambda d: Answer(204, hold=never),
        "refuses": None,
        "resets": lambda d: Answer(reset=True),
        "drips": lambda d: Answer(200, drip=never),
        "errors": lambda d: Answer(500),
    }[sick]
    if sick == "refuses":
        other.close()
    begun = time.monotonic()
    ids = [service.send(app, b'{"n":%d}' % n) for n in range(300)]
    healthy.wait(300)
    assert sorted(d.id for d in healthy.deliveries) == sorted(ids)
    # Waiting for the sick one once would cost a second (drip) or twenty (timeout).
    assert time.monotonic() - begun < 15
    never.set()


def test_many_slow_endpoints_do_not_take_every_slot(start, new_receiver, never):
    """Unknown ones start with few, and the slow together may hold half: one shared pool of the first
    come would be theirs."""
    service = start(max_in_flight=40, endpoint_max_in_flight=40, request_timeout="60s", drain_timeout="1s")
    app = service.new_app()
    slow = [new_receiver() for _ in range(8)]
    for receiver in slow:
        receiver.script = lambda d: Answer(204, hold=never)
        service.subscribe(app, receiver)
    batch(service, app, 100)
    for receiver in slow:
        receiver.wait(1)
    quick_app = service.new_app()
    quick = new_receiver()
    service.subscribe(quick_app, quick)
    ids = batch(service, quick_app, 200)
    assert sorted(d.id for d in quick.wait(200)) == sorted(ids)
    never.set()


@pytest.mark.skipif(SANITIZED, reason="the sanitizer's memory is not ours")
def test_a_backlog_costs_no_memory(start, receiver, never):
    """40 MB more wait; the process does not grow by them."""
    service = start(endpoint_max_in_flight=1, request_timeout="120s", drain_timeout="1s")
    app = service.new_app()
    service.subscribe(app, receiver)
    receiver.script = lambda d: Answer(204, hold=never)
    for _ in range(10):
        batch(service, app, 1000, 1000)
    before = anonymous_memory(service)
    for _ in range(40):
        batch(service, app, 1000, 1000)
    assert service.metric("surehook_deliveries_waiting") == 50_000
    grown = anonymous_memory(service) - before
    assert grown < 16 * 1024 * 1024, f"{grown} bytes more for 40,000 waiting deliveries"


def test_ingest_stays_quick_beside_a_large_backlog(start, receiver, never):
    service = start(endpoint_max_in_flight=1, request_timeout="120s", drain_timeout="1s")
    app, other = service.new_app(), service.new_app()
    service.subscribe(app, receiver)
    receiver.script = lambda d: Answer(204, hold=never)
    for _ in range(20):
        batch(service, app, 1000)
    begun = time.monotonic()
    for _ in range(50):
        service.send(other)
    assert time.monotonic() - begun < 10


def test_one_tenant_s_purge_of_many_does_not_stop_the_others(start, new_receiver):
    """Large work is done in steps, between which everybody else is served."""
    service = start(retry_schedule="")
    app = service.new_app()
    dead, healthy = new_receiver(), new_receiver()
    service.subscribe(app, dead)
    dead.close()
    for _ in range(10):
        batch(service, app, 1000)
    other = service.new_app()
    service.subscribe(other, healthy)
    assert service.call("DELETE", f"/app/{app}").status == 204
    ids = [service.send(other) for _ in range(50)]
    assert sorted(d.id for d in healthy.wait(50)) == sorted(ids)


def test_an_application_with_many_endpoints_leaves_another_its_share(start, new_receiver, never):
    """Turns go round among applications first: by endpoints one alone would get a sixtieth."""
    service = start(max_in_flight=4, dispatch_threads=1)
    crowd, lone = new_receiver(), new_receiver()
    crowded, app = service.new_app(), service.new_app()
    for n in range(60):
        service.subscribe(crowded, crowd, f"/{n}")
    service.subscribe(app, lone)
    crowd.script = lambda d: Answer(204, hold=never)
    batch(service, crowded, 20)
    crowd.wait(4)  # every slot is the crowd's
    batch(service, app, 60)
    never.set()
    last = max(d.at for d in lone.wait(60))
    before = sum(d.at < last for d in crowd.wait(20 * 60))
    assert before < 600, f"{before} of the crowd's 1200 went before the 60 of the other"


def test_new_events_get_their_share_of_an_endpoint_that_is_behind(start, new_receiver, never):
    """But for an ordered one, which gets them in their order."""
    service = start(endpoint_max_in_flight=1, request_timeout="60s")
    app = service.new_app()
    plain, ordered = new_receiver(), new_receiver()
    for receiver, field in (plain, {"freshShare": 50}), (ordered, {"ordering": "fifo"}):
        path = f"/app/{app}/endpoint/{service.subscribe(app, receiver)}"
        assert service.call("PATCH", path, field).status == 200
    for receiver in (plain, ordered):
        receiver.script = lambda d: Answer(204, hold=never)
    old = batch(service, app, 300)
    plain.wait(1), ordered.wait(1)
    eventually(lambda: service.metric("surehook_oldest_due_age_seconds") > 5.5)
    new = [service.send(app) for _ in range(10)]
    never.set()
    assert [d.id for d in ordered.wait(310)] == old + new
    arrived = [d.id for d in plain.wait(310)]
    assert sorted(arrived) == sorted(old + new)
    assert [m for m in arrived if m in old] == old
    assert set(arrived[:30]) >= set(new)
