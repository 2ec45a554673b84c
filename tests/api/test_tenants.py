"""No token reaches what is not its own: every route of the service with every kind of token that
must not use it. A refusal is 401, 403 or 404 and leaves everything as it was."""

import itertools
import json

import pytest

import routes
from conftest import Authority
from surehook import eventually, jwt

SECRET = "a secret that is long enough for anybody"
OTHER_ORG = "org_2bjkzYgDPCTwDCZ1nQbWSUqqYVy"
REFUSED = {401, 403, 404}
NOBODY = "https://127.0.0.1:1/hook"
LATER = "2100-01-01T00:00:00Z"

# A body that the route accepts from whoever may use it; without a row, {}. {name} is the name of an
# event type, {certificate} one of an authority.
BODIES = {
    "application.create": {"name": "made"},
    "application.update": {"name": "changed"},
    "application.patch": {"name": "changed"},
    "endpoint.create": {"url": NOBODY},
    "endpoint.update": {"url": NOBODY + "/changed"},
    "endpoint.patch": {"description": "changed"},
    "endpoint.update_headers": {"headers": {"x-changed": "1"}},
    "endpoint.patch_headers": {"headers": {"x-changed": "1"}},
    "endpoint.update_authentication": {"type": "basic", "username": "changed", "password": "changed"},
    "endpoint.update_tls": {"caCertificate": "{certificate}"},
    "endpoint.enable": {"since": "2026-01-01T00:00:00Z"},
    "endpoint.recover": {"since": "2026-01-01T00:00:00Z"},
    "endpoint.replay_missing": {"since": "2026-01-01T00:00:00Z"},
    "endpoint.bulk_replay": {"since": "2026-01-01T00:00:00Z"},
    "endpoint.send_example": {"eventType": "{name}"},
    "message.precheck": {"eventType": "made"},
    "operational_webhook_endpoint.create": {"url": NOBODY},
    "operational_webhook_endpoint.update": {"url": NOBODY + "/changed"},
    "operational_webhook_endpoint.update_headers": {"headers": {"x-changed": "1"}},
    "operational_webhook_endpoint.update_authentication": {"type": "basic", "username": "x", "password": "x"},
    "operational_webhook_endpoint.update_tls": {"caCertificate": "{certificate}"},
    "event_type.create": {"name": "made", "description": "made"},
    "event_type.update": {"description": "changed"},
    "event_type.patch": {"description": "changed"},
    "message.create": {"eventType": "made", "payload": {}},
    "message.create_batch": {"messages": [{"eventType": "made", "payload": {}}]},
    "event_type.import_openapi": {"spec": {"openapi": "3.1.0", "webhooks": {"made": {}}}},
    "environment.import_": {"eventTypes": [{"name": "made", "description": "made"}]},
    "statistics.aggregate_app_stats": {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"},
    "key.create": {"scope": "read", "name": "made"},
    "message_poller.consumer_seek": {"after": "2026-01-01T00:00:00Z"},
}


# Tokens of the portal alone; others may ask and are told so with 403.
PORTAL_ONLY = {"authentication.logout"}


class World:
    """An application that has one of everything, and what the owner sees of it."""

    numbers = itertools.count()

    def __init__(self, service):
        self.service = service
        self.certificate = Authority(service.directory).pem
        app = service.new_app(name="world")
        endpoint = self._post(f"/app/{app}/endpoint", {"url": NOBODY})["id"]
        name = f"type.{next(self.numbers)}"
        schemas = {"1": {"examples": [{}]}}
        self._post("/event-type", {"name": name, "description": "mine", "schemas": schemas})
        msg = service.send(app, event_type=name)
        delivery = service.until(app, msg, endpoint, "dead")
        task = self._post(f"/app/{app}/endpoint/{endpoint}/recover", {"since": LATER})["id"]
        eventually(
            lambda: service.get(f"/background-task/{task}").json()["status"],
            lambda status: status == "finished",
        )
        self.ids = {
            "app": app,
            "endpoint": endpoint,
            "name": name,
            "msg": msg,
            "attempt": delivery["lastAttemptId"],
            "task": task,
            "sink": "poller-of-the-world",
            "consumer": "consumer-of-the-world",
            "key": self._post("/key", {"scope": "read"})["id"],
            "operational": self._post(
                "/operational-webhook/endpoint", {"url": NOBODY, "disabled": True}
            )["id"],
        }

    def _post(self, path, body):
        reply = self.service.post(path, body)
        assert reply.status < 300, reply.body
        return reply.json()

    def call(self, route, token, **headers):
        """`token` "": without one."""
        body = None
        if route.method not in ("GET", "DELETE"):
            text = json.dumps(BODIES.get(route.operation, {}))
            text = text.replace("{certificate}", json.dumps(self.certificate)[1:-1])
            body = text.replace("{name}", self.ids["name"]).encode()
        headers |= {} if token else {"authorization": ""}
        operational = "/operational-webhook/" in route.path
        endpoint = self.ids["operational" if operational else "endpoint"]
        path = route.path.format(**{**self.ids, "endpoint": endpoint})
        return self.service.call(route.method, path, body, token=token, headers=headers, api="")

    def seen(self):
        app = f"/app/{self.ids['app']}"
        endpoint = f"{app}/endpoint/{self.ids['endpoint']}"
        paths = ["/app", "/key", "/event-type?include_archived=true&with_content=true", app]
        paths += ["/operational-webhook/endpoint"]
        paths += [f"{app}/endpoint", f"{app}/msg", f"{app}/dead-letter", endpoint]
        paths += [f"{endpoint}/headers", f"{endpoint}/secret", f"{endpoint}/msg"]
        paths += [f"{endpoint}/authentication", f"{endpoint}/tls"]
        paths += [f"{app}/attempt/endpoint/{self.ids['endpoint']}"]
        return {path: self.service.get(path).body for path in paths}

    def names_nothing_of_it(self, text):
        return not any(id.encode() in text for name, id in self.ids.items() if name != "name")


@pytest.fixture
def service(start):
    return start(jwt_secret=SECRET, retry_schedule="")


def key(service, scope, token=None, **fields):
    reply = service.post("/key", {"scope": scope, **fields}, token=token)
    assert reply.status == 201, reply.body
    return reply.json()["token"]


def token_of(service, world, role):
    if role == "admin":
        return service.token
    return key(service, role, **({"appId": world.ids["app"]} if role == "app" else {}))


def refusals(world, token, chosen):
    """What is wrong with the answers: a list, so that one run shows all."""
    wrong = []
    before = world.seen()
    for route in chosen:
        reply = world.call(route, token)
        if reply.status not in REFUSED:
            wrong.append((route.method, route.path, reply.status, reply.body[:200]))
        after = world.seen()
        if after != before:
            changed = [path for path in before if before[path] != after[path]]
            wrong.append((route.method, route.path, "changed", changed))
            before = after
    return wrong


@pytest.mark.parametrize("role", ["admin", "ingest", "read", "app"])
def test_whoever_may_use_a_route_can(service, role):
    """Without this the refusals could be about something else."""
    wrong = []
    for route in routes.of(service):
        if route.roles is None or role not in route.roles:
            continue
        world = World(service)
        reply = world.call(route, token_of(service, world, role))
        if reply.status >= 300 and route.operation not in PORTAL_ONLY:
            wrong.append((route.method, route.path, reply.status, reply.body[:200]))
    assert wrong == []


@pytest.mark.parametrize("role", ["ingest", "read", "app"])
def test_a_lesser_scope_is_refused(service, role):
    world = World(service)
    chosen = [r for r in routes.of(service) if r.roles is not None and role not in r.roles]
    assert len(chosen) > 10
    assert refusals(world, token_of(service, world, role), chosen) == []


@pytest.mark.parametrize(
    "token", ["", "garbage", "sh_" + "A" * 43], ids=["none", "garbage", "unknown"]
)
def test_without_a_good_token_every_route_is_closed(service, token):
    world = World(service)
    chosen = [route for route in routes.of(service) if route.roles is not None]
    assert len(chosen) > 40
    assert refusals(world, token, chosen) == []
    assert {world.call(route, token).status for route in chosen} == {401}


STRANGERS = ["portal", "application", "organisation", "organisation-jwt"]


def portal_token(service, app, **fields):
    return service.post(f"/auth/app-portal-access/{app}", fields).json()["token"]


def test_a_reader_of_the_portal_changes_nothing_and_sees_no_secret(service):
    world = World(service)
    token = portal_token(service, world.ids["app"], readOnly=True)
    moves = {"message_poller.consumer_poll"}  # its position, though it is a GET
    reads = lambda r: (
        r.method == "GET"
        and "secret" not in r.path
        and "app" in r.roles
        and r.operation not in moves
    )
    guarded = [r for r in routes.of(service) if r.roles and r.operation not in PORTAL_ONLY]
    chosen = [route for route in guarded if not reads(route)]
    assert len(chosen) > 30
    assert refusals(world, token, chosen) == []
    for route in guarded:
        assert not reads(route) or world.call(route, token).status == 200, route


def strangers(service):
    """Tokens with full rights elsewhere."""
    organisation = jwt(SECRET, sub=OTHER_ORG)
    yield "another application's portal", portal_token(service, service.new_app())
    yield "another application's key", key(service, "app", appId=service.new_app())
    yield "another organisation's key", key(service, "admin", token=organisation)
    yield "another organisation's token", organisation


@pytest.mark.parametrize("which", range(4), ids=STRANGERS)
def test_what_belongs_to_another_is_not_there(service, which):
    _, token = list(strangers(service))[which]
    world = World(service)
    chosen = [r for r in routes.of(service) if {*r.parameters} - {"name"}]
    assert len(chosen) > 30
    assert refusals(world, token, chosen) == []


@pytest.mark.parametrize("which", range(4), ids=STRANGERS)
def test_what_names_no_owner_is_the_token_s_own(service, which):
    """Lists, creations and event types: they work on the stranger's side, without ours."""
    _, token = list(strangers(service))[which]
    world = World(service)
    before = world.seen()
    chosen = [r for r in routes.of(service) if not {*r.parameters} - {"name"} and r.roles]
    for route in chosen:
        reply = world.call(route, token)
        assert reply.status < 300 or reply.status in REFUSED, (route, reply.body)
        assert world.names_nothing_of_it(reply.body), route
        assert world.seen() == before, route
    assert len(chosen) > 8


def test_the_tables_give_no_role_more_than_it_needs(service):
    """The matrix takes the tables at their word, so their word is checked by rules of its own."""
    for route in routes.of(service):
        roles = route.roles
        if roles is None:
            assert route.method == "GET" and not route.parameters, route
            continue
        assert "admin" in roles, route
        if "read" in roles:
            assert route.method == "GET" and "secret" not in route.path, route
        if "ingest" in roles:
            assert route.operation in (
                "message.create",
                "message.create_batch",
                "message.precheck",
            ), route
        if "app" in roles and route.method != "GET":
            own = route.path.startswith("/api/v1/app/{app}/")
            assert own or route.operation in PORTAL_ONLY, route
        assert "/key" not in route.path or roles == {"admin"}, route
