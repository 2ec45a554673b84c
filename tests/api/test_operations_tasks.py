"""Background tasks: replays of what an endpoint never got, or got, and the list of tasks."""

from datetime import datetime, timedelta, timezone

import pytest
from svix.api import BackgroundTaskListOptions, BulkReplayIn, EndpointIn, EndpointPatch
from svix.api import RecoverIn, ReplayIn
from svix.exceptions import HttpError
from svix.models import BackgroundTaskStatus, BackgroundTaskType, MessageStatus, Ordering
from svix.models import StatusCodeClass

from surehook import eventually

BEGUN = datetime.now(timezone.utc) - timedelta(days=1)


def finished(service, task):
    get = service.svix().background_task.get
    return eventually(lambda: get(task), lambda answer: answer.status == "finished")


def ids(receiver):
    return [delivery.id for delivery in receiver.deliveries]


def test_what_an_endpoint_never_got_is_sent_once(service, app, receiver):
    svix = service.svix()
    old = [service.send(app) for _ in range(5)]
    other = service.send(app, event_type="other")
    endpoint = service.subscribe(app, receiver)
    new = service.send(app)
    service.until(app, new, endpoint, "delivered")
    task = svix.endpoint.replay_missing(app, endpoint, ReplayIn(since=BEGUN))
    assert (task.task, task.status) == ("endpoint.replay", "running")
    done = finished(service, task.id)
    assert done.data["messagesSent"] == 6
    receiver.wait(7)
    task = svix.endpoint.replay_missing(app, endpoint, ReplayIn(since=BEGUN))
    assert finished(service, task.id).data["messagesSent"] == 0
    assert sorted(ids(receiver)) == sorted([*old, other, new])


def test_an_attempt_of_a_replay_is_the_only_one(start, receiver):
    service = start(retry_schedule="10ms,10ms")
    app = service.new_app()
    msg = service.send(app)
    endpoint = service.subscribe(app, receiver)
    receiver.always(500)
    task = service.svix().endpoint.replay_missing(app, endpoint, ReplayIn(since=BEGUN))
    finished(service, task.id)
    receiver.wait(1)
    attempts = eventually(lambda: service.svix().message_attempt.list_by_msg(app, msg).data)
    assert [a.trigger_type for a in attempts] == [1]
    assert ids(receiver) == [msg]


def test_the_window_is_between_since_and_until(service, app, receiver):
    first, second, third = (service.send(app) for _ in range(3))
    times = [service.svix().message.get(app, m).timestamp for m in (first, second, third)]
    endpoint = service.subscribe(app, receiver)
    window = ReplayIn(since=times[0], until=times[2])
    task = service.svix().endpoint.replay_missing(app, endpoint, window)
    assert finished(service, task.id).data["messagesSent"] == 1
    receiver.wait(1)
    assert ids(receiver) == [second]


def test_what_an_endpoint_got_is_sent_again_by_every_filter(service, app, receiver):
    svix = service.svix()
    endpoint = service.subscribe(app, receiver)
    receiver.answers(200, 500, 500, 500, 404, 404, 404, 200)
    sent = {}
    for name, fields in {
        "good": {},
        "bad": {"channels": ["red"]},
        "lost": {"tags": ["t"]},
        "typed": {"event_type": "other"},
    }.items():
        sent[name] = service.send(app, **fields)
        service.until(
            app, sent[name], endpoint, "dead" if name in ("bad", "lost") else "delivered"
        )

    def replayed(**filter):
        before = len(receiver.deliveries)
        wish = BulkReplayIn(since=BEGUN, **filter)
        task = svix.endpoint.bulk_replay(app, endpoint, wish)
        assert task.task == "endpoint.bulk-replay"
        count = finished(service, task.id).data["messagesSent"]
        found = receiver.wait(before + count)[before:]
        return {name for name, msg in sent.items() if msg in [d.id for d in found]}

    receiver.always(500)
    assert replayed(status_code_class=StatusCodeClass.CODE4XX) == {"lost"}
    assert replayed(status=MessageStatus.SUCCESS) == {"good", "typed"}
    assert replayed(status=MessageStatus.FAIL) == {"bad", "lost"}
    assert replayed(channel="red") == {"bad"}
    assert replayed(tag="t") == {"lost"}
    assert replayed(event_types=["other", "unknown"]) == {"typed"}
    assert replayed(status=MessageStatus.PENDING) == set()
    assert replayed() == set(sent)


def test_a_replay_goes_on_after_a_kill_and_sends_each_message_once(start, receiver):
    service = start()
    app = service.new_app()
    sent = [service.send(app) for _ in range(200)]
    endpoint = service.subscribe(app, receiver)
    task = service.svix().endpoint.replay_missing(app, endpoint, ReplayIn(since=BEGUN)).id
    receiver.wait(20)
    service.kill()
    service.start()
    assert finished(service, task).data["messagesSent"] == len(sent)
    for msg in sent:
        service.until(app, msg, endpoint, "delivered")
    assert set(ids(receiver)) == set(sent)


@pytest.mark.parametrize(
    "body, where",
    [
        ({}, ["since"]),
        ({"since": "soon"}, ["since"]),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, ["until"]),
        ({"since": "2026-01-02T00:00:00Z", "status": 5}, ["status"]),
        ({"since": "2026-01-02T00:00:00Z", "statusCodeClass": 250}, ["statusCodeClass"]),
        ({"since": "2026-01-02T00:00:00Z", "eventTypes": ["a b"]}, ["eventTypes", 0]),
        ({"since": "2026-01-02T00:00:00Z", "channel": ""}, ["channel"]),
        ({"since": "2026-01-02T00:00:00Z", "tag": 1}, ["tag"]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_replayed_is_refused(service, app, receiver, body, where):
    endpoint = service.subscribe(app, receiver)
    reply = service.post(f"/app/{app}/endpoint/{endpoint}/bulk-replay", body)
    assert (reply.status, reply.json()["detail"][0]["loc"]) == (422, ["body", *where])
    assert service.get("/background-task").json()["data"] == []


def test_a_disabled_endpoint_is_not_replayed_to(service, app, receiver):
    svix = service.svix()
    endpoint = service.subscribe(app, receiver)
    svix.endpoint.patch(app, endpoint, EndpointPatch(disabled=True))
    for ask in (
        lambda: svix.endpoint.replay_missing(app, endpoint, ReplayIn(since=BEGUN)),
        lambda: svix.endpoint.bulk_replay(app, endpoint, BulkReplayIn(since=BEGUN)),
    ):
        with pytest.raises(HttpError) as refusal:
            ask()
        assert refusal.value.status_code == 409


def test_tasks_are_listed_both_ways_and_filtered(service, app, receiver):
    svix = service.svix()
    endpoint = service.subscribe(app, receiver)
    made = []
    for _ in range(2):
        made.append(svix.endpoint.replay_missing(app, endpoint, ReplayIn(since=BEGUN)).id)
        made.append(svix.endpoint.recover(app, endpoint, RecoverIn(since=BEGUN)).id)
    for task in made:
        finished(service, task)

    def listed(**options):
        return svix.background_task.list(BackgroundTaskListOptions(**options))

    assert [t.id for t in listed().data] == made[::-1]
    page = listed(limit=3, order=Ordering.ASCENDING)
    assert ([t.id for t in page.data], page.done) == (made[:3], False)
    page = listed(limit=3, order=Ordering.ASCENDING, iterator=page.iterator)
    assert ([t.id for t in page.data], page.done) == (made[3:], True)
    back = listed(limit=3, order=Ordering.ASCENDING, iterator=page.prev_iterator)
    assert [t.id for t in back.data] == made[:3]
    kind = BackgroundTaskType.ENDPOINT_RECOVER
    assert [t.id for t in listed(task=kind).data] == [made[3], made[1]]
    assert listed(task=BackgroundTaskType.MESSAGE_BROADCAST).data == []
    assert len(listed(status=BackgroundTaskStatus.FINISHED).data) == 4
    assert listed(status=BackgroundTaskStatus.RUNNING).data == []
    assert listed(status=BackgroundTaskStatus.FAILED).data == []
    for name in ("status", "task", "order", "limit", "iterator"):
        assert service.get(f"/background-task?{name}=nonsense").status == 422


def test_our_own_tasks_are_listed_where_they_are_understood(service, app, receiver):
    service.subscribe(app, receiver)
    task = service.post(f"/app/{app}/dead-letter/replay", {}).json()["id"]
    assert [t["id"] for t in service.get("/background-task").json()["data"]] == [task]
    found = service.get("/background-task?task=dead_letter.replay").json()["data"]
    assert [t["id"] for t in found] == [task]
    assert service.svix().background_task.list().data == []


def test_an_application_s_token_sees_its_own_tasks(service, app, receiver):
    mine = service.post("/key", {"scope": "app", "name": "mine", "appId": app}).json()["token"]
    other = service.new_app()
    for where in (app, other):
        endpoint = service.svix().endpoint.create(where, EndpointIn(url=receiver.url + "/x")).id
        service.svix().endpoint.recover(where, endpoint, RecoverIn(since=BEGUN))
    assert len(service.get("/background-task").json()["data"]) == 2
    assert len(service.get("/background-task", token=mine).json()["data"]) == 1
