"""A receiver on loopback: keeps what arrives and answers with `status`."""

import http.server
import threading
import time

DEADLINE_S = 30


def eventually(ask, good=bool):
    """Asks until the answer is good; for what the service tells only when asked."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        answer = ask()
        if good(answer):
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"last answer: {answer!r}")
        time.sleep(0.01)


class Receiver:
    def __init__(self):
        self.status, self.arrived, self.changed = 200, [], threading.Condition()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(handler):
                body = handler.rfile.read(int(handler.headers["content-length"]))
                with self.changed:
                    self.arrived.append((dict(handler.headers.items()), body))
                    self.changed.notify_all()
                handler.send_response(self.status)
                handler.send_header("content-length", "5")
                handler.end_headers()
                handler.wfile.write(b"heard")

            def log_message(handler, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"

    def wait(self, count=1):
        """The deliveries as (headers, body), once there are `count` of them."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.arrived) >= count, DEADLINE_S):
                raise AssertionError(f"{len(self.arrived)} of {count} deliveries arrived")
            return list(self.arrived)

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
