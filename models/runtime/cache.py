"""The export of a weights file: the one that is there, or a new one."""

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import platformdirs

import models
from models.errors import ExportError, WeightsError
from models.runtime.export_files import EXPORT_FORMAT, Export, read_export, write_export
from models.runtime.openvino_start import openvino_version
from models.weights.files import digest_of, load_weights

_log = logging.getLogger(__name__)

#: Exports that are kept; the ones that nobody has read for longest go first.
_KEPT: Final = 24

#: An export takes some ten seconds; a machine that is that slow is none to look at cameras with.
_EXPORT_TIMEOUT_S: Final = 900.0

#: How the process that exports says that the weights are wrong, not the export.
WEIGHTS_EXIT_CODE: Final = 3


def cache_folder() -> Path:
    """Where exports are kept: ``PPEWATCH_CACHE_DIR``, systemd's ``CacheDirectory=``, or the user's cache."""
    if given := os.environ.get("PPEWATCH_CACHE_DIR"):
        return Path(given)
    # systemd separates several folders with colons
    if of_service := os.environ.get("CACHE_DIRECTORY", "").partition(":")[0]:
        return Path(of_service)
    return platformdirs.user_cache_path("ppewatch")


def exported(network: str, weights_path: Path, *, folder: Path | None = None) -> Export:
    """The graphs of a weights file of ``network`` (see ``models.runtime.export``), out of ``folder`` (by default
    ``cache_folder()``).

    One that is missing there, damaged, or of other versions is made first, which takes some ten seconds: in a process
    of its own, so that this one does not come to hold TensorFlow. Raises ``WeightsError`` when the file is missing,
    damaged or of another network, ``ExportError`` when it cannot be exported.
    """
    digest = digest_of(weights_path)
    place = (folder or cache_folder()) / "exports" / _name(network, digest)
    found = read_export(place, network=network, weights_digest=digest)
    if found is not None:
        _mark_as_used(place)
        return found
    load_weights(weights_path)  # says what is wrong with a file before a process is started
    _log.info("exporting %s for this machine's CPU: once for each weights file", network)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        made_in = Path(tempfile.mkdtemp(prefix=".export.", dir=place.parent))
    except OSError as error:
        _log.warning("%s cannot be written (%s): each start exports anew", place.parent, error.strerror)
        with tempfile.TemporaryDirectory(prefix="ppewatch-export.") as passing:
            return _made(network, weights_path, digest, Path(passing))
    try:
        export = _made(network, weights_path, digest, made_in)
        if read_export(place, network=network, weights_digest=digest) is None:
            _move(made_in, place)
        _prune(place.parent)
    finally:
        shutil.rmtree(made_in, ignore_errors=True)
    return export


def _name(network: str, digest: str) -> str:
    version = openvino_version().partition("-")[0]
    return f"{network}-{digest.removeprefix('sha256:')[:24]}-{EXPORT_FORMAT}-{version}"


def _made(network: str, weights_path: Path, digest: str, folder: Path) -> Export:
    """A new export, as it lies in ``folder``; it outlives the folder, whose files are mapped."""
    if _tensorflow_is_here():
        from models.runtime.export import make_export  # noqa: PLC0415 - which needs this module

        write_export(make_export(network, weights_path), folder)
    else:
        _make_elsewhere(network, weights_path, folder)
    export = read_export(folder, network=network, weights_digest=digest)
    if export is None:
        raise ExportError(f"{folder}: what was written there cannot be read")
    return export


def _tensorflow_is_here() -> bool:
    """Whether this process holds TensorFlow anyway, as the backend of Keras."""
    keras = sys.modules.get("keras")
    return keras is not None and "tensorflow" in sys.modules and keras.backend.backend() == "tensorflow"


def _make_elsewhere(network: str, weights_path: Path, folder: Path) -> None:
    """Export into ``folder``, in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "models.runtime.export",
        network,
        str(weights_path.resolve()),
        str(folder.resolve()),
    ]
    environment = os.environ | {
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    try:
        done = subprocess.run(
            command,
            cwd=Path(models.__file__).parents[1],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_EXPORT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExportError(f"{weights_path}: cannot be exported: {error}") from error
    if done.returncode == 0:
        return
    reason = (done.stderr.strip() or f"ended with {done.returncode}").splitlines()[-1]
    if done.returncode == WEIGHTS_EXIT_CODE:
        raise WeightsError(reason)
    raise ExportError(f"{weights_path}: cannot be exported: {reason}")


def _move(made: Path, place: Path) -> None:
    """Put a whole export in its place, whatever is there."""
    try:
        made.rename(place)
    except OSError:
        aside = Path(tempfile.mkdtemp(prefix=".old.", dir=place.parent))
        try:
            place.rename(aside / "export")
            made.rename(place)
        except OSError as error:
            raise ExportError(f"{place}: cannot be written: {error.strerror}") from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _mark_as_used(place: Path) -> None:
    try:
        os.utime(place)
    except OSError:
        return  # a cache that is only read is never pruned


def _prune(folder: Path) -> None:
    try:
        by_use = sorted(folder.glob("[!.]*"), key=lambda place: place.stat().st_mtime, reverse=True)
    except OSError:
        return  # another process prunes
    for place in by_use[_KEPT:]:
        shutil.rmtree(place, ignore_errors=True)
