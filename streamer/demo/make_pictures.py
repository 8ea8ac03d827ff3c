"""Makes pictures of bare faces to practise training with: ``python -m streamer.demo.make_pictures FOLDER``.

They show the demo clip's room and its two people, one or both, near and far, leaning, in other light. Both are made of
one portrait (see ``figure``), and one face is no set of people: what is learned from these pictures shows that training
works, and no more.
"""

import argparse
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.demo.figure import Figure, cut_out, second_person
from streamer.demo.scene import COUNTER_Y, SCENE_HW, Image, draw_counter, draw_room

_WIDTHS_PX: Final = (320, 480, 640)
_ASPECT: Final = 3 / 4
_JPEG_QUALITY: Final = 90
_FOOT_Y: Final = 500.0  # this row of the portrait stands at the counter's edge


def write_pictures(folder: Path, count: int, *, seed: int = 1) -> list[Path]:
    """Write ``count`` JPEG files into ``folder``; the same seed gives the same pictures.

    Raises ``ModuleNotFoundError`` where scikit-image, of ``ppewatch[train]``, is not installed.
    """
    import skimage.data  # noqa: PLC0415 - only who trains needs it

    portrait: NDArray[np.uint8] = np.asarray(skimage.data.astronaut(), np.uint8)  # type: ignore[no-untyped-call]
    first = cut_out(portrait)
    figures = (first, second_person(first))
    room, counter = draw_room(), draw_counter()
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number in range(count):
        rgb = _picture(figures, room, counter, np.random.default_rng((seed, number)))
        file = folder / f"{number:03d}.jpg"
        if not cv2.imwrite(str(file), rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]):
            raise OSError(f"{file}: cannot be written")
        files.append(file)
    return files


def _picture(
    figures: tuple[Figure, Figure], room: Image, counter: tuple[Image, Image], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """One picture, RGB uint8 (H, W, 3)."""
    scene = room.copy()
    scale, x = rng.uniform(0.55, 1.0), rng.uniform(330, 950)
    shown = int(rng.integers(2))
    if rng.random() < 0.4:  # somebody beside, a little farther away
        side = 1 if x < SCENE_HW[1] / 2 else -1
        _place(scene, figures[1 - shown], scale * 0.9, x + side * 330 * scale, rng)
    face_xy = _place(scene, figures[shown], scale, x, rng)
    scene += (counter[0] - scene) * counter[1][..., None]
    view = _seen_around(scene, face_xy, rng)
    return _photographed(view, rng)


def _place(
    scene: Image, figure: Figure, scale: float, x: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Paint a person behind the counter at ``x``, in place; returns the middle of the face."""
    lean = np.deg2rad(rng.normal(0, 4))
    rows = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]]) * scale
    face = figure.landmarks_xy.mean(axis=0)
    to_scene = np.column_stack([rows, (x, COUNTER_Y + 2) - rows @ (face[0], _FOOT_Y)])
    tinted = 255 * (figure.rgb.astype(np.float32) / 255) ** rng.uniform(0.8, 1.6)
    sprite = np.dstack([tinted * figure.alpha[..., None], figure.alpha]).astype(np.float32)
    layer = cv2.warpAffine(sprite, to_scene, SCENE_HW[::-1], flags=cv2.INTER_LINEAR)
    scene += layer[..., :3] - scene * layer[..., 3:]
    seen_x, seen_y = (to_scene @ (*face, 1.0)).tolist()
    return seen_x, seen_y


def _seen_around(scene: Image, face_xy: tuple[float, float], rng: np.random.Generator) -> Image:
    """A part of the scene with the face in it, at one of several sizes."""
    width = rng.uniform(480, 940)
    height = width * _ASPECT
    left = np.clip(face_xy[0] - width * rng.uniform(0.25, 0.75), 0, SCENE_HW[1] - width)
    top = np.clip(face_xy[1] - height * rng.uniform(0.25, 0.6), 0, SCENE_HW[0] - height)
    wide_px = int(rng.choice(_WIDTHS_PX))
    zoom = wide_px / width
    to_view = np.array([[zoom, 0, -left * zoom], [0, zoom, -top * zoom]])
    smooth = cv2.GaussianBlur(scene, (0, 0), 0.4 / zoom) if zoom < 1 else scene
    view_wh = wide_px, round(wide_px * _ASPECT)
    return np.asarray(cv2.warpAffine(smooth, to_view, view_wh, flags=cv2.INTER_LINEAR), np.float32)


def _photographed(view: Image, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Other light, a lens that is not sharp, and noise."""
    warmth = rng.normal(0, 0.05)
    lit = view * rng.uniform(0.6, 1.15) * np.array([1 + warmth, 1, 1 - warmth])
    blurred = cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.3, 1.0))
    noisy = blurred + rng.normal(0, rng.uniform(0.5, 4.0), (*view.shape[:2], 1))
    photographed: NDArray[np.uint8] = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return photographed


def main() -> None:
    """Write the pictures and say so."""
    parser = argparse.ArgumentParser(prog="python -m streamer.demo.make_pictures", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=60, help="(60)")
    parser.add_argument("--seed", type=int, default=1, help="(1)")
    arguments = parser.parse_args()
    files = write_pictures(arguments.folder, arguments.count, seed=arguments.seed)
    print(f"{arguments.folder}: {len(files)} pictures")


if __name__ == "__main__":
    main()
