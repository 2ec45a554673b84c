"""/metrics, in the text format of Prometheus."""

import re

from receivers import Answer
from surehook import eventually

LINE = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-z_]+="[^"\\\n]*"(,[a-z_]+="[^"\\\n]*")*\})? [-+0-9.eE]+(Inf)?')


def test_every_line_is_well_formed_and_described(service):
    reply = service.get("/metrics", api="")
    assert reply.headers["content-type"].startswith("text/plain")
    described = set()
    for line in reply.body.decode().splitlines():
        if line.startswith("# "):
            _, kind, name, rest = line.split(" ", 3)
            assert kind in ("HELP", "TYPE") and rest
            described.add(name)
            continue
        assert LINE.fullmatch(line), line
        name = re.match(r"\w+", line)[0]
        assert name in described or re.sub("_(bucket|sum|count)$", "", name) in described, name


def test_the_figures_count(service, app, receiver):
    receiver.script = lambda d: Answer(500 if d.path == "/bad" else 204)
    bad = service.subscribe(app, receiver, "/bad")
    good = service.subscribe(app, receiver, "/good")
    ids = [service.send(app, b'{"n":1}', eventId=f"e{n}") for n in range(5)]
    service.try_send(app, eventId="e0")
    service.post(f"/app/{app}/msg", b"{")
    for msg in ids:
        service.until(app, msg, good, "delivered")
        service.until(app, msg, bad, "dead")
    expected = {
        "surehook_messages_accepted_total": 5,
        "surehook_messages_accepted_bytes_total": 35,
        "surehook_messages_conflicting_total": 1,
        "surehook_deliveries_delivered_total": 5,
        "surehook_deliveries_dead_total": 5,
        "surehook_dead_letters": 5,
        "surehook_deliveries_waiting": 0,
        "surehook_attempts_in_flight": 0,
        'surehook_attempts_total{outcome="success"}': 5,
        'surehook_attempts_total{outcome="status"}': 15,
        "surehook_retries_total": 10,
    }
    for name, value in expected.items():
        eventually(lambda: service.metric(name), lambda found: found == value, timeout=10)
    assert service.metric("surehook_commit_seconds_count") > 0
    assert service.metric("surehook_oldest_due_age_seconds") == 0


def test_gauges_survive_a_restart(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    receiver.always(500)
    for _ in range(3):
        service.until(app, service.send(app), endpoint, "dead")
    service.stop()
    service.start(retry_schedule="1h")
    assert service.metric("surehook_dead_letters") == 3
    msg = service.send(app)
    service.until(app, msg, endpoint, "retrying")
    assert service.metric("surehook_deliveries_waiting") == 1


def test_no_tenant_and_no_secret_is_named(service, receiver):
    app = service.new_app(uid="very-secret-tenant", name="Very Secret")
    service.subscribe(app, receiver)
    service.send(app)
    receiver.wait()
    text = service.get("/metrics", api="").body.decode()
    for name in ("very-secret", "Very Secret", app, "whsec_"):
        assert name not in text
    names = re.sub("^([^#].*) .*$", r"\1", text, flags=re.MULTILINE)  # a figure may be any number
    assert not re.search(rf"(?<!\d){receiver.port}(?!\d)", names)
