"""Thousands of generated requests, and sequences of them: no 5xx, and every answer is one that
/openapi.json describes.

The cases are the same in every run. SUREHOOK_SCHEMA_CASES=200 asks for that many an operation
(instead of 8)."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from surehook import clean_environment

CASES = int(os.environ.get("SUREHOOK_SCHEMA_CASES", 8))
PHASES = "examples,coverage,fuzzing,stateful"
# The tool's checks but for two: that all is accepted which follows the description, and nothing
# which does not. Rules between members are beyond a schema; messages of a batch are judged alone,
# inside a 202; and a body that means nothing (to resend) is not read.
NOT = "positive_data_acceptance,negative_data_rejection"
CHECKS = ["--checks", "all", "--exclude-checks", NOT]
# These end what the others ask for.
ENDS = r"^((application|endpoint)\.delete|message\.(\w+_)?expunge_\w+|key\.revoke)$"
TOOL = shutil.which("schemathesis", path=Path(sys.executable).parent)


def run(service, directory, *words, parameters=None):
    """The tool's report; the run must pass."""
    config = directory / "cases.toml"
    lines = [f'"path.{name}" = "{value}"' for name, value in (parameters or {}).items()]
    lines.append('"query.wait" = 0')  # otherwise most of the time is spent waiting for no message
    config.write_text("\n".join(["[parameters]", *lines, ""]))
    command = [TOOL, "--config-file", config, "--no-color", "run", f"{service.url}/openapi.json"]
    command += ["--header", f"Authorization: Bearer {service.token}", *CHECKS]
    command += ["--phases", PHASES, "--max-examples", CASES, "--suppress-health-check", "all"]
    command += ["--seed", 1, "--generation-deterministic"]
    command += ["--continue-on-failure", "--no-shrink", "--warnings", "off"]
    ran = subprocess.run(
        [*map(str, command), *words],
        cwd=directory,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    said = "\n".join(line[:400] for line in (ran.stdout + ran.stderr).splitlines())
    assert ran.returncode == 0, said[-20000:]
    return int(re.search(r"(\d+) generated", ran.stdout)[1])


@pytest.fixture
def known(service):
    """What the paths name: one of everything, dead letter included."""
    app = service.new_app()
    name = service.post("/event-type", {"name": "known", "description": "x"}).json()["name"]
    url = {"url": "http://127.0.0.1:1/"}
    endpoint = service.post(f"/app/{app}/endpoint", url).json()["id"]
    msg = service.send(app, event_type=name)
    dead = service.until(app, msg, endpoint, "dead")
    since = {"since": "2100-01-01T00:00:00Z"}
    task = service.post(f"/app/{app}/endpoint/{endpoint}/recover", since).json()["id"]
    return {
        "app": app,
        "endpoint": endpoint,
        "name": name,
        "msg": msg,
        "attempt": dead["lastAttemptId"],
        "task": task,
    }


def test_what_exists(service, tmp_path, known):
    made = run(service, tmp_path, "--exclude-operation-id-regex", ENDS, parameters=known)
    assert made > 1000
    for path in ("/app/{app}", "/app/{app}/endpoint/{endpoint}", "/app/{app}/msg/{msg}"):
        assert service.get(path.format(**known)).status == 200, path


def test_what_may_not_exist(service, tmp_path):
    """Names of paths are generated, too; and what ends something is among the operations."""
    assert run(service, tmp_path) > 1000
