"""/app, as the official SDK uses it."""

import pytest
from svix.api import ApplicationIn, ApplicationListOptions, ApplicationPatch
from svix.api.errors.http_error import HttpError
from svix.api.errors.http_validation_error import HTTPValidationError


@pytest.fixture
def applications(service):
    return service.svix().application


def test_create_and_get(applications):
    wish = ApplicationIn(name="Shop", uid="shop", metadata={"plan": "gold", "é": "ü"})
    made = applications.create(wish)
    assert made.id.startswith("app_") and len(made.id) == 31
    assert (made.name, made.uid, made.metadata) == ("Shop", "shop", {"plan": "gold", "é": "ü"})
    assert made.throttle_rate is None
    assert applications.get(made.id) == made
    assert applications.get("shop") == made


def test_ids_increase(applications):
    ids = [applications.create(ApplicationIn(name=str(n))).id for n in range(10)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 10


def test_a_uid_is_taken_once_and_freed_by_deletion(applications):
    first = applications.create(ApplicationIn(name="One", uid="shop"))
    with pytest.raises(HttpError) as refused:
        applications.create(ApplicationIn(name="Two", uid="shop"))
    assert refused.value.status_code == 409
    assert refused.value.code == "conflict"
    applications.delete(first.id)
    assert applications.create(ApplicationIn(name="Two", uid="shop")).id != first.id


def test_get_or_create(service, applications):
    first = applications.get_or_create(ApplicationIn(name="One", uid="shop"))
    assert applications.get_or_create(ApplicationIn(name="Two", uid="shop")) == first
    reply = service.post("/app?get_if_exists=true", {"name": "Three", "uid": "shop"})
    assert reply.status == 200


def test_put_creates_and_replaces(service, applications):
    made = applications.upsert("shop", ApplicationIn(name="One", metadata={"a": "b"}))
    assert made.uid == "shop"
    replaced = applications.upsert("shop", ApplicationIn(name="Two"))
    assert (replaced.id, replaced.name, replaced.uid, replaced.metadata) == (made.id, "Two", "shop", {})
    assert replaced.created_at == made.created_at
    assert replaced.updated_at >= made.updated_at
    assert service.call("PUT", "/app/other", {"name": "X"}).status == 201
    assert service.call("PUT", "/app/other", {"name": "Y"}).status == 200


def test_patch_is_three_state(service, applications):
    made = applications.create(ApplicationIn(name="Shop", uid="shop", metadata={"a": "b"}))
    renamed = applications.patch("shop", ApplicationPatch(name="New"))
    assert (renamed.name, renamed.uid, renamed.metadata) == ("New", "shop", {"a": "b"})
    cleared = applications.patch(made.id, ApplicationPatch(uid=None))
    assert cleared.uid is None
    assert service.get("/app/shop").status == 404


def test_delete(service, applications):
    made = applications.create(ApplicationIn(name="Shop"))
    applications.delete(made.id)
    with pytest.raises(HttpError) as gone:
        applications.get(made.id)
    assert (gone.value.status_code, gone.value.code) == (404, "not_found")
    assert gone.value.detail == "Entity not found"
    assert service.call("DELETE", f"/app/{made.id}").status == 404
    assert service.try_send(made.id).status == 404


def test_lists_page_both_ways(applications):
    ids = [applications.create(ApplicationIn(name=str(n))).id for n in range(5)]
    page = applications.list(ApplicationListOptions(limit=2))
    assert [a.id for a in page.data] == ids[:2]
    assert not page.done
    page = applications.list(ApplicationListOptions(limit=2, iterator=page.iterator))
    assert [a.id for a in page.data] == ids[2:4]
    last = applications.list(ApplicationListOptions(limit=2, iterator=page.iterator))
    assert [a.id for a in last.data] == ids[4:]
    assert last.done and last.iterator == ids[4]
    assert last.prev_iterator == "-" + ids[4]
    back = applications.list(ApplicationListOptions(limit=2, iterator=last.prev_iterator))
    assert [a.id for a in back.data] == ids[2:4]
    descending = applications.list(ApplicationListOptions(order="descending"))
    assert [a.id for a in descending.data] == ids[::-1]


def test_an_empty_list(applications):
    page = applications.list()
    assert (page.data, page.iterator, page.done) == ([], None, True)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": ""},
        {"name": None},
        {"name": 5},
        {"name": "x", "uid": "app_x"},
        {"name": "x", "uid": "has space"},
        {"name": "x", "uid": ""},
        {"name": "x", "uid": "é"},
        {"name": "x", "uid": "u" * 257},
        {"name": "x" * 257},
        {"name": "x", "metadata": {"a": 1}},
        {"name": "x", "metadata": {"a": "b" * 5000}},
        {"name": "x", "metadata": []},
        {"name": "x", "rateLimit": -1},
        {"name": "x", "throttleRate": 65536},
        {"name": "x", "throttleRate": 1.5},
        {"name": "x", "throttleRate": 10, "rateLimit": 11},
    ],
    ids=str,
)
def test_bad_fields_are_refused(service, fields):
    reply = service.post("/app", fields)
    assert reply.status == 422
    finding = reply.json()["detail"][0]
    assert finding["loc"][0] == "body"
    assert finding["msg"] and finding["type"]


def test_the_sdk_reads_our_validation_errors(applications):
    with pytest.raises(HTTPValidationError) as refused:
        applications.create(ApplicationIn(name="x", uid="app_x"))
    assert refused.value.status_code == 422
    assert refused.value.detail[0].loc == ["body", "uid"]


@pytest.mark.parametrize("text", ["\u202e right to left", "line\nbreak", "\U0001f600"])
def test_odd_names_come_back_as_they_went(applications, text):
    made = applications.create(ApplicationIn(name=text))
    assert applications.get(made.id).name == text
    assert applications.list().data[0].name == text


def test_a_nul_in_a_name_is_refused(service):
    assert service.post("/app", {"name": "nul \0 inside"}).status == 422


def test_what_was_answered_survives_a_crash(service, applications):
    ids = [applications.create(ApplicationIn(name=str(n), uid=f"u{n}")).id for n in range(20)]
    applications.delete("u3")
    service.kill()
    service.start()
    found = service.svix().application.list()
    assert [a.id for a in found.data] == ids[:3] + ids[4:]
