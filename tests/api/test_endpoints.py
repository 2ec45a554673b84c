"""/app/{app}/endpoint, its secret and headers."""

import base64

import pytest
from svix.api import (
    EndpointHeadersIn,
    EndpointHeadersPatchIn,
    EndpointIn,
    EndpointListOptions,
    EndpointPatch,
    EndpointUpsertIn,
)
from svix.api.errors.http_error import HttpError

from receivers import Answer, ed25519_secret, hmac_secret
from surehook import eventually

URL = "https://example.com/hook"


@pytest.fixture
def endpoints(service):
    return service.svix().endpoint


def test_create_and_get(service, endpoints, app):
    service.post("/event-type", {"name": "a.b", "description": ""})
    wish = EndpointIn(
        url=URL,
        uid="main",
        description="The one",
        event_types=["a.b"],
        channels=["red", "blue"],
        metadata={"k": "v"},
        disabled=True,
    )
    made = endpoints.create(app, wish)
    assert made.id.startswith("ep_")
    for name in ("url", "uid", "description", "event_types", "channels", "metadata", "disabled"):
        assert getattr(made, name) == getattr(wish, name), name
    assert endpoints.get(app, made.id) == made
    assert endpoints.get(app, "main") == made


def test_both_generations_of_names_are_read_and_shown(service, app):
    service.post("/event-type", {"name": "a.b", "description": ""})
    old = service.post(f"/app/{app}/endpoint", {"url": URL, "filterTypes": ["a.b"]}).json()
    new = service.post(f"/app/{app}/endpoint", {"url": URL, "eventTypes": ["a.b"]}).json()
    assert old["filterTypes"] == old["eventTypes"] == new["filterTypes"] == new["eventTypes"] == ["a.b"]
    for name in ("filterTypes", "eventTypes"):
        made = service.post(f"/app/{app}/endpoint", {"url": URL, name: ["a.b"]}).json()
        cleared = service.call("PATCH", f"/app/{app}/endpoint/{made['id']}", {name: None}).json()
        assert cleared["filterTypes"] is None
        assert cleared["eventTypes"] is None


@pytest.mark.parametrize(
    "given, stored",
    [
        ("HTTPS://EXAMPLE.com", "https://example.com/"),
        ("https://example.com:8443/a?b=c", "https://example.com:8443/a?b=c"),
        ("http://example.com/A/B", "http://example.com/A/B"),
    ],
)
def test_urls_are_stored_normalised(service, app, given, stored):
    assert service.post(f"/app/{app}/endpoint", {"url": given}).json()["url"] == stored


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"url": None},
        {"url": ""},
        {"url": "ftp://example.com/"},
        {"url": "file:///etc/passwd"},
        {"url": "gopher://example.com/"},
        {"url": "example.com/hook"},
        {"url": "https://"},
        {"url": "https://exa mple.com/"},
        {"url": "https://example.com/\r\nx: y"},
        {"url": "https://example.com:99999/"},
        {"url": "https://example.com/" + "x" * 3000},
        {"url": URL, "eventTypes": ["does.not.exist"]},
        {"url": URL, "eventTypes": []},
        {"url": URL, "channels": []},
        {"url": URL, "channels": [str(n) for n in range(11)]},
        {"url": URL, "channels": ["no space"]},
        {"url": URL, "uid": "ep_x"},
        {"url": URL, "secret": "whsec_short"},
        {"url": URL, "secret": "not base64 !"},
        {"url": URL, "headers": {"host": "example.com"}},
        {"url": URL, "headers": {"content-length": "5"}},
        {"url": URL, "headers": {"webhook-id": "x"}},
        {"url": URL, "headers": {"bad name": "x"}},
        {"url": URL, "headers": {"x": "a\r\nb: c"}},
        {"url": URL, "rateLimit": 65536},
        {"url": URL, "throttleRate": 0},
        {"url": URL, "throttleRate": "5"},
        {"url": URL, "throttleRate": 5, "rateLimit": 6},
        {"url": URL, "disabled": "yes"},
        {"url": URL, "metadata": {"a": None}},
    ],
    ids=str,
)
def test_bad_fields_are_refused(service, app, fields):
    reply = service.post(f"/app/{app}/endpoint", fields)
    assert reply.status == 422, reply.body
    assert reply.json()["detail"][0]["loc"][0] == "body"
    assert service.get(f"/app/{app}/endpoint").json()["data"] == []


def test_a_channel_named_twice_counts_once(service, app):
    made = service.post(f"/app/{app}/endpoint", {"url": URL, "channels": ["a", "a"]})
    assert made.json()["channels"] == ["a"]


def test_https_only_by_option(start):
    service = start(endpoint_https_only="true")
    app = service.new_app()
    assert service.post(f"/app/{app}/endpoint", {"url": "http://example.com/"}).status == 422
    assert service.post(f"/app/{app}/endpoint", {"url": URL}).status == 201


def test_put_creates_and_replaces_but_keeps_the_secret_and_headers(endpoints, app):
    secret = hmac_secret()
    made = endpoints.create(
        app,
        EndpointIn(url=URL, uid="main", secret=secret, description="x", headers={"x-a": "1"}),
    )
    replaced = endpoints.upsert(app, "main", EndpointUpsertIn(url=URL + "/2"))
    assert (replaced.id, replaced.url, replaced.description) == (made.id, URL + "/2", "")
    assert endpoints.get_secret(app, "main").key == secret
    assert endpoints.get_headers(app, "main").headers == {"x-a": "1"}
    fresh = endpoints.upsert(app, "other", EndpointUpsertIn(url=URL))
    assert fresh.uid == "other"
    assert fresh.id != made.id


def test_patch_is_three_state(service, endpoints, app):
    made = endpoints.create(app, EndpointIn(url=URL, uid="main", channels=["red"], description="d"))
    patched = endpoints.patch(app, "main", EndpointPatch(url=URL + "/2"))
    assert (patched.url, patched.channels, patched.description) == (URL + "/2", ["red"], "d")
    patched = endpoints.patch(app, made.id, EndpointPatch(channels=None))
    assert patched.channels is None
    assert patched.uid == "main"
    patched = endpoints.patch(app, made.id, EndpointPatch(uid=None))
    assert patched.uid is None
    assert service.call("PATCH", f"/app/{app}/endpoint/{made.id}", {"url": None}).status == 422


def test_lists_are_newest_first_and_page_both_ways(endpoints, app):
    ids = [endpoints.create(app, EndpointIn(url=URL)).id for _ in range(5)]
    page = endpoints.list(app, EndpointListOptions(limit=2))
    assert [e.id for e in page.data] == [ids[4], ids[3]]
    page = endpoints.list(app, EndpointListOptions(limit=2, iterator=page.iterator))
    assert [e.id for e in page.data] == [ids[2], ids[1]]
    back = endpoints.list(app, EndpointListOptions(limit=2, iterator=page.prev_iterator))
    assert [e.id for e in back.data] == [ids[4], ids[3]]
    ascending = endpoints.list(app, EndpointListOptions(order="ascending"))
    assert [e.id for e in ascending.data] == ids
    assert ascending.done


def test_an_endpoint_belongs_to_its_application(service, endpoints, app):
    made = endpoints.create(app, EndpointIn(url=URL, uid="main"))
    other = service.new_app()
    for ref in (made.id, "main"):
        assert service.get(f"/app/{other}/endpoint/{ref}").status == 404
        assert service.call("DELETE", f"/app/{other}/endpoint/{ref}").status == 404
    assert endpoints.create(other, EndpointIn(url=URL, uid="main")).id != made.id


def test_a_uid_is_taken_once(endpoints, app):
    first = endpoints.create(app, EndpointIn(url=URL, uid="main"))
    with pytest.raises(HttpError) as refused:
        endpoints.create(app, EndpointIn(url=URL, uid="main"))
    assert refused.value.status_code == 409
    endpoints.delete(app, first.id)
    endpoints.create(app, EndpointIn(url=URL, uid="main"))


def test_secrets_are_shown_by_their_own_route_alone(service, app):
    secret = hmac_secret()
    made = service.post(f"/app/{app}/endpoint", {"url": URL, "secret": secret})
    path = f"/app/{app}/endpoint/{made.json()['id']}"
    answers = [made, service.get(path), service.get(f"/app/{app}/endpoint")]
    answers.append(service.call("PATCH", path, {"description": "x"}))
    for answer in answers:
        assert secret[6:].encode() not in answer.body
    assert service.get(path + "/secret").json() == {"key": secret}


def test_the_private_half_of_an_asymmetric_key_is_never_shown(service, app):
    secret, public = ed25519_secret()
    made = service.post(f"/app/{app}/endpoint", {"url": URL, "secret": secret})
    reply = service.get(f"/app/{app}/endpoint/{made.json()['id']}/secret")
    assert reply.json() == {"key": public}
    mismatched = "whsk_" + base64.b64encode(bytes(64)).decode()
    assert service.post(f"/app/{app}/endpoint", {"url": URL, "secret": mismatched}).status == 422


def test_headers_are_sent_and_credentials_redacted(service, endpoints, app, receiver):
    headers = {"X-Tenant": "blue", "Authorization": "Bearer hush", "X-Api-Key": "hush"}
    endpoint = service.subscribe(app, receiver, headers=headers)
    shown = endpoints.get_headers(app, endpoint)
    assert shown.headers == {"X-Tenant": "blue"}
    assert sorted(shown.sensitive) == ["Authorization", "X-Api-Key"]
    service.send(app)
    got = receiver.wait()[0].headers
    assert (got["x-tenant"], got["authorization"], got["x-api-key"]) == ("blue", "Bearer hush", "hush")


def test_headers_can_be_replaced_and_patched(service, endpoints, app, receiver):
    endpoint = service.subscribe(app, receiver, headers={"x-a": "1"})
    endpoints.set_headers(app, endpoint, EndpointHeadersIn(headers={"x-b": "2", "x-c": "3"}))
    endpoints.patch_headers(
        app, endpoint, EndpointHeadersPatchIn(headers={"x-d": "4"}, delete_headers=["x-c"])
    )
    assert endpoints.get_headers(app, endpoint).headers == {"x-b": "2", "x-d": "4"}
    service.send(app)
    got = receiver.wait()[0].headers
    assert [got.get(f"x-{c}") for c in "abcd"] == [None, "2", None, "4"]


def test_content_type_may_be_overridden(service, app, receiver):
    service.subscribe(app, receiver, headers={"Content-Type": "application/cloudevents+json"})
    service.send(app)
    assert receiver.wait()[0].headers["content-type"] == "application/cloudevents+json"


def test_credentials_in_a_url_are_refused_and_not_repeated(service, app):
    """They would be shown by every list; a header is redacted."""
    reply = service.post(f"/app/{app}/endpoint", {"url": "https://user:s3cr3t@example.com/"})
    assert reply.status == 422
    assert b"s3cr3t" not in reply.body
    service.stop()
    assert "s3cr3t" not in service.log.read_text()


def test_disabled_means_no_new_deliveries(service, endpoints, app, receiver):
    endpoint = service.subscribe(app, receiver, disabled=True)
    lost = service.send(app)
    assert service.get(f"/app/{app}/msg/{lost}/endpoint/{endpoint}").status == 404
    endpoints.patch(app, endpoint, EndpointPatch(disabled=False))
    kept = service.send(app)
    assert [d.id for d in receiver.wait()] == [kept]


def test_deleting_cancels_what_is_not_delivered(start, receiver):
    service = start(retry_schedule="1s", retry_jitter="0")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    service.subscribe(app, receiver, "/other")
    receiver.script = lambda d: Answer(500 if d.path == "/hook" else 204)
    msg = service.send(app)
    service.until(app, msg, endpoint, "retrying")
    assert service.call("DELETE", f"/app/{app}/endpoint/{endpoint}").status == 204
    assert service.get(f"/app/{app}/endpoint/{endpoint}").status == 404
    eventually(lambda: service.metric("surehook_deliveries_waiting") == 0)
    later = service.send(app)
    receiver.wait_for(lambda: any(d.id == later for d in receiver.deliveries))
    assert [d.path for d in receiver.deliveries].count("/hook") == 1
