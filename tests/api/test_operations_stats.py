"""Statistics of an endpoint."""

from datetime import datetime, timedelta, timezone

from svix.api import EndpointGetAttemptStatsOptions, EndpointGetStatsOptions

from surehook import eventually


def ago(**span):
    return datetime.now(timezone.utc) - timedelta(**span)


def test_messages_are_counted_by_what_became_of_them(start, receiver):
    service = start(retry_schedule="10ms,1h")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    stats = lambda **window: service.svix().endpoint.get_stats(
        app, endpoint, EndpointGetStatsOptions(**window)
    )
    figures = lambda s: (s.success, s.pending, s.sending, s.fail, s.canceled)
    assert figures(stats()) == (0, 0, 0, 0, 0)
    good = [service.send(app) for _ in range(3)]
    for msg in good:
        service.until(app, msg, endpoint, "delivered")
    later = datetime.now(timezone.utc) + timedelta(hours=5)
    service.send(app, deliverAt=later.isoformat())
    receiver.always(500)
    bad = service.send(app)
    eventually(lambda: service.delivery(app, bad, endpoint)["tries"] == 2)
    assert figures(stats()) == (3, 1, 1, 0, 0)
    service.kill()
    service.start()
    assert figures(stats()) == (3, 1, 1, 0, 0)
    assert figures(stats(since=ago(hours=1), until=ago(hours=-1))) == (3, 1, 1, 0, 0)
    assert figures(stats(since=ago(days=9), until=ago(hours=2))) == (0, 0, 0, 0, 0)
    service.svix().message.expunge_content(app, bad)
    assert figures(stats()) == (3, 1, 0, 0, 1)


def test_attempts_are_counted_by_how_they_ended(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    receiver.answers(500, 200, 500, 404, 500)
    for state in ("delivered", "dead"):
        service.until(app, service.send(app), endpoint, state)
    stats = service.svix().endpoint.get_attempt_stats(
        app, endpoint, EndpointGetAttemptStatsOptions(since=ago(hours=1))
    )
    assert (stats.success, stats.fail, stats.canceled) == (1, 4, 0)
    stats = service.svix().endpoint.get_stats(app, endpoint)
    assert (stats.success, stats.fail) == (1, 1)


def test_a_window_must_make_sense(service, app, receiver):
    path = f"/app/{app}/endpoint/{service.subscribe(app, receiver)}/stats"
    assert service.get(path + "?since=soon").status == 422
    assert service.get(path + "?until=1").status == 422
    reversed = "?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z"
    assert service.get(path + reversed).json()["detail"][0]["loc"] == ["query", "until"]
    assert service.get(path + "?since=1970-01-02T00:00:00Z").status == 200
