"""API keys through the API (ours): scopes, secrecy, revocation."""

import pytest

URL = "https://example.com/hook"


def make(service, scope, **fields):
    reply = service.post("/key", {"scope": scope, **fields})
    assert reply.status == 201, reply.body
    return reply.json()


def test_the_token_is_shown_once(service):
    made = make(service, "ingest", name="producer")
    assert made["token"].startswith("sh_")
    listed = service.get("/key")
    assert made["token"].encode() not in listed.body
    assert made["id"] in [key["id"] for key in listed.json()["data"]]
    service.stop()
    assert made["token"] not in service.log.read_text()
    for file in service.data.iterdir():
        if file.is_file():
            assert made["token"].encode() not in file.read_bytes(), file


@pytest.mark.parametrize(
    "scope, allowed",
    [("admin", "rwism"), ("ingest", "i"), ("read", "r")],
)
def test_scopes(service, app, scope, allowed):
    token = make(service, scope)["token"]
    msg = service.send(app)
    endpoint = service.post(f"/app/{app}/endpoint", {"url": URL}).json()["id"]
    requests = {
        "r": [("GET", "/app", None), ("GET", f"/app/{app}/msg/{msg}", None)],
        "w": [("POST", "/app", {"name": "x"}), ("POST", f"/app/{app}/endpoint", {"url": URL})],
        "i": [("POST", f"/app/{app}/msg", {"eventType": "e", "payload": {}})],
        "s": [("GET", f"/app/{app}/endpoint/{endpoint}/secret", None)],
        "m": [("GET", "/key", None), ("POST", "/key", {"scope": "read"})],
    }
    for kind, calls in requests.items():
        for method, path, body in calls:
            reply = service.call(method, path, body, token=token)
            if kind in allowed:
                assert reply.status < 300, (kind, path, reply.body)
            else:
                assert reply.status == 403, (kind, path, reply.body)
                assert reply.json()["code"] == "insufficient_access"


def test_an_application_s_key_sees_its_application_alone(service):
    mine, other = service.new_app(), service.new_app()
    token = make(service, "app", appId=mine)["token"]
    msg = service.send(mine)
    made = service.post(f"/app/{mine}/endpoint", {"url": URL}, token=token)
    assert made.status == 201
    endpoint = made.json()["id"]
    assert service.get(f"/app/{mine}", token=token).status == 200
    assert service.get(f"/app/{mine}/msg/{msg}", token=token).status == 200
    assert service.get(f"/app/{mine}/endpoint/{endpoint}/secret", token=token).status == 200
    assert service.get(f"/app/{other}", token=token).status == 404
    assert service.get(f"/app/{other}/endpoint", token=token).status == 404
    assert service.get("/app", token=token).status == 403
    assert service.post("/app", {"name": "x"}, token=token).status == 403
    assert service.call("DELETE", f"/app/{mine}", token=token).status == 403
    assert service.get("/key", token=token).status == 403


@pytest.mark.parametrize("restart", [False, True])
def test_a_revoked_key_is_refused(service, restart):
    made = make(service, "admin")
    assert service.get("/app", token=made["token"]).status == 200
    assert service.call("DELETE", f"/key/{made['id']}").status == 204
    if restart:
        service.stop()
        service.start()
    assert service.get("/app", token=made["token"]).status == 401
    assert service.get("/app").status == 200


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"scope": "root"},
        {"scope": "app"},
        {"scope": "app", "appId": "app_2bjkzYgDPCTwDCZ1nQbWSUqqYVy"},
        {"scope": "read", "appId": "x"},
        {"scope": "read", "name": "x" * 64},
    ],
    ids=str,
)
def test_bad_fields_are_refused(service, fields):
    assert service.post("/key", fields).status == 422


def test_a_repeated_creation_makes_one_key_and_does_not_repeat_its_token(service):
    headers = {"idempotency-key": "make-key"}
    first = service.post("/key", {"scope": "read"}, headers=headers).json()
    again = service.post("/key", {"scope": "read"}, headers=headers).json()
    assert first["id"] == again["id"]
    assert first["token"] and again["token"] is None
