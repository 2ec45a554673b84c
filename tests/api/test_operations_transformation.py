"""Transformations: there are none yet, and that is what is said."""

import pytest
from svix.api import EndpointTransformationIn, EndpointTransformationPatch
from svix.exceptions import HTTPValidationError


@pytest.fixture
def endpoint(service, app, receiver):
    return service.subscribe(app, receiver)


def test_reading_shows_that_there_is_none(service, app, endpoint):
    shown = service.svix().endpoint.transformation.get(app, endpoint)
    assert (shown.enabled, shown.code, shown.variables, shown.updated_at) == (False, *[None] * 3)


@pytest.mark.parametrize(
    "wish",
    [{"enabled": False}, {"enabled": None, "code": None, "variables": None}, {"variables": {}}, {}],
    ids=str,
)
def test_taking_one_back_is_done_at_once(service, app, endpoint, wish):
    svix = service.svix().endpoint
    svix.transformation.patch(app, endpoint, EndpointTransformationPatch(**wish))
    wish.pop("variables", None)
    svix.transformation_partial_update(app, endpoint, EndpointTransformationIn(**wish))
    assert svix.transformation.get(app, endpoint).enabled is False


@pytest.mark.parametrize(
    "name, value", [("enabled", True), ("code", "x => x"), ("variables", {"a": "b"})]
)
def test_making_one_is_refused_and_says_why(service, app, endpoint, name, value):
    wish = EndpointTransformationPatch(**{name: value})
    with pytest.raises(HTTPValidationError) as refusal:
        service.svix().endpoint.transformation.patch(app, endpoint, wish)
    finding = refusal.value.detail[0]
    assert (finding.loc, finding.msg) == (["body", name], "transformations are not built yet")


@pytest.mark.parametrize("name, value", [("enabled", 1), ("code", 1), ("variables", {"a": 1})])
def test_wrong_types_are_refused(service, app, endpoint, name, value):
    path = f"/app/{app}/endpoint/{endpoint}/transformation"
    reply = service.call("PATCH", path, {name: value})
    assert (reply.status, reply.json()["detail"][0]["loc"]) == (422, ["body", name])
    assert service.call("PATCH", path.replace(endpoint, "nobody"), {}).status == 404
    assert service.get(path.replace(endpoint, "nobody")).status == 404


def test_headers_of_a_message_are_sent_with_it(service, app, receiver):
    service.subscribe(app, receiver, headers={"x-a": "endpoint", "x-b": "endpoint"})
    service.send(app, transformationsParams={"headers": {"X-A": "message", "x-c": "message"}})
    service.send(app)
    first, second = receiver.wait(2)
    names = ("x-a", "x-b", "x-c")
    assert [first.headers.get(n) for n in names] == ["message", "endpoint", "message"]
    assert [second.headers.get(n) for n in names] == ["endpoint", "endpoint", None]


def test_a_raw_payload_is_sent_as_it_is(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    params = {"rawPayload": "<order n='é'/>\n", "headers": {"content-type": "text/xml"}}
    msg = service.send(app, payload=b"{}", transformationsParams=params)
    bare = service.send(app, payload=b"{}", transformationsParams={"rawPayload": "plain"})
    service.until(app, msg, endpoint, "delivered")
    service.until(app, bare, endpoint, "delivered")
    found = {d.id: d for d in receiver.deliveries}
    assert found[msg].body == "<order n='é'/>\n".encode()
    assert found[msg].headers["content-type"] == "text/xml"
    assert (found[bare].body, found[bare].headers["content-type"]) == (b"plain", "application/json")
    assert service.get(f"/app/{app}/msg/{msg}").json()["payload"] == {}


@pytest.mark.parametrize(
    "params, where",
    [
        ([], "transformationsParams"),
        ({"rawPayload": ""}, "transformationsParams.rawPayload"),
        ({"rawPayload": {}}, "transformationsParams.rawPayload"),
        ({"headers": []}, "transformationsParams.headers"),
        ({"headers": {"host": "x"}}, "transformationsParams.headers"),
        ({"headers": {"webhook-id": "x"}}, "transformationsParams.headers"),
        ({"headers": {"x-a": 1}}, "transformationsParams.headers"),
        ({"headers": {"x-a": "1", "X-A": "2"}}, "transformationsParams.headers"),
        ({"headers": {"x-a": "a\r\nb: c"}}, "transformationsParams.headers"),
        ({"headers": {"x-a": "y" * 5000}}, "transformationsParams.headers"),
        ({"other": 1}, "transformationsParams"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_parameters_are_refused(service, app, params, where):
    reply = service.try_send(app, transformationsParams=params)
    assert (reply.status, reply.json()["detail"][0]["loc"]) == (422, ["body", *where.split(".")])
    assert service.get(f"/app/{app}/msg").json()["data"] == []
