"""Peers that the tests of alerts share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.mosquitto import Certificates, Mosquitto, make_certificates


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker without users, TLS and persistence."""
    with Mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates for a broker on 127.0.0.1."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))
