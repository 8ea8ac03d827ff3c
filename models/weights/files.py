"""One weights file: safetensors (numbers and a JSON header, no code) with four entries of metadata.

========================  ============================================================
``format``                ``ppewatch-weights``
``format_version``        ``1``
``architecture``          the network that the tensors belong to, for example ``retinaface``
``config``                JSON object: what the network's builder needs to know
``source``                one line: where the numbers come from
========================  ============================================================

Tensors are float32, named ``<layer>/<variable>``, in Keras' axis order.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from models.errors import WeightsError

FORMAT: Final = "ppewatch-weights"
FORMAT_VERSION: Final = "1"


@dataclass(frozen=True, slots=True, eq=False)
class StoredWeights:
    """The content of one weights file; ``tensors`` are float32 and finite, ``digest`` is ``sha256:<hex>``."""

    architecture: str
    config: Mapping[str, Any]
    source: str
    tensors: Mapping[str, NDArray[np.float32]]
    digest: str


def digest_of(path: Path) -> str:
    """``sha256:<hex>`` of a file's bytes. Raises ``WeightsError`` when it cannot be read."""
    try:
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error


def save_weights(
    path: Path,
    tensors: Mapping[str, NDArray[np.float32]],
    *,
    architecture: str,
    config: Mapping[str, Any],
    source: str,
) -> str:
    """Write a weights file, whole or not at all, and return its digest.

    The same content gives the same bytes. Raises ``WeightsError`` on values that are not finite or a failed
    write.
    """
    _check_finite(path, tensors)
    data = safetensors.numpy.save(
        {name: np.asarray(tensors[name], np.float32, order="C") for name in sorted(tensors)},
        metadata={
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "architecture": architecture,
            "config": json.dumps(config, sort_keys=True),
            "source": source,
        },
    )
    data = _with_sorted_header(data)
    try:
        _replace(path, data)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written: {error.strerror}") from error
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def load_weights(path: Path, *, architecture: str | None = None, digest: str | None = None) -> StoredWeights:
    """Read a weights file.

    ``architecture`` and ``digest`` say what it must be, when given. Raises ``WeightsError`` when the file
    is missing, truncated, no weights file of ours, of another version, architecture or digest, or holds
    anything but finite float32.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error
    found = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if digest is not None and digest != found:
        raise WeightsError(f"{path}: its digest is {found}, expected {digest}")
    try:
        tensors = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path}: is no safetensors file, or a damaged one: {error}") from error
    metadata = _header(data).get("__metadata__", {})
    if metadata.get("format") != FORMAT or metadata.get("format_version") != FORMAT_VERSION:
        raise WeightsError(f"{path}: is safetensors, but no {FORMAT} file of version {FORMAT_VERSION}")
    name = metadata.get("architecture", "")
    if architecture is not None and name != architecture:
        raise WeightsError(f"{path}: holds weights of {name!r}, expected {architecture!r}")
    try:
        config = json.loads(metadata.get("config", ""))
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: its config is no JSON: {error}") from error
    if not isinstance(config, dict):
        raise WeightsError(f"{path}: its config is no JSON object")
    _check_finite(path, tensors)
    return StoredWeights(name, config, metadata.get("source", ""), tensors, found)


def match_tensors(
    path: Path | str, tensors: Mapping[str, NDArray[Any]], wanted_shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise ``WeightsError`` that names the differences unless names and shapes are exactly the wanted
    ones."""
    problems = [f"{name} is missing" for name in wanted_shapes if name not in tensors]
    problems += [f"{name} is not known" for name in tensors if name not in wanted_shapes]
    problems += [
        f"{name} is {tensors[name].shape}, not {shape}"
        for name, shape in wanted_shapes.items()
        if name in tensors and tensors[name].shape != tuple(shape)
    ]
    if problems:
        more = f", and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise WeightsError(f"{path}: does not fit the network: {', '.join(problems[:3])}{more}")


def _check_finite(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    for name, tensor in tensors.items():
        if tensor.dtype != np.float32:
            raise WeightsError(f"{path}: {name} is {tensor.dtype}, expected float32")
        if not np.isfinite(tensor).all():
            raise WeightsError(f"{path}: {name} holds values that are not finite")


def _header(data: bytes) -> dict[str, Any]:
    """The JSON header of safetensors bytes that have been loaded before."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return dict(header)


def _with_sorted_header(data: bytes) -> bytes:
    """The library writes metadata in hash order, which differs between runs: sort it, for a stable digest."""
    length = int.from_bytes(data[:8], "little")
    header = _header(data)
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format keeps tensors aligned to 8 bytes
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
