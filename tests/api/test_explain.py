"""GET …/msg/{msg}/endpoint/{endpoint}/explain: what happened, in order, and what comes next.

What must still wait when it is asked waits for hours, or for an answer that the test holds back."""

import threading
from datetime import datetime, timedelta, timezone

import pytest
from svix.api import EndpointIn, EndpointPatch, EventTypeIn, MessageIn

from receivers import Answer
from surehook import eventually

NOBODY = "https://example.com/hook"


@pytest.fixture
def app(service):
    """What an endpoint asks for must be known."""
    for name in ("test.event", "a.b", "a.c"):
        service.svix().event_type.create(EventTypeIn(name=name, description="x"))
    return service.new_app()


def explain(service, app, msg, endpoint, **kwargs):
    reply = service.get(f"/app/{app}/msg/{msg}/endpoint/{endpoint}/explain", **kwargs)
    assert reply.status == 200, reply.body
    return reply.json()


def until(service, app, msg, endpoint, what):
    """Waits until it waits for `what`, or for nothing (None)."""
    return eventually(
        lambda: explain(service, app, msg, endpoint),
        lambda told: (told["next"] and told["next"]["what"]) == what,
    )


def told(answer):
    return [step["what"] for step in answer["steps"]]


def patch(service, app, endpoint, **fields):
    assert service.call("PATCH", f"/app/{app}/endpoint/{endpoint}", fields).status == 200


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_a_delivered_message_is_told_with_the_times_of_each_attempt(service, app, receiver):
    endpoint = service.subscribe(app, receiver, event_types=["test.event"])
    receiver.answers(Answer(503), Answer(204))
    msg = service.send(app)
    service.until(app, msg, endpoint, "delivered")
    answer = until(service, app, msg, endpoint, None)
    assert (answer["msgId"], answer["endpointId"], answer["state"]) == (msg, endpoint, "delivered")
    assert told(answer) == ["accepted", "matched", "queued", "attempt", "attempt", "delivered"]
    times = [step["at"] for step in answer["steps"]]
    assert times == sorted(times) and times[-1] <= answer["asOf"]
    assert answer["steps"][1]["rule"] == "event_type"
    first, second = answer["steps"][3:5]
    assert (first["detail"], second["detail"]) == ("Attempt 1 got status 503.", "Attempt 2 got status 204.")
    assert [step["outcome"] for step in (first, second)] == ["status", "success"]
    listed = service.svix().message_attempt.list_by_msg(app, msg).data
    assert [step["attemptId"] for step in (second, first)] == [row.id for row in listed]
    for step in (first, second):
        parts = step["timings"]
        assert 0 < parts["firstByteUs"] <= parts["totalUs"] and parts["queuedUs"] >= 0
    assert first["timings"]["connectUs"] <= first["timings"]["firstByteUs"]
    assert first["timings"]["tlsUs"] is None
    assert answer["summary"] == "Delivered: the endpoint accepted the message."
    assert (answer["next"], answer["can"]) == (None, ["resend"])


def test_the_times_of_tls_are_told(start, new_authority, new_receiver):
    authority = new_authority()
    service = start(ca_file=authority.file)
    app = service.new_app()
    endpoint = service.subscribe(app, new_receiver(authority.tls()))
    msg = service.send(app)
    service.until(app, msg, endpoint, "delivered")
    parts = explain(service, app, msg, endpoint)["steps"][3]["timings"]
    assert 0 < parts["connectUs"] <= parts["tlsUs"] <= parts["firstByteUs"] <= parts["totalUs"]


def test_a_dead_letter_is_told_with_its_reason_and_a_replay_in_its_place(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    receiver.always(500)
    msg = service.send(app)
    service.until(app, msg, endpoint, "dead")
    answer = until(service, app, msg, endpoint, None)
    assert told(answer) == ["accepted", "matched", "queued"] + ["attempt"] * 3 + ["dead"]
    assert answer["steps"][-1]["reason"] == "exhausted"
    assert answer["summary"].startswith("Given up: the last attempt")
    assert answer["can"] == ["replay", "resend"]

    receiver.always(204)
    reply = service.post(f"/app/{app}/endpoint/{endpoint}/dead-letter/replay", {"messageIds": [msg]})
    assert reply.status in (200, 202), reply.body
    service.until(app, msg, endpoint, "delivered")
    again = until(service, app, msg, endpoint, None)
    assert told(again)[3:] == ["attempt"] * 3 + ["replayed", "attempt", "delivered"]


@pytest.mark.parametrize(
    "rule, asks, sends",
    [
        ("other_event_type", {"event_types": ["a.b"]}, {"event_type": "a.c"}),
        ("other_channel", {"channels": ["blue"]}, {"channels": ["red"]}),
        ("other_channel", {"channels": ["blue"]}, {}),
        ("disabled", {"disabled": True}, {}),
    ],
)
def test_a_message_that_does_not_match_is_told_why(service, app, rule, asks, sends):
    endpoint = service.svix().endpoint.create(app, EndpointIn(url=NOBODY, **asks)).id
    msg = service.send(app, **sends)
    answer = explain(service, app, msg, endpoint)
    assert (answer["state"], told(answer), answer["next"]) == ("unmatched", ["accepted", "not_matched"], None)
    assert answer["steps"][1]["rule"] == rule
    assert "now" in answer["steps"][1]["detail"]
    assert answer["can"] == (["enable"] if rule == "disabled" else ["resend"])


def test_an_endpoint_that_came_later_or_asked_for_something_else_is_told(service, app):
    endpoints = service.svix().endpoint
    other = endpoints.create(app, EndpointIn(url=NOBODY, event_types=["a.b"])).id
    msg = service.send(app)
    later = endpoints.create(app, EndpointIn(url=NOBODY)).id
    assert explain(service, app, msg, later)["steps"][1]["rule"] == "created_after"
    endpoints.patch(app, other, EndpointPatch(event_types=["test.event"]))
    assert explain(service, app, msg, other)["steps"][1]["rule"] == "changed_since"


@pytest.mark.parametrize(
    "rule, asks",
    [
        ("every_message", {}),
        ("event_type", {"event_types": ["test.event", "a.b"]}),
        ("channel", {"channels": ["red"]}),
    ],
)
def test_a_message_that_matches_is_told_by_which_rule(service, app, receiver, rule, asks):
    endpoint = service.subscribe(app, receiver, **asks)
    msg = service.send(app, channels=["red"])
    service.until(app, msg, endpoint, "delivered")
    assert explain(service, app, msg, endpoint)["steps"][1]["rule"] == rule
    patch(service, app, endpoint, eventTypes=["a.c"])
    assert explain(service, app, msg, endpoint)["steps"][1]["rule"] == "matched_before"


def test_manual_attempts_alone_are_told(service, app, receiver):
    endpoint = service.subscribe(app, receiver, event_types=["a.b"])
    receiver.always(500)
    msg = service.send(app)
    service.svix().message_attempt.resend(app, msg, endpoint)
    answer = eventually(lambda: explain(service, app, msg, endpoint), lambda a: "attempt" in told(a))
    assert told(answer) == ["accepted", "not_matched", "attempt"]
    assert answer["steps"][2]["detail"] == "A manual attempt got status 500."
    assert answer["state"] == "none"


def test_an_attempt_under_way_is_told(service, app, receiver):
    gate = threading.Event()
    receiver.script = lambda delivery: Answer(204, hold=gate)
    endpoint = service.subscribe(app, receiver)
    msg = service.send(app)
    receiver.wait()
    answer = explain(service, app, msg, endpoint)
    assert (answer["state"], answer["next"]["what"], answer["can"]) == ("in_flight", "outcome", [])
    gate.set()
    assert until(service, app, msg, endpoint, None)["state"] == "delivered"


def test_a_retry_is_told_with_its_time_and_the_attempt_that_failed(start, receiver):
    service = start(retry_schedule="1h")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    receiver.always(503)
    msg = service.send(app)
    answer = until(service, app, msg, endpoint, "retry")
    assert answer["state"] == "retrying"
    assert answer["next"]["why"].startswith("Attempt 1 got status 503, and the next is due at ")
    assert answer["next"]["at"] == service.delivery(app, msg, endpoint)["nextAttempt"]
    service.stop()
    service.start()
    assert explain(service, app, msg, endpoint)["next"] == answer["next"]


def test_a_message_for_later_is_told_with_its_time(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    at = datetime.now(timezone.utc) + timedelta(hours=1)
    msg = service.send(app, deliverAt=at.isoformat())
    answer = explain(service, app, msg, endpoint)
    assert (answer["state"], answer["next"]["what"]) == ("scheduled", "deliver_at")
    assert moment(answer["next"]["at"]) == at


def test_a_paused_endpoint_is_told_until_it_is_resumed(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    patch(service, app, endpoint, paused=True)
    msg = service.send(app)
    answer = explain(service, app, msg, endpoint)
    assert (answer["next"]["what"], answer["can"]) == ("paused", ["resume"])
    patch(service, app, endpoint, paused=False)
    assert until(service, app, msg, endpoint, None)["state"] == "delivered"


def test_the_message_that_goes_before_is_named(service, app, receiver):
    gate = threading.Event()
    receiver.script = lambda delivery: Answer(204, hold=gate)
    endpoint = service.subscribe(app, receiver)
    patch(service, app, endpoint, ordering="key")
    first, second = (service.send(app, orderingKey="k") for _ in range(2))
    answer = explain(service, app, second, endpoint)
    assert (answer["next"]["what"], answer["next"]["waitsFor"]) == ("order", first)
    assert first in answer["summary"]
    gate.set()
    assert until(service, app, second, endpoint, None)["state"] == "delivered"


def test_an_open_breaker_is_told_with_its_reason_and_its_probe(start, receiver):
    service = start(
        breaker_attempts=2, breaker_waits="1h", retry_schedule="1s", endpoint_max_in_flight=1
    )
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    receiver.always(500)
    sent = [service.send(app) for _ in range(5)]
    ask = lambda: service.get(f"/app/{app}/endpoint/{endpoint}").json()["breaker"]
    shown = eventually(ask, lambda breaker: breaker["state"] == "open")
    answer = until(service, app, sent[-1], endpoint, "breaker")
    assert answer["next"]["at"] == shown["nextProbeAt"]
    assert "circuit breaker is open (status 500)" in answer["summary"]


def test_a_rate_is_told(service, app, receiver):
    endpoint = service.subscribe(app, receiver, throttle_rate=1)
    sent = [service.send(app) for _ in range(20)]
    receiver.wait(1)
    answer = until(service, app, sent[-1], endpoint, "rate")
    assert "the endpoint's rate of 1 a second" in answer["summary"]
    assert answer["state"] == "scheduled"
    patch(service, app, endpoint, throttleRate=None)
    assert until(service, app, sent[-1], endpoint, None)["state"] == "delivered"


def test_as_many_attempts_as_the_endpoint_gets_at_once_are_told(start, receiver):
    service = start(endpoint_max_in_flight=1)
    app = service.new_app()
    gate = threading.Event()
    receiver.script = lambda delivery: Answer(204, hold=gate)
    endpoint = service.subscribe(app, receiver)
    sent = [service.send(app) for _ in range(2)]
    receiver.wait(1)
    answer = explain(service, app, sent[1], endpoint)
    assert (answer["state"], answer["next"]["what"]) == ("scheduled", "limit")
    gate.set()
    assert until(service, app, sent[1], endpoint, None)["state"] == "delivered"


def test_a_rest_that_the_endpoint_asked_for_is_told(start, receiver):
    service = start(retry_schedule="1h")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    receiver.script = lambda delivery: Answer(429, headers={"retry-after": "3600"})
    first = service.send(app)
    until(service, app, first, endpoint, "retry")
    second = service.send(app)
    answer = until(service, app, second, endpoint, "rest")
    assert moment(answer["next"]["at"]) > datetime.now(timezone.utc)


def test_a_disabled_endpoint_is_told_with_what_it_takes(service, app, receiver):
    gate = threading.Event()
    receiver.script = lambda delivery: Answer(500, hold=gate)
    endpoint = service.subscribe(app, receiver)
    msg = service.send(app)
    receiver.wait()
    patch(service, app, endpoint, disabled=True)
    gate.set()
    answer = until(service, app, msg, endpoint, None)
    assert (answer["state"], answer["steps"][-1]["reason"]) == ("dead", "endpoint_disabled")
    assert answer["can"] == ["enable"]


def test_failures_are_told_as_classes_and_name_no_address(start):
    """A tenant who may name any URL learns nothing of the network: no address, no port, and of what
    is refused not even how long it took to refuse."""
    service = start(retry_schedule="")
    apps, texts = [service.new_app() for _ in range(3)], []
    urls = ("http://localhost:1/", "http://localhost:22/", f"http://localhost:{service.port}/")
    endpoints = [service.svix().endpoint.create(app, EndpointIn(url=url)).id for app, url in zip(apps, urls)]
    service.stop()
    service.start(allow_subnets="")
    for app, endpoint in zip(apps, endpoints):
        msg = service.svix().message.create(app, MessageIn(event_type="a", payload={})).id
        service.until(app, msg, endpoint, "dead")
        answer = explain(service, app, msg, endpoint)
        step = next(s for s in answer["steps"] if s["what"] == "attempt")
        assert (step["outcome"], step["responseStatusCode"]) == ("blocked", 0)
        assert [step["timings"][part] for part in ("connectUs", "tlsUs", "firstByteUs")] == [None] * 3
        texts.append((step["detail"], answer["summary"], answer["steps"][-1]["detail"]))
        assert "127.0.0.1" not in str(answer) and "::1" not in str(answer) and "localhost" not in str(answer)
    assert len(set(texts)) == 1


def test_an_application_token_explains_its_own_alone(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    msg = service.send(app)
    service.until(app, msg, endpoint, "delivered")
    key = lambda of: service.post("/key", {"scope": "app", "name": "x", "appId": of}).json()["token"]
    own, others = key(app), key(service.new_app())
    assert explain(service, app, msg, endpoint, token=own)["state"] == "delivered"
    path = f"/app/{app}/msg/{msg}/endpoint/{endpoint}/explain"
    assert service.get(path, token=others).status in (403, 404)


def test_what_is_not_there_is_404(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    msg = service.send(app)
    missing = msg[:-1] + ("A" if msg[-1] != "A" else "B")
    assert service.get(f"/app/{app}/msg/{missing}/endpoint/{endpoint}/explain").status == 404
    assert service.get(f"/app/{app}/msg/{msg}/endpoint/none/explain").status == 404
    assert service.post(f"/app/{app}/msg/{msg}/endpoint/{endpoint}/explain").status == 405


def test_of_many_attempts_the_newest_are_told(start, receiver):
    service = start(retry_schedule=",".join(["1ms"] * 60))
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    receiver.always(500)
    msg = service.send(app)
    service.until(app, msg, endpoint, "dead")
    answer = until(service, app, msg, endpoint, None)
    assert told(answer)[:4] == ["accepted", "matched", "queued", "earlier_attempts"]
    attempts = [step["detail"] for step in answer["steps"] if step["what"] == "attempt"]
    assert attempts == [f"Attempt {n} got status 500." for n in range(12, 62)]
