"""Pollers: a consumer that cannot be called fetches its messages, and says what it has done with."""

import datetime
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from svix.api import EndpointIn, MessagePollerConsumerPollOptions, MessagePollerPollOptions
from svix.exceptions import HttpError, HTTPValidationError
from svix.models import PollingEndpointConsumerSeekIn

from receivers import DEADLINE
from surehook import eventually

NOBODY = "http://127.0.0.1:1/hook"


def poll(service, app, sink="all", **options):
    return service.svix().message.poller.poll(app, sink, MessagePollerPollOptions(**options))


def consume(service, app, sink="all", consumer="one", **options):
    options = MessagePollerConsumerPollOptions(**options)
    return service.svix().message.poller.consumer_poll(app, sink, consumer, options)


def seek(service, app, after, sink="all", consumer="one"):
    wish = PollingEndpointConsumerSeekIn(after=after)
    return service.svix().message.poller.consumer_seek(app, sink, consumer, wish).iterator


def ids(page):
    return [message.id for message in page.data]


def send(service, app, count):
    return [service.send(app) for _ in range(count)]


def held(service, app, path="poller/all", **query):
    """A request that waits, from a thread of its own; its result is the page."""
    words = "&".join(f"{name}={value}" for name, value in query.items())
    pool = ThreadPoolExecutor(1)
    return pool.submit(lambda: service.get(f"/app/{app}/{path}?{words}").json())


def waiting(service):
    return service.metric("surehook_polls_waiting")


def test_messages_come_oldest_first_until_done(service, app):
    sent = send(service, app, 5)
    service.send(service.new_app())
    first = poll(service, app, limit=2)
    assert ids(first) == sent[:2] and first.done is False
    second = poll(service, app, limit=2, iterator=first.iterator)
    last = poll(service, app, limit=2, iterator=second.iterator)
    assert ids(second) + ids(last) == sent[2:] and last.done is True
    empty = poll(service, app, iterator=last.iterator)
    assert (ids(empty), empty.iterator, empty.done) == ([], last.iterator, True)
    later = service.send(app)
    assert ids(poll(service, app, iterator=empty.iterator)) == [later]
    assert ids(poll(service, app, limit=2)) == sent[:2]


def test_an_iterator_of_nothing_leads_to_what_comes(service, app):
    nothing = poll(service, app)
    assert (nothing.data, nothing.done) == ([], True)
    sent = send(service, app, 2)
    assert ids(poll(service, app, iterator=nothing.iterator)) == sent


def test_a_message_is_shown_whole(service, app):
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    msg = service.send(
        app,
        b'{"n":1}',
        eventId="order-1",
        channels=["red"],
        tags=["t"],
        deliverAt=later.isoformat(),
        transformationsParams={"headers": {"x-shop": "7"}},
    )
    shown = poll(service, app).data[0]
    assert (shown.id, shown.event_id, shown.event_type) == (msg, "order-1", "test.event")
    assert (shown.payload, shown.channels, shown.tags) == ({"n": 1}, ["red"], ["t"])
    assert (shown.headers, shown.deliver_at) == ({"x-shop": "7"}, later)
    service.svix().message.expunge_content(app, msg)
    assert poll(service, app).data[0].payload == {}


def test_parameters_choose(service, app):
    a = service.send(app, event_type="a", channels=["red"])
    b = service.send(app, event_type="b", channels=["red", "blue"])
    c = service.send(app, event_type="b")
    assert ids(poll(service, app, event_type="b")) == [b, c]
    assert ids(poll(service, app, channel="red")) == [a, b]
    assert ids(poll(service, app, event_type="b", channel="red")) == [b]
    none = poll(service, app, event_type="never")
    assert (ids(none), none.done) == ([], True)
    assert none.iterator == poll(service, app).iterator


def test_a_poller_of_an_endpoint_has_its_choice(service, app):
    svix = service.svix()
    for name in ("a", "b"):
        service.post("/event-type", {"name": name, "description": ""})
    wish = EndpointIn(
        url=NOBODY, uid="store", event_types=["a"], channels=["red"], disabled=True
    )
    endpoint = svix.endpoint.create(app, wish).id
    mine = service.send(app, event_type="a", channels=["red"])
    service.send(app, event_type="a")
    service.send(app, event_type="b", channels=["red"])
    assert ids(poll(service, app, endpoint)) == ids(poll(service, app, "store")) == [mine]
    page = consume(service, app, endpoint)
    assert ids(page) == [mine]
    consume(service, app, "store", iterator=page.iterator)
    assert ids(consume(service, app, endpoint)) == []
    assert len(poll(service, app, "another").data) == 3
    for stranger in ("ep_2bjkzYgDPCTwDCZ1nQbWSUqqYVy", "ep_x"):
        with pytest.raises(HttpError) as refusal:
            poll(service, app, stranger)
        assert refusal.value.status_code == 404


def test_after_begins_at_a_moment(service, app):
    sent = send(service, app, 6)
    moments = [service.svix().message.get(app, msg).timestamp for msg in sent]
    for i, moment in enumerate(moments):
        assert ids(poll(service, app, after=moment)) == sent[i + 1 :]
    page = poll(service, app, after=moments[1], limit=2)
    assert ids(poll(service, app, after=moments[1], iterator=page.iterator)) == sent[4:]
    future = moments[-1] + datetime.timedelta(hours=1)
    nothing = poll(service, app, after=future)
    assert nothing.data == []
    service.send(app)
    assert poll(service, app, iterator=nothing.iterator).data == []


def test_a_consumer_gets_a_page_until_it_comes_back_with_its_iterator(service, app):
    sent = send(service, app, 5)
    first = consume(service, app, limit=2)
    assert ids(first) == ids(consume(service, app, limit=2)) == sent[:2]
    second = consume(service, app, limit=2, iterator=first.iterator)
    again = consume(service, app, limit=2, iterator=first.iterator)
    assert ids(second) == ids(again) == ids(consume(service, app, limit=2)) == sent[2:4]
    assert ids(consume(service, app, iterator=second.iterator)) == sent[4:]
    with pytest.raises(HttpError) as refusal:
        consume(service, app, iterator=first.iterator)
    assert refusal.value.status_code == 409
    assert ids(consume(service, app)) == sent[4:]


def test_consumers_and_pollers_stand_apart_and_survive_a_restart(service, app):
    sent = send(service, app, 3)
    page = consume(service, app, limit=1)
    consume(service, app, iterator=page.iterator)
    page = consume(service, app, consumer="two", limit=2)
    consume(service, app, consumer="two", iterator=page.iterator)
    service.kill()
    service.start()
    assert ids(consume(service, app)) == sent[1:]
    assert ids(consume(service, app, consumer="two")) == sent[2:]
    assert ids(consume(service, app, sink="other")) == sent
    other = service.new_app()
    assert ids(consume(service, other)) == []


def test_a_consumer_seeks_to_a_moment_and_back(service, app):
    sent = send(service, app, 5)
    moments = [service.svix().message.get(app, msg).timestamp for msg in sent]
    for i in (3, 1, 4, 0):
        iterator = seek(service, app, moments[i])
        assert ids(consume(service, app)) == sent[i + 1 :]
        assert ids(consume(service, app, iterator=iterator)) == sent[i + 1 :]
    seek(service, app, moments[0] - datetime.timedelta(days=400))
    assert ids(consume(service, app)) == sent
    seek(service, app, moments[4] + datetime.timedelta(hours=1))
    service.send(app)
    assert ids(consume(service, app)) == []


def test_two_that_consume_side_by_side_lose_nothing(service, app):
    """The same name twice: both get the same page, and only the first to go on moves."""
    sent = send(service, app, 4)
    first, second = consume(service, app, limit=2), consume(service, app, limit=2)
    assert ids(first) == ids(second) == sent[:2]
    ahead = consume(service, app, limit=1, iterator=first.iterator)
    assert ids(consume(service, app, limit=1, iterator=second.iterator)) == ids(ahead)
    consume(service, app, iterator=ahead.iterator)
    with pytest.raises(HttpError) as refusal:
        consume(service, app, iterator=second.iterator)
    assert refusal.value.status_code == 409


def test_none_is_skipped_while_many_are_sent(service, app):
    """Producers and a consumer at once: every message, once, in the order of the list."""
    per_thread = 100

    def produce():
        for _ in range(per_thread):
            service.send(app)

    producers = [threading.Thread(target=produce) for _ in range(4)]
    for producer in producers:
        producer.start()
    seen, iterator = [], None
    deadline = time.monotonic() + DEADLINE
    while len(seen) < 4 * per_thread and time.monotonic() < deadline:
        mark = f"&iterator={iterator}" if iterator else ""
        page = service.get(f"/app/{app}/poller/all/consumer/one?limit=7&wait=5{mark}").json()
        iterator = page["iterator"]
        seen += [message["id"] for message in page["data"]]
    for producer in producers:
        producer.join()
    assert len(seen) == 4 * per_thread
    assert seen == sorted(set(seen))


def test_a_message_ends_a_wait(service, app):
    for path in ("poller/all", "poller/all/consumer/one"):
        iterator = poll(service, app).iterator
        waits = held(service, app, path, wait=30, iterator=iterator)
        eventually(lambda: waiting(service) == 1)
        service.send(service.new_app())
        msg = service.send(app)
        page = waits.result(DEADLINE)
        assert [m["id"] for m in page["data"]] == [msg]
        assert page["done"] is True


def test_only_a_message_that_is_chosen_ends_a_wait(service, app):
    waits = held(service, app, wait=30, event_type="b")
    eventually(lambda: waiting(service) == 1)
    for _ in range(20):
        service.send(app, event_type="a")
    assert not waits.done()
    msg = service.send(app, event_type="b")
    assert [m["id"] for m in waits.result(DEADLINE)["data"]] == [msg]


def test_a_wait_without_a_message_ends_in_time(service, app):
    page = held(service, app, wait=1).result(DEADLINE)
    assert page["data"] == [] and page["done"] is True
    other = service.send(app, event_type="a")
    page = held(service, app, wait=1, event_type="b").result(DEADLINE)
    assert (page["data"], page["iterator"]) == ([], other)


def test_a_wait_ends_with_the_application_and_with_the_service(service, app):
    gone = service.new_app()
    pool = ThreadPoolExecutor(1)
    deleted = pool.submit(lambda: service.get(f"/app/{gone}/poller/all?wait=2"))
    eventually(lambda: waiting(service) == 1)
    service.svix().application.delete(gone)
    assert deleted.result(DEADLINE).status == 404
    waits = held(service, app, wait=30)
    eventually(lambda: waiting(service) == 1)
    service.stop()
    assert waits.result(DEADLINE) == {"data": [], "iterator": "msg_" + 27 * "0", "done": True}
    service.start()


def test_those_that_wait_are_bounded(start):
    service = start(max_connections=300)
    app, other = service.new_app(), service.new_app()
    pool = ThreadPoolExecutor(100)
    waits = [pool.submit(service.get, f"/app/{app}/poller/all?wait=30") for _ in range(100)]
    eventually(lambda: waiting(service) == 100)
    refused = service.get(f"/app/{app}/poller/all?wait=30")
    assert refused.status == 503 and refused.headers["retry-after"] == "1"
    assert service.get(f"/app/{app}/poller/all").status == 200
    assert service.get(f"/app/{other}/poller/all?wait=1").status == 200
    msg = service.send(app)
    for wait in waits:
        assert [m["id"] for m in wait.result(DEADLINE).json()["data"]] == [msg]
    assert waiting(service) == 0


@pytest.mark.parametrize(
    "query, field",
    [
        ("iterator=msg_x", "iterator"),
        ("iterator=-msg_2bjkzYgDPCTwDCZ1nQbWSUqqYVy", "iterator"),
        ("iterator=ep_2bjkzYgDPCTwDCZ1nQbWSUqqYVy", "iterator"),
        ("limit=0", "limit"),
        ("limit=251", "limit"),
        ("wait=31", "wait"),
        ("wait=-1", "wait"),
        ("wait=1s", "wait"),
        ("wait=", "wait"),
        ("order=descending", "order"),
    ],
)
@pytest.mark.parametrize("path", ["poller/all", "poller/all/consumer/one"])
def test_what_is_wrong_is_named(service, app, path, query, field):
    reply = service.get(f"/app/{app}/{path}?{query}")
    assert reply.status == 422
    assert reply.json()["detail"][0]["loc"] == ["query", field]


def test_names_and_moments_have_rules(service, app):
    for path, place in [
        ("poller/a%20b", "sink"),
        ("poller/" + 257 * "x", "sink"),
        ("poller/all/consumer/a%2Fb", "consumer"),
    ]:
        reply = service.get(f"/app/{app}/{path}")
        assert reply.status == 422
        assert reply.json()["detail"][0]["loc"] == ["path", place]
    assert service.get(f"/app/{app}/poller/all?after=soon").status == 422
    path = f"/app/{app}/poller/all/consumer/one"
    for body in ({}, {"after": None}, {"after": "soon"}, {"after": 5}):
        reply = service.post(path + "/seek", body)
        assert reply.status == 422
        assert reply.json()["detail"][0]["loc"] == ["body", "after"]
    ahead = "msg_" + 27 * "z"
    for iterator in (ahead, "msg_aWgEPTl1tmebfsQzFP4bxwgy80U"):
        reply = service.get(f"{path}?iterator={iterator}")
        assert reply.status == 422, reply.body
    with pytest.raises(HTTPValidationError):
        consume(service, app, iterator="msg_x")


def test_a_poll_whose_token_ends_while_it_waits_shows_nothing_more(service, app):
    portal = service.post(f"/auth/app-portal-access/{app}", {}).json()["token"]
    key = service.post("/key", {"scope": "read", "name": "r"}).json()
    end = {
        portal: lambda: service.post(f"/auth/app/{app}/expire-all", {}),
        key["token"]: lambda: service.call("DELETE", f"/key/{key['id']}"),
    }
    for token, ended in end.items():
        last = service.send(app)
        path = f"/app/{app}/poller/all?wait=30&iterator={last}"
        waits = ThreadPoolExecutor(1).submit(lambda: service.get(path, token=token))
        eventually(lambda: waiting(service) == 1)
        assert ended().status == 204
        service.send(app, b'{"not":"for them"}')
        assert waits.result(DEADLINE).status == 401
        assert waiting(service) == 0


def test_who_only_reads_polls_but_does_not_consume(service, app):
    made = service.post("/key", {"scope": "read", "name": "r"}).json()["token"]
    assert service.get(f"/app/{app}/poller/all", token=made).status == 200
    assert service.get(f"/app/{app}/poller/all/consumer/one", token=made).status == 403
    own = service.post("/key", {"scope": "app", "name": "a", "appId": app}).json()["token"]
    assert service.get(f"/app/{app}/poller/all/consumer/one", token=own).status == 200
