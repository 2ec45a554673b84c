"""throttleRate of endpoints and applications.

Of times only lower bounds are judged, from before the first message was sent to after the last one
arrived: a slow machine makes that longer, never shorter."""

import time

import pytest
from svix.api import ApplicationIn, ApplicationPatch, EndpointIn, EndpointPatch, EndpointUpsertIn

RATE = 10
MESSAGES = 12
KEPT = 0.1  # seconds for which an unused token keeps
LEAST = (MESSAGES - 1) / RATE - KEPT
URL = "https://example.com/hook"


def both(shown):
    """The rate under its two names, which must agree."""
    assert shown["throttleRate"] == shown["rateLimit"]
    return shown["throttleRate"]


def send_and_wait(service, app, receiver, endpoints):
    """Sends MESSAGES deliveries to these endpoints together; returns how long they took."""
    began = time.monotonic()
    sent = [service.send(app) for _ in range(MESSAGES // len(endpoints))]
    receiver.wait(MESSAGES)
    took = time.monotonic() - began
    for msg in sent:
        for endpoint in endpoints:
            assert service.until(app, msg, endpoint, "delivered")["tries"] == 1
    return took


def test_an_application_s_rate_is_kept_and_shown(service):
    applications = service.svix().application
    made = applications.create(ApplicationIn(name="x", throttle_rate=7))
    assert made.throttle_rate == 7
    assert applications.patch(made.id, ApplicationPatch(name="y")).throttle_rate == 7
    assert applications.patch(made.id, ApplicationPatch(throttle_rate=65535)).throttle_rate == 65535
    assert both(service.get(f"/app/{made.id}").json()) == 65535
    reply = service.call("PATCH", f"/app/{made.id}", {"throttleRate": None})
    assert both(reply.json()) is None
    assert both(service.call("PUT", f"/app/{made.id}", {"name": "x", "rateLimit": 3}).json()) == 3
    assert both(service.call("PUT", f"/app/{made.id}", {"name": "x"}).json()) is None


def test_an_endpoint_s_rate_is_kept_and_shown(service, app):
    endpoints = service.svix().endpoint
    made = endpoints.create(app, EndpointIn(url=URL, throttle_rate=7))
    assert made.throttle_rate == 7
    assert endpoints.patch(app, made.id, EndpointPatch(description="d")).throttle_rate == 7
    assert endpoints.patch(app, made.id, EndpointPatch(throttle_rate=1)).throttle_rate == 1
    path = f"/app/{app}/endpoint/{made.id}"
    assert both(service.call("PATCH", path, {"rateLimit": 65535}).json()) == 65535
    assert both(service.get(path).json()) == 65535
    assert endpoints.upsert(app, made.id, EndpointUpsertIn(url=URL)).throttle_rate is None


def test_the_application_made_with_a_message_has_the_rate_it_was_given(service):
    body = {"eventType": "a", "payload": {}, "application": {"name": "x", "uid": "new", "throttleRate": 9}}
    assert service.post("/app/new/msg", body).status == 202
    assert both(service.get("/app/new").json()) == 9


def test_an_endpoint_gets_no_more_than_its_rate(service, app, receiver):
    endpoint = service.subscribe(app, receiver, throttleRate=RATE)
    assert send_and_wait(service, app, receiver, [endpoint]) >= LEAST


def test_an_application_s_endpoints_share_its_rate(service, receiver):
    app = service.new_app(throttleRate=RATE)
    endpoints = [service.subscribe(app, receiver, f"/{n}") for n in range(3)]
    assert send_and_wait(service, app, receiver, endpoints) >= LEAST


def test_rates_hold_after_a_restart(service, receiver):
    app = service.new_app(throttleRate=RATE)
    endpoint = service.subscribe(app, receiver)
    service.stop()
    service.start()
    assert send_and_wait(service, app, receiver, [endpoint]) >= LEAST


@pytest.mark.parametrize("of", ["endpoint", "application"])
def test_a_new_rate_holds_at_once_for_what_waits(service, receiver, of):
    """Two hundred at one a second would take minutes."""
    rates = {"endpoint": {}, "application": {}}
    rates[of] = {"throttleRate": 1}
    app = service.new_app(**rates["application"])
    endpoint = service.subscribe(app, receiver, **rates["endpoint"])
    service.post(f"/app/{app}/msg/batch", {"messages": [{"eventType": "a", "payload": {}}] * 200})
    receiver.wait(1)
    path = f"/app/{app}" if of == "application" else f"/app/{app}/endpoint/{endpoint}"
    assert service.call("PATCH", path, {"throttleRate": None}).status == 200
    assert len({d.id for d in receiver.wait(200)}) == 200


def test_one_endpoint_s_rate_is_not_another_s(service, app, receiver):
    service.subscribe(app, receiver, "/slow", throttleRate=1)
    service.subscribe(app, receiver, "/fast")
    for _ in range(60):
        service.send(app)
    seen = receiver.wait_for(lambda: sum(d.path == "/fast" for d in receiver.deliveries) == 60)
    assert sum(d.path == "/slow" for d in seen) < 60
