"""``ppewatch weights`` on real files: made here, damaged here, and those that ship."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from command_line import environment, need_weights, one_line_of, ppewatch

from models.weights import STORE, load_weights, save_weights

#: Writes a small Mask R-CNN, in Matterport's layout, to the file of its argument.
_SMALL_MASK_RCNN = """
import sys
from pathlib import Path
import numpy as np
from models.mask_rcnn.config import MaskRcnnConfig
from models.mask_rcnn.matterport import matterport_layers
from models.mask_rcnn.network import MaskRcnn
from models.weights.keras_h5 import write_keras_h5
from models.weights.keras_variables import named_variables

widths = dict.fromkeys(("pyramid_channels", "rpn_channels", "box_units", "mask_channels"), 8)
config = MaskRcnnConfig(categories=("hat", "mask"), backbone="resnet50", **widths)
tensors = {name: np.zeros(variable.shape, "f4") for name, variable in named_variables(MaskRcnn(config)).items()}
write_keras_h5(Path(sys.argv[1]), matterport_layers(tensors))
"""


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
    done = ppewatch("weights", "import", "retinaface", source, "--out", target)
    assert (done.code, done.err) == (0, "")
    stored = load_weights(target, architecture="retinaface")
    assert done.out == f"{target}  {stored.digest}\n"


def test_what_is_no_published_file_is_refused_and_not_run(tmp_path):
    (tmp_path / "evil.pth").write_bytes(
        # a pickle that would create a file if anything ran it
        b"cos\nsystem\n(S'touch " + str(tmp_path / "owned").encode() + b"'\ntR."
    )
    for kind, name in (("retinaface", "evil.pth"), ("retinaface", "missing.pth"), ("matterport", "evil.pth")):
        done = ppewatch("weights", "import", kind, tmp_path / name, "--out", tmp_path / "x.safetensors")
        assert done.code == 1
        assert name in one_line_of(done)
    assert not (tmp_path / "owned").exists()
    assert not (tmp_path / "x.safetensors").exists()


def test_mistakes_in_the_call_are_told(tmp_path):
    files = (tmp_path / "w.h5", "--out", tmp_path / "x.safetensors")
    for arguments in (
        ("import", "matterport", tmp_path / "w.h5", "--out", tmp_path / "x.h5"),
        ("import", "matterport", *files, "--categories", "hat", "--new-categories", "hat"),
        ("import", "matterport", *files, "--categories", "hat,,hat"),
        ("import", "matterport", *files, "--anchor-scales-px", "8,sixteen"),
        ("import", "keras", *files),
        ("export", tmp_path / "w.safetensors", "--out", tmp_path / "w.h5"),
    ):
        assert ppewatch("weights", *arguments).code == 2, arguments


def test_a_published_backbone_is_imported(tmp_path, shared_weights):
    target = tmp_path / "v2.safetensors"
    source = shared_weights / "mobilenet_v2_1.0_224_quant.tflite"
    done = ppewatch("weights", "import", "tflite", source, "--out", target)
    assert (done.code, done.err) == (0, "")
    assert load_weights(target, architecture="mobilenet_v2").config == {"width": 1.0}


def test_a_mask_rcnn_is_imported_for_other_categories_and_exported(tmp_path):
    published, target, exported = tmp_path / "w.h5", tmp_path / "w.safetensors", tmp_path / "again.h5"
    # TensorFlow loaded here would leave settings in the environment, which the commands inherit
    subprocess.run([sys.executable, "-c", _SMALL_MASK_RCNN, published], check=True, env=environment())
    done = ppewatch(
        *("weights", "import", "matterport", published, "--out", target),
        *("--new-categories", "hard_hat, bare_head,person", "--anchor-scales-px", "8,16,32,64,128"),
    )
    assert (done.code, done.err) == (0, "")
    stored = load_weights(target, architecture="mask_rcnn")
    assert done.out == f"{target}  {stored.digest}\n"
    assert stored.config["categories"] == ["hard_hat", "bare_head", "person"]
    assert stored.config["anchor_scales_px"] == [8, 16, 32, 64, 128]
    assert stored.tensors["mrcnn_mask/bias"].shape == (4,)
    done = ppewatch("weights", "export", target, "--format", "matterport", "--out", exported)
    assert (done.code, done.out, done.err) == (0, f"{exported}\n", "")
    with h5py.File(exported) as ours, h5py.File(published) as theirs:
        assert set(ours) == set(theirs)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-2] ^= 0x01
    path.write_bytes(bytes(data))


def test_networks_are_prepared_for_this_machine(tmp_path):
    need_weights()
    done = ppewatch("weights", "export", "--out", tmp_path, timeout=280)
    assert done.code == 0, done.err
    assert "retinaface: answers as the network does: score" in done.out
    assert done.out.splitlines()[-1] == str(tmp_path)
    made = {path.name.partition("-")[0] for path in (tmp_path / "exports").iterdir()}
    assert made >= {"retinaface", "mask_state"}
    again = ppewatch("weights", "export", "--out", tmp_path, timeout=60)
    assert (again.code, again.out) == (0, done.out)


def test_an_export_names_what_it_needs(tmp_path):
    done = ppewatch("weights", "export", tmp_path / "m.safetensors")
    assert done.code == 2
    assert "--weights NETWORK=FILE" in one_line_of(done)
    done = ppewatch("weights", "export", "--format", "matterport")
    assert done.code == 2
    assert "FILE.safetensors" in one_line_of(done)


def test_average_writes_the_mean_of_two_stages(folder):
    mean, file = folder.parent / "mean.safetensors", folder / "small.safetensors"
    done = ppewatch("weights", "average", file, file, "--out", mean)
    assert (done.code, done.err) == (0, "")
    assert load_weights(mean).digest in done.out
    assert (load_weights(mean).tensors["a/kernel"] == load_weights(file).tensors["a/kernel"]).all()
    refused = ppewatch("weights", "average", file, file, "--out", mean.with_suffix(".txt"))
    assert refused.code == 2
    assert "should end in .safetensors" in refused.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--precision", "int8"], "needs --pictures FOLDER"),
        (["--pictures", "."], "belong to --precision int8"),
        (
            ["--precision", "int8", "--pictures", ".", "--measure", "mask_state=x.json"],
            "there are retinaface, maskrcnn",
        ),
        (["--precision", "int8", "--pictures", "/nowhere"], "/nowhere: there are no pictures in it"),
    ],
)
def test_what_quantising_needs(arguments, complaint) -> None:
    done = ppewatch("weights", "export", *arguments)
    assert done.code != 0
    assert complaint in one_line_of(done)
