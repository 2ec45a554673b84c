"""No URL reaches a forbidden address: promise 8, in a network where every address would answer.

What counts is the witness: a connection to a forbidden address fails a test, whoever asked for it."""

import ipaddress
import urllib.parse

import pytest

import ranges
import receivers
import spellings
from surehook import eventually
from world import CANARIES, MUTE, PUBLIC4, PUBLIC6

EVERYWHERE = "0.0.0.0/0,::/0"


def url_of(address, path="/"):
    return f"http://[{address}]{path}" if ":" in address else f"http://{address}{path}"


def forbidden(connections):
    return [str(address) for address, _ in connections if ranges.forbidden(address)]


def address_in(url):
    """None when the host is a name."""
    try:
        return ipaddress.ip_address(urllib.parse.urlsplit(url).hostname)
    except ValueError:
        return None


def create(service, app, url, **fields):
    reply = service.post(f"/app/{app}/endpoint", {"url": url, **fields})
    assert reply.status in (201, 422), (url, reply.body)
    return reply.json()["id"] if reply.status == 201 else None


def finish(service, app, endpoints):
    """Sends one message; the outcome of the only attempt at each endpoint."""
    msg = service.send(app)
    outcomes = {}
    for endpoint in endpoints:
        path = f"/app/{app}/msg/{msg}/endpoint/{endpoint}"
        eventually(lambda: service.get(path).json(), lambda d: d.get("state") in ("delivered", "dead"))
    cursor = ""
    while True:
        page = service.get(f"/app/{app}/attempt/msg/{msg}?limit=250{cursor}").json()
        outcomes |= {attempt["endpointId"]: attempt["outcome"] for attempt in page["data"]}
        if page["done"]:
            return outcomes
        cursor = f"&iterator={page['iterator']}"


def test_a_public_address_gets_its_delivery(world, start):
    """The control: the network works, names are resolved, and the witness sees."""
    world.names.add("public.test", a=[PUBLIC4])
    world.names.add("public6.test", aaaa=[PUBLIC6])
    service = start()
    app = service.new_app()
    hosts = [PUBLIC4, f"[{PUBLIC6}]", f"[::ffff:{PUBLIC4}]", "public.test", "public6.test"]
    secret = receivers.hmac_secret()
    endpoints = [create(service, app, f"http://{host}/{n}", secret=secret) for n, host in enumerate(hosts)]
    assert set(finish(service, app, endpoints).values()) == {"success"}
    for n, address in enumerate([PUBLIC4, PUBLIC6, PUBLIC4, PUBLIC4, PUBLIC6]):
        (arrival,) = world.listener.wait(f"/{n}")
        assert arrival.address == address
        receivers.verify(secret, arrival.body, arrival.headers)
    asked = world.witness.asked()
    assert {str(address) for address, _ in asked} == {PUBLIC4, PUBLIC6}
    assert forbidden(asked) == []


def test_an_allowed_canary_sees_its_connection(world, start):
    """The control of all others: without the guard each would fail."""
    service = start(allow_subnets=EVERYWHERE)
    app = service.new_app()
    endpoints = [create(service, app, url_of(address)) for address in CANARIES]
    assert set(finish(service, app, endpoints).values()) == {"success"}
    assert set(forbidden(world.witness.asked())) == set(CANARIES)


@pytest.mark.parametrize("address", CANARIES + MUTE)
def test_a_canary_is_a_forbidden_address(address):
    assert ranges.forbidden(ipaddress.ip_address(address))


def test_no_spelling_of_a_forbidden_address_reaches_it(world, start):
    urls = spellings.urls()
    assert len(urls) >= 300
    spellings.add_names(world.names)
    service = start()
    app, other = service.new_app(), service.new_app()
    changed = create(service, other, url_of(PUBLIC4))
    accepted = {}
    for url in urls:
        endpoint = create(service, app, url)
        patched = service.call("PATCH", f"/app/{other}/endpoint/{changed}", {"url": url})
        operational = service.post("/operational-webhook/endpoint", {"url": url, "filterTypes": ["endpoint.deleted"]})
        statuses = (patched.status, operational.status)
        assert statuses == ((200, 201) if endpoint else (422, 422)), (url, patched.body, operational.body)
        if endpoint:
            accepted[endpoint] = url
    outcomes = finish(service, app, accepted)
    assert forbidden(world.witness.asked()) == []
    assert {accepted[e]: o for e, o in outcomes.items() if o not in ("blocked", "dns", "success")} == {}
    assert list(outcomes.values()).count("blocked") > 50  # names, which only a connection can show
    stored = [address_in(service.get(f"/app/{app}/endpoint/{e}").json()["url"]) for e in accepted]
    assert [address for address in stored if address and ranges.forbidden(address)] == []


def test_no_token_url_reaches_one_either(world, start):
    """Where access tokens are fetched is a tenant's choice, too; and of what happened there nothing is told."""
    spellings.add_names(world.names)
    service = start()
    app, other = service.new_app(), service.new_app()
    fetching = []
    for url in [url_of(PUBLIC4, "/token"), *spellings.urls()]:
        endpoint = create(service, app, url_of(PUBLIC4, "/hook"))
        path = f"/app/{app}/endpoint/{endpoint}"
        grant = {"type": "oauth2", "tokenUrl": url, "clientId": "x", "clientSecret": "y"}
        status = service.call("PUT", path + "/authentication", grant).status
        assert status == (204 if create(service, other, url) else 422), url
        if status == 204:
            fetching.append(endpoint)
        else:
            assert service.call("DELETE", path).status == 204
    outcomes = finish(service, app, fetching)
    assert set(outcomes.values()) == {"token"} and len(outcomes) > 50
    world.listener.wait("/token")
    assert forbidden(world.witness.asked()) == []
    assert [a for a in world.listener.arrivals if a.path == "/hook"] == []


def test_the_address_is_judged_at_every_send(world, start):
    """Endpoints from a time when all was allowed: the spellings that reached a canary then reach none now."""
    spellings.add_names(world.names)
    service = start(allow_subnets=EVERYWHERE)
    app = service.new_app()
    accepted = [e for e in (create(service, app, url) for url in spellings.urls()) if e]
    before = finish(service, app, accepted)
    reached = set(forbidden(world.witness.asked()))
    assert list(before.values()).count("success") > 150
    assert reached >= set(CANARIES) & {*spellings.TARGETS4, *spellings.TARGETS6} and "127.0.0.1" in reached
    service.stop()
    service.start(allow_subnets="")
    after = finish(service, app, accepted)
    assert forbidden(world.witness.asked()) == []
    assert [e for e in accepted if before[e] == "success" and after[e] not in ("blocked", "success")] == []


def test_addresses_that_no_connection_can_be_seen_to_are_blocked(world, start):
    """Multicast, broadcast and link-local: the outcome tells the guard from the kernel."""
    for n, address in enumerate(MUTE):
        key = "aaaa" if ":" in address else "a"
        world.names.add(f"mute{n}.test", **{key: [address]})
    service = start()
    app = service.new_app()
    endpoints = [create(service, app, f"http://mute{n}.test/") for n in range(len(MUTE))]
    assert set(finish(service, app, endpoints).values()) == {"blocked"}
    assert forbidden(world.witness.asked()) == []


def test_a_name_that_changes_its_mind_is_judged_at_each_connection(world, start):
    """Each endpoint's handle looks the name up anew: a public address first, then forbidden ones, then a
    public one again."""
    bad = [["127.0.0.1"], ["169.254.169.254"], ["10.0.0.1"], ["192.168.0.1"]]
    world.names.add("rebind.test", a=[[PUBLIC4], *bad, [PUBLIC4]])
    world.names.add("rebind6.test", aaaa=[[PUBLIC6], ["::1"], ["fd00:ec2::254"], ["64:ff9b::7f00:1"], [PUBLIC6]])
    world.names.add("switch.test", a=[[PUBLIC4], []], aaaa=[[], ["::1"]])
    service = start()
    app = service.new_app()
    results = []
    for name in ("rebind.test", "rebind6.test", "switch.test"):
        # More than there are pools of connections, each with names of its own.
        for n in range(40):
            results.append(create(service, app, f"http://{name}/{n}"))
    for _ in range(2):
        outcomes = finish(service, app, results)
        assert forbidden(world.witness.asked()) == []
        assert {"blocked", "success"} == set(outcomes.values())
    assert world.names.count("rebind.test") > len(bad)
    assert world.names.count("rebind6.test", "AAAA") > 4


MIXES = {
    "public first": ([PUBLIC4, "10.0.0.1"], []),
    "forbidden first": (["10.0.0.1", PUBLIC4], []),
    "forbidden between": ([PUBLIC4, "127.0.0.1", "1.1.1.1"], []),
    "forbidden and no other": (["127.0.0.1", "10.0.0.1", "169.254.169.254"], ["::1", "fc00::1"]),
    "the other family forbidden": ([PUBLIC4], ["::1"]),
    "this family forbidden": (["127.0.0.1"], [PUBLIC6]),
    "mapped": ([], ["::ffff:127.0.0.1"]),
    "mapped and public": ([PUBLIC4], ["::ffff:10.0.0.1"]),
    "translated": ([], ["64:ff9b::7f00:1", "2002:7f00:1::1", "2001::1"]),
    "unspecified": (["0.0.0.0"], ["::"]),
}


@pytest.mark.parametrize("port", [80, 81])
def test_every_address_of_a_name_is_judged(world, start, port):
    """At port 81 nobody listens, so that curl goes on to the next address."""
    for n, (a, aaaa) in enumerate(MIXES.values()):
        world.names.add(f"mix{n}.test", a=a, aaaa=aaaa)
    service = start()
    app = service.new_app()
    endpoints = [create(service, app, f"http://mix{n}.test:{port}/") for n in range(len(MIXES))]
    outcomes = finish(service, app, endpoints)
    asked = world.witness.asked()
    assert forbidden(asked) == []
    assert str(PUBLIC4) in {str(address) for address, _ in asked}
    for endpoint, (a, aaaa) in zip(endpoints, MIXES.values()):
        if all(ranges.forbidden(ipaddress.ip_address(x)) for x in a + aaaa):
            assert outcomes[endpoint] == "blocked"


def test_no_answer_sends_the_service_elsewhere(world, start):
    """Redirects of every kind, and the other headers that name a place, be it a public one."""
    places = ["http://127.0.0.1/", "http://[::1]:8080/", "//10.0.0.1/", "http://localhost/", "https://10.0.0.1/",
              "http://inner.test/", "http://1.1.1.1/", "gopher://127.0.0.1:80/_x", "file:///etc/passwd"]
    world.names.add("inner.test", a=["192.168.0.1"])
    headers = [{"location": place} for place in places]
    headers += [{"refresh": f"0; url={place}", "content-location": place, "link": f"<{place}>; rel=preload"}
                for place in places[:2]]
    headers.append({"alt-svc": 'h2="127.0.0.1:443"; ma=3600, http/1.1="127.0.0.1:8080"; persist=1'})
    service = start()
    app = service.new_app()
    endpoints = []
    for status in (200, 201, 300, 301, 302, 303, 304, 305, 306, 307, 308, 401, 407, 421, 426, 503):
        for n, extra in enumerate(headers):
            world.listener.answers[f"/{status}/{n}"] = (status, extra)
            endpoints.append(create(service, app, url_of(PUBLIC4, f"/{status}/{n}")))
    for _ in range(2):  # what a response had left behind would show in the next attempt
        outcomes = finish(service, app, endpoints)
        assert set(outcomes.values()) == {"success", "status"}
    asked = world.witness.asked()
    assert {str(address) for address, _ in asked} == {PUBLIC4}


def test_the_environment_names_no_proxy_and_no_file(world, start, tmp_path):
    (tmp_path / ".netrc").write_text(f"machine {PUBLIC4} login user password secret\n")
    (tmp_path / ".curlrc").write_text("proxy = http://127.0.0.1:8080\n")
    proxies = {name: f"{scheme}://{address}" for name, scheme, address in [
        ("http_proxy", "http", "127.0.0.1:8080"), ("HTTP_PROXY", "http", "10.0.0.1:80"),
        ("https_proxy", "http", "127.0.0.1:8080"), ("HTTPS_PROXY", "socks5h", "192.168.0.1:80"),
        ("all_proxy", "socks5h", "[::1]:8080"), ("ALL_PROXY", "socks4a", "10.0.0.1:8080"),
        ("ftp_proxy", "http", "127.0.0.1:80")]}
    service = start({**proxies, "no_proxy": "", "HOME": str(tmp_path), "CURL_HOME": str(tmp_path)})
    app = service.new_app()
    endpoints = [create(service, app, url_of(PUBLIC4, "/plain")), create(service, app, f"https://{PUBLIC4}/")]
    finish(service, app, endpoints)
    (arrival,) = world.listener.wait("/plain")
    assert "authorization" not in arrival.headers
    assert {str(address) for address, _ in world.witness.asked()} == {PUBLIC4}


def test_a_pooled_connection_serves_nobody_whose_address_is_judged_otherwise(world, start):
    """Two tenants and one name. What it led the first one to, inside and allowed, is not what the second one's
    lookup says; only the pool could still lead there."""
    inside = "10.1.0.1"
    world.names.add("pool.test", a=[[inside]])
    service = start(allow_subnets="10.1.0.0/16")
    first, second = service.new_app(), service.new_app()
    endpoint = create(service, first, "http://pool.test/first")
    for _ in range(3):
        assert finish(service, first, [endpoint]) == {endpoint: "success"}
    at_first = [arrival.client for arrival in world.listener.wait("/first", 3)]
    assert forbidden(world.witness.asked()) == [inside] * 2
    assert at_first[1] == at_first[2]  # the control: connections are kept, once it is known where they lead

    world.names.add("pool.test", a=[[PUBLIC4]])
    # More than there are pools, so that some meet the one of the first.
    others = [create(service, second, "http://pool.test/second") for _ in range(40)]
    finish(service, second, others)
    arrivals = world.listener.wait("/second", len(others))
    assert PUBLIC4 in {arrival.address for arrival in arrivals}
    assert {arrival.client for arrival in arrivals} & set(at_first) == set()
    # curl keeps what a name led to for a minute: where it was looked up for the first one, it still says inside.
    assert len([a for a in arrivals if a.address == inside]) < len(arrivals) / 4
