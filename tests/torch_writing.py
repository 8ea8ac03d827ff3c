"""PyTorch files written without PyTorch."""

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class _Global:
    """Pickles as a bare name of a module, whether or not that module is installed."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _StorageReference:
    def __init__(self, pid: tuple[Any, ...]) -> None:
        self.pid = pid


class _Call:
    def __init__(self, function: _Global, arguments: tuple[Any, ...]) -> None:
        self.function, self.arguments = function, arguments


class _Pickler(pickle._Pickler):  # the Python one: its methods can be replaced
    """Writes the pickles that ``torch.save`` writes, or hostile ones."""

    def persistent_id(self, obj: Any) -> Any:
        return obj.pid if isinstance(obj, _StorageReference) else None

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, _Global):
            self.write(f"c{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, _Call):
            self.save(obj.function)
            self.save(obj.arguments)
            self.write(pickle.REDUCE)
        else:
            super().save(obj, save_persistent_id)


def hostile(module: str, name: str, *arguments: Any) -> Any:
    """An object whose unpickling calls ``module.name(*arguments)``."""
    return _Call(_Global(module, name), arguments)


def torch_pickle(content: Any) -> bytes:
    """``content`` as a pickle."""
    stream = io.BytesIO()
    _Pickler(stream, protocol=2).dump(content)
    return stream.getvalue()


def torch_state(tensors: Mapping[str, NDArray[np.float32]]) -> OrderedDict[str, Any]:
    """A state dict whose tensors refer to the storages 0, 1, 2 ... in order."""
    state: OrderedDict[str, Any] = OrderedDict()
    for key, (name, value) in enumerate(tensors.items()):
        pid = ("storage", _Global("torch", "FloatStorage"), str(key), "cpu", value.size)
        strides = tuple(stride // value.itemsize for stride in np.ascontiguousarray(value).strides)
        arguments = (_StorageReference(pid), 0, value.shape, strides, False, OrderedDict())
        state[name] = _Call(_Global("torch._utils", "_rebuild_tensor_v2"), arguments)
    return state


def write_torch_zip(path: Path, tensors: Mapping[str, NDArray[np.float32]], content: Any = None) -> Path:
    """A file as ``torch.save`` writes it since 1.6."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "archive/data.pkl", torch_pickle(torch_state(tensors) if content is None else content)
        )
        archive.writestr("archive/byteorder", "little")
        for key, value in enumerate(tensors.values()):
            archive.writestr(f"archive/data/{key}", np.ascontiguousarray(value, "<f4").tobytes())
    return path


def write_torch_stream(path: Path, tensors: Mapping[str, NDArray[np.float32]], content: Any = None) -> Path:
    """A file as ``torch.save`` wrote it until 1.6 (there, a storage's id ends with None)."""
    head = (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True})
    data = b"".join(torch_pickle(part) for part in head)
    data += torch_pickle(torch_state(tensors) if content is None else content)
    data += torch_pickle([str(key) for key in range(len(tensors))])
    for value in tensors.values():
        data += value.size.to_bytes(8, "little") + np.ascontiguousarray(value, "<f4").tobytes()
    path.write_bytes(data)
    return path
