"""Signatures, as receivers check them. (Every delivery of every test is verified besides.)"""

import base64
import time

import pytest
import standardwebhooks
from svix.api import EndpointIn, EndpointSecretRotateIn

from receivers import ed25519_secret, hmac_secret
from surehook import run


def signatures(delivery):
    return delivery.headers["webhook-signature"].split(" ")


def accepts(secret, delivery):
    try:
        standardwebhooks.Webhook(secret).verify(delivery.body, delivery.headers, json_parse=False)
        return True
    except standardwebhooks.WebhookVerificationError:
        return False


def test_hmac_by_default(service, app, receiver):
    endpoints = service.svix().endpoint
    endpoint = endpoints.create(app, EndpointIn(url=receiver.url + "/hook"))
    secret = endpoints.get_secret(app, endpoint.id).key
    assert secret.startswith("whsec_")
    assert 24 <= len(base64.b64decode(secret[6:])) <= 75
    receiver.expect("/hook", secret)
    service.send(app)
    delivery = receiver.wait()[0]
    assert [s[:3] for s in signatures(delivery)] == ["v1,"]
    assert not accepts(hmac_secret(), delivery)


def test_a_secret_without_its_prefix_is_taken(service, app, receiver):
    secret = hmac_secret()
    body = {"url": receiver.url + "/hook", "secret": secret[len("whsec_") :]}
    assert service.post(f"/app/{app}/endpoint", body).status == 201
    receiver.expect("/hook", secret)
    service.send(app)
    receiver.wait()


def test_ed25519(service, app, receiver):
    secret, public = ed25519_secret()
    endpoint = service.subscribe(app, receiver, secret=secret, verify=public)
    assert service.svix().endpoint.get_secret(app, endpoint).key == public
    service.send(app)
    assert [s[:4] for s in signatures(receiver.wait()[0])] == ["v1a,"]


def test_ed25519_as_the_default(start, receiver):
    service = start(default_signature="ed25519")
    app = service.new_app()
    reply = service.post(f"/app/{app}/endpoint", {"url": receiver.url + "/hook"})
    public = service.svix().endpoint.get_secret(app, reply.json()["id"]).key
    assert public.startswith("whpk_")
    receiver.expect("/hook", public)
    service.send(app)
    receiver.wait()


@pytest.mark.parametrize("prefixes", ["svix", "both"])
def test_headers_with_the_other_prefix(start, receiver, prefixes):
    service = start(signature_headers=prefixes)
    app = service.new_app()
    service.subscribe(app, receiver)
    service.send(app)
    headers = receiver.wait()[0].headers
    assert "svix-signature" in headers
    assert ("webhook-signature" in headers) == (prefixes == "both")
    if prefixes == "both":
        for name in ("id", "timestamp", "signature"):
            assert headers[f"svix-{name}"] == headers[f"webhook-{name}"]


def test_the_timestamp_is_of_the_attempt(start, receiver):
    service = start(retry_schedule="1500ms", retry_jitter="0")
    app = service.new_app()
    service.subscribe(app, receiver)
    receiver.answers(500)
    service.send(app)
    first, second = [int(d.headers["webhook-timestamp"]) for d in receiver.wait(2)]
    assert second >= first + 1
    assert abs(second - time.time()) < 60


def test_both_keys_sign_during_the_grace_of_a_rotation(service, app, receiver):
    old = hmac_secret()
    endpoint = service.subscribe(app, receiver, secret=old)
    new = service.svix().endpoint.rotate_secret(app, endpoint, EndpointSecretRotateIn()).key
    assert new != old
    assert service.svix().endpoint.get_secret(app, endpoint).key == new
    service.send(app)
    delivery = receiver.wait()[0]
    assert len(signatures(delivery)) == 2
    assert accepts(old, delivery) and accepts(new, delivery)
    # Newest first.
    delivery.headers["webhook-signature"] = signatures(delivery)[0]
    assert accepts(new, delivery) and not accepts(old, delivery)


def test_no_grace_means_one_key(service, app, receiver):
    old, new = hmac_secret(), hmac_secret()
    endpoint = service.subscribe(app, receiver, secret=old)
    wish = EndpointSecretRotateIn(key=new, grace_period_seconds=0)
    assert service.svix().endpoint.rotate_secret(app, endpoint, wish).key == new
    receiver.expect("/hook", new)
    service.send(app)
    assert not accepts(old, receiver.wait()[0])


def test_a_rotation_counts_for_retries_that_wait(start, receiver):
    service = start(retry_schedule="1s", retry_jitter="0")
    app = service.new_app()
    endpoint = service.subscribe(app, receiver)
    receiver.answers(500)
    msg = service.send(app)
    service.until(app, msg, endpoint, "retrying")
    new = hmac_secret()
    wish = EndpointSecretRotateIn(key=new, grace_period_seconds=0)
    service.svix().endpoint.rotate_secret(app, endpoint, wish)
    receiver.expect("/hook", new)
    receiver.wait(2)


def test_at_most_ten_old_keys_are_live(service, app, receiver):
    endpoint = service.subscribe(app, receiver)
    path = f"/app/{app}/endpoint/{endpoint}/secret/rotate"
    for _ in range(10):
        assert service.post(path, {}).status == 204
    assert service.post(path, {}).status == 409
    service.send(app)
    assert len(signatures(receiver.wait()[0])) == 11


@pytest.mark.parametrize(
    "key, grace",
    [("whsec_short", None), ("whsec_" + "A" * 200, None), ("whxyz_AAAA", None), (None, -1), (None, 604801)],
)
def test_bad_rotations_are_refused(service, app, receiver, key, grace):
    endpoint = service.subscribe(app, receiver)
    body = {"key": key, "gracePeriodSeconds": grace}
    body = {name: value for name, value in body.items() if value is not None}
    assert service.post(f"/app/{app}/endpoint/{endpoint}/secret/rotate", body).status == 422


def test_rotated_keys_survive_a_restart(service, app, receiver):
    old = hmac_secret()
    endpoint = service.subscribe(app, receiver, secret=old)
    new = service.svix().endpoint.rotate_secret(app, endpoint, EndpointSecretRotateIn()).key
    service.stop()
    service.start()
    service.send(app)
    delivery = receiver.wait()[0]
    assert accepts(old, delivery) and accepts(new, delivery)


def test_secrets_are_encrypted_at_rest(start, receiver):
    """Their bytes are nowhere in the data directory, and the service cannot start without its key."""
    service = start(main_secret="correct horse battery staple")
    app = service.new_app()
    secret = hmac_secret()
    service.subscribe(app, receiver, secret=secret)
    service.send(app)
    receiver.wait()
    service.stop()
    key = base64.b64decode(secret[len("whsec_") :])
    for file in service.data.iterdir():
        if file.is_file():
            content = file.read_bytes()
            assert key not in content and secret.encode() not in content, file
    for wrong in (None, "incorrect"):
        words = [w for w in service.words() if not w.startswith("--main-secret")]
        refused = run("serve", *words, *([f"--main-secret={wrong}"] if wrong else []))
        assert refused.returncode == 2
        assert "main-secret" in refused.stderr
    service.start()
    service.send(app)
    receiver.wait(2)


def test_plain_secrets_are_what_encryption_changes(service, app, receiver):
    """The control of the test above: without main-secret the bytes are there to be found."""
    secret = hmac_secret()
    service.subscribe(app, receiver, secret=secret)
    service.stop()
    key = base64.b64decode(secret[len("whsec_") :])
    assert any(key in f.read_bytes() for f in service.data.iterdir() if f.is_file())
