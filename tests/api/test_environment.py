"""An organisation's configuration as one document: out of one service, into another."""

import json

import pytest
from svix.api import EnvironmentIn, EventTypeIn, EventTypeListOptions

from surehook import jwt

SECRET = "a secret that is long enough for anybody"
SCHEMA = {"1": {"type": "object", "properties": {"n": {"type": "integer"}}}}


def listed(service, token=None):
    options = EventTypeListOptions(include_archived=True, with_content=True, limit=250)
    return service.svix(token).event_type.list(options).data


def plain(types):
    """Without what differs between two services."""
    keep = ("name", "description", "archived", "deprecated", "schemas", "group_name", "feature_flags")
    return [{name: getattr(t, name) for name in keep} for t in types]


def test_what_is_exported_can_be_imported_elsewhere(start):
    one, two = start(), start()
    svix = one.svix()
    svix.event_type.create(EventTypeIn(name="a", description="A", schemas=SCHEMA, group_name="g"))
    svix.event_type.create(EventTypeIn(name="b", description="B", feature_flags=["beta", "two"]))
    svix.event_type.create(EventTypeIn(name="c", description="C", archived=True, deprecated=True))
    out = svix.environment.export()
    assert [t.name for t in out.event_types] == ["a", "b", "c"]
    assert (out.version, out.settings, out.connectors) == (1, {}, [])
    raw = one.post("/environment/export")
    assert (raw.status, two.post("/environment/import", raw.body).status) == (200, 204)
    assert plain(listed(two)) == plain(listed(one))


def test_an_import_adds_and_updates_and_deletes_nothing(service):
    svix = service.svix()
    svix.event_type.create(EventTypeIn(name="kept", description="kept"))
    svix.event_type.create(EventTypeIn(name="old", description="old", archived=True))
    types = [EventTypeIn(name="new", description="n", schemas=SCHEMA), EventTypeIn(name="old", description="o")]
    svix.environment.import_(EnvironmentIn(event_types=types))
    found = {t.name: t for t in listed(service)}
    assert [*found] == ["kept", "new", "old"]
    assert (found["old"].description, found["old"].archived, found["new"].schemas) == ("o", False, SCHEMA)


def test_a_repeated_import_changes_nothing(service):
    wish = EnvironmentIn(event_types=[EventTypeIn(name="a", description="A", schemas=SCHEMA)])
    service.svix().environment.import_(wish)
    before = listed(service)
    service.svix().environment.import_(wish)
    assert listed(service) == before
    service.kill()
    service.start()
    assert listed(service) == before


def test_more_than_a_page_goes_both_ways(start):
    service, other = start(), start()
    types = [{"name": f"type.{i:04}", "description": "x" * 100} for i in range(1000)]
    assert service.post("/environment/import", {"eventTypes": types}).status == 204
    out = service.post("/environment/export").json()
    assert [t["name"] for t in out["eventTypes"]] == [t["name"] for t in types]
    assert other.post("/environment/import", out).status == 204
    assert len(other.post("/environment/export").json()["eventTypes"]) == 1000


GOOD = {"name": "good", "description": "g"}


@pytest.mark.parametrize(
    "body, where",
    [
        ({"settings": {"customColor": "red"}}, ["settings", "customColor"]),
        ({"settings": 1}, ["settings"]),
        ({"connectors": [{"name": "c"}]}, ["connectors", 0]),
        ({"connectors": {}}, ["connectors"]),
        ({"transformationTemplates": [{}]}, ["transformationTemplates", 0]),
        ({"eventTypes": {}}, ["eventTypes"]),
        ({"eventTypes": [GOOD, 1]}, ["eventTypes", 1]),
        ({"eventTypes": [GOOD, {"description": "x"}]}, ["eventTypes", 1, "name"]),
        ({"eventTypes": [GOOD, {"name": "a b", "description": "x"}]}, ["eventTypes", 1, "name"]),
        ({"eventTypes": [GOOD, {"name": "x"}]}, ["eventTypes", 1, "description"]),
        ({"eventTypes": [GOOD, GOOD]}, ["eventTypes", 1, "name"]),
        ({"eventTypes": [GOOD, {**GOOD, "name": "x", "archived": "no"}]}, ["eventTypes", 1, "archived"]),
        ({"eventTypes": [GOOD, {**GOOD, "name": "x", "featureFlags": ["a b"]}]},
         ["eventTypes", 1, "featureFlags", 0]),
        ({"eventTypes": [GOOD, {**GOOD, "name": "x", "schemas": {"1": {"properties": {"a.b": 1}}}}]},
         ["eventTypes", 1, "schemas", 1, "properties", "a.b"]),
        ({"eventTypes": [{**GOOD, "name": f"n{i}"} for i in range(1001)]}, ["eventTypes"]),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_what_is_wrong_is_named_and_nothing_of_it_is_stored(service, body, where):
    reply = service.post("/environment/import", body)
    assert (reply.status, reply.json()["detail"][0]["loc"]) == (422, ["body", *where])
    assert listed(service) == []


def test_what_we_do_not_have_may_be_empty(service):
    body = {"settings": {"a": None}, "connectors": [], "eventTypes": None, "version": 7}
    assert service.post("/environment/import", body).status == 204


def test_an_import_is_of_one_organisation(start):
    service = start(jwt_secret=SECRET)
    token = jwt(SECRET, sub="org_2bjkzYgDPCTwDCZ1nQbWSUqqYVy")
    service.svix().environment.import_(EnvironmentIn(event_types=[EventTypeIn(name="a", description="mine")]))
    service.svix(token).environment.import_(EnvironmentIn(event_types=[EventTypeIn(name="a", description="theirs")]))
    assert [t.description for t in listed(service)] == ["mine"]
    assert [t.description for t in listed(service, token)] == ["theirs"]
