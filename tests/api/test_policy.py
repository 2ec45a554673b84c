"""Retry policies of endpoints and event types, an endpoint's timeout and its limit."""

import threading
from datetime import datetime

import pytest

from receivers import Answer
from surehook import eventually, jwt

URL = "https://example.com/"
SCHEDULE = {"schedule": ["5s", "5s", "1h30m"]}
SHOWN = {"exponential": None, "jitterPercent": None, "maxAttempts": None, "maxAge": None}
EXPONENTIAL = {"exponential": {"first": "250ms", "cap": "6h"}, "maxAttempts": 5}


def set_policy(service, app, endpoint, policy, **fields):
    body = {"retryPolicy": policy, **fields}
    reply = service.call("PATCH", f"/app/{app}/endpoint/{endpoint}", body)
    assert reply.status == 200, reply.body


def name_type(service, name, policy):
    body = {"name": name, "description": "", "retryPolicy": policy}
    assert service.post("/event-type", body).status == 201


def tries(service, app, endpoint, **fields):
    """How many attempts a message gets that never succeeds."""
    return service.until(app, service.send(app, **fields), endpoint, "dead")["tries"]


# ---------------------------------------------------------------- the fields


def test_a_policy_is_shown_as_it_is_kept(service, app):
    body = {"url": URL, "uid": "erp", "retryPolicy": SCHEDULE}
    made = service.post(f"/app/{app}/endpoint", body)
    assert (made.status, made.json()["retryPolicy"]) == (201, {**SHOWN, **SCHEDULE})
    path = f"/app/{app}/endpoint/erp"
    changed = service.call("PATCH", path, {"retryPolicy": EXPONENTIAL}).json()["retryPolicy"]
    assert changed == {
        "schedule": None,
        "exponential": {"first": "250ms", "factor": 2, "cap": "6h"},
        "jitterPercent": None,
        "maxAttempts": 5,
        "maxAge": None,
    }
    assert service.get(path).json()["retryPolicy"] == changed
    assert service.call("PATCH", path, {"description": "d"}).json()["retryPolicy"] == changed
    assert service.call("PATCH", path, {"retryPolicy": None}).json()["retryPolicy"] is None


@pytest.mark.parametrize(
    ("name", "value", "shown", "none"),
    [
        ("paused", True, True, False),
        ("retryPolicy", {"schedule": []}, {**SHOWN, "schedule": []}, None),
        ("attemptTimeout", "90s", "1m30s", None),
        ("maxInFlight", 3, 3, None),
        ("freshShare", 0, 0, None),
        ("freshShare", 90, 90, None),
    ],
)
def test_a_put_that_does_not_know_the_field_leaves_it(service, app, name, value, shown, none):
    path = f"/app/{app}/endpoint/erp"
    assert service.call("PUT", path, {"url": URL}).json()[name] == none
    assert service.call("PUT", path, {"url": URL, name: value}).json()[name] == shown
    assert service.call("PUT", path, {"url": URL, "description": "d"}).json()[name] == shown
    assert service.call("PUT", path, {"url": URL, name: None}).json()[name] == none


@pytest.mark.parametrize(
    ("policy", "place", "says"),
    [
        ("5s", [], "object"),
        ({}, [], "either schedule or exponential"),
        ({**SCHEDULE, **EXPONENTIAL}, [], "either schedule or exponential"),
        ({"schedule": "5s"}, ["schedule"], "list"),
        ({"schedule": ["1s"] * 65}, ["schedule"], "at most 64"),
        ({"schedule": ["1s", "0s"]}, ["schedule", 1], "from 1ms to 30d"),
        ({"schedule": ["1s", 5]}, ["schedule", 1], "duration"),
        ({"schedule": ["31d"]}, ["schedule", 0], "from 1ms to 30d"),
        ({"schedule": ["1s" + " " * 64]}, ["schedule", 0], "duration"),
        ({**SCHEDULE, "maxAttempts": 5}, ["maxAttempts"], "3 delays: at most 4"),
        ({**SCHEDULE, "maxAttempts": 0}, ["maxAttempts"], "from 1 to 1000"),
        ({**SCHEDULE, "jitterPercent": 101}, ["jitterPercent"], "from 0 to 100"),
        ({**SCHEDULE, "maxAge": "366d"}, ["maxAge"], "to 365d"),
        ({"exponential": {"first": "1s", "cap": "1h"}}, ["maxAttempts"], "maxAttempts or maxAge"),
        ({"exponential": {"cap": "1h"}, "maxAge": "1d"}, ["exponential", "first"], "required"),
        ({"exponential": {"first": "1s"}, "maxAge": "1d"}, ["exponential", "cap"], "required"),
        (
            {"exponential": {"first": "2s", "cap": "1s"}, "maxAge": "1d"},
            ["exponential", "cap"],
            "less than first",
        ),
        (
            {"exponential": {"first": "1s", "cap": "1s", "factor": 11}, "maxAge": "1d"},
            ["exponential", "factor"],
            "from 1 to 10",
        ),
    ],
)
def test_a_policy_that_cannot_be_followed_is_refused(service, app, policy, place, says):
    for path, body in (
        (f"/app/{app}/endpoint", {"url": URL}),
        ("/event-type", {"name": "e", "description": ""}),
    ):
        reply = service.post(path, {**body, "retryPolicy": policy})
        assert reply.status == 422
        detail = reply.json()["detail"][0]
        assert detail["loc"] == ["body", "retryPolicy", *place]
        assert says in detail["msg"]
        assert service.get(path).json()["data"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attemptTimeout", "0s"),
        ("attemptTimeout", "301s"),
        ("attemptTimeout", 10),
        ("maxInFlight", 0),
        ("maxInFlight", 51),  # the option's default is 50
        ("maxInFlight", "4"),
        ("freshShare", -1),
        ("freshShare", 91),
        ("freshShare", True),
        ("paused", 1),
    ],
)
def test_what_is_out_of_its_bounds_is_refused(service, app, name, value):
    reply = service.post(f"/app/{app}/endpoint", {"url": URL, name: value})
    assert reply.status == 422
    assert reply.json()["detail"][0]["loc"] == ["body", name]


def test_an_ordered_endpoint_has_no_share_for_what_is_new(service, app):
    """It would change nothing there: what is accepted has an effect."""
    path = f"/app/{app}/endpoint/erp"
    both = {"url": URL, "ordering": "fifo", "freshShare": 10}
    assert service.call("PUT", path, both).json()["detail"][0]["loc"] == ["body", "freshShare"]
    assert service.call("PUT", path, {"url": URL, "freshShare": 10}).status == 201
    assert service.call("PATCH", path, {"ordering": "key"}).status == 422
    assert service.call("PATCH", path, {"ordering": "key", "freshShare": None}).status == 200
    assert service.call("PATCH", path, {"freshShare": 10}).status == 422
    assert service.call("PATCH", path, {"freshShare": 0}).status == 200


def test_an_event_type_made_again_has_no_policy_of_the_archived_one(service):
    kept = service.post("/event-type", {"name": "e", "description": "", "retryPolicy": {"schedule": []}})
    assert kept.json()["retryPolicy"] is not None
    assert service.call("DELETE", "/event-type/e").status == 204
    made = service.post("/event-type", {"name": "e", "description": ""})
    assert (made.status, made.json()["retryPolicy"]) == (201, None)


def test_an_event_type_keeps_its_policy_through_a_put_an_export_and_an_import(service):
    name_type(service, "e", EXPONENTIAL)
    kept = service.get("/event-type/e").json()["retryPolicy"]
    assert kept["maxAttempts"] == 5
    assert service.call("PUT", "/event-type/e", {"description": "d"}).json()["retryPolicy"] == kept
    document = service.post("/environment/export").json()
    assert document["eventTypes"][0]["retryPolicy"] == kept
    service.call("PATCH", "/event-type/e", {"retryPolicy": None})
    assert service.post("/environment/import", document).status == 204
    assert service.get("/event-type/e").json()["retryPolicy"] == kept


def test_an_import_of_openapi_leaves_the_policy_alone(service):
    name_type(service, "e", EXPONENTIAL)
    kept = service.get("/event-type/e").json()["retryPolicy"]
    document = {"openapi": "3.1.0", "webhooks": {"e": {"post": {"description": "new"}}}}
    reply = service.post("/event-type/import/openapi", {"spec": document})
    assert reply.status == 200, reply.body
    after = service.get("/event-type/e").json()
    assert (after["description"], after["retryPolicy"]) == ("new", kept)


# ---------------------------------------------------------------- what they do


def test_the_endpoint_goes_before_the_event_type_and_that_before_the_option(start, receiver):
    service = start(retry_schedule="1ms")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    receiver.always(500)
    name_type(service, "long", {"schedule": ["1ms"] * 4})
    assert tries(service, app, endpoint, event_type="other") == 2
    assert tries(service, app, endpoint, event_type="long") == 5
    set_policy(service, app, endpoint, {"schedule": ["1ms", "1ms"]})
    assert tries(service, app, endpoint, event_type="other") == 3
    assert tries(service, app, endpoint, event_type="long") == 3
    set_policy(service, app, endpoint, None)
    assert tries(service, app, endpoint, event_type="long") == 5
    service.call("PATCH", "/event-type/long", {"retryPolicy": None})
    assert tries(service, app, endpoint, event_type="long") == 2


def test_the_policy_of_another_organisation_s_event_type_counts_for_nothing(start, receiver):
    service = start(retry_schedule="1ms", jwt_secret="s" * 32)
    other = jwt("s" * 32, sub="org_23rb8YdGqMT0qIzpgGwdXfHirMu", exp=4102444800)
    body = {"name": "shared", "description": "", "retryPolicy": {"schedule": ["1ms"] * 4}}
    assert service.post("/event-type", body, token=other).status == 201
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    receiver.always(500)
    assert tries(service, app, endpoint, event_type="shared") == 2


def test_an_exponential_policy_ends_by_its_attempts(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    receiver.always(500)
    policy = {"exponential": {"first": "1ms", "factor": 3, "cap": "4ms"}, "maxAttempts": 6}
    set_policy(service, app, endpoint, policy)
    assert tries(service, app, endpoint) == 6


def test_no_retry_is_later_than_the_age_that_is_allowed(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    receiver.always(500)
    policy = {"schedule": ["1ms", "1h", "1ms"], "jitterPercent": 0, "maxAge": "59m"}
    set_policy(service, app, endpoint, policy)
    msg = service.send(app)
    answer = service.until(app, msg, endpoint, "dead")
    assert (answer["tries"], answer["reason"]) == (2, "exhausted")


def test_a_replay_begins_the_age_anew(service, app, receiver):
    """Its message is older than the age that is allowed, by then."""
    endpoint = service.subscribe(app, receiver)
    set_policy(service, app, endpoint, {"schedule": ["1ms"], "maxAge": "3s"})
    receiver.always(500)
    msg = service.send(app)
    dead = service.until(app, msg, endpoint, "dead")
    eventually(lambda: age_of(dead), lambda seconds: seconds > 3.1)
    receiver.answers(500, 204)
    replay = f"/app/{app}/endpoint/{endpoint}/dead-letter/{msg}/replay"
    assert service.post(replay).status == 202
    assert service.until(app, msg, endpoint, "delivered")["tries"] == 2


def age_of(delivery):
    made = datetime.fromisoformat(delivery["createdAt"].replace("Z", "+00:00"))
    return (datetime.now(made.tzinfo) - made).total_seconds()


def test_a_change_counts_at_the_next_verdict_and_moves_no_retry_that_has_a_time(start, receiver, new_receiver):
    service = start(retry_schedule="1h", retry_jitter="0", dispatch_threads="1")
    app, other_app = service.new_app(), service.new_app()
    other = new_receiver()
    service.subscribe(other_app, other)
    endpoint = service.subscribe(app, receiver)
    receiver.always(500)
    waiting = service.send(app)
    before = service.until(app, waiting, endpoint, "retrying")["nextAttempt"]
    hold = threading.Event()
    receiver.script = lambda d: Answer(500, hold=hold)
    flying = service.send(app)
    receiver.wait(2)
    set_policy(service, app, endpoint, {"schedule": []})
    # Once a later event has come through, the thread of both endpoints knows of the change.
    service.send(other_app)
    other.wait()
    hold.set()
    assert service.until(app, flying, endpoint, "dead")["tries"] == 1
    now = service.delivery(app, waiting, endpoint)
    assert (now["state"], now["nextAttempt"]) == ("retrying", before)


def test_an_attempt_lasts_no_longer_than_the_endpoint_s_timeout(start, receiver):
    service = start(retry_schedule="", request_timeout="5m")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    set_policy(service, app, endpoint, None, attemptTimeout="100ms")
    receiver.script = lambda d: Answer(hold=threading.Event())
    msg = service.send(app)
    service.until(app, msg, endpoint, "dead")
    attempt = service.get(f"/app/{app}/attempt/msg/{msg}").json()["data"][0]
    assert attempt["outcome"] == "timeout"
    assert 100 <= attempt["responseDurationMs"] < 60_000  # the service's is five minutes


def test_no_more_attempts_are_under_way_than_the_endpoint_allows(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    set_policy(service, app, endpoint, None, maxInFlight=2)
    lock, hold = threading.Lock(), threading.Event()
    under_way = most = 0

    def script(delivery):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
            if len(receiver.deliveries) >= 12:
                hold.set()
        hold.wait(0.02)
        with lock:
            under_way -= 1
        return Answer()

    receiver.script = script
    sent = [service.send(app) for _ in range(30)]
    for msg in sent:
        service.until(app, msg, endpoint, "delivered")
    assert most <= 2


def test_policy_timeout_and_limit_survive_a_restart(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    set_policy(service, app, endpoint, {"schedule": ["1ms"] * 3}, attemptTimeout="7s", maxInFlight=4)
    before = service.get(f"/app/{app}/endpoint/{endpoint}").json()
    service.stop()
    service.start()
    assert service.get(f"/app/{app}/endpoint/{endpoint}").json() == before
    receiver.always(500)
    assert tries(service, app, endpoint) == 4
