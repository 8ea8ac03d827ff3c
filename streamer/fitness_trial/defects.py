"""What can happen to a camera's picture, at several strengths: defects that are to be found, and changes that are none.

Pictures are grey, uint8 (h, w), with a margin around the part that the camera shows (``material.MARGIN``), so that a
view that moves shows what was beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.fitness.findings import Code

Grey = NDArray[np.uint8]
Effect = Callable[[Grey, int, np.random.Generator], Grey]

#: Part of the picture's width and height at each side that the camera does not show.
MARGIN: Final = 0.1


@dataclass(frozen=True, slots=True)
class Defect:
    """Something that happens to the picture.

    - ``code``: what is to be found, None: nothing.
    - ``effect(picture, index, rng)``: of pictures with their margin, to pictures as the camera shows them.
    - ``freezes``: the picture of the moment when it begins is repeated.
    - ``allowed``: what may be found beside or in place of it.
    """

    name: str
    code: Code | None
    effect: Effect
    freezes: bool = False
    allowed: frozenset[Code] = frozenset()


def shown(picture: Grey) -> Grey:
    """The part that the camera shows."""
    height, width = picture.shape
    down, right = round(MARGIN * height), round(MARGIN * width)
    return np.ascontiguousarray(picture[down : height - down, right : width - right])


def all_defects() -> list[Defect]:
    """Everything that is tried, each at its strengths."""
    return [*_blurs(), *_moves(), *_covers(), *_lights(), *_freezes(), *_harmless()]


def _blurs() -> list[Defect]:
    def blur(sigma_px: float) -> Effect:
        return lambda picture, _index, _rng: cv2.GaussianBlur(shown(picture), (0, 0), sigma_px)  # type: ignore[return-value]

    return [
        Defect("blur 0.5 px", None, blur(0.5)),
        *(Defect(f"blur {sigma:g} px", Code.DEFOCUSED, blur(sigma)) for sigma in (1.5, 2.0, 3.0, 5.0)),
        Defect("blur 10 px", Code.DEFOCUSED, blur(10.0), allowed=frozenset({Code.COVERED})),
    ]


def _moves() -> list[Defect]:
    def move(right: float = 0.0, down: float = 0.0, degrees: float = 0.0, zoom: float = 1.0) -> Effect:
        def effect(picture: Grey, _index: int, _rng: np.random.Generator) -> Grey:
            height, width = picture.shape
            matrix = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), degrees, zoom), np.float64)
            matrix[:, 2] += right * width, down * height
            return shown(_warped(picture, matrix))

        return effect

    return [
        Defect("shake 0.3 %", None, _shake),
        *(
            Defect(f"shift {part:.0%}", Code.MOVED, move(right=part, down=part / 2))
            for part in (0.03, 0.05, 0.1, 0.3)
        ),
        *(
            Defect(f"turn {degrees:g} deg", Code.MOVED, move(degrees=degrees))
            for degrees in (5.0, 15.0, 45.0)
        ),
        *(Defect(f"zoom {zoom:g}", Code.MOVED, move(zoom=zoom)) for zoom in (1.15, 1.4, 2.0)),
    ]


def _shake(picture: Grey, _index: int, rng: np.random.Generator) -> Grey:
    width = picture.shape[1]
    right, down = rng.normal(0, 0.003, 2) * width
    matrix = np.array([[1, 0, right], [0, 1, down]])
    return shown(_warped(picture, matrix))


def _warped(picture: Grey, matrix: NDArray[np.float64]) -> Grey:
    height, width = picture.shape
    return np.asarray(
        cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8
    )


def noisy(picture: NDArray[np.float32], deviation: float) -> Grey:
    """The picture with a sensor's noise of this standard deviation, rounded."""
    noise = np.empty_like(picture)
    cv2.randn(noise, np.zeros(1), np.full(1, deviation))
    return np.asarray(cv2.convertScaleAbs(np.maximum(picture + noise, 0)), np.uint8)


@lru_cache(maxsize=32)
def texture(height: int, width: int, *, grain_px: float, seed: int) -> NDArray[np.float32]:
    """Smooth noise of mean 0 and deviation 1, float32 (height, width)."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.normal(size=(height, width)).astype(np.float32), (0, 0), grain_px)
    return np.asarray((noise - noise.mean()) / max(float(noise.std()), 1e-6), np.float32)


def _covers() -> list[Defect]:
    """Things before the lens are out of focus: their texture is soft. They tremble."""

    def cover(level: float, contrast: float, grain: float, part: float = 1.0, opacity: float = 1.0) -> Effect:
        def effect(picture: Grey, index: int, _rng: np.random.Generator) -> Grey:
            view = shown(picture).astype(np.float32)
            height, width = view.shape
            skin = level + contrast * texture(height, width, grain_px=grain * width, seed=3)
            skin = np.roll(skin, (index % 3, index % 2), (0, 1))
            edge = np.clip((part * width - np.arange(width)) / (0.03 * width) + 0.5, 0, 1) * opacity
            return noisy((view * (1 - edge) + skin * edge).astype(np.float32), 2.0)

        return effect

    moved = frozenset({Code.MOVED})
    return [
        Defect("hand over 90 %", Code.COVERED, cover(95, 18, 0.06, part=0.9)),
        Defect("hand over all", Code.COVERED, cover(95, 18, 0.06)),
        Defect("paper over all", Code.COVERED, cover(190, 3, 0.1), allowed=frozenset({Code.BRIGHT})),
        Defect("bag over all", Code.COVERED, cover(120, 35, 0.03), allowed=moved),
        Defect("spray, 95 % opaque", Code.COVERED, cover(140, 12, 0.03, opacity=0.95), allowed=moved),
        Defect("lorry before 50 %", None, cover(120, 40, 0.02, part=0.5)),
        Defect("lorry before 70 %", None, cover(120, 40, 0.02, part=0.7)),
    ]


def light(gain: float, offset: float = 0.0, *, noise: float = 0.0, gamma: float = 1.0) -> Effect:
    """Another exposure, with the sensor's noise."""

    def effect(picture: Grey, _index: int, _rng: np.random.Generator) -> Grey:
        level = 255 * (shown(picture) / 255.0) ** gamma * gain + offset
        return noisy(level.astype(np.float32), noise)

    return effect


def _lights() -> list[Defect]:
    return [
        Defect("dark, 10 % and noise", Code.DARK, light(0.1, 4, noise=3)),
        Defect("dark, 3 % and noise", Code.DARK, light(0.03, 8, noise=5)),
        Defect("lens cap", Code.DARK, light(0.0, 2, noise=2)),
        Defect("blinded by a lamp", Code.BRIGHT, light(3.0, 160)),
        Defect("light 50 %", None, light(0.5, noise=2)),
        Defect("light 160 %", None, light(1.6)),
        Defect("infrared at night", None, _infrared),
    ]


def _infrared(picture: Grey, _index: int, _rng: np.random.Generator) -> Grey:
    """A lamp at the camera: the middle is lit and the corners are dark, dark stuff turns bright, and there is noise."""
    view = shown(picture) / 255.0
    height, width = view.shape
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    lamp = np.exp(-(rows**2 + columns**2) / 1.1)
    reflected = np.where(view < 0.35, 0.75 - view, view)
    return noisy((255 * lamp * reflected * 0.8).astype(np.float32), 5.0)


def _freezes() -> list[Defect]:
    def clock(picture: Grey, index: int, _rng: np.random.Generator) -> Grey:
        view = shown(picture).copy()
        text = f"2026-11-22 07:{index // 60 % 60:02d}:{index % 60:02d}"
        cv2.putText(view, text, (12, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1, cv2.LINE_AA)
        return view

    return [
        Defect("frozen", Code.FROZEN, lambda picture, _index, _rng: shown(picture), freezes=True),
        Defect("frozen, clock goes on", Code.FROZEN, clock, freezes=True),
    ]


def _harmless() -> list[Defect]:
    def rain(picture: Grey, _index: int, rng: np.random.Generator) -> Grey:
        view = cv2.GaussianBlur(shown(picture), (0, 0), 0.4)
        for _ in range(250):
            x, y = rng.integers(0, view.shape[1]), rng.integers(0, view.shape[0])
            length = int(rng.integers(6, 18))
            cv2.line(
                view,
                (int(x), int(y)),
                (int(x) + length // 4, int(y) + length),
                int(rng.integers(170, 220)),
                1,
            )
        return np.asarray(view, np.uint8)

    def crowd(picture: Grey, index: int, _rng: np.random.Generator) -> Grey:
        view = shown(picture).copy()
        height, width = view.shape
        for person in range(24):
            x = int((person * 0.137 * width + index * (3 + person % 5)) % (1.2 * width) - 0.1 * width)
            foot = int(height * (0.55 + 0.45 * ((person * 0.618) % 1)))
            tall = int(height * (0.25 + 0.3 * foot / height))
            level = int(40 + 180 * ((person * 0.37) % 1))
            cv2.ellipse(view, (x, foot - tall // 2), (tall // 6, tall // 2), 0, 0, 360, level, -1)
            cv2.circle(view, (x, foot - tall), tall // 9, 255 - level, -1)
        return view

    return [
        Defect("nothing", None, lambda picture, _index, _rng: shown(picture)),
        Defect("rain", None, rain),
        Defect("crowd of 24", None, crowd),
    ]
