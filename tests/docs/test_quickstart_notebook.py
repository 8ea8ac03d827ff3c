"""The quickstart notebook runs from its first cell to its last, and ends with weights and a clip as it says."""

import base64
import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import av
import cv2
import nbformat
import numpy as np
import pytest
import yaml
from nbclient import NotebookClient
from nbformat import NotebookNode
from numpy.typing import NDArray

from models.errors import WeightsError
from models.loading import weights_paths
from models.mask_state.crops import CropGeometry
from models.mask_state.network import ARCHITECTURE, MaskStateConfig, build_mask_state_network
from models.training.mask_state_initial import load_initial
from models.training.mask_state_recipe import read_mask_state_recipe
from models.weights import STORE, load_weights, save_weights
from models.weights.keras_variables import tensors_of
from streamer.demo.site import CLIP

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "quickstart.ipynb"
# the first test to ask for it waits for the whole notebook: a minute, and several where others use the cores
pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("notebook")]

#: What the tiny settings of the notebook say.
DRAWN, EVERY = 12, 30
#: Of the classifier, those that tell where a face ends: they are not trained here.
BOX_LAYERS = ("box_features", "box")


def test_it_is_kept_without_outputs_and_without_paths_of_a_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs, cell.id
            assert cell.execution_count is None, cell.id
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.language_info == {"name": "python"}
    assert not re.findall(r"(?<![\w.}\])])/(?:home|work|root|tmp|usr|Users|opt|mnt|var)\b|[A-Z]:\\\\", text)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> tuple[NotebookNode, Path]:
    """The notebook as it is after running, and the folder of its run."""
    for module in ("skimage.data", "matplotlib", "imagehash", "iterstrat"):
        pytest.importorskip(module, reason="needs ppewatch[train,evaluate]")
    try:
        weights_paths()
    except WeightsError as error:
        pytest.skip(f"needs the shipped weights: {error}")
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        # nothing of the user's own Jupyter; the kernel is this interpreter, whatever others are installed
        for name in ("JUPYTER_PATH", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(folder / name.lower()))
        patch.setenv("PPEWATCH_NOTEBOOK_TINY", "1")
        write_kernel(folder / "jupyter_path" / "kernels" / "this-python")
        NotebookClient(
            notebook,
            kernel_name="this-python",
            timeout=None,
            resources={"metadata": {"path": str(folder)}},
        ).execute()
    kept = os.environ.get("PPEWATCH_KEPT_NOTEBOOK")
    if kept:
        nbformat.write(notebook, kept)
    (run,) = (folder / "quickstart").iterdir()
    return notebook, run


def write_kernel(folder: Path) -> None:
    folder.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "this Python", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")


def said(notebook: NotebookNode, cell_id: str) -> str:
    """What a cell printed."""
    (cell,) = (cell for cell in notebook.cells if cell.id == cell_id)
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def drawn(notebook: NotebookNode, cell_id: str) -> NDArray[np.uint8]:
    """The picture that a cell shows."""
    (cell,) = (cell for cell in notebook.cells if cell.id == cell_id)
    (data,) = (output.data["image/png"] for output in cell.outputs if output.output_type == "display_data")
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.campaign
def test_it_says_that_there_are_no_pictures_and_draws_some(executed: tuple[NotebookNode, Path]) -> None:
    notebook, run = executed
    assert f"no picture in the folder pictures: {DRAWN} are drawn" in said(notebook, "pictures")
    assert len(list((run / "pictures").iterdir())) == DRAWN
    assert f"{DRAWN} pictures of bare faces. Left out: none" in said(notebook, "bare")
    labels = json.loads((run / "dressed" / "annotations.json").read_text())
    assert {row["name"] for row in labels["categories"]} <= {
        "face_with_mask",
        "face_without_mask",
        "face_mask_incorrect",
    }


@pytest.mark.campaign
def test_new_weights_are_trained_and_measured(executed: tuple[NotebookNode, Path]) -> None:
    notebook, run = executed
    shipped = load_weights(STORE / "mask_state.safetensors")
    new = load_weights(run / "training" / "best.safetensors")
    assert new.architecture == shipped.architecture
    # a later file may name defaults that an earlier one leaves out
    networks = [MaskStateConfig.from_mapping(one.config["network"], origin="x") for one in (new, shipped)]
    assert networks[0] == replace(networks[1], box=False)
    assert set(new.tensors) == {name for name in shipped.tensors if name.split("/")[0] not in BOX_LAYERS}
    assert any(not np.array_equal(new.tensors[name], shipped.tensors[name]) for name in new.tensors)
    before, after = (json.loads((run / f"{when}.json").read_text()) for when in ("before", "after"))
    assert (before["digest"], after["digest"]) == (shipped.digest, new.digest)
    assert before["sets"][0]["faces"] == after["sets"][0]["faces"] > 0
    assert "round 1: loss" in said(notebook, "train")


@pytest.mark.parametrize("box", [False, True])
def test_the_recipe_is_sound_whether_the_shipped_weights_tell_boxes_or_not(tmp_path: Path, box: bool) -> None:
    shipped = MaskStateConfig(size_px=64, kinds=True, box=box)
    path = tmp_path / "mask_state.safetensors"
    crops = CropGeometry(size_px=64, lowered=0.04)
    save_weights(
        path,
        tensors_of(build_mask_state_network(shipped)),
        architecture=ARCHITECTURE,
        config={"network": shipped.to_mapping(), "crops": crops.to_mapping(), "temperature": 1.0},
        source="made up",
    )
    (cell,) = (cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.id == "train")
    lines: list[str] = []
    known = {"STORE": tmp_path, "RUN": tmp_path, "ROUNDS": 1, "STEPS": 4, "BATCH": 8}
    exec(cell.source, known | {"load_weights": load_weights, "yaml": yaml, "ppewatch": lines.append})
    assert "--init {SHIPPED}" in lines[0]
    recipe = read_mask_state_recipe(tmp_path / "recipe.yaml")
    assert (recipe.network, recipe.crops) == (replace(shipped, box=False), crops)
    begun = build_mask_state_network(recipe.network)
    some = np.zeros((1, 64, 64, 3), np.uint8)
    assert load_initial(begun, recipe.network, path, some).endswith("untrained: nothing")


@pytest.mark.campaign
def test_every_figure_is_shown(executed: tuple[NotebookNode, Path]) -> None:
    notebook, _ = executed
    for cell_id in ("pictures", "labels", "curves", "compare", "frames"):
        assert len(np.unique(drawn(notebook, cell_id).reshape(-1, 3), axis=0)) > 20, cell_id


@pytest.mark.campaign
def test_the_clip_is_annotated_where_people_are(executed: tuple[NotebookNode, Path]) -> None:
    notebook, run = executed
    originals = decoded(CLIP)[::EVERY]
    (file,) = (run / "clip").iterdir()
    copies = decoded(file)
    assert len(copies) == len(originals)
    assert f"{len(copies)} frames" in said(notebook, "clip")
    rows = json.loads((run / "clip.json").read_text())
    assert {row["file_name"] for row in rows} == {CLIP.name}
    boxes: dict[int, list[list[float]]] = {}
    for row in rows:
        boxes.setdefault(row["frame"] // EVERY, []).append(row["bbox"])
    # the clip begins and ends empty
    assert 4 <= len(boxes) < len(copies)
    for index, (copy, original) in enumerate(zip(copies, originals, strict=True)):
        change = np.abs(copy.astype(np.int16) - original).max(axis=-1)
        near = np.zeros(change.shape, bool)
        for x, y, width, height in boxes.get(index, []):
            x1, y1, x2, y2 = round(x), round(y), round(x + width), round(y + height)
            outline = change[y1 : y2 + 1, [x1, x2]]
            assert (outline > 40).mean() > 0.7, index
            # words stand above the box and may be longer than it is wide, to the left at the picture's right edge
            near[max(0, y1 - 60) : y2 + 20, max(0, x1 - 300) : x2 + 300] = True
        assert (change[~near] > 40).mean() < 0.001, index


def decoded(file: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(file)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
