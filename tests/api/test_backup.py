"""Backup under load, restore, compact, and data of an older format: what an operator relies on at night."""

import json
import shutil
import threading

import pytest

from surehook import ROOT, eventually, run

MAP = ["--map-size=256m", "--log-level=error"]
PRODUCERS = 4
BEFORE = 300  # events that are acknowledged when the backup begins


class Producers:
    """Post until they are told to stop; `accepted` has each event that was answered 202."""

    def __init__(self, service, app):
        self.service, self.app = service, app
        self.accepted = {}
        self.changed = threading.Condition()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._post, args=(n,)) for n in range(PRODUCERS)]
        for thread in self.threads:
            thread.start()

    def _post(self, number):
        count = 0
        while not self.stopping.is_set():
            payload = b'{"producer":%d,"n":%d,"pad":"%s"}' % (number, count, b"x" * (count % 7 * 700))
            message = self.service.send(self.app, payload)
            with self.changed:
                self.accepted[message] = payload
                self.changed.notify_all()
            count += 1

    def wait(self, count):
        """What is acknowledged once there are so many."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.accepted) >= count, 60)
            return dict(self.accepted)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def test_a_backup_under_load_holds_serves_and_delivers_what_was_acknowledged_before_it(start, receiver, tmp_path):
    receiver.always(500)
    service = start(retry_schedule=",".join(["1s"] * 60), retry_jitter="0")
    app = service.new_app()
    service.subscribe(app, receiver)
    producers = Producers(service, app)
    try:
        owed = producers.wait(BEFORE)
        made = run("backup", tmp_path / "copy", "--data", service.data)
        assert made.returncode == 0, made.stderr
        producers.wait(len(producers.accepted) + 1)  # it went on
    finally:
        producers.stop()
    service.stop()
    restored = run("restore", tmp_path / "copy", "--data", tmp_path / "restored", *MAP)
    assert restored.returncode == 0, restored.stderr
    receiver.deliveries.clear()
    receiver.always(204)
    copy = start(data=tmp_path / "restored", retry_schedule=",".join(["1s"] * 60))
    receiver.wait_for(lambda: owed.keys() <= {d.id for d in receiver.deliveries}, 60)
    assert all(producers.accepted[d.id] == d.body for d in receiver.deliveries)
    for message, payload in owed.items():
        found = copy.get(f"/app/{app}/msg/{message}", token=service.token)
        assert found.json()["payload"] == json.loads(payload)
    after = copy.send(app, token=service.token)
    receiver.wait_for(lambda: any(d.id == after for d in receiver.deliveries))
    copy.stop()
    assert run("check", "--data", tmp_path / "restored", *MAP).returncode == 0
    service.start()


def test_restore_overwrites_nothing_and_takes_only_what_is_whole(service, app, tmp_path):
    service.send(app, b'{"marker":"find me"}')
    assert run("backup", tmp_path / "copy", "--data", service.data).returncode == 0
    into_use = run("restore", tmp_path / "copy", "--data", service.data, *MAP)
    assert into_use.returncode == 1 and "another process" in into_use.stderr + into_use.stdout
    of_use = run("restore", service.data, "--data", tmp_path / "new", *MAP)
    assert of_use.returncode == 1 and "in use" in of_use.stderr or "uses" in of_use.stderr
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("precious")
    refused = run("restore", tmp_path / "copy", "--data", tmp_path / "full", *MAP)
    assert refused.returncode == 1 and "not empty" in refused.stderr
    nothing = run("restore", tmp_path / "full", "--data", tmp_path / "new", *MAP)
    assert nothing.returncode == 1 and "no store" in nothing.stderr
    file = tmp_path / "copy" / "data.mdb"
    file.write_bytes(file.read_bytes().replace(b"find me", b"find mE"))
    damaged = run("restore", tmp_path / "copy", "--data", tmp_path / "new", *MAP)
    assert damaged.returncode == 1 and "msg_" in damaged.stderr and "nothing was restored" in damaged.stderr
    assert not (tmp_path / "new" / "data.mdb").exists()


def test_compact_gives_back_what_is_free_and_keeps_the_rest(start, receiver):
    service = start(message_retention="1s")
    app = service.new_app()
    service.subscribe(app, receiver)
    for _ in range(60):
        service.send(app, b'{"pad":"%s"}' % (b"x" * 100_000))
    receiver.wait(60)
    refused = run("compact", "--data", service.data, *MAP)
    assert refused.returncode == 2 and "another process" in refused.stderr
    eventually(lambda: service.metric("surehook_records_expired_total") >= 60)
    kept = service.send(app, b'{"kept":true}')
    receiver.wait(61)
    service.stop()
    done = run("compact", "--data", service.data, *MAP)
    assert done.returncode == 0, done.stderr
    before, after = (float(word) for word in done.stdout.split() if word.replace(".", "").isdigit())
    assert after < before / 2
    assert run("check", "--data", service.data, *MAP).returncode == 0
    service.start(message_retention="90d")
    assert service.send(app) != kept
    receiver.wait(62)


@pytest.fixture
def old_data(tmp_path):
    """A data directory of format 1; tests/data/README.md says how it was made."""
    shutil.unpack_archive(ROOT / "tests/data/format-1.tar.xz", tmp_path)
    return tmp_path / "data", json.loads((tmp_path / "expected.json").read_text())


def test_data_of_an_older_format_is_brought_up_to_date_and_served(old_data, start, receiver):
    data, expected = old_data
    for words in (["check"], ["compact"], ["backup", data.parent / "copy"], ["key", "list"]):
        refused = run(*words, "--data", data, *MAP)
        assert refused.returncode != 0 and "format=1" in refused.stderr and "known=2" in refused.stderr
    service = start(data=data, retry_schedule=",".join(["100ms"] * 60))
    service.data = data  # its first key is there
    app = expected["app"]
    for message, payload in expected["messages"].items():
        assert service.get(f"/app/{app}/msg/{message}").json()["payload"] == payload
    states = {m: service.delivery(app, m, expected["endpoint"])["state"] for m in expected["delivered"]}
    assert set(states.values()) == {"delivered"}
    assert service.get(f"/app/{app}/endpoint/{expected['disabled']}").json()["disabled"]
    receiver.expect("/hook", expected["secret"])
    moved = service.call("PATCH", f"/app/{app}/endpoint/{expected['endpoint']}", {"url": receiver.url + "/hook"})
    assert moved.status == 200
    fresh = service.send(app)
    receiver.wait_for(lambda: {*expected["waiting"], fresh} <= {d.id for d in receiver.deliveries})
    for d in receiver.deliveries:
        assert d.id == fresh or json.loads(d.body) == expected["messages"][d.id]
    service.stop()
    checked = run("check", "--data", data, *MAP)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    service.start()


def test_data_of_a_newer_format_is_refused_with_both_numbers(service, tmp_path):
    service.stop()
    file = service.data / "data.mdb"
    content = file.read_bytes()
    at = content.find(b"format\0\0\0\x02")
    assert at > 0
    while at > 0:
        content = content[: at + 9] + b"\x03" + content[at + 10 :]
        at = content.find(b"format\0\0\0\x02")
    newer = tmp_path / "newer"
    newer.mkdir()
    (newer / "data.mdb").write_bytes(content)
    for command in ("serve", "check"):
        refused = run(command, "--data", newer, *MAP)
        assert refused.returncode != 0
        assert "newer version" in refused.stderr and "format=3" in refused.stderr and "known=2" in refused.stderr
    service.start()
