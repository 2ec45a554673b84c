"""Figures of an organisation: background tasks whose data is the result."""

from datetime import datetime, timedelta, timezone

import pytest
from svix.api import AppUsageStatsIn, EndpointIn
from svix.models import BackgroundTaskStatus, BackgroundTaskType

from surehook import eventually, jwt

SECRET = "a secret that is long enough for anybody"


def window(**fields):
    now = datetime.now(timezone.utc)
    return AppUsageStatsIn(since=now - timedelta(hours=2), until=now + timedelta(hours=1), **fields)


def result(service, task, svix=None):
    get = (svix or service.svix()).background_task.get
    done = eventually(lambda: get(task.id), lambda t: t.status != BackgroundTaskStatus.RUNNING)
    assert (done.id, done.task, done.status) == (task.id, task.task, "finished")
    return done.data


def usage(service, **fields):
    task = service.svix().statistics.aggregate_app_stats(window(**fields))
    assert (task.task, task.status) == (BackgroundTaskType.APPLICATION_STATS, "running")
    found = {row["appId"]: row for row in result(service, task)["appStats"]}
    return found, task.unresolved_app_ids


def test_usage_counts_deliveries_by_application(service, receiver):
    busy, idle = service.new_app(uid="busy"), service.new_app()
    for path in ("/a", "/b"):
        service.subscribe(busy, receiver, path)
    for _ in range(3):
        service.send(busy)
    service.send(idle)
    found, unresolved = usage(service)
    assert unresolved == []
    assert found == {
        busy: {"appId": busy, "appUid": "busy", "messageDestinations": 6},
        idle: {"appId": idle, "appUid": None, "messageDestinations": 0},
    }
    found, unresolved = usage(service, app_ids=["busy", busy, "nobody"])
    assert ([*found], unresolved) == ([busy], ["nobody"])
    early = AppUsageStatsIn(since="2020-01-01T00:00:00Z", until="2020-01-02T00:00:00Z")
    task = service.svix().statistics.aggregate_app_stats(early)
    assert [row["messageDestinations"] for row in result(service, task)["appStats"]] == [0, 0]


def test_a_result_survives_a_kill(service, app, receiver):
    service.subscribe(app, receiver)
    service.send(app)
    task = service.svix().statistics.aggregate_app_stats(window())
    service.kill()
    service.start()
    before = result(service, task)
    assert [row["messageDestinations"] for row in before["appStats"]] == [1]
    service.kill()
    service.start()
    assert result(service, task) == before


def test_the_event_types_that_endpoints_ask_for(service, receiver):
    svix = service.svix()
    for name in ("a", "b", "c"):
        service.post("/event-type", {"name": name, "description": ""})
    some, all = service.new_app(), service.new_app()
    for types in (["b", "a"], ["a", "c"]):
        svix.endpoint.create(some, EndpointIn(url=receiver.url, event_types=types))
    svix.endpoint.create(all, EndpointIn(url=receiver.url))
    task = svix.statistics.aggregate_event_types()
    assert (task.task, task.status) == (BackgroundTaskType.EVENT_TYPE_AGGREGATE, "running")
    rows = {row["appId"]: row for row in result(service, task)["event_types"]}
    assert rows[some]["explicitlySubscribedEventTypes"] == ["a", "b", "c"]
    assert rows[some]["hasCatchAllEndpoint"] is False
    assert (rows[all]["explicitlySubscribedEventTypes"], rows[all]["hasCatchAllEndpoint"]) == ([], True)
    listed = svix.background_task.list().data
    assert [t.id for t in listed] == [task.id]
    assert "event_types" not in listed[0].data, "a list is not the place for whole results"


def test_an_organisation_sees_its_own_applications_alone(start):
    service = start(jwt_secret=SECRET)
    service.new_app()
    token = jwt(SECRET, sub="org_2bjkzYgDPCTwDCZ1nQbWSUqqYVy")
    svix = service.svix(token)
    task = svix.statistics.aggregate_app_stats(window())
    assert result(service, task, svix)["appStats"] == []
    assert service.get(f"/background-task/{task.id}").status == 404


@pytest.mark.parametrize(
    "body, where",
    [
        ({}, ["since"]),
        ({"since": "2026-01-01T00:00:00Z"}, ["until"]),
        ({"since": "x", "until": "2026-01-01T00:00:00Z"}, ["since"]),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, ["until"]),
        ({"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z", "appIds": []}, ["appIds"]),
        ({"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z", "appIds": [1]}, ["appIds", 0]),
        ({"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z", "appIds": ["no"]}, ["appIds"]),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_cannot_be_counted_is_refused(service, body, where):
    reply = service.post("/stats/usage/app", body)
    assert (reply.status, reply.json()["detail"][0]["loc"]) == (422, ["body", *where])
    assert service.get("/background-task").json()["data"] == []


def test_a_repeated_request_makes_one_task(service):
    headers = {"idempotency-key": "once"}
    body = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}
    answers = [service.post("/stats/usage/app", body, headers=headers).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(service.get("/background-task").json()["data"]) == 1
