"""Whatever ends the process, what was accepted is delivered: promises 1 and 2."""

import signal
import threading

import pytest

from receivers import Answer
from surehook import eventually, run


def end(service, how):
    service.kill() if how == "SIGKILL" else service.stop()


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_what_was_accepted_and_not_delivered_is_delivered_later(start, new_receiver, how):
    """The endpoint is down, so that everything waits on disk."""
    service = start(retry_schedule=",".join(["1s"] * 20))
    app = service.new_app()
    receiver = new_receiver()
    service.subscribe(app, receiver)
    receiver.always(500)
    messages = [{"eventType": "e", "payload": {"n": n}} for n in range(100)]
    results = service.post(f"/app/{app}/msg/batch", {"messages": messages}).json()["data"]
    ids = [result["id"] for result in results]
    end(service, how)
    receiver.always(204)
    receiver.deliveries.clear()
    service.start()
    receiver.wait_for(lambda: {d.id for d in receiver.deliveries} == set(ids))
    assert {d.id: d.body for d in receiver.deliveries} == {m: b'{"n": %d}' % n for n, m in enumerate(ids)}


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_everything_that_was_answered_is_there(service, app, how):
    ids = [service.send(app, b'{"n":%d}' % n, eventId=f"e{n}") for n in range(100)]
    end(service, how)
    service.start()
    listed = service.get(f"/app/{app}/msg?limit=250").json()["data"]
    assert [m["id"] for m in listed] == ids[::-1]
    assert [m["payload"]["n"] for m in listed] == list(range(100))[::-1]


def test_a_crash_in_flight_repeats_the_attempt_under_the_same_id(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    gate = threading.Event()
    receiver.script = lambda d: Answer(204, hold=gate)
    msg = service.send(app)
    receiver.wait()
    service.kill()
    gate.set()
    service.start()
    deliveries = receiver.wait(2)
    assert [d.id for d in deliveries] == [msg, msg]
    assert deliveries[0].body == deliveries[1].body
    service.until(app, msg, endpoint, "delivered")
    assert len(receiver.deliveries) == 2


def test_what_was_delivered_is_not_delivered_again_after_a_crash(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    ids = [service.send(app) for _ in range(20)]
    for msg in ids:
        service.until(app, msg, endpoint, "delivered")
    service.kill()
    service.start()
    later = service.send(app)
    receiver.wait_for(lambda: any(d.id == later for d in receiver.deliveries))
    assert sorted(d.id for d in receiver.deliveries) == sorted([*ids, later])


def test_sigterm_drains_what_is_in_flight(service, app, receiver):
    """The outcome is committed before the end, so that nothing is sent twice."""
    endpoint = service.subscribe(app, receiver)
    gate = threading.Event()
    receiver.script = lambda d: Answer(204, hold=gate)
    msg = service.send(app)
    receiver.wait()
    process = service.process
    process.terminate()
    threading.Timer(0.3, gate.set).start()
    service._ended(0)
    service.start()
    assert service.delivery(app, msg, endpoint)["state"] == "delivered"
    assert len(receiver.deliveries) == 1


def test_the_drain_has_a_limit(start, receiver):
    service = start(drain_timeout="200ms")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    never = threading.Event()
    receiver.script = lambda d: Answer(204, hold=never)
    msg = service.send(app)
    receiver.wait()
    service.stop()
    never.set()
    service.start()
    service.until(app, msg, endpoint, "delivered")
    assert [d.id for d in receiver.wait(2)] == [msg, msg]


def test_sigint_is_a_clean_end_too(service):
    service.stop(signal.SIGINT)
    service.start()


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_a_waiting_retry_comes_at_its_time_after_a_restart(start, receiver, how):
    service = start(retry_schedule="1500ms", retry_jitter="0")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    receiver.answers(500)
    msg = service.send(app)
    service.until(app, msg, endpoint, "retrying")
    end(service, how)
    service.start()
    first, second = [d.at for d in receiver.wait(2)]
    assert second - first >= 1.4
    assert service.until(app, msg, endpoint, "delivered")["tries"] == 2


def test_a_large_fan_out_survives_a_crash(start, receiver):
    """It is a task in steps: whichever step the crash hits, every endpoint is served."""
    service = start()
    app = service.new_app()
    paths = [f"/{n}" for n in range(600)]
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    for path in paths:
        receiver.expect(path, secret)
        service.post(f"/app/{app}/endpoint", {"url": receiver.url + path, "secret": secret})
    msg = service.send(app)
    service.kill()
    service.start()
    receiver.wait_for(lambda: {d.path for d in receiver.deliveries} == set(paths))
    assert {d.id for d in receiver.deliveries} == {msg}


def test_a_replay_survives_a_crash(service, app, receiver):
    service.subscribe(app, receiver)
    receiver.always(500)
    messages = [{"eventType": "e", "payload": {"n": n}} for n in range(200)]
    service.post(f"/app/{app}/msg/batch", {"messages": messages})
    eventually(lambda: service.metric("surehook_dead_letters") == 200)
    receiver.always(204)
    receiver.deliveries.clear()
    task = service.post(f"/app/{app}/dead-letter/replay").json()["id"]
    service.kill()
    service.start()
    receiver.wait_for(lambda: len({d.id for d in receiver.deliveries}) == 200)
    done = eventually(
        lambda: service.get(f"/background-task/{task}").json(), lambda t: t["status"] == "finished"
    )
    assert done["data"]["processed"] == 200


def test_crashes_leave_clean_data(service, app, receiver):
    service.subscribe(app, receiver)
    for round in range(5):
        for n in range(20):
            service.send(app, b'{"n":%d}' % n, eventId=f"e{round}-{n}", headers={"idempotency-key": f"k{round}-{n}"})
        service.kill()
        checked = run("check", "--data", service.data, "--map-size=1g")
        assert checked.returncode == 0, checked.stdout + checked.stderr
        service.start()
    receiver.wait_for(lambda: len({d.id for d in receiver.deliveries}) == 100)
