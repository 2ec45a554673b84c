"""A paused endpoint: what it gets is held, and flows when it is resumed."""

import threading

import pytest

from receivers import Answer


def pause(service, app, endpoint, paused=True, **fields):
    body = {"paused": paused, **fields}
    reply = service.call("PATCH", f"/app/{app}/endpoint/{endpoint}", body)
    assert (reply.status, reply.json()["paused"]) == (200, paused), reply.body


def resume(service, app, endpoint, **fields):
    pause(service, app, endpoint, False, **fields)


def through_another(service, app, receiver):
    """Once it returns, whatever the service would have sent by now was sent."""
    other = service.subscribe(app, receiver, "/other")
    msg = service.send(app, event_type="marker")
    service.until(app, msg, other, "delivered")
    return msg


def at(receiver, path="/hook"):
    return [d.id for d in receiver.deliveries if d.path == path]


def test_what_comes_while_it_is_paused_waits_and_goes_out_oldest_first(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    pause(service, app, endpoint, maxInFlight=1)
    sent = [service.send(app) for _ in range(20)]
    marker = through_another(service, app, receiver)
    assert at(receiver) == []
    for msg in sent[0], sent[-1]:
        held = service.delivery(app, msg, endpoint)
        assert (held["state"], held["tries"]) == ("scheduled", 0)
    stats = service.get(f"/app/{app}/endpoint/{endpoint}/stats").json()
    assert (stats["pending"], stats["success"]) == (21, 0)
    resume(service, app, endpoint)
    service.until(app, marker, endpoint, "delivered")
    assert at(receiver) == [*sent, marker]
    assert service.delivery(app, sent[0], endpoint)["tries"] == 1


def test_an_endpoint_can_be_made_paused(service, app, receiver):
    receiver.expect("/hook", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = {
        "url": receiver.url + "/hook",
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "paused": True,
    }
    made = service.post(f"/app/{app}/endpoint", body).json()
    assert (made["paused"], made["disabled"]) == (True, False)
    msg = service.send(app)
    through_another(service, app, receiver)
    assert at(receiver) == []
    resume(service, app, made["id"])
    service.until(app, msg, made["id"], "delivered")


def test_a_pause_survives_a_restart_and_a_crash(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    pause(service, app, endpoint, maxInFlight=1)
    sent = [service.send(app)]
    for end in service.stop, service.kill:
        end()
        service.start()
        assert service.get(f"/app/{app}/endpoint/{endpoint}").json()["paused"] is True
        sent.append(service.send(app))
    through_another(service, app, receiver)
    assert at(receiver) == []
    resume(service, app, endpoint)
    for msg in sent:
        service.until(app, msg, endpoint, "delivered")
    assert at(receiver)[:3] == sent


@pytest.mark.parametrize(("status", "state"), [(204, "delivered"), (500, "retrying")])
def test_an_attempt_under_way_ends_and_counts(start, receiver, status, state):
    service = start(retry_schedule="1ms,1ms")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    hold = threading.Event()
    receiver.script = lambda d: Answer(status if d.path == "/hook" else 204, hold=hold)
    msg = service.send(app)
    receiver.wait(1)
    pause(service, app, endpoint)
    hold.set()
    assert service.until(app, msg, endpoint, state)["tries"] == 1
    through_another(service, app, receiver)
    assert at(receiver) == [msg]
    receiver.always(204)
    resume(service, app, endpoint)
    service.until(app, msg, endpoint, "delivered")


def test_waiting_is_no_attempt_and_does_not_end_a_schedule(start, receiver):
    """Neither does it age: after a pause each delivery has at least one attempt."""
    service = start(retry_schedule="")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    policy = {"schedule": ["1ms"], "maxAge": "1ms"}
    pause(service, app, endpoint, retryPolicy=policy)
    msg = service.send(app)
    through_another(service, app, receiver)
    resume(service, app, endpoint)
    assert service.until(app, msg, endpoint, "delivered")["tries"] == 1


def test_manual_attempts_wait_too(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    msg = service.send(app)
    service.until(app, msg, endpoint, "delivered")
    pause(service, app, endpoint)
    resend = f"/app/{app}/msg/{msg}/endpoint/{endpoint}/resend"
    assert service.post(resend).status == 202
    assert service.post(resend).status == 409  # one waits
    through_another(service, app, receiver)
    assert at(receiver) == [msg]
    resume(service, app, endpoint)
    receiver.wait_for(lambda: at(receiver).count(msg) == 2)


def test_recovered_and_replayed_dead_letters_wait_too(start, receiver):
    service = start(retry_schedule="")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    receiver.always(500)
    recovered, replayed = service.send(app), service.send(app)
    for msg in recovered, replayed:
        service.until(app, msg, endpoint, "dead")
    receiver.always(204)
    pause(service, app, endpoint)
    path = f"/app/{app}/endpoint/{endpoint}"
    assert service.post(f"{path}/dead-letter/{replayed}/replay").status == 202
    since = {"since": "2020-01-01T00:00:00Z"}
    assert service.post(f"{path}/recover", since).status == 202
    through_another(service, app, receiver)
    assert sorted(at(receiver)) == sorted([recovered, replayed])
    resume(service, app, endpoint)
    for msg in recovered, replayed:
        service.until(app, msg, endpoint, "delivered")


def test_the_bulk_of_a_long_pause_flows(service, app, receiver):
    """More than a lane holds in memory, so that it is read back from disk."""
    endpoint = service.subscribe(app, receiver)
    pause(service, app, endpoint)
    item = {"eventType": "e", "payload": {}}
    sent = []
    for _ in range(2):
        reply = service.post(f"/app/{app}/msg/batch", {"messages": [item] * 1000})
        sent += [result["id"] for result in reply.json()["data"]]
    resume(service, app, endpoint)
    receiver.wait_for(lambda: len(at(receiver)) >= 2000)
    assert sorted(at(receiver)) == sorted(sent)
