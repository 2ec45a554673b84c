"""When the store is full it refuses early and honestly, and goes on delivering: promise 5."""

import socket

import pytest

from receivers import DEADLINE
from surehook import eventually

PAYLOAD = b'{"x":"' + b"y" * 20_000 + b'"}'


def listed(service, app):
    ids, iterator = [], ""
    while True:
        page = service.get(f"/app/{app}/msg?limit=250&with_content=false{iterator}").json()
        ids += [m["id"] for m in page["data"]]
        if page["done"]:
            return ids
        iterator = "&iterator=" + page["iterator"]


def fill(service, app, most=5000):
    ids = []
    for _ in range(most):
        reply = service.try_send(app, PAYLOAD)
        if reply.status != 202:
            return ids, reply
        ids.append(reply.json()["id"])
    pytest.fail("the map never filled")


def test_a_full_store_answers_507_and_drops_nothing(start, new_receiver):
    service = start(map_size="24m", retry_schedule="1h")
    app = service.new_app()
    receiver = new_receiver()
    endpoint = service.subscribe(app, receiver)
    receiver.always(500)
    ids, refusal = fill(service, app)
    assert refusal.status == 507
    assert int(refusal.headers["retry-after"]) > 0
    assert refusal.json()["code"] == "insufficient_storage"
    assert len(ids) > 100
    assert listed(service, app) == ids[::-1]
    # Outcomes still commit: what is there moves on although nothing more is taken.
    receiver.always(204)
    eventually(lambda: service.metric("surehook_attempts_in_flight") == 0)
    service.call("PATCH", f"/app/{app}/endpoint/{endpoint}", {"disabled": True})
    ended = ("surehook_dead_letters", "surehook_deliveries_delivered_total")  # a probe may have been let through
    eventually(lambda: sum(map(service.metric, ended)), lambda count: count == len(ids))
    service.call("PATCH", f"/app/{app}/endpoint/{endpoint}", {"disabled": False})
    service.post(f"/app/{app}/endpoint/{endpoint}/dead-letter/replay")
    receiver.wait_for(lambda: {d.id for d in receiver.deliveries} >= set(ids))
    service.until(app, ids[-1], endpoint, "delivered")


def test_a_full_store_starts_again_and_deletions_make_room(start):
    """Deleting needs free pages, too: a reserve is kept for it."""
    service = start(map_size="24m")
    app = service.new_app()
    ids, _ = fill(service, app)
    service.kill()
    service.start()
    assert listed(service, app) == ids[::-1]
    # The end of a process gives back what its last commits had freed, and no more.
    more, _ = fill(service, app, len(ids) // 10)
    ids += more
    for msg in ids[: len(ids) // 2]:
        assert service.call("DELETE", f"/app/{app}/msg/{msg}/content").status == 204
    eventually(lambda: service.try_send(app, PAYLOAD), lambda reply: reply.status == 202)


def test_a_refused_batch_leaves_nothing(start):
    service = start(map_size="24m")
    app = service.new_app()
    fill(service, app)
    before = len(listed(service, app))
    messages = [{"eventType": "e", "payload": {"x": "y" * 10_000}} for _ in range(500)]
    reply = service.post(f"/app/{app}/msg/batch", {"messages": messages})
    assert reply.status == 507 or {r["status"] for r in reply.json()["data"]} == {507}
    assert len(listed(service, app)) == before


def test_too_many_bodies_at_once_are_refused_with_503(service, app):
    """128 MiB of request bodies may be in memory, in all."""
    head = (
        b"POST /api/v1/app/%s/msg/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
        b"Content-Length: %d\r\n\r\n" % (app.encode(), service.token.encode(), 16 * 1024 * 1024)
    )
    sockets, answers = [], []
    for _ in range(8):
        s = socket.create_connection(("127.0.0.1", service.port), timeout=DEADLINE)
        sockets.append(s)
        try:
            s.sendall(head + b" " * (15 * 1024 * 1024))
        except OSError:
            pass  # refused in the middle of the body
    for s in sockets:
        s.settimeout(1)
        try:
            answers.append(s.recv(200))
        except OSError:
            answers.append(b"")
    refused = [a for a in answers if a.startswith(b"HTTP/1.1 503")]
    assert refused and all(b"etry-" in a for a in refused)
    for s in sockets:
        s.close()
    eventually(lambda: service.try_send(app), lambda reply: reply.status == 202)
