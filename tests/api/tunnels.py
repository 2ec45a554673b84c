"""Real proxies on loopback: CONNECT over HTTP and HTTPS, and SOCKS 5. Each records what it is asked for, and
connects there unless its script says otherwise."""

import base64
import ipaddress
import socket
import struct
import threading
from dataclasses import dataclass, field

from receivers import DEADLINE

REFUSED = "refused"  # SOCKS: the target refused; HTTP: 502
SILENT = "silent"  # no answer until the proxy closes
CLOSED = "closed"  # the connection ends instead of an answer

SOCKS_REPLIES = {None: 0, REFUSED: 5}


@dataclass
class Asked:
    host: str
    port: int
    head: bytes = b""  # of CONNECT, all of it
    headers: dict = field(default_factory=dict)  # lower-case names
    peer: str = ""  # the address that it was asked from

    @property
    def is_address(self):
        try:
            return bool(ipaddress.ip_address(self.host))
        except ValueError:
            return False


class Proxy:
    """kind: http, https, or socks5. `credentials`: (user, password) that it insists on."""

    def __init__(self, kind="http", credentials=None, tls=None, address=("127.0.0.1", 0)):
        self.kind = kind
        self.credentials = credentials
        self.tls = tls
        self.changed = threading.Condition()
        self.asked = []
        self.strange = []  # what is no request for a tunnel
        self.connections = 0
        self.script = lambda asked: None
        self._closing = threading.Event()
        self._open = set()
        self._listener = socket.create_server(address, backlog=256)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, user=None, password=None, host="127.0.0.1"):
        login = f"{user}:{password}@" if user else ""
        return f"{self.kind}://{login}{host}:{self.port}"

    def always(self, answer):
        """A status of CONNECT, one of the words above, or None: connect."""
        self.script = lambda asked: answer

    def wait(self, count=1):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked) >= count, DEADLINE), self.asked
            return list(self.asked)

    def close(self):
        self._closing.set()
        self._listener.close()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                return
            with self.changed:
                self.connections += 1
            threading.Thread(target=self._serve, args=(connection, peer[0]), daemon=True).start()

    def _serve(self, connection, peer):
        self._open.add(connection)
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
                self._open.add(connection)
            target = self._socks(connection, peer) if self.kind == "socks5" else self._connect(connection, peer)
            if target:
                self._pump(connection, target)
        except OSError:
            pass
        finally:
            connection.close()

    def _take(self, asked):
        answer = self.script(asked)
        with self.changed:
            self.asked.append(asked)
            self.changed.notify_all()
        if answer == SILENT:
            self._closing.wait(DEADLINE)
        return answer

    def _connect(self, connection, peer):
        """The connection to the target; None when there is none."""
        head = b""
        while b"\r\n\r\n" not in head:
            if not (more := connection.recv(4096)):
                return None
            head += more
        request, *lines = head.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, authority, version = request.split(" ")
        if method != "CONNECT" or version != "HTTP/1.1" or head.split(b"\r\n\r\n", 1)[1]:
            self.strange.append(head)
            connection.sendall(b"HTTP/1.1 400 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            return None
        host, _, port = authority.rpartition(":")
        asked = Asked(host.strip("[]"), int(port), head, headers, peer)
        answer = self._take(asked)
        if self.credentials and headers.get("proxy-authorization") != self._basic():
            answer = 407
        if answer == CLOSED or answer == SILENT:
            return None
        status = 502 if answer == REFUSED else answer or 200
        target = None
        if status == 200:
            target = self._dial(asked)
            status = 200 if target else 502
        extra = "" if status == 200 else "content-length: 6\r\nretry-after: 5000\r\n"
        body = "" if status == 200 else "secret"
        connection.sendall(f"HTTP/1.1 {status} Answer\r\nvia: 1.1 proxy\r\n{extra}\r\n{body}".encode())
        return target

    def _basic(self):
        return "Basic " + base64.b64encode(":".join(self.credentials).encode()).decode()

    def _socks(self, connection, peer):
        stream = connection.makefile("rb")
        version, count = stream.read(2)
        methods = stream.read(count)
        wanted = 2 if self.credentials else 0
        if version != 5 or wanted not in methods:
            connection.sendall(b"\x05\xff")
            return None
        connection.sendall(bytes([5, wanted]))
        if self.credentials and not self._login(connection, stream):
            return None
        _, command, _, kind = stream.read(4)
        if kind == 3:
            host = stream.read(stream.read(1)[0]).decode()
        else:
            host = str(ipaddress.ip_address(stream.read(4 if kind == 1 else 16)))
        (port,) = struct.unpack("!H", stream.read(2))
        if command != 1:
            self.strange.append(command)
        asked = Asked(host, port, peer=peer)
        answer = self._take(asked)
        if answer == CLOSED or answer == SILENT:
            return None
        reply = answer if isinstance(answer, int) else SOCKS_REPLIES[answer]
        target = self._dial(asked) if reply == 0 else None
        if reply == 0 and not target:
            reply = 5
        connection.sendall(struct.pack("!BBBBIH", 5, reply, 0, 1, 0, 0))
        return target

    def _login(self, connection, stream):
        stream.read(1)
        user = stream.read(stream.read(1)[0]).decode()
        password = stream.read(stream.read(1)[0]).decode()
        good = (user, password) == self.credentials
        connection.sendall(b"\x01\x00" if good else b"\x01\x01")
        return good

    @staticmethod
    def _dial(asked):
        try:
            return socket.create_connection((asked.host, asked.port), DEADLINE)
        except OSError:
            return None

    def _pump(self, connection, target):
        self._open.add(target)
        back = threading.Thread(target=self._copy, args=(target, connection), daemon=True)
        back.start()
        self._copy(connection, target)
        back.join()
        target.close()

    @staticmethod
    def _copy(source, sink):
        try:
            source.settimeout(None)
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
