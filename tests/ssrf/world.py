"""The whole world on the loopback device of a network namespace (enter.sh makes it): every address takes
connections, a witness records each one before it is answered, and a name server says what a test wants.

The witness reads the device itself. A packet that asks for a connection is in its queue before connect()
returns to the service, so that whatever happened before an attempt's end is seen after it."""

import ctypes
import ipaddress
import socket
import struct
import subprocess
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from receivers import DEADLINE

CLIENT = "127.9.9.9"  # the test's own requests come from here
NAME_SERVER = "9.9.9.9"
PORTS = (80, 443, 8080)
PUBLIC4, PUBLIC6 = "93.184.216.34", "2606:2800:220:1::34"

# One of each range of the design, on the device itself; the local routes cover the rest. Of the last ones the
# kernel opens no connection whatever a program asks, so that only the attempt's outcome shows the guard.
CANARIES = """
    0.0.0.1 10.0.0.1 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 192.0.0.1 192.0.2.1 192.88.99.1
    192.168.0.1 198.18.0.1 198.51.100.1 203.0.113.1 240.0.0.1 255.255.255.254
    ::1 ::7f00:1 64:ff9b::7f00:1 64:ff9b:1::7f00:1 100::1 5f00::1 fc00::1 fd00:ec2::254 fec0::1 2001::1
    2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1::1 3fff::1 4000::1 8000::1
    """.split()
MUTE = "224.0.0.1 239.1.1.1 255.255.255.255 fe80::1 ff02::1 ff0e::1".split()


def prepare():
    """As often as one likes."""
    for address in CANARIES:
        bits = ipaddress.ip_address(address).max_prefixlen
        subprocess.run(["ip", "address", "replace", f"{address}/{bits}", "dev", "lo"], check=True)


def _packet_filter():
    """Classic BPF: lets SYN without ACK pass, once each, but for those of the test."""
    client = int(ipaddress.ip_address(CLIENT))
    program = [
        (0x30, 0, 0, 0xFFFFF004),  # 0  the kind of packet
        (0x15, 17, 0, 4),  # 1  outgoing: it comes in again
        (0x30, 0, 0, 0),  # 2  the version
        (0x54, 0, 0, 0xF0),  # 3
        (0x15, 0, 7, 0x40),  # 4  else 12
        (0x30, 0, 0, 9),  # 5  the protocol
        (0x15, 0, 12, 6),  # 6  TCP, else 19
        (0x20, 0, 0, 12),  # 7  the source
        (0x15, 10, 0, client),  # 8  the test: 19
        (0xB1, 0, 0, 0),  # 9  the length of the header
        (0x50, 0, 0, 13),  # 10 the flags
        (0x05, 0, 0, 4),  # 11 to 16
        (0x15, 0, 6, 0x60),  # 12 version 6, else 19
        (0x30, 0, 0, 6),  # 13 the next header
        (0x15, 0, 4, 6),  # 14 TCP, else 19
        (0x30, 0, 0, 53),  # 15 the flags
        (0x54, 0, 0, 0x12),  # 16 SYN and ACK
        (0x15, 0, 1, 0x02),  # 17 SYN alone
        (0x06, 0, 0, 0xFFFF),  # 18 take it
        (0x06, 0, 0, 0),  # 19 leave it
    ]
    return b"".join(struct.pack("=HBBI", *row) for row in program), len(program)


class Witness:
    """Every TCP connection that anybody but the test asks for, whether it is taken or not."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        program, rows = _packet_filter()
        self._program = ctypes.create_string_buffer(program, len(program))
        fprog = struct.pack("HL", rows, ctypes.addressof(self._program))
        self.socket.setsockopt(socket.SOL_SOCKET, 26, fprog)  # SO_ATTACH_FILTER
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind(("lo", 0x0003))  # ETH_P_ALL
        self.socket.setblocking(False)

    def asked(self):
        """(address, port) of each since the last call."""
        found = []
        try:
            while True:
                found.append(self._destination(self.socket.recv(128)))
        except BlockingIOError:
            pass
        _, lost = struct.unpack("II", self.socket.getsockopt(263, 6, 8))  # SOL_PACKET, PACKET_STATISTICS
        assert lost == 0, "the witness lost packets: take what it saw more often"
        return found

    @staticmethod
    def _destination(packet):
        if packet[0] >> 4 == 4:
            head, address = packet[0] % 16 * 4, packet[16:20]
        else:
            head, address = 40, packet[24:40]
        return ipaddress.ip_address(address), int.from_bytes(packet[head + 2 : head + 4], "big")

    def close(self):
        self.socket.close()


@dataclass
class Arrival:
    client: tuple  # the connection's other end
    address: str  # the one that was called
    port: int
    path: str
    headers: dict  # lower-case names
    body: bytes


class Listener:
    """Takes requests at every address and every port of PORTS; `answers` has (status, headers) by path."""

    def __init__(self):
        self.arrivals = []
        self.answers = {}
        self.changed = threading.Condition()
        self._servers = [_serve(self, kind, port) for kind in (_Server4, _Server6) for port in PORTS]

    def forget(self):
        self.arrivals, self.answers = [], {}

    def take(self, arrival):
        with self.changed:
            self.arrivals.append(arrival)
            self.changed.notify_all()
        return self.answers.get(arrival.path, (204, {}))

    def wait(self, path, count=1):
        """The arrivals at a path, once there are so many."""
        here = lambda: [a for a in self.arrivals if a.path == path]
        with self.changed:
            assert self.changed.wait_for(lambda: len(here()) >= count, DEADLINE), f"nothing more at {path}"
        return here()

    def close(self):
        for server in self._servers:
            server.shutdown()
            server.server_close()


def _serve(listener, kind, port):
    server = kind(("", port), _Handler)
    server.listener = listener
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


class _Server4(ThreadingHTTPServer):
    request_queue_size = 1024
    block_on_close = False

    def handle_error(self, request, client_address):
        """TLS, resets: the witness has it."""


class _Server6(_Server4):
    address_family = socket.AF_INET6

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().server_bind()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        address, port = self.connection.getsockname()[:2]
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        arrival = Arrival(self.client_address[:2], address, port, self.path, headers, body)
        status, extra = self.server.listener.take(arrival)
        self.send_response(status)
        for name, value in extra.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class NameServer:
    """Answers with no time to live. `names` has for each name and type, A or AAAA, a list of rounds: one for
    each question, the last for ever. A round is a list of addresses, or the text of an alias. Of those in
    `silent` it says nothing."""

    TYPES = {1: "A", 5: "CNAME", 28: "AAAA"}

    def __init__(self):
        self.names = {}
        self.silent = set()
        self.asked = []  # (name, type)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((NAME_SERVER, 53))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def forget(self):
        self.names, self.silent, self.asked = {}, set(), []

    def add(self, name, a=(), aaaa=()):
        """Rounds, or the addresses of the only one."""
        rounds = lambda value: list(value) if value and isinstance(value[0], (list, tuple)) else [value]
        self.names[name] = {"A": rounds(a), "AAAA": rounds(aaaa)}

    def count(self, name, kind="A"):
        return self.asked.count((name, kind))

    def close(self):
        self._socket.sendto(b"", (NAME_SERVER, 53))  # ends the loop
        self._thread.join()
        self._socket.close()

    def _run(self):
        while True:
            question, client = self._socket.recvfrom(512)
            if not question:
                return
            answer = self._answer(question)
            if self.asked[-1][0] not in self.silent:
                self._socket.sendto(answer, client)

    def _answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode("latin-1"))
            at += 1 + question[at]
        kind = self.TYPES.get(int.from_bytes(question[at + 1 : at + 3], "big"))
        name = ".".join(labels).lower()
        rounds = self.names.get(name, {}).get(kind, [()])
        turn = self.count(name, kind)
        self.asked.append((name, kind))
        records = self._records(rounds[min(turn, len(rounds) - 1)], kind)
        status = 0x8180 if name in self.names else 0x8183
        head = struct.pack("!2sHHHHH", question[:2], status, 1, len(records), 0, 0)
        return head + question[12 : at + 5] + b"".join(records)

    def _records(self, values, kind):
        """An alias is followed here, as a resolving server does."""
        if isinstance(values, str):
            target = self.names[values][kind][0]
            wire = b"".join(bytes([len(x)]) + x.encode() for x in values.split(".")) + b"\0"
            alias = struct.pack("!HHHIH", 0xC00C, 5, 1, 0, len(wire)) + wire
            return [alias, *(self._record(wire, ipaddress.ip_address(x)) for x in target)]
        return [self._record(b"\xc0\x0c", ipaddress.ip_address(x)) for x in values]

    @staticmethod
    def _record(owner, address):
        kind = 1 if address.version == 4 else 28
        return owner + struct.pack("!HHIH", kind, 1, 0, len(address.packed)) + address.packed
