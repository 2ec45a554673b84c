"""What is JSON is decided at the message route: JSONTestSuite in the payload's place, and members that
are given twice."""

import json

import pytest

from surehook import ROOT

SUITE = ROOT / "tests/data/json-test-suite"
FILES = sorted(SUITE.glob("[yni]_*.json"))
TWICE = {
    "eventType": b'"other"',
    "payload": b"{}",
    "eventId": b'"id"',
    "channels": b'["a"]',
    "tags": b'["a"]',
    "orderingKey": b'"key"',
    "deliverAt": b"null",
    "payloadRetentionPeriod": b"30",
    "payloadRetentionHours": b"24",
    "transformationsParams": b"{}",
    "application": b"null",
}


def test_each_file_of_the_suite_is_judged_as_its_name_says(service, app, receiver):
    """y_ accepted, n_ refused, i_ either; what is accepted arrives byte for byte."""
    service.subscribe(app, receiver)
    assert len(FILES) == 318
    sent = {}
    for file in FILES:
        payload = b'{"v":' + file.read_bytes() + b"}"
        reply = service.try_send(app, payload)
        accepted = {"y": (202,), "n": (422,), "i": (202, 422)}[file.name[0]]
        assert reply.status in accepted, (file.name, reply.status, reply.body)
        if reply.status == 202:
            sent[reply.json()["id"]] = payload
    assert {d.id: d.body for d in receiver.wait(len(sent))} == sent
    assert service.get("/health").status in (200, 204)


@pytest.mark.parametrize("name", TWICE)
def test_a_member_of_the_envelope_given_twice_is_refused(service, app, name):
    """Also in other words: the name with an escape is the same name."""
    members = {"eventType": b'"test.event"', "payload": b'{"n":1}', name: TWICE[name]}
    text = b",".join(b'"%s":%s' % (key.encode(), value) for key, value in members.items())
    escaped = "\\u%04x" % ord(name[0]) + name[1:]
    for again in (name, escaped):
        for value in (TWICE[name], b"null"):
            reply = service.post(f"/app/{app}/msg", b'{%s,"%s":%s}' % (text, again.encode(), value))
            assert reply.status == 422, reply.body
            assert reply.json()["detail"][0]["loc"] == ["body", name]
    assert service.get(f"/app/{app}/msg").json()["data"] == []


@pytest.mark.parametrize("payload", [b'{"a":1,"a":2}', b'{"a":{"b":1,"b":1},"a":null}', b'{"a":1,"\\u0061":2}'])
def test_a_member_of_the_payload_given_twice_is_kept(service, app, receiver, payload):
    service.subscribe(app, receiver)
    service.send(app, payload)
    assert receiver.wait()[0].body == payload


def test_a_member_of_a_batched_message_given_twice_is_refused(service, app):
    good = b'{"eventType":"a","payload":{"b":1,"b":2}}'
    bad = b'{"eventType":"a","payload":{},"eventType":"a"}'
    reply = service.post(f"/app/{app}/msg/batch", b'{"messages":[%s,%s]}' % (good, bad))
    assert reply.status == 202, reply.body
    first, second = reply.json()["data"]
    assert (first["status"], second["status"]) == (202, 422)
    assert json.dumps(second["detail"]).count("eventType") == 1
