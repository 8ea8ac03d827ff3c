"""Cut out the crops that the mask-state classifier learns from: ``python -m
models.training.mask_state_prepare``.

Writes into a folder: ``located.json`` (the faces that a RetinaFace finds in the sources without face boxes),
``training.npz`` and ``validation.npz``. What is there already is not made again.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Final

import numpy as np
from tqdm import tqdm

from models.errors import ModelError
from models.letterbox import FILL_RGB, input_hw_for, letterbox_batch
from models.mask_state.calibration import MaskStates
from models.mask_state.classifier import MaskStateClassifier
from models.pictures import read_picture
from models.retinaface.detector import RetinaFaceDetector
from models.structures import ImageBatch, Picture
from models.training import mask_state_examples as sources
from models.training import mask_state_negatives as negatives
from models.training.mask_state_augmentation import plain_crops
from models.training.mask_state_cache import build_cache, save_cache
from models.training.mask_state_examples import WITH_MASK, FaceExample, LocatedFaces

_CANVAS_PX: Final = 640
# Close-ups need a frame around them, or a face as large as the picture is larger than the largest anchor.
_CLOSE_UPS: Final = ("face_crops", "mask_kinds")
_CLOSE_UP_PX: Final = 480
# Longest side at which the detector looks, by folder and source: small heads must be told from no heads.
_LONGEST_PX: Final = {
    ("heads", "scutB"): 1280,
    ("hard_hats", "sfchd"): 1920,
    ("hard_hats", "shwd"): 640,
    ("hard_hats", "site"): 640,
    ("hard_hats", "kagglehats"): 640,
    ("hard_hats", "hhw"): 640,
}
_LEAST_SCORE: Final = 0.02
_HAT_SOURCES: Final = ("shwd", "site", "kagglehats", "hhw")
_SEED: Final = 1


def locate_faces(data: Path, detector_weights: Path) -> dict[str, list[list[float]]]:
    """Run a RetinaFace over the sources without face boxes; see ``mask_state_examples.LocatedFaces``.

    Raises ``WeightsError``, ``DataSetError``, ``PictureError``.
    """
    detector = RetinaFaceDetector(detector_weights, score_threshold=_LEAST_SCORE)
    located: dict[str, list[list[float]]] = {}
    folders = [*_CLOSE_UPS, *dict.fromkeys(folder for folder, _ in _LONGEST_PX)]
    for folder in folders:
        for image in tqdm(
            sources.read_coco(data / folder / "train.json")["images"], desc=f"faces in {folder}"
        ):
            picture = read_picture(data / folder / image["file_name"])
            longest_px = _LONGEST_PX.get((folder, image["source"]))
            if folder in _CLOSE_UPS:
                batch = _framed(picture)
            elif longest_px is not None:
                batch = letterbox_batch([picture], input_hw_for(picture.image_hw, longest_px))
            else:
                continue
            (faces,) = detector.detect(batch)
            rows = np.column_stack([faces.boxes_xyxy, faces.scores, faces.landmarks_xy.reshape(-1, 10)])
            located[f"{folder}/{image['file_name']}"] = np.round(rows, 3).tolist()
    return located


def gather_examples(data: Path, located: LocatedFaces, earlier: Path | None) -> list[FaceExample]:
    """Everything to learn from, the held-out split included.

    ``earlier``: weights of an earlier classifier, which tells helmeted faces that are unmasked and heads that
    are turned away; without it these are not used. Raises ``DataSetError``, ``WeightsError``.
    """
    unmasked, turned = sources.landmark_faces(data), []
    if earlier is not None:
        classifier = MaskStateClassifier(earlier)
        unmasked += _unmasked_only(sources.helmeted_faces(data, located, sources=_HAT_SOURCES), classifier)
        turned = _turned_only(
            negatives.found_on_heads(data, "heads", located, sources=("scutB",)), classifier
        )
    return [
        *sources.labelled_faces(data, "train"),
        *sources.image_level_faces(data, "face_crops", located),
        *sources.image_level_faces(data, "mask_kinds", located),
        *unmasked,
        *sources.drawn_on(unmasked, seed=_SEED, worn=0.25, lowered=0.25),
        *turned,
        *_not_visible(data, located),
    ]


def _not_visible(data: Path, located: LocatedFaces) -> list[FaceExample]:
    """Backs of heads, what detectors take for faces, and background."""
    hats, plant = _HAT_SOURCES, ("sfchd",)
    return [
        *negatives.faceless_heads(data, "heads", located, sources=("scutB",), min_head_px=22),
        *negatives.faceless_heads(data, "hard_hats", located, sources=hats, min_head_px=22),
        *negatives.faceless_heads(data, "hard_hats", located, sources=plant, min_head_px=14),
        *negatives.false_alarms(data, "heads", located, sources=("scutB",), scores=(0.1, 1.0)),
        *negatives.false_alarms(data, "hard_hats", located, sources=plant, scores=(0.1, 1.0)),
        *negatives.false_alarms(data, "hard_hats", located, sources=hats, scores=(0.1, 0.3)),
        *negatives.backgrounds(data, "hard_hats", per_image=2, seed=_SEED, sources=(*plant, *hats)),
        *negatives.backgrounds(
            data, "persons", per_image=4, seed=_SEED, sources=("coco128", "coco_mini", "clinic")
        ),
        *negatives.backgrounds(data, "faces", per_image=1, seed=_SEED, sources=("obiot3", "kaggle853")),
    ]


def prepare(*, data: Path, out: Path, detector_weights: Path, earlier: Path | None) -> None:
    """Make what is missing of the three files in ``out``. Raises ``ModelError``."""
    out.mkdir(parents=True, exist_ok=True)
    located_file = out / "located.json"
    if not located_file.exists():
        located_file.write_text(json.dumps(locate_faces(data, detector_weights)), encoding="utf-8")
    if not (out / "training.npz").exists():
        located = json.loads(located_file.read_text(encoding="utf-8"))
        save_cache(
            build_cache(gather_examples(data, located, earlier), title="training"), out / "training.npz"
        )
    if not (out / "validation.npz").exists():
        faces = sources.labelled_faces(data, "val")
        save_cache(build_cache(faces, title="validation"), out / "validation.npz")


def main(argv: list[str] | None = None, *, prog: str = "python -m models.training.mask_state_prepare") -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")
    parser.add_argument("--detector", type=Path, required=True, help="weights of a RetinaFace")
    parser.add_argument("--earlier", type=Path, help="weights of an earlier classifier (see gather_examples)")
    chosen = parser.parse_args(argv)
    try:
        prepare(data=chosen.data, out=chosen.out, detector_weights=chosen.detector, earlier=chosen.earlier)
    except ModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _framed(picture: Picture) -> ImageBatch:
    """The picture, scaled to the size of close-ups, in the middle of a canvas of the mean colour."""
    height, width = picture.image_hw
    scale = _CLOSE_UP_PX / max(height, width)
    drawn = picture.rgb((max(1, round(height * scale)), max(1, round(width * scale))))
    top, left = (_CANVAS_PX - drawn.shape[0]) // 2, (_CANVAS_PX - drawn.shape[1]) // 2
    pixels = np.empty((1, _CANVAS_PX, _CANVAS_PX, 3), np.uint8)
    pixels[:] = FILL_RGB
    pixels[0, top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
    return ImageBatch(
        pixels=pixels,
        scales=np.array([scale], np.float32),
        pads_xy=np.array([[left, top]], np.float32),
        image_hw=np.array([[height, width]], np.int32),
    )


def _unmasked_only(faces: list[FaceExample], classifier: MaskStateClassifier) -> list[FaceExample]:
    """Those of ``faces`` that ``classifier`` does not take for masked or for no face."""
    states, order = _judged(faces, classifier)
    kept = (states.probs[:, WITH_MASK] < 0.5) & (states.visibility >= 0.5)
    return [faces[i] for i, keep in zip(order, kept, strict=True) if keep]


def _turned_only(
    pairs: list[tuple[FaceExample, FaceExample]], classifier: MaskStateClassifier
) -> list[FaceExample]:
    """The found boxes of ``pairs`` of which ``classifier`` says that the whole head is turned away."""
    states, order = _judged([head for head, _ in pairs], classifier)
    return [pairs[i][1] for i, visible in zip(order, states.visibility, strict=True) if visible < 0.1]


def _judged(faces: list[FaceExample], classifier: MaskStateClassifier) -> tuple[MaskStates, list[int]]:
    """What ``classifier`` says, and of which of ``faces``: a cache is sorted by file."""
    order = sorted(range(len(faces)), key=lambda i: str(faces[i].file))
    cache = build_cache([faces[i] for i in order], title="for the earlier classifier")
    return classifier.judge(plain_crops(cache, classifier.geometry, range(len(cache)))), order


if __name__ == "__main__":
    sys.exit(main())
