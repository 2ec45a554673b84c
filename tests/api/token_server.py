"""An authorization server for the client credentials grant of OAuth 2, on loopback."""

import base64
import json
import threading
import urllib.parse
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from receivers import DEADLINE, client_of


@dataclass
class Grant:
    headers: dict  # lower-case names
    form: dict
    path: str

    @property
    def basic(self):
        """(id, secret) of the authorization header, or None."""
        kind, _, value = self.headers.get("authorization", "").partition(" ")
        if kind != "Basic":
            return None
        pair = base64.b64decode(value).decode().split(":")
        return tuple(urllib.parse.unquote_plus(part) for part in pair)


class TokenServer:
    """Gives token-1, token-2, … as its `answer` says; knows how many were asked for at once."""

    def __init__(self, tls=None):
        self.grants = []
        self.changed = threading.Condition()
        self.at_once = self.most_at_once = 0
        self.connections = 0
        self.clients = []  # the names in the certificates that requests were made with
        self.hold = None  # answer once it is set
        self.answer = lambda number: (200, {"access_token": f"token-{number}", "expires_in": 3600})
        self._server = _Server(self, tls)
        self.port = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/token"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def take(self, grant):
        with self.changed:
            self.grants.append(grant)
            number = len(self.grants)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self.changed.notify_all()
        if self.hold:
            self.hold.wait(DEADLINE)
        with self.changed:
            self.at_once -= 1
        return self.answer(number)

    def wait(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.grants) >= count, DEADLINE), self.grants
            return list(self.grants)

    def close(self):
        if self.hold:
            self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    block_on_close = False
    daemon_threads = True

    def __init__(self, owner, tls):
        self.owner, self.tls = owner, tls
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request, client_address):
        with self.owner.changed:
            self.owner.connections += 1
        if self.tls:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        """A client that refuses our certificate, or goes away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.owner.clients.append(client_of(self.connection)[0])
        status, answer = self.server.owner.take(Grant(headers, dict(urllib.parse.parse_qsl(body)), self.path))
        if isinstance(answer, dict):
            answer = json.dumps(answer).encode()
        self.send_response(status)
        if status in (301, 302, 307, 308):
            self.send_header("location", answer.decode())
            answer = b""
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass
