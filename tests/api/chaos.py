"""The chaos receiver (tests/chaos): a process with a port for each way to misbehave."""

import json
import subprocess

from receivers import DEADLINE


class Chaos:
    def __init__(self, binary):
        """Returns once it listens; `ports` has one for each behaviour."""
        self.process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports = self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the chaos receiver ended")
        return json.loads(line)

    def url(self, name, path="/hook"):
        scheme = "https" if name.startswith("tls-") else "http"
        return f"{scheme}://127.0.0.1:{self.ports[name]}{path}"

    def figures(self):
        """What each listener saw: connections, begun, longest_us."""
        self.process.stdin.write("figures\n")
        self.process.stdin.flush()
        return self._answer()

    def stop(self):
        self.process.stdin.close()
        assert self.process.wait(DEADLINE) == 0
        self.process.stdout.close()
