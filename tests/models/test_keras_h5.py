"""The weights files of Keras 2: what is read, and what is refused."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from models.errors import WeightsError
from models.weights.keras_h5 import read_keras_h5, tensors_by_name, write_keras_h5

KERNEL = "conv1/kernel:0"
LAYERS = {
    "conv1": {KERNEL: np.arange(72, dtype=np.float32).reshape(3, 3, 2, 4), "conv1/bias:0": np.ones(4, "f4")},
    "dw": {"dw/depthwise_kernel:0": np.full((3, 3, 4, 1), 2, np.float32)},
    "inner_model": {f"part_{n}/kernel:0": np.full(n, n, np.float32) for n in (1, 2)},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "new folder" / "w.h5"
    write_keras_h5(path, LAYERS)
    return path


def test_round_trip(path: Path) -> None:
    found = read_keras_h5(path)
    assert list(found) == list(LAYERS)
    for layer, weights in LAYERS.items():
        assert list(found[layer]) == list(weights)
        for name, value in weights.items():
            np.testing.assert_array_equal(found[layer][name], value)
            assert found[layer][name].dtype == np.float32
    assert [file.name for file in path.parent.iterdir()] == ["w.h5"]


def test_tensors_bear_the_names_of_their_own_layers(path: Path) -> None:
    tensors = tensors_by_name(read_keras_h5(path), origin=path)
    assert set(tensors) == {"conv1/kernel", "conv1/bias", "dw/kernel", "part_1/kernel", "part_2/kernel"}
    twice = {**LAYERS, "part_1": {"part_1/kernel:0": np.ones(1, np.float32)}}
    with pytest.raises(WeightsError, match="part_1/kernel is there twice"):
        tensors_by_name(twice, origin=path)


def test_names_of_wrappers_count_and_not_those_of_what_they_wrap() -> None:
    layers = {"mrcnn_mask": {"time_distributed_7/conv2d_3/kernel:0": np.ones(1, np.float32)}}
    assert list(tensors_by_name(layers, origin="w")) == ["mrcnn_mask/kernel"]


def test_more_names_than_an_attribute_holds(tmp_path: Path) -> None:
    names = [f"{'long' * 20}_{number}" for number in range(1500)]
    layers = {name: {f"{name}/bias:0": np.full(1, number, "f4")} for number, name in enumerate(names)}
    write_keras_h5(tmp_path / "w.h5", layers)
    with h5py.File(tmp_path / "w.h5") as file:
        assert "layer_names" not in file.attrs
        assert "layer_names1" in file.attrs
    found = read_keras_h5(tmp_path / "w.h5")
    assert list(found) == names
    assert found[names[7]][f"{names[7]}/bias:0"] == [7]


def test_layers_without_weights_and_narrow_numbers(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.create_group("input_1").attrs["weight_names"] = np.array([])
        file.attrs["layer_names"] = np.array([b"input_1", b"conv1"])
        group = file["conv1"]
        del group["conv1/bias:0"]
        group["conv1/bias:0"] = np.ones(4, np.float16)
    found = read_keras_h5(path)
    assert list(found) == ["conv1"]
    assert found["conv1"]["conv1/bias:0"].dtype == np.float32


def _replace(file: h5py.File, **options: object) -> None:
    del file["conv1"][KERNEL]
    file["conv1"].create_dataset(KERNEL, **options)


def _link_outside(file: h5py.File) -> None:
    del file["conv1"]["conv1"]
    file["conv1"]["conv1"] = h5py.ExternalLink("other.h5", "conv1/conv1")


def _link_soft(file: h5py.File) -> None:
    del file["conv1"][KERNEL]
    file["conv1"][KERNEL] = h5py.SoftLink("/dw/dw/depthwise_kernel:0")


def _make_virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3,))
    del file["conv1"][KERNEL]
    file["conv1"].create_virtual_dataset(KERNEL, layout)


def _share_bytes(file: h5py.File) -> None:
    # one data set under many names would multiply the file in memory
    group = file["conv1"]
    names = [f"conv1/copy_{number}" for number in range(500)]
    for name in names:
        group[name] = group[KERNEL]
    group.attrs["weight_names"] = np.array([name.encode() for name in names])


def _not_finite(file: h5py.File) -> None:
    file["conv1"][KERNEL][0, 0, 0, 0] = np.nan


def _names(group: str, attribute: str, value: object) -> Callable[[h5py.File], None]:
    return lambda file: file[group].attrs.__setitem__(attribute, value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_link_outside, "is missing"),
        (_link_soft, "is missing"),
        (_make_virtual, "its own bytes"),
        (_share_bytes, "fewer bytes"),
        (_not_finite, "not finite"),
        (lambda file: _replace(file, data=np.zeros(8, "f4"), compression="gzip"), "its own bytes"),
        (lambda file: _replace(file, shape=(3,), dtype="f4", external=[("/etc/passwd", 0, 12)]), "own bytes"),
        (lambda file: _replace(file, shape=(1 << 40,), dtype="f4", chunks=(1024,)), "fewer bytes"),
        (lambda file: _replace(file, data=np.zeros(8, "i4")), "not floating-point"),
        (lambda file: _replace(file, data=b"text"), "not floating-point"),
        (lambda file: _replace(file, data=h5py.Empty("f4")), "fewer bytes"),
        (lambda file: file["conv1"].__delitem__(KERNEL), "is missing"),
        (lambda file: file.__delitem__("dw"), "dw is missing"),
        (lambda file: file.attrs.__delitem__("layer_names"), "layout of Keras 2"),
        (_names("/", "layer_names", np.array([b"conv1", b"conv1"])), "there twice"),
        (_names("/", "layer_names", np.array([b".."])), "is missing"),
        (_names("/", "layer_names", np.array([1, 2])), "no names"),
        (_names("/", "layer_names", np.array([b"\xff"])), "damaged"),
        (_names("conv1", "weight_names", np.array([b"conv1"])), "no data set"),
        (_names("conv1", "weight_names", np.array([b"../dw/dw/depthwise_kernel:0"])), "is missing"),
    ],
)
def test_what_keras_does_not_write_is_refused(
    path: Path, change: Callable[[h5py.File], None], said: str
) -> None:
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(WeightsError, match=rf"w\.h5: .*{said}"):
        read_keras_h5(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not weights")
    (tmp_path / "empty").touch()
    with h5py.File(tmp_path / "other", "w") as file:
        file["data"] = np.zeros(3)
    for name in ("absent", "text", "empty", "other", "."):
        with pytest.raises(WeightsError):
            read_keras_h5(tmp_path / name)


def test_damaged_files_never_escape_the_error_tree(path: Path) -> None:
    data = path.read_bytes()
    for length in range(0, len(data), 101):
        path.write_bytes(data[:length])
        with pytest.raises(WeightsError):
            read_keras_h5(path)
    generator = np.random.default_rng(0)
    for _ in range(400):
        damaged = bytearray(data)
        damaged[generator.integers(len(data))] ^= 1 << generator.integers(8)
        path.write_bytes(damaged)
        # damage among the numbers goes unseen: the format has no checksum
        with contextlib.suppress(WeightsError):
            read_keras_h5(path)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match="cannot be written"):
        write_keras_h5(tmp_path / "file" / "w.h5", LAYERS)
    (tmp_path / "w.h5").mkdir()
    with pytest.raises(WeightsError, match="cannot be written"):
        write_keras_h5(tmp_path / "w.h5", LAYERS)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["file", "w.h5"]
