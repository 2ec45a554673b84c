"""Refusals: their shapes, and what is refused before it is read."""

import json
import socket

import pytest

from receivers import DEADLINE


def raw(service, data, shut=False):
    """The whole answer to these bytes; the service closes."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=DEADLINE) as s:
        s.sendall(data)
        if shut:
            s.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
        return answer


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer else None


def test_an_unknown_route_is_404_in_json(service):
    for path in ("/nothing", "/app/x/y/z", "/../etc/passwd", "/app//msg"):
        reply = service.get(path)
        assert reply.status == 404, path
        assert reply.json()["code"] == "not_found"
        assert reply.headers["content-type"].startswith("application/json")


def test_a_wrong_method_is_405_with_allow(service):
    reply = service.call("DELETE", "/app")
    assert reply.status == 405
    assert {m.strip() for m in reply.headers["allow"].split(",")} == {"GET", "HEAD", "POST"}
    assert reply.json()["code"] == "method_not_allowed"
    assert service.call("BREW", "/app").status in (405, 501)


def test_a_trailing_slash_makes_no_difference(service):
    assert service.get("/app/").json() == service.get("/app").json()


def test_refusals_do_not_tell_what_exists_to_strangers(service, app):
    for path in (f"/app/{app}", "/app/unknown", "/nothing-at-all"):
        assert service.get(path, headers={"authorization": "Bearer x"}).status in (401, 404)
    assert service.get(f"/app/{app}", headers={"authorization": "Bearer x"}).status == 401
    assert service.get("/app/unknown", headers={"authorization": "Bearer x"}).status == 401


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=251",
        "limit=-1",
        "limit=x",
        "limit=",
        "iterator=nonsense",
        "iterator=msg_",
        "iterator=" + "x" * 1000,
        "order=sideways",
    ],
)
def test_a_bad_list_parameter_is_422_and_never_a_crash(service, query):
    reply = service.get("/app?" + query)
    assert reply.status == 422, reply.body
    assert reply.json()["detail"][0]["loc"] == ["query", query.split("=")[0]]
    assert service.get("/app").status == 200


@pytest.mark.parametrize("query", ["iterator=a%00b", "iterator=%", "iterator=%zz", "iterator=%ff"])
def test_a_badly_encoded_query_is_refused(service, query):
    assert service.get("/app?" + query).status in (400, 422)
    assert service.get("/app").status == 200


@pytest.mark.parametrize(
    "query",
    ["before=yesterday", "after=2026-13-01T00:00:00Z", "with_content=maybe", "limit=999"],
)
def test_bad_filters_of_messages_are_422(service, app, query):
    assert service.get(f"/app/{app}/msg?{query}").status == 422


LONG = "x" * 257


@pytest.mark.parametrize(
    "name, values",
    [
        ("channel", ["", "a%20b", "%ff", "%C3%A9", LONG]),
        ("tag", ["", "%ff", LONG]),
        ("event_types", ["a%20b", "%ff", "%C3%A9", LONG, "a,b%20"]),
    ],
)
def test_a_filter_that_matches_nothing_is_refused_and_never_dropped(service, app, name, values):
    """A dropped one would show everything."""
    endpoint = service.post(f"/app/{app}/endpoint", {"url": "https://example.com/"}).json()["id"]
    msg = service.send(app)
    for value in values:
        for path in (
            "msg",
            f"attempt/msg/{msg}",
            f"attempt/endpoint/{endpoint}",
            f"endpoint/{endpoint}/msg",
        ):
            reply = service.get(f"/app/{app}/{path}?{name}={value}")
            assert reply.status == 422, (path, value)
            assert reply.json()["detail"][0]["loc"] == ["query", name]


@pytest.mark.parametrize(
    "path",
    [
        "/event-type?iterator=%ff",
        "/event-type?iterator=a%20b",
        "/event-type?iterator=" + LONG,
        "/app/{}/dead-letter?event_types=a%20b",
        "/app/{}/poller/all?channel=",
        "/app/{}/poller/all?channel=a%20b",
        "/app/{}/poller/all?event_type=",
        "/app/{}/poller/all?event_type=a%20b",
    ],
)
def test_bad_names_in_a_query_are_422(service, app, path):
    assert service.get(path.format(app)).status == 422


@pytest.mark.parametrize("query", ["status=9", "status=x", "status_code_class=250", "with_msg=1x"])
def test_bad_filters_of_attempts_are_422(service, app, query):
    msg = service.send(app)
    assert service.get(f"/app/{app}/attempt/msg/{msg}?{query}").status == 422


AMBIGUOUS = [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    b"Content-Length: 5\r\nContent-Length: 5\r\n",
    b"Content-Length: 5\r\nContent-Length: 6\r\n",
    b"Content-Length: +5\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length: 0x5\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Content-Length : 5\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"Transfer-Encoding: chunked, identity\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"Host: other\r\nContent-Length: 5\r\n",
    b"Bad Name: x\r\nContent-Length: 5\r\n",
]


@pytest.mark.parametrize("lines", AMBIGUOUS, ids=range(len(AMBIGUOUS)))
def test_a_head_that_two_parsers_read_differently_is_refused_and_closed(service, app, lines):
    """What follows must not be taken for a second request."""
    head = b"POST /api/v1/app/%s/msg HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n"
    head %= (app.encode(), service.token.encode(), lines)
    second = b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = raw(service, head + b"0\r\n\r\n" + second)
    statuses = {part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]}
    assert statuses and statuses <= {b"400", b"413", b"501"}, answer
    assert service.get(f"/app/{app}/msg").json()["data"] == []


def test_a_request_without_a_host_is_refused(service):
    assert status_of(raw(service, b"GET /api/v1/health HTTP/1.1\r\n\r\n")) == 400


def test_a_head_over_the_limit_is_refused(service):
    head = b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nX-Long: " + b"y" * 40_000 + b"\r\n\r\n"
    assert status_of(raw(service, head)) in (400, 413, 414, 431, None)
    many = b"".join(b"X-%d: y\r\n" % n for n in range(200))
    answer = raw(service, b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\n" + many + b"\r\n")
    assert status_of(answer) in (400, 413, 431)
    assert service.get("/health").status in (200, 204)


@pytest.mark.parametrize(
    "junk", [b"\r\n\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"\0" * 100, b"PRI * HTTP/2.0\r\n\r\n"]
)
def test_junk_does_no_harm(start, junk):
    service = start(head_timeout="1s")
    raw(service, junk, shut=True)
    assert service.get("/health").status in (200, 204)


def test_a_head_that_drips_is_cut_off(start):
    """The deadline is absolute: a byte now and then does not move it."""
    service = start(head_timeout="300ms")
    assert status_of(raw(service, b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nX-Slow: ")) in (408, None)


def test_a_body_that_does_not_come_is_cut_off(start):
    service = start(body_timeout="300ms")
    app = service.new_app()
    head = b"POST /api/v1/app/%s/msg HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 50\r\n\r\n{"
    answer = raw(service, head % (app.encode(), service.token.encode()))
    assert status_of(answer) in (408, None)
    assert service.get(f"/app/{app}/msg").json()["data"] == []


def test_too_large_a_body_is_refused_before_it_is_sent(service, app):
    head = (
        b"POST /api/v1/app/%s/msg HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
        b"Content-Length: 2147483648\r\n\r\n" % (app.encode(), service.token.encode())
    )
    assert status_of(raw(service, head)) == 413


def test_expect_100_continue_is_answered(service, app):
    body = json.dumps({"eventType": "e", "payload": {}}).encode()
    head = (
        b"POST /api/v1/app/%s/msg HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
        b"Content-Length: %d\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        % (app.encode(), service.token.encode(), len(body))
    )
    with socket.create_connection(("127.0.0.1", service.port), timeout=DEADLINE) as s:
        s.sendall(head)
        assert s.recv(100).startswith(b"HTTP/1.1 100")
        s.sendall(body)
        assert s.recv(100).startswith(b"HTTP/1.1 202")


def test_pipelined_requests_are_answered_in_order(service, app):
    body = json.dumps({"eventType": "e", "payload": {}}).encode()
    post = (
        b"POST /api/v1/app/%s/msg HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (app.encode(), service.token.encode(), len(body), body)
    )
    last = b"GET /api/v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = raw(service, post * 3 + last)
    statuses = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses[:3] == [202, 202, 202]
    assert len(statuses) == 4
    assert len(service.get(f"/app/{app}/msg").json()["data"]) == 3


def test_many_connections_at_once_are_all_served(service, app):
    """An exact multiple of 128 ready connections once stalled a whole service."""
    body = json.dumps({"eventType": "e", "payload": {}}).encode()
    post = (
        b"POST /api/v1/app/%s/msg HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
        b"Content-Length: %d\r\nConnection: close\r\n\r\n%s"
        % (app.encode(), service.token.encode(), len(body), body)
    )
    sockets = [socket.create_connection(("127.0.0.1", service.port), timeout=DEADLINE) for _ in range(256)]
    for s in sockets:
        s.sendall(post)
    for s in sockets:
        assert s.recv(100).startswith(b"HTTP/1.1 202")
        s.close()
