"""Messages that come with more than an event: a time to be delivered at, an application to make."""

from datetime import datetime, timedelta, timezone

import pytest
from svix.api import ApplicationIn, EndpointIn, MessageIn
from svix.exceptions import HttpError, HTTPValidationError


def soon(seconds):
    return datetime.now(timezone.utc) + timedelta(seconds=seconds)


def test_a_message_is_delivered_at_its_time_and_not_before(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    at = soon(4)
    made = service.svix().message.create(app, MessageIn(event_type="e", payload={}, deliver_at=at))
    assert made.deliver_at == at
    assert service.svix().message.get(app, made.id).deliver_at == at
    state = service.delivery(app, made.id, endpoint)
    assert (state["state"], state["tries"]) == ("scheduled", 0)
    assert datetime.fromisoformat(state["nextAttempt"]) == at
    other = service.send(app)
    service.until(app, other, endpoint, "delivered")
    assert service.delivery(app, made.id, endpoint)["state"] == "scheduled"
    arrived = receiver.wait(2)
    assert [d.id for d in arrived] == [other, made.id]
    assert datetime.now(timezone.utc) >= at


def test_a_delayed_message_survives_a_restart(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    at = soon(5)
    msg = service.send(app, deliverAt=at.isoformat())
    service.kill()
    service.start()
    assert service.delivery(app, msg, endpoint)["state"] == "scheduled"
    service.until(app, msg, endpoint, "delivered")
    assert datetime.now(timezone.utc) >= at


def test_a_delayed_message_can_be_sent_by_hand_before_its_time(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    msg = service.send(app, deliverAt=soon(3600).isoformat())
    service.svix().message_attempt.resend(app, msg, endpoint)
    service.until(app, msg, endpoint, "delivered")


@pytest.mark.parametrize("seconds", [-3600, 86400 + 60])
def test_a_time_that_is_past_or_too_far_ahead_is_refused(service, app, seconds):
    message = MessageIn(event_type="e", payload={}, deliver_at=soon(seconds))
    with pytest.raises(HTTPValidationError) as refusal:
        service.svix().message.create(app, message)
    assert refusal.value.detail[0].loc == ["body", "deliverAt"]
    assert service.svix().message.list(app).data == []


@pytest.mark.parametrize("hours, status", [(0, 422), (1, 202), (2160, 202), (2161, 422)])
def test_a_payload_is_kept_for_an_hour_to_ninety_days(service, app, hours, status):
    assert service.try_send(app, payloadRetentionHours=hours).status == status


def test_a_message_makes_its_application_and_later_ones_use_it(service):
    svix = service.svix()
    described = ApplicationIn(name="Shop", uid="shop", metadata={"tier": "gold"})
    wish = MessageIn(event_type="e", payload={"n": 1}, application=described)
    first = svix.message.create("shop", wish)
    made = svix.application.get("shop")
    assert (made.name, made.uid, made.metadata) == ("Shop", "shop", {"tier": "gold"})
    wish = MessageIn(event_type="e", payload={}, application=ApplicationIn(name="B", uid="b"))
    second = svix.message.create("shop", wish)
    third = svix.message.create(made.id, wish)
    assert svix.application.get("shop") == made
    assert [m.id for m in svix.message.list("shop").data] == [third.id, second.id, first.id]


def test_the_uid_in_the_path_is_the_application_s(service):
    svix = service.svix()
    wish = MessageIn(event_type="e", payload={}, application=ApplicationIn(name="Shop"))
    svix.message.create("shop", wish)
    assert svix.application.get("shop").uid == "shop"


def test_an_application_that_does_not_fit_the_path_is_refused(service):
    svix = service.svix()
    wrong = ApplicationIn(name="Shop", uid="other")
    with pytest.raises(HTTPValidationError) as refusal:
        svix.message.create("shop", MessageIn(event_type="e", payload={}, application=wrong))
    assert refusal.value.detail[0].loc == ["body", "application", "uid"]
    with pytest.raises(HttpError) as refusal:
        svix.message.create(
            "app_" + "0" * 27, MessageIn(event_type="e", payload={}, application=wrong)
        )
    assert refusal.value.status_code == 404
    assert svix.application.list().data == []


def test_only_an_administrator_s_message_makes_an_application(service):
    token = service.post("/key", {"scope": "ingest", "name": "producer"}).json()["token"]
    body = {"eventType": "e", "payload": {}, "application": {"name": "Shop"}}
    assert service.post("/app/shop/msg", body, token=token).status == 403
    service.new_app(uid="shop")
    assert service.post("/app/shop/msg", body, token=token).status == 202


def test_a_batch_makes_its_application(service):
    plain = {"eventType": "e", "payload": {}}
    items = [plain, {**plain, "application": {"name": "Shop"}}]
    reply = service.post("/app/shop/msg/batch", {"messages": items})
    assert [item["status"] for item in reply.json()["data"]] == [202, 202]
    assert len(service.svix().message.list("shop").data) == 2


def test_a_retried_request_makes_one_application_and_one_message(service, receiver):
    body = {"eventType": "e", "payload": {}, "application": {"name": "Shop"}}
    key = {"idempotency-key": "once"}
    first = service.post("/app/shop/msg", body, headers=key)
    service.kill()
    service.start()
    assert service.post("/app/shop/msg", body, headers=key).json()["id"] == first.json()["id"]
    svix = service.svix()
    assert len(svix.application.list().data) == len(svix.message.list("shop").data) == 1
    endpoint = svix.endpoint.create("shop", EndpointIn(url=receiver.url + "/none", disabled=True))
    assert svix.endpoint.list("shop").data == [endpoint]
