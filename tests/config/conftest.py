from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from config import ConfigError, SiteSettings, load_site

#: The smallest site, to which tests add.
MINIMAL = """\
site: {name: yard}
cameras:
  gate: {url: "rtsp://10.0.0.1/stream"}
"""


@pytest.fixture
def minimal() -> str:
    return MINIMAL


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., SiteSettings]:
    """Loads a text as a site file, with no environment but the one that is passed."""

    def load_text(text: str | bytes, environ: Mapping[str, str] | None = None) -> SiteSettings:
        path = tmp_path / "site.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_site(path, {"HOME": str(tmp_path)} | dict(environ or {}))

    return load_text


@pytest.fixture
def errors_of(load: Callable[..., SiteSettings], tmp_path: Path) -> Callable[..., list[str]]:
    """The problems of a text, one string each, without the folder of the file."""

    def errors(text: str | bytes, environ: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text, environ)
        assert str(caught.value) == "\n".join(map(str, caught.value.problems))
        return [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]

    return errors
