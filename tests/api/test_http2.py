"""HTTP/2 where the endpoint offers it."""

import pytest

from receivers import Answer


@pytest.fixture
def service(start, authority):
    return start(ca_file=authority.file)


@pytest.fixture
def receiver(authority, new_receiver):
    return new_receiver(authority.tls(http2=True))


def test_delivery_over_http2(service, app, receiver):
    service.subscribe(app, receiver)
    payload = b'{ "over": "HTTP/2", "n": 1.0 }'
    msg = service.send(app, payload)
    delivery = receiver.wait()[0]
    assert (delivery.id, delivery.body, delivery.protocol) == (msg, payload, "HTTP/2")
    assert delivery.headers["content-type"] == "application/json"


def test_many_deliveries_share_few_connections(service, app, receiver):
    service.subscribe(app, receiver)
    receiver.always(200, body=b"ok")
    ids = {service.send(app, b'{"n":%d}' % n) for n in range(100)}
    assert {d.id for d in receiver.wait(100)} == ids
    assert {d.protocol for d in receiver.deliveries} == {"HTTP/2"}
    assert receiver.connections <= 50


def test_large_bodies_pass_flow_control(service, app, receiver):
    service.subscribe(app, receiver)
    payload = b'{"x":"' + b"y" * 500_000 + b'"}'
    service.send(app, payload)
    assert receiver.wait()[0].body == payload


def test_failures_are_retried(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    receiver.answers(500, Answer(503, headers={"retry-after": "0"}), 204)
    msg = service.send(app)
    assert service.until(app, msg, endpoint, "delivered")["tries"] == 3
    assert {d.id for d in receiver.deliveries} == {msg}
