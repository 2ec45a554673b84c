"""Receivers on loopback: each records what arrives, verifies it with the official packages over the
raw body, and answers as its script says. HTTP/1.1, HTTPS, and HTTP/2 over TLS.

Nothing here sleeps: a test waits for a condition, with a deadline that only a broken service meets.
"""

import base64
import hmac
import secrets
import socket
import ssl
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import h2.config
import h2.connection
import h2.events
import standardwebhooks
import svix.webhooks
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

DEADLINE = 30.0

# Tests run side by side: another's receiver at the port of one that closed would get what is still sent there.
_closed = deque(maxlen=100)


def hold_port():
    """A socket at a port where nobody listens: who connects is refused, and until it is closed nobody is given the
    port who did not ask for it."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder


def hmac_secret():
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def ed25519_secret():
    """The secret key and the public key, as Standard Webhooks writes them."""
    private = Ed25519PrivateKey.generate()
    seed = private.private_bytes(
        serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    text = lambda raw: base64.b64encode(raw).decode()
    return "whsk_" + text(seed + public), "whpk_" + text(public)


def verify_ed25519(public, body, headers):
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    for candidate in headers["webhook-signature"].split(" "):
        version, signature = candidate.split(",", 1)
        if version == "v1a":
            key.verify(base64.b64decode(signature), signed)
            return
    raise InvalidSignature("no v1a signature")


def verify_hmac(secret, body, headers):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    good = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    if good not in headers["webhook-signature"].split(" "):
        raise InvalidSignature("no good v1 signature")


def client_of(connection):
    """The common name of the peer's certificate, and whether the session was resumed."""
    if not isinstance(connection, ssl.SSLSocket):
        return None, False
    certificate = connection.getpeercert() or {}
    names = [value for rdn in certificate.get("subject", ()) for name, value in rdn if name == "commonName"]
    return (names[0] if names else None), bool(connection.session_reused)


def is_text(body):
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def verify(secret, body, headers):
    """Raises unless every set of signature headers that the delivery carries is good."""
    if secret.startswith("whpk_"):
        verify_ed25519(secret, body, headers)
        return
    if not is_text(body):  # the packages read every body as text
        verify_hmac(secret, body, headers)
        return
    if "webhook-id" in headers or "svix-id" not in headers:
        standardwebhooks.Webhook(secret).verify(body, headers, json_parse=False)
    if "svix-id" in headers:
        as_svix = {k: v for k, v in headers.items() if k.startswith("svix-")}
        svix.webhooks.Webhook(secret).verify(body, as_svix)


@dataclass
class Delivery:
    method: str
    path: str
    headers: dict  # lower-case names
    body: bytes
    protocol: str  # "HTTP/1.1", "HTTP/2"
    connection: int  # which connection of the receiver, from 1
    at: float  # time.monotonic()
    client: str | None = None  # the name in the certificate that it was made with
    resumed: bool = False  # whether the TLS session was of an earlier connection

    @property
    def id(self):
        return self.headers.get("webhook-id") or self.headers.get("svix-id")


@dataclass
class Answer:
    status: int = 204
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    hold: threading.Event | None = None  # answer once it is set
    drip: threading.Event | None = None  # a byte of body every 50 ms until it is set
    raw: bytes | None = None  # these bytes instead of a response, then close
    reset: bool = False  # a TCP reset instead of a response


class Receiver:
    """Takes deliveries at any path; `expect` names the secret of a path first."""

    def __init__(self, tls=None):
        self.changed = threading.Condition()
        self.deliveries = []
        self.errors = []
        self.connections = 0
        self.script = lambda delivery: Answer()
        self._secrets = {}
        self._closing = threading.Event()
        self._open = set()
        self._holder = hold_port()
        self.port = self._holder.getsockname()[1]
        self._server = _Server(self, tls)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def expect(self, path, secret):
        """Deliveries at `path` must verify with the secret (or the public key)."""
        self._secrets[path] = secret

    def always(self, status, **answer):
        self.script = lambda delivery: Answer(status, **answer)

    def answers(self, *answers):
        """One after another, statuses or Answers; 204 when they are used up."""
        left = list(answers)
        lock = threading.Lock()

        def script(delivery):
            with lock:
                answer = left.pop(0) if left else Answer()
            return Answer(answer) if isinstance(answer, int) else answer

        self.script = script

    def wait(self, count=1, timeout=DEADLINE):
        """The deliveries, once there are `count` of them."""
        return self.wait_for(lambda: len(self.deliveries) >= count, timeout)

    def wait_for(self, condition, timeout=DEADLINE):
        with self.changed:
            if not self.changed.wait_for(condition, timeout):
                raise TimeoutError(f"{len(self.deliveries)} deliveries after {timeout} s")
            return list(self.deliveries)

    def close(self):
        self._closing.set()
        self._server.shutdown()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._server.server_close()
        self._thread.join()
        _closed.append(self._holder)

    def _take(self, delivery):
        """Verifies and records; returns the scripted answer."""
        error = None
        secret = self._secrets.get(delivery.path)
        if secret is None:
            error = f"{delivery.method} at {delivery.path}, where nothing was expected"
        else:
            try:
                verify(secret, delivery.body, delivery.headers)
            except Exception as e:  # whatever a verifier raises, the delivery is bad
                error = f"{type(e).__name__}: {e} at {delivery.path}: {delivery.headers}"
        with self.changed:
            if error:
                self.errors.append(error)
            self.deliveries.append(delivery)
            self.changed.notify_all()
        answer = self.script(delivery)
        while answer.hold and not answer.hold.wait(0.05) and not self._closing.is_set():
            pass
        return answer

    def _count_connection(self):
        with self.changed:
            self.connections += 1
            return self.connections


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024
    block_on_close = False

    def __init__(self, receiver, tls):
        self.receiver = receiver
        self.tls = tls
        super().__init__(("127.0.0.1", receiver.port), _Http1)

    def finish_request(self, request, client_address):
        receiver = self.receiver
        connection = request
        number = receiver._count_connection()
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.tls:
                connection = self.tls.wrap_socket(request, server_side=True)
            receiver._open.add(connection)
            handler = _Http1
            if self.tls and connection.selected_alpn_protocol() == "h2":
                handler = _Http2
            handler(connection, (number, client_address), self)
        finally:
            receiver._open.discard(connection)
            connection.close()

    def handle_error(self, request, client_address):
        """A peer that goes away or refuses our certificate is part of many tests."""


class _Http1(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _receive(self):
        number, _ = self.client_address
        length = int(self.headers.get("content-length") or 0)
        delivery = Delivery(
            self.command,
            self.path,
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(length),
            "HTTP/1.1",
            number,
            time.monotonic(),
            *client_of(self.connection),
        )
        self._answer(self.server.receiver._take(delivery))

    do_GET = do_POST = do_PUT = do_HEAD = _receive

    def _answer(self, answer):
        if answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif answer.raw is not None:
            self.wfile.write(answer.raw)
            self.close_connection = True
        elif answer.drip:
            self._drip(answer)
        else:
            head = [f"HTTP/1.1 {answer.status} Answer"]
            if answer.status != 204:
                head.append(f"content-length: {len(answer.body)}")
            head += [f"{name}: {value}" for name, value in answer.headers.items()]
            self.wfile.write(("\r\n".join(head) + "\r\n\r\n").encode("latin-1") + answer.body)

    def _drip(self, answer):
        self.close_connection = True
        self.wfile.write(f"HTTP/1.1 {answer.status} Drip\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        while not answer.drip.wait(0.05) and not self.server.receiver._closing.is_set():
            self.wfile.write(b"1\r\n.\r\n")

    def log_message(self, *args):
        pass


class _Http2:
    """One HTTP/2 connection: streams are answered in the order in which they end."""

    def __init__(self, connection, client, server):
        self.connection = connection
        self.number = client[0]
        self.receiver = server.receiver
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.streams = {}
        self.h2.initiate_connection()
        self._flush()
        while data := connection.recv(65536):
            for event in self.h2.receive_data(data):
                self._handle(event)
            self._flush()

    def _flush(self):
        self.connection.sendall(self.h2.data_to_send())

    def _handle(self, event):
        if isinstance(event, h2.events.RequestReceived):
            headers = {
                (k if isinstance(k, str) else k.decode()): (v if isinstance(v, str) else v.decode())
                for k, v in event.headers
            }
            self.streams[event.stream_id] = (headers, bytearray())
        elif isinstance(event, h2.events.DataReceived):
            self.streams[event.stream_id][1].extend(event.data)
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            headers, body = self.streams.pop(event.stream_id)
            delivery = Delivery(
                headers[":method"],
                headers[":path"],
                headers,
                bytes(body),
                "HTTP/2",
                self.number,
                time.monotonic(),
                *client_of(self.connection),
            )
            answer = self.receiver._take(delivery)
            fields = [(":status", str(answer.status)), *answer.headers.items()]
            self.h2.send_headers(event.stream_id, fields, end_stream=not answer.body)
            if answer.body:
                self.h2.send_data(event.stream_id, answer.body, end_stream=True)


def tls_context(certificate, http2=False, clients=None, required=False):
    """`certificate`: a file with the key and the chain. `clients`: one with the authority of clients'."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if clients:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
    return context
