"""Who may come in: bearer tokens of both kinds."""

import time

import pytest

from surehook import jwt

SECRET = "a secret that is long enough for anybody"
ORG = "org_2bjkzYgDPCTwDCZ1nQbWSUqqYVy"


@pytest.fixture
def service(start):
    return start(jwt_secret=SECRET)


def status(service, authorization, path="/app"):
    return service.get(path, headers={"authorization": authorization}).status


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Basic dXNlcjpwYXNz",
        "Bearer sh_" + "A" * 43,
        "Bearer " + "x" * 5000,
        "Bearer ..",
        "Bearer a.b.c",
    ],
    ids=lambda text: text[:20],
)
def test_anything_else_is_401(service, authorization):
    reply = service.get("/app", headers={"authorization": authorization})
    assert reply.status == 401
    assert reply.json()["code"] == "authentication_failed"


def test_the_scheme_has_no_case(service):
    assert status(service, f"bearer {service.token}") == 200
    assert status(service, f"BEARER {service.token}") == 200


def test_an_organisation_s_token_needs_no_provisioning(service):
    token = jwt(SECRET, sub=ORG)
    app = service.post("/app", {"name": "theirs"}, token=token)
    assert app.status == 201
    listed = service.svix(token).application.list().data
    assert [a.id for a in listed] == [app.json()["id"]]
    assert service.get("/app").json()["data"] == []
    assert service.get(f"/app/{app.json()['id']}").status == 404


def test_an_application_s_token(service):
    organisation = jwt(SECRET, sub=ORG)
    app = service.post("/app", {"name": "theirs"}, token=organisation).json()["id"]
    token = jwt(SECRET, sub=app, org=ORG)
    assert service.get(f"/app/{app}", token=token).status == 200
    assert service.get("/app", token=token).status == 403
    other = service.post("/app", {"name": "other"}, token=organisation).json()["id"]
    assert service.get(f"/app/{other}", token=token).status == 404


NOW = int(time.time())


@pytest.mark.parametrize(
    "claims, expected",
    [
        ({"exp": NOW + 3600}, 200),
        ({"exp": NOW - 3600}, 401),
        ({"exp": "soon"}, 401),
        ({"nbf": NOW - 3600}, 200),
        ({"nbf": NOW + 3600}, 401),
        ({"iat": NOW, "iss": "svix-server"}, 200),
        ({"sub": "user_2bjkzYgDPCTwDCZ1nQbWSUqqYVy"}, 401),
        ({"sub": "org_short"}, 401),
        ({"sub": None}, 401),
        ({"sub": "app_2bjkzYgDPCTwDCZ1nQbWSUqqYVy"}, 401),
    ],
    ids=range(10),
)
def test_claims_are_checked(service, claims, expected):
    assert status(service, "Bearer " + jwt(SECRET, **{"sub": ORG, **claims})) == expected


@pytest.mark.parametrize(
    "forged",
    [
        lambda: jwt("another secret", sub=ORG),
        lambda: jwt(SECRET, header={"alg": "none"}, sub=ORG),
        lambda: jwt(SECRET, header={"alg": "none"}, signature="", sub=ORG),
        lambda: jwt(SECRET, header={"alg": "HS512"}, sub=ORG),
        lambda: jwt(SECRET, header={"alg": "RS256"}, sub=ORG),
        lambda: jwt(SECRET, header={"alg": "HS256", "crit": ["exp"]}, sub=ORG),
        lambda: jwt(SECRET, header={"typ": "JWT"}, sub=ORG),
        lambda: jwt(SECRET, signature="", sub=ORG),
        lambda: jwt(SECRET, sub=ORG) + "A",
        lambda: jwt(SECRET, sub=ORG) + ".x",
    ],
    ids=range(10),
)
def test_forged_tokens_are_refused(service, forged):
    assert status(service, "Bearer " + forged()) == 401


def test_without_a_secret_no_such_token_is_good(start):
    """An empty key must not mean an open door."""
    service = start()
    assert status(service, "Bearer " + jwt("", sub=ORG)) == 401
    assert status(service, "Bearer " + jwt(SECRET, sub=ORG)) == 401


def test_health_and_metrics_need_no_token(service):
    none = {"authorization": ""}
    assert service.get("/health", headers=none).status in (200, 204)
    assert service.call("HEAD", "/health", headers=none).status in (200, 204)
    assert service.get("/health/ping", headers=none).status in (200, 204)
    assert service.get("/metrics", api="", headers=none).status == 200
    service.svix().health.get()
