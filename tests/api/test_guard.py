"""No endpoint reaches an internal address, uses a proxy, or follows a redirect: promise 8."""

import pytest

from receivers import hmac_secret
from surehook import Service, run

# Forms of loopback and of addresses that lead to it; {port} is the receiver's.
LITERALS = [
    "http://127.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://0.0.0.0:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[::]:{port}/",
]
# Kept for loopback by RFC 6761, section 6.3.
NAMES = ["localhost", "LOCALHOST", "localhost.", "a.localhost", "A.b.LocalHost."]


@pytest.mark.parametrize("form", LITERALS)
def test_loopback_in_any_form_is_never_connected(start, receiver, form):
    service = start(allow_subnets="", retry_schedule="")
    app = service.new_app()
    reply = service.post(f"/app/{app}/endpoint", {"url": form.format(port=receiver.port)})
    if reply.status != 422:
        endpoint = reply.json()["id"]
        msg = service.send(app)
        service.until(app, msg, endpoint, "dead")
        attempt = service.get(f"/app/{app}/attempt/msg/{msg}").json()["data"][0]
        assert attempt["outcome"] in ("blocked", "dns"), attempt
        assert attempt["responseStatusCode"] == 0
    assert receiver.connections == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_loopback_s_is_judged_without_a_name_server(start, receiver, name):
    """Refused where loopback is, when it is stored and when it is sent to; else reached. The tests' services
    have no name server: an attempt that wanted one would be `dns`."""
    service = start(retry_schedule="")
    app = service.new_app()
    receiver.expect("/hook", secret := hmac_secret())
    body = {"url": f"http://{name}:{receiver.port}/hook", "secret": secret}
    endpoint = service.post(f"/app/{app}/endpoint", body).json()["id"]
    service.until(app, service.send(app), endpoint, "delivered")
    service.stop()
    service.start(allow_subnets="")
    assert b"public" in (reply := service.post(f"/app/{app}/endpoint", body)).body and reply.status == 422
    service.until(app, msg := service.send(app), endpoint, "dead")
    (attempt,) = service.get(f"/app/{app}/attempt/msg/{msg}").json()["data"]
    assert attempt["outcome"] == "blocked"
    assert receiver.connections == 1


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.1", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.0.0.1",
        "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "[fc00::1]", "[fe80::1]", "[ff02::1]",
        "[2001::1]", "[2001:db8::1]", "[2002::1]", "[3fff::1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]",
    ],
)  # fmt: skip
def test_special_ranges_are_blocked_without_a_packet(start, address):
    service = start(allow_subnets="", retry_schedule="", connect_timeout="1s")
    app = service.new_app()
    reply = service.post(f"/app/{app}/endpoint", {"url": f"http://{address}/"})
    if reply.status == 422:
        return
    msg = service.send(app)
    service.until(app, msg, reply.json()["id"], "dead")
    attempt = service.get(f"/app/{app}/attempt/msg/{msg}").json()["data"][0]
    assert attempt["outcome"] == "blocked"


@pytest.mark.parametrize("form", ["http://127.0.0.1:{port}/hook", "http://localhost:{port}/hook"])
def test_an_allowed_subnet_is_reached(start, receiver, form):
    """The control: what the tests above refuse is reachable."""
    service = start(allow_subnets="127.0.0.0/8")
    app = service.new_app()
    receiver.expect("/hook", secret := hmac_secret())
    body = {"url": form.format(port=receiver.port), "secret": secret}
    assert service.post(f"/app/{app}/endpoint", body).status == 201
    service.send(app)
    receiver.wait()


def test_the_address_is_judged_at_every_send(start, receiver):
    """An endpoint from a time when its subnet was allowed is blocked from the moment it is not."""
    service = start(retry_schedule="")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    service.send(app)
    receiver.wait()
    connections = receiver.connections
    service.stop()
    service.start(allow_subnets="")
    msg = service.send(app)
    service.until(app, msg, endpoint, "dead")
    assert receiver.connections == connections


def test_proxies_of_the_environment_are_ignored(tmp_path, new_receiver):
    """A proxy resolves names itself, past the guard."""
    proxy, receiver = new_receiver(), new_receiver()
    environment = {name: proxy.url for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy")}
    service = Service(tmp_path, env=environment).start()
    app = service.new_app()
    service.subscribe(app, receiver)
    service.send(app)
    receiver.wait()
    service.stop()
    assert proxy.connections == 0


def test_cookies_are_not_kept(service, app, receiver):
    service.subscribe(app, receiver)
    receiver.always(200, headers={"set-cookie": "session=1; path=/"})
    service.send(app)
    receiver.wait()
    service.send(app)
    assert "cookie" not in receiver.wait(2)[1].headers


@pytest.mark.parametrize("subnets", ["nonsense", "10.0.0.0/33", "10.0.0.1/8x", "::/129"])
def test_a_wrong_subnet_stops_the_start(tmp_path, subnets):
    """Fails closed: a rule that cannot be read must not become no rule, nor every rule."""
    refused = run("serve", "--data", tmp_path / "d", "--listen=127.0.0.1:0", f"--allow-subnets={subnets}")
    assert refused.returncode != 0
    assert "allow-subnets" in refused.stderr
