"""The chaos receiver (tests/chaos): a process with a port for each way to misbehave."""

import json
import subprocess
import time
from pathlib import Path

from receivers import DEADLINE


class Chaos:
    def __init__(self, binary, directory):
        """Returns once it listens; `ports` has one for each behaviour."""
        path = Path(directory) / "chaos.ports"
        self.process = subprocess.Popen(
            [binary, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + DEADLINE
        while not path.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the chaos receiver did not start")
            time.sleep(0.01)
        words = (line.split() for line in path.read_text().splitlines())
        self.ports = {name: int(port) for name, port in words}

    def url(self, name, path="/hook"):
        scheme = "https" if name.startswith("tls-") else "http"
        return f"{scheme}://127.0.0.1:{self.ports[name]}{path}"

    def figures(self):
        """What each listener saw: connections, begun, longest_us."""
        self.process.stdin.write("figures\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        assert self.process.wait(DEADLINE) == 0
        self.process.stdout.close()
