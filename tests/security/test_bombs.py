"""Small files that claim to be large, and what they cost: refused, within little memory."""

import io
import json
import os
import pickle
import resource
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from config import ConfigError, load_site
from models.errors import WeightsError
from models.retinaface.torch_files import read_torch_file
from models.weights import load_weights
from models.weights.keras_h5 import read_keras_h5
from streamer.alerts.listen import AlertReader

ROOT = Path(__file__).parents[2]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *extra: bytes) -> bytes:
    """A PNG whose rows are all zero, which deflate squeezes a thousandfold."""
    packer = zlib.compressobj(9)
    row = bytes(1 + min(width, 60_000) * 3)
    data = b"".join(packer.compress(row) for _ in range(min(height, 200))) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + b"".join(extra)
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


PICTURES = {
    "pixels": png(60_000, 60_000),
    "wide": png(2_000_000_000, 1),
    "text that inflates": png(16, 16, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(200_000_000), 6))),
    "profile that inflates": png(16, 16, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(200_000_000), 6))),
    "bmp": b"BM"
    + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 100_000, 100_000, 1, 24, 0, 0, 0, 0, 0, 0),
    "jpeg": bytes.fromhex("ffd8ffc00011080000000003012200021101031101".replace("00000000", "ffffffff"))
    + b"\xff\xd9",
}


def test_pictures_are_refused_or_cost_little(tmp_path: Path) -> None:
    """In a process of its own, as ``ppewatch`` is started, with its memory counted."""
    for name, data in PICTURES.items():
        assert len(data) < 2_000_000, name
        (tmp_path / f"{name}.png").write_bytes(data)
    code = (
        "import os, resource, sys\n"
        "from streamer.cli import _NATIVE_SETTINGS\n"
        "os.environ.update(_NATIVE_SETTINGS)\n"
        "from pathlib import Path\n"
        "from models.errors import PictureError\n"
        "from models.pictures import read_picture\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for path in sorted(Path(sys.argv[1]).glob('*.png')):\n"
        "    try:\n"
        "        print(path.stem, read_picture(path).image_hw)\n"
        "    except PictureError as error:\n"
        "        print(path.stem, 'refused')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    *told, grown_kib = done.stdout.split("\n")[:-1]
    print(told, f"{int(grown_kib) // 1024} MiB")
    assert len(told) == len(PICTURES)
    for line in told:
        assert line.endswith(("refused", "(16, 16)")), line
    assert int(grown_kib) < 256 * 1024


def test_yaml_that_grows_is_refused(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]" for n in range(9)]
    for text, said in (
        ("\n".join(lines), "add up to more than 50000"),
        ("a: " + "[" * 5000, "deep|brackets|bracket"),
        ("a: &a [*a]", "contains its own alias"),
        ("a: 1\na: 2", "given twice"),
        ("a: !!python/object/apply:os.system [id]", "tags"),
        ("a: " + "x" * (1 << 20), "larger than"),
    ):
        site.write_text(text)
        with pytest.raises(ConfigError, match=said):
            load_site(site, {})


def test_hdf5_that_inflates_or_points_elsewhere_is_refused(tmp_path: Path) -> None:
    bomb, outside = tmp_path / "bomb.h5", tmp_path / "outside.h5"
    for path in (bomb, outside):
        with h5py.File(path, "w") as file:
            file.attrs["layer_names"] = np.array([b"conv"])
            group = file.create_group("conv")
            group.attrs["weight_names"] = np.array([b"conv/kernel:0"])
            if path == bomb:
                group.create_dataset(
                    "conv/kernel:0", shape=(20_000, 20_000), dtype="f4", compression="gzip", fillvalue=0
                )
            else:
                group["conv/kernel:0"] = h5py.ExternalLink("/etc/passwd", "/")
    assert bomb.stat().st_size < 1_000_000
    for path in (bomb, outside):
        with pytest.raises(WeightsError):
            read_keras_h5(path)


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}},
        {"a": {"dtype": "F32", "shape": [1 << 20, 1 << 20], "data_offsets": [0, 4]}},
        {f"a{n}": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for n in range(1000)},
    ],
)
def test_safetensors_that_claim_more_than_they_are_are_refused(
    tmp_path: Path, header: dict[str, object]
) -> None:
    text = json.dumps(header).encode()
    path = tmp_path / "weights.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
    with pytest.raises(WeightsError):
        load_weights(path)
    path.write_bytes((1 << 60).to_bytes(8, "little") + text)
    with pytest.raises(WeightsError):
        load_weights(path)


class _Shared:
    """Pickled as a call of ``os.system``, which must not happen."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch run-by-a-pickle",)


def archive(path: Path, content: bytes, *, method: int = zipfile.ZIP_STORED, storage: bytes = b"") -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("archive/data.pkl", content)
        file.writestr("archive/data/0", storage)
    return path


def test_torch_files_that_run_grow_or_inflate_are_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    doubled: list[object] = ["x"]
    for _ in range(18):
        doubled = [doubled] * 8
    cases = {
        "runs": archive(tmp_path / "a", pickle.dumps(_Shared(), protocol=2)),
        "grows": archive(tmp_path / "b", pickle.dumps(doubled, protocol=2)),
        "inflates": archive(
            tmp_path / "c", pickle.dumps({}, 2), method=zipfile.ZIP_DEFLATED, storage=bytes(10_000_000)
        ),
        "odd instruction": archive(tmp_path / "d", b"\x80\x02]2."),
        "extension": archive(tmp_path / "e", b"\x80\x02\x82\x01."),
        "builds": archive(tmp_path / "f", b"\x80\x02}}b."),
        "calls a list": archive(tmp_path / "g", b"\x80\x02])R."),
    }
    for name, path in cases.items():
        with pytest.raises(WeightsError):
            pytest.fail(f"{name}: {read_torch_file(path)!r}")
    assert not (tmp_path / "run-by-a-pickle").exists()


def test_torch_files_that_name_one_storage_many_times_are_refused(tmp_path: Path) -> None:
    """A thousand tensors of one storage: a thousand times its size, were they read."""
    floats = 250_000
    storage = (
        b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0"
        b"0X\x03\0\0\0cpuJ" + struct.pack("<i", floats) + b"tQ"
    )
    tensor = (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + b"K\0J"
        + struct.pack("<i", floats)
        + b"\x85K\x01\x85\x89}tR"
    )
    many = archive(tmp_path / "many", b"\x80\x02](" + tensor * 1000 + b"e.", storage=bytes(4 * floats))
    once = archive(tmp_path / "once", b"\x80\x02](" + tensor * 2 + b"e.", storage=bytes(4 * floats))
    assert [array.nbytes for array in read_torch_file(once)] == [4 * floats] * 2
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(WeightsError, match="larger than the file"):
        read_torch_file(many)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 100 * 1024


def test_messages_that_a_listener_cannot_use_are_counted_and_left(tmp_path: Path) -> None:
    told: list[str] = []
    reader = AlertReader(on_alert=lambda _: pytest.fail("no alert"), on_notice=told.append, save_dir=tmp_path)
    alert = {"alert_id": "a", "seq": 1, "type": "new"}
    messages = [
        b"[" * 200_000,
        b'{"a":' * 50_000,
        b"{" + b" " * 2_000_000 + b"}",
        b"\xff\xfe",
        json.dumps(alert | {"alert_id": "../../etc/passwd"}).encode(),
        json.dumps(alert | {"alert_id": "a/b"}).encode(),
        json.dumps(alert | {"alert_id": ".."}).encode(),
        json.dumps(alert | {"alert_id": "a\0b"}).encode(),
        json.dumps(alert | {"seq": float("inf")}).encode(),
        json.dumps(alert | {"seq": "9" * 10_000}).encode(),
    ]
    for payload in messages:
        reader.receive("p/alerts", payload, False)
    reader.receive("p/alerts/a/snapshot", bytes(20_000_000), False)
    reader.receive("p\x1b[2J/available", b"\x1b]0;title\x07", False)
    assert reader.summary.malformed == len(messages) + 1
    assert not any(path.suffix == ".jpg" for path in tmp_path.rglob("*"))
    assert all(text.isprintable() for text in told)
    assert io.StringIO("".join(told)).read().count("etc/passwd") == 0
