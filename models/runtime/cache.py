"""The export of a weights file: the one that is there, or a new one."""

import contextlib
import errno
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import platformdirs

from models.errors import ExportError, WeightsError
from models.runtime.export_files import EXPORT_FORMAT, Export, read_export, write_export
from models.runtime.openvino_start import openvino_version
from models.weights.files import digest_of, load_weights

_log = logging.getLogger(__name__)

#: Exports that are kept; the ones that nobody has read for longest go first.
_KEPT: Final = 24

#: An export takes some ten seconds; a machine that is that slow is none to look at cameras with.
_EXPORT_TIMEOUT_S: Final = 900.0

#: Folders of exports under way that are older than this were left by processes that were killed over it.
_PASSING_S: Final = 86_400.0

#: An export takes about as much as its weights file, and is written while others may be.
_ROOM: Final = 4

#: How the process that exports says that the weights are wrong, not the export.
WEIGHTS_EXIT_CODE: Final = 3


class _Job(NamedTuple):
    """An export to be made: of ``weights_path``, into the empty folder ``made_in``."""

    network: str
    weights_path: Path
    made_in: Path


def cache_folder() -> Path:
    """Where exports are kept: ``PPEWATCH_CACHE_DIR``, systemd's ``CacheDirectory=``, or the user's cache."""
    if given := os.environ.get("PPEWATCH_CACHE_DIR"):
        return Path(given)
    # systemd separates several folders with colons
    if of_service := os.environ.get("CACHE_DIRECTORY", "").partition(":")[0]:
        return Path(of_service)
    return platformdirs.user_cache_path("ppewatch")


def export_place(network: str, digest: str, cache: Path) -> Path:
    """Where below the folder ``cache`` the export of the weights of ``digest`` lies, or is to lie."""
    version = openvino_version().partition("-")[0]
    return cache / "exports" / f"{network}-{digest.removeprefix('sha256:')[:24]}-{EXPORT_FORMAT}-{version}"


def exported(network: str, weights_path: Path, *, folder: Path | None = None) -> Export:
    """The graphs of a weights file of ``network`` (see ``models.runtime.export``), out of ``folder`` (by default
    ``cache_folder()``).

    One that is missing there, damaged, or of other versions is made first, which takes some ten seconds: in a process
    of its own, so that this one does not come to hold TensorFlow. Raises ``WeightsError`` when the file is missing,
    damaged or of another network, ``ExportError`` when it cannot be exported.
    """
    digest = digest_of(weights_path)
    place = export_place(network, digest, folder or cache_folder())
    found = read_export(place, network=network, weights_digest=digest)
    if found is not None:
        _mark_as_used(place)
        return found
    load_weights(weights_path)  # says what is wrong with a file before a process is started
    _tell([network])
    try:
        made_in = _new_folder(place.parent, weights_path)
    except OSError as error:
        _log.warning("%s cannot be written (%s): each start exports anew", place.parent, error.strerror)
        with tempfile.TemporaryDirectory(prefix="ppewatch-export.") as passing:
            return _made(network, weights_path, digest, Path(passing))
    try:
        export = _made(network, weights_path, digest, made_in)
        if read_export(place, network=network, weights_digest=digest) is None:
            _kept(made_in, place)
        _prune(place.parent)
    finally:
        shutil.rmtree(made_in, ignore_errors=True)
    return export


def make_missing(weights: Mapping[str, Path], *, folder: Path | None = None) -> None:
    """Make the exports of several weights files (by network) that are not in ``folder``, in one process for all:
    loading TensorFlow takes most of an export's time.

    It is ``exported`` that says what is wrong: a file or an export with which something is, is left to it, and so is a
    folder that cannot be written, a single missing export, and all where this process holds TensorFlow anyway.
    """
    cache = folder or cache_folder()
    missing = {name: path for name, path in weights.items() if _is_missing(name, path, cache)}
    if len(missing) < 2 or _tensorflow_is_here():
        return
    _tell(missing)
    with contextlib.ExitStack() as cleaning:
        jobs = []
        for network, path in missing.items():
            try:
                made_in = _new_folder(cache / "exports", path)
            except OSError:
                return
            cleaning.callback(shutil.rmtree, made_in, ignore_errors=True)
            jobs.append(_Job(network, path, made_in))
        try:
            _make_elsewhere(jobs)
        except (WeightsError, ExportError) as error:
            _log.debug("not all were exported: %s", error)
        for job in jobs:
            _keep(job, cache)
    _prune(cache / "exports")


def _is_missing(network: str, weights_path: Path, cache: Path) -> bool:
    """Whether there is no export, not even a damaged one, of weights of which there can be one."""
    try:
        if export_place(network, digest_of(weights_path), cache).exists():
            return False
        load_weights(weights_path)
    except WeightsError:
        return False
    return True


def _keep(job: _Job, cache: Path) -> None:
    """Put an export that was made for ``job`` in its place, unless it is none, or there is one by now."""
    digest = digest_of(job.weights_path)
    place = export_place(job.network, digest, cache)
    if place.exists() or read_export(job.made_in, network=job.network, weights_digest=digest) is None:
        return
    _kept(job.made_in, place)


def _tell(networks: Iterable[str]) -> None:
    _log.info("exporting %s for this machine's CPU: once for each weights file", ", ".join(networks))


def _new_folder(exports: Path, weights_path: Path) -> Path:
    """An empty folder beside the exports, with room for that of a weights file. Raises ``OSError``."""
    exports.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(exports).free < _ROOM * weights_path.stat().st_size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return Path(tempfile.mkdtemp(prefix=".export.", dir=exports))


def _made(network: str, weights_path: Path, digest: str, folder: Path) -> Export:
    """A new export, as it lies in ``folder``; it outlives the folder, whose files are mapped."""
    if _tensorflow_is_here():
        from models.runtime.export import make_export  # noqa: PLC0415 - which needs this module

        write_export(make_export(network, weights_path), folder)
    else:
        _make_elsewhere([_Job(network, weights_path, folder)])
    export = read_export(folder, network=network, weights_digest=digest)
    if export is None:
        raise ExportError(f"{folder}: what was written there cannot be read")
    return export


def _tensorflow_is_here() -> bool:
    """Whether this process holds TensorFlow anyway, as the backend of Keras."""
    keras = sys.modules.get("keras")
    return keras is not None and "tensorflow" in sys.modules and keras.backend.backend() == "tensorflow"


def _make_elsewhere(jobs: Sequence[_Job]) -> None:
    """Do ``jobs`` in a process of its own; raises what is wrong with the last that failed."""
    command = [sys.executable, "-m", "models.runtime.export"]
    for job in jobs:
        command += [job.network, str(job.weights_path.resolve()), str(job.made_in.resolve())]
    which = ", ".join(str(job.weights_path) for job in jobs)
    environment = os.environ | {
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    try:
        done = subprocess.run(
            command,
            cwd=Path(__file__).parents[2],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_EXPORT_TIMEOUT_S * len(jobs),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExportError(f"{which}: cannot be exported: {error}") from error
    if done.returncode == 0:
        return
    reason = (done.stderr.strip() or f"ended with {done.returncode}").splitlines()[-1]
    if done.returncode == WEIGHTS_EXIT_CODE:
        raise WeightsError(reason)
    raise ExportError(f"{which}: cannot be exported: {reason}")


def _kept(made: Path, place: Path) -> None:
    """Put a whole export in its place, whatever is there. Where that cannot be, as when another process does the same
    at this moment, it is as good as it is for whoever made it."""
    try:
        made.rename(place)
    except OSError:
        try:
            with tempfile.TemporaryDirectory(
                prefix=".old.", dir=place.parent, ignore_cleanup_errors=True
            ) as aside:
                place.rename(Path(aside) / "export")
                made.rename(place)
        except OSError as error:
            _log.warning("%s cannot be written: %s", place, error.strerror)


def _mark_as_used(place: Path) -> None:
    try:
        os.utime(place)
    except OSError:
        return  # a cache that is only read is never pruned


def _prune(folder: Path) -> None:
    try:
        by_use = sorted(folder.glob("[!.]*"), key=lambda place: place.stat().st_mtime, reverse=True)
        passing = [place for place in folder.glob(".*") if time.time() - place.stat().st_mtime > _PASSING_S]
    except OSError:
        return  # another process prunes
    for place in [*by_use[_KEPT:], *passing]:
        shutil.rmtree(place, ignore_errors=True)
