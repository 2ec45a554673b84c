"""The service in a network of its own, with witnesses. It shares the service of tests/api."""

import os

import pytest

import world as around
from surehook import BINARY, Service


def pytest_configure(config):
    if not BINARY.exists():
        raise pytest.UsageError(f"{BINARY} is missing: run make, or set SUREHOOK_BINARY")


class World:
    def __init__(self):
        around.prepare()
        self.witness = around.Witness()
        self.listener = around.Listener()
        self.names = around.NameServer()

    def forget(self):
        self.names.forget()
        self.listener.forget()
        self.witness.asked()

    def close(self):
        self.names.close()
        self.listener.close()
        self.witness.close()


@pytest.fixture(scope="session")
def _world():
    if not os.environ.get("SSRF_NAMESPACE"):
        assert not os.environ.get("CI"), "no namespace: run make ssrf where unshare -Urnm works"
        pytest.skip("no namespace: run make ssrf where unshare -Urnm works")
    world = World()
    yield world
    world.close()


@pytest.fixture
def world(_world):
    """Knows nothing of other tests: the services of those before have ended."""
    _world.forget()
    return _world


class HiddenService(Service):
    """Called from an address that the witness leaves out."""

    source = (around.CLIENT, 0)


@pytest.fixture
def start(world, tmp_path):
    """start(environment, option=value, …): a running service that allows nothing and tries once."""
    services = []

    def start(env=None, **options):
        directory = tmp_path / f"service{len(services)}"
        directory.mkdir()
        options = {"allow_subnets": "", "retry_schedule": "", "connect_timeout": "2s", **options}
        # The others have no name server.
        env = {"RES_OPTIONS": "", **(env or {})}
        services.append(HiddenService(directory, env, **options))
        return services[-1].start()

    yield start
    for service in services:
        service.stop()
