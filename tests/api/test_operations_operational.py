"""Operational webhooks: what an organisation is told about its endpoints, deliveries and tasks.

Every delivery here is verified by the receiver with the official packages; see receivers.py."""

import json
import threading

import pytest
from svix.api import ApplicationIn, EndpointHeadersPatchIn, EndpointIn, EndpointListOptions
from svix.api import EndpointPatch, EndpointUpsertIn
from svix.api import OperationalWebhookEndpointHeadersIn, OperationalWebhookEndpointIn
from svix.api import OperationalWebhookEndpointListOptions, OperationalWebhookEndpointSecretIn
from svix.api import OperationalWebhookEndpointUpsertIn
from svix.exceptions import HttpError
from svix.models import Ordering

from receivers import Answer, hmac_secret
from surehook import eventually, jwt

SECRET = "a secret that is long enough for anybody"
ORG = "org_2bjkzYgDPCTwDCZ1nQbWSUqqYVy"
OTHER_ORG = "org_2bjkzYgDPCTwDCZ1nQbWSUqqYVz"
ROUTE = "/operational-webhook/endpoint"
NOWHERE = "http://127.0.0.1:1/x"


class Listener:
    """An operational endpoint and what it was told, in any order of arrival."""

    def __init__(self, service, receiver, token=None, **fields):
        self.receiver = receiver
        self.secret = hmac_secret()
        self.group = service.svix(token).operational_webhook.endpoint
        receiver.expect("/operational", self.secret)
        made = OperationalWebhookEndpointIn(
            url=receiver.url + "/operational", secret=self.secret, **fields
        )
        self.id = self.group.create(made).id

    @property
    def events(self):
        return [json.loads(d.body) for d in list(self.receiver.deliveries) if d.path == "/operational"]

    def of(self, kind):
        return [event["data"] for event in self.events if event["type"] == kind]

    def wait(self, kind, count=1):
        self.receiver.wait_for(lambda: len(self.of(kind)) >= count)
        return self.of(kind)

    def types(self):
        return sorted(event["type"] for event in self.events)


@pytest.fixture
def listener(service, new_receiver):
    return Listener(service, new_receiver())


# ---------------------------------------------------------------- events


def test_every_change_of_an_endpoint_is_told(service, listener):
    svix = service.svix()
    app = svix.application.create(ApplicationIn(name="x", uid="tenant")).id
    endpoint = svix.endpoint.create(app, EndpointIn(url=NOWHERE, uid="hook")).id
    about = {"appId": app, "appUid": "tenant", "endpointId": endpoint, "endpointUid": "hook"}
    svix.endpoint.upsert(app, endpoint, EndpointUpsertIn(url=NOWHERE, uid="hook", description="d"))
    svix.endpoint.patch_headers(app, endpoint, EndpointHeadersPatchIn(headers={"x-a": "1"}))
    svix.endpoint.patch(app, endpoint, EndpointPatch(disabled=True))
    svix.endpoint.patch(app, endpoint, EndpointPatch(disabled=False))
    svix.endpoint.delete(app, endpoint)
    listener.receiver.wait(8)
    assert listener.types() == sorted(
        ["endpoint.created", "endpoint.disabled", "endpoint.enabled", "endpoint.deleted"]
        + ["endpoint.updated"] * 4
    )
    for kind in ("created", "updated", "enabled", "deleted"):
        assert all(data == about for data in listener.of(f"endpoint.{kind}"))
    assert listener.of("endpoint.disabled") == [{**about, "trigger": "manual", "reason": "manual"}]


def test_what_has_no_uid_is_told_with_null(service, app, listener):
    endpoint = service.svix().endpoint.create(app, EndpointIn(url=NOWHERE)).id
    assert listener.wait("endpoint.created") == [
        {"appId": app, "appUid": None, "endpointId": endpoint, "endpointUid": None}
    ]


def test_an_endpoint_that_answers_410_is_told_with_the_reason(service, app, receiver, listener):
    endpoint = service.subscribe(app, receiver)
    receiver.always(410)
    service.send(app)
    (told,) = listener.wait("endpoint.disabled")
    assert (told["endpointId"], told["trigger"], told["reason"]) == (endpoint, "automatic", "gone")
    assert listener.types() == ["endpoint.created", "endpoint.disabled"]


def test_a_message_that_keeps_failing_is_told_at_its_fourth_failure_and_when_it_recovers(
    start, new_receiver, receiver
):
    service = start(retry_schedule=",".join(["10ms"] * 8))
    listener = Listener(service, new_receiver())
    app = service.new_app(uid="tenant")
    endpoint = service.subscribe(app, receiver)
    receiver.answers(*[500] * 5)
    msg = service.send(app, eventId="order-1")
    service.until(app, msg, endpoint, "delivered")
    (recovered,) = listener.wait("message.attempt.recovered")
    (failing,) = listener.wait("message.attempt.failing")
    attempts = service.svix().message_attempt.list_by_msg(app, msg).data[::-1]
    about = {"appId": app, "appUid": "tenant", "endpointId": endpoint, "msgId": msg}
    for told, attempt in ((failing, attempts[3]), (recovered, attempts[5])):
        last = told.pop("lastAttempt")
        assert told == {**about, "msgEventId": "order-1"}
        assert (last["id"], last["responseStatusCode"]) == (attempt.id, attempt.response_status_code)
        assert last["timestamp"].startswith(attempt.timestamp.strftime("%Y-%m-%dT%H:%M:%S"))
    assert listener.of("message.attempt.exhausted") == []


def test_the_end_of_the_schedule_is_told_and_a_later_success(service, app, receiver, listener):
    endpoint = service.subscribe(app, receiver)
    receiver.answers(500, 500, 500)
    msg = service.send(app)
    (told,) = listener.wait("message.attempt.exhausted")
    assert (told["msgId"], told["msgEventId"], told["endpointId"]) == (msg, None, endpoint)
    assert told["lastAttempt"]["responseStatusCode"] == 500
    assert service.post(f"/app/{app}/msg/{msg}/endpoint/{endpoint}/resend", {}).status == 202
    (told,) = listener.wait("message.attempt.recovered")
    assert (told["msgId"], told["lastAttempt"]["responseStatusCode"]) == (msg, 204)
    assert listener.of("message.attempt.failing") == []


def test_the_end_of_a_background_task_is_told(service, app, receiver, listener):
    endpoint = service.subscribe(app, receiver)
    since = "2026-01-01T00:00:00Z"
    task = service.post(f"/app/{app}/endpoint/{endpoint}/recover", {"since": since}).json()
    (told,) = listener.wait("background_task.finished")
    answer = eventually(
        lambda: service.get(f"/background-task/{task['id']}").json(),
        lambda answer: answer["status"] == "finished",
    )
    assert told == {
        "taskId": task["id"],
        "status": "finished",
        "task": "endpoint.recover",
        "data": answer["data"],
    }


def test_the_endpoints_of_a_deleted_application_are_told(service, app, listener):
    svix = service.svix()
    ids = {svix.endpoint.create(app, EndpointIn(url=NOWHERE)).id for _ in range(5)}
    svix.application.delete(app)
    told = listener.wait("endpoint.deleted", 5)
    assert {data["endpointId"] for data in told} == ids
    assert {data["appId"] for data in told} == {app}


def test_only_what_was_asked_for_is_told(service, app, new_receiver):
    listener = Listener(service, new_receiver(), event_types=["endpoint.deleted"])
    svix = service.svix()
    svix.endpoint.delete(app, svix.endpoint.create(app, EndpointIn(url=NOWHERE)).id)
    listener.wait("endpoint.deleted")
    assert listener.types() == ["endpoint.deleted"]


def test_an_operational_delivery_is_retried_under_the_same_id(start, new_receiver):
    service = start(retry_schedule=",".join(["10ms"] * 8))
    receiver = new_receiver()
    listener = Listener(service, receiver)
    receiver.answers(500, Answer(reset=True), 503)
    app = service.new_app()
    service.svix().endpoint.create(app, EndpointIn(url=NOWHERE))
    deliveries = receiver.wait(4)
    assert len({d.id for d in deliveries}) == 1
    assert len({d.body for d in deliveries}) == 1
    assert listener.types() == ["endpoint.created"] * 4


def test_nothing_is_told_about_operational_endpoints(service, app, new_receiver):
    """One that fails would feed itself."""
    receiver = new_receiver()
    listener = Listener(service, receiver)
    receiver.answers(500, 500, 500)
    other = listener.group.create(OperationalWebhookEndpointIn(url=NOWHERE)).id
    listener.group.upsert(other, OperationalWebhookEndpointUpsertIn(url=NOWHERE, disabled=True))
    listener.group.delete(other)
    svix = service.svix()
    endpoint = svix.endpoint.create(app, EndpointIn(url=NOWHERE)).id
    receiver.wait(3)
    svix.endpoint.delete(app, endpoint)
    listener.wait("endpoint.deleted")
    assert listener.types() == ["endpoint.created"] * 3 + ["endpoint.deleted"]


def test_an_event_commits_with_its_cause_whenever_the_process_dies(start, new_receiver):
    """After each kill: every endpoint that exists was told, and nothing that does not exist."""
    service = start(retry_schedule=",".join(["100ms"] * 50))
    listener = Listener(service, new_receiver())
    app = service.new_app()

    def create_until_killed():
        try:
            while True:
                service.post(f"/app/{app}/endpoint", {"url": NOWHERE})
        except OSError:
            pass

    for round in range(1, 4):
        creators = [threading.Thread(target=create_until_killed) for _ in range(4)]
        for creator in creators:
            creator.start()
        listener.wait("endpoint.created", 15 * round)
        service.kill()
        for creator in creators:
            creator.join()
        service.start()
    listed = {e.id for e in every_endpoint(service, app)}
    listener.receiver.wait_for(
        lambda: {data["endpointId"] for data in listener.of("endpoint.created")} >= listed
    )
    assert {data["endpointId"] for data in listener.of("endpoint.created")} == listed


def every_endpoint(service, app):
    group, iterator = service.svix().endpoint, None
    while True:
        page = group.list(app, EndpointListOptions(iterator=iterator, limit=250))
        yield from page.data
        if page.done:
            return
        iterator = page.iterator


# ---------------------------------------------------------------- endpoints


def test_an_operational_endpoint_has_all_that_the_sdk_knows(service, receiver):
    group = service.svix().operational_webhook.endpoint
    assert group.list().data == []
    fields = {"uid": "ours", "description": "d", "metadata": {"a": "b"}}
    made = group.create(
        OperationalWebhookEndpointIn(
            url=NOWHERE, event_types=["endpoint.created"], headers={"x-a": "1"}, **fields
        )
    )
    assert (made.uid, made.description, made.metadata) == ("ours", "d", {"a": "b"})
    assert made.event_types == ["endpoint.created"] and made.disabled is False
    assert group.get("ours") == group.get(made.id) == made
    assert group.get_headers(made.id).headers == {"x-a": "1"}
    group.set_headers(made.id, OperationalWebhookEndpointHeadersIn(headers={"authorization": "x"}))
    assert group.get_headers(made.id).sensitive == ["authorization"]
    changed = group.upsert(made.id, OperationalWebhookEndpointUpsertIn(url=NOWHERE, disabled=True))
    assert (changed.id, changed.disabled, changed.event_types) == (made.id, True, None)
    assert group.get_headers(made.id).sensitive == ["authorization"]
    fresh = group.upsert("other", OperationalWebhookEndpointUpsertIn(url=NOWHERE))
    assert (fresh.uid, fresh.id != made.id) == ("other", True)
    oldest_first = OperationalWebhookEndpointListOptions(order=Ordering.ASCENDING, limit=1)
    page = group.list(oldest_first)
    assert [e.id for e in page.data] == [made.id] and not page.done
    oldest_first.iterator = page.iterator
    assert [e.id for e in group.list(oldest_first).data] == [fresh.id]
    group.delete(made.id)
    refused(lambda: group.get(made.id), 404)


def test_a_rotated_secret_signs_with_the_old_one_for_its_time(service, app, listener):
    old = listener.group.get_secret(listener.id).key
    assert old == listener.secret
    new = hmac_secret()
    assert listener.group.rotate_secret(listener.id, OperationalWebhookEndpointSecretIn(key=new)) is None
    assert listener.group.get_secret(listener.id).key == new
    service.svix().endpoint.create(app, EndpointIn(url=NOWHERE))
    listener.wait("endpoint.created")
    listener.receiver.expect("/operational", new)
    service.svix().endpoint.create(app, EndpointIn(url=NOWHERE))
    listener.wait("endpoint.created", 2)


@pytest.mark.parametrize(
    "body, place",
    [
        ({"url": NOWHERE, "eventTypes": ["endpoint.created", "no.such"]}, ["eventTypes", 1]),
        ({"url": NOWHERE, "filterTypes": ["mine"]}, ["filterTypes", 0]),
        ({"url": NOWHERE, "channels": ["a"]}, ["channels"]),
        ({"url": "ftp://x/"}, ["url"]),
        ({}, ["url"]),
    ],
    ids=str,
)
def test_a_bad_operational_endpoint_is_refused_at_its_place(service, body, place):
    service.post("/event-type", {"name": "mine", "description": "of applications"})
    for method, path in (("POST", ROUTE), ("PUT", ROUTE + "/uid")):
        reply = service.call(method, path, body)
        assert reply.status == 422
        assert reply.json()["detail"][0]["loc"] == ["body", *place]
    assert service.get(ROUTE).json()["data"] == []


def refused(call, status):
    with pytest.raises(HttpError) as refusal:
        call()
    assert refusal.value.status_code == status


# ---------------------------------------------------------------- tenants


def test_no_route_of_applications_leads_to_operational_endpoints(start):
    service = start(jwt_secret=SECRET)
    token = jwt(SECRET, sub=ORG)
    made = service.post(ROUTE, {"url": NOWHERE, "uid": "ours"}, token=token)
    assert made.status == 201
    assert service.get("/app", token=token).json()["data"] == []
    hidden = ORG.replace("org_", "app_")
    ids = (made.json()["id"], "ours")
    paths = [f"/app/{hidden}", f"/app/{hidden}/endpoint", f"/app/{hidden}/msg"]
    paths += [f"/app/{hidden}/endpoint/{id}" for id in ids]
    assert {service.get(path, token=token).status for path in paths} == {404}
    message = {"eventType": "a", "payload": {}}
    assert service.post(f"/app/{hidden}/msg", message, token=token).status == 404
    assert service.call("DELETE", f"/app/{hidden}", token=token).status == 404
    assert service.post(f"/auth/app-portal-access/{hidden}", {}, token=token).status == 404
    inside = jwt(SECRET, sub=hidden, org=ORG)
    assert service.get(f"/app/{hidden}/endpoint", token=inside).status == 404
    own = service.post("/app", {"name": "x"}, token=token).json()["id"]
    assert {service.get(f"/app/{own}/endpoint/{id}", token=token).status for id in ids} == {404}
    endpoint = service.post(f"/app/{own}/endpoint", {"url": NOWHERE, "uid": "e"}, token=token).json()["id"]
    assert {service.get(f"{ROUTE}/{id}", token=token).status for id in (endpoint, "e")} == {404}


def test_organisations_are_told_of_their_own_endpoints_alone(start, new_receiver):
    service = start(jwt_secret=SECRET)
    tokens = [jwt(SECRET, sub=org) for org in (ORG, OTHER_ORG)]
    listeners = [Listener(service, new_receiver(), token=token) for token in tokens]
    apps = [service.post("/app", {"name": "x"}, token=t).json()["id"] for t in tokens]
    for app, token in zip(apps, tokens):
        assert service.post(f"/app/{app}/endpoint", {"url": NOWHERE}, token=token).status == 201
    for app, listener in zip(apps, listeners):
        assert [data["appId"] for data in listener.wait("endpoint.created")] == [app]
    path = f"{ROUTE}/{listeners[0].id}"
    assert service.get(path, token=tokens[0]).status == 200
    for method, suffix, body in [
        ("GET", "", None),
        ("PUT", "", {"url": NOWHERE}),
        ("DELETE", "", None),
        ("GET", "/secret", None),
        ("POST", "/secret/rotate", {}),
        ("GET", "/headers", None),
        ("PUT", "/headers", {"headers": {}}),
    ]:
        reply = service.call(method, path + suffix, body, token=tokens[1])
        assert reply.status == 404, (method, suffix)


@pytest.mark.parametrize("scope", ["read", "ingest", "app"])
def test_no_lesser_scope_sees_operational_endpoints(service, app, scope):
    made = service.post(ROUTE, {"url": NOWHERE}).json()["id"]
    fields = {"appId": app} if scope == "app" else {}
    token = service.post("/key", {"scope": scope, **fields}).json()["token"]
    for path in (ROUTE, f"{ROUTE}/{made}", f"{ROUTE}/{made}/secret", f"{ROUTE}/{made}/headers"):
        assert service.get(path, token=token).status == 403


def test_operational_endpoints_outlive_a_restart(service, app, listener):
    service.stop()
    service.start()
    service.svix().endpoint.create(app, EndpointIn(url=NOWHERE))
    listener.wait("endpoint.created")
    assert [e.id for e in service.svix().operational_webhook.endpoint.list().data] == [listener.id]
