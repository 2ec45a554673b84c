"""Idempotency-Key and eventId."""

import threading
import uuid

import pytest

import routes
from surehook import eventually
from test_tenants import World


def keyed(key):
    return {"idempotency-key": key}


def test_a_repeated_key_repeats_the_answer_and_delivers_once(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    first = service.try_send(app, headers=keyed("order-1"))
    again = service.try_send(app, headers=keyed("order-1"))
    assert (first.status, again.status) == (202, 202)
    assert first.json() == again.json()
    other = service.send(app, headers=keyed("order-2"))
    service.until(app, other, endpoint, "delivered")
    assert sorted(d.id for d in receiver.wait(2)) == sorted([first.json()["id"], other])


def test_the_answer_is_remembered_over_a_restart(service, app):
    first = service.try_send(app, headers=keyed("order-1")).json()
    service.stop()
    service.start()
    assert service.try_send(app, headers=keyed("order-1")).json() == first


def test_the_answer_is_remembered_over_a_crash(service, app):
    """The record is in the same commit as the event."""
    replies = [service.try_send(app, headers=keyed(f"k{n}")).json() for n in range(50)]
    service.kill()
    service.start()
    assert [service.try_send(app, headers=keyed(f"k{n}")).json() for n in range(50)] == replies


def test_automatic_keys_of_the_sdks_are_remembered_over_a_crash(service, app):
    key = keyed(f"auto_{uuid.uuid4()}")
    first = service.try_send(app, headers=key).json()
    service.kill()
    service.start()
    assert service.try_send(app, headers=key).json() == first


def test_another_body_gets_the_first_answer_by_default(service, app, receiver):
    service.subscribe(app, receiver)
    first = service.try_send(app, b'{"n":1}', headers=keyed("same"))
    again = service.try_send(app, b'{"n":2}', headers=keyed("same"))
    assert again.status == 202
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["payload"] == {"n": 1}
    assert receiver.wait()[0].body == b'{"n":1}'


def test_another_body_is_a_conflict_by_option(start):
    service = start(idempotency_mismatch="conflict")
    app = service.new_app()
    first = service.try_send(app, b'{"n":1}', headers=keyed("same"))
    again = service.try_send(app, b'{"n":2}', headers=keyed("same"))
    assert (first.status, again.status) == (202, 409)
    assert again.json()["code"] == "conflict"
    assert service.try_send(app, b'{"n":1}', headers=keyed("same")).json() == first.json()


def test_a_key_belongs_to_its_path(service):
    one, two = service.new_app(), service.new_app()
    first = service.send(one, headers=keyed("same"))
    assert service.send(two, headers=keyed("same")) != first


def test_a_key_belongs_to_its_token(service, app):
    token = service.post("/key", {"scope": "ingest"}).json()["token"]
    first = service.send(app, headers=keyed("same"))
    second = service.send(app, headers=keyed("same"), token=token)
    assert first != second


def test_a_key_belongs_to_its_query(service, app):
    service.post(f"/app/{app}/msg", {"eventType": "e", "payload": {}}, headers=keyed("same"))
    reply = service.post(
        f"/app/{app}/msg?with_content=false", {"eventType": "e", "payload": {}}, headers=keyed("same")
    )
    assert reply.status == 202
    assert len(service.get(f"/app/{app}/msg").json()["data"]) == 2


def test_a_refusal_is_not_remembered(service, app):
    bad = service.post(f"/app/{app}/msg", {"payload": {}}, headers=keyed("k"))
    good = service.try_send(app, headers=keyed("k"))
    assert (bad.status, good.status) == (422, 202)


def test_concurrent_duplicates_make_one_event(service, app, receiver):
    service.subscribe(app, receiver)
    barrier = threading.Barrier(8)
    replies = []

    def post():
        barrier.wait()
        replies.append(service.try_send(app, headers=keyed("race")))

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {r.status for r in replies} == {202}
    assert len({r.json()["id"] for r in replies}) == 1
    assert len(service.get(f"/app/{app}/msg").json()["data"]) == 1
    receiver.wait(1)


def test_admin_posts_are_idempotent_too(service):
    one = service.post("/app", {"name": "A"}, headers=keyed("make"))
    two = service.post("/app", {"name": "A"}, headers=keyed("make"))
    assert (one.status, two.status) == (201, 201)
    assert one.json() == two.json()
    assert len(service.get("/app").json()["data"]) == 1


# What a repeat must show anew, because nobody keeps the secret of the first answer, or because it
# only reads.
ANEW = {
    "authentication.app_portal_access",
    "authentication.dashboard_access",
    "authentication.logout",
    "environment.export",
    "key.create",
}


def test_every_post_repeats_its_first_answer(start):
    service = start(retry_schedule="")
    wrong = []
    posts = [r for r in routes.of(service) if r.method == "POST" and r.operation not in ANEW]
    for route in posts:
        world = World(service)
        first, again = (
            world.call(route, service.token, **keyed("once-" + route.operation)) for _ in range(2)
        )
        if first.status >= 300 or (first.status, first.body) != (again.status, again.body):
            wrong.append((route.operation, first, again))
    assert wrong == []
    assert len(posts) > 20


def test_a_repeated_batch_repeats_every_result(service, app):
    body = {"messages": [{"eventType": "e", "payload": {"n": n}} for n in range(5)]}
    one = service.post(f"/app/{app}/msg/batch", body, headers=keyed("batch"))
    two = service.post(f"/app/{app}/msg/batch", body, headers=keyed("batch"))
    assert (one.status, two.status) == (202, 202)
    assert one.json() == two.json()
    assert len(service.get(f"/app/{app}/msg").json()["data"]) == 5


def test_a_repeated_event_id_is_a_conflict(service, app):
    first = service.send(app, eventId="evt-1")
    again = service.try_send(app, eventId="evt-1")
    assert again.status == 409
    assert again.json()["code"] == "conflict"
    assert service.get(f"/app/{app}/msg/evt-1").json()["id"] == first
    other = service.new_app()
    service.send(other, eventId="evt-1")


def test_event_ids_are_remembered_over_a_crash(service, app):
    service.send(app, eventId="evt-1")
    service.kill()
    service.start()
    assert service.try_send(app, eventId="evt-1").status == 409


@pytest.mark.parametrize("event_id", ["", "a b", "msg_1", "x" * 257, "é", "a/b", 5])
def test_bad_event_ids_are_refused(service, app, event_id):
    assert service.try_send(app, eventId=event_id).status == 422


def test_thousands_of_keys_are_all_known(service, app):
    """More than one table in memory holds at tests' size; also right after a restart."""
    body = lambda n: {"messages": [{"eventType": "e", "payload": {}, "eventId": f"e{n}-{i}"} for i in range(1000)]}
    for n in range(5):
        reply = service.post(f"/app/{app}/msg/batch", body(n))
        assert {r["status"] for r in reply.json()["data"]} == {202}
    service.stop()
    service.start()
    for n in range(5):
        reply = service.post(f"/app/{app}/msg/batch", body(n))
        assert {r["status"] for r in reply.json()["data"]} == {409}
    eventually(lambda: service.metric("surehook_messages_conflicting_total") == 5000)
