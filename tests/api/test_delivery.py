"""From POST to delivery: every matching endpoint, the exact bytes, one id."""

import json
import threading

import pytest
from svix.api import MessageGetOptions, MessageIn
from svix.api.message import message_in_raw

from receivers import Answer
from surehook import EVENTS, eventually

EXACT = [
    b'{"n":1}',
    b'{ "spaced" :\t[ 1 , 2 ]\n}',
    b'{"a":1.0,"b":1,"c":1e2,"d":-0.0,"e":1E+2}',
    b'{"big":123456789012345678901234567890,"precise":0.1000000000000000055511151231257827}',
    b'{"twice":1,"twice":2}',
    b'{"order":1,"aardvark":2,"Z":3}',
    b'{"escaped":"\\u00e9 \\/ \\n \\ud83d\\ude00"}',
    '{"plain":"é 😀 \u2028 \x7f"}'.encode(),
    b'{"html":"<script>&amp;</script>"}',
    b"{}",
]


@pytest.mark.parametrize("payload", EXACT, ids=range(len(EXACT)))
def test_payload_arrives_byte_for_byte(service, app, receiver, payload):
    service.subscribe(app, receiver)
    service.send(app, payload)
    assert receiver.wait()[0].body == payload


def test_white_space_around_the_payload_is_not_part_of_it(service, app, receiver):
    service.subscribe(app, receiver)
    service.send(app, b' \n {"n": 1} \t ')
    assert receiver.wait()[0].body == b'{"n": 1}'


def test_a_retry_carries_the_same_bytes_and_id(service, app, receiver):
    service.subscribe(app, receiver)
    receiver.answers(500, 500, 204)
    payload = b'{ "rate": 1.0, "again": "\\u0041" }'
    msg = service.send(app, payload)
    deliveries = receiver.wait(3)
    assert [d.body for d in deliveries] == [payload] * 3
    assert [d.id for d in deliveries] == [msg] * 3


def test_a_delivery_read_back_from_disk_carries_the_same_bytes(start, receiver):
    """The message is no longer in memory after a restart."""
    service = start(retry_schedule="1s")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    receiver.answers(500)
    payload = b'{ "rate": 1.0, "again": "\\u0041", "twice":1, "twice":2 }'
    msg = service.send(app, payload)
    service.until(app, msg, endpoint, "retrying")
    service.stop()
    service.start()
    assert [d.body for d in receiver.wait(2)] == [payload] * 2


def test_real_events_arrive_as_they_are(service, app, receiver):
    service.subscribe(app, receiver, "/one")
    service.subscribe(app, receiver, "/two")
    sent = {}
    for line in EVENTS.read_bytes().splitlines():
        reply = service.post(f"/app/{app}/msg", line)
        assert reply.status == 202, reply.body
        payload = line[line.index(b'"payload":') + len(b'"payload":') : -1]
        assert json.loads(payload) == json.loads(line)["payload"]
        sent[reply.json()["id"]] = payload
    deliveries = receiver.wait(2 * len(sent))
    assert {(d.id, d.path) for d in deliveries} == {(m, p) for m in sent for p in ("/one", "/two")}
    assert all(d.body == sent[d.id] for d in deliveries)


@pytest.mark.parametrize("size", [1800, 1900, 2000, 4096, 70_000, 900_000])
def test_large_payloads_are_stored_and_read_back_whole(service, app, receiver, size):
    service.subscribe(app, receiver)
    receiver.answers(500, 204)
    payload = b'{"x":"' + bytes(97 + i % 26 for i in range(size)) + b'"}'
    msg = service.send(app, payload)
    assert [d.body for d in receiver.wait(2)] == [payload] * 2
    assert service.get(f"/app/{app}/msg/{msg}").json()["payload"] == json.loads(payload)


def test_delivery_looks_as_the_documentation_says(service, app, receiver):
    service.subscribe(app, receiver, "/some/path?with=query")
    service.send(app, b'{"n":1}')
    delivery = receiver.wait()[0]
    assert delivery.method == "POST"
    assert delivery.path == "/some/path?with=query"
    assert delivery.headers["content-type"] == "application/json"
    assert delivery.headers["content-length"] == "7"
    assert delivery.headers["user-agent"].startswith("Surehook/")
    assert delivery.headers["webhook-id"].startswith("msg_")
    assert "svix-id" not in delivery.headers
    assert "expect" not in delivery.headers


def test_every_endpoint_gets_the_event_once(service, app, new_receiver):
    receivers = [new_receiver() for _ in range(5)]
    endpoints = [service.subscribe(app, r) for r in receivers]
    ids = [service.send(app, b'{"n":%d}' % n) for n in range(20)]
    for receiver in receivers:
        receiver.wait(20)
    for msg in ids:
        for endpoint in endpoints:
            service.until(app, msg, endpoint, "delivered")
    for receiver in receivers:
        assert sorted(d.id for d in receiver.deliveries) == sorted(ids)


def test_a_fan_out_wider_than_a_commit_reaches_every_endpoint(start, receiver):
    """More deliveries than one commit should hold become a durable task."""
    service = start()
    app = service.new_app()
    paths = [f"/{n}" for n in range(600)]
    for path in paths:
        receiver.expect(path, "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        body = {"url": receiver.url + path, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
        assert service.post(f"/app/{app}/endpoint", body).status == 201
    msg = service.send(app)
    deliveries = receiver.wait(len(paths))
    assert sorted(d.path for d in deliveries) == sorted(paths)
    assert {d.id for d in deliveries} == {msg}


def test_only_matching_event_types_are_delivered(service, app, receiver):
    for name in ("invoice.paid", "invoice.open"):
        service.post("/event-type", {"name": name, "description": name})
    service.subscribe(app, receiver, "/paid", event_types=["invoice.paid"])
    service.subscribe(app, receiver, "/all")
    paid = service.send(app, event_type="invoice.paid")
    other = service.send(app, event_type="invoice.open")
    got = {(d.path, d.id) for d in receiver.wait(3)}
    assert got == {("/paid", paid), ("/all", paid), ("/all", other)}


def test_only_matching_channels_are_delivered(service, app, receiver):
    red = service.subscribe(app, receiver, "/red", channels=["red", "pink"])
    service.subscribe(app, receiver, "/all")
    none = service.send(app)
    blue = service.send(app, channels=["blue"])
    pink = service.send(app, channels=["blue", "pink"])
    got = {(d.path, d.id) for d in receiver.wait(4)}
    assert got == {("/all", none), ("/all", blue), ("/all", pink), ("/red", pink)}
    assert service.get(f"/app/{app}/msg/{blue}/endpoint/{red}").status == 404


def test_an_event_that_nobody_wants_is_stored_all_the_same(service, app):
    svix = service.svix()
    msg = svix.message.create(app, MessageIn(event_type="lonely", payload={"n": 1}))
    whole = MessageGetOptions(with_content=True)
    assert svix.message.get(app, msg.id, whole).payload == {"n": 1}
    assert [m.id for m in svix.message.list(app).data] == [msg.id]
    assert svix.message_attempt.list_attempted_destinations(app, msg.id).data == []


def test_applications_do_not_hear_each_other(service, receiver):
    one, two = service.new_app(), service.new_app()
    service.subscribe(one, receiver, "/one")
    service.subscribe(two, receiver, "/two")
    first, second = service.send(one), service.send(two)
    assert {(d.path, d.id) for d in receiver.wait(2)} == {("/one", first), ("/two", second)}


def test_an_endpoint_created_later_gets_later_events_alone(service, app, receiver):
    service.send(app)
    service.subscribe(app, receiver)
    later = service.send(app)
    assert [d.id for d in receiver.wait()] == [later]


def test_a_changed_url_counts_at_once(service, app, new_receiver):
    """Settings that lag behind their change send secrets to where they no longer belong."""
    before, after = new_receiver(), new_receiver()
    endpoint = service.subscribe(app, before)
    secret = service.get(f"/app/{app}/endpoint/{endpoint}/secret").json()["key"]
    after.expect("/hook", secret)
    service.send(app)
    before.wait()
    patch = {"url": after.url + "/hook"}
    assert service.call("PATCH", f"/app/{app}/endpoint/{endpoint}", patch).status == 200
    msg = service.send(app)
    assert [d.id for d in after.wait()] == [msg]
    assert len(before.deliveries) == 1


def test_oldest_first_at_one_endpoint(start, receiver):
    """With one attempt at a time the order of acceptance is the order of delivery."""
    service = start(endpoint_max_in_flight=1)
    app = service.new_app()
    service.subscribe(app, receiver)
    ids = [service.send(app, b'{"n":%d}' % n) for n in range(200)]
    assert [d.id for d in receiver.wait(200)] == ids


def test_a_backlog_larger_than_memory_s_share_drains_in_order(start, receiver):
    """The ready list holds 64: what lies behind it on disk comes back page by page, each once."""
    service = start(endpoint_max_in_flight=1)
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    gate = threading.Event()
    receiver.script = lambda delivery: Answer(204, hold=gate)
    messages = [{"eventType": "e", "payload": {"n": n}} for n in range(500)]
    reply = service.post(f"/app/{app}/msg/batch", {"messages": messages})
    ids = [item["id"] for item in reply.json()["data"]]
    receiver.wait(1)
    gate.set()
    assert [d.id for d in receiver.wait(500)] == ids
    eventually(lambda: service.metric("surehook_deliveries_waiting") == 0)
    assert len(receiver.deliveries) == 500


def test_connections_are_reused(start, receiver):
    """A connection per delivery ends in handshakes and exhausted ports."""
    service = start(endpoint_max_in_flight=2)
    app = service.new_app()
    service.subscribe(app, receiver)
    receiver.always(200, body=b"ok")
    for n in range(50):
        service.send(app)
    receiver.wait(50)
    assert receiver.connections <= 3


def test_a_raw_payload_is_sent_as_it_is(service, app, receiver):
    service.subscribe(app, receiver)
    message = message_in_raw("plain.text", "not JSON: é\n", "text/plain; charset=utf-8")
    msg = service.svix().message.create(app, message)
    delivery = receiver.wait()[0]
    assert delivery.body == "not JSON: é\n".encode()
    assert delivery.headers["content-type"] == "text/plain; charset=utf-8"
    assert service.svix().message.get(app, msg.id).payload == {}
