"""The control socket: whatever is said to it is answered with one line of JSON, and a key is made only
as it was asked for."""

import json
import random
import socket

import pytest

VALUES = ["admin", "ingest", "read", "app", "", "x" * 63, "x" * 64, "1h", "30d", "0", "99999d", "-1", "1h1h",
          None, True, 5, 1.5, [], {}, ["admin"], {"a": "b"}, "\u00e9", "org_1srOrx2ZWZBpBUvZwXKQmoEYga2"]  # fmt: skip
MEMBERS = ["scope", "org", "app", "name", "expires", "unknown"]


@pytest.fixture
def ask(service):
    def ask(line):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(30)
            peer.connect(str(service.data / "control.sock"))
            peer.sendall(line + b"\n")
            return peer.makefile("rb").readline()

    return ask


def keys(ask):
    return {key["id"]: key for key in json.loads(ask(b'{"do":"key.list"}'))["keys"]}


def requests(rng):
    """Keys asked for in every way."""
    for _ in range(150):
        members = {name: rng.choice(VALUES) for name in rng.sample(MEMBERS, rng.randrange(len(MEMBERS)))}
        yield {"scope": rng.choice(["admin", "read"]), "do": "key.create"} | members


def test_a_key_is_made_as_it_was_asked_for_or_not_at_all(ask):
    before, made = keys(ask), {}
    for request in requests(random.Random(1)):
        answer = json.loads(ask(json.dumps(request).encode()))
        if "error" in answer:
            continue
        asked = {name: value for name, value in request.items() if name not in ("do", "unknown")}
        assert all(isinstance(value, str) for value in asked.values()), request
        assert answer["scope"] == request["scope"] and answer["name"] == request.get("name", "")
        assert (answer["expires"] is None) == ("expires" not in request)
        made[answer["id"]] = {name: value for name, value in answer.items() if name != "token"}
    assert made
    assert keys(ask) == before | made


def test_any_line_is_answered_with_an_error(ask):
    rng = random.Random(2)
    good = b'{"do":"key.create","scope":"admin","name":"n","expires":"1h"}'
    lines = [b"", b"null", b"[]", b"{}", b'{"do":5}', b'{"do":"x"}', good + good, b'{"do":"status","do":"status"}',
             b'{"do":"backup"}', b'{"do":"backup","dir":"here"}', b'{"do":"key.revoke","id":5}',
             b"[" * 3000]  # fmt: skip
    for _ in range(150):
        line = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            line[rng.randrange(len(line))] = rng.choice(b'\x00\x01"{}[]:,\\\xff\xc3 5')
        lines.append(bytes(line))
    before = keys(ask)
    for line in lines:
        answer = json.loads(ask(line))
        assert isinstance(answer, dict)
        assert "error" in answer or "token" in answer, (line, answer)
    made = set(keys(ask)) - set(before)
    assert all(keys(ask)[key]["scope"] == "admin" for key in made)
    assert "waiting" in json.loads(ask(b'{"do":"status"}'))
