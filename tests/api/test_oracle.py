"""What a failed attempt tells its tenant: the class of the failure and nothing that a port scan would want."""

import re
import socket
import struct
import threading

import pytest

from receivers import hold_port
from surehook import eventually

TEXTS = {
    "refused": "The connection was refused or closed before a response.",
    "timeout": "The endpoint did not answer in time.",
    "dns": "The host name of the endpoint did not resolve.",
    "tls": "The TLS handshake failed or the certificate is not valid.",
    "blocked": "The endpoint's address is not allowed.",
    "protocol": "The response was not valid HTTP, or too large.",
}


ID = re.compile(r"[a-z]+_[0-9A-Za-z]{27}")  # random: it may have any short word in it


@pytest.fixture
def closed_port():
    with hold_port() as holder:
        yield holder.getsockname()[1]


class Peer:
    """Does one thing to every connection, after it has read what came."""

    def __init__(self, act, read=True):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.act, self.read, self.kept = act, read, []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            if self.read:
                connection.recv(65536)
            self.act(connection)
            self.kept.append(connection)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.kept:
            connection.close()


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.fixture
def peers():
    peers = {
        "reset": Peer(reset),
        "closed": Peer(lambda c: c.close()),
        "silent": Peer(lambda c: None),
        "ssh": Peer(lambda c: c.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), read=False),
        "smtp": Peer(lambda c: c.sendall(b"220 mail.inside.example ESMTP Postfix\r\n"), read=False),
        "redis": Peer(lambda c: c.sendall(b"-ERR wrong number of arguments for 'get' command\r\n")),
    }
    yield peers
    for peer in peers.values():
        peer.close()


def create(service, app, url, timeout=None):
    reply = service.post(f"/app/{app}/endpoint", {"url": url, "attemptTimeout": timeout})
    assert reply.status == 201, (url, reply.body)
    return reply.json()["id"]


def attempt(service, app, endpoint):
    """All that the API tells of the only attempt at the application's only endpoint, but for what is the
    attempt's own."""
    msg = service.send(app)
    path = f"/app/{app}/msg/{msg}/endpoint/{endpoint}"
    eventually(lambda: service.get(path).json(), lambda d: d.get("state") == "dead")
    (shown,) = service.get(f"/app/{app}/attempt/msg/{msg}").json()["data"]
    explained = service.get(path + "/explain").body.decode()
    assert service.call("DELETE", f"/app/{app}/endpoint/{endpoint}").status == 204
    for name in ("id", "msgId", "endpointId", "timestamp", "responseDurationMs", "url"):
        shown.pop(name)
    return shown, explained


def places(peers, closed_port):
    refused, timeout, dns, tls, protocol = "refused", "timeout", "dns", "tls", "protocol"
    at = lambda name, scheme="http": f"{scheme}://127.0.0.1:{peers[name].port}/"
    return [
        (refused, f"http://127.0.0.1:{closed_port}/"),
        (refused, f"https://127.0.0.1:{closed_port}/"),
        (refused, at("reset")),
        (refused, at("closed")),
        (timeout, at("silent")),
        (timeout, at("silent", "https")),
        (dns, "http://no-such-name.invalid/"),
        (protocol, at("ssh")),
        (protocol, at("smtp")),
        (protocol, at("redis")),
        (tls, at("ssh", "https")),
        (tls, at("redis", "https")),
    ]


def test_an_attempt_tells_its_class_and_no_more(start, peers, closed_port):
    service = start(retry_schedule="")
    app = service.new_app()
    seen = {}
    for outcome, url in places(peers, closed_port):
        endpoint = create(service, app, url, "400ms" if outcome == "timeout" else None)
        shown, explained = attempt(service, app, endpoint)
        assert shown["outcome"] == outcome, url
        assert shown["response"] == TEXTS[outcome], url
        assert (shown["responseStatusCode"], shown["status"]) == (0, 2), url
        assert seen.setdefault(outcome, shown) == shown, url
        explained = ID.sub("", explained.replace(url, ""))
        for word in ("SSH", "Postfix", "ERR", "errno", "Connection", "refused by", "127.0.0.1:"):
            assert word not in explained, (word, explained)
    assert set(seen) == {"refused", "timeout", "dns", "tls", "protocol"}


def test_of_a_forbidden_address_nothing_is_told_and_nothing_asked(start, peers, closed_port):
    """An open port, a closed one and a silent one behind a name that leads inside: one answer."""
    service = start(retry_schedule="")
    ports = [closed_port] + [peer.port for peer in peers.values()]
    urls = [f"{scheme}://localhost:{port}/" for port in ports for scheme in ("http", "https")]
    apps = [service.new_app() for _ in urls]
    endpoints = [create(service, app, url) for app, url in zip(apps, urls)]
    service.stop()
    service.start(allow_subnets=None)
    seen = [attempt(service, app, endpoint) for app, endpoint in zip(apps, endpoints)]
    assert all(shown == seen[0][0] for shown, _ in seen)
    assert (seen[0][0]["outcome"], seen[0][0]["response"]) == ("blocked", TEXTS["blocked"])
    assert [peer.kept for peer in peers.values()] == [[]] * len(peers)
    # Nor do the times of an attempt tell: no part of it behind the lookup was reached.
    times = [re.findall(r'"(?:connect|tls|firstByte)Us":(\w+)', explained) for _, explained in seen]
    assert {time for found in times for time in found} == {"null"} and all(len(found) == 3 for found in times)
