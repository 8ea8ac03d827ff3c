"""Where the pictures lie that are shown while cameras are asked for: readable by their owner alone."""

import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self


class Pictures:
    """A folder of JPEGs, gone at the end; ``folder`` given: that one, which stays. A context manager."""

    def __init__(self, folder: Path | None = None) -> None:
        self._stays = folder is not None
        self._folder = folder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None and not self._stays:
            shutil.rmtree(self._folder, ignore_errors=True)

    def keep(self, name: str, jpeg: bytes) -> Path:
        """Write a picture under a name of letters, digits, ``_`` and ``-``; returns its path."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="ppewatch-init."))
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{name}.jpg"
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(jpeg)
        return path
