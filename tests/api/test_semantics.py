"""What the API promises of every resource alike: three states of a PATCH, ids and uids, lists both
ways, filters."""

import re
from datetime import timedelta

import pytest
from svix.api import ApplicationListOptions, ApplicationPatch
from svix.api import EndpointIn, EndpointListOptions, EndpointPatch, EndpointUpsertIn
from svix.api import EventTypeIn, EventTypeListOptions, EventTypePatch, EventTypeUpsertIn
from svix.api import (
    MessageAttemptListAttemptedDestinationsOptions,
    MessageAttemptListAttemptedMessagesOptions,
    MessageAttemptListByEndpointOptions,
    MessageAttemptListByMsgOptions,
    MessageListOptions,
)
from svix.models import MessageStatus

import routes

URL = "https://example.com/hook"


# ---------------------------------------------------------------- three states


def test_null_clears_what_may_be_empty(service, app):
    svix = service.svix()
    svix.application.patch(app, ApplicationPatch(uid="shop", metadata={"a": "b"}))
    cleared = svix.application.patch(app, ApplicationPatch(uid=None, metadata=None))
    assert (cleared.uid, cleared.metadata) == (None, {})
    wish = EndpointIn(url=URL, uid="e", channels=["red"], metadata={"a": "b"}, headers={"x": "1"})
    made = svix.endpoint.create(app, wish).id
    cleared = svix.endpoint.patch(
        app, made, EndpointPatch(uid=None, channels=None, metadata=None, event_types=None)
    )
    assert (cleared.uid, cleared.channels, cleared.metadata) == (None, None, {})
    assert svix.endpoint.get_headers(app, made).headers == {"x": "1"}
    assert service.call("PATCH", f"/app/{app}/endpoint/{made}", {"headers": None}).status == 200
    assert svix.endpoint.get_headers(app, made).headers == {}
    schemas = {"1": {"type": "object"}}
    svix.event_type.create(
        EventTypeIn(name="t", description="d", schemas=schemas, group_name="g", feature_flags=["f"])
    )
    wish = EventTypePatch(schemas=None, group_name=None, feature_flags=None)
    cleared = svix.event_type.patch("t", wish)
    assert (cleared.schemas, cleared.group_name, cleared.feature_flags) == (None, None, None)


@pytest.mark.parametrize(
    "path, field",
    [
        ("", "name"),
        ("/endpoint/e", "url"),
        ("/endpoint/e", "description"),
        ("/endpoint/e", "disabled"),
        ("/endpoint/e", "version"),
        ("/endpoint/e", "secret"),
        ("event-type", "description"),
        ("event-type", "archived"),
        ("event-type", "deprecated"),
    ],
)
def test_null_is_refused_where_it_means_nothing(service, path, field):
    app = service.new_app(uid="shop")
    service.svix().endpoint.create(app, EndpointIn(url=URL, uid="e"))
    service.svix().event_type.create(EventTypeIn(name="t", description="d"))
    where = "/event-type/t" if path == "event-type" else f"/app/{app}{path}"
    before = service.get(where).body
    reply = service.call("PATCH", where, {field: None})
    assert (reply.status, reply.json()["detail"][0]["loc"]) == (422, ["body", field])
    assert service.get(where).body == before


def test_a_patch_of_nothing_changes_nothing(service, app):
    svix = service.svix()
    svix.event_type.create(EventTypeIn(name="t", description="d", feature_flags=["f"]))
    wish = EndpointIn(url=URL, uid="e", event_types=["t"], channels=["c"], metadata={"a": "b"})
    svix.endpoint.create(app, wish)
    for path in (f"/app/{app}", f"/app/{app}/endpoint/e", "/event-type/t"):
        before = service.get(path).json()
        after = service.call("PATCH", path, {}).json()
        assert {**after, "updatedAt": before["updatedAt"]} == before


# ---------------------------------------------------------------- upsert


def test_put_replaces_what_it_does_not_name(service, app):
    svix = service.svix()
    svix.event_type.create(EventTypeIn(name="t", description="d", group_name="g"))
    wish = EndpointIn(
        url=URL, uid="e", event_types=["t"], channels=["c"], metadata={"a": "b"}, disabled=True
    )
    made = svix.endpoint.create(app, wish)
    service.call("PATCH", f"/app/{app}/endpoint/e", {"version": 7})
    put = svix.endpoint.upsert(app, "e", EndpointUpsertIn(url=URL))
    assert (put.id, put.uid, put.created_at) == (made.id, "e", made.created_at)
    assert (put.event_types, put.channels, put.metadata, put.disabled) == (None, None, {}, False)
    assert service.get(f"/app/{app}/endpoint/e").json()["version"] == 1
    put = svix.event_type.upsert("t", EventTypeUpsertIn(description="new"))
    assert (put.description, put.group_name) == ("new", None)


@pytest.mark.parametrize(
    "path",
    ["/app/app_2bjkzYgDPCTwDCZ1nQbWSUqqYVy", "/app/{app}/endpoint/ep_2bjkzYgDPCTwDCZ1nQbWSUqqYVy"],
)
def test_put_makes_nothing_under_an_id(service, app, path):
    reply = service.call("PUT", path.format(app=app), {"name": "x", "url": URL})
    assert reply.status == 404
    assert service.get(path.format(app=app)).status == 404


# ---------------------------------------------------------------- ids and uids


def test_a_uid_serves_wherever_the_id_does(start):
    service = start(retry_schedule="")
    app = service.new_app(uid="shop")
    url = {"url": "http://127.0.0.1:1/", "uid": "erp"}
    endpoint = service.post("/app/shop/endpoint", url).json()["id"]
    msg = service.send("shop", eventId="order-1")
    dead = service.until(app, msg, endpoint, "dead")
    ids = {"app": app, "endpoint": endpoint, "msg": msg, "attempt": dead["lastAttemptId"]}
    uids = {**ids, "app": "shop", "endpoint": "erp", "msg": "order-1"}
    compared = 0
    for route in routes.of(service):
        named = {*route.parameters}
        if route.method != "GET" or not named & {"app", "endpoint", "msg"} or named - {*ids}:
            continue
        if "/operational-webhook/" in route.path:
            continue
        by_id, by_uid = (service.get(route.path.format(**n), api="") for n in (ids, uids))
        bodies = [re.sub(rb'"asOf":"[^"]*"', b"", answer.body) for answer in (by_id, by_uid)]
        assert (by_id.status, bodies[1]) == (200, bodies[0]), route
        compared += 1
    assert compared > 15


# ---------------------------------------------------------------- lists


def walk(fetch, limit, **options):
    """All ids forwards, then all back from the end, in the list's order both times."""
    names = lambda page: [row.id if hasattr(row, "id") else row.name for row in page.data]
    forwards, iterator = [], None
    while True:
        page = fetch(limit=limit, iterator=iterator, **options)
        assert len(page.data) <= limit
        forwards += names(page)
        iterator = page.iterator
        if page.done:
            break
    backwards, iterator = names(page), page.prev_iterator
    while True:
        page = fetch(limit=limit, iterator=iterator, **options)
        backwards = names(page) + backwards
        iterator = page.prev_iterator
        if page.done:
            return forwards, backwards


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_every_list_of_what_is_configured_is_walked_both_ways(service, app, limit):
    svix = service.svix()
    apps = [app, *(service.new_app() for _ in range(4))]
    endpoints = [svix.endpoint.create(app, EndpointIn(url=URL)).id for _ in range(5)]
    types = ["a", "a.b", "a-b", "b", "c"]
    for name in types:
        svix.event_type.create(EventTypeIn(name=name, description=""))
    lists = {
        "applications": (lambda **o: svix.application.list(ApplicationListOptions(**o)), apps),
        "endpoints": (lambda **o: svix.endpoint.list(app, EndpointListOptions(**o)), endpoints),
        "types": (lambda **o: svix.event_type.list(EventTypeListOptions(**o)), sorted(types)),
    }
    for name, (fetch, ascending) in lists.items():
        up = (ascending, ascending)
        down = (ascending[::-1], ascending[::-1])
        assert walk(fetch, limit) == (down if name == "endpoints" else up), name
        assert walk(fetch, limit, order="ascending") == up, name
        assert walk(fetch, limit, order="descending") == down, name


def test_what_became_of_a_message_is_walked_both_ways(service, app, receiver):
    svix = service.svix()
    endpoints = [service.subscribe(app, receiver, f"/{n}") for n in range(5)]
    receiver.always(500)
    msg = service.send(app)
    for endpoint in endpoints:
        service.until(app, msg, endpoint, "dead")
    attempts = svix.message_attempt
    of_msg = lambda **o: attempts.list_by_msg(app, msg, MessageAttemptListByMsgOptions(**o))
    whole = [a.id for a in of_msg(limit=250).data]
    assert len(whole) == 15 and whole == sorted(whole, reverse=True)
    at = lambda **o: attempts.list_attempted_destinations(
        app, msg, MessageAttemptListAttemptedDestinationsOptions(**o)
    )
    for limit in (1, 2, 4, 15):
        assert walk(of_msg, limit) == (whole, whole)
        forwards, backwards = walk(at, limit)
        assert forwards == backwards and sorted(forwards) == sorted(endpoints)


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_every_list_of_what_was_sent_is_walked_both_ways(service, app, receiver, limit):
    svix = service.svix()
    endpoint = service.subscribe(app, receiver)
    sent = [service.send(app) for _ in range(6)]
    for msg in sent:
        service.until(app, msg, endpoint, "delivered")
    attempts = [svix.message_attempt.list_by_msg(app, msg).data[0].id for msg in sent]
    newest_first = (sent[::-1], sent[::-1])
    list_messages = lambda **o: svix.message.list(app, MessageListOptions(**o))
    assert walk(list_messages, limit) == newest_first
    attempted = lambda **o: svix.message_attempt.list_attempted_messages(
        app, endpoint, MessageAttemptListAttemptedMessagesOptions(**o)
    )
    assert walk(attempted, limit) == newest_first
    by_endpoint = lambda **o: svix.message_attempt.list_by_endpoint(
        app, endpoint, MessageAttemptListByEndpointOptions(**o)
    )
    forwards, backwards = walk(by_endpoint, limit)
    assert forwards == backwards == sorted(attempts, reverse=True)


def test_before_and_after_bound_every_list_of_what_was_sent(service, app, receiver):
    svix = service.svix()
    endpoint = service.subscribe(app, receiver)
    sent = [service.send(app) for _ in range(5)]
    for msg in sent:
        service.until(app, msg, endpoint, "delivered")
    times = [svix.message.get(app, msg).timestamp for msg in sent]
    fetches = {
        "messages": lambda **o: svix.message.list(app, MessageListOptions(**o)),
        "of an endpoint": lambda **o: svix.message_attempt.list_attempted_messages(
            app, endpoint, MessageAttemptListAttemptedMessagesOptions(**o)
        ),
    }
    for name, fetch in fetches.items():
        ids = lambda **o: [row.id for row in fetch(**o).data]
        assert ids(before=times[2]) == [sent[1], sent[0]], name
        assert ids(after=times[2]) == [sent[4], sent[3]], name
        assert ids(after=times[0], before=times[4]) == sent[3:0:-1], name
        assert ids(after=times[0], limit=2) == [sent[2], sent[1]], name
        assert ids(before=times[4], iterator=sent[3], limit=1) == [sent[2]], name
        assert ids(after=times[4]) == ids(before=times[0]) == [], name
    rows = svix.message_attempt.list_by_endpoint(app, endpoint).data
    middle = rows[2].timestamp
    options = MessageAttemptListByEndpointOptions
    listed = lambda o: [a.id for a in svix.message_attempt.list_by_endpoint(app, endpoint, o).data]
    hour = timedelta(hours=1)
    everything = [a.id for a in rows]
    assert listed(options(before=middle + hour, after=middle - hour)) == everything
    assert listed(options(before=middle - hour)) == listed(options(after=middle + hour)) == []


def test_applications_can_be_listed_by_what_receives(service, receiver):
    svix = service.svix()
    with_none = service.new_app()
    disabled = service.new_app()
    active = service.new_app()
    for app, off in ((disabled, True), (active, True), (active, False)):
        svix.endpoint.create(app, EndpointIn(url=URL, disabled=off))

    def ids(**options):
        return [a.id for a in svix.application.list(ApplicationListOptions(**options)).data]

    assert ids() == [with_none, disabled, active]
    assert ids(exclude_apps_with_no_endpoints=True) == [disabled, active]
    assert ids(exclude_apps_with_disabled_endpoints=True) == [with_none, active]
    both = {
        "exclude_apps_with_no_endpoints": True,
        "exclude_apps_with_disabled_endpoints": True,
    }
    assert ids(**both) == [active]
    assert ids(exclude_apps_with_no_endpoints=False) == ids()
    page = svix.application.list(ApplicationListOptions(limit=2, **both))
    assert (page.data, page.done) == ([], False)
    page = svix.application.list(ApplicationListOptions(limit=2, iterator=page.iterator, **both))
    assert ([a.id for a in page.data], page.done) == ([active], True)
    assert service.get("/app?exclude_apps_with_no_endpoints=maybe").status == 422
    assert service.get("/app?exclude_apps_with_svix_play_endpoints=maybe").status == 422


def test_applications_that_only_play_can_be_left_out_of_a_list(service):
    svix = service.svix()
    apps = [service.new_app() for _ in range(3)]
    play = "https://play.svix.com/in/e_1/"
    svix.endpoint.create(apps[1], EndpointIn(url=play))
    for url in (play, URL):
        svix.endpoint.create(apps[2], EndpointIn(url=url))
    options = ApplicationListOptions(exclude_apps_with_svix_play_endpoints=True)
    assert [a.id for a in svix.application.list(options).data] == [apps[0], apps[2]]


# ---------------------------------------------------------------- filters


def test_tags_and_channels_filter_every_list(service, app, receiver):
    svix = service.svix()
    endpoint = service.subscribe(app, receiver)
    tagged = service.send(app, tags=["t", "é"], channels=["red"])
    plain = service.send(app)
    for msg in (tagged, plain):
        service.until(app, msg, endpoint, "delivered")
    attempts = svix.message_attempt
    for options, wanted in (
        ({"tag": "t"}, [tagged]),
        ({"tag": "é"}, [tagged]),
        ({"tag": "other"}, []),
        ({"channel": "red"}, [tagged]),
        ({"channel": "blue"}, []),
        ({"tag": "t", "channel": "red"}, [tagged]),
        ({}, [plain, tagged]),
    ):
        listed = svix.message.list(app, MessageListOptions(**options)).data
        assert [m.id for m in listed] == wanted, options
        of_endpoint = attempts.list_by_endpoint(
            app, endpoint, MessageAttemptListByEndpointOptions(**options)
        ).data
        assert [a.msg_id for a in of_endpoint] == wanted, options
        attempted = attempts.list_attempted_messages(
            app, endpoint, MessageAttemptListAttemptedMessagesOptions(**options)
        ).data
        assert [m.id for m in attempted] == wanted, options
        of_msg = attempts.list_by_msg(app, tagged, MessageAttemptListByMsgOptions(**options)).data
        assert [a.msg_id for a in of_msg] == [m for m in wanted if m == tagged], options
    assert svix.message.get(app, tagged).tags == ["t", "é"]


def test_each_status_of_a_message_at_an_endpoint(start, receiver):
    service = start(retry_schedule="1h")
    app = service.new_app()
    svix = service.svix()
    endpoint = service.subscribe(app, receiver)
    receiver.answers(500, 204, 500)
    sent = {}
    for name, state in (("sending", "retrying"), ("success", "delivered")):
        sent[name] = service.send(app)
        service.until(app, sent[name], endpoint, state)
    sent["canceled"] = service.send(app)
    service.until(app, sent["canceled"], endpoint, "retrying")
    svix.message.expunge_content(app, sent["canceled"])
    later = svix.message.get(app, sent["success"]).timestamp + timedelta(hours=1)
    sent["pending"] = service.send(app, deliverAt=later.isoformat())
    statuses = {
        "success": MessageStatus.SUCCESS,
        "pending": MessageStatus.PENDING,
        "fail": MessageStatus.FAIL,
        "sending": MessageStatus.SENDING,
        "canceled": MessageStatus.CANCELED,
    }
    for text, status in statuses.items():
        options = MessageAttemptListAttemptedMessagesOptions(status=status)
        rows = svix.message_attempt.list_attempted_messages(app, endpoint, options).data
        assert [r.id for r in rows] == ([sent[text]] if text in sent else []), text
        for row in rows:
            assert (row.status, row.status_text) == (status, text)
            assert (row.next_attempt is not None) == (text in ("pending", "sending")), text
    assert svix.message_attempt.list_attempted_destinations(app, sent["pending"]).data[
        0
    ].next_attempt == later
