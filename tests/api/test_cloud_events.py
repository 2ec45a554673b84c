"""CloudEvents 1.0 in (structured, binary, batch) and out (an endpoint's `cloudEvents`), with the
official package on both sides."""

import base64
import json
import threading
from datetime import datetime, timezone

import pytest
from cloudevents.core.bindings import http
from cloudevents.core.v1.event import CloudEvent
from svix.api import EndpointIn, MessageListOptions

from surehook import eventually

STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
WRITERS = {"structured": http.to_structured_event, "binary": http.to_binary_event}


def event(data=None, **attributes):
    given = {"id": "1", "source": "/shop", "type": "order.placed", **attributes}
    return CloudEvent(attributes=given, data=data)


def raw(**members):
    """One in JSON; a member that is None is left out."""
    given = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.placed", **members}
    return {name: value for name, value in given.items() if value is not None}


def send(service, app, made, mode="structured", headers=None, **kwargs):
    message = WRITERS[mode](made)
    return service.post(
        f"/app/{app}/msg", message.body, headers={**message.headers, **(headers or {})}, **kwargs
    )


def post(service, app, members, headers=STRUCTURED, path="msg", **kwargs):
    return service.post(f"/app/{app}/{path}", members, headers=headers, **kwargs)


def subscribe(service, app, receiver, mode):
    """An endpoint at /{mode}, which the official SDK knows nothing special about."""
    endpoint = service.subscribe(app, receiver, f"/{mode}")
    reply = service.call("PATCH", f"/app/{app}/endpoint/{endpoint}", {"cloudEvents": mode})
    assert reply.json()["cloudEvents"] == mode
    return endpoint


def received(delivery):
    """As the official package reads it: binary mode by its ce- headers."""
    return http.from_http_event(http.HTTPMessage(delivery.headers, delivery.body))


def by_path(receiver, count):
    return {delivery.path: delivery for delivery in receiver.wait(count)}


# ---------------------------------------------------------------- in and out

DATA = [
    {"order": "A-1001", "total": 42.5},
    {"text": "ä € 😀 \" \\ \u2028"},
    "plain text, with ä and \"quotes\"",
    b"\x00\xff\x01 not text",
    None,
]


@pytest.mark.parametrize("mode", WRITERS)
@pytest.mark.parametrize("data", DATA, ids=["object", "unicode", "text", "bytes", "nothing"])
def test_what_the_official_package_sends_it_gets_back(service, app, receiver, mode, data):
    for way in ("structured", "binary"):
        subscribe(service, app, receiver, way)
    types = {str: "text/plain", bytes: "image/png", dict: "application/json"}
    made = event(
        data,
        id="id with spaces, ä and 100%",
        subject="Euro € \"quoted\" 😀",
        time=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc),
        dataschema="https://example.com/schema.json#x",
        comexampleextension="value with % and ä",
        **({"datacontenttype": types[type(data)]} if data is not None else {}),
    )
    reply = send(service, app, made, mode)
    assert reply.status == 202, reply.body
    for delivery in receiver.wait(2):
        got = received(delivery)
        assert got.get_attributes() == made.get_attributes(), delivery.headers
        assert got.get_data() == data
        assert delivery.id == reply.json()["id"]


def test_extensions_of_other_types_arrive_as_such(service, app, receiver):
    subscribe(service, app, receiver, "structured")
    subscribe(service, app, receiver, "binary")
    assert post(service, app, raw(flag=True, number=-7)).status == 202
    deliveries = by_path(receiver, 2)
    body = json.loads(deliveries["/structured"].body)
    assert (body["flag"], body["number"]) == (True, -7)
    headers = deliveries["/binary"].headers
    assert (headers["ce-flag"], headers["ce-number"]) == ("true", "-7")


@pytest.mark.parametrize("data", [b'{ "a" : 1.50 ,"b":1E2}', b"[1,  2]", b'"\\u0041"', b"null ", b"-0.0"])
def test_json_data_is_delivered_byte_for_byte(service, app, receiver, data):
    endpoint = service.subscribe(app, receiver, "/plain")
    for way in ("structured", "binary"):
        subscribe(service, app, receiver, way)
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/shop",
        "ce-type": "order.placed",
        "content-type": "application/json",
    }
    msg = service.post(f"/app/{app}/msg", data, headers=headers).json()["id"]
    deliveries = by_path(receiver, 3)
    assert deliveries["/plain"].body == deliveries["/binary"].body == data
    assert deliveries["/plain"].headers["content-type"] == "application/json"
    assert b'"data":' + data + b"}" in deliveries["/structured"].body
    service.until(app, msg, endpoint, "delivered")


def test_a_large_event_arrives_whole_and_is_read_back_whole(service, app, receiver):
    subscribe(service, app, receiver, "structured")
    subscribe(service, app, receiver, "binary")
    data = {"text": "ä\"" * 100_000}
    msg = send(service, app, event(data, subject="s" * 3000, datacontenttype="application/json")).json()["id"]
    for delivery in receiver.wait(2):
        assert received(delivery).get_data() == data
    assert service.get(f"/app/{app}/msg/{msg}").json()["payload"] == data


def test_binary_data_is_delivered_as_bytes_of_their_type(service, app, receiver):
    service.subscribe(app, receiver, "/plain")
    body = raw(data_base64=base64.b64encode(b"\x00\xff").decode(), datacontenttype="image/png")
    assert post(service, app, body).status == 202
    (delivery,) = receiver.wait()
    assert delivery.body == b"\x00\xff"
    assert delivery.headers["content-type"] == "image/png"


def test_an_event_without_data_has_no_body_and_no_content_type(service, app, receiver):
    service.subscribe(app, receiver, "/plain")
    for way in ("structured", "binary"):
        subscribe(service, app, receiver, way)
    assert post(service, app, raw()).status == 202
    deliveries = by_path(receiver, 3)
    for path in ("/plain", "/binary"):
        assert deliveries[path].body == b""
        assert "content-type" not in deliveries[path].headers
    assert json.loads(deliveries["/structured"].body) == raw()


def test_the_content_types_out(service, app, receiver):
    subscribe(service, app, receiver, "structured")
    subscribe(service, app, receiver, "binary")
    assert post(service, app, raw(data="<a/>", datacontenttype="text/xml;v=1")).status == 202
    deliveries = by_path(receiver, 2)
    assert deliveries["/binary"].headers["content-type"] == "text/xml;v=1"
    assert deliveries["/binary"].body == b"<a/>"
    assert (
        deliveries["/structured"].headers["content-type"]
        == "application/cloudevents+json; charset=UTF-8"
    )


def test_a_native_message_goes_out_as_an_event(service, app, receiver):
    subscribe(service, app, receiver, "structured")
    subscribe(service, app, receiver, "binary")
    msg = service.send(app, b'{"n": 1.0}', event_type="user.signup", orderingKey="k")
    stored = service.get(f"/app/{app}/msg/{msg}").json()
    for delivery in receiver.wait(2):
        got = received(delivery)
        assert (got.get_id(), got.get_source()) == (msg, f"/app/{app}")
        assert (got.get_type(), got.get_extension("partitionkey")) == ("user.signup", "k")
        assert got.get_time() == datetime.fromisoformat(stored["timestamp"])
        assert got.get_data() == {"n": 1.0}
        assert b'{"n": 1.0}' in delivery.body
    assert "cloudEvent" not in stored


def test_every_attempt_sends_the_same_bytes(start, new_receiver):
    service = start(retry_schedule="1ms,1ms")
    app = service.new_app()
    receiver = new_receiver()
    receiver.always(500)
    for way in ("structured", "binary"):
        subscribe(service, app, receiver, way)
    assert post(service, app, raw(data={"n": 1}, traceparent=TRACE)).status == 202
    deliveries = receiver.wait(6)
    for path in ("/structured", "/binary"):
        sent = [d for d in deliveries if d.path == path]
        assert len(sent) == 3
        assert len({d.body for d in sent}) == 1
        events = [{k: v for k, v in d.headers.items() if k.startswith("ce-")} for d in sent]
        assert events[0] == events[1] == events[2]


def test_the_endpoints_own_headers_go_along_but_change_no_attribute(service, app, receiver):
    endpoint = subscribe(service, app, receiver, "binary")
    headers = {"x-own": "1", "ce-id": "forged", "content-type": "text/forged"}
    assert service.call(
        "PATCH", f"/app/{app}/endpoint/{endpoint}/headers", {"headers": headers}
    ).status in (200, 204)
    assert post(service, app, raw(data={})).status == 202
    (delivery,) = receiver.wait()
    assert delivery.headers["x-own"] == "1"
    assert delivery.headers["ce-id"] == "1"
    assert delivery.headers["content-type"] == "application/json"


# ---------------------------------------------------------------- what is kept

def test_the_message_shows_its_attributes_and_the_sdks_read_it(service, app):
    sent = raw(data=[1, 2], subject="A-1001", time="2026-01-02T03:04:05Z", partitionkey="k")
    reply = post(service, app, sent)
    assert reply.json()["cloudEvent"] == {k: v for k, v in sent.items() if k != "data"}
    assert reply.json()["payload"] == {}  # not an object: the SDKs' models require one
    sdk = service.svix().message
    message = sdk.get(app, reply.json()["id"])
    assert (message.event_type, message.payload) == ("order.placed", {})
    post(service, app, raw(id="2", data={"n": 1}))
    listed = sdk.list(app, MessageListOptions(with_content=True)).data
    assert [m.payload for m in listed] == [{"n": 1}, {}]
    shown = service.get(f"/app/{app}/msg/{message.id}").json()
    assert shown == reply.json()
    assert shown["orderingKey"] == "k"


@pytest.mark.parametrize("mode", ["none", "structured", "binary"])
def test_the_trace_of_a_request_is_sent_on(service, app, receiver, mode):
    subscribe(service, app, receiver, mode)
    trace = {"traceparent": TRACE, "tracestate": "vendor=1"}
    service.send(app, headers=trace)
    service.post(
        f"/app/{app}/msg/batch", {"messages": [{"eventType": "e", "payload": {}}]}, headers=trace
    )
    post(service, app, raw(data={}), headers={**STRUCTURED, **trace})
    for delivery in receiver.wait(3):
        assert {k: delivery.headers[k] for k in trace} == trace


def test_the_trace_of_an_event_wins_over_that_of_its_request(service, app, receiver):
    subscribe(service, app, receiver, "binary")
    mine = TRACE.replace("b7ad", "aaaa")
    post(service, app, raw(traceparent=mine), headers={**STRUCTURED, "traceparent": TRACE})
    (delivery,) = receiver.wait()
    assert delivery.headers["traceparent"] == delivery.headers["ce-traceparent"] == mine


@pytest.mark.parametrize("trace", ["", "00-1-2-3", TRACE.upper(), TRACE + "x"])
def test_a_trace_that_is_none_is_not_sent_on(service, app, receiver, trace):
    service.subscribe(app, receiver)
    service.send(app, headers={"traceparent": trace, "tracestate": "a=1"})
    (delivery,) = receiver.wait()
    assert not {"traceparent", "tracestate"} & {*delivery.headers}


def test_attributes_and_trace_survive_a_restart(service, app, receiver):
    receiver.always(500)
    endpoint = subscribe(service, app, receiver, "structured")
    msg = post(service, app, raw(data="ä", traceparent=TRACE, subject="s")).json()["id"]
    service.until(app, msg, endpoint, "dead")
    before = receiver.wait(3)[0]
    service.kill()
    service.start()
    receiver.always(204)
    service.post(f"/app/{app}/endpoint/{endpoint}/dead-letter/{msg}/replay")
    after = receiver.wait(4)[3]
    assert after.body == before.body
    assert after.headers["traceparent"] == TRACE


# ---------------------------------------------------------------- identity

def identified(service, app, **members):
    reply = post(service, app, raw(**members))
    assert reply.status == 202, reply.body
    return reply.json()


def test_an_event_that_comes_again_gets_the_first_answer(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    first = identified(service, app, data={"n": 1}, subject="first")
    assert identified(service, app, data={"n": 1}, subject="first") == first
    assert send(service, app, event({"n": 1}), "binary").json() == first
    other = identified(service, app, id="2", data={"n": 1})
    assert other["id"] != first["id"]
    assert identified(service, app, source="/else", data={"n": 1})["id"] != first["id"]
    service.until(app, other["id"], endpoint, "delivered")
    assert len(service.get(f"/app/{app}/msg").json()["data"]) == 3


def test_an_identity_is_remembered_over_a_crash(service, app):
    first = [identified(service, app, id=str(n), data={}) for n in range(20)]
    service.kill()
    service.start()
    assert [identified(service, app, id=str(n), data={}) for n in range(20)] == first


def test_an_identity_belongs_to_its_application_whoever_sends(service):
    one, two = service.new_app(uid="one"), service.new_app()
    token = service.post("/key", {"scope": "ingest"}).json()["token"]
    first = identified(service, one)
    assert identified(service, two)["id"] != first["id"]
    assert identified(service, "one") == first
    assert post(service, one, raw(), token=token).json() == first


def test_many_at_once_make_one_message(service, app):
    count = 16
    barrier = threading.Barrier(count)
    answers = [None] * count

    def run(n):
        barrier.wait()
        answers[n] = identified(service, app, data={"n": 1})

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [answers[0]] * count
    assert len(service.get(f"/app/{app}/msg").json()["data"]) == 1


def test_another_body_under_an_identity_gets_the_first_answer_by_default(service, app):
    first = identified(service, app, data={"n": 1})
    assert identified(service, app, data={"n": 2}) == first
    assert identified(service, app, type="other.type", data={"n": 1}) == first


def test_another_body_under_an_identity_is_a_conflict_by_option(start):
    service = start(idempotency_mismatch="conflict")
    app = service.new_app()
    first = identified(service, app, data={"n": 1}, subject="one")
    for changed in ({"data": {"n": 2}}, {"data": {"n": 1}, "type": "other.type"}):
        reply = post(service, app, raw(**changed))
        assert (reply.status, reply.json()["code"]) == (409, "conflict")
    assert identified(service, app, data={"n": 1}, traceparent=TRACE) == first
    results = post(service, app, [raw(data={"n": 2}), raw(data={"n": 1})], BATCH).json()["data"]
    assert [r["status"] for r in results] == [409, 202]


def test_a_key_is_asked_before_the_identity_and_both_are_remembered(service, app):
    keyed = lambda key: {**STRUCTURED, "idempotency-key": key}
    first = post(service, app, raw(), keyed("k1")).json()
    assert post(service, app, raw(id="2"), keyed("k1")).json() == first
    assert post(service, app, raw(), keyed("k2")).json() == first
    assert post(service, app, raw(id="3"), keyed("k2")).json() == first
    assert identified(service, app, id="2")["id"] != first["id"]


# ---------------------------------------------------------------- batch

@pytest.mark.parametrize("path", ["msg", "msg/batch"])
def test_a_batch_has_a_result_for_each(service, app, receiver, path):
    subscribe(service, app, receiver, "structured")
    batch = [
        raw(id="1", data={"n": 1}),
        raw(id="2", type="not a type"),
        raw(id="1", data={"n": 1}),
        "no event",
        raw(id="3", data=None, data_base64="AA=="),
        raw(source=None),
    ]
    reply = post(service, app, batch, BATCH, path)
    assert reply.status == 202
    results = reply.json()["data"]
    assert [r["status"] for r in results] == [202, 422, 202, 422, 202, 422]
    assert results[2] == results[0]
    assert [r["detail"][0]["loc"] for r in results if r["status"] == 422] == [
        ["body", 1, "type"],
        ["body", 3],
        ["body", 5, "source"],
    ]
    assert {received(d).get_id() for d in receiver.wait(2)} == {"1", "3"}
    again = post(service, app, batch, BATCH, path).json()["data"]
    assert [r.get("id") for r in again] == [r.get("id") for r in results]
    assert [r.get("timestamp") for r in again] == [r.get("timestamp") for r in results]
    assert len(service.get(f"/app/{app}/msg").json()["data"]) == 2


def test_a_batch_with_a_key_gets_the_stored_answer(service, app):
    headers = {**BATCH, "idempotency-key": "k"}
    first = post(service, app, [raw(), raw(id="2")], headers)
    assert post(service, app, [raw(id="3")], headers).body == first.body


@pytest.mark.parametrize("body", [[], [raw(id=str(n)) for n in range(1001)], {}, raw()])
def test_a_batch_is_a_list_of_1_to_1000(service, app, body):
    reply = post(service, app, body, BATCH)
    assert reply.status == 422
    assert reply.json()["detail"][0]["loc"] == ["body"]


# ---------------------------------------------------------------- what is refused

@pytest.mark.parametrize(
    "kind",
    [
        "application/cloudevents",
        "application/cloudevents+avro",
        "application/cloudevents-batch+avro",
        "application/cloudevents+json; charset=latin1",
        "application/cloudevents+json;;broken=",
        "application/cloudevents+jsonx",
    ],
)
@pytest.mark.parametrize("path", ["msg", "msg/batch"])
def test_other_formats_of_events_are_refused(service, app, kind, path):
    reply = post(service, app, raw(), {"content-type": kind}, path)
    assert (reply.status, reply.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("mode", WRITERS)
def test_a_single_event_is_no_batch(service, app, mode):
    message = WRITERS[mode](event({}))
    reply = service.post(f"/app/{app}/msg/batch", message.body, headers=message.headers)
    assert reply.status == 415


@pytest.mark.parametrize(
    "kind",
    ["Application/CloudEvents+JSON", "application/cloudevents+json ; charset=\"UTF-8\""],
)
def test_content_types_are_read_as_http_means_them(service, app, kind):
    reply = post(service, app, raw(data={}), {"content-type": kind, "ce-id": "a copy"})
    assert reply.status == 202
    assert reply.json()["cloudEvent"]["id"] == "1"


HOSTILE = [
    (b"", ["body"]),
    (b"[]", ["body"]),
    (b"{", ["body"]),
    (b'{"id":"\xff"}', ["body"]),
    (b'{"id":"\xc0\xaf"}', ["body"]),
    (b'{"id":"\xed\xa0\x80"}', ["body"]),
    (b'{"x":' + b"[" * 70 + b"]" * 70 + b"}", ["body"]),
    (b'{"x":"\x00"}', ["body"]),
    (b'{"x":"\\u0000"}', ["body", "x"]),
    (b'{"id":"1","id":"1"}', ["body", "id"]),
    (b'{"x":' + b"9" * 400 + b"}", ["body", "x"]),
    (b'{"' + b"a" * 65 + b'":"1"}', ["body", "a" * 63]),
    (b'{"x":"' + b"a" * 5000 + b'"}', ["body", "x"]),
    (b'{"specversion":"1.0","id":"1","source":"/"}', ["body", "type"]),
]


@pytest.mark.parametrize("body, place", HOSTILE)
def test_bad_events_are_refused_and_leave_nothing(service, app, body, place):
    reply = post(service, app, body)
    assert reply.status == 422, reply.body
    assert reply.json()["detail"][0]["loc"] == place
    assert service.get(f"/app/{app}/msg").json()["data"] == []


GOOD = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}
BAD_HEADERS = [
    ({"ce-specversion": None}, ["header", "ce-specversion"]),
    ({"ce-specversion": "2.0"}, ["header", "ce-specversion"]),
    ({"ce-id": None}, ["header", "ce-id"]),
    ({"ce-type": "a%2Fb"}, ["header", "ce-type"]),
    ({"ce-x": "%C0%AF"}, ["header", "ce-x"]),
    ({"ce-x": "%0d%0aevil: 1"}, ["header", "ce-x"]),
    ({"ce-x": "%4"}, ["header", "ce-x"]),
    ({"ce-a_b": "1"}, ["header", "ce-a_b"]),
    ({"ce-time": "today"}, ["header", "ce-time"]),
    ({"content-type": "nonsense"}, ["header", "content-type"]),
    ({"content-type": "application/json"}, ["body"]),
]


@pytest.mark.parametrize("headers, place", BAD_HEADERS)
def test_bad_headers_are_named(service, app, headers, place):
    reply = service.post(f"/app/{app}/msg", b"{", headers={**GOOD, **headers})
    assert reply.status == 422, reply.body
    assert reply.json()["detail"][0]["loc"] == place
    assert service.get(f"/app/{app}/msg").json()["data"] == []


def test_a_repeated_header_is_refused(service, app):
    reply = service.post(f"/app/{app}/msg", b"{}", headers={**GOOD, "CE-ID": "2"})
    assert reply.status == 422
    assert reply.json()["detail"][0]["loc"] == ["header", "ce-id"]


def test_an_event_makes_no_application(service):
    assert post(service, "nobody", raw()).status == 404


# ---------------------------------------------------------------- the endpoint's option

def test_the_option_has_three_values_and_three_states(service, app):
    url = {"url": "http://127.0.0.1:1/"}
    made = service.post(f"/app/{app}/endpoint", url).json()
    assert made["cloudEvents"] == "none"
    path = f"/app/{app}/endpoint/{made['id']}"
    change = lambda method, **fields: service.call(method, path, fields).json()["cloudEvents"]
    assert change("PATCH", cloudEvents="binary") == "binary"
    assert change("PATCH", description="x") == "binary"
    assert change("PATCH", cloudEvents=None) == "none"
    assert change("PUT", **url, cloudEvents="structured") == "structured"
    service.stop()
    service.start()
    assert service.get(path).json()["cloudEvents"] == "structured"
    assert change("PUT", **url, description="by an SDK, which does not know it") == "structured"
    assert change("PUT", **url, cloudEvents=None) == "none"


@pytest.mark.parametrize("value", ["Binary", "", "batch", 1, True, {}, ["binary"]])
def test_other_values_of_the_option_are_refused(service, app, value):
    body = {"url": "http://127.0.0.1:1/", "cloudEvents": value}
    reply = service.post(f"/app/{app}/endpoint", body)
    assert reply.status == 422
    assert reply.json()["detail"][0]["loc"] == ["body", "cloudEvents"]


def test_an_endpoint_without_the_option_gets_the_payload_alone(service, app, receiver):
    url = receiver.url + "/plain"
    made = service.svix().endpoint.create(app, EndpointIn(url=url))
    receiver.expect("/plain", service.svix().endpoint.get_secret(app, made.id).key)
    assert post(service, app, raw(data={"n": 1})).status == 202
    (delivery,) = receiver.wait()
    assert delivery.body == b'{"n": 1}'
    assert delivery.headers["content-type"] == "application/json"
    assert not [name for name in delivery.headers if name.startswith("ce-")]
