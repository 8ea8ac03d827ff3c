"""The weights format: what comes back, and what is refused."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from models.errors import WeightsError
from models.weights import digest_of, list_weights, load_weights, match_tensors, save_weights, verify_weights
from models.weights.averaging import average_weights
from models.weights.store import STORE, card_sha256, check_against_card

TENSORS = {
    "conv/kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "conv/bias": np.array([-1, 0.5], np.float32),
    "scale/scalar": np.array(3, np.float32),
}


def save(path: Path, **changes: object) -> str:
    arguments: dict = {"architecture": "net", "config": {"depth": 3}, "source": "made by a test"} | changes
    return save_weights(path, arguments.pop("tensors", TENSORS), **arguments)


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "w.safetensors"
    digest = save(path)
    stored = load_weights(path, architecture="net", digest=digest)
    assert (stored.architecture, stored.config, stored.source) == ("net", {"depth": 3}, "made by a test")
    assert stored.digest == digest == digest_of(path)
    assert stored.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        np.testing.assert_array_equal(stored.tensors[name], tensor)
        assert stored.tensors[name].dtype == np.float32
        assert stored.tensors[name].shape == tensor.shape
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_same_content_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    save(tmp_path / "here.safetensors")
    code = (
        "import sys; sys.path.insert(0, 'tests/models'); from test_weights_files import save; "
        "from pathlib import Path; save(Path(sys.argv[1]))"
    )
    for seed in ("1", "2"):
        path = tmp_path / f"there{seed}.safetensors"
        subprocess.run(
            [sys.executable, "-c", code, str(path)],
            check=True,
            cwd=Path(__file__).parents[2],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
        )
        assert path.read_bytes() == (tmp_path / "here.safetensors").read_bytes()


def test_wrong_architecture_and_digest(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save(path)
    with pytest.raises(WeightsError, match="'net', expected 'other'"):
        load_weights(path, architecture="other")
    with pytest.raises(WeightsError, match="digest"):
        load_weights(path, digest="sha256:" + "0" * 64)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save(path)
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(WeightsError):
            load_weights(path)


def test_flipped_bits_never_escape_the_error_tree(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    digest = save(path)
    data = bytearray(path.read_bytes())
    for position in range(0, len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x20
        path.write_bytes(damaged)
        with pytest.raises(WeightsError):
            load_weights(path, digest=digest)
        with contextlib.suppress(WeightsError):
            load_weights(path)


@pytest.mark.parametrize("content", [b"", b"not a weights file", b"PK\x03\x04" + bytes(100), bytes(64)])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"w\.safetensors"):
        load_weights(path)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(WeightsError, match="cannot be read"):
            load_weights(path)
        with pytest.raises(WeightsError, match="cannot be read"):
            digest_of(path)


@pytest.mark.parametrize("metadata", [None, {}, {"format": "ppewatch-weights", "format_version": "99"}])
def test_safetensors_of_others_are_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(safetensors.numpy.save(TENSORS, metadata=metadata))
    with pytest.raises(WeightsError, match="no ppewatch-weights file"):
        load_weights(path)


@pytest.mark.parametrize("config", ["", "[1]", "{", json.dumps("text")])
def test_bad_configs_are_refused(tmp_path: Path, config: str) -> None:
    path = tmp_path / "w.safetensors"
    metadata = {"format": "ppewatch-weights", "format_version": "1", "architecture": "net", "config": config}
    path.write_bytes(safetensors.numpy.save(TENSORS, metadata=metadata))
    with pytest.raises(WeightsError, match="config"):
        load_weights(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    path = tmp_path / "w.safetensors"
    bad = {"conv/bias": np.array([0, value], np.float32)}
    with pytest.raises(WeightsError, match="not finite"):
        save(path, tensors=bad)
    assert not path.exists()
    metadata = {"format": "ppewatch-weights", "format_version": "1", "architecture": "net", "config": "{}"}
    path.write_bytes(safetensors.numpy.save(bad, metadata=metadata))
    with pytest.raises(WeightsError, match="not finite"):
        load_weights(path)


def test_names_and_shapes_must_match() -> None:
    shapes = {name: tensor.shape for name, tensor in TENSORS.items()}
    match_tensors("w", TENSORS, shapes)
    with pytest.raises(WeightsError, match="more/kernel is missing"):
        match_tensors("w", TENSORS, shapes | {"more/kernel": (1,)})
    with pytest.raises(WeightsError, match="conv/bias is not known"):
        match_tensors("w", TENSORS, {name: shape for name, shape in shapes.items() if name != "conv/bias"})
    with pytest.raises(WeightsError, match=r"conv/bias is \(2,\), not \(3,\)"):
        match_tensors("w", TENSORS, shapes | {"conv/bias": (3,)})


def test_store_listing_finds_what_is_wrong(tmp_path: Path) -> None:
    digest = save(tmp_path / "good.safetensors").removeprefix("sha256:")
    (tmp_path / "good.card.md").write_text(f"# Good\n\n- sha256: `{digest}`\n")
    assert verify_weights(tmp_path) == []
    save(tmp_path / "other.safetensors")
    (tmp_path / "other.card.md").write_text(f"sha256: {'0' * 64}\n")
    save(tmp_path / "cardless.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"broken")
    (tmp_path / "lonely.card.md").write_text("# Lonely\n")
    problems = {entry.name: entry.problem for entry in list_weights(tmp_path)}
    assert problems["good"] is None
    assert all(problems[name] for name in ("other", "cardless", "broken"))
    assert len(verify_weights(tmp_path)) == 4


def test_a_turned_bit_is_found_where_a_card_tells_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    digest = save(path)
    check_against_card(path)
    (tmp_path / "net.card.md").write_text(f"- sha256: {digest.removeprefix('sha256:')}\n")
    check_against_card(path)
    bent = bytearray(path.read_bytes())
    bent[-1] ^= 1
    path.write_bytes(bent)
    load_weights(path)  # finite numbers of the right shapes
    with pytest.raises(WeightsError, match="damaged or replaced"):
        check_against_card(path)


def test_what_ships_has_cards_that_speak_of_it() -> None:
    assert verify_weights() == []
    for entry in list_weights():
        assert card_sha256(STORE / f"{entry.name}.card.md") == entry.digest.removeprefix("sha256:")
        card = (STORE / f"{entry.name}.card.md").read_text()
        for word in ("data", "initialis", "licence", "figures", "command"):
            assert word in card.lower(), f"{entry.name}'s card says nothing on {word}"


def test_the_mean_of_stages_is_that_of_every_tensor(tmp_path: Path) -> None:
    later = {name: np.asarray(3 * tensor + 1, np.float32) for name, tensor in TENSORS.items()}
    save(tmp_path / "a.safetensors")
    save(tmp_path / "b.safetensors", tensors=later)
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    digest = average_weights(files, tmp_path / "mean.safetensors")
    stored = load_weights(tmp_path / "mean.safetensors", architecture="net", digest=digest)
    assert stored.config == {"depth": 3}
    for name, tensor in TENSORS.items():
        np.testing.assert_allclose(stored.tensors[name], 2 * tensor + 0.5, rtol=1e-6)
    with pytest.raises(WeightsError, match="one file"):
        average_weights(files[:1], tmp_path / "x.safetensors")
    save(tmp_path / "c.safetensors", config={"depth": 4})
    with pytest.raises(WeightsError, match=r"c\.safetensors: is of another network"):
        average_weights([*files, tmp_path / "c.safetensors"], tmp_path / "x.safetensors")
    save(tmp_path / "d.safetensors", tensors={"conv/kernel": TENSORS["conv/kernel"]})
    with pytest.raises(WeightsError, match=r"d\.safetensors: holds other tensors"):
        average_weights([files[0], tmp_path / "d.safetensors"], tmp_path / "x.safetensors")
    assert not (tmp_path / "x.safetensors").exists()
