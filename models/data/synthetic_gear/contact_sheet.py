"""Sheets of drawn gear to look at: every template on one face, at the sizes of portraits and of cameras.

    python -m models.data.synthetic_gear.contact_sheet PICTURES.json --out FOLDER

``PICTURES.json`` is a COCO file with five keypoints on each face.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data.synthetic_gear.face_mask_looks import FaceMaskWear, can_be_worn
from models.data.synthetic_gear.face_mask_templates import FACE_MASKS, FaceMaskTemplate
from models.data.synthetic_gear.face_masks import draw_face_mask
from models.data.synthetic_gear.faced_pictures import labelled_landmarks
from models.data.synthetic_gear.hat_template import HatTemplate
from models.data.synthetic_gear.hat_templates import HATS
from models.data.synthetic_gear.hats import draw_hat
from models.data.synthetic_gear.head_frame import HeadFrame
from models.data.synthetic_gear.occlusions import OcclusionShape, draw_occlusion
from models.errors import ModelError
from models.pictures import read_picture

Rgb = NDArray[np.uint8]
#: A face of which the landmarks (5, 2) are known.
Face = tuple[Rgb, NDArray[np.float64]]
Drawing = Callable[[Face, np.random.Generator], Rgb]

SIZES_PX: Final = (24, 48, 200)
_TILE_PX: Final = 150
#: A tile by the distance from the eyes to the mouth, and where in it the face's middle is.
_TILE_BY_FACE: Final = 5.6
_FACE_PX_BY_FACE: Final = 3.2


def face_mask_drawings() -> list[list[Drawing]]:
    """A row for each template, a drawing for each way to wear it."""
    return [
        [partial(_with_face_mask, template, wear) for wear in FaceMaskWear if can_be_worn(template, wear)]
        for template in FACE_MASKS.values()
    ]


def hat_drawings(*, each: int = 4) -> list[list[Drawing]]:
    """A row for each template."""
    return [[partial(_with_hat, template)] * each for template in HATS.values()]


def occlusion_drawings(*, each: int = 4) -> list[list[Drawing]]:
    """A row for each shape."""
    return [[partial(_with_occlusion, shape)] * each for shape in OcclusionShape]


def contact_sheet(
    faces: Sequence[Face], drawings: Sequence[Sequence[Drawing]], *, face_px: int, seed: int = 0
) -> Rgb:
    """Each of ``drawings`` on the next of ``faces``, scaled so that a face is ``face_px`` high; a tile each, enlarged
    to one size without smoothing.
    """
    rng = np.random.default_rng(seed)
    columns = max(len(row) for row in drawings)
    sheet = np.zeros((len(drawings) * _TILE_PX, columns * _TILE_PX, 3), np.uint8)
    number = 0
    for y, row in enumerate(drawings):
        for x, draw in enumerate(row):
            tile = draw(_scaled(faces[number % len(faces)], face_px), rng)
            number += 1
            way = cv2.INTER_NEAREST if tile.shape[0] < _TILE_PX else cv2.INTER_AREA
            tile = np.asarray(cv2.resize(tile, (_TILE_PX, _TILE_PX), interpolation=way), np.uint8)
            sheet[y * _TILE_PX : (y + 1) * _TILE_PX, x * _TILE_PX : (x + 1) * _TILE_PX] = tile
    return sheet


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labels", type=Path, help="a COCO file with five keypoints on each face")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write sheets into")
    parser.add_argument("--faces", type=int, default=40, help="how many faces to draw on (40)")
    parser.add_argument("--seed", type=int, default=0, help="(0)")
    chosen = parser.parse_args(argv)
    try:
        labelled = [(path, face) for path, rows in labelled_landmarks(chosen.labels).items() for face in rows]
        order = np.random.default_rng(chosen.seed).permutation(len(labelled))[: chosen.faces]
        faces = [(read_picture(labelled[i][0]).rgb(), labelled[i][1]) for i in order]
    except ModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    chosen.out.mkdir(parents=True, exist_ok=True)
    rows = {"face_masks": face_mask_drawings(), "hats": hat_drawings(), "occlusions": occlusion_drawings()}
    for name, drawings in rows.items():
        for size_px in SIZES_PX:
            sheet = contact_sheet(faces, drawings, face_px=size_px, seed=chosen.seed)
            file = chosen.out / f"{name}_{size_px}px.png"
            cv2.imwrite(str(file), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
            print(file)
    return 0


def _with_face_mask(
    template: FaceMaskTemplate, wear: FaceMaskWear, face: Face, rng: np.random.Generator
) -> Rgb:
    return draw_face_mask(face[0], face[1], template, wear, rng).picture_rgb


def _with_hat(template: HatTemplate, face: Face, rng: np.random.Generator) -> Rgb:
    return draw_hat(face[0], HeadFrame.rigid(face[1]), template, rng).picture_rgb


def _with_occlusion(shape: OcclusionShape, face: Face, rng: np.random.Generator) -> Rgb:
    middle, reach = face[1].mean(axis=0), 1.8 * float(np.ptp(face[1][:, 1]))
    return draw_occlusion(face[0], [*(middle - reach), *(middle + reach)], shape, rng).picture_rgb


def _scaled(face: Face, face_px: int) -> Face:
    """The face in the middle of a square, at the size that is asked for; beyond the picture its border repeats."""
    rgb, landmarks = face
    height = float(np.linalg.norm(landmarks[3:].mean(axis=0) - landmarks[:2].mean(axis=0)))
    scale = face_px / max(_FACE_PX_BY_FACE * height, 1e-6)
    side = round(face_px * _TILE_BY_FACE / _FACE_PX_BY_FACE)
    if scale < 1:
        size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
        landmarks, scale = landmarks * scale, 1.0
    shift = np.array([side / 2, side * 0.55]) - scale * landmarks.mean(axis=0)
    # whole coordinates are the middles of pixels to OpenCV
    matrix = np.array([[scale, 0, shift[0] + scale / 2 - 0.5], [0, scale, shift[1] + scale / 2 - 0.5]])
    tile = cv2.warpAffine(rgb, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(tile, np.uint8), landmarks * scale + shift


if __name__ == "__main__":
    sys.exit(main())
