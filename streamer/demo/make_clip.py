"""Makes the clip of ``ppewatch demo``: ``python -m streamer.demo.make_clip OUT.mp4`` (needs scikit-image).

What happens in it, and what the demo's rule (face mask required, dwell 1.5 s, clear 3 s) makes of it:

============  ==============================================================================  ==============
seconds       scene                                                                           alerts
============  ==============================================================================  ==============
0.8 to 15.5   orange suit enters bare-faced, stands, pulls a mask up at 8.5 s, leaves         one, ``worn``
4.5 to 15.5   blue suit is there at the same time, wearing a respirator all along             none
17.0 to 26.5  blue suit comes back the other way, wearing a surgical mask all along           none
============  ==============================================================================  ==============
"""

import argparse
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from models.data.synthetic_gear.face_mask_templates import RESPIRATOR, SURGICAL, FaceMaskTemplate
from models.data.synthetic_gear.face_masks import FaceMaskLook, paint_face_mask
from streamer.demo.figure import Figure, cut_out, second_person
from streamer.demo.scene import COUNTER_Y, SCENE_HW, Image, draw_counter, draw_room, write_text

FPS: Final = 12
DURATION_S: Final = 27.5
CRF: Final = 31

_PORTRAIT_FOOT_Y: Final = 500.0  # this row of the portrait stands at the counter's edge
_STEPS_PER_S: Final = 1.9
_NOT_YET: Final = 200.0


@dataclass(frozen=True, slots=True)
class Walk:
    """One person's way through the picture.

    - ``keys``: (time in s, x of the person's middle in px, scale of the portrait) in rising time.
    - ``mask_on_s``: when the mask begins to be pulled up, or None when it is worn from the start.
    """

    figure: Figure
    template: FaceMaskTemplate
    keys: tuple[tuple[float, float, float], ...]
    mask_on_s: float | None = None

    def pose(self, at_s: float) -> tuple[float, float, float] | None:
        """``(x, scale, speed in px/s)`` at a time, or None before the first and after the last key."""
        times = [key[0] for key in self.keys]
        if not times[0] <= at_s <= times[-1]:
            return None
        after = next(index for index in range(1, len(times)) if at_s <= times[index])
        (t0, x0, s0), (t1, x1, s1) = self.keys[after - 1], self.keys[after]
        part = (at_s - t0) / (t1 - t0)
        eased = part * part * (3 - 2 * part)
        return (
            x0 + (x1 - x0) * eased,
            s0 + (s1 - s0) * eased,
            abs(x1 - x0) * 6 * part * (1 - part) / (t1 - t0),
        )

    def mask_position(self, at_s: float) -> tuple[float, float]:
        """``(lowered_mm, opacity)`` of the mask; it comes up from under the chin within a second."""
        if self.mask_on_s is None:
            return 0.0, 1.0
        part = (at_s - self.mask_on_s) / 1.0
        if part < 0:
            return _NOT_YET, 0.0
        lifted = min(1.0, max(0.0, (part - 0.2) / 0.8))
        return round(95.0 * (1 - lifted * lifted * (3 - 2 * lifted)), 1), min(1.0, part / 0.2)


def choreography(portrait_rgb: NDArray[np.uint8]) -> tuple[Walk, ...]:
    """Who walks when, from the farthest to the nearest."""
    orange = cut_out(portrait_rgb)
    blue = second_person(orange)
    return (
        Walk(
            blue,
            RESPIRATOR,
            ((4.5, 1480, 0.70), (7.5, 920, 0.74), (11.8, 900, 0.75), (15.5, 1500, 0.70)),
        ),
        Walk(blue, SURGICAL, ((17.0, -210, 0.76), (20.6, 420, 0.82), (23.0, 560, 0.84), (26.5, 1500, 0.78))),
        Walk(
            orange,
            SURGICAL,
            ((0.8, -220, 0.80), (4.2, 380, 0.86), (8.6, 430, 0.88), (12.3, 420, 0.88), (15.5, -230, 0.82)),
            mask_on_s=8.5,
        ),
    )


class ClipPictures:
    """The clip's pictures by number, RGB uint8 (720, 1280, 3); the same portrait gives the same pictures."""

    def __init__(self, portrait_rgb: NDArray[np.uint8]) -> None:
        self._room = draw_room()
        self._counter, self._counter_alpha = draw_counter()
        self._walks = choreography(portrait_rgb)
        self._still_noise = np.random.default_rng(11).normal(0, 1.6, (*SCENE_HW, 1)).astype(np.float32)

    def __len__(self) -> int:
        return round(DURATION_S * FPS)

    def picture(self, index: int) -> NDArray[np.uint8]:
        """Picture ``index``, counted from 0."""
        at_s = index / FPS
        picture = self._room.copy()
        for walk in self._walks:
            pose = walk.pose(at_s)
            if pose is not None:
                _place(picture, walk, pose, at_s)
        picture += (self._counter - picture) * self._counter_alpha[..., None]
        # a fixed lens is not as sharp as a drawing
        picture = cv2.GaussianBlur(picture, (0, 0), 0.55).astype(np.float32)
        fresh_noise = np.random.default_rng((11, index)).normal(0, 0.5, self._still_noise.shape)
        picture += self._still_noise + fresh_noise.astype(np.float32)
        write_text(picture, "DEMO  ENTRANCE", (19, 699), 15, (30, 30, 30))
        write_text(picture, "DEMO  ENTRANCE", (18, 698), 15, (235, 235, 235))
        return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def write_clip(path: Path, portrait_rgb: NDArray[np.uint8]) -> None:
    """Encode the clip as H.264 (x264, yuv420p, one keyframe every two seconds) into ``path``."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width = SCENE_HW
        stream.pix_fmt = "yuv420p"
        # one thread: the same input and version of x264 then give the same file
        stream.options = {"crf": str(CRF), "preset": "veryslow", "g": str(2 * FPS), "threads": "1"}
        stream.codec_context.time_base = Fraction(1, FPS)
        pictures = ClipPictures(portrait_rgb)
        for index in range(len(pictures)):
            picture = pictures.picture(index)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def _place(picture: Image, walk: Walk, pose: tuple[float, float, float], at_s: float) -> None:
    """Paint one person, with a soft shadow on the wall, into ``picture`` (in place)."""
    x, scale, speed = pose
    gait = min(1.0, speed / 140.0)
    phase = 2 * np.pi * _STEPS_PER_S * at_s
    bob = -4.0 * gait * abs(np.sin(phase / 2)) + 0.8 * np.sin(2 * np.pi * 0.3 * at_s)
    lean = np.deg2rad(1.3 * gait * np.sin(phase / 2) + 0.9 * np.sin(2 * np.pi * 0.17 * at_s + 1))
    cos, sin = scale * np.cos(lean), scale * np.sin(lean)
    # the portrait's foot (its middle at x = 235) goes to (x, counter): the lean turns about it
    to_scene = np.array([[cos, -sin, x], [sin, cos, COUNTER_Y + 2 + bob]])
    to_scene[:, 2] -= to_scene[:, :2] @ (235.0, _PORTRAIT_FOOT_Y)
    sprite = _dressed(walk.figure, walk.template, *walk.mask_position(at_s))
    layer = cv2.warpAffine(sprite, to_scene, SCENE_HW[::-1], flags=cv2.INTER_LINEAR)
    alpha = layer[..., 3:]
    shadow = cv2.warpAffine(layer[..., 3], np.array([[1.0, 0, 26], [0, 1, 14]]), SCENE_HW[::-1])
    picture *= 1 - 0.20 * cv2.GaussianBlur(shadow, (0, 0), 16)[..., None]
    picture += layer[..., :3] - picture * alpha


@lru_cache(maxsize=32)
def _dressed(figure: Figure, template: FaceMaskTemplate, lowered_mm: float, opacity: float) -> Image:
    """The figure with its mask, premultiplied: float32 (512, 512, 4), colours 0 to 255, coverage 0 to 1."""
    rgb = figure.rgb
    if opacity > 0:
        drawn = paint_face_mask(
            rgb,
            figure.landmarks_xy,
            template,
            FaceMaskLook(template.colours_rgb[0], lowered_mm=lowered_mm),
            opacity=opacity,
            occluder=figure.hair,
        )
        rgb = drawn.picture_rgb
    graded = rgb.astype(np.float32) * 0.90 + 8.0  # the room is lit less brightly than a photographer's studio
    alpha = figure.alpha[..., None]
    sprite = np.concatenate([graded * alpha, alpha], axis=-1)
    return cv2.GaussianBlur(sprite, (0, 0), 0.5).astype(np.float32)  # it is drawn smaller than it is


def main() -> None:
    """Command line: write the clip into the file that the first argument names."""
    parser = argparse.ArgumentParser(description="make the demo clip")
    parser.add_argument("out", type=Path, help="the .mp4 file to write")
    arguments = parser.parse_args()
    import skimage.data  # noqa: PLC0415 - needed to make the clip, not to play it

    portrait_rgb: NDArray[np.uint8] = np.asarray(skimage.data.astronaut(), np.uint8)  # type: ignore[no-untyped-call]
    write_clip(arguments.out, portrait_rgb)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1000:.0f} kB, {DURATION_S:g} s at {FPS} fps")


if __name__ == "__main__":
    main()
