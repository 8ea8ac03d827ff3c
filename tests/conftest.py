"""Fixtures that every area shares."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from peers import rtsp

# JAX, once imported, lowers it for the processes that a test starts: they would say more than they do elsewhere.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# A busy machine is no failure. Continuous integration tries the same examples each time, so that a red run is about the
# change; everybody else's runs go on looking for new ones.
settings.register_profile("ppewatch", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("ppewatch")

#: Footage, labelled pictures and reference weights that are too large or not ours to keep in the repository.
SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of labelled pictures and clips; skips the test where it is absent."""
    return _existing(SHARED / "data")


@pytest.fixture(scope="session")
def shared_weights() -> Path:
    """The folder of published reference weights; skips the test where it is absent."""
    return _existing(SHARED / "weights")


@pytest.fixture
def rtsp_server() -> Iterator[Callable[..., rtsp.RtspServer]]:
    """Starts RTSP cameras on free ports, ended with the test; options: see ``peers/rtsp_server.py``."""
    reason = rtsp.missing_reason()
    if reason is not None:
        pytest.skip(reason)
    running: list[rtsp.RtspServer] = []

    def start(**options: object) -> rtsp.RtspServer:
        running.append(rtsp.RtspServer(**options))
        return running[-1]

    yield start
    for server in running:
        server.stop()


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        pytest.skip(f"needs {folder.name} of the shared material, which is not here ({folder})")
    return folder
