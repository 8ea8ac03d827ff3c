"""Fixtures that every area shares."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from peers import rtsp

# JAX, once imported, lowers it for the processes that a test starts: they would say more than they do elsewhere.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Networks are exported once for the session: its processes and the daemons that they start share one cache.
_CACHE = None
if "PPEWATCH_CACHE_DIR" not in os.environ:
    _CACHE = tempfile.mkdtemp(prefix="ppewatch-tests.")
    os.environ["PPEWATCH_CACHE_DIR"] = _CACHE

# A busy machine is no failure. Continuous integration tries the same examples each time, so that a red run is about the
# change; everybody else's runs go on looking for new ones.
settings.register_profile("ppewatch", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("ppewatch")

#: Footage, labelled pictures and reference weights that are too large or not ours to keep in the repository.
SHARED = Path(__file__).resolve().parents[1].parent / "shared"

#: The files that take longest, of those that wait and those that compute by turns. They go first, so that processes
#: that share the suite (``make test``) end it with short ones, and together.
LONGEST_FILES = (
    "e2e/test_daemon.py",
    "models/test_retinaface_tiny_run.py",
    "e2e/test_main_job.py",
    "models/test_mask_rcnn_by_heart.py",
    "commands/test_weights.py",
    "commands/test_replay.py",
    "commands/test_detect.py",
    "inference/test_worker_with_models.py",
    "models/test_retinaface_training.py",
    "models/test_mask_state_training.py",
    "models/test_mask_rcnn_network.py",
    "models/test_crossval.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, the others in their order."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_unconfigure() -> None:
    """What made the cache removes it: of several processes, the one that started the others."""
    if _CACHE is not None:
        shutil.rmtree(_CACHE, ignore_errors=True)


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
