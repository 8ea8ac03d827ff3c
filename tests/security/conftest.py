"""Certificates that every test of this area shares."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from peers.authority import Authority, Identity


@dataclass(frozen=True)
class Pki:
    """What a site may meet: its own CA, what that signed, and a stranger's."""

    ca: Path
    stranger_ca: Path
    good: Identity
    expired: Identity
    other_host: Identity
    stranger: Identity
    client: Identity
    viewer: Identity
    operator: Identity


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    folder = tmp_path_factory.mktemp("pki")
    ours, strangers = Authority(folder), Authority(folder, "stranger")
    return Pki(
        ca=ours.ca,
        stranger_ca=strangers.ca,
        good=ours.issue("good"),
        expired=ours.issue("expired", expired=True),
        other_host=ours.issue("other", "camera.example"),
        stranger=strangers.issue("stranger"),
        client=ours.issue("client", "ppewatch.example", common_name="ppewatch"),
        viewer=ours.issue("viewer", "viewer.example", common_name="viewer"),
        operator=ours.issue("operator", "operator.example", common_name="operator"),
    )
