"""Access to the application portal: tokens for the people of one tenant."""

import base64
import json

import pytest
from svix.api import AppPortalAccessIn, ApplicationIn, ApplicationTokenExpireIn
from svix.api import EndpointIn, EndpointPatch, EventTypeIn, RecoverIn
from svix.exceptions import HttpError, HTTPValidationError
from svix.models import AppPortalCapability

from surehook import eventually

ALL = list(AppPortalCapability)


def access(service, app, **fields):
    return service.svix().authentication.app_portal_access(app, AppPortalAccessIn(**fields))


def refused(call, status):
    with pytest.raises(HttpError) as refusal:
        call()
    assert refusal.value.status_code == status


@pytest.fixture
def endpoint(service, app, receiver):
    return service.subscribe(app, receiver)


def test_a_token_does_everything_in_its_application_and_nothing_outside(service, app, endpoint):
    svix = service.svix(access(service, app).token)
    assert svix.application.get(app).id == app
    assert [e.id for e in svix.endpoint.list(app).data] == [endpoint]
    made = svix.endpoint.create(app, EndpointIn(url="http://127.0.0.1:1/x")).id
    svix.endpoint.patch(app, made, EndpointPatch(disabled=True))
    assert svix.endpoint.get_secret(app, made).key.startswith("whsec_")
    svix.endpoint.delete(app, made)
    other = service.new_app()
    refused(lambda: svix.application.get(other), 404)
    refused(lambda: svix.application.list(), 403)
    refused(lambda: svix.application.delete(app), 403)
    refused(lambda: svix.authentication.app_portal_access(app, AppPortalAccessIn()), 403)


def test_the_address_carries_application_and_token(start):
    service = start(portal_url="https://portal.example.com/hooks")
    app = service.new_app()
    given = access(service, app)
    page, key = given.url.split("#key=")
    assert page == "https://portal.example.com/hooks"
    assert json.loads(base64.b64decode(key)) == {"appId": app, "token": given.token}


def test_without_an_own_page_the_address_is_here(service, app):
    assert access(service, app).url.startswith(service.url + "/portal#key=")


def parts(token):
    """Whose it is, and the secret, which may have underscores."""
    kind, number, secret = token.split("_", 2)
    return f"{kind}_{number}", secret


def test_the_token_is_stored_nowhere(service, app):
    token = access(service, app).token
    key = {"idempotency-key": "once"}
    first = service.post(f"/auth/app-portal-access/{app}", {}, headers=key).json()["token"]
    again = service.post(f"/auth/app-portal-access/{app}", {}, headers=key).json()["token"]
    assert len({token, first, again}) == 3
    service.stop()
    stored = b"".join(file.read_bytes() for file in service.data.iterdir())
    service.start()
    for secret in (token, first, again):
        assert service.get(f"/app/{app}", token=secret).status == 200
        assert parts(secret)[1].encode() not in stored
        assert secret not in service.log.read_text()


@pytest.mark.parametrize("fields", [{"read_only": True}, {"capabilities": ["ViewBase"]}], ids=str)
def test_a_reader_reads_and_changes_nothing(service, app, endpoint, fields):
    msg = service.send(app)
    service.until(app, msg, endpoint, "delivered")
    svix = service.svix(access(service, app, **fields).token)
    assert svix.endpoint.get(app, endpoint).id == endpoint
    assert svix.message_attempt.list_by_msg(app, msg).data
    refused(lambda: svix.endpoint.get_secret(app, endpoint), 403)
    refused(lambda: svix.endpoint.patch(app, endpoint, EndpointPatch(disabled=True)), 403)
    refused(lambda: svix.endpoint.create(app, EndpointIn(url="http://127.0.0.1:1/x")), 403)
    refused(lambda: svix.message_attempt.resend(app, msg, endpoint), 403)
    assert service.svix().endpoint.get(app, endpoint).disabled is False


@pytest.mark.parametrize(
    "capability, secret, rotate, attempts, manage",
    [
        (AppPortalCapability.VIEW_ENDPOINT_SECRET, 200, 403, 403, 403),
        (AppPortalCapability.MANAGE_ENDPOINT_SECRET, 200, 200, 403, 403),
        (AppPortalCapability.CREATE_ATTEMPTS, 403, 403, 202, 403),
        (AppPortalCapability.MANAGE_ENDPOINT, 200, 200, 403, 200),
        (AppPortalCapability.MANAGE_TRANSFORMATIONS, 403, 403, 403, 403),
    ],
    ids=str,
)
def test_each_capability_opens_its_routes(
    service, app, endpoint, capability, secret, rotate, attempts, manage
):
    token = access(
        service, app, capabilities=[AppPortalCapability.VIEW_BASE, capability]
    ).token
    path = f"/app/{app}/endpoint/{endpoint}"
    since = {"since": "2026-01-01T00:00:00Z"}
    assert service.get(path + "/secret", token=token).status == secret
    status = service.post(path + "/secret/rotate", {}, token=token).status
    assert (200 if status == 204 else status) == rotate
    assert service.post(path + "/recover", since, token=token).status == attempts
    assert service.call("PATCH", path, {"description": "x"}, token=token).status == manage
    assert service.get(path, token=token).status == 200


def test_a_token_sees_the_event_types_of_its_flags(service, app):
    types = service.svix().event_type
    types.create(EventTypeIn(name="open", description=""))
    types.create(EventTypeIn(name="beta", description="", feature_flags=["beta"]))
    flagged = service.svix(access(service, app, feature_flags=["beta"]).token)
    assert [t.name for t in flagged.event_type.list().data] == ["beta", "open"]
    plain = service.svix(access(service, app).token)
    assert [t.name for t in plain.event_type.list().data] == ["open"]


def test_the_application_is_made_when_it_is_missing(service):
    described = ApplicationIn(name="Shop", metadata={"tier": "gold"})
    token = access(service, "shop", application=described).token
    made = service.svix(token).application.get("shop")
    assert (made.name, made.uid, made.metadata) == ("Shop", "shop", {"tier": "gold"})
    token = access(service, "shop", application=ApplicationIn(name="Other", uid="x")).token
    assert service.svix(token).application.get("shop") == made
    refused(lambda: access(service, "none"), 404)
    with pytest.raises(HTTPValidationError) as refusal:
        access(service, "none", application=ApplicationIn(name="Other", uid="x"))
    assert refusal.value.detail[0].loc == ["body", "application", "uid"]
    assert [a.id for a in service.svix().application.list().data] == [made.id]


def test_logout_ends_the_token_and_no_other(service, app):
    first, second = (access(service, app).token for _ in range(2))
    service.svix(first).authentication.logout()
    refused(lambda: service.svix(first).application.get(app), 401)
    refused(lambda: service.svix(first).authentication.logout(), 401)
    assert service.svix(second).application.get(app).id == app
    refused(lambda: service.svix().authentication.logout(), 403)
    key = service.post("/key", {"scope": "app", "name": "k", "appId": app}).json()["token"]
    refused(lambda: service.svix(key).authentication.logout(), 403)
    assert service.get(f"/app/{app}", token=key).status == 200


def test_expire_all_ends_the_tokens_of_an_application(service, app):
    other = service.new_app()
    mine = [access(service, app).token for _ in range(3)]
    theirs = access(service, other).token
    service.svix().authentication.expire_all(app, ApplicationTokenExpireIn())
    for token in mine:
        assert service.get(f"/app/{app}", token=token).status == 401
    assert service.get(f"/app/{other}", token=theirs).status == 200
    assert service.get(f"/app/{app}", token=access(service, app).token).status == 200


def test_expire_all_may_name_sessions_and_wait(service, app):
    tokens = {s: access(service, app, session_id=s).token for s in ("a", "b", "c")}
    tokens[None] = access(service, app).token
    good = lambda s: service.get(f"/app/{app}", token=tokens[s]).status == 200
    expire = service.svix().authentication.expire_all
    expire(app, ApplicationTokenExpireIn(session_ids=["a", "unknown"]))
    assert [good(s) for s in ("a", "b", "c", None)] == [False, True, True, True]
    expire(app, ApplicationTokenExpireIn(session_ids=["b"], expiry=1))
    assert good("b")
    eventually(lambda: not good("b"))
    assert good("c") and good(None)
    expire(app, ApplicationTokenExpireIn(expiry=3600))
    assert good("c") and good(None)


def test_tokens_survive_a_restart_and_end_with_their_application(service, app):
    token = access(service, app).token
    service.kill()
    service.start()
    assert service.get("/event-type", token=token).status == 200
    service.svix().application.delete(app)
    assert service.get("/event-type", token=token).status == 401


def test_the_older_name_serves_too(service, app):
    given = service.post(f"/auth/dashboard-access/{app}").json()
    assert service.get(f"/app/{app}", token=given["token"]).status == 200


def test_a_token_that_was_changed_is_none(service, app):
    token = access(service, app).token
    other = service.new_app()
    head, secret = parts(token)
    forged = [
        token[:-1],
        token + "A",
        f"{head}_",
        head,
        f"shp_{other[4:]}_{secret}",
        "shp_",
        token.replace("shp_", "sh_"),
    ]
    for text in forged:
        assert service.get("/event-type", token=text).status == 401, text


@pytest.mark.parametrize(
    "body, where",
    [
        ({"expiry": 3599}, ["expiry"]),
        ({"expiry": 604801}, ["expiry"]),
        ({"expiry": "1h"}, ["expiry"]),
        ({"readOnly": "yes"}, ["readOnly"]),
        ({"capabilities": []}, ["capabilities"]),
        ({"capabilities": ["ManageEndpoint"]}, ["capabilities"]),
        ({"capabilities": ["ViewBase", "Everything"]}, ["capabilities"]),
        ({"featureFlags": ["a b"]}, ["featureFlags", 0]),
        ({"featureFlags": ["x" * 200 + c for c in "abc"]}, ["featureFlags"]),
        ({"sessionId": ""}, ["sessionId"]),
        ({"application": {"name": ""}}, ["application", "name"]),
        ({"application": {"name": "a", "uid": "a b"}}, ["application", "uid"]),
        ({"application": []}, ["application"]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_wishes_are_refused(service, app, body, where):
    reply = service.post(f"/auth/app-portal-access/{app}", body)
    assert (reply.status, reply.json()["detail"][0]["loc"]) == (422, ["body", *where])


@pytest.mark.parametrize(
    "body", [{"expiry": -1}, {"expiry": 604801}, {"sessionIds": [1]}, {"sessionIds": [""]}], ids=str
)
def test_bad_ends_are_refused(service, app, body):
    token = access(service, app).token
    assert service.post(f"/auth/app/{app}/expire-all", body).status == 422
    assert service.get(f"/app/{app}", token=token).status == 200


def test_a_type_behind_a_flag_cannot_be_subscribed_to_without_it(service, app):
    service.post("/event-type", {"name": "new", "description": "", "featureFlag": "beta"})
    token = lambda **body: service.post(f"/auth/app-portal-access/{app}", body).json()["token"]
    without, having = token(), token(featureFlags=["beta"])
    body = {"url": "http://127.0.0.1:1/", "filterTypes": ["new"]}
    refused = service.post(f"/app/{app}/endpoint", body, token=without)
    assert (refused.status, refused.json()["detail"][0]["loc"]) == (422, ["body", "filterTypes", 0])
    made = service.post(f"/app/{app}/endpoint", body, token=having)
    assert made.status == 201
    path = f"/app/{app}/endpoint/{made.json()['id']}"
    assert service.call("PUT", path, body, token=without).status == 200, "what is there may stay"
