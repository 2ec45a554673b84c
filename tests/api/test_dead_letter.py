"""The dead-letter queue: list, inspect, replay, purge."""

import time
from datetime import datetime, timedelta, timezone

import pytest
from svix.api import RecoverIn

from receivers import Answer
from surehook import eventually


@pytest.fixture
def dead(service, app, receiver):
    """Five dead messages of two event types at one endpoint; the receiver is well again."""
    service.endpoint = service.subscribe(app, receiver)
    receiver.always(500, body=b"broken")
    ids = [service.send(app, b'{ "n": %d }' % n, f"type.{n % 2}") for n in range(5)]
    for msg in ids:
        service.until(app, msg, service.endpoint, "dead")
    receiver.always(204)
    receiver.deliveries.clear()
    return ids


def letters(service, path):
    return service.get(f"{path}/dead-letter").json()["data"]


def endpoint_path(service, app):
    return f"/app/{app}/endpoint/{service.endpoint}"


def finished(service, reply):
    assert reply.status == 202, reply.body
    task = reply.json()["id"]
    return eventually(
        lambda: service.get(f"/background-task/{task}").json(), lambda t: t["status"] == "finished"
    )


def test_dead_letters_are_listed_newest_first_with_why(service, app, dead):
    rows = letters(service, endpoint_path(service, app))
    assert [row["id"] for row in rows] == dead[::-1]
    row = rows[0]
    assert row["endpointId"] == service.endpoint
    assert (row["reason"], row["tries"], row["lastStatusCode"]) == ("exhausted", 3, 500)
    assert row["payload"] == {"n": 4}
    assert row["diedAt"]


def test_an_application_s_list_merges_its_endpoints(service, app, receiver, dead):
    other = service.subscribe(app, receiver, "/other")
    receiver.always(500)
    msg = service.send(app)
    service.until(app, msg, other, "dead")
    service.until(app, msg, service.endpoint, "dead")
    rows = letters(service, f"/app/{app}")
    assert {(r["id"], r["endpointId"]) for r in rows} == {(m, service.endpoint) for m in dead} | {
        (msg, service.endpoint),
        (msg, other),
    }
    assert [r["id"] for r in rows] == [msg, msg, *dead[::-1]]


@pytest.mark.parametrize("of_endpoint", [True, False])
def test_pages_together_are_the_list(service, app, dead, of_endpoint):
    path = endpoint_path(service, app) if of_endpoint else f"/app/{app}"
    seen, iterator = [], None
    for _ in range(5):
        query = "?limit=2" + (f"&iterator={iterator}" if iterator else "")
        page = service.get(f"{path}/dead-letter{query}").json()
        seen += [row["id"] for row in page["data"]]
        iterator = page["iterator"]
        if page["done"]:
            break
    assert seen == dead[::-1]


def test_filters_by_event_type_and_time(service, app, dead):
    path = endpoint_path(service, app) + "/dead-letter"
    assert len(service.get(path + "?event_types=type.1").json()["data"]) == 2
    assert service.get(path + "?event_types=none").json()["data"] == []
    soon = (datetime.now(timezone.utc) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert service.get(f"{path}?since={soon}").json()["data"] == []
    assert len(service.get(f"{path}?until={soon}").json()["data"]) == 5


def test_one_can_be_inspected(service, app, dead):
    path = endpoint_path(service, app)
    reply = service.get(f"{path}/dead-letter/{dead[0]}")
    assert reply.json()["payload"] == {"n": 0}
    assert b'{ "n": 0 }' in reply.body
    assert service.get(f"{path}/dead-letter/msg_2bjkzYgDPCTwDCZ1nQbWSUqqYVy").status == 404


def test_replaying_one_delivers_it_and_leaves_the_others(service, app, receiver, dead):
    path = endpoint_path(service, app)
    assert service.post(f"{path}/dead-letter/{dead[2]}/replay").status == 202
    assert receiver.wait()[0].body == b'{ "n": 2 }'
    answer = service.until(app, dead[2], service.endpoint, "delivered")
    assert answer["tries"] == 1
    assert [r["id"] for r in letters(service, path)] == [dead[4], dead[3], dead[1], dead[0]]
    assert service.post(f"{path}/dead-letter/{dead[2]}/replay").status == 404


def test_replaying_some_delivers_these(service, app, receiver, dead):
    path = endpoint_path(service, app)
    reply = service.post(f"{path}/dead-letter/replay", {"messageIds": [dead[0], dead[3]]})
    assert reply.status == 202, reply.body
    assert {d.id for d in receiver.wait(2)} == {dead[0], dead[3]}
    eventually(lambda: len(letters(service, path)) == 3)


@pytest.mark.parametrize("of_endpoint", [True, False])
def test_replaying_all_is_a_task_that_empties_the_queue(service, app, receiver, dead, of_endpoint):
    path = endpoint_path(service, app) if of_endpoint else f"/app/{app}"
    task = finished(service, service.post(f"{path}/dead-letter/replay"))
    assert task["task"] == "dead_letter.replay"
    assert task["data"]["processed"] == 5
    assert sorted(d.id for d in receiver.wait(5)) == sorted(dead)
    assert letters(service, path) == []
    for msg in dead:
        service.until(app, msg, service.endpoint, "delivered")


def test_replaying_by_event_type(service, app, receiver, dead):
    path = endpoint_path(service, app)
    finished(service, service.post(f"{path}/dead-letter/replay", {"eventType": "type.1"}))
    assert {d.id for d in receiver.wait(2)} == {dead[1], dead[3]}
    assert {r["id"] for r in letters(service, path)} == {dead[0], dead[2], dead[4]}


def test_a_replay_at_a_rate_keeps_it_across_a_kill(service, app, receiver, dead):
    """One a second: the fifth goes four seconds after the first, whatever happens meanwhile."""
    began = time.monotonic()
    reply = service.post(f"/app/{app}/dead-letter/replay", {"rate": 1})
    assert reply.status == 202, reply.body
    task = f"/background-task/{reply.json()['id']}"
    eventually(lambda: service.get(task).json()["data"]["processed"] >= 1)
    service.kill()
    service.start()
    done = finished(service, reply)
    assert time.monotonic() - began >= 4
    assert done["data"]["processed"] == 5
    for msg in dead:
        service.until(app, msg, service.endpoint, "delivered")


@pytest.mark.parametrize(
    "verb, body, member",
    [
        ("replay", {"rate": 0}, "rate"),
        ("replay", {"rate": 65536}, "rate"),
        ("replay", {"rate": "5"}, "rate"),
        ("replay", {"rate": 5, "messageIds": ["msg_2bjkzYgDPCTwDCZ1nQbWSUqqYVy"]}, "rate"),
        ("purge", {"rate": 5}, "rate"),
    ],
)
def test_a_rate_that_makes_no_sense_is_refused(service, app, dead, verb, body, member):
    reply = service.post(f"{endpoint_path(service, app)}/dead-letter/{verb}", body)
    assert reply.status == 422, reply.body
    assert reply.json()["detail"][0]["loc"] == ["body", member]
    assert len(letters(service, endpoint_path(service, app))) == 5


def test_a_replay_starts_the_whole_schedule_again(service, app, receiver, dead):
    path = endpoint_path(service, app)
    receiver.always(500)
    service.post(f"{path}/dead-letter/{dead[0]}/replay")
    receiver.wait(3)
    assert service.until(app, dead[0], service.endpoint, "dead")["tries"] == 3


def test_purging_one_and_all_forgets_them_without_delivery(service, app, receiver, dead):
    path = endpoint_path(service, app)
    assert service.call("DELETE", f"{path}/dead-letter/{dead[0]}").status == 204
    assert [r["id"] for r in letters(service, path)] == dead[:0:-1]
    assert service.call("DELETE", f"{path}/dead-letter/{dead[0]}").status == 404
    assert finished(service, service.post(f"{path}/dead-letter/purge"))["data"]["processed"] == 4
    assert letters(service, path) == []
    assert service.delivery(app, dead[0], service.endpoint)["state"] == "canceled"
    assert receiver.deliveries == []


def test_disabling_moves_unfinished_deliveries_to_the_dead_letters(start, receiver):
    """Messages left "sending" for ever are messages that nobody finds."""
    service = start(retry_schedule="1h")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    receiver.always(500)
    ids = [service.send(app) for _ in range(3)]
    for msg in ids:
        service.until(app, msg, endpoint, "retrying")
    service.call("PATCH", f"/app/{app}/endpoint/{endpoint}", {"disabled": True})
    for msg in ids:
        assert service.until(app, msg, endpoint, "dead")["reason"] == "endpoint_disabled"
    path = f"/app/{app}/endpoint/{endpoint}"
    assert service.post(f"{path}/dead-letter/replay").status == 409
    assert service.post(f"{path}/dead-letter/{ids[0]}/replay").status == 409
    service.call("PATCH", path, {"disabled": False})
    receiver.always(204)
    assert service.post(f"{path}/dead-letter/replay").status == 202
    for msg in ids:
        service.until(app, msg, endpoint, "delivered")


def test_dead_letters_survive_a_restart(service, app, receiver, dead):
    service.stop()
    service.start()
    path = endpoint_path(service, app)
    assert [r["id"] for r in letters(service, path)] == dead[::-1]
    service.post(f"{path}/dead-letter/{dead[0]}/replay")
    assert receiver.wait()[0].body == b'{ "n": 0 }'


def test_message_ids_and_filters_do_not_mix(service, app, dead):
    path = endpoint_path(service, app)
    both = {"messageIds": [dead[0]], "eventType": "type.0"}
    assert service.post(f"{path}/dead-letter/replay", both).status == 422
    assert service.post(f"/app/{app}/dead-letter/replay", {"messageIds": dead}).status == 422


def test_recover_attempts_what_failed_for_good_and_nothing_else(start, receiver):
    """Recover once skipped messages after the first hundred and re-sent those still pending."""
    service = start(retry_schedule="", endpoint_max_in_flight=50)
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    receiver.script = lambda d: Answer(500 if b"bad" in d.body else 204)
    begun = datetime.now(timezone.utc) - timedelta(seconds=5)
    messages = [
        {"eventType": "e", "payload": {"bad" if n % 2 else "good": n}} for n in range(300)
    ]
    ids = [r["id"] for r in service.post(f"/app/{app}/msg/batch", {"messages": messages}).json()["data"]]
    receiver.wait(300)
    for n, msg in enumerate(ids):
        service.until(app, msg, endpoint, "dead" if n % 2 else "delivered")
    receiver.always(204)
    receiver.deliveries.clear()
    task = service.svix().endpoint.recover(app, endpoint, RecoverIn(since=begun))
    assert task.task == "endpoint.recover"
    assert sorted(d.id for d in receiver.wait(150)) == sorted(ids[1::2])
    for msg in ids[1::2]:
        service.until(app, msg, endpoint, "delivered")
    assert len(receiver.deliveries) == 150
    done = eventually(lambda: service.svix().background_task.get(task.id), lambda t: t.status == "finished")
    assert done.data["processed"] == 150


def test_recover_leaves_what_is_still_being_retried(start, receiver):
    service = start(retry_schedule="1h")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    receiver.always(500)
    msg = service.send(app)
    service.until(app, msg, endpoint, "retrying")
    since = datetime.now(timezone.utc) - timedelta(hours=1)
    task = service.svix().endpoint.recover(app, endpoint, RecoverIn(since=since)).id
    done = eventually(lambda: service.svix().background_task.get(task), lambda t: t.status == "finished")
    assert done.data["processed"] == 0
    assert len(receiver.deliveries) == 1
    assert service.delivery(app, msg, endpoint)["state"] == "retrying"
