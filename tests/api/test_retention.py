"""Nothing is kept for ever, and nothing goes while it is needed."""

import pytest

from surehook import eventually, run


def test_messages_and_attempts_expire(start, receiver):
    service = start(message_retention="1s")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    msg = service.send(app, eventId="evt")
    service.until(app, msg, endpoint, "delivered")
    eventually(lambda: service.get(f"/app/{app}/msg/{msg}").status == 404)
    assert service.get(f"/app/{app}/msg").json()["data"] == []
    assert service.get(f"/app/{app}/attempt/endpoint/{endpoint}").json()["data"] == []
    assert service.get(f"/app/{app}/endpoint/{endpoint}/msg").json()["data"] == []
    # Its eventId was taken for as long as the message was kept.
    assert service.try_send(app, eventId="evt").status == 202


def test_what_is_not_delivered_yet_is_kept(start, receiver):
    service = start(message_retention="1s", retry_schedule="6s", retry_jitter="0")
    app = service.new_app()
    service.subscribe(app, receiver)
    receiver.answers(500)
    payload = b'{ "late": 1.0 }'
    msg = service.send(app, payload)
    other = service.new_app()
    gone = service.send(other)
    eventually(lambda: service.get(f"/app/{other}/msg/{gone}").status == 404)
    assert service.get(f"/app/{app}/msg/{msg}").status == 200
    assert [d.body for d in receiver.wait(2)] == [payload] * 2


def test_dead_letters_keep_their_payload_as_long_again(start, receiver):
    service = start(message_retention="4s", retry_schedule="2s", retry_jitter="0")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    receiver.always(500)
    payload = b'{ "dead": 1.0 }'
    msg = service.send(app, payload)
    service.until(app, msg, endpoint, "dead")
    other = service.new_app()
    marker = service.send(other)
    eventually(lambda: service.get(f"/app/{other}/msg/{marker}").status == 404)
    eventually(lambda: service.get(f"/app/{app}/endpoint/{endpoint}/dead-letter").json()["data"] == [])
    assert service.get(f"/app/{app}/msg/{msg}").status == 404
    eventually(lambda: service.metric("surehook_dead_letters") == 0)


def test_the_data_is_clean_after_everything_expired(start, receiver):
    service = start(message_retention="1s")
    app = service.new_app()
    service.subscribe(app, receiver)
    for n in range(5):
        messages = [{"eventType": "e", "payload": {"n": i}} for i in range(100)]
        service.post(f"/app/{app}/msg/batch", {"messages": messages})
    receiver.wait(500)
    eventually(lambda: service.get(f"/app/{app}/msg").json()["data"] == [])
    eventually(lambda: service.metric("surehook_records_expired_total") >= 500)
    service.stop()
    checked = run("check", "--data", service.data, "--map-size=1g")
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.startswith("0 messages, 0 deliveries, 0 attempts"), checked.stdout
    service.start()


@pytest.mark.parametrize("value", ["0s", "-1s", "forever"])
def test_no_retention_is_no_option(tmp_path, value):
    refused = run("serve", "--data", tmp_path, f"--message-retention={value}")
    assert refused.returncode == 2
    assert "message-retention" in refused.stderr
