"""Files of weights: our own, and those that are imported."""

import json
import struct
from pathlib import Path
from random import Random

import numpy as np
from fuzz.byte_mutation import BOUNDARIES, damaged, damaged_in_place
from fuzz.structured_mutation import damaged_text
from fuzz.target import Case, Target, seeds_in

from models.errors import WeightsError
from models.mask_rcnn.config import MaskRcnnConfig
from models.mask_state.classifier_config import ClassifierConfig
from models.retinaface.config import RetinaFaceConfig
from models.weights import load_weights
from models.weights.files import match_tensors, save_weights
from models.weights.store import STORE


class _WeightFiles(Target):
    """Files are written, damaged, and read whole."""

    cases = 5_000
    short = 80
    most_mb = 256.0
    suffix = ".bin"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._seeds = seeds_in(folder, self.suffix[1:], self.make_seeds)
        self._path = folder / f"weights{self.suffix}"

    def make_seeds(self) -> dict[str, bytes]:
        raise NotImplementedError

    def read(self, path: Path) -> None:
        raise NotImplementedError

    def make(self, rng: Random) -> Case:
        data = self._seeds[rng.choice(sorted(self._seeds))]
        others = list(self._seeds.values())
        match rng.randrange(3):
            case 0:
                # what counts is at the beginning: headers, offsets, sizes
                head = min(len(data), rng.choice((64, 512, 4096)))
                data = damaged_in_place(data[:head], rng, most=8) + data[head:]
            case 1:
                data = damaged_in_place(data, rng, most=12)
            case _:
                data = damaged(data, rng, others=others)
        return Case(data, self.suffix)

    def run(self, case: Case) -> bool:
        self._path.write_bytes(case.data)
        self.read(self._path)
        return True


class Safetensors(_WeightFiles):
    """Our own format, and the networks' settings in it."""

    title = "weights, safetensors"
    cases = 15_000
    short = 150
    suffix = ".safetensors"

    def make_seeds(self) -> dict[str, bytes]:
        configs = {
            "retinaface": RetinaFaceConfig().to_mapping(),
            "mask_rcnn": MaskRcnnConfig(categories=("hat",)).to_mapping(),
        }
        if (STORE / "mask_state.safetensors").is_file():
            configs["mask_state"] = dict(load_weights(STORE / "mask_state.safetensors").config)
        seeds = {}
        tensors = {
            "a/kernel": np.arange(12, dtype=np.float32).reshape(3, 4),
            "a/bias": np.ones(4, np.float32),
        }
        for name, config in configs.items():
            path = self.folder / "made.safetensors"
            save_weights(path, tensors, architecture=name, config=config, source="made up")
            seeds[name] = path.read_bytes()
        return seeds

    def make(self, rng: Random) -> Case:
        if rng.random() < 0.4:
            return super().make(rng)
        data = self._seeds[rng.choice(sorted(self._seeds))]
        length = int.from_bytes(data[:8], "little")
        header, body = data[8 : 8 + length], data[8 + length :]
        mutate = rng.choice((damaged_text, self._with_damaged_config))
        header = mutate(header, rng)
        stated = len(header) if rng.random() < 0.95 else rng.choice(BOUNDARIES)
        return Case(struct.pack("<Q", stated % (1 << 64)) + header + body, self.suffix)

    def _with_damaged_config(self, header: bytes, rng: Random) -> bytes:
        document = json.loads(header)
        entries = document["__metadata__"]
        key = "config" if rng.random() < 0.8 else rng.choice(sorted(entries))
        entries[key] = damaged_text(entries[key].encode(), rng).decode(errors="replace")
        return json.dumps(document).encode()

    def read(self, path: Path) -> None:
        stored = load_weights(path)
        match_tensors(path, stored.tensors, {"a/kernel": (3, 4), "a/bias": (4,)})
        match stored.architecture:
            case "retinaface":
                RetinaFaceConfig.from_mapping(stored.config, origin=path)
            case "mask_rcnn":
                MaskRcnnConfig.from_mapping(stored.config, origin=path)
            case "mask_state":
                ClassifierConfig.from_mapping(stored.config, origin=path)
            case name:
                raise WeightsError(f"there is no network {name!r}")


class Hdf5(_WeightFiles):
    """What Keras 2 wrote."""

    title = "weights, HDF5"
    suffix = ".h5"

    def make_seeds(self) -> dict[str, bytes]:
        from models.weights.keras_h5 import write_keras_h5  # noqa: PLC0415 - only this target holds HDF5

        layers = {
            "conv1": {
                "conv1/kernel:0": np.arange(72, dtype=np.float32).reshape(3, 3, 2, 4),
                "conv1/bias:0": np.ones(4, np.float32),
            },
            "inner_model": {f"part_{n}/kernel:0": np.full(n, n, np.float32) for n in (1, 2)},
        }
        many = {f"layer_{n}": {f"layer_{n}/bias:0": np.ones(1, np.float32)} for n in range(40)}
        seeds = {}
        for name, content in (("few", layers), ("many", many)):
            path = self.folder / "made.h5"
            write_keras_h5(path, content)
            seeds[name] = path.read_bytes()
        return seeds

    def read(self, path: Path) -> None:
        from models.weights.keras_h5 import read_keras_h5, tensors_by_name  # noqa: PLC0415

        tensors_by_name(read_keras_h5(path), origin=path)


class Tflite(_WeightFiles):
    """8-bit networks of TensorFlow's."""

    title = "weights, TFLite"
    suffix = ".tflite"

    def make_seeds(self) -> dict[str, bytes]:
        from tflite_writing import small_model, write  # noqa: PLC0415 - TensorFlow

        return {"small": write(self.folder / "made.tflite", small_model()).read_bytes()}

    def read(self, path: Path) -> None:
        from models.mask_rcnn.tflite_files import read_tflite_convolutions  # noqa: PLC0415

        read_tflite_convolutions(path)


class PyTorch(_WeightFiles):
    """What ``torch.save`` wrote, in both forms: pickles."""

    title = "weights, PyTorch"
    suffix = ".pth"

    def make_seeds(self) -> dict[str, bytes]:
        from torch_writing import write_torch_stream, write_torch_zip  # noqa: PLC0415

        tensors = {
            "a.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
            "a.bias": np.ones(3, np.float32),
        }
        seeds = {}
        for name, write in (("zip", write_torch_zip), ("stream", write_torch_stream)):
            write(self.folder / "made.pth", tensors)
            seeds[name] = (self.folder / "made.pth").read_bytes()
        return seeds

    def read(self, path: Path) -> None:
        from models.retinaface.torch_files import read_torch_file  # noqa: PLC0415

        read_torch_file(path)
