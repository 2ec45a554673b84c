"""Attempts, resend, and what one may ask about a delivery: promise 9."""

import threading
from datetime import datetime, timedelta, timezone

import pytest
from svix.api import (
    MessageAttemptListAttemptedMessagesOptions,
    MessageAttemptListByEndpointOptions,
    MessageAttemptListByMsgOptions,
)
from svix.api.errors.http_error import HttpError

from receivers import Answer
from surehook import eventually


@pytest.fixture
def attempts(service):
    return service.svix().message_attempt


def test_every_attempt_is_recorded_with_its_answer(service, attempts, app, receiver):
    endpoint = service.subscribe(app, receiver)
    receiver.answers(Answer(500, body=b'{"why":"broken"}'), Answer(204))
    msg = service.send(app)
    service.until(app, msg, endpoint, "delivered")
    rows = attempts.list_by_msg(app, msg, MessageAttemptListByMsgOptions(with_content=True)).data
    assert [r.response_status_code for r in rows] == [204, 500]
    assert [r.status for r in rows] == [0, 2]
    assert [r.trigger_type for r in rows] == [0, 0]
    assert rows[1].response == '{"why":"broken"}'
    assert {(r.msg_id, r.endpoint_id, r.url) for r in rows} == {(msg, endpoint, receiver.url + "/hook")}
    assert attempts.get(app, msg, rows[1].id).response == '{"why":"broken"}'
    assert attempts.list_by_endpoint(app, endpoint).data[0].id == rows[0].id


def test_without_content_the_response_is_empty_json(service, attempts, app, receiver):
    endpoint = service.subscribe(app, receiver)
    receiver.always(200, body=b"hello")
    msg = service.send(app)
    service.until(app, msg, endpoint, "delivered")
    bare = service.get(f"/app/{app}/attempt/msg/{msg}?with_content=false").json()["data"]
    whole = service.get(f"/app/{app}/attempt/msg/{msg}").json()["data"]
    assert (bare[0]["response"], whole[0]["response"]) == ("{}", "hello")


def test_filters(service, attempts, app, receiver):
    receiver.script = lambda d: Answer(404 if d.path == "/bad" else 200)
    bad = service.subscribe(app, receiver, "/bad")
    good = service.subscribe(app, receiver, "/good")
    msg = service.send(app, event_type="a.b")
    service.until(app, msg, bad, "dead")
    service.until(app, msg, good, "delivered")

    def of_msg(**options):
        rows = attempts.list_by_msg(app, msg, MessageAttemptListByMsgOptions(**options)).data
        return [r.response_status_code for r in rows]

    assert sorted(of_msg()) == [200, 404, 404, 404]
    assert of_msg(status=0) == [200]
    assert of_msg(status=2) == [404] * 3
    assert of_msg(status_code_class=400) == [404] * 3
    assert of_msg(status_code_class=500) == []
    assert of_msg(endpoint_id=good) == [200]
    assert of_msg(event_types=["other"]) == []
    assert sorted(of_msg(event_types=["a.b"])) == [200, 404, 404, 404]
    hour = timedelta(hours=1)
    assert of_msg(before=datetime.now(timezone.utc) - hour) == []
    assert len(of_msg(after=datetime.now(timezone.utc) - hour)) == 4
    of_endpoint = MessageAttemptListByEndpointOptions(with_msg=True, limit=2)
    rows = attempts.list_by_endpoint(app, bad, of_endpoint).data
    assert [r.msg.id for r in rows] == [msg, msg]
    rest = MessageAttemptListByEndpointOptions(iterator=rows[-1].id)
    assert len(attempts.list_by_endpoint(app, bad, rest).data) == 1


def test_messages_of_an_endpoint_and_endpoints_of_a_message(start, receiver):
    service = start(retry_schedule="1h")
    attempts = service.svix().message_attempt
    app = service.new_app()
    receiver.script = lambda d: Answer(204 if d.path == "/good" else 500)
    good = service.subscribe(app, receiver, "/good")
    bad = service.subscribe(app, receiver, "/bad")
    msg = service.send(app)
    service.until(app, msg, good, "delivered")
    service.until(app, msg, bad, "retrying")
    rows = {e.id: e for e in attempts.list_attempted_destinations(app, msg).data}
    assert (rows[good].status, rows[good].status_text, rows[good].next_attempt) == (0, "success", None)
    assert (rows[bad].status, rows[bad].status_text) == (3, "sending")
    assert rows[bad].next_attempt > datetime.now(timezone.utc)
    listed = attempts.list_attempted_messages(app, bad).data
    assert [(m.id, m.status) for m in listed] == [(msg, 3)]
    for status, ids in ((0, []), (1, []), (2, []), (3, [msg])):
        options = MessageAttemptListAttemptedMessagesOptions(status=status)
        assert [m.id for m in attempts.list_attempted_messages(app, bad, options).data] == ids


def test_one_call_explains_a_delivery(service, app, receiver):
    """What happened, what happens next, when and why."""
    endpoint = service.subscribe(app, receiver)
    gate = threading.Event()
    receiver.script = lambda d: Answer(500, hold=gate)
    msg = service.send(app)
    receiver.wait()
    answer = service.delivery(app, msg, endpoint)
    assert (answer["state"], answer["tries"], answer["lastAttemptId"]) == ("in_flight", 0, None)
    gate.set()
    answer = service.until(app, msg, endpoint, "dead")
    attempt = service.get(f"/app/{app}/msg/{msg}/attempt/{answer['lastAttemptId']}").json()
    assert attempt["responseStatusCode"] == answer["lastStatusCode"] == 500
    assert (answer["reason"], answer["tries"], answer["nextAttempt"]) == ("exhausted", 3, None)
    assert answer["createdAt"] <= answer["finishedAt"]


def test_errors_explain_without_naming_addresses(start):
    """A tenant who may name any URL learns nothing about the network from failures."""
    service = start(retry_schedule="")
    app = service.new_app()
    endpoint = service.post(f"/app/{app}/endpoint", {"url": "http://localhost/hook"}).json()["id"]
    service.stop()
    service.start(allow_subnets="")
    msg = service.send(app)
    service.until(app, msg, endpoint, "dead")
    attempt = service.get(f"/app/{app}/attempt/msg/{msg}").json()["data"][0]
    assert attempt["outcome"] == "blocked"
    assert "127.0.0.1" not in attempt["response"] and "::1" not in attempt["response"]


def test_resend_after_success_is_one_more_attempt(service, attempts, app, receiver):
    endpoint = service.subscribe(app, receiver)
    msg = service.send(app)
    service.until(app, msg, endpoint, "delivered")
    attempts.resend(app, msg, endpoint)
    assert [d.id for d in receiver.wait(2)] == [msg, msg]
    rows = eventually(lambda: attempts.list_by_msg(app, msg).data, lambda rows: len(rows) == 2)
    assert rows[0].trigger_type == 1


def test_resend_of_a_dead_letter_delivers_it(service, attempts, app, receiver):
    endpoint = service.subscribe(app, receiver)
    receiver.always(500)
    msg = service.send(app)
    service.until(app, msg, endpoint, "dead")
    receiver.always(204)
    attempts.resend(app, msg, endpoint)
    service.until(app, msg, endpoint, "delivered")
    assert service.get(f"/app/{app}/endpoint/{endpoint}/dead-letter").json()["data"] == []


def test_a_failed_resend_leaves_the_state_and_is_not_retried(service, attempts, app, receiver):
    endpoint = service.subscribe(app, receiver)
    receiver.always(500)
    msg = service.send(app)
    before = service.until(app, msg, endpoint, "dead")
    attempts.resend(app, msg, endpoint)
    rows = eventually(lambda: attempts.list_by_msg(app, msg).data, lambda rows: len(rows) == 4)
    assert rows[0].trigger_type == 1
    after = service.delivery(app, msg, endpoint)
    assert (after["state"], after["tries"], after["reason"]) == ("dead", before["tries"], "exhausted")
    assert len(receiver.deliveries) == 4


def test_a_successful_resend_cancels_the_pending_retry(start, receiver):
    service = start(retry_schedule="3s", retry_jitter="0")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    receiver.answers(500)
    msg = service.send(app)
    service.until(app, msg, endpoint, "retrying")
    service.svix().message_attempt.resend(app, msg, endpoint)
    answer = service.until(app, msg, endpoint, "delivered")
    assert answer["nextAttempt"] is None
    # A later event through the same endpoint shows that the time of the retry has passed unused.
    service.send(app)
    receiver.wait(3)
    with pytest.raises(TimeoutError):
        receiver.wait(4, timeout=3.3)


def test_resend_creates_the_delivery_if_there_was_none(service, attempts, app, receiver):
    msg = service.send(app)
    endpoint = service.subscribe(app, receiver)
    attempts.resend(app, msg, endpoint)
    assert receiver.wait()[0].id == msg
    service.until(app, msg, endpoint, "delivered")


def test_resend_to_a_disabled_endpoint_is_refused(service, attempts, app, receiver):
    endpoint = service.subscribe(app, receiver)
    msg = service.send(app)
    service.until(app, msg, endpoint, "delivered")
    service.call("PATCH", f"/app/{app}/endpoint/{endpoint}", {"disabled": True})
    with pytest.raises(HttpError) as refused:
        attempts.resend(app, msg, endpoint)
    assert refused.value.status_code == 409


def test_resend_while_one_is_in_flight_is_refused(service, attempts, app, receiver):
    endpoint = service.subscribe(app, receiver)
    gate = threading.Event()
    receiver.script = lambda d: Answer(204, hold=gate)
    msg = service.send(app)
    receiver.wait()
    with pytest.raises(HttpError) as refused:
        attempts.resend(app, msg, endpoint)
    assert refused.value.status_code == 409
    gate.set()
    service.until(app, msg, endpoint, "delivered")
    assert len(receiver.deliveries) == 1


def test_attempts_survive_a_restart(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    msg = service.send(app)
    service.until(app, msg, endpoint, "delivered")
    before = service.get(f"/app/{app}/attempt/msg/{msg}").body
    service.stop()
    service.start()
    assert service.get(f"/app/{app}/attempt/msg/{msg}").body == before
    assert len(service.get(f"/app/{app}/attempt/endpoint/{endpoint}").json()["data"]) == 1
