"""The commands beside serve."""

import queue
import re
import socket
import stat
import subprocess
import threading

import pytest

from receivers import DEADLINE
from surehook import BINARY, clean_environment, eventually, run

MAP = ["--map-size=1g"]


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_lists_the_commands(words):
    answer = run(*words)
    assert answer.returncode == 0
    for command in ("serve", "key", "listen", "backup", "restore", "compact", "check", "version"):
        assert re.search(rf"^  {command} ", answer.stdout, re.MULTILINE)


@pytest.mark.parametrize("command", ["serve", "key", "listen", "backup", "restore", "compact", "check"])
def test_every_command_explains_itself(command):
    answer = run(command, "--help")
    assert answer.returncode == 0
    assert answer.stdout.startswith("usage: surehook " + command)


def test_key_explains_itself_behind_its_verb():
    answer = run("key", "create", "--help")
    assert answer.returncode == 0
    assert answer.stdout.startswith("usage: surehook key")


@pytest.mark.parametrize("words", [["check"], ["compact"], ["backup", "copy"], ["key", "list"]])
def test_a_directory_without_a_store_is_not_taken_for_an_empty_one(words, tmp_path):
    answer = run(*words, f"--data={tmp_path}")
    assert answer.returncode != 0
    assert f"no store in {tmp_path}" in answer.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [[], ["no-such"], ["key"], ["key", "invent"], ["backup"], ["backup", "a", "b"], ["restore"], ["compact", "a"]],
)
def test_mistakes_print_the_usage_and_fail(words, tmp_path):
    answer = run(*words)
    assert answer.returncode == 2
    assert "usage" in answer.stderr and answer.stdout == ""


def test_version():
    assert re.fullmatch(r"surehook \d+\.\d+\.\d+\n", run("version").stdout)


def test_the_first_key_is_private_and_never_logged(service):
    file = service.data / "admin.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(service.data.stat().st_mode) == 0o700
    assert service.get("/app").status == 200
    service.stop()
    log = service.log.read_text()
    assert service.token not in log
    assert "admin.key" in log


def test_the_first_key_is_made_once(service):
    token = service.token
    service.stop()
    service.start()
    assert service.token == token
    assert len(service.get("/key").json()["data"]) == 1


def test_a_second_process_is_refused(service):
    answer = run("serve", "--data", service.data, "--listen=127.0.0.1:0", *MAP)
    assert answer.returncode == 1
    assert str(service.data) in answer.stderr
    assert re.search("another process|in use|lock", answer.stderr)
    assert service.get("/app").status == 200
    checked = run("check", "--data", service.data, *MAP)
    assert checked.returncode == 2


def test_a_taken_port_is_named(service, tmp_path):
    answer = run("serve", "--data", tmp_path / "other", f"--listen=127.0.0.1:{service.port}", *MAP)
    assert answer.returncode == 1
    assert str(service.port) in answer.stderr


@pytest.mark.parametrize("running", [True, False])
def test_keys_on_a_running_and_on_a_stopped_service(service, app, running):
    if not running:
        service.stop()
    data = ["--data", service.data, *([] if running else MAP)]
    made = run("key", "create", "--scope", "ingest", "--name", "producer", *data)
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    key = re.search(r"key_\w+", made.stderr)[0]
    listed = run("key", "list", *data)
    assert listed.returncode == 0
    line = next(line for line in listed.stdout.splitlines() if key in line)
    assert "ingest" in line and "producer" in line and token not in listed.stdout
    of_app = run("key", "create", "--scope=app", f"--app={app}", *data)
    assert of_app.returncode == 0, of_app.stderr
    gone = run("key", "revoke", key, *data)
    assert gone.returncode == 0, gone.stderr
    if not running:
        service.start()
    assert service.try_send(app, token=token).status == 401
    assert service.get(f"/app/{app}", token=of_app.stdout.strip()).status == 200


def test_a_key_from_the_command_line_works_at_once(service, app):
    token = run("key", "create", "--scope", "ingest", "--data", service.data).stdout.strip()
    assert service.try_send(app, token=token).status == 202
    assert service.get("/app", token=token).status == 403


@pytest.mark.parametrize(
    "words, named",
    [
        (["create"], "scope"),
        (["create", "--scope", "root"], "scope"),
        (["create", "--scope", "app"], "app"),
        (["create", "--scope", "app", "--app", "nobody"], "app"),
        (["create", "--scope", "read", "--expires", "soon"], "expires"),
        (["create", "--scope", "read", "--expires", b"\xff"], "expires"),
        (["create", "--scope", "read", "--expires", "36501d"], "expires"),
        (["revoke", "key_2bjkzYgDPCTwDCZ1nQbWSUqqYVy"], "no such key"),
        (["revoke", "nonsense"], "id"),
    ],
    ids=str,
)
def test_mistakes_with_keys_are_named(service, words, named):
    answer = run("key", *words, "--data", service.data)
    assert answer.returncode == 1
    assert named in answer.stderr


def test_a_key_may_expire(service, app):
    data = ["--data", service.data]
    lasting = run("key", "create", "--scope=ingest", "--expires=1h", *data).stdout.strip()
    assert service.try_send(app, token=lasting).status == 202
    brief = run("key", "create", "--scope=ingest", "--expires=1ms", *data).stdout.strip()
    assert service.try_send(app, token=brief).status == 401


@pytest.mark.parametrize("running", [True, False])
def test_a_backup_holds_everything_acknowledged(start, receiver, tmp_path, running):
    service = start()
    app = service.new_app()
    service.subscribe(app, receiver)
    ids = [service.send(app, b'{"n":%d}' % n) for n in range(50)]
    receiver.wait(50)
    if not running:
        service.stop()
    copy = tmp_path / "copy"
    made = run("backup", copy, "--data", service.data, *([] if running else MAP))
    assert made.returncode == 0, made.stderr
    checked = run("check", "--data", copy, *MAP)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.startswith("50 messages, 50 deliveries")
    if running:
        service.stop()
    restored = start(data=copy)
    listed = restored.get(f"/app/{app}/msg?limit=250", token=service.token).json()["data"]
    assert [m["id"] for m in listed] == ids[::-1]
    service.start()


def test_a_backup_overwrites_nothing(service, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("precious")
    answer = run("backup", tmp_path / "full", "--data", service.data)
    assert answer.returncode == 1
    assert [f.name for f in (tmp_path / "full").iterdir()] == ["file"]


def test_check_is_clean_and_notices_damage(service, app, receiver):
    service.subscribe(app, receiver)
    for n in range(50):
        service.send(app, b'{"marker":"find me %d"}' % n)
    receiver.wait(50)
    service.stop()
    clean = run("check", "--data", service.data, *MAP)
    assert clean.returncode == 0, clean.stdout
    assert clean.stdout.rstrip().endswith("0 errors")
    file = max((f for f in service.data.iterdir() if f.is_file()), key=lambda f: f.stat().st_size)
    content = file.read_bytes()
    assert b"find me 25" in content
    file.write_bytes(content.replace(b"find me 25", b"find mE 25"))
    damaged = run("check", "--data", service.data, *MAP)
    assert damaged.returncode == 1
    assert "msg_" in damaged.stdout or "message" in damaged.stdout
    service.start()


def test_a_damaged_message_is_reported_and_never_delivered(start, receiver):
    service = start(retry_schedule="3s", retry_jitter="0")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    receiver.answers(500, 500, 500)
    ids = [service.send(app, b'{"marker":"find me %d"}' % n) for n in range(3)]
    for msg in ids:
        service.until(app, msg, endpoint, "retrying")
    service.kill()
    file = max((f for f in service.data.iterdir() if f.is_file()), key=lambda f: f.stat().st_size)
    file.write_bytes(file.read_bytes().replace(b"find me 1", b"find mE 1"))
    service.start()
    service.until(app, ids[0], endpoint, "delivered")
    service.until(app, ids[2], endpoint, "delivered")
    assert not any(b"find mE" in d.body for d in receiver.deliveries)
    eventually(lambda: service.metric("surehook_dead_letters") == 1)
    assert service.metric("surehook_records_corrupt_total") > 0


class Listen:
    """`surehook listen`; its lines come through a queue, as they are printed."""

    def __init__(self, *words):
        self.process = subprocess.Popen(
            [BINARY, "listen", "--listen=127.0.0.1:0", *words],
            env=clean_environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.url = self.line().removeprefix("listening on ")

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())

    def line(self):
        return self.lines.get(timeout=DEADLINE)

    def stop(self):
        self.process.terminate()
        assert self.process.wait(DEADLINE) == 0


@pytest.fixture
def listen():
    started = []

    def listen(*words):
        started.append(Listen(*words))
        return started[-1]

    yield listen
    for one in started:
        one.stop()


def subscribe_url(service, app, url, secret):
    reply = service.post(f"/app/{app}/endpoint", {"url": url + "/hook", "secret": secret})
    assert reply.status == 201, reply.body
    return reply.json()["id"]


def test_listen_prints_verifies_and_answers(service, app, listen):
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    people = listen(f"--secret={secret}")
    endpoint = subscribe_url(service, app, people.url, secret)
    msg = service.send(app, b'{"hello":"people"}')
    line = people.line()
    assert msg in line and "POST /hook" in line and "signature good" in line and "204" in line
    assert '{"hello":"people"}' in people.line()
    service.until(app, msg, endpoint, "delivered")


def test_listen_notices_a_wrong_signature(service, app, listen):
    people = listen("--secret=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    subscribe_url(service, app, people.url, "whsec_" + "A" * 32)
    service.send(app)
    assert "SIGNATURE WRONG" in people.line()


def test_listen_answers_as_told(service, app, listen):
    people = listen("--status=503")
    endpoint = subscribe_url(service, app, people.url, "whsec_" + "A" * 32)
    msg = service.send(app)
    assert service.until(app, msg, endpoint, "dead")["lastStatusCode"] == 503
    people = listen("--fail-rate=1", "--fail-status=418", "--delay=5ms")
    endpoint = subscribe_url(service, app, people.url, "whsec_" + "A" * 32)
    msg = service.send(app)
    assert service.until(app, msg, endpoint, "dead")["lastStatusCode"] == 418


def test_listen_misbehaves_as_told(start, listen):
    service = start(request_timeout="1s", retry_schedule="")
    app = service.new_app()
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    people = listen("--chaos=drip-headers", f"--secret={secret}")
    endpoint = subscribe_url(service, app, people.url, secret)
    msg = service.send(app, b'{"hello":"people"}')
    line = people.line()
    assert msg in line and "POST /hook" in line and "signature good" in line and "drip-headers" in line
    assert '{"hello":"people"}' in people.line()
    service.until(app, msg, endpoint, "dead")
    path = f"/app/{app}/attempt/endpoint/{endpoint}"
    assert [a["outcome"] for a in service.get(path).json()["data"]] == ["timeout"]


def test_listen_tells_of_a_connection_without_a_request(listen):
    people = listen("--chaos=reset-accept")
    address = people.url.removeprefix("http://").split(":")
    with pytest.raises(ConnectionResetError):
        with socket.create_connection((address[0], int(address[1])), DEADLINE) as connection:
            connection.recv(1)
    assert people.line() == "#1  a connection  -> reset-accept"


def test_listen_explains_each_misbehaviour():
    text = run("listen", "--help").stdout
    choices = text.split("What --chaos does:")[1].split("\n\n")[1].splitlines()
    assert len(choices) > 10 and all(len(line.split(None, 1)) == 2 for line in choices)
    assert run("listen", "--chaos=nothing-like-it").returncode == 2
    assert "chaos" in run("listen", "--chaos=silent", "--status=500").stderr


def test_listen_refuses_what_is_no_secret():
    answer = run("listen", "--secret=nonsense")
    assert answer.returncode == 2
    assert "secret" in answer.stderr and "nonsense" not in answer.stderr
