"""Options from the command line, the environment and a file."""

import json
import re

import pytest

from surehook import Service, run


def refused(tmp_path, *words, env=None):
    answer = run("serve", f"--data={tmp_path / 'data'}", "--listen=127.0.0.1:0", *words, env=env)
    assert answer.returncode == 2, answer
    assert answer.stdout == ""
    return answer.stderr


def test_help_and_the_reference_name_every_option():
    from_help = run("serve", "--help")
    reference = run("serve", "--reference")
    assert from_help.returncode == reference.returncode == 0
    for name in (
        "listen data map-size config http-threads dispatch-threads retry-schedule retry-jitter "
        "idempotency-mismatch request-timeout connect-timeout endpoint-max-in-flight max-in-flight "
        "allow-subnets endpoint-https-only ca-file signature-headers default-signature main-secret "
        "message-retention max-body log-level log-format jwt-secret"
    ).split():
        assert f"--{name}" in from_help.stdout
        assert f"`{name}`" in reference.stdout


@pytest.mark.parametrize(
    "word, named",
    [
        ("--no-such-option=1", "no-such-option"),
        ("--retry-jitter=2", "retry-jitter"),
        ("--retry-jitter=-0.1", "retry-jitter"),
        ("--retry-schedule=5s,never", "retry-schedule"),
        ("--retry-schedule=0s", "retry-schedule"),
        ("--map-size=10", "map-size"),
        ("--map-size=big", "map-size"),
        ("--http-threads=0", "http-threads"),
        ("--http-threads=1.5", "http-threads"),
        ("--max-body=1", "max-body"),
        ("--signature-headers=none", "signature-headers"),
        ("--ca-file=/no/such/file", "ca-file"),
        ("--ca-file=/etc/hostname", "ca-file"),
        ("--endpoint-https-only=maybe", "endpoint-https-only"),
        ("--log-level=loud", "log-level"),
        ("--main-secret=", "main-secret"),
        ("--listen", "listen"),
        ("surplus", "surplus"),
    ],
)
def test_a_mistake_stops_the_start_and_is_named(tmp_path, word, named):
    assert named in refused(tmp_path, word)


def test_an_option_given_twice_is_a_mistake(tmp_path):
    assert "retry-jitter" in refused(tmp_path, "--retry-jitter=1", "--retry-jitter=0")


def test_an_unknown_variable_is_a_mistake(tmp_path):
    error = refused(tmp_path, env={"SUREHOOK_RETRY_JITER": "1"})
    assert "SUREHOOK_RETRY_JITER" in error or "retry-jiter" in error


def test_secrets_are_not_printed_back(tmp_path):
    assert "hush-hush" not in refused(tmp_path, "--main-secret=hush-hush", "--no-such=1")
    for command in ("--help", "--reference"):
        assert "hush-hush" not in run("serve", command, env={"SUREHOOK_MAIN_SECRET": "hush-hush"}).stdout


def test_the_environment_counts(tmp_path, receiver):
    service = Service(tmp_path, env={"SUREHOOK_SIGNATURE_HEADERS": "svix"}).start()
    app = service.new_app()
    service.subscribe(app, receiver)
    service.send(app)
    assert "svix-id" in receiver.wait()[0].headers
    service.stop()


def test_a_file_counts_and_the_command_line_wins(tmp_path, receiver):
    file = tmp_path / "surehook.conf"
    file.write_text("# how we sign\nsignature-headers = svix   # not webhook\nretry-jitter=0\n")
    service = Service(tmp_path, config=file).start()
    app = service.new_app()
    service.subscribe(app, receiver)
    service.send(app)
    assert "webhook-id" not in receiver.wait()[0].headers
    service.stop()
    service.start(signature_headers="both")
    service.send(app)
    assert "webhook-id" in receiver.wait(2)[1].headers
    service.stop()


@pytest.mark.parametrize(
    "text, named",
    [
        ("no-such = 1\n", "no-such"),
        ("retry-jitter = 5\n", "retry-jitter"),
        ("retry-jitter\n", "line 1"),
        ("retry-jitter = 1\nretry-jitter = 0\n", "retry-jitter"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path, text, named):
    file = tmp_path / "surehook.conf"
    file.write_text(text)
    error = refused(tmp_path, f"--config={file}")
    assert named in error and "surehook.conf" in error


def test_a_missing_file_is_a_mistake(tmp_path):
    assert "nowhere.conf" in refused(tmp_path, f"--config={tmp_path / 'nowhere.conf'}")


def test_json_logs_are_json(tmp_path, receiver):
    service = Service(tmp_path, log_format="json").start()
    app = service.new_app()
    service.subscribe(app, receiver)
    receiver.always(500, body=b'quote " and\nnewline')
    service.send(app)
    receiver.wait(3)
    service.stop()
    lines = service.log.read_text().splitlines()
    assert lines
    for line in lines:
        json.loads(line)


def test_the_log_has_a_line_for_each_attempt_and_no_secret_or_body(service, receiver):
    app = service.new_app()
    endpoint = service.subscribe(app, receiver, headers={"authorization": "Bearer hush"})
    secret = service.get(f"/app/{app}/endpoint/{endpoint}/secret").json()["key"]
    receiver.answers(500)
    msg = service.send(app, b'{"body":"private"}')
    service.until(app, msg, endpoint, "delivered")
    service.stop()
    log = service.log.read_text()
    attempts = [line for line in log.splitlines() if " attempt " in line and msg in line]
    assert [re.search("outcome=([a-z]+)", line)[1] for line in attempts] == ["status", "success"]
    for hidden in (secret, secret[6:], "hush", "private", service.token):
        assert hidden not in log
