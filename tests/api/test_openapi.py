"""/openapi.json: valid, and the same as what the service does."""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

import api_coverage
import routes
from surehook import ROOT, Service


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    service = Service(tmp_path_factory.mktemp("service"))
    reply = service.start().get("/openapi.json", api="", headers={"authorization": ""})
    service.stop()
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    return reply.json()


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_it_is_valid(document):
    assert document["openapi"] == "3.1.0"
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_it_has_every_route_with_its_scopes(document):
    described = {
        (method, path, op["operationId"], frozenset(s for o in op["security"] for s in o["token"]))
        for method, path, op in operations(document)
    }
    served = {(r.method, r.path, r.operation, r.roles or frozenset()) for r in routes.from_source()}
    assert len(served) > 50
    assert described == served


def test_every_operation_says_what_it_takes_and_answers(document):
    for method, path, op in operations(document):
        place = (method, path)
        assert op.get("summary"), place
        assert {p["name"] for p in op["parameters"] if p.get("in") == "path"} == {
            *re.findall(r"\{(\w+)\}", path)
        }, place
        assert ("requestBody" in op) == (method in ("POST", "PUT", "PATCH")), place
        answers = op["responses"]
        good = [status for status in answers if status < "300"]
        assert good, place
        assert all("content" in answers[status] for status in good if status != "204"), place
        if op["security"]:
            assert {"401", "403", "422", "503"} <= {*answers}, place
        if "{" in path:
            assert "404" in answers, place
        if method != "GET":
            assert {"409", "507"} <= {*answers}, place


def test_the_shapes_have_examples_that_follow_them(document):
    seen = 0
    for name, shape in document["components"]["schemas"].items():
        assert name == "EmptyResponse" or "properties" in shape or shape["type"] != "object", name
        for example in shape.get("examples", []):
            validator = Draft202012Validator({**shape, "components": document["components"]})
            assert [error.message for error in validator.iter_errors(example)] == [], name
            seen += 1
    assert seen > 40


def test_parameters_have_examples_that_follow_them(document):
    for method, path, op in operations(document):
        for parameter in op["parameters"]:
            if "$ref" in parameter:
                continue
            validator = Draft202012Validator(
                {**parameter["schema"], "components": document["components"]}
            )
            validator.validate(parameter["example"])


@pytest.mark.parametrize("name", ["ApplicationIn", "EndpointIn", "EventTypeIn", "MessageIn"])
def test_the_examples_are_accepted(service, app, document, name):
    service.post("/event-type", {"name": "order.placed", "description": "x"})
    path = {
        "ApplicationIn": "/app",
        "EndpointIn": f"/app/{app}/endpoint",
        "EventTypeIn": "/event-type",
        "MessageIn": f"/app/{app}/msg",
    }[name]
    example = document["components"]["schemas"][name]["examples"][0]
    if name == "EventTypeIn":
        example = {**example, "name": "order.fresh"}
    reply = service.post(path, example)
    assert reply.status in (201, 202), reply.body


def test_limits_are_those_that_are_enforced(service, document):
    """One of them, at both sides of its edge."""
    limit = document["components"]["schemas"]["ApplicationIn"]["properties"]["name"]["maxLength"]
    assert service.post("/app", {"name": "x" * limit}).status == 201
    assert service.post("/app", {"name": "x" * (limit + 1)}).status == 422


def test_it_names_no_secret(service):
    assert service.token not in json.dumps(service.get("/openapi.json", api="").json())


def test_the_coverage_page_is_current(document):
    """Computed from the installed SDK: what it can call, and what of that is there."""
    file = ROOT / "docs/api-coverage.md"
    page = api_coverage.page(document)
    if os.environ.get("SUREHOOK_UPDATE_DOCS"):
        file.write_text(page)
    assert file.read_text() == page, "stale: see its first lines"


def test_the_coverage_sees_the_whole_sdk():
    """An SDK that sends its requests in another way would make the page empty, not the test red."""
    operations = api_coverage.sdk_operations()
    assert len(operations) > 100
    create = next(o for o in operations if (o.group, o.name) == ("Message", "create"))
    assert (create.method, create.path) == ("POST", "/api/v1/app/{app_id}/msg")
    assert "with_content" in create.parameters and "eventType" in create.members


class Page(HTMLParser):
    """The inline texts of a page, and whatever it would load."""

    def __init__(self, text):
        super().__init__()
        self.inline, self.loads, self.tag = {}, [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tag = tag
        self.loads += [pair for pair in attributes if pair[0] in ("src", "href", "style")]
        self.loads += [pair for pair in attributes if pair[0].startswith("on")]

    def handle_data(self, data):
        if self.tag in ("script", "style"):
            assert self.tag not in self.inline
            self.inline[self.tag] = data

    def handle_endtag(self, tag):
        self.tag = None


def digest(text):
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_the_page_loads_nothing_and_may_run_only_what_it_has(service):
    reply = service.get("/docs", api="", headers={"authorization": ""})
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    text = reply.body.decode()
    page = Page(text)
    assert page.loads == []
    assert "//" not in text and "innerHTML" not in text
    parts = reply.headers["content-security-policy"].split(";")
    policy = dict(part.strip().split(" ", 1) for part in parts)
    assert policy == {
        "default-src": "'none'",
        "connect-src": "'self'",
        "script-src": f"'sha256-{digest(page.inline['script'])}'",
        "style-src": f"'sha256-{digest(page.inline['style'])}'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


@pytest.mark.skipif(not shutil.which("node"), reason="the page's script needs node to run")
def test_the_page_shows_every_operation_and_shape(service, document):
    script = Page(service.get("/docs", api="").body.decode()).inline["script"]
    ran = subprocess.run(
        ["node", ROOT / "tests/api/render.js"],
        input=json.dumps({"script": script, "description": document}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    shown = ran.stdout
    names = [op["operationId"] for _, _, op in operations(document)]
    names += document["components"]["schemas"]
    assert [name for name in names if f"#{name}=" not in shown] == []
    links = {name for name in re.findall(r"@([\w.]+)=", shown)}
    assert links <= {*names}, "links lead nowhere"
    for method, path, op in operations(document):
        assert f"{method} {path}\n" in shown
        assert op["summary"] in shown
    assert "undefined" not in shown and "[object" not in shown
