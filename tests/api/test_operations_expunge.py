"""What was sent and is deleted on request: payloads of messages, responses of attempts."""

import pytest
from svix.api import BackgroundTaskListOptions, MessageGetOptions
from svix.exceptions import HttpError
from svix.models import BackgroundTaskType, BulkExpungeContentsIn

from receivers import Answer
from surehook import eventually

SECRET = b'{"card":"4111-1111"}'


def contents(service, app, *messages):
    whole = MessageGetOptions(with_content=True)
    return [service.svix().message.get(app, msg, whole).payload for msg in messages]


def bulk(service, app, ids):
    return service.svix().message.bulk_expunge_content(app, BulkExpungeContentsIn(ids=ids)).results


def refused(call, status):
    with pytest.raises(HttpError) as refusal:
        call()
    assert refusal.value.status_code == status


def test_payloads_are_deleted_by_id_and_by_event_id(service, app):
    first, kept = service.send(app, SECRET), service.send(app, SECRET)
    second = service.send(app, SECRET, eventId="order-1")
    other = service.new_app()
    foreign = service.send(other, SECRET, eventId="order-2")
    wish = [first, "order-1", "order-2", foreign, "unknown", "msg_x"]
    assert bulk(service, app, wish) == {
        first: "expunged",
        "order-1": "expunged",
        "order-2": "not-found",
        foreign: "not-found",
        "unknown": "not-found",
        "msg_x": "not-found",
    }
    assert contents(service, app, first, second, kept) == [{}, {}, {"card": "4111-1111"}]
    assert contents(service, other, foreign) == [{"card": "4111-1111"}]
    assert bulk(service, app, [first, first]) == {first: "expunged"}
    assert bulk(service, app, []) == {}


def test_a_repeated_request_repeats_its_answer(service, app):
    msg = service.send(app)
    key = {"idempotency-key": "once"}
    path = f"/app/{app}/msg/bulk-expunge"
    body = {"ids": [msg, "later"]}
    first = service.post(path, body, headers=key).json()
    service.send(app, eventId="later")
    assert service.post(path, body, headers=key).json() == first
    assert service.post(path, body).json()["results"] == {msg: "expunged", "later": "expunged"}


def test_deleting_ends_what_was_still_to_be_delivered(start, receiver):
    service = start(retry_schedule="1h")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    receiver.always(500)
    sent = [service.send(app) for _ in range(3)]
    for msg in sent:
        service.until(app, msg, endpoint, "retrying")
    bulk(service, app, sent[:2])
    states = [service.delivery(app, msg, endpoint) for msg in sent]
    assert [s["state"] for s in states] == ["canceled", "canceled", "retrying"]
    assert states[0]["reason"] == "message_expunged"
    refused(lambda: service.svix().message_attempt.resend(app, sent[0], endpoint), 404)


@pytest.mark.parametrize(
    "body, where",
    [
        ({"ids": "msg_x"}, ["ids"]),
        ({"ids": [1]}, ["ids", 0]),
        ({"ids": [""]}, ["ids", 0]),
        ({"ids": ["a b"]}, ["ids", 0]),
        ({"ids": ["nul\0"]}, ["ids", 0]),
        ({"ids": ["x" * 257]}, ["ids", 0]),
        ({"ids": [str(n) for n in range(251)]}, ["ids"]),
        ([], []),
        (b"", []),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_lists_are_refused_and_delete_nothing(service, app, body, where):
    msg = service.send(app)
    if where == ["ids", 0]:
        body["ids"].append(msg)
    reply = service.post(f"/app/{app}/msg/bulk-expunge", body)
    assert (reply.status, reply.json()["detail"][0]["loc"]) == (422, ["body", *where])
    assert contents(service, app, msg) == [{"n": 1}]


def test_all_payloads_of_an_application_go_by_a_task(service, app):
    sent = [service.send(app) for _ in range(100)]
    other = service.new_app()
    foreign = service.send(other)
    svix = service.svix()
    task = svix.message.expunge_all_contents(app)
    assert (task.task, task.status) == ("application.purge_content", "running")
    done = eventually(
        lambda: svix.background_task.get(task.id), lambda answer: answer.status == "finished"
    )
    assert done.data["messagesPurged"] == 100
    assert contents(service, app, *sent) == [{}] * 100
    assert contents(service, other, foreign) == [{"n": 1}]
    kind = BackgroundTaskType.APPLICATION_PURGE_CONTENT
    listed = svix.background_task.list(BackgroundTaskListOptions(task=kind)).data
    assert [t.id for t in listed] == [task.id]
    later = service.send(app)
    assert contents(service, app, later) == [{"n": 1}]


def test_a_purge_survives_a_kill(service, app):
    sent = [service.send(app, SECRET) for _ in range(300)]
    task = service.svix().message.expunge_all_contents(app).id
    service.kill()
    service.start()
    get = service.svix().background_task.get
    done = eventually(lambda: get(task), lambda answer: answer.status == "finished")
    assert done.data["messagesPurged"] == len(sent)
    assert contents(service, app, *sent) == [{}] * len(sent)


def test_a_repeated_purge_is_one_task(service, app):
    key = {"idempotency-key": "once"}
    path = f"/app/{app}/msg/expunge-all-contents"
    tasks = {service.post(path, headers=key).json()["id"] for _ in range(3)}
    assert len(tasks) == 1
    assert [t["id"] for t in service.get("/background-task").json()["data"]] == list(tasks)
    assert service.post("/app/nobody/msg/expunge-all-contents").status == 404


def test_the_response_of_an_attempt_is_deleted_alone(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    receiver.answers(Answer(500, body=SECRET), Answer(200, body=b"fine"))
    msg = service.send(app)
    service.until(app, msg, endpoint, "delivered")
    attempts = service.svix().message_attempt
    good, bad = attempts.list_by_msg(app, msg).data
    attempts.expunge_content(app, msg, bad.id)
    after = attempts.get(app, msg, bad.id)
    assert (after.response, after.response_status_code, after.status) == ("", 500, 2)
    assert attempts.get(app, msg, good.id).response == "fine"
    assert contents(service, app, msg) == [{"n": 1}]
    attempts.expunge_content(app, msg, bad.id)
    other = service.new_app()
    foreign = service.send(other)
    for path in ((app, msg, "atmpt_x"), (app, foreign, bad.id), (other, foreign, bad.id)):
        refused(lambda: attempts.expunge_content(*path), 404)
    assert attempts.get(app, msg, good.id).response == "fine"
