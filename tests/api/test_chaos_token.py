"""A hostile authorization server in every way that the chaos receiver knows, all at once: attempts fail in time
and as one class, nothing goes out without a token, and other endpoints get theirs."""

import pytest

from chaos import Chaos
from surehook import SANITIZED, eventually
from test_chaos import CHAOS, REQUEST_TIMEOUT, SLACK
from test_isolation import anonymous_memory
from test_policy import set_policy
from token_server import TokenServer


@pytest.fixture
def chaos():
    chaos = Chaos(CHAOS)
    yield chaos
    chaos.stop()


def authenticate(service, app, endpoint, url):
    grant = {"type": "oauth2", "tokenUrl": url, "clientId": "x", "clientSecret": "y"}
    reply = service.call("PUT", f"/app/{app}/endpoint/{endpoint}/authentication", grant)
    assert reply.status == 204, reply.body


def test_a_hostile_authorization_server_costs_its_own_endpoint_alone(chaos, start, new_receiver):
    service = start(retry_schedule="", log_level="warn")
    receiver, server = new_receiver(), TokenServer()
    sent = {}
    for name in chaos.ports:
        app = service.new_app(uid=name)
        hostile = service.subscribe(app, receiver, f"/hostile/{name}", uid="hostile")
        set_policy(service, app, hostile, None, attemptTimeout=f"{REQUEST_TIMEOUT}ms")
        healthy = service.subscribe(app, receiver, f"/{name}")
        authenticate(service, app, hostile, chaos.url(name, "/token"))
        authenticate(service, app, healthy, server.url)
        sent[name] = service.send(app)
    for name in chaos.ports:
        ask = lambda: service.get(f"/app/{name}/attempt/endpoint/hostile").json()["data"]
        (attempt,) = eventually(ask)
        assert (attempt["outcome"], attempt["responseStatusCode"]) == ("token", 0), name
        assert attempt["responseDurationMs"] <= REQUEST_TIMEOUT + SLACK, name
    receiver.wait(len(sent))
    server.close()
    assert {d.path: d.id for d in receiver.deliveries} == {f"/{name}": sent[name] for name in sent}
    figures = chaos.figures()
    assert {name for name, seen in figures.items() if not seen["begun"]} == {"deaf"}  # the control
    assert max(seen["longest_us"] for seen in figures.values()) <= (REQUEST_TIMEOUT + SLACK) * 1000
    assert SANITIZED or anonymous_memory(service) < 64 * 1024 * 1024
