"""Whether anybody would get a message, and an example of one for an endpoint alone."""

import pytest
from svix.api import EndpointPatch, EventExampleIn, EventTypeIn, MessagePrecheckIn, ReplayIn
from svix.exceptions import HttpError, HTTPValidationError

from surehook import eventually

NEWEST = {"examples": [{"n": 1.50}, {"n": 2}], "type": "object"}


@pytest.fixture
def typed(service):
    """Event types: with examples, with one, without."""
    types = service.svix().event_type
    schemas = {"2": {"examples": [{"old": True}]}, "10": NEWEST}
    types.create(EventTypeIn(name="many", description="", schemas=schemas))
    types.create(EventTypeIn(name="one", description="", schemas={"1": {"example": {"a": "b"}}}))
    types.create(EventTypeIn(name="none", description="", schemas={"1": {"type": "object"}}))
    types.create(EventTypeIn(name="odd", description="", schemas={"1": {"examples": [7]}}))
    types.create(EventTypeIn(name="bare", description=""))


def example(service, app, endpoint, token=None, **fields):
    wish = EventExampleIn(**{"event_type": "many", **fields})
    return service.svix(token).endpoint.send_example(app, endpoint, wish)


def test_an_example_reaches_its_endpoint_alone_whatever_that_asks_for(
    service, app, receiver, typed
):
    service.subscribe(app, receiver, "/other")
    endpoint = service.subscribe(app, receiver, event_types=["one"], channels=["red"])
    made = example(service, app, endpoint)
    assert (made.event_type, made.payload) == ("many", {"n": 1.5})
    service.until(app, made.id, endpoint, "delivered")
    assert [(d.path, d.id, d.body) for d in receiver.deliveries] == [
        ("/hook", made.id, b'{"n":1.5}')
    ]
    assert service.get(f"/app/{app}/msg/{made.id}").json()["payload"] == {"n": 1.5}


def test_no_replay_brings_an_example_to_another_endpoint(service, app, receiver, typed):
    endpoint = service.subscribe(app, receiver)
    made = example(service, app, endpoint)
    service.until(app, made.id, endpoint, "delivered")
    later = service.subscribe(app, receiver, "/later")
    svix = service.svix()
    begun = svix.application.get(app).created_at
    task = svix.endpoint.replay_missing(app, later, ReplayIn(since=begun)).id
    done = eventually(lambda: svix.background_task.get(task), lambda t: t.status == "finished")
    assert done.data["messagesSent"] == 0


@pytest.mark.parametrize(
    "fields, sent",
    [
        ({"example_index": 1}, {"n": 2}),
        ({"event_type": "one"}, {"a": "b"}),
        ({"event_type": "one", "example_index": 3}, {"a": "b"}),
        ({"event_type": "bare", "payload": {"my": "own"}}, {"my": "own"}),
        ({"event_type": "undeclared", "payload": {}}, {}),
    ],
    ids=str,
)
def test_which_example_is_sent(service, app, receiver, typed, fields, sent):
    endpoint = service.subscribe(app, receiver)
    assert example(service, app, endpoint, **fields).payload == sent


@pytest.mark.parametrize(
    "body, where",
    [
        ({"eventType": "none"}, ["eventType"]),
        ({"eventType": "bare"}, ["eventType"]),
        ({"eventType": "odd"}, ["eventType"]),
        ({"eventType": "unknown"}, ["eventType"]),
        ({"eventType": "a b"}, ["eventType"]),
        ({}, ["eventType"]),
        ({"eventType": "many", "exampleIndex": 2}, ["exampleIndex"]),
        ({"eventType": "many", "exampleIndex": -1}, ["exampleIndex"]),
        ({"eventType": "many", "payload": []}, ["payload"]),
    ],
    ids=str,
)
def test_what_cannot_be_sent_is_refused_and_not_stored(service, app, receiver, typed, body, where):
    endpoint = service.subscribe(app, receiver)
    reply = service.post(f"/app/{app}/endpoint/{endpoint}/send-example", body)
    assert (reply.status, reply.json()["detail"][0]["loc"]) == (422, ["body", *where])
    assert service.get(f"/app/{app}/msg").json()["data"] == []


def test_an_example_needs_an_endpoint_that_is_on(service, app, receiver, typed):
    endpoint = service.subscribe(app, receiver)
    for path in (("nobody", endpoint), (app, "nobody"), (service.new_app(), endpoint)):
        with pytest.raises(HttpError) as refusal:
            example(service, *path)
        assert refusal.value.status_code == 404
    service.svix().endpoint.patch(app, endpoint, EndpointPatch(disabled=True))
    with pytest.raises(HttpError) as refusal:
        example(service, app, endpoint)
    assert refusal.value.status_code == 409
    assert service.get(f"/app/{app}/msg").json()["data"] == []


def test_an_application_s_token_sends_only_what_it_may_see(service, app, receiver, typed):
    endpoint = service.subscribe(app, receiver)
    hidden = EventTypeIn(name="beta", description="", feature_flags=["b"], schemas={"1": NEWEST})
    service.svix().event_type.create(hidden)
    token = service.post("/key", {"scope": "app", "name": "k", "appId": app}).json()["token"]
    assert example(service, app, endpoint, token).payload == {"n": 1.5}
    for fields, where in (
        ({"event_type": "beta"}, "event_type"),
        ({"payload": {"forged": True}}, "payload"),
    ):
        with pytest.raises(HTTPValidationError) as refusal:
            example(service, app, endpoint, token, **fields)
        assert refusal.value.detail[0].loc == ["body", where.replace("event_type", "eventType")]


def test_a_repeated_request_sends_one_example(service, app, receiver, typed):
    endpoint = service.subscribe(app, receiver)
    path = f"/app/{app}/endpoint/{endpoint}/send-example"
    key = {"idempotency-key": "once"}
    replies = [service.post(path, {"eventType": "many"}, headers=key) for _ in range(2)]
    service.kill()
    service.start()
    replies.append(service.post(path, {"eventType": "many"}, headers=key))
    assert [r.status for r in replies] == [202] * 3
    assert len({r.body for r in replies}) == 1
    assert len(service.get(f"/app/{app}/msg").json()["data"]) == 1


def test_precheck_tells_whether_anybody_would_get_it(service, app, receiver):
    svix = service.svix()

    def active(event_type="a.b", **fields):
        return svix.message.precheck(app, MessagePrecheckIn(event_type=event_type, **fields)).active

    assert not active()
    service.post("/event-type", {"name": "a.b", "description": ""})
    endpoint = service.subscribe(app, receiver, event_types=["a.b"], channels=["red"])
    assert active(channels=["red", "blue"])
    assert not active(channels=["blue"])
    assert not active()
    assert not active("other", channels=["red"])
    svix.endpoint.patch(app, endpoint, EndpointPatch(disabled=True))
    assert not active(channels=["red"])
    service.subscribe(app, receiver, "/all")
    assert active() and active("other")
    assert service.get(f"/app/{app}/msg").json()["data"] == []


@pytest.mark.parametrize(
    "body, where",
    [
        ({}, ["eventType"]),
        ({"eventType": "a b"}, ["eventType"]),
        ({"eventType": "a", "channels": "red"}, ["channels"]),
        ({"eventType": "a", "channels": ["r d"]}, ["channels", 0]),
        ({"eventType": "a", "channels": list("abcdef")}, ["channels"]),
    ],
    ids=str,
)
def test_bad_prechecks_are_refused(service, app, body, where):
    reply = service.post(f"/app/{app}/msg/precheck/active", body)
    assert (reply.status, reply.json()["detail"][0]["loc"]) == (422, ["body", *where])
