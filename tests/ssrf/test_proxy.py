"""Through a proxy no URL reaches a forbidden address either: it is asked for addresses that the guard let pass,
and for nothing else. The proxy connects for real, so that the witness sees what it was made to do."""

import ipaddress
import subprocess
from pathlib import Path

import pytest

import ranges
import spellings
from surehook import eventually
from test_ssrf import EVERYWHERE, MIXES, create, finish, forbidden, url_of
from tunnels import Proxy
from world import CANARIES, PUBLIC4, PUBLIC6

KINDS = ("http", "socks5")


@pytest.fixture
def new_proxy(world):
    proxies = []

    def new_proxy(kind):
        proxies.append(Proxy(kind))
        return proxies[-1]

    yield new_proxy
    for proxy in proxies:
        proxy.close()
    assert [asked.host for proxy in proxies for asked in proxy.asked if not asked.is_address] == []
    assert [strange for proxy in proxies for strange in proxy.strange] == []


def beside(world, proxy):
    """The connections that anybody asked for, but those of the service to its proxy."""
    return [(a, port) for a, port in world.witness.asked() if (str(a), port) != ("127.0.0.1", proxy.port)]


def told(proxy):
    return {ipaddress.ip_address(asked.host) for asked in proxy.asked}


@pytest.mark.parametrize("kind", KINDS)
def test_an_allowed_canary_is_reached_through_the_proxy(world, start, new_proxy, kind):
    """The control of all others: without the guard each would fail."""
    proxy = new_proxy(kind)
    service = start(allow_subnets=EVERYWHERE, proxy=proxy.url())
    app = service.new_app()
    endpoints = [create(service, app, url_of(address)) for address in CANARIES]
    assert set(finish(service, app, endpoints).values()) == {"success"}
    asked = beside(world, proxy)
    assert {str(a) for a in told(proxy)} == set(forbidden(asked)) == set(CANARIES)
    assert len(asked) == len(proxy.asked)  # the proxy's, and none of the service's own


@pytest.mark.parametrize("kind", KINDS)
def test_no_spelling_of_a_forbidden_address_reaches_it_through_the_proxy(world, start, new_proxy, kind):
    urls = spellings.urls()
    spellings.add_names(world.names)
    proxy = new_proxy(kind)
    service = start(proxy=proxy.url(), proxy_bypass="10.0.0.0/8,.bypass.test")
    app = service.new_app()
    accepted = {}
    for url in urls:
        if endpoint := create(service, app, url):
            accepted[endpoint] = url
    outcomes = finish(service, app, accepted)
    assert forbidden(beside(world, proxy)) == []
    assert [str(a) for a in told(proxy) if ranges.forbidden(a)] == []
    assert {accepted[e]: o for e, o in outcomes.items() if o not in ("blocked", "dns", "success")} == {}
    assert list(outcomes.values()).count("blocked") > 50  # names, which only a lookup can show


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_changes_its_mind_is_judged_as_it_is_told(world, start, new_proxy, kind):
    """What was looked up is what the proxy is told: nobody asks again in between."""
    bad = [["127.0.0.1"], ["169.254.169.254"], ["10.0.0.1"], ["192.168.0.1"]]
    world.names.add("rebind.test", a=[[PUBLIC4], *bad, [PUBLIC4]])
    world.names.add("rebind6.test", aaaa=[[PUBLIC6], ["::1"], ["fd00:ec2::254"], ["64:ff9b::7f00:1"], [PUBLIC6]])
    proxy = new_proxy(kind)
    service = start(proxy=proxy.url())
    app = service.new_app()
    endpoints = [create(service, app, f"http://{name}/{n}") for n in range(20)
                 for name in ("rebind.test", "rebind6.test")]  # fmt: skip
    for _ in range(2):
        outcomes = finish(service, app, endpoints)
        assert set(outcomes.values()) == {"blocked", "success"}
    assert {str(a) for a, _ in beside(world, proxy)} == {str(a) for a in told(proxy)} == {PUBLIC4, PUBLIC6}
    assert world.names.count("rebind.test") == 20  # one for each endpoint, which keeps it for a minute


@pytest.mark.parametrize("kind", KINDS)
def test_of_the_addresses_of_a_name_a_permitted_one_is_told(world, start, new_proxy, kind):
    for n, (a, aaaa) in enumerate(MIXES.values()):
        world.names.add(f"mix{n}.test", a=a, aaaa=aaaa)
    proxy = new_proxy(kind)
    service = start(proxy=proxy.url())
    app = service.new_app()
    endpoints = [create(service, app, f"http://mix{n}.test/") for n in range(len(MIXES))]
    outcomes = finish(service, app, endpoints)
    assert forbidden(beside(world, proxy)) == []
    for endpoint, (a, aaaa) in zip(endpoints, MIXES.values()):
        good = [x for x in a + aaaa if not ranges.forbidden(ipaddress.ip_address(x))]
        assert outcomes[endpoint] == ("success" if good else "blocked"), (a, aaaa)


def test_who_goes_without_the_proxy_is_judged_as_without_one(world, start, new_proxy):
    """By its name, whatever it leads to then; by its address, which is the one that is connected to."""
    bad = [["127.0.0.1"], ["10.0.0.1"], [PUBLIC4]]
    world.names.add("by.name.test", a=[[PUBLIC4], *bad])
    world.names.add("by.address.test", a=[[PUBLIC4], *bad])
    proxy = new_proxy("http")
    service = start(proxy=proxy.url(), proxy_bypass=f".name.test,{PUBLIC4}/32,10.0.0.0/8")
    app = service.new_app()
    hosts = ("by.name.test", "by.address.test", PUBLIC4)
    endpoints = [create(service, app, f"http://{host}/{n}") for n in range(20) for host in hosts]
    for _ in range(2):
        assert set(finish(service, app, endpoints).values()) == {"blocked", "success"}
    assert {str(a) for a, _ in world.witness.asked()} == {PUBLIC4}
    assert proxy.connections == 0


def test_a_dead_name_server_holds_up_nobody_and_takes_no_more_threads_than_the_bound(world, start, new_proxy):
    names = [f"silent{n}.test" for n in range(100)]
    world.names.silent.update(names)
    proxy = new_proxy("http")
    service = start(proxy=proxy.url(), dispatch_threads=1)
    app, other = service.new_app(), service.new_app()
    silent = [create(service, app, f"http://{name}/") for name in names]
    good = create(service, other, url_of(PUBLIC4))
    service.send(app)
    tasks = Path(f"/proc/{service.process.pid}/task")
    most = 0

    def comm(task):
        try:
            return (task / "comm").read_text()
        except OSError:  # it has ended
            return ""

    def resolving():
        nonlocal most
        now = sum(1 for task in tasks.iterdir() if comm(task) == "resolve\n")
        most = max(most, now)
        return now

    eventually(resolving, lambda now: now > 30)
    assert finish(service, other, [good]) == {good: "success"}
    eventually(lambda: resolving() or service.metric("surehook_deliveries_dead_total"), lambda dead: dead == len(names))
    assert most <= 64
    begun = lambda app, e: service.get(f"/app/{app}/attempt/endpoint/{e}").json()["data"][0]["timestamp"]
    assert begun(other, good) < max(begun(app, e) for e in silent)  # it waited for some of them at most
    assert {str(a) for a in told(proxy)} == {PUBLIC4}


@pytest.fixture
def sources(world):
    """Of each family one; an IPv6 address must be on a device to be bound."""
    subprocess.run(["ip", "address", "replace", "2606:2800:220:1::77/128", "dev", "lo"], check=True)
    return "93.184.216.77", "2606:2800:220:1::77"


def test_connections_leave_from_the_source_addresses(world, start, sources):
    service = start(source_address=",".join(sources))
    app = service.new_app()
    endpoints = [create(service, app, url_of(address, "/source")) for address in (PUBLIC4, PUBLIC6)]
    assert set(finish(service, app, endpoints).values()) == {"success"}
    assert {arrival.client[0] for arrival in world.listener.wait("/source", 2)} == set(sources)


def test_a_source_address_that_is_gone_is_no_failure_of_the_endpoint(world, start, sources):
    service = start(source_address=sources[1], breaker_attempts=1)
    app = service.new_app()
    endpoint = create(service, app, url_of(PUBLIC6))
    assert finish(service, app, [endpoint]) == {endpoint: "success"}
    service.stop()  # and with it the kept connection
    service.start()
    subprocess.run(["ip", "address", "del", f"{sources[1]}/128", "dev", "lo"], check=True)
    assert finish(service, app, [endpoint]) == {endpoint: "internal"}
    assert service.get(f"/app/{app}/endpoint/{endpoint}").json()["breaker"]["state"] == "closed"


def test_a_name_is_reached_in_the_family_that_has_a_source_address(world, start, sources):
    world.names.add("both.test", a=[PUBLIC4], aaaa=[PUBLIC6])
    for source, expected in zip(sources, (PUBLIC4, PUBLIC6)):
        service = start(source_address=source)
        app = service.new_app()
        endpoint = create(service, app, "http://both.test/")
        assert finish(service, app, [endpoint]) == {endpoint: "success"}
        assert {str(a) for a, _ in world.witness.asked()} == {expected}
