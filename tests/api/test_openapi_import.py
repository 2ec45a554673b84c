"""Event types from the webhooks of an OpenAPI description."""

import json

import pytest
import yaml
from jsonschema import Draft202012Validator
from svix.api import EventTypeImportOpenApiIn, EventTypeIn, EventTypeListOptions
from svix.exceptions import HttpError

ORDER = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
        "parent": {"$ref": "#/components/schemas/Order"},
    },
    "required": ["id"],
}
LINE = {"type": "object", "properties": {"price": {"$ref": "#/components/schemas/Line/$defs/Money"}},
        "$defs": {"Money": {"type": "number", "minimum": 0}}}


def webhook(schema, **operation):
    body = {"content": {"application/json; charset=utf-8": {"schema": schema}}}
    return {"post": {"requestBody": body, "responses": {"200": {"description": ""}}, **operation}}


SPEC = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "webhooks": {
        "order.placed": webhook({"$ref": "#/components/schemas/Order"}, description="An order was placed"),
        "order.gone": webhook({"type": "object"}, summary="Gone", deprecated=True),
        "ping": {"$ref": "#/components/pathItems/Ping"},
    },
    "components": {
        "schemas": {"Order": ORDER, "Line": LINE},
        "pathItems": {"Ping": {"description": "A ping", "get": {}}},
    },
}


def send(service, **fields):
    return service.svix().event_type.import_openapi(EventTypeImportOpenApiIn(**fields)).data


def types(service):
    options = EventTypeListOptions(include_archived=True, with_content=True)
    return {t.name: t for t in service.svix().event_type.list(options).data}


def test_webhooks_become_event_types(service):
    assert sorted(send(service, spec=SPEC).modified) == ["order.gone", "order.placed", "ping"]
    found = types(service)
    assert {n: (t.description, t.deprecated) for n, t in found.items()} == {
        "order.placed": ("An order was placed", False),
        "order.gone": ("Gone", True),
        "ping": ("A ping", False),
    }
    assert found["ping"].schemas is None
    assert found["order.gone"].schemas == {"1": {"type": "object"}}


def test_a_schema_stands_alone_and_means_the_same(service):
    send(service, spec=SPEC)
    schema = types(service)["order.placed"].schemas["1"]
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"id": "1", "lines": [{"price": 1}], "parent": {"id": "0"}})
    assert not validator.is_valid({"id": "1", "lines": [{"price": -1}]})
    assert not validator.is_valid({"id": "1", "parent": {"parent": {}}})
    assert not validator.is_valid({})


@pytest.mark.parametrize("text", [json.dumps(SPEC), yaml.safe_dump(SPEC, sort_keys=False)], ids=["json", "yaml"])
def test_the_text_may_be_json_or_yaml(service, text):
    send(service, spec=SPEC)
    before = types(service)
    assert send(service, spec_raw=text).modified == []
    assert types(service) == before


def test_the_older_section_serves_too(service):
    old = {"openapi": "3.0.3", "x-webhooks": {"a.b": {"post": {"description": "d"}}}}
    assert send(service, spec=old).modified == ["a.b"]


def test_a_dry_run_changes_nothing_and_says_what_would(service):
    service.svix().event_type.create(EventTypeIn(name="other", description="o"))
    service.svix().event_type.create(
        EventTypeIn(name="order.gone", description="old", group_name="orders", feature_flags=["beta"])
    )
    before = types(service)
    out = send(service, spec=SPEC, dry_run=True, replace_all=True)
    assert out.modified == []
    assert sorted(t.name for t in out.to_modify) == ["order.gone", "order.placed", "other", "ping"]
    gone = next(t for t in out.to_modify if t.name == "order.gone")
    assert (gone.description, gone.group_name, gone.feature_flags) == ("Gone", "orders", ["beta"])
    assert types(service) == before
    raw = service.post("/event-type/import/openapi", {"spec": SPEC, "dryRun": True, "replaceAll": True})
    assert [t["name"] for t in raw.json()["data"]["to_modify"] if t["archived"]] == ["other"]


def test_what_the_description_cannot_say_stays(service):
    service.svix().event_type.create(
        EventTypeIn(name="ping", description="x", group_name="g", feature_flags=["f"], archived=True)
    )
    assert "ping" in send(service, spec=SPEC).modified
    ping = types(service)["ping"]
    assert (ping.description, ping.group_name, ping.feature_flags, ping.archived) == ("A ping", "g", ["f"], False)


def test_replacing_all_archives_what_is_not_named(service):
    for name in ("old.one", "old.two"):
        service.svix().event_type.create(EventTypeIn(name=name, description="x"))
    out = send(service, spec=SPEC, replace_all=True)
    assert sorted(out.modified) == ["old.one", "old.two", "order.gone", "order.placed", "ping"]
    assert {n for n, t in types(service).items() if t.archived} == {"old.one", "old.two"}
    assert send(service, spec=SPEC, replace_all=True).modified == []


@pytest.mark.parametrize("target", ["text", 1, None, [], True, {"$ref": "#/x"}], ids=str)
def test_references_to_values_of_another_kind_harm_nobody(service, target):
    here = {"$ref": "#/x"}
    media = {"application/json": here}
    for hook in (here, {"post": here}, {"post": {"requestBody": here}},
                 {"post": {"requestBody": {"content": here}}},
                 {"post": {"requestBody": {"content": media}}},
                 {"post": {"requestBody": {"content": {"application/json": {"schema": here}}}}}):  # fmt: skip
        body = {"spec": {"openapi": "3.1.0", "x": target, "webhooks": {"a": hook}}, "dryRun": True}
        assert service.post("/event-type/import/openapi", body).status in (200, 422)


def test_exactly_one_form_must_be_given(service):
    for fields in ({}, {"spec": SPEC, "spec_raw": "{}"}):
        with pytest.raises(HttpError) as refusal:
            send(service, **fields)
        assert refusal.value.status_code == 400


def spec(**webhooks):
    return {"openapi": "3.1.0", "webhooks": {"good": {"post": {"description": "g"}}, **webhooks}}


REF = "#/components/schemas/No"
ALIAS = "openapi: 3.1.0\nx: &a [1]\nwebhooks: *a\n"


@pytest.mark.parametrize(
    "body, where",
    [
        ({"spec": []}, ["spec"]),
        ({"spec": {}}, ["spec", "openapi"]),
        ({"spec": {"openapi": "2.0"}}, ["spec", "openapi"]),
        ({"spec": {"swagger": "2.0"}}, ["spec", "openapi"]),
        ({"spec": {"openapi": "3.1.0"}}, ["spec", "webhooks"]),
        ({"spec": {"openapi": "3.1.0", "webhooks": []}}, ["spec", "webhooks"]),
        ({"spec": spec(bad=1)}, ["spec", "webhooks", "bad"]),
        ({"spec": spec(**{"a b": {}})}, ["spec", "webhooks", "a b"]),
        ({"spec": spec(**{"a.b": {"$ref": "#/no"}})}, ["spec", "webhooks", "a.b", "$ref"]),
        ({"spec": spec(loop={"$ref": "#/webhooks/loop"})}, ["spec", "webhooks", "loop", "$ref"]),
        ({"spec": spec(bad=webhook({"$ref": REF}))}, ["spec", "webhooks", "bad"]),
        ({"spec": spec(bad=webhook({"$ref": "other.json#/a"}))}, ["spec", "webhooks", "bad"]),
        ({"spec": spec(bad=webhook({"items": {"type": "text"}}))}, ["spec", "webhooks", "bad", "items", "type"]),
        ({"spec": spec(bad={"post": {"description": "x" * 4097}})}, ["spec", "webhooks", "bad", "description"]),
        ({"specRaw": "{"}, ["specRaw"]),
        ({"specRaw": "just words"}, ["specRaw"]),
        ({"specRaw": ALIAS}, ["specRaw"]),
        ({"specRaw": "a: 1\na: 2"}, ["specRaw"]),
        ({"specRaw": "openapi: 3.1.0\nwebhooks: {a/b: {}}"}, ["specRaw", "webhooks", "a/b"]),
        ({"spec": SPEC, "dryRun": "yes"}, ["dryRun"]),
        ({"spec": SPEC, "replaceAll": 1}, ["replaceAll"]),
    ],
    ids=lambda value: json.dumps(value)[:70],
)
def test_what_is_wrong_is_named_and_nothing_of_it_is_stored(service, body, where):
    reply = service.post("/event-type/import/openapi", body)
    assert (reply.status, reply.json()["detail"][0]["loc"]) == (422, ["body", *where])
    assert types(service) == {}


def test_a_repeated_request_has_the_first_answer(service):
    headers = {"idempotency-key": "once"}
    answers = [service.post("/event-type/import/openapi", {"spec": SPEC}, headers=headers).json() for _ in range(2)]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("schema, where", [
    ({"type": "text"}, ["type"]),
    ({"properties": {"a.b": {"minLength": -1}}}, ["properties", "a.b", "minLength"]),
    ({"items": {"$ref": "#/definitions/no"}}, ["items", "$ref"]),
    ({"pattern": "("}, ["pattern"]),
    (1, []),
], ids=str)  # fmt: skip
def test_the_schemas_of_an_event_type_must_be_json_schemas(service, schema, where):
    body = {"name": "a", "description": "", "schemas": {"1": {}, "2.0": schema}}
    service.post("/event-type", {"name": "there", "description": ""})
    for reply in (
        service.post("/event-type", body),
        service.call("PUT", "/event-type/there", body),
        service.call("PATCH", "/event-type/there", {"schemas": body["schemas"]}),
    ):
        assert (reply.status, reply.json()["detail"][0]["loc"]) == (422, ["body", "schemas", "2.0", *where])
