"""POST /app/{app}/msg/batch (ours): many events, one commit, a result for each."""

import pytest


def post(service, app, messages, **kwargs):
    return service.post(f"/app/{app}/msg/batch", {"messages": messages}, **kwargs)


def test_a_thousand_events_are_all_delivered(service, app, receiver):
    service.subscribe(app, receiver)
    reply = post(service, app, [{"eventType": "e", "payload": {"n": n}} for n in range(1000)])
    assert reply.status == 202
    results = reply.json()["data"]
    assert {r["status"] for r in results} == {202}
    ids = [r["id"] for r in results]
    assert ids == sorted(set(ids))
    deliveries = receiver.wait(1000)
    assert {d.id: d.body for d in deliveries} == {ids[n]: b'{"n": %d}' % n for n in range(1000)}


def test_each_item_has_its_own_result(service, app):
    service.send(app, eventId="taken")
    results = post(
        service,
        app,
        [
            {"eventType": "e", "payload": {"n": 1}, "eventId": "fresh"},
            {"payload": {}},
            {"eventType": "e", "payload": {}, "eventId": "taken"},
            {"eventType": "e", "payload": {}, "eventId": "fresh"},
            {"eventType": "e", "payload": {"n": 2}},
            "not an object",
        ],
    ).json()["data"]
    assert [r["status"] for r in results] == [202, 422, 409, 409, 202, 422]
    assert results[1]["detail"][0]["loc"] == ["body", "messages", 1, "eventType"]
    assert results[2]["code"] == "conflict"
    assert results[3]["id"] == results[0]["id"]
    stored = [m["id"] for m in service.get(f"/app/{app}/msg").json()["data"]]
    assert len(stored) == 3
    assert stored[:2] == [results[4]["id"], results[0]["id"]]


def test_payloads_arrive_byte_for_byte(service, app, receiver):
    service.subscribe(app, receiver)
    payloads = [b'{ "a" : 1.0 }', b'{"a":1}', b'{"a":"\\u0041","a":2}']
    items = b",".join(b'{"eventType":"e","payload":' + p + b"}" for p in payloads)
    service.post(f"/app/{app}/msg/batch", b'{"messages":[' + items + b"]}")
    assert sorted(d.body for d in receiver.wait(3)) == sorted(payloads)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"messages":{}}',
        b'{"messages":[]}',
        b'{"messages":[],"messages":[]}',
        b'{"messages":[{"eventType":"e","payload":{}}',
        b'{"messages":[' + b",".join([b'{"eventType":"e","payload":{}}'] * 1001) + b"]}",
    ],
    ids=["none", "object", "empty", "twice", "cut", "too-many"],
)
def test_a_bad_list_is_refused_whole(service, app, body):
    assert service.post(f"/app/{app}/msg/batch", body).status == 422
    assert service.get(f"/app/{app}/msg").json()["data"] == []


def test_an_unknown_application_refuses_all(service):
    assert post(service, "nobody", [{"eventType": "e", "payload": {}}]).status == 404


def test_a_batch_survives_a_crash_whole(service, app):
    events = [{"eventType": "e", "payload": {"n": n}} for n in range(300)]
    ids = [r["id"] for r in post(service, app, events).json()["data"]]
    service.kill()
    service.start()
    stored, iterator = [], ""
    while True:
        page = service.get(f"/app/{app}/msg?limit=250{iterator}").json()
        stored += [m["id"] for m in page["data"]]
        if page["done"]:
            break
        iterator = "&iterator=" + page["iterator"]
    assert stored == ids[::-1]
