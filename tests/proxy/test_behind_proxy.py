"""No request becomes two, and no client gets another's answer, behind the proxies that people use."""

import contextlib
import http.server
import json
import os
import re
import shutil
import tempfile
import threading
from pathlib import Path

import pytest

import attacks
import proxies
from surehook import Service

ANSWER = re.compile(rb"HTTP/1\.[01] (\d\d\d)")


def body_of(mark):
    return json.dumps({"eventType": mark, "payload": {}}, separators=(",", ":")).encode()


@pytest.fixture(params=proxies.KINDS)
def start(request):
    """start(port): the proxy before whatever listens there. Socket files need short paths."""
    program = proxies.KINDS[request.param][0]
    if not proxies.find(program):
        assert not os.environ.get("CI"), f"{program} is missing: make deps"
        pytest.skip(f"{program} is missing: make deps")
    folder = Path(tempfile.mkdtemp(prefix="proxy-"))
    started = []

    def start(port):
        started.append(proxies.start(request.param, folder, port))
        return started[-1]

    yield start
    for proxy in started:
        proxy.stop()
    shutil.rmtree(folder)


@pytest.fixture
def service(tmp_path):
    service = Service(tmp_path, head_timeout="10s", body_timeout="10s").start()
    yield service
    service.stop()


def converse(proxy, request):
    """All that comes back until the proxy closes; our side ends with the request."""
    heard = b""
    with proxy.connect() as connection:
        try:
            connection.sendall(request)
            connection.shutdown(1)
        except OSError:
            pass  # the proxy closed at once; what it said is still there
        try:
            while part := connection.recv(65536):
                heard += part
        except ConnectionResetError:
            pass
    return heard


class Victim:
    """Another client: its requests are plain, and each must have its own answer."""

    def __init__(self, proxy, target, token):
        self.proxy, self.target, self.token = proxy, target, token
        self.count = 0

    def ask(self):
        self.count += 1
        mark = f"victim.{self.count}"
        body = body_of(mark)
        head = b"Host: h\r\nConnection: close\r\nAuthorization: Bearer " + self.token + b"\r\n"
        head += attacks.CL % len(body) + attacks.END
        heard = converse(self.proxy, b"POST " + self.target + b" HTTP/1.1\r\n" + head + body)
        answers = ANSWER.findall(heard)
        if answers != [b"202"] or f'"eventType":"{mark}"'.encode() not in heard:
            return f"{mark} was answered {heard[:300]!r}"
        return None


def stored(service, app, mark):
    return len(service.get(f"/app/{app}/msg?event_types={mark}").json()["data"])


def judge(service, app, heard, marks):
    """What is wrong after an attack: what was done must be what was answered, and once."""
    done = [stored(service, app, mark) for mark in marks]
    told = [heard.count(f'"eventType":"{mark}"'.encode()) for mark in marks]
    accepted = ANSWER.findall(heard).count(b"202")
    if max(done) > 1:
        return f"one request was handled {done} times"
    if done != told or sum(done) != accepted:
        return f"{done} were stored, {told} were answered"
    return None


def attack(service, proxy):
    app = service.new_app()
    target, token = f"/api/v1/app/{app}/msg".encode(), service.token.encode()
    victim = Victim(proxy, target, token)
    wrong, count = [], 0
    for name, marks, request in attacks.requests(target, token, body_of):
        count += 1
        heard = converse(proxy, request + attacks.GOODBYE)
        faults = [victim.ask(), victim.ask(), judge(service, app, heard, marks)]
        wrong += [(name, fault, heard[:300]) for fault in faults if fault]
    assert wrong == []
    assert count > 100
    assert [stored(service, app, f"victim.{n}") for n in (1, victim.count)] == [1, 1]


def test_an_ambiguous_request_harms_nobody_behind_it(service, start):
    attack(service, start(service.port))


def test_nor_without_a_proxy(service):
    attack(service, proxies.Nothing(service.port))


class Plain(http.server.BaseHTTPRequestHandler):
    """Accepts events, and counts the connections that they come on."""

    protocol_version = "HTTP/1.1"
    connections = 0
    unread = 0  # bytes of each body

    def setup(self):
        super().setup()
        type(self).connections += 1

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]) - self.unread)
        self.send_response(202)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def plain(**members):
    """A service of a few lines; its class, and its port."""
    handler = type("Handler", (Plain,), members)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield handler, server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_clients_share_the_connection_to_the_service(start):
    """Without this an attack could only hurt its own client, and the test above would show nothing."""
    with plain(connections=0) as (handler, port):
        victim = Victim(start(port), b"/", b"t")
        assert [victim.ask() for _ in range(20)] == [None] * 20
    assert handler.connections == 1


def test_a_service_that_leaves_a_part_of_a_body_unread_is_found_out(start):
    """The other control: the victim sees what it is there for."""
    with plain(unread=1) as (_, port):
        victim = Victim(start(port), b"/", b"t")
        assert victim.ask() is None
        assert victim.ask() is not None
