"""``ppewatch weights`` on real files: made here, damaged here, and those that ship."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import need_weights, one_line_of, ppewatch

from models.weights import STORE, load_weights, save_weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One weights file with its card."""
    path = tmp_path / "store" / "small.safetensors"
    digest = save_weights(
        path,
        {"a/kernel": np.arange(6, dtype=np.float32).reshape(2, 3)},
        architecture="small",
        config={},
        source="made by a test",
    )
    path.with_name("small.card.md").write_text(f"# small\n\n- sha256: {digest.removeprefix('sha256:')}\n")
    return path.parent


def test_a_folder_is_listed_and_verified(folder):
    done = ppewatch("weights", "list", folder)
    assert (done.code, done.err) == (0, "")
    assert done.out.split()[:2] == ["small", "small"]
    assert "made by a test" in done.out
    (entry,) = json.loads(ppewatch("weights", "list", folder, "--json").out)
    assert entry["digest"].startswith("sha256:")
    assert (entry["source"], entry["problem"]) == ("made by a test", None)
    done = ppewatch("weights", "verify", folder)
    assert (done.code, done.out) == (0, f"{folder}: every file is what its card says\n")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: _flip(folder / "small.safetensors"), "small: "),
        (lambda folder: (folder / "small.card.md").unlink(), "small.card.md"),
        (lambda folder: (folder / "small.safetensors").unlink(), "describes a file that is not there"),
        (lambda folder: (folder / "other.safetensors").write_bytes(b"cut"), "other: "),
    ],
    ids=["flipped", "no card", "no file", "no weights"],
)
def test_whatever_differs_is_told_and_is_exit_code_1(folder, damage, said):
    damage(folder)
    done = ppewatch("weights", "verify", folder)
    assert done.code == 1
    assert said in done.out
    report = ppewatch("weights", "verify", folder, "--json")
    assert report.code == 1
    assert len(json.loads(report.out)["problems"]) == 1
    # listing does not fail: it shows what is there
    assert ppewatch("weights", "list", folder).code == 0


def test_nothing_is_no_proof(tmp_path):
    assert "holds no weights" in ppewatch("weights", "list", tmp_path).out
    done = ppewatch("weights", "verify", tmp_path)
    assert done.code == 1
    assert "holds no weights" in done.out


def test_what_ships_is_what_its_cards_say():
    need_weights()
    done = ppewatch("weights", "verify")
    assert (done.code, done.out) == (0, f"{STORE}: every file is what its card says\n")


def test_published_weights_are_imported(tmp_path, shared_weights):
    target = tmp_path / "new" / "reference.safetensors"
    source = shared_weights / "retinaface_mobilenet0.25_widerface.pth"
    done = ppewatch("weights", "import", source, target)
    assert (done.code, done.err) == (0, "")
    stored = load_weights(target, architecture="retinaface")
    assert done.out == f"{target}  {stored.digest}\n"
    again = tmp_path / "again.safetensors"
    ppewatch("weights", "import", source, again)
    assert again.read_bytes() == target.read_bytes()
    wrong = ppewatch("weights", "import", source, tmp_path / "x.safetensors", "--backbone", "resnet50")
    assert wrong.code == 1
    assert "does not fit" in one_line_of(wrong) or "missing" in one_line_of(wrong)
    assert not (tmp_path / "x.safetensors").exists()


def test_what_is_no_published_file_is_refused_and_not_run(tmp_path):
    (tmp_path / "evil.pth").write_bytes(
        # a pickle that would create a file if anything ran it
        b"cos\nsystem\n(S'touch " + str(tmp_path / "owned").encode() + b"'\ntR."
    )
    for name in ("evil.pth", "missing.pth"):
        done = ppewatch("weights", "import", tmp_path / name, tmp_path / "x.safetensors")
        assert done.code == 1
        assert name in one_line_of(done)
    assert not (tmp_path / "owned").exists()
    assert not (tmp_path / "x.safetensors").exists()


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-2] ^= 0x01
    path.write_bytes(bytes(data))
