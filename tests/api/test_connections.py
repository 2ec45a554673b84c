"""Who may connect when there are as many as there may be."""

import http.client
import socket
import subprocess

import surehook
from surehook import eventually


def connect(service, source):
    return socket.create_connection(("127.0.0.1", service.port), surehook.DEADLINE, (source, 0))


def get(service, source):
    """The status of a request on a connection of its own; 0 when that is closed."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, surehook.DEADLINE, (source, 0))
    try:
        connection.request("GET", "/api/v1/app", headers={"authorization": f"Bearer {service.token}"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def test_one_address_cannot_keep_the_others_out(start):
    service = start(max_connections=20)
    crowd = [connect(service, "127.0.0.2") for _ in range(20)]
    eventually(lambda: get(service, "127.0.0.2"), lambda status: status == 503)
    for _ in range(30):
        assert get(service, "127.0.0.3") == 200
    assert service.metric('surehook_http_refused_total{reason="connections"}') > 0
    for one in crowd:
        one.close()


def test_clients_get_half_of_the_open_files_at_most(start, monkeypatch, tmp_path):
    few = tmp_path / "few"
    few.write_text(f'#!/bin/sh\nexec prlimit --nofile=200:400 {surehook.BINARY} "$@"\n')
    few.chmod(0o700)
    monkeypatch.setattr(surehook.Service, "binary", few)
    service = start()
    assert "connections=200" in service.log.read_text()
    limits = subprocess.run(["prlimit", f"--pid={service.process.pid}", "--nofile", "--noheadings", "--output=SOFT"],
                            capture_output=True, text=True, check=True)
    assert limits.stdout.strip() == "400"
    crowd = [connect(service, "127.0.0.2") for _ in range(200)]
    assert get(service, "127.0.0.3") == 200
    for one in crowd:
        one.close()
