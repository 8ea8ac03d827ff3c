"""Light, optics and compression as cameras add them: what a canvas looks like, never where things are on it.

Shapes: S side of the canvas in pixels.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_LUMA: Final = np.array([0.299, 0.587, 0.114])


def change_light(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Local contrast, colours, blur, sharpening, noise and compression, each now and then; uint8 (S, S, 3)."""
    if rng.random() < 0.12:
        pixels = equalised(pixels, clip_limit=rng.uniform(1, 4), tiles=int(rng.integers(4, 12)))
    if rng.random() < 0.85:
        pixels = _tones(pixels, rng)
    if rng.random() < 0.45:
        pixels = _colours(pixels, rng)
    pixels = _optics(pixels, rng)
    if rng.random() < 0.25:
        pixels = _noise(pixels, rng)
    if rng.random() < 0.5:
        pixels = _compressed(pixels, int(rng.integers(25, 90)))
    return pixels


def equalised(pixels: NDArray[np.uint8], *, clip_limit: float, tiles: int) -> NDArray[np.uint8]:
    """CLAHE (Zuiderveld 1994) of the lightness, as many cameras do it themselves ("WDR")."""
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
    # made anew each time: an equaliser keeps buffers, and threads must not share one
    lab[..., 0] = cv2.createCLAHE(clip_limit, (tiles, tiles)).apply(lab[..., 0])
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def _tones(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Brightness, contrast, gamma and a shift of each channel, as one table per channel."""
    ramp = np.arange(256, dtype=np.float64)
    if rng.random() < 0.3:
        ramp = 255 * (ramp / 255) ** np.exp(rng.uniform(-0.5, 0.5))
    ramp = (ramp - 128) * rng.uniform(0.6, 1.35) + 128 + rng.uniform(-40, 40)
    shifts = rng.normal(0, 9, 3) if rng.random() < 0.4 else np.zeros(3)
    table = np.clip(np.rint(ramp[:, None] + shifts), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(pixels, table[None]), np.uint8)


def _colours(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Saturation, or grey (infrared at night), and now and then channels that change places a little."""
    amount = 0.0 if rng.random() < 0.2 else rng.uniform(0.25, 1.5)
    mix = amount * np.eye(3) + (1 - amount) * np.tile(_LUMA, (3, 1))
    if rng.random() < 0.2:  # a hue that is off, as under sodium lamps
        leak = rng.uniform(0, 0.15, (3, 3))
        np.fill_diagonal(leak, 0)
        mix = (mix + leak) / (1 + leak.sum(axis=1, keepdims=True))
    return np.asarray(cv2.transform(pixels, mix.astype(np.float32)), np.uint8)


def _optics(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    chance = rng.random()
    if chance < 0.12:  # out of focus
        return np.asarray(cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.4, 1.5)), np.uint8)
    if chance < 0.19:  # moved
        return np.asarray(cv2.filter2D(pixels, -1, _streak(rng)), np.uint8)
    if chance < 0.29:  # enlarged from a smaller stream
        factor = rng.uniform(0.5, 0.9)
        smaller = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(smaller, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)
    if chance < 0.44:  # sharpened in the camera: unsharp masking
        soft = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.8, 1.6))
        amount = rng.uniform(0.3, 1.5)
        return np.asarray(cv2.addWeighted(pixels, 1 + amount, soft, -amount, 0), np.uint8)
    return pixels


def _streak(rng: np.random.Generator) -> NDArray[np.float32]:
    length = int(rng.integers(3, 8))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    middle = length / 2 - 0.5
    turn = cv2.getRotationMatrix2D((middle, middle), rng.uniform(0, 180), 1)
    kernel = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
    return np.asarray(kernel / kernel.sum(), np.float32)


def _noise(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Noise of the brightness, coarser where the gain is high."""
    height, width = pixels.shape[:2]
    step = 1 if rng.random() < 0.6 else 2
    grain = rng.standard_normal((-(-height // step), -(-width // step)), np.float32) * rng.uniform(2, 12)
    if step > 1:
        grain = np.asarray(cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    spread = cv2.merge([grain, grain, grain])
    return np.asarray(cv2.add(pixels, spread, dtype=cv2.CV_8U), np.uint8)


def _compressed(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    # the coder takes B, G, R: swapping the channels would only change which of them it keeps best
    encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
