"""The circuit breaker, disabling after long failure, and the one call that brings an endpoint back.

That nothing is sent is judged by what arrives elsewhere meanwhile: waits that must not end within a
test are hours long."""

import pytest
from svix.api import AppPortalCapability, EndpointIn, EndpointPatch

from receivers import Answer
from surehook import eventually
from test_operations_operational import Listener
from test_operations_portal import access

OPENS = 4
LONG = {
    "breaker_attempts": OPENS,
    "breaker_waits": "1h",
    "retry_schedule": "1h",
    "endpoint_max_in_flight": 1,
}
CLOSED = {
    "state": "closed",
    "reason": None,
    "statusCode": None,
    "openedAt": None,
    "nextProbeAt": None,
    "failingSince": None,
}


def breaker(service, app, endpoint):
    return service.get(f"/app/{app}/endpoint/{endpoint}").json()["breaker"]


def until_open(service, app, endpoint):
    return eventually(lambda: breaker(service, app, endpoint), lambda b: b["state"] == "open")


def sick_at(receiver, path, status=500):
    receiver.script = lambda delivery: Answer(status if delivery.path == path else 204)


def arrived(receiver, path):
    return sum(d.path == path for d in receiver.deliveries)


def pass_by(service, receiver, count=20):
    """Whatever could have been sent by now was."""
    other = service.new_app()
    for n in range(3):  # endpoints of each dispatcher thread
        service.subscribe(other, receiver, f"/other{n}")
    before = [arrived(receiver, f"/other{n}") for n in range(3)]
    for _ in range(count):
        service.send(other)
    receiver.wait_for(
        lambda: all(arrived(receiver, f"/other{n}") - before[n] >= count for n in range(3))
    )


def open_one(service, app, receiver, messages=20):
    endpoint = service.subscribe(app, receiver, "/sick")
    sick_at(receiver, "/sick")
    sent = [service.send(app) for _ in range(messages)]
    until_open(service, app, endpoint)
    return endpoint, sent


def test_an_open_breaker_holds_everything_back_and_says_why(start, receiver):
    service = start(**LONG)
    app = service.new_app()
    endpoint, sent = open_one(service, app, receiver)
    shown = breaker(service, app, endpoint)
    assert (shown["reason"], shown["statusCode"]) == ("status", 500)
    assert shown["failingSince"] <= shown["openedAt"] < shown["nextProbeAt"]
    pass_by(service, receiver)
    assert arrived(receiver, "/sick") == OPENS
    deliveries = [service.delivery(app, msg, endpoint) for msg in sent]
    assert [d["tries"] for d in deliveries].count(0) == len(sent) - OPENS
    assert service.metric("surehook_breakers_open") == 1
    assert service.metric("surehook_oldest_due_age_seconds") == 0
    assert service.get(f"/app/{app}/endpoint").json()["data"][0]["breaker"] == shown
    assert service.svix().endpoint.get(app, endpoint).disabled is False


def test_a_resend_and_a_replay_wait_for_the_probe_like_everything(start, receiver):
    service = start(**LONG)
    app = service.new_app()
    endpoint = service.subscribe(app, receiver, "/sick")
    sick_at(receiver, "/sick", 410)
    dead = service.send(app)
    service.until(app, dead, endpoint, "dead")
    service.svix().endpoint.patch(app, endpoint, EndpointPatch(disabled=False))
    sick_at(receiver, "/sick", 503)
    sent = [service.send(app) for _ in range(20)]
    until_open(service, app, endpoint)
    before = arrived(receiver, "/sick")
    assert service.post(f"/app/{app}/msg/{sent[-1]}/endpoint/{endpoint}/resend", {}).status == 202
    assert service.post(f"/app/{app}/endpoint/{endpoint}/dead-letter/{dead}/replay", {}).status == 202
    pass_by(service, receiver)
    assert arrived(receiver, "/sick") == before
    receiver.always(204)
    assert service.post(f"/app/{app}/endpoint/{endpoint}/enable", {}).status == 202
    service.until(app, sent[-1], endpoint, "delivered")
    service.until(app, dead, endpoint, "delivered")


def test_a_receiver_that_recovers_gets_everything(start, receiver):
    service = start(
        breaker_attempts=OPENS, breaker_waits="20ms", retry_schedule=",".join(["20ms"] * 60)
    )
    app = service.new_app()
    endpoint = service.subscribe(app, receiver, "/sick")
    receiver.answers(*[503] * 12)
    sent = [service.send(app) for _ in range(30)]
    for msg in sent:
        service.until(app, msg, endpoint, "delivered")
    assert eventually(lambda: breaker(service, app, endpoint), lambda b: b == CLOSED)
    assert service.metric("surehook_breakers_open") == 0
    assert {d.id for d in receiver.deliveries} == set(sent)


def test_answers_of_a_living_endpoint_do_not_open_it(start, receiver):
    service = start(breaker_attempts=OPENS, breaker_waits="1h", retry_schedule="")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver, "/picky")
    sick_at(receiver, "/picky", 422)
    for msg in [service.send(app) for _ in range(20)]:
        service.until(app, msg, endpoint, "dead")
    shown = breaker(service, app, endpoint)
    assert (shown["state"], shown["openedAt"]) == ("closed", None)
    assert shown["failingSince"] is not None


def test_an_open_breaker_outlives_a_restart(start, receiver):
    service = start(**LONG)
    app = service.new_app()
    endpoint, _ = open_one(service, app, receiver)
    shown = breaker(service, app, endpoint)
    service.kill()
    service.start()
    assert service.metric("surehook_breakers_open") == 1
    pass_by(service, receiver)
    assert arrived(receiver, "/sick") == OPENS
    assert breaker(service, app, endpoint) == shown


def test_a_change_that_may_cure_closes_it_and_another_does_not(start, receiver):
    service = start(**LONG)
    app = service.new_app()
    endpoint, sent = open_one(service, app, receiver)
    path = f"/app/{app}/endpoint/{endpoint}"
    reply = service.call("PATCH", path, {"description": "words"}).json()
    assert reply["breaker"] == breaker(service, app, endpoint)
    assert reply["breaker"]["state"] == "open"
    pass_by(service, receiver)
    assert arrived(receiver, "/sick") == OPENS
    receiver.expect("/well", service.get(f"{path}/secret").json()["key"])
    reply = service.call("PATCH", path, {"url": f"{receiver.url}/well"}).json()
    assert reply["breaker"] == CLOSED
    receiver.wait_for(lambda: arrived(receiver, "/well") == len(sent) - OPENS)
    eventually(lambda: service.metric("surehook_breakers_open") == 0)


def disabled(start, receiver, listener_at=None, messages=12):
    """A service and an endpoint that it disabled for failing too long."""
    service = start(disable_after="1ms", retry_schedule="10ms,10ms,10ms")
    listener = Listener(service, listener_at) if listener_at else None
    app = service.new_app()
    endpoint = service.subscribe(app, receiver, "/sick")
    sick_at(receiver, "/sick")
    batch = {"messages": [{"eventType": "a", "payload": {}}] * messages}  # before it is disabled
    sent = [m["id"] for m in service.post(f"/app/{app}/msg/batch", batch).json()["data"]]
    eventually(lambda: service.svix().endpoint.get(app, endpoint).disabled)
    return service, app, endpoint, sent, listener


def test_failing_for_too_long_disables_and_is_told(start, receiver, new_receiver):
    service, app, endpoint, sent, listener = disabled(start, receiver, new_receiver())
    (told,) = listener.wait("endpoint.disabled")
    assert (told["endpointId"], told["trigger"], told["reason"]) == (endpoint, "automatic", "failing")
    shown = service.get(f"/app/{app}/endpoint/{endpoint}").json()
    assert shown["disabledReason"] == "failing"
    assert shown["breaker"]["failingSince"] is not None
    for msg in sent:
        service.until(app, msg, endpoint, "dead")


def test_after_enabling_it_is_not_disabled_again_at_once(start, receiver):
    service, app, endpoint, _, _ = disabled(start, receiver)
    enabled = service.svix().endpoint.patch(app, endpoint, EndpointPatch(disabled=False))
    assert enabled.disabled is False
    assert breaker(service, app, endpoint)["failingSince"] is None
    service.until(app, service.send(app), endpoint, "dead")  # four attempts
    assert service.svix().endpoint.get(app, endpoint).disabled is False
    assert breaker(service, app, endpoint)["failingSince"] is not None


def test_one_call_enables_and_sends_what_died(start, receiver):
    service, app, endpoint, sent, _ = disabled(start, receiver)
    receiver.always(204)
    reply = service.post(f"/app/{app}/endpoint/{endpoint}/enable")
    assert reply.status == 202
    assert reply.json()["task"] == "dead_letter.replay"
    for msg in sent:
        service.until(app, msg, endpoint, "delivered")
    shown = service.get(f"/app/{app}/endpoint/{endpoint}").json()
    assert (shown["disabled"], shown["disabledReason"]) == (False, None)
    eventually(lambda: breaker(service, app, endpoint), lambda b: b == CLOSED)
    task = f"/background-task/{reply.json()['id']}"
    eventually(lambda: service.get(task).json()["status"] == "finished")


def test_what_died_before_the_outage_stays_dead_unless_it_is_asked_for(service, app, receiver):
    endpoint = service.subscribe(app, receiver, "/sick")
    sick_at(receiver, "/sick")
    old = service.send(app)
    service.until(app, old, endpoint, "dead")
    receiver.always(204)
    service.until(app, service.send(app), endpoint, "delivered")
    svix = service.svix()
    svix.endpoint.patch(app, endpoint, EndpointPatch(disabled=True))
    assert service.post(f"/app/{app}/endpoint/{endpoint}/enable").status == 202
    service.until(app, service.send(app), endpoint, "delivered")
    assert service.delivery(app, old, endpoint)["state"] == "dead"
    body = {"since": "2026-01-01T00:00:00Z"}
    assert service.post(f"/app/{app}/endpoint/{endpoint}/enable", body).status == 202
    service.until(app, old, endpoint, "delivered")


@pytest.mark.parametrize(
    "body", [None, {}, {"since": None}, {"since": "yesterday"}, {"since": 5}, {"sinse": "2026-01-01T00:00:00Z"}]
)
def test_without_an_outage_the_call_must_say_since_when(service, app, body):
    endpoint = service.svix().endpoint.create(app, EndpointIn(url="https://example.com/"))
    reply = service.post(f"/app/{app}/endpoint/{endpoint.id}/enable", body)
    assert reply.status == 422
    assert reply.json()["detail"][0]["loc"] == ["body", "since"]


@pytest.mark.parametrize(
    "capabilities, status",
    [
        ([AppPortalCapability.MANAGE_ENDPOINT], 403),
        ([AppPortalCapability.CREATE_ATTEMPTS], 403),
        ([AppPortalCapability.MANAGE_ENDPOINT, AppPortalCapability.CREATE_ATTEMPTS], 202),
    ],
    ids=str,
)
def test_a_token_of_the_portal_must_be_able_to_do_both(service, app, capabilities, status):
    endpoint = service.svix().endpoint.create(app, EndpointIn(url="https://example.com/", disabled=True))
    token = access(service, app, capabilities=[AppPortalCapability.VIEW_BASE, *capabilities]).token
    path = f"/app/{app}/endpoint/{endpoint.id}"
    assert service.post(f"{path}/enable", {}, token=token).status == status
    assert service.get(path).json()["disabled"] is (status == 403)


def test_enabling_what_is_not_there_is_not_found(service, app):
    assert service.post(f"/app/{app}/endpoint/nothing/enable", {}).status == 404


def test_with_zero_nothing_is_ever_disabled(start, receiver):
    service = start(disable_after="0s", retry_schedule=",".join(["1ms"] * 12))
    app = service.new_app()
    endpoint = service.subscribe(app, receiver, "/sick")
    sick_at(receiver, "/sick")
    service.until(app, service.send(app), endpoint, "dead")  # thirteen attempts
    assert service.svix().endpoint.get(app, endpoint).disabled is False
