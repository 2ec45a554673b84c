"""Event types behind feature flags."""

import pytest
from svix.api import EventTypeIn, EventTypePatch

from surehook import jwt

SECRET = "a secret that is long enough for anybody"
ORG = "org_2bjkzYgDPCTwDCZ1nQbWSUqqYVy"


@pytest.fixture
def types(service):
    return service.svix().event_type


def test_a_type_keeps_its_flags_in_order(service, types):
    made = types.create(EventTypeIn(name="a", description="", feature_flags=["beta", "new-ui"]))
    assert (made.feature_flags, made.feature_flag) == (["beta", "new-ui"], "beta")
    assert types.get("a") == made
    assert types.patch("a", EventTypePatch(description="b")).feature_flags == ["beta", "new-ui"]
    assert types.patch("a", EventTypePatch(feature_flags=["x"])).feature_flags == ["x"]
    assert types.patch("a", EventTypePatch(feature_flags=None)).feature_flags is None
    types.patch("a", EventTypePatch(feature_flags=["x", "y"]))
    replaced = service.call("PUT", "/event-type/a", {"description": "c"}).json()
    assert (replaced["featureFlags"], replaced["featureFlag"]) == (None, None)


def test_the_older_field_is_a_list_of_one(service):
    made = service.post("/event-type", {"name": "a", "description": "", "featureFlag": "beta"})
    assert made.json()["featureFlags"] == ["beta"]
    both = {"name": "b", "description": "", "featureFlag": "x", "featureFlags": ["y", "z"]}
    assert service.post("/event-type", both).json()["featureFlags"] == ["y", "z"]


@pytest.mark.parametrize("flags", [["a b"], [""], "a", [1], list("abcdefghijklmnopq")])
def test_bad_flags_are_refused(service, flags):
    body = {"name": "a", "description": "", "featureFlags": flags}
    reply = service.post("/event-type", body)
    assert (reply.status, reply.json()["detail"][0]["loc"][1]) == (422, "featureFlags")


def test_a_token_sees_the_types_of_its_flags(start):
    service = start(jwt_secret=SECRET)
    owner = jwt(SECRET, sub=ORG)
    types = service.svix(owner).event_type
    types.create(EventTypeIn(name="open", description=""))
    types.create(EventTypeIn(name="beta", description="", feature_flags=["beta"]))
    types.create(EventTypeIn(name="both", description="", feature_flags=["beta", "new"]))
    app = service.post("/app", {"name": "a"}, token=owner).json()["id"]

    def seen(**claims):
        token = jwt(SECRET, sub=app, org=ORG, **claims)
        listed = [t.name for t in service.svix(token).event_type.list().data]
        for name in ("open", "beta", "both"):
            status = service.get(f"/event-type/{name}", token=token).status
            assert status == (200 if name in listed else 404)
        return listed

    assert seen() == ["open"]
    assert seen(feature_flags=None) == ["open"]
    assert seen(feature_flags=["other", "be"]) == ["open"]
    assert seen(feature_flags=["new"]) == ["both", "open"]
    assert seen(feature_flags=["other", "beta"]) == ["beta", "both", "open"]
    bad = jwt(SECRET, sub=app, org=ORG, feature_flags="beta")
    assert service.get("/event-type", token=bad).status == 401
