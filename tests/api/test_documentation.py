"""What the documentation names exists."""

import re

from surehook import ROOT, run


def test_the_promises_name_tests_that_exist():
    named = re.findall(r"`(tests/[\w/]+\.(?:c|py))::(\w+)`", (ROOT / "docs/promises.md").read_text())
    assert len(named) > 40
    for path, name in named:
        text = (ROOT / path).read_text()
        assert re.search(rf"^(static void|def) {name}\(", text, re.MULTILINE), f"{path}::{name}"


def test_the_configuration_page_is_the_reference():
    page = (ROOT / "docs/configuration.md").read_text()
    assert run("serve", "--reference").stdout.strip() in page
