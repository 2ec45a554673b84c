"""/app/{app}/endpoint/{endpoint}/authentication: what attempts show, where its secrets do not show, and how
access tokens are come by."""

import base64
import json
import socket
import threading

import pytest

from receivers import Answer, hmac_secret, hold_port
from surehook import eventually, run
from token_server import TokenServer

SECRET = "s3cret/of:the+client %é"


@pytest.fixture
def new_server():
    servers = []

    def new_server(tls=None):
        servers.append(TokenServer(tls))
        return servers[-1]

    yield new_server
    for server in servers:
        server.close()


@pytest.fixture
def server(new_server):
    return new_server()


def basic(**fields):
    return {"type": "basic", "username": "Aladdin", "password": "open sesame", **fields}


def oauth2(url, **fields):
    return {"type": "oauth2", "tokenUrl": url, "clientId": "the client", "clientSecret": SECRET, **fields}


class Endpoint:
    def __init__(self, service, app, receiver, path="/hook", **fields):
        self.service, self.app = service, app
        self.id = service.subscribe(app, receiver, path, **fields)
        self.path = f"/app/{app}/endpoint/{self.id}"

    def call(self, method, below="", body=None, **kwargs):
        return self.service.call(method, self.path + below, body, **kwargs)

    def authenticate(self, body):
        reply = self.call("PUT", "/authentication", body)
        assert reply.status == 204, reply.body

    def attempts(self):
        return self.service.get(f"/app/{self.app}/attempt/endpoint/{self.id}").json()["data"]

    def dead(self):
        """The only attempt of a new message, which fails."""
        msg = self.service.send(self.app)
        self.service.until(self.app, msg, self.id, "dead")
        return self.service.get(f"/app/{self.app}/attempt/msg/{msg}").json()["data"][0]


@pytest.fixture
def endpoint(service, app, receiver):
    return Endpoint(service, app, receiver)


def authorizations(receiver, count):
    return [d.headers.get("authorization") for d in receiver.wait(count)]


# ---------------------------------------------------------------- Basic


def test_basic_authentication_is_shown_at_every_attempt(service, app, receiver, endpoint):
    endpoint.authenticate(basic())
    receiver.answers(500, 204)
    service.send(app)
    line = "Basic " + base64.b64encode(b"Aladdin:open sesame").decode()
    assert authorizations(receiver, 2) == [line, line]


def test_deleting_it_ends_it(service, app, receiver, endpoint):
    endpoint.authenticate(basic())
    assert endpoint.call("DELETE", "/authentication").status == 204
    assert endpoint.call("DELETE", "/authentication").status == 204
    service.send(app)
    assert authorizations(receiver, 1) == [None]
    assert endpoint.call("GET", "/authentication").json()["type"] == "none"


def test_what_is_under_way_ends_with_what_it_began_with(service, app, receiver, endpoint):
    gate = threading.Event()
    endpoint.authenticate(basic(password="old"))
    receiver.answers(Answer(500, hold=gate), 204)
    service.send(app)
    receiver.wait(1)
    endpoint.authenticate(basic(password="new"))
    gate.set()
    shown = [base64.b64decode(a.split()[1]).decode() for a in authorizations(receiver, 2)]
    assert shown == ["Aladdin:old", "Aladdin:new"]


def test_it_wins_over_a_message_s_own(service, app, receiver, endpoint):
    endpoint.authenticate(basic())
    own = {"headers": {"Authorization": "Bearer of the message", "x-own": "1"}}
    service.send(app, transformationsParams=own)
    delivery = receiver.wait(1)[0]
    assert delivery.headers["authorization"].startswith("Basic ") and delivery.headers["x-own"] == "1"


def test_it_survives_a_put_of_the_endpoint_and_a_restart(service, app, receiver, endpoint):
    endpoint.authenticate(basic())
    assert endpoint.call("PUT", "", {"url": receiver.url + "/hook"}).status == 200
    service.stop()
    service.start()
    service.send(app)
    assert authorizations(receiver, 1)[0].startswith("Basic ")


def test_an_operational_endpoint_authenticates_too(service, app, receiver):
    receiver.expect("/operational", secret := hmac_secret())
    wish = {"url": receiver.url + "/operational", "secret": secret, "filterTypes": ["endpoint.created"]}
    path = f"/operational-webhook/endpoint/{service.post('/operational-webhook/endpoint', wish).json()['id']}"
    assert service.call("PUT", path + "/authentication", basic()).status == 204
    assert service.get(path + "/authentication").json()["username"] == "Aladdin"
    assert service.call("PUT", path + "/tls", {"caCertificate": "nonsense"}).status == 422
    assert service.get(path + "/tls").json()["caCertificate"] is None
    assert service.post(f"/app/{app}/endpoint", {"url": "http://127.0.0.1:1/"}).status == 201
    assert authorizations(receiver, 1)[0].startswith("Basic ")


# ---------------------------------------------------------------- rules

GOOD_URL = "https://login.example.com/token"
BAD = [
    ({}, "type"),
    ({"type": "none"}, "type"),
    ({"type": "digest"}, "type"),
    ({"type": 1}, "type"),
    ({"type": "basic", "password": "x"}, "username"),
    ({"type": "basic", "username": "x"}, "password"),
    (basic(username=""), "username"),
    (basic(username="a:b"), "username"),
    (basic(username="a\nb"), "username"),
    (basic(username="x" * 257), "username"),
    (basic(password=None), "password"),
    (basic(password="x" * 1025), "password"),
    (basic(password="a\u0000b"), "password"),
    (basic(password="a\r\nx-evil: 1"), "password"),
    (basic(tokenUrl=GOOD_URL), "tokenUrl"),
    (basic(clientSecret="x"), "clientSecret"),
    (oauth2(GOOD_URL, username="x"), "username"),
    (oauth2(GOOD_URL, clientId=None), "clientId"),
    (oauth2(GOOD_URL, clientSecret=""), "clientSecret"),
    (oauth2(GOOD_URL, clientAuthentication="private_key_jwt"), "clientAuthentication"),
    (oauth2(GOOD_URL, scope='a"b'), "scope"),
    (oauth2(GOOD_URL, scope="a\tb"), "scope"),
    (oauth2(GOOD_URL, scope="x" * 1025), "scope"),
    (oauth2(GOOD_URL, scope=["a"]), "scope"),
    (oauth2(GOOD_URL, audience="a\nb"), "audience"),
    (oauth2(None), "tokenUrl"),
    (oauth2(""), "tokenUrl"),
    (oauth2("ftp://login.example.com/"), "tokenUrl"),
    (oauth2("https://user:password@login.example.com/"), "tokenUrl"),
    (oauth2("https://10.0.0.1/token"), "tokenUrl"),
    (oauth2("https://[::1]/token"), "tokenUrl"),
    (oauth2("https://0x7f.1/token"), "tokenUrl"),
]


def test_what_cannot_be_used_is_refused_by_name(service, app, receiver):
    endpoint = Endpoint(service, app, receiver)
    service.stop()
    service.start(allow_subnets=None)
    before = endpoint.call("GET", "/authentication").json()
    for body, field in BAD:
        reply = endpoint.call("PUT", "/authentication", body)
        assert reply.status == 422, (body, reply.body)
        assert reply.json()["detail"][0]["loc"] == ["body", field], (body, reply.body)
        assert SECRET.encode() not in reply.body
    assert endpoint.call("GET", "/authentication").json() == before


def test_the_rule_for_https_holds_for_the_token_url(service, app, receiver):
    endpoint = Endpoint(service, app, receiver)
    service.stop()
    service.start(endpoint_https_only="true")
    reply = endpoint.call("PUT", "/authentication", oauth2("http://login.example.com/token"))
    assert (reply.status, reply.json()["detail"][0]["loc"]) == (422, ["body", "tokenUrl"])
    assert endpoint.call("PUT", "/authentication", oauth2(GOOD_URL)).status == 204


def test_an_endpoint_has_one_authorization(service, app, endpoint):
    own = {"headers": {"Authorization": "Bearer mine"}}
    endpoint.authenticate(basic())
    for method, below in (("PUT", "/headers"), ("PATCH", "/headers"), ("PATCH", ""), ("PUT", "")):
        body = own if below else {**own, "url": "http://127.0.0.1:1/"}
        reply = endpoint.call(method, below, body)
        assert (reply.status, reply.json()["detail"][0]["loc"]) == (422, ["body", "headers"]), (method, below)
    assert endpoint.call("DELETE", "/authentication").status == 204
    assert endpoint.call("PUT", "/headers", own).status == 204
    reply = endpoint.call("PUT", "/authentication", basic())
    assert (reply.status, reply.json()["detail"][0]["loc"]) == (422, ["body", "type"])


# ---------------------------------------------------------------- secrets


def test_reading_shows_whose_it_is_and_no_secret(service, app, receiver, endpoint):
    names = ["type", "username", "tokenUrl", "clientId", "clientAuthentication", "scope", "audience"]
    endpoint.authenticate(basic())
    shown = endpoint.call("GET", "/authentication").json()
    assert shown == {**dict.fromkeys(names), "type": "basic", "username": "Aladdin"}
    endpoint.authenticate(oauth2(GOOD_URL, scope="a b", audience="x"))
    shown = endpoint.call("GET", "/authentication").json()
    assert shown == {
        "type": "oauth2",
        "username": None,
        "tokenUrl": GOOD_URL,
        "clientId": "the client",
        "clientAuthentication": "client_secret_basic",
        "scope": "a b",
        "audience": "x",
    }


def test_secrets_and_tokens_are_nowhere_but_where_they_belong(service, app, receiver, endpoint, server):
    endpoint.authenticate(basic(password="the Basic password"))
    receiver.always(500)
    service.send(app)
    receiver.wait(1)
    endpoint.authenticate(oauth2(server.url))
    server.answer = lambda number: (200, {"access_token": "the-access-token"})
    msg = service.send(app)
    service.until(app, msg, endpoint.id, "dead")
    server.answer = lambda number: (400, {"error": "the-server-s-words"})
    endpoint.authenticate(oauth2(server.url, clientSecret=SECRET + "2"))
    second = service.send(app)
    service.until(app, second, endpoint.id, "dead")
    paths = [f"/app/{app}/endpoint", endpoint.path, endpoint.path + "/headers", endpoint.path + "/authentication"]
    paths += [f"/app/{app}/attempt/endpoint/{endpoint.id}"]
    paths += [f"/app/{app}/msg/{m}/endpoint/{endpoint.id}/explain" for m in (msg, second)]
    texts = [service.get(path).body.decode() for path in paths]
    texts += [service.get("/metrics", api="").body.decode(), service.log.read_text()]
    texts += [json.dumps(service.post("/environment/export", {}).json())]
    for secret in ("the Basic password", "the-access-token", "s3cret", "the-server-s-words"):
        forms = [secret, base64.b64encode(secret.encode()).decode()[:12]]
        assert [t for t in texts for form in forms if form in t] == [], secret


@pytest.mark.parametrize("main_secret", [None, "correct horse battery staple"])
def test_on_disk_they_are_sealed_with_a_main_secret(start, new_receiver, main_secret):
    service = start(main_secret=main_secret)
    app = service.new_app()
    endpoint = Endpoint(service, app, new_receiver())
    endpoint.authenticate(basic(password="a password to look for"))
    service.stop()
    stored = (service.data / "data.mdb").read_bytes()
    assert (b"a password to look for" in stored) == (main_secret is None)
    words = [f"--main-secret={main_secret}"] if main_secret else []
    checked = run("check", "--data", service.data, "--map-size=256m", *words)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    service.start()
    assert endpoint.call("GET", "/authentication").json()["username"] == "Aladdin"


# ---------------------------------------------------------------- access tokens


@pytest.mark.parametrize("how", ["client_secret_basic", "client_secret_post"])
def test_a_token_is_fetched_once_and_shown_from_then_on(service, app, receiver, endpoint, server, how):
    endpoint.authenticate(oauth2(server.url, clientAuthentication=how, scope="read write", audience="hooks"))
    for n in range(5):
        service.send(app)
        receiver.wait(n + 1)
    assert authorizations(receiver, 5) == ["Bearer token-1"] * 5
    (grant,) = server.grants
    form = {"grant_type": "client_credentials", "scope": "read write", "audience": "hooks"}
    if how == "client_secret_post":
        form |= {"client_id": "the client", "client_secret": SECRET}
    assert grant.form == form
    assert grant.basic == (None if how == "client_secret_post" else ("the client", SECRET))
    assert grant.headers["content-type"] == "application/x-www-form-urlencoded"


def test_the_server_s_certificate_is_checked(start, authority, new_authority, new_receiver, new_server):
    service = start(ca_file=authority.file, retry_schedule="")
    app = service.new_app()
    good, bad = new_server(authority.tls()), new_server(new_authority().tls())
    receiver = new_receiver()
    endpoint = Endpoint(service, app, receiver)
    endpoint.authenticate(oauth2(bad.url))
    assert endpoint.dead()["outcome"] == "token"
    assert bad.grants == []
    endpoint.authenticate(oauth2(good.url))
    service.send(app)
    assert authorizations(receiver, 1) == ["Bearer token-1"]


def test_attempts_that_begin_together_wait_for_one_token(service, app, receiver, endpoint, server):
    server.hold = threading.Event()
    endpoint.authenticate(oauth2(server.url))
    msgs = [service.send(app) for _ in range(20)]
    server.wait(1)
    # An attempt that waits for its token is under way; it holds up nobody else's.
    eventually(lambda: service.metric("surehook_attempts_in_flight"))
    other = Endpoint(service, service.new_app(), receiver, "/other")
    service.send(other.app)
    assert receiver.wait(1)[0].path == "/other"
    server.hold.set()
    for msg in msgs:
        service.until(app, msg, endpoint.id, "delivered")
    assert (len(server.grants), server.most_at_once) == (1, 1)


def test_endpoints_with_the_same_client_have_tokens_of_their_own(service, app, receiver, server):
    ends = [Endpoint(service, app, receiver, f"/{n}") for n in range(3)]
    ends.append(Endpoint(service, service.new_app(), receiver, "/3"))
    for endpoint in ends:
        endpoint.authenticate(oauth2(server.url))
    service.send(app)
    service.send(ends[3].app)
    assert len(set(authorizations(receiver, 4))) == 4
    assert len(server.grants) == server.connections == 4  # and connections


def test_a_token_without_a_life_is_fetched_for_each(service, app, receiver, endpoint, server):
    server.answer = lambda number: (200, {"access_token": f"token-{number}", "expires_in": 0})
    endpoint.authenticate(oauth2(server.url))
    for n in range(3):
        service.send(app)
        receiver.wait(n + 1)
    assert authorizations(receiver, 3) == ["Bearer token-1", "Bearer token-2", "Bearer token-3"]


def test_a_refused_token_is_given_up_once(service, app, receiver, endpoint, server):
    receiver.answers(401, 204, 401, 401, 204)
    endpoint.authenticate(oauth2(server.url))
    msg = service.send(app)
    service.until(app, msg, endpoint.id, "delivered")
    assert authorizations(receiver, 2) == ["Bearer token-1", "Bearer token-2"]
    # A 401 soon after another is the endpoint's own: the server is not asked again at every attempt.
    msg = service.send(app)
    service.until(app, msg, endpoint.id, "delivered")
    assert authorizations(receiver, 5)[2:] == ["Bearer token-2"] * 3
    assert len(server.grants) == 2


def test_another_secret_gets_another_token(service, app, receiver, endpoint, server):
    endpoint.authenticate(oauth2(server.url))
    service.send(app)
    receiver.wait(1)
    endpoint.call("PATCH", "", {"description": "another"})
    service.send(app)
    receiver.wait(2)
    endpoint.authenticate(oauth2(server.url, clientSecret="another"))
    service.send(app)
    assert authorizations(receiver, 3) == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]
    assert server.grants[1].basic == ("the client", "another")


def test_without_a_token_an_attempt_fails_and_tells_no_more(start, new_receiver, new_server, authority):
    """Whatever the server does, the attempt says the same: its URL is a tenant's choice."""
    service = start(retry_schedule="", allow_subnets="127.0.0.1/32")
    app = service.new_app()
    receiver = new_receiver()
    endpoint = Endpoint(service, app, receiver)
    assert endpoint.call("PATCH", "", {"attemptTimeout": "2s"}).status == 200
    server, tls = new_server(), new_server(authority.tls())
    elsewhere = new_server()
    answers = [
        (400, {"error": "invalid_client"}),
        (401, {}),
        (500, b"no"),
        (200, b"not JSON"),
        (200, {"access_token": "a b"}),
        (200, {"token": "x"}),
        (200, {"access_token": "x", "token_type": "mac"}),
        (200, b'{"access_token":"' + b"x" * 100_000 + b'"}'),
        (302, elsewhere.url.encode()),
        (204, b""),
    ]
    server.answer = lambda number: answers[number - 1]
    silent, nobody = socket.create_server(("127.0.0.1", 0)), hold_port()
    port = lambda listener: listener.getsockname()[1]
    urls = [server.url] * len(answers)
    urls += [f"http://127.0.0.1:{port(nobody)}/", tls.url, f"http://127.0.0.1:{port(silent)}/"]
    urls += ["http://no-such-name.invalid/", f"https://127.0.0.1:{server.port}/"]
    told = []
    for n, url in enumerate(urls):
        endpoint.authenticate(oauth2(url, scope=f"n{n}"))
        attempt = endpoint.dead()
        told.append({k: attempt[k] for k in ("outcome", "response", "responseStatusCode", "url", "status")})
    silent.close()
    nobody.close()
    assert all(one == told[0] for one in told), told
    assert told[0]["outcome"] == "token" and told[0]["responseStatusCode"] == 0
    assert told[0]["response"] == "No access token could be had for the endpoint."
    assert receiver.deliveries == elsewhere.grants == []
    assert len(server.grants) == len(answers)


def test_no_token_is_retried_by_the_schedule_and_delivers_when_it_comes(start, new_receiver, new_server):
    service = start(retry_schedule="10ms,10ms,10ms")
    app = service.new_app()
    receiver, server = new_receiver(), new_server()
    server.answer = lambda number: (503, b"") if number < 3 else (200, {"access_token": "at-last"})
    endpoint = Endpoint(service, app, receiver)
    endpoint.authenticate(oauth2(server.url))
    msg = service.send(app)
    service.until(app, msg, endpoint.id, "delivered")
    assert [a["outcome"] for a in endpoint.attempts()] == ["success", "token", "token"]
    assert authorizations(receiver, 1) == ["Bearer at-last"]


def test_an_endpoint_that_gets_no_token_opens_its_breaker(start, new_receiver, new_server):
    service = start(retry_schedule="", breaker_attempts="2", breaker_waits="1h")
    app = service.new_app()
    server = new_server()
    server.answer = lambda number: (400, b"")
    endpoint = Endpoint(service, app, new_receiver())
    endpoint.authenticate(oauth2(server.url))
    for _ in range(2):
        assert endpoint.dead()["outcome"] == "token"
    breaker = endpoint.call("GET").json()["breaker"]
    assert (breaker["state"], breaker["reason"]) == ("open", "token")
    endpoint.authenticate(oauth2(server.url, clientSecret="the right one"))
    assert endpoint.call("GET").json()["breaker"]["state"] == "closed"


def test_what_waits_for_its_token_survives_a_kill(service, app, endpoint, server):
    server.hold = threading.Event()
    endpoint.authenticate(oauth2(server.url))
    msg = service.send(app)
    server.wait(1)
    service.kill()
    server.hold.set()
    service.start()
    service.until(app, msg, endpoint.id, "delivered")


def test_a_deleted_endpoint_leaves_nothing(service, app, receiver):
    endpoint = Endpoint(service, app, receiver, uid="again")
    endpoint.authenticate(basic(password="a password to look for"))
    assert endpoint.call("DELETE").status == 204
    again = Endpoint(service, app, receiver, uid="again")
    assert again.call("GET", "/authentication").json()["type"] == "none"
    service.send(app)
    assert authorizations(receiver, 1) == [None]
