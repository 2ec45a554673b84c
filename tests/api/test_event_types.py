"""/event-type."""

import pytest
from svix.api import EventTypeIn, EventTypeListOptions, EventTypePatch, EventTypeUpsertIn
from svix.api.errors.http_error import HttpError

from surehook import jwt

SCHEMAS = {"1": {"type": "object", "properties": {"n": {"type": "integer"}}}}


@pytest.fixture
def types(service):
    return service.svix().event_type


def test_create_and_get(types):
    wish = EventTypeIn(name="user.signup", description="A user", schemas=SCHEMAS, group_name="user")
    made = types.create(wish)
    assert (made.name, made.description, made.group_name) == ("user.signup", "A user", "user")
    assert (made.archived, made.deprecated) == (False, False)
    got = types.get("user.signup")
    assert got.schemas == SCHEMAS
    assert got.created_at == made.created_at


def test_a_name_is_taken_once(types):
    types.create(EventTypeIn(name="a", description=""))
    with pytest.raises(HttpError) as refused:
        types.create(EventTypeIn(name="a", description=""))
    assert refused.value.status_code == 409


def test_put_creates_and_replaces(types):
    made = types.upsert("a.b", EventTypeUpsertIn(description="one"))
    again = types.upsert("a.b", EventTypeUpsertIn(description="two", deprecated=True))
    assert (again.description, again.deprecated, again.created_at) == ("two", True, made.created_at)


def test_patch(types):
    types.create(EventTypeIn(name="a", description="one", schemas=SCHEMAS))
    patched = types.patch("a", EventTypePatch(description="two"))
    assert (patched.description, patched.schemas) == ("two", SCHEMAS)


def test_lists_are_by_name_and_page(types):
    for name in ("c", "a", "e", "b", "d"):
        types.create(EventTypeIn(name=name, description=""))
    page = types.list(EventTypeListOptions(limit=2))
    assert [t.name for t in page.data] == ["a", "b"]
    page = types.list(EventTypeListOptions(limit=2, iterator=page.iterator))
    assert [t.name for t in page.data] == ["c", "d"]
    back = types.list(EventTypeListOptions(limit=2, iterator=page.prev_iterator))
    assert [t.name for t in back.data] == ["a", "b"]
    page = types.list(EventTypeListOptions(limit=2, iterator=page.iterator))
    assert ([t.name for t in page.data], page.done) == (["e"], True)


def test_names_that_begin_with_a_dash_are_paged_like_others(service):
    """An iterator that goes back begins with a dash, too."""
    names = ["-a", "-b", "--c", "d"]
    for name in names:
        assert service.post("/event-type", {"name": name, "description": ""}).status == 201
    seen, iterator, done = [], "", False
    while not done:
        page = service.get(f"/event-type?limit=1&iterator={iterator}").json()
        seen += [row["name"] for row in page["data"]]
        iterator, done = page["iterator"], page["done"]
    assert seen == sorted(names)
    back = service.get(f"/event-type?limit=4&iterator={page['prevIterator']}").json()
    assert [row["name"] for row in back["data"]] == sorted(names)[:-1]


def test_archived_ones_are_listed_on_request(types):
    types.create(EventTypeIn(name="old", description="", archived=True))
    types.create(EventTypeIn(name="new", description=""))
    assert [t.name for t in types.list().data] == ["new"]
    assert [t.name for t in types.list(EventTypeListOptions(include_archived=True)).data] == ["new", "old"]


def test_content_is_listed_on_request(service, types):
    types.create(EventTypeIn(name="a", description="", schemas=SCHEMAS))
    assert types.list(EventTypeListOptions(with_content=True)).data[0].schemas == SCHEMAS
    assert service.get("/event-type").json()["data"][0]["schemas"] is None


def test_delete_archives_and_expunge_removes(service, types):
    types.create(EventTypeIn(name="a", description=""))
    types.delete("a")
    assert types.get("a").archived is True
    assert service.call("DELETE", "/event-type/a?expunge=true").status == 204
    assert service.get("/event-type/a").status == 404


def test_messages_need_no_declared_type(service, app):
    service.send(app, event_type="never.declared")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": "a"},
        {"name": "", "description": ""},
        {"name": "with space", "description": ""},
        {"name": "a/b", "description": ""},
        {"name": "x" * 257, "description": ""},
        {"name": "a", "description": "", "schemas": []},
        {"name": "a", "description": 5},
    ],
    ids=str,
)
def test_bad_fields_are_refused(service, fields):
    assert service.post("/event-type", fields).status == 422


def test_event_types_belong_to_the_organisation(service):
    """Two organisations do not see each other's."""
    service.stop()
    service.start(jwt_secret="s" * 32)
    other = jwt("s" * 32, sub="org_2bjkzYgDPCTwDCZ1nQbWSUqqYVy")
    service.post("/event-type", {"name": "mine", "description": ""})
    assert service.get("/event-type/mine", token=other).status == 404
    assert service.get("/event-type", token=other).json()["data"] == []
