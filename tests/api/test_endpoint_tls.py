"""/app/{app}/endpoint/{endpoint}/tls: authorities and client certificates of an endpoint's own, and that no
connection made with one serves another."""

import datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from surehook import eventually
from token_server import TokenServer


class Endpoint:
    def __init__(self, service, app, receiver, path="/hook", **fields):
        self.service, self.app = service, app
        self.id = service.subscribe(app, receiver, path, **fields)
        self.path = f"/app/{app}/endpoint/{self.id}"

    def call(self, method, below="", body=None):
        return self.service.call(method, self.path + below, body)

    def dress(self, ca=None, pair=(None, None)):
        body = {"caCertificate": ca and ca.pem, "clientCertificate": pair[0], "clientKey": pair[1]}
        reply = self.call("PUT", "/tls", body)
        assert reply.status == 204, reply.body

    def outcome(self):
        """Of the only attempt of a new message."""
        msg = self.service.send(self.app)
        path = f"/app/{self.app}/msg/{msg}/endpoint/{self.id}"
        eventually(lambda: self.service.get(path).json(), lambda d: d["state"] in ("delivered", "dead"))
        return self.service.get(f"/app/{self.app}/attempt/msg/{msg}").json()["data"][0]["outcome"]


@pytest.fixture
def service(start, authority):
    """Trusts `authority`; one thread, so that all endpoints have the same few pools."""
    return start(ca_file=authority.file, retry_schedule="", dispatch_threads=1)


# ---------------------------------------------------------------- authorities


def test_an_endpoint_s_own_authority_is_trusted(service, app, new_authority, new_receiver):
    own = new_authority()
    endpoint = Endpoint(service, app, new_receiver(own.tls()))
    assert endpoint.outcome() == "tls"
    endpoint.dress(ca=own)
    assert endpoint.outcome() == "success"
    assert endpoint.call("DELETE", "/tls").status == 204
    assert endpoint.outcome() == "tls"


def test_and_no_other(service, app, authority, new_authority, new_receiver):
    """Not even the service's: who names an authority wants that one."""
    endpoint = Endpoint(service, app, new_receiver(authority.tls()))
    assert endpoint.outcome() == "success"
    endpoint.dress(ca=new_authority())
    assert endpoint.outcome() == "tls"


def test_an_authority_is_its_endpoint_s_alone(service, app, new_authority, new_receiver):
    """Same destination, two tenants: one who trusts it does not let the other in."""
    own = new_authority()
    receiver = new_receiver(own.tls())
    first = Endpoint(service, app, receiver, "/first")
    first.dress(ca=own)
    others = [Endpoint(service, service.new_app(), receiver, f"/{n}") for n in range(4)]
    for _ in range(2):
        assert first.outcome() == "success"
        assert {other.outcome() for other in others} == {"tls"}
    assert {d.path for d in receiver.deliveries} == {"/first"}


def test_the_host_is_verified_whatever_is_trusted(service, app, new_authority, new_receiver):
    own = new_authority()
    endpoint = Endpoint(service, app, new_receiver(own.tls("192.0.2.1")))
    endpoint.dress(ca=own)
    assert endpoint.outcome() == "tls"


# ---------------------------------------------------------------- client certificates


@pytest.mark.parametrize("http2", [False, True])
def test_the_client_certificate_is_shown(service, app, authority, new_receiver, http2):
    receiver = new_receiver(authority.tls(http2=http2, clients=authority.file, required=True))
    endpoint = Endpoint(service, app, receiver)
    assert endpoint.outcome() in ("tls", "refused", "protocol")
    endpoint.dress(pair=authority.client("shop"))
    assert endpoint.outcome() == "success"
    (delivery,) = receiver.deliveries
    assert (delivery.client, delivery.protocol) == ("shop", "HTTP/2" if http2 else "HTTP/1.1")


@pytest.mark.parametrize("http2", [False, True])
def test_no_connection_or_session_serves_another_identity(service, authority, new_receiver, http2):
    """Many tenants at one destination, in turns, on the same few pools: each delivery comes with its own
    endpoint's certificate, on a connection that no other endpoint uses or has left a session for."""
    receiver = new_receiver(authority.tls(http2=http2, clients=authority.file))
    receiver.always(200, body=b"ok")
    same = authority.client("same")
    pairs = [authority.client("a"), authority.client("b"), same, same, None, None]
    names = ["a", "b", "same", "same", None, None]
    ends = []
    for n, pair in enumerate(pairs * 2):
        ends.append(Endpoint(service, service.new_app(), receiver, f"/{n}"))
        if pair:
            ends[-1].dress(pair=pair)
    for _ in range(6):
        for endpoint in ends:
            assert endpoint.outcome() == "success"
    deliveries = receiver.wait(6 * len(ends))
    assert [d for d in deliveries if d.client != (names * 2)[int(d.path[1:])]] == []
    used = {}
    for d in deliveries:
        used.setdefault(d.connection, set()).add(d.path)
    dressed = {f"/{n}" for n, pair in enumerate(pairs * 2) if pair}
    assert [paths for paths in used.values() if paths & dressed and len(paths) > 1] == []
    # The control: connections are kept, and those without a certificate share them as ever.
    assert len(used) < len(deliveries) / 2
    assert any(len(paths) > 1 for paths in used.values())
    # A session goes on only where its own endpoint left it.
    assert [d for d in deliveries if d.resumed and d.path in dressed and not _earlier(deliveries, d)] == []


def _earlier(deliveries, one):
    return [d for d in deliveries if d.at < one.at and d.path == one.path and d.connection != one.connection]


def test_a_changed_certificate_gets_a_new_connection(service, app, authority, new_receiver):
    receiver = new_receiver(authority.tls(clients=authority.file))
    receiver.always(200, body=b"ok")
    endpoint = Endpoint(service, app, receiver)
    for name in ("old", "new"):
        endpoint.dress(pair=authority.client(name))
        assert [endpoint.outcome() for _ in range(3)] == ["success"] * 3
    assert endpoint.call("DELETE", "/tls").status == 204
    assert endpoint.outcome() == "success"
    assert [d.client for d in receiver.deliveries] == ["old"] * 3 + ["new"] * 3 + [None]
    connections = [d.connection for d in receiver.deliveries]
    assert not {*connections[:3]} & {*connections[3:6]} and connections[6] not in connections[:6]


def test_it_survives_a_put_of_the_endpoint_and_a_restart(service, app, authority, new_receiver):
    receiver = new_receiver(authority.tls(clients=authority.file, required=True))
    endpoint = Endpoint(service, app, receiver)
    endpoint.dress(pair=authority.client("shop"))
    assert endpoint.call("PUT", "", {"url": receiver.url + "/hook"}).status == 200
    service.stop()
    service.start()
    assert endpoint.outcome() == "success"


def test_the_token_server_does_not_see_the_endpoint_s_certificate(service, app, authority, new_receiver, new_authority):
    """It is another party: it is trusted as the service says and is shown the client's secret alone."""
    own = new_authority()
    server = TokenServer(authority.tls(clients=authority.file))
    receiver = new_receiver(own.tls(clients=authority.file))
    endpoint = Endpoint(service, app, receiver)
    endpoint.dress(ca=own, pair=authority.client("shop"))
    oauth2 = {"type": "oauth2", "tokenUrl": server.url, "clientId": "x", "clientSecret": "y"}
    assert endpoint.call("PUT", "/authentication", oauth2).status == 204
    assert endpoint.outcome() == "success"
    server.close()
    assert server.clients == [None]
    (delivery,) = receiver.deliveries
    assert (delivery.client, delivery.headers["authorization"]) == ("shop", "Bearer token-1")


# ---------------------------------------------------------------- rules


def key_pem(key, password=None):
    sealed = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed).decode()


def bad_bodies(authority):
    certificate, key = authority.client("shop")
    other = key_pem(ec.generate_private_key(ec.SECP256R1()))
    weak = rsa.generate_private_key(65537, 1024)
    pair = lambda certificate, key: {"clientCertificate": certificate, "clientKey": key}
    yield {}, "caCertificate"
    yield {"caCertificate": None, "clientCertificate": None}, "caCertificate"
    yield {"caCertificate": ""}, "caCertificate"
    yield {"caCertificate": "nonsense"}, "caCertificate"
    yield {"caCertificate": 7}, "caCertificate"
    yield {"caCertificate": key}, "caCertificate"
    yield {"caCertificate": authority.pem + key}, "caCertificate"
    yield {"caCertificate": authority.pem * 90}, "caCertificate"
    yield {"clientCertificate": certificate}, "clientKey"
    yield {"clientKey": key}, "clientCertificate"
    yield pair(certificate, other), "clientKey"
    yield pair(certificate, "nonsense"), "clientKey"
    yield pair(certificate, certificate), "clientKey"
    yield pair(certificate, key_pem(ec.generate_private_key(ec.SECP256R1()), b"password")), "clientKey"
    yield pair("nonsense", key), "clientCertificate"
    yield pair(key, key), "clientCertificate"
    yield pair(certificate + key, key), "clientCertificate"
    yield pair(certificate * 40, key), "clientCertificate"
    yield pair(*authority.client("late", days=-1)), "clientCertificate"
    yield pair(*authority.client("weak", key=weak)), "clientCertificate"


def test_what_cannot_be_used_is_refused_by_name(service, app, authority, new_receiver):
    endpoint = Endpoint(service, app, new_receiver(authority.tls()))
    before = endpoint.call("GET", "/tls").json()
    for body, field in bad_bodies(authority):
        reply = endpoint.call("PUT", "/tls", body)
        assert reply.status == 422, (field, reply.body)
        assert reply.json()["detail"][0]["loc"] == ["body", field], reply.body
        assert b"PRIVATE" not in reply.body
    assert endpoint.call("GET", "/tls").json() == before
    assert endpoint.outcome() == "success"


def test_certificates_and_http_do_not_go_together(service, app, authority, new_receiver):
    plain = Endpoint(service, app, new_receiver())
    reply = plain.call("PUT", "/tls", {"caCertificate": authority.pem})
    assert (reply.status, reply.json()["detail"][0]["loc"]) == (422, ["body"])
    endpoint = Endpoint(service, app, new_receiver(authority.tls()))
    endpoint.dress(ca=authority)
    for method in ("PATCH", "PUT"):
        reply = endpoint.call(method, "", {"url": "http://127.0.0.1:1/"})
        assert (reply.status, reply.json()["detail"][0]["loc"]) == (422, ["body", "url"])
    assert endpoint.call("DELETE", "/tls").status == 204
    assert endpoint.call("PATCH", "", {"url": "http://127.0.0.1:1/"}).status == 200


# ---------------------------------------------------------------- reading


def test_reading_shows_certificates_and_when_they_end(service, app, authority, new_receiver):
    endpoint = Endpoint(service, app, new_receiver(authority.tls()))
    nothing = {"caCertificate": None, "caCertificates": [], "clientCertificate": None, "clientCertificates": []}
    assert endpoint.call("GET", "/tls").json() == nothing
    certificate, key = authority.client("shop", days=30)
    endpoint.dress(ca=authority, pair=(certificate + authority.pem, key))
    shown = endpoint.call("GET", "/tls").json()
    assert (shown["caCertificate"], shown["clientCertificate"]) == (authority.pem, certificate + authority.pem)
    assert [c["subject"] for c in shown["clientCertificates"]] == ["CN=shop", "CN=Test authority"]
    assert [c["issuer"] for c in shown["caCertificates"]] == ["CN=Test authority"]
    ends = datetime.datetime.fromisoformat(shown["clientCertificates"][0]["notAfter"].replace("Z", "+00:00"))
    left = ends - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(days=29) < left < datetime.timedelta(days=31)


@pytest.mark.parametrize("main_secret", [None, "correct horse battery staple"])
def test_the_key_is_nowhere_but_where_it_belongs(start, authority, new_receiver, main_secret):
    service = start(ca_file=authority.file, retry_schedule="", main_secret=main_secret)
    app = service.new_app()
    endpoint = Endpoint(service, app, new_receiver(authority.tls(clients=authority.file)))
    certificate, key = authority.client("shop")
    endpoint.dress(pair=(certificate, key))
    assert endpoint.outcome() == "success"
    middle = key.splitlines()[1]
    paths = [f"/app/{app}/endpoint", f"/app/{app}/attempt/endpoint/{endpoint.id}"]
    paths += [endpoint.path, endpoint.path + "/tls"]
    texts = [service.get(path).body.decode() for path in paths] + [service.log.read_text()]
    assert [t for t in texts if middle in t or "PRIVATE" in t] == []
    service.stop()
    assert (middle.encode() in (service.data / "data.mdb").read_bytes()) == (main_secret is None)
    service.start()
    assert endpoint.outcome() == "success"
