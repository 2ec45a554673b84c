"""nginx and haproxy of the system, each on a socket file of its own, with one connection to the service
that all clients share: where a proxy and the service disagree about the end of a request, the next client
gets what is not its own."""

import os
import shutil
import socket
import subprocess
import time

DEADLINE = 30  # seconds, for what should take milliseconds

NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/temp;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream service {{ server 127.0.0.1:{port}; keepalive 1; }}
    server {{
        listen unix:{folder}/socket;
        client_header_timeout 5s;
        client_body_timeout 5s;
        underscores_in_headers on;
        ignore_invalid_headers off;
        location / {{
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_request_buffering {buffering};
            proxy_ignore_client_abort on;
            proxy_read_timeout 20s;
        }}
    }}
}}
"""

HAPROXY = """\
global
    maxconn 64
    nbthread 1
defaults
    mode http
    option http-keep-alive
    http-reuse always
    timeout connect 5s
    timeout client 5s
    timeout server 20s
    timeout http-request 5s
frontend clients
    bind {folder}/socket
    default_backend service
backend service
    server service 127.0.0.1:{port} maxconn 1
"""


class Proxy:
    def __init__(self, folder, port, program, text):
        self.socket = folder / "socket"
        self.log = folder / "log"
        file = folder / "conf"
        file.write_text(text)
        words = {
            "nginx": [find(program), "-p", folder, "-c", file, "-e", self.log],
            "haproxy": [find(program), "-db", "-f", file],
        }[program]
        with (folder / "output").open("wb") as output:
            self.process = subprocess.Popen(words, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        self._wait(folder)

    def _wait(self, folder):
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                self.connect().close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError((folder / "output").read_text()[-2000:]) from None
                time.sleep(0.01)

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(DEADLINE)
        connection.connect(str(self.socket))
        return connection

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Nothing:
    """The service itself, in the place of a proxy."""

    def __init__(self, port):
        self.port = port

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), DEADLINE)


KINDS = {
    "nginx": ("nginx", NGINX, {"buffering": "on"}),
    "nginx-streaming": ("nginx", NGINX, {"buffering": "off"}),
    "haproxy": ("haproxy", HAPROXY, {}),
}


def find(program):
    """Its path, also for a user whose PATH leaves the system's programs out."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def start(kind, folder, port):
    program, text, more = KINDS[kind]
    return Proxy(folder, port, program, text.format(folder=folder, port=port, **more))
