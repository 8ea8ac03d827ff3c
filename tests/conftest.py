"""Fixtures that every area shares."""

from pathlib import Path

import pytest

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


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        pytest.skip(f"needs {folder.name} of the shared material, which is not here ({folder})")
    return folder
