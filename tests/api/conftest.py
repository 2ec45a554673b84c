"""Every test has its own service, directory and receivers, so that all run in parallel. A service
that does not end cleanly and a delivery that does not verify fail the test that had them."""

import datetime
import ipaddress
from itertools import zip_longest

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from receivers import Receiver, tls_context
from surehook import BINARY, Service


def pytest_configure(config):
    if not BINARY.exists():
        raise pytest.UsageError(f"{BINARY} is missing: run make, or set SUREHOOK_BINARY")


LONGEST = ("test_schema_cases", "test_behind_proxy")


def pytest_collection_modifyitems(items):
    """The longest begin, or all workers but theirs would be idle in the end. A worker is handed two tests
    at first, so that a short one follows each."""
    long = [item for item in items if item.path.stem in LONGEST]
    short = [item for item in items if item.path.stem not in LONGEST]
    items[:] = [item for pair in zip_longest(long, short) for item in pair if item]


@pytest.fixture
def start(tmp_path):
    """start(option=value, …): a running service; several in one test have directories of their own."""
    services = []

    def start(**options):
        directory = tmp_path / f"service{len(services)}"
        directory.mkdir()
        services.append(Service(directory, **options))
        return services[-1].start()

    yield start
    for service in services:
        service.stop()


@pytest.fixture
def service(start):
    return start()


@pytest.fixture
def app(service):
    return service.new_app()


@pytest.fixture
def new_receiver():
    """new_receiver(tls=…): closed and judged at the end of the test."""
    receivers = []

    def new_receiver(tls=None):
        receivers.append(Receiver(tls))
        return receivers[-1]

    yield new_receiver
    for receiver in receivers:
        receiver.close()
    assert [e for receiver in receivers for e in receiver.errors] == []


@pytest.fixture
def receiver(new_receiver):
    return new_receiver()


class Authority:
    """A certificate authority of our own; `file` is for --ca-file."""

    def __init__(self, directory):
        self.directory = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        self.certificate = self._sign(self.name, self.key.public_key(), [], ca=True)
        self.file = directory / "ca.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(self, subject, public_key, names, ca=False, days=1):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=9))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def certificate_for(self, address):
        """A file with a new key and its certificate for the address."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
        names = [x509.IPAddress(ipaddress.ip_address(address))]
        certificate = self._sign(subject, key.public_key(), names)
        path = self.directory / f"{address}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return path

    def tls(self, address="127.0.0.1", http2=False, **clients):
        return tls_context(self.certificate_for(address), http2, **clients)

    @property
    def pem(self):
        return self.file.read_text()

    def client(self, name, days=1, key=None):
        """A certificate for a client and its key, both in PEM."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key.public_key(), [], days=days)
        encoding = serialization.Encoding.PEM
        return certificate.public_bytes(encoding).decode(), key.private_bytes(
            encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()


@pytest.fixture
def new_authority(tmp_path):
    count = iter(range(100))

    def new_authority():
        directory = tmp_path / f"ca{next(count)}"
        directory.mkdir()
        return Authority(directory)

    return new_authority


@pytest.fixture
def authority(new_authority):
    return new_authority()
