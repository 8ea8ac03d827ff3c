"""HDF5 files as Keras 2 wrote them with ``save_weights`` or ``save``: numbers by layer and by name.

The root, or its group ``model_weights`` in the file of a whole model, names its layers in the attribute
``layer_names``; the group of each names its weights in ``weight_names``, as paths to data sets inside it:
``conv1/kernel:0``. A layer that is a model holds the weights of all its layers. Attributes beyond 64 kB are
split into ``layer_names0``, ``layer_names1`` and so on.
"""

import math
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsError

#: Values of each weight by its path in the file, by layer, in the order of the file.
KerasLayers = Mapping[str, Mapping[str, NDArray[np.float32]]]

#: What HDF5 leaves for attributes in the header of a group.
_ATTRIBUTE_BYTES: Final = 64512

#: What h5py raises on files that are damaged, or none of its own.
_DAMAGE: Final = (
    AttributeError,
    ArithmeticError,
    IndexError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
)
_DAMAGED_VALUES: Final = (TypeError, ValueError)


def read_keras_h5(path: Path) -> dict[str, dict[str, NDArray[np.float32]]]:
    """The weights of each layer that has any.

    Nothing is followed out of the file and no filter is run: a data set must hold its own bytes, as Keras
    writes them. Raises ``WeightsError`` when the file cannot be read, is damaged, is not of that layout, or
    holds anything but finite floating-point numbers.
    """
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        with h5py.File(path, "r") as file:
            return _layers(file, size_bytes)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    except (*_DAMAGE, *_DAMAGED_VALUES) as error:
        raise WeightsError(f"{path}: is no HDF5 file, or a damaged one: {error}") from error


def write_keras_h5(path: Path, layers: KerasLayers) -> None:
    """Write ``save_weights`` layout, whole or not at all. Raises ``WeightsError`` on a failed write."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            temporary = Path(folder) / "weights.h5"
            with h5py.File(temporary, "w") as file:
                _set_names(file, "layer_names", layers)
                file.attrs["backend"] = np.bytes_("tensorflow")
                file.attrs["keras_version"] = np.bytes_("2.2.4")
                for layer, weights in layers.items():
                    group = file.create_group(layer)
                    _set_names(group, "weight_names", weights)
                    for name, value in weights.items():
                        group.create_dataset(name, data=np.asarray(value, np.float32))
            temporary.replace(path)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written: {error}") from error


def tensors_by_name(layers: KerasLayers, *, origin: Path | str) -> dict[str, NDArray[np.float32]]:
    """The weights as ``<layer>/<variable>``, those of nested models by their own layers' names, with depthwise
    kernels called ``kernel`` as Keras 3 calls them. Raises ``WeightsError`` (naming ``origin``) when two
    have one name."""
    tensors: dict[str, NDArray[np.float32]] = {}
    for layer, weights in layers.items():
        parents = {_parent(name) for name in weights}
        for name, value in weights.items():
            owner = layer if len(parents) == 1 else _parent(name)
            variable = name.rpartition("/")[2].partition(":")[0].replace("depthwise_kernel", "kernel")
            if f"{owner}/{variable}" in tensors:
                raise WeightsError(f"{origin}: {owner}/{variable} is there twice")
            tensors[f"{owner}/{variable}"] = value
    return tensors


def _parent(name: str) -> str:
    return name.rpartition("/")[0].rpartition("/")[2]


def _layers(file: Any, size_bytes: int) -> dict[str, dict[str, NDArray[np.float32]]]:
    root = file
    if not _has_names(root, "layer_names") and _is_own(root, "model_weights"):
        root = root["model_weights"]
    if not _has_names(root, "layer_names"):
        raise WeightsError("holds no weights in the layout of Keras 2")
    layers: dict[str, dict[str, NDArray[np.float32]]] = {}
    left_bytes = size_bytes
    for layer in _names(root, "layer_names"):
        group = _group(root, layer)
        if not _has_names(group, "weight_names") or layer in layers:
            raise WeightsError(f"layer {layer} is there twice or names no weights")
        weights: dict[str, NDArray[np.float32]] = {}
        for name in _names(group, "weight_names"):
            weights[name], size_bytes = _values(group, name, left_bytes)
            # overlapping data sets would multiply the file in memory
            left_bytes -= size_bytes
        if weights:
            layers[layer] = weights
    return layers


def _values(group: Any, name: str, left_bytes: int) -> tuple[NDArray[np.float32], int]:
    """The values of a data set, and how many bytes of the file they are."""
    data_set = _member(group, name)
    if not isinstance(data_set, h5py.Dataset):
        raise WeightsError(f"{name} is no data set")
    if data_set.dtype.kind != "f" or data_set.dtype.itemsize > 8:
        raise WeightsError(f"{name} is {data_set.dtype}, not floating-point numbers")
    if data_set.is_virtual or data_set.external or data_set.id.get_create_plist().get_nfilters():
        raise WeightsError(f"{name} does not hold its own bytes as they are")
    size_bytes = math.prod(data_set.shape or ()) * data_set.dtype.itemsize
    if data_set.shape is None or data_set.id.get_storage_size() != size_bytes or size_bytes > left_bytes:
        raise WeightsError(f"{name} is truncated: it has fewer bytes than it says")
    value = np.asarray(data_set[()], np.float32)
    if not np.isfinite(value).all():
        raise WeightsError(f"{name} holds values that are not finite")
    return value, size_bytes


def _group(parent: Any, name: str) -> Any:
    group = _member(parent, name)
    if not isinstance(group, h5py.Group):
        raise WeightsError(f"{name} is no group")
    return group


def _member(parent: Any, name: str) -> Any:
    """What ``name``, with slashes in it, leads to from ``parent`` without leaving the file."""
    for part in name.split("/"):
        if not isinstance(parent, h5py.Group) or not _is_own(parent, part):
            raise WeightsError(f"{name} is missing")
        parent = parent[part]
    return parent


def _is_own(group: Any, name: str) -> bool:
    """Whether the group has it, and has it by an ordinary link: others may lead to other files."""
    return name not in ("", ".", "..") and isinstance(group.get(name, getlink=True), h5py.HardLink)


def _has_names(group: Any, attribute: str) -> bool:
    return attribute in group.attrs or f"{attribute}0" in group.attrs


def _names(group: Any, attribute: str) -> list[str]:
    parts = [attribute]
    if attribute not in group.attrs:
        parts = [f"{attribute}{number}" for number in range(len(group.attrs))]
    values = [value for part in parts if part in group.attrs for value in np.atleast_1d(group.attrs[part])]
    names = [value.decode() if isinstance(value, bytes) else value for value in values]
    if not all(isinstance(name, str) for name in names):
        raise WeightsError(f"{attribute} are no names")
    return [str(name) for name in names]


def _set_names(group: Any, attribute: str, names: Iterable[str]) -> None:
    encoded = np.array([name.encode() for name in names])
    count = max(1, -(-encoded.nbytes // _ATTRIBUTE_BYTES))
    if count == 1:
        group.attrs[attribute] = encoded
        return
    for number, part in enumerate(np.array_split(encoded, count)):
        group.attrs[f"{attribute}{number}"] = part
