"""Pages of other origins: the wire is tested in tests/http; this is about the option."""

ORIGIN = {"origin": "https://page.example"}
ASK = {**ORIGIN, "access-control-request-method": "PATCH", "authorization": ""}


def test_a_page_may_call_when_the_option_says_so(start):
    service = start(cors="true")
    app = service.new_app()
    asked = service.call("OPTIONS", f"/app/{app}", headers=ASK)
    assert (asked.status, asked.body) == (204, b"")
    assert "PATCH" in asked.headers["access-control-allow-methods"].split(", ")
    assert "authorization" in asked.headers["access-control-allow-headers"]
    reply = service.call("PATCH", f"/app/{app}", {"name": "New"}, headers=ORIGIN)
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, "*")
    refused = service.get(f"/app/{app}", headers={**ORIGIN, "authorization": ""})
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (401, "*")


def test_by_default_no_page_may(service, app):
    asked = service.call("OPTIONS", f"/app/{app}", headers=ASK)
    assert asked.status == 405
    for reply in (asked, service.get(f"/app/{app}", headers=ORIGIN)):
        assert not [n for n in reply.headers if n.lower().startswith("access-control")]
