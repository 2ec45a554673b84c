"""Delivery over TLS: verified, with a certificate authority of our own."""

import pytest

from receivers import Answer


@pytest.fixture
def service(start, authority):
    return start(ca_file=authority.file, retry_schedule="")


def outcome(service, app, endpoint):
    msg = service.send(app)
    service.until(app, msg, endpoint, "dead")
    return service.get(f"/app/{app}/attempt/msg/{msg}").json()["data"][0]["outcome"]


def test_delivery_over_https(service, app, authority, new_receiver):
    receiver = new_receiver(authority.tls())
    service.subscribe(app, receiver)
    payload = b'{ "over": "TLS", "n": 1.0 }'
    msg = service.send(app, payload)
    delivery = receiver.wait()[0]
    assert (delivery.id, delivery.body, delivery.protocol) == (msg, payload, "HTTP/1.1")


def test_connections_are_reused(start, authority, new_receiver):
    service = start(ca_file=authority.file, endpoint_max_in_flight=1)
    app = service.new_app()
    receiver = new_receiver(authority.tls())
    receiver.always(200, body=b"ok")
    service.subscribe(app, receiver)
    for _ in range(30):
        service.send(app)
    receiver.wait(30)
    assert receiver.connections <= 2


def test_a_certificate_of_a_stranger_is_refused(service, app, new_authority, new_receiver):
    receiver = new_receiver(new_authority().tls())
    endpoint = service.subscribe(app, receiver)
    assert outcome(service, app, endpoint) == "tls"
    assert receiver.deliveries == []


def test_a_certificate_for_another_host_is_refused(service, app, authority, new_receiver):
    receiver = new_receiver(authority.tls("192.0.2.1"))
    endpoint = service.subscribe(app, receiver)
    assert outcome(service, app, endpoint) == "tls"
    assert receiver.deliveries == []


def test_without_ca_file_our_authority_is_a_stranger(start, authority, new_receiver):
    service = start(retry_schedule="")
    app = service.new_app()
    receiver = new_receiver(authority.tls())
    endpoint = service.subscribe(app, receiver)
    assert outcome(service, app, endpoint) == "tls"
    assert receiver.deliveries == []


def test_verification_holds_behind_a_dead_letter_replay(service, app, authority, new_receiver):
    """Replays and retries pass the same checks as first attempts."""
    receiver = new_receiver(authority.tls())
    endpoint = service.subscribe(app, receiver)
    receiver.answers(Answer(500))
    msg = service.send(app)
    service.until(app, msg, endpoint, "dead")
    service.post(f"/app/{app}/endpoint/{endpoint}/dead-letter/{msg}/replay")
    service.until(app, msg, endpoint, "delivered")
    assert len(receiver.deliveries) == 2


def test_http_to_a_tls_port_and_https_to_a_plain_one_fail(service, app, authority, new_receiver):
    tls, plain = new_receiver(authority.tls()), new_receiver()
    for receiver in (tls, plain):
        other = receiver.url.replace("https", "HTTP") if receiver is tls else receiver.url.replace("http", "https")
        reply = service.post(f"/app/{app}/endpoint", {"url": other + "/hook"})
        assert reply.status == 201, reply.body
        assert outcome(service, app, reply.json()["id"]) in ("tls", "protocol", "refused")
        service.call("DELETE", f"/app/{app}/endpoint/{reply.json()['id']}")
    assert tls.deliveries == plain.deliveries == []
