"""Read the tensors of a PyTorch file without PyTorch and without running what the file says.

A PyTorch file is a pickle that names storages, with the storages' bytes beside it: in one stream (until
version 1.6) or in a zip archive (since). A pickle can call anything that it can name; this reader does not run it
(``tensor_pickles``), knows the names of tensors, storages and ``OrderedDict``, and refuses the file at the first other.
"""

import io
import math
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsError
from models.retinaface.tensor_pickles import TensorPickle

_MAGIC: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001

_STORAGE_DTYPES: Final[Mapping[str, str]] = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}

#: Layers may share weights; files that name everything over and over are none.
_MOST_TIMES_THE_FILE: Final = 4
_MOST_VALUES: Final = 200_000

#: What a damaged or hostile pickle can make the unpickler raise.
_DAMAGE: Final = (
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    IndexError,
    KeyError,
    MemoryError,
    OSError,
    RuntimeError,  # of zipfile: encrypted, or compressed in a way that it does not know
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
)


@dataclass(frozen=True, slots=True)
class _StorageType:
    dtype: str


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    dtype: str
    length: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_torch_file(path: Path) -> Any:
    """What ``torch.save`` wrote: dicts, lists, tuples and plain values, with numpy arrays in place of
    tensors.

    Raises ``WeightsError`` when the file cannot be read, is damaged, or names anything but tensors.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        content, storages = _read_zip(data) if data.startswith(b"PK") else _read_stream(data)
        return _Arrays(storages, most_bytes=_MOST_TIMES_THE_FILE * len(data)).of(content)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    except _DAMAGE as error:
        raise WeightsError(f"{path}: is no PyTorch file, or a damaged one: {error}") from error


def _global(module: str, name: str) -> Any:
    """The few names that a file of tensors needs."""
    if (module, name) == ("collections", "OrderedDict"):
        return OrderedDict
    if (module, name) in {("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_tensor")}:
        return _rebuild_tensor
    if (module, name) == ("torch._utils", "_rebuild_parameter"):
        return _rebuild_parameter
    if module == "torch" and name in _STORAGE_DTYPES:
        return _StorageType(_STORAGE_DTYPES[name])
    raise WeightsError(f"refused: it wants to run {module}.{name}, and only tensors are read")


def _storage(pid: Any) -> _Storage:
    kind, storage_type, key, _location, length, *view = pid
    if kind != "storage" or not isinstance(storage_type, _StorageType) or any(view):
        raise WeightsError("refused: it refers to something that is no storage of tensors")
    return _Storage(str(key), storage_type.dtype, int(length))


def _read_pickle(stream: BinaryIO, persistent: Callable[[Any], Any] = _storage) -> Any:
    return TensorPickle(_global, persistent).read(stream)


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    if not isinstance(storage, _Storage):
        raise WeightsError("refused: a tensor without a storage")
    return _Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _rebuild_parameter(tensor: Any, *_: Any) -> Any:
    return tensor


def _read_stream(data: bytes) -> tuple[Any, Callable[[_Storage], bytes]]:
    """The form until PyTorch 1.6: four pickles, a list of storage keys, and the storages in that order."""
    stream = io.BytesIO(data)
    if _read_pickle(stream) != _MAGIC or _read_pickle(stream) != _PROTOCOL:
        raise WeightsError("is no PyTorch file")
    system = _read_pickle(stream)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise WeightsError("was written on a machine of the other byte order")
    seen: dict[str, _Storage] = {}

    def remembered(pid: Any) -> _Storage:
        storage = _storage(pid)
        return seen.setdefault(storage.key, storage)

    content = _read_pickle(stream, remembered)
    found: dict[str, bytes] = {}
    for key in _read_pickle(stream):
        storage = seen[key]
        length = int.from_bytes(stream.read(8), "little", signed=True)
        size_bytes = length * np.dtype(storage.dtype).itemsize
        if length != storage.length or not 0 <= size_bytes <= len(data) - stream.tell():
            raise WeightsError("is truncated: a storage is shorter than it says")
        found[key] = stream.read(size_bytes)
    return content, lambda storage: found[storage.key]


def _read_zip(data: bytes) -> tuple[Any, Callable[[_Storage], bytes]]:
    """The form since PyTorch 1.6: ``<name>/data.pkl`` and ``<name>/data/<key>`` in an archive, not
    compressed."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
        raise WeightsError("refused: PyTorch does not compress, this archive does")
    names = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(names) != 1:
        raise WeightsError("is a zip archive, but not one of PyTorch")
    root = names[0].removesuffix("/data.pkl")
    if f"{root}/byteorder" in archive.namelist() and archive.read(f"{root}/byteorder") != b"little":
        raise WeightsError("was written on a machine of the other byte order")
    content = _read_pickle(io.BytesIO(archive.read(names[0])))
    return content, lambda storage: archive.read(f"{root}/data/{storage.key}")


class _Arrays:
    """Puts arrays in the place of tensors.

    A pickle may name one thing many times: what comes out is bounded by the size of the file.
    """

    def __init__(self, storages: Callable[[_Storage], bytes], *, most_bytes: int) -> None:
        self._storages = storages
        self._bytes_left = most_bytes
        self._values_left = _MOST_VALUES

    def of(self, content: Any, depth: int = 0) -> Any:
        self._values_left -= 1
        if depth > 20 or self._values_left < 0:
            raise WeightsError("refused: nested too deeply, or more values than any network has")
        if isinstance(content, _Tensor):
            array = _array(content, self._storages(content.storage))
            self._bytes_left -= array.nbytes
            if self._bytes_left < 0:
                raise WeightsError("refused: its tensors are larger than the file, together")
            return array
        if isinstance(content, dict):
            return {key: self.of(value, depth + 1) for key, value in content.items()}
        if isinstance(content, list | tuple):
            return [self.of(value, depth + 1) for value in content]
        return content


def _array(tensor: _Tensor, data: bytes) -> NDArray[Any]:
    dtype = np.dtype(tensor.storage.dtype)
    flat = np.frombuffer(data, dtype)
    count = math.prod(tensor.shape)
    if (
        len(tensor.shape) != len(tensor.strides)
        or min((*tensor.shape, *tensor.strides, tensor.offset, 0)) < 0
    ):
        raise WeightsError("is damaged: a tensor has an impossible shape")
    if count == 0:
        return np.zeros(tensor.shape, dtype)
    reach = ((length - 1) * stride for length, stride in zip(tensor.shape, tensor.strides, strict=True))
    # a tensor larger than its storage repeats elements: no state dict does, a memory bomb would
    if count > len(flat) or tensor.offset + sum(reach) >= len(flat):
        raise WeightsError("is damaged: a tensor reaches beyond its storage")
    strides_bytes = [stride * dtype.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(
        flat[tensor.offset :], shape=tensor.shape, strides=strides_bytes, writeable=False
    ).copy()
