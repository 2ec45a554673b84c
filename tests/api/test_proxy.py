"""The operator's proxy for deliveries: it is asked for tunnels to addresses, never for a name, and what it fails
at is nobody's fault. And the address that connections leave from."""

import socket
import threading

import pytest

import tunnels
from receivers import DEADLINE, hmac_secret, hold_port
from surehook import eventually, run
from token_server import TokenServer
from tunnels import Proxy

LOGIN = ("agent", "p@ss:word/1")
LOGIN_IN_URL = ("agent", "p%40ss%3Aword%2F1")


@pytest.fixture
def new_proxy(authority):
    proxies = []

    def new_proxy(kind="http", credentials=None, address=("127.0.0.1", 0)):
        proxies.append(Proxy(kind, credentials, authority.tls() if kind == "https" else None, address))
        return proxies[-1]

    yield new_proxy
    for proxy in proxies:
        proxy.close()
    assert [asked.host for proxy in proxies for asked in proxy.asked if not asked.is_address] == []
    assert [strange for proxy in proxies for strange in proxy.strange] == []


@pytest.fixture
def start_through(start, authority):
    """start_through(proxy, option=value, …): a service that uses the proxy, and tries once."""

    def start_through(proxy, login=(), **options):
        options = {"retry_schedule": "", "ca_file": authority.file, **options}
        if proxy.kind == "https":
            options["proxy_ca_file"] = authority.file
        return start(proxy=proxy.url(*login), **options)

    return start_through


def endpoint_at(service, app, url, **fields):
    reply = service.post(f"/app/{app}/endpoint", {"url": url, **fields})
    assert reply.status == 201, reply.body
    return reply.json()["id"]


def outcome(service, app, endpoint):
    msg = service.send(app)
    eventually(lambda: service.delivery(app, msg, endpoint), lambda d: d["state"] in ("delivered", "dead"))
    return service.get(f"/app/{app}/attempt/msg/{msg}").json()["data"][0]["outcome"]


def times_of_attempt(service, app, endpoint):
    """Of the last one."""
    msg = service.get(f"/app/{app}/attempt/endpoint/{endpoint}").json()["data"][0]["msgId"]
    steps = service.get(f"/app/{app}/msg/{msg}/endpoint/{endpoint}/explain").json()["steps"]
    (times,) = [step["timings"] for step in steps if step["what"] == "attempt"]
    return times


@pytest.mark.parametrize("kind", ["http", "https", "socks5"])
@pytest.mark.parametrize("login", [None, LOGIN])
@pytest.mark.parametrize("tls", [False, True])
def test_deliveries_go_through_a_tunnel_to_an_address(
    start_through, new_proxy, new_receiver, authority, kind, login, tls
):
    proxy = new_proxy(kind, login)
    receiver = new_receiver(authority.tls() if tls else None)
    service = start_through(proxy, LOGIN_IN_URL if login else ())
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    for _ in range(3):
        assert outcome(service, app, endpoint) == "success"
    assert {(asked.host, asked.port) for asked in proxy.asked} == {("127.0.0.1", receiver.port)}
    assert len(proxy.asked) == receiver.connections == 1  # a tunnel is kept and used again
    for delivery in receiver.deliveries:
        assert not [name for name in delivery.headers if "proxy" in name], delivery.headers
        assert delivery.path == "/hook"
    if kind != "socks5":
        (asked,) = proxy.asked
        assert asked.head.startswith(f"CONNECT 127.0.0.1:{receiver.port} HTTP/1.1\r\n".encode())
        assert not {"webhook-id", "webhook-signature", "content-type"} & asked.headers.keys()
        assert ("proxy-authorization" in asked.headers) == bool(login)
    log = service.log.read_text()
    assert f"proxy={kind}://127.0.0.1:{proxy.port}" in log
    assert "p@ss" not in log and "p%40ss" not in log and "agent" not in log


@pytest.mark.parametrize("host", ["localhost", "localhost.", "a.localhost", "a.localhost."])
@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_a_name_of_loopback_s_is_told_as_its_address(start_through, new_proxy, receiver, kind, host):
    proxy = new_proxy(kind)
    service = start_through(proxy)
    app = service.new_app()
    receiver.expect("/hook", secret := hmac_secret())
    endpoint = endpoint_at(service, app, f"http://{host}:{receiver.port}/hook", secret=secret)
    for _ in range(3):
        assert outcome(service, app, endpoint) == "success"
    assert [(asked.host, asked.port) for asked in proxy.asked] == [("127.0.0.1", receiver.port)]
    assert receiver.deliveries[0].headers["host"] == f"{host.rstrip('.')}:{receiver.port}"


def test_a_name_is_looked_up_here_and_of_one_that_leads_nowhere_the_proxy_hears_nothing(start_through, new_proxy):
    proxy = new_proxy()
    service = start_through(proxy)
    app = service.new_app()
    endpoint = endpoint_at(service, app, "http://no-such-name.invalid/")
    assert outcome(service, app, endpoint) == "dns"
    times = times_of_attempt(service, app, endpoint)
    assert times["dnsUs"] is not None
    assert [times[part] for part in ("connectUs", "tlsUs", "firstByteUs")] == [None] * 3
    assert proxy.connections == 0


def test_tls_is_verified_against_the_name_behind_the_tunnel(start_through, new_proxy, new_receiver, authority):
    """The certificate is for the address, which is what the proxy was told and not what the URL says."""
    proxy = new_proxy()
    service = start_through(proxy)
    app = service.new_app()
    receiver = new_receiver(authority.tls())
    endpoint = endpoint_at(service, app, f"https://localhost:{receiver.port}/hook")
    assert outcome(service, app, endpoint) == "tls"
    assert len(proxy.asked) == 1 and receiver.deliveries == []


def test_tls_that_fails_behind_the_tunnel_is_the_endpoint_s_failure(
    start_through, new_proxy, new_receiver, new_authority
):
    receiver = new_receiver(new_authority().tls())
    for kind in ("http", "https", "socks5"):
        proxy = new_proxy(kind)
        service = start_through(proxy)
        app = service.new_app()
        assert outcome(service, app, endpoint_at(service, app, receiver.url + "/hook")) == "tls"
        assert len(proxy.asked) == 1 and receiver.deliveries == []


def test_access_tokens_are_fetched_through_the_proxy_under_the_same_rules(start_through, new_proxy, receiver):
    proxy, server = new_proxy(), TokenServer()
    service = start_through(proxy)
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    auth = {"type": "oauth2", "tokenUrl": server.url.replace("127.0.0.1", "a.localhost."), "clientId": "c",
            "clientSecret": "s"}  # fmt: skip
    assert service.call("PUT", f"/app/{app}/endpoint/{endpoint}/authentication", auth).status == 204
    assert outcome(service, app, endpoint) == "success"
    assert [(asked.host, asked.port) for asked in proxy.asked] == [
        ("127.0.0.1", server.port), ("127.0.0.1", receiver.port)]  # fmt: skip
    assert receiver.deliveries[0].headers["authorization"] == "Bearer token-1"
    service.stop()
    proxy.always(407)
    service.start()
    assert outcome(service, app, endpoint) == "proxy"  # and not "token", for which the endpoint would be blamed
    server.close()


def test_http2_goes_through_the_tunnel(start_through, new_proxy, new_receiver, authority):
    service = start_through(new_proxy())
    app = service.new_app()
    receiver = new_receiver(authority.tls(http2=True))
    endpoint = service.subscribe(app, receiver)
    assert outcome(service, app, endpoint) == "success"
    assert receiver.deliveries[0].protocol == "HTTP/2"


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_tokens_and_certificates_go_through_tunnels_of_their_own(
    start_through, new_proxy, new_receiver, authority, kind
):
    proxy, server = new_proxy(kind), TokenServer()
    service = start_through(proxy, dispatch_threads=1)
    receiver = new_receiver(authority.tls(clients=authority.file))
    names = ["shop", "erp", None, None, "shop", "erp", None, None]
    ends = []
    for n, name in enumerate(names):
        app = service.new_app()
        path = f"/app/{app}/endpoint/{(endpoint := service.subscribe(app, receiver, f'/{n}'))}"
        if name:
            certificate, private = authority.client(name)
            pair = {"clientCertificate": certificate, "clientKey": private}
            assert service.call("PUT", path + "/tls", pair).status == 204
        oauth2 = {"type": "oauth2", "tokenUrl": server.url, "clientId": "x", "clientSecret": "y"}
        assert service.call("PUT", path + "/authentication", oauth2).status == 204
        ends.append((app, endpoint))
    for _ in range(3):
        assert {outcome(service, *end) for end in ends} == {"success"}
    server.close()
    assert [(d.path, d.client) for d in receiver.deliveries if d.client != names[int(d.path[1:])]] == []
    paths = {}
    for d in receiver.deliveries:
        paths.setdefault(d.connection, set()).add(d.path)
    dressed = {f"/{n}" for n, name in enumerate(names) if name}
    assert [shared for shared in paths.values() if shared & dressed and len(shared) > 1] == []
    assert len(paths) < len(receiver.deliveries)  # the control: tunnels are kept
    assert [asked.port for asked in proxy.asked].count(server.port) == len(server.grants) == len(ends)


@pytest.mark.parametrize(
    "bypass, host, proxied",
    [
        ("localhost", "localhost", False),
        ("LOCALHOST,other.test", "localhost", False),
        ("127.0.0.0/8", "127.0.0.1", False),
        ("127.0.0.0/8", "localhost", False),
        ("10.0.0.0/8, 127.0.0.1", "localhost", False),
        (".localhost", "localhost", True),
        ("localhost", "127.0.0.1", True),
        ("127.0.0.2", "127.0.0.1", True),
    ],
)
def test_who_is_on_the_bypass_list_is_reached_without_the_proxy(
    start_through, new_proxy, receiver, bypass, host, proxied
):
    proxy = new_proxy()
    service = start_through(proxy, proxy_bypass=bypass)
    app = service.new_app()
    receiver.expect("/hook", secret := hmac_secret())
    endpoint = endpoint_at(service, app, f"http://{host}:{receiver.port}/hook", secret=secret)
    assert outcome(service, app, endpoint) == "success"
    assert len(receiver.deliveries) == 1
    assert len(proxy.asked) == (1 if proxied else 0)


@pytest.mark.parametrize("bypass", [None, "127.0.0.0/8", "localhost"])
@pytest.mark.parametrize("host", ["localhost", "a.localhost.", "127.0.0.1"])
def test_the_guard_holds_with_a_proxy(start_through, new_proxy, receiver, bypass, host):
    """The proxy itself is on loopback, where nothing is allowed any more: it alone is exempt."""
    proxy = new_proxy()
    service = start_through(proxy, proxy_bypass=bypass)
    app = service.new_app()
    urls = [f"http://{host}:{port}/hook" for port in (receiver.port, proxy.port)]
    endpoints = [endpoint_at(service, app, url) for url in urls]
    service.stop()
    service.start(allow_subnets="")
    for url, endpoint in zip(urls, endpoints):
        assert service.post(f"/app/{app}/endpoint", {"url": url}).status == 422
        assert outcome(service, app, endpoint) == "blocked"
        times = times_of_attempt(service, app, endpoint)
        assert [times[part] for part in ("connectUs", "tlsUs", "firstByteUs")] == [None] * 3
    assert proxy.connections == receiver.connections == 0


def test_a_stored_address_is_judged_before_it_is_told(start_through, new_proxy, receiver):
    """An endpoint from a time when its subnet was allowed."""
    proxy = new_proxy()
    service = start_through(proxy)
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    assert outcome(service, app, endpoint) == "success"
    service.stop()
    service.start(allow_subnets="")
    assert outcome(service, app, endpoint) == "blocked"
    assert len(proxy.asked) == receiver.connections == 1


# What the proxy does, and the outcome while nobody's request has passed it, and after one has.
FAILURES = [
    ("http", 407, "proxy", "proxy"),
    ("http", 403, "proxy", "proxy"),
    ("http", 500, "proxy", "refused"),
    ("http", 502, "proxy", "refused"),
    ("http", 503, "proxy", "refused"),
    ("http", 504, "proxy", "timeout"),
    ("http", tunnels.CLOSED, "proxy", "proxy"),
    ("http", tunnels.SILENT, "proxy", "timeout"),
    ("https", 503, "proxy", "refused"),
    ("socks5", 1, "proxy", "proxy"),
    ("socks5", 2, "proxy", "proxy"),
    ("socks5", tunnels.REFUSED, "proxy", "refused"),
    ("socks5", tunnels.CLOSED, "proxy", "proxy"),
]


@pytest.mark.parametrize("kind, answer, alone, trusted", FAILURES)
def test_an_endpoint_is_blamed_only_by_a_proxy_that_works_for_another(
    start_through, new_proxy, new_receiver, kind, answer, alone, trusted
):
    proxy = new_proxy(kind)
    good, bad = new_receiver(), new_receiver()
    proxy.script = lambda asked: answer if asked.port == bad.port else None
    service = start_through(proxy, breaker_attempts=1, dispatch_threads=1)
    app = service.new_app()
    for path, expected in (("/first", alone), ("/second", trusted)):
        patience = "500ms" if answer == tunnels.SILENT else None
        endpoint = endpoint_at(service, app, bad.url + path, attemptTimeout=patience)
        assert outcome(service, app, endpoint) == expected
        health = service.get(f"/app/{app}/endpoint/{endpoint}").json()
        assert health["breaker"]["state"] == ("closed" if expected == "proxy" else "open"), health
        service.call("DELETE", f"/app/{app}/endpoint/{endpoint}")
        works = service.subscribe(app, good)
        assert outcome(service, app, works) == "success"
        service.call("DELETE", f"/app/{app}/endpoint/{works}")
    assert bad.connections == 0


@pytest.mark.parametrize("login", [(), ("agent", "wrong")])
@pytest.mark.parametrize("kind", ["http", "https", "socks5"])
def test_a_proxy_that_refuses_our_credentials_is_the_proxy_s_failure(start_through, new_proxy, receiver, kind, login):
    service = start_through(new_proxy(kind, LOGIN), login)
    app = service.new_app()
    receiver.expect("/hook", secret := hmac_secret())
    endpoint = endpoint_at(service, app, receiver.url + "/hook", secret=secret)
    assert outcome(service, app, endpoint) == "proxy"
    attempt = service.get(f"/app/{app}/attempt/endpoint/{endpoint}").json()["data"][0]
    assert attempt["responseStatusCode"] == 0
    assert "secret" not in attempt["response"] and "127" not in attempt["response"]  # nothing of its answer
    assert receiver.connections == 0


def test_an_https_proxy_is_verified(start, authority, new_authority, new_proxy, receiver):
    proxy = new_proxy("https")
    service = start(proxy=proxy.url(), proxy_ca_file=new_authority().file, retry_schedule="")
    app = service.new_app()
    endpoint = endpoint_at(service, app, receiver.url + "/hook")
    assert outcome(service, app, endpoint) == "proxy"
    assert proxy.asked == [] and receiver.connections == 0


def test_a_delivery_outlives_a_proxy_that_is_down(start, new_proxy, receiver):
    """A dead proxy disables nobody and opens no breaker, and costs an endpoint an attempt a second at most."""
    holder = hold_port()
    address = holder.getsockname()
    service = start(proxy=f"http://127.0.0.1:{address[1]}", retry_schedule=",".join(["1ms"] * 50),
                    breaker_attempts=1, disable_after="1ms")  # fmt: skip
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    msg = service.send(app)
    eventually(lambda: service.delivery(app, msg, endpoint), lambda d: d["state"] == "retrying")
    health = service.get(f"/app/{app}/endpoint/{endpoint}").json()
    assert (health["breaker"]["state"], health["disabled"]) == ("closed", False)
    proxy = new_proxy(address=address)
    holder.close()
    service.until(app, msg, endpoint, "delivered")
    assert len(proxy.wait()) == 1


def test_the_environment_neither_names_a_proxy_nor_switches_ours_off(start_through, new_proxy, receiver):
    other, ours = new_proxy(), new_proxy()
    names = ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
    environment = {**{name: other.url() for name in names}, "no_proxy": "*", "NO_PROXY": "*"}
    service = start_through(ours, env=environment)
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    assert outcome(service, app, endpoint) == "success"
    assert (other.connections, len(ours.asked)) == (0, 1)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_times_of_an_attempt_through_a_proxy_are_in_order(
    start_through, new_proxy, new_receiver, authority, host
):
    service = start_through(new_proxy("https"))
    app = service.new_app()
    receiver = new_receiver()
    receiver.expect("/hook", secret := hmac_secret())
    endpoint = endpoint_at(service, app, f"http://{host}:{receiver.port}/hook", secret=secret)
    assert outcome(service, app, endpoint) == "success"
    times = times_of_attempt(service, app, endpoint)
    assert times["dnsUs"] is None, times  # nothing of the endpoint's was looked up
    assert times["tlsUs"] is None, times  # that with the proxy is not the endpoint's
    order = [times["dnsUs"] or 0, times["connectUs"], times["firstByteUs"], times["totalUs"]]
    assert order == sorted(order) and times["connectUs"] > 0


@pytest.mark.parametrize(
    "words, option, said",
    [
        (["--proxy=proxy.test:3128"], "proxy", "scheme://host:port"),
        (["--proxy=http://agent:hunter2@proxy.test"], "proxy", "port"),
        (["--proxy=socks5h://agent:hunter2@proxy.test:1"], "proxy", "socks5"),
        (["--proxy=http://agent:hunter2@proxy.test:1/x"], "proxy", "path"),
        (["--proxy-bypass=a.test"], "proxy-bypass", "no proxy"),
        (["--proxy-ca-file=/nowhere"], "proxy-ca-file", "no proxy"),
        (["--proxy=https://127.0.0.1:1", "--proxy-ca-file=/nowhere"], "proxy-ca-file", "certificate"),
        (["--proxy=http://127.0.0.1:1", "--proxy-bypass=*"], "proxy-bypass", "host name"),
        (["--proxy=http://127.0.0.1:1", "--proxy-bypass=10.0.0.1/8"], "proxy-bypass", "prefix"),
        (["--source-address=203.0.113.77"], "source-address", "this machine"),
        (["--source-address=localhost"], "source-address", "address"),
        (["--source-address=127.0.0.1,127.0.0.2"], "source-address", "family"),
    ],
)
def test_an_option_that_cannot_be_used_stops_the_start(tmp_path, words, option, said):
    refused = run("serve", "--data", tmp_path / "d", "--listen=127.0.0.1:0", *words)
    assert refused.returncode != 0
    assert option in refused.stderr and said in refused.stderr
    assert "hunter2" not in refused.stderr + refused.stdout


class Peers:
    """Accepts, remembers who called, and answers nothing."""

    def __init__(self):
        self.peers = []
        self.came = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        connection, peer = self.listener.accept()
        self.peers.append(peer[0])
        connection.close()
        self.came.set()


def test_connections_leave_from_the_source_address(start, new_proxy):
    direct = Peers()
    service = start(source_address="127.0.0.9", retry_schedule="")
    app = service.new_app()
    endpoint_at(service, app, direct.url)
    service.send(app)
    assert direct.came.wait(DEADLINE)
    direct.listener.close()
    assert direct.peers == ["127.0.0.9"]

    proxy = new_proxy()
    service = start(source_address=" 127.0.0.9 ", proxy=proxy.url(), retry_schedule="")
    app = service.new_app()
    endpoint_at(service, app, "http://127.0.0.1:1/")
    service.send(app)
    assert [asked.peer for asked in proxy.wait()] == ["127.0.0.9"]


def test_a_family_without_a_source_address_is_not_used(start):
    """An IPv6 endpoint, where the source is IPv4: nothing leaves from an address that nobody expects."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        service = start(source_address="127.0.0.9", retry_schedule="", allow_subnets="::1/128")
        app = service.new_app()
        endpoint = endpoint_at(service, app, f"http://[::1]:{listener.getsockname()[1]}/")
        assert outcome(service, app, endpoint) != "success"
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
