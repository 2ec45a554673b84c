"""/app/{app}/msg."""

from datetime import datetime, timedelta, timezone

import pytest
from svix.api import MessageCreateOptions, MessageGetOptions, MessageIn, MessageListOptions

from surehook import eventually

WHOLE = MessageGetOptions(with_content=True)


@pytest.fixture
def messages(service):
    return service.svix().message


def test_create_get_and_list(messages, app):
    wish = MessageIn(
        event_type="user.signup", event_id="evt_1", payload={"n": 1}, channels=["red"], tags=["t1"]
    )
    made = messages.create(app, wish, MessageCreateOptions(with_content=True))
    assert made.id.startswith("msg_")
    for name in ("event_type", "event_id", "payload", "channels", "tags"):
        assert getattr(made, name) == getattr(wish, name), name
    assert messages.get(app, made.id, WHOLE) == made
    assert messages.get(app, "evt_1", WHOLE) == made
    assert messages.list(app, MessageListOptions(with_content=True)).data == [made]


def test_an_application_s_uid_serves_wherever_its_id_does(service, messages):
    service.new_app(uid="shop")
    made = messages.create("shop", MessageIn(event_type="e", payload={}))
    assert messages.get("shop", made.id).id == made.id


def test_without_content_the_payload_is_empty_and_never_absent(service, app):
    msg = service.send(app, b'{"n":1}')
    for path in (f"/app/{app}/msg/{msg}", f"/app/{app}/msg"):
        answer = service.get(path + "?with_content=false").json()
        assert (answer.get("data") or [answer])[0]["payload"] == {}
        answer = service.get(path).json()
        assert (answer.get("data") or [answer])[0]["payload"] == {"n": 1}
    reply = service.post(f"/app/{app}/msg?with_content=false", {"eventType": "e", "payload": {"n": 1}})
    assert reply.json()["payload"] == {}


def test_ids_increase_and_survive_restarts(service, app):
    ids = [service.send(app) for _ in range(5)]
    service.kill()
    service.start()
    ids += [service.send(app) for _ in range(5)]
    assert ids == sorted(set(ids))


def test_lists_are_newest_first_and_page_both_ways(service, messages, app):
    ids = [service.send(app) for _ in range(5)][::-1]
    page = messages.list(app, MessageListOptions(limit=2))
    assert [m.id for m in page.data] == ids[:2]
    page = messages.list(app, MessageListOptions(limit=2, iterator=page.iterator))
    assert [m.id for m in page.data] == ids[2:4]
    back = messages.list(app, MessageListOptions(limit=2, iterator=page.prev_iterator))
    assert [m.id for m in back.data] == ids[:2]
    last = messages.list(app, MessageListOptions(limit=2, iterator=page.iterator))
    assert ([m.id for m in last.data], last.done) == (ids[4:], True)
    assert last.iterator == ids[4]


def test_filters(service, messages, app):
    red = service.send(app, event_type="a", channels=["red"])
    blue = service.send(app, event_type="b", channels=["blue"], tags=["x"])
    plain = service.send(app, event_type="c")
    listed = lambda **options: [m.id for m in messages.list(app, MessageListOptions(**options)).data]
    assert listed(event_types=["a", "c"]) == [plain, red]
    assert listed(channel="blue") == [blue]
    assert listed(tag="x") == [blue]
    assert listed(event_types=["zzz"]) == []
    assert listed() == [plain, blue, red]
    repeated = service.get(f"/app/{app}/msg?event_types=a&event_types=b").json()["data"]
    brackets = service.get(f"/app/{app}/msg?event_types[]=a&event_types[]=b").json()["data"]
    assert [m["id"] for m in repeated] == [m["id"] for m in brackets] == [blue, red]


def test_before_and_after(service, messages, app):
    ids = [service.send(app) for _ in range(3)]
    middle = messages.get(app, ids[1]).timestamp
    listed = lambda **options: [m.id for m in messages.list(app, MessageListOptions(**options)).data]
    assert listed(before=middle) == [ids[0]]
    assert listed(after=middle) == [ids[2]]
    assert listed(after=middle - timedelta(hours=1), before=middle + timedelta(hours=1)) == ids[::-1]
    assert listed(after=middle - timedelta(hours=1), limit=2) == [ids[1], ids[0]]
    text = middle.strftime("%Y-%m-%d%%20%H:%M:%S.%f000%%20UTC")
    page = service.get(f"/app/{app}/msg?before={text}").json()
    assert [m["id"] for m in page["data"]] == [ids[0]]


def test_a_message_belongs_to_its_application(service, app):
    msg = service.send(app, eventId="e1")
    other = service.new_app()
    for ref in (msg, "e1"):
        assert service.get(f"/app/{other}/msg/{ref}").status == 404
    assert service.get(f"/app/{other}/msg").json()["data"] == []


def test_expunge_deletes_the_payload_and_keeps_the_rest(service, messages, app, receiver):
    endpoint = service.subscribe(app, receiver)
    msg = service.send(app, b'{"secret":"value"}')
    service.until(app, msg, endpoint, "delivered")
    messages.expunge_content(app, msg)
    assert messages.get(app, msg, WHOLE).payload == {}
    assert messages.get(app, msg).event_type == "test.event"
    assert len(service.svix().message_attempt.list_by_msg(app, msg).data) == 1


def test_expunge_ends_what_was_still_to_be_delivered(start, receiver):
    """A payload that is gone cannot be sent; its delivery says so."""
    service = start(retry_schedule="3s", retry_jitter="0")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    receiver.answers(500)
    msg = service.send(app, b'{"secret":"value"}')
    service.until(app, msg, endpoint, "retrying")
    service.svix().message.expunge_content(app, msg)
    answer = eventually(
        lambda: service.delivery(app, msg, endpoint), lambda a: a["state"] in ("dead", "canceled")
    )
    assert answer["reason"] == "message_expunged"
    assert [d.body for d in receiver.deliveries] == [b'{"secret":"value"}']


@pytest.mark.parametrize(
    "body, where",
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b'"text"', None),
        (b'{"eventType":"e","payload":{}} trailing', None),
        (b'{"payload":{}}', "eventType"),
        (b'{"eventType":"e"}', "payload"),
        (b'{"eventType":"e","payload":null}', "payload"),
        (b'{"eventType":"e","payload":[]}', "payload"),
        (b'{"eventType":"e","payload":"text"}', "payload"),
        (b'{"eventType":"","payload":{}}', "eventType"),
        (b'{"eventType":"a b","payload":{}}', "eventType"),
        (b'{"eventType":5,"payload":{}}', "eventType"),
        (b'{"eventType":"e","payload":{},"payload":{}}', "payload"),
        (b'{"eventType":"e","payload":{"a":01}}', None),
        (b'{"eventType":"e","payload":{"a":NaN}}', None),
        (b"{'eventType':'e','payload':{}}", None),
        (b'{"eventType":"e","payload":{"a":"\xff"}}', None),
        (b'{"eventType":"e","payload":{"a":"\x00"}}', None),
        (b'{"eventType":"e","payload":' + b'{"a":' * 100 + b"1" + b"}" * 100 + b"}", None),
        (b'{"eventType":"e","payload":{},"channels":["a","b","c","d","e","f"]}', "channels"),
        (b'{"eventType":"e","payload":{},"channels":["a","a"]}', "channels"),
        (b'{"eventType":"e","payload":{},"channels":"a"}', "channels"),
        (b'{"eventType":"e","payload":{},"payloadRetentionPeriod":0}', "payloadRetentionPeriod"),
        (b'{"eventType":"e","payload":{},"deliverAt":"tomorrow"}', "deliverAt"),
        (b'{"eventType":"e","payload":{},"application":{"uid":"x"}}', "application"),
        (b'{"eventType":"e","payload":{},"orderingKey":""}', "orderingKey"),
        (b'{"eventType":"e","payload":{},"orderingKey":["k"]}', "orderingKey"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_taken_is_refused_and_not_stored(service, app, body, where):
    """Known fields that are not built yet are refused, too: nothing accepted is ignored."""
    reply = service.post(f"/app/{app}/msg", body)
    assert reply.status == 422, reply.body
    finding = reply.json()["detail"][0]
    assert finding["loc"][0] == "body"
    if where:
        assert finding["loc"][1] == where
    assert service.get(f"/app/{app}/msg").json()["data"] == []


def test_syntax_errors_have_their_type(service, app):
    reply = service.post(f"/app/{app}/msg", b'{"eventType"')
    assert reply.json()["detail"][0]["type"] == "value_error.jsondecode"


def test_unknown_fields_are_ignored(service, app):
    service.send(app, fromTheFuture={"a": [1, 2]})


def test_a_body_over_the_limit_is_refused_and_not_cut(start):
    service = start(max_body="4k")
    app = service.new_app()
    fitting = b'{"eventType":"e","payload":{"x":"%s"}}'
    fitting %= b"y" * (4096 - len(fitting) + 2)
    assert len(fitting) == 4096
    assert service.post(f"/app/{app}/msg", fitting).status == 202
    reply = service.post(f"/app/{app}/msg", fitting + b" ")
    assert reply.status == 413
    assert reply.json()["code"] == "payload_too_large"
    assert len(service.get(f"/app/{app}/msg").json()["data"]) == 1


def test_a_chunked_body_is_taken_whole_or_refused(start):
    service = start(max_body="4k")
    app = service.new_app()
    headers = {"transfer-encoding": "chunked"}

    def chunked(body):
        chunks = (body[i : i + 1000] for i in range(0, len(body), 1000))
        return b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"

    good = b'{"eventType":"e","payload":{"x":"%s"}}' % (b"y" * 2500)
    assert service.post(f"/app/{app}/msg", chunked(good), headers=headers).status == 202
    large = b'{"eventType":"e","payload":{"x":"%s"}}' % (b"y" * 10000)
    assert service.post(f"/app/{app}/msg", chunked(large), headers=headers).status == 413
    assert len(service.get(f"/app/{app}/msg").json()["data"]) == 1


def test_a_retention_of_its_own_is_taken(service, app):
    service.send(app, payloadRetentionPeriod=5)
    service.send(app, payloadRetentionHours=1)


def test_an_unknown_application_is_404_and_nothing_is_made(service):
    assert service.try_send("app_2bjkzYgDPCTwDCZ1nQbWSUqqYVy").status == 404
    assert service.try_send("no-such-uid").status == 404
    assert service.get("/app").json()["data"] == []


def test_timestamps_are_now(messages, app):
    made = messages.create(app, MessageIn(event_type="e", payload={}))
    assert abs(datetime.now(timezone.utc) - made.timestamp) < timedelta(seconds=60)
