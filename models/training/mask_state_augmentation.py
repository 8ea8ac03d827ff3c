"""What stands between a press photo of a face and the same face on a CCTV camera, applied at random.

In the order of nature: where the detector puts the box, what covers the face, the light, the lens and the
motion, the resolution, the sensor's noise, the codec.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.mask_state.boxes import deltas_of
from models.mask_state.crops import CropGeometry
from models.mask_state.network import BOX_DELTAS, KINDS, LOGITS, NOT_VISIBLE
from models.training.mask_state_cache import CropCache
from models.training.mask_state_labels import UNKNOWN_KIND
from models.training.turned_boxes import matrix_of_edges, turned_boxes

#: Nobody can tell below the first height of the face in pixels, everybody above the second.
_UNTELLABLE_PX = (5.0, 9.0)
#: Of the targets of a sample, the part that speaks of the box: its deltas, and how much they count.
BOX_TARGETS = slice(LOGITS + len(KINDS), LOGITS + len(KINDS) + BOX_DELTAS)
BOX_WEIGHT = BOX_TARGETS.stop
TARGETS = BOX_WEIGHT + 1
#: The same of the kind of mask, which is told by folds and edges.
_KIND_UNTELLABLE_PX = (8.0, 16.0)


@dataclass(frozen=True, slots=True)
class AugmentationConfig:
    """How hard training samples are treated; the probabilities of each step, and its range.

    - ``scale``: factor on the crop's context, low and high. ``shift``: of the box's centre, in face sizes.
    - ``stray``: how many times farther scale and shift reach for what is no face: detectors draw boxes
      anywhere there.
    - ``rotation_deg``: of the crop, to both sides. ``aspect``: logarithm of the ratio of width and height, to
      both sides; a camera above the heads sees faces shortened.
    - ``low_resolution``: probability that the face is shrunk to ``face_px`` (log-uniform) and enlarged again.
    - ``blur``, ``codec``, ``noise``, ``grey``, ``occlusion``: probabilities.
    """

    scale: tuple[float, float] = (0.75, 1.25)
    shift: float = 0.16
    stray: float = 1.3
    rotation_deg: float = 18.0
    aspect: float = 0.25
    low_resolution: float = 0.65
    face_px: tuple[float, float] = (7.0, 64.0)
    blur: float = 0.4
    codec: float = 0.6
    noise: float = 0.25
    grey: float = 0.08
    occlusion: float = 0.2


def augmented_crop(
    region: NDArray[np.uint8],
    box_xyxy: NDArray[np.float32],
    label: int,
    kind: int = UNKNOWN_KIND,
    *,
    box_weight: float = 0.0,
    geometry: CropGeometry,
    config: AugmentationConfig,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """One training sample from a stored part of a picture.

    ``region`` uint8 (h, w, 3) with the face at ``box_xyxy`` (4,). Returns the crop, uint8 (S, S, 3), and
    the targets, float32 (12,): of the 7 logits a distribution over the first four, the label, shared with
    ``not_visible`` where the treatment has left too few pixels of the face to tell; and a share of ``kind``, 1 where
    it can be told, 0 where it is unknown or has been lost; then the deltas of the face's box in the crop
    (``models.mask_state.boxes``) and how much they count: ``box_weight``, by the share to which the face can be told. A
    box that is turned becomes that of the ellipse in it.
    """
    stored_px = max(1.0, float((box_xyxy[2:] - box_xyxy[:2]).max()))
    face_px = stored_px
    if rng.random() < config.low_resolution:
        face_px = min(stored_px, float(np.exp(rng.uniform(*np.log(config.face_px)))))
    reach = config.stray if label == NOT_VISIBLE else 1.0
    context = geometry.context_for(face_px) * float(np.exp(reach * rng.uniform(*np.log(config.scale))))
    small_px = min(geometry.size_px, max(4, round(face_px * context)))
    crop, box_in_crop = _cut(
        region,
        box_xyxy,
        small_px,
        side=context * stored_px,
        lowered=geometry.lowered,
        shift=config.shift * reach,
        config=config,
        rng=rng,
    )
    if rng.random() < config.occlusion:
        _occlude(crop, rng)
    crop = _relit(crop, rng, grey=config.grey)
    detail_px = small_px / context
    if rng.random() < config.blur:
        crop, sigma_px = _blurred(crop, rng)
        # a Gaussian of sigma s passes about as much as pixels of size 2.5 s
        detail_px = detail_px / max(1.0, 2.5 * sigma_px)
    if rng.random() < config.noise:
        noise = rng.normal(0, rng.uniform(2, 12), crop.shape)
        crop = np.clip(crop + noise, 0, 255).astype(np.uint8)
    if rng.random() < config.codec:
        crop = _coded(crop, rng)
    if small_px != geometry.size_px:
        crop = np.asarray(cv2.resize(crop, (geometry.size_px,) * 2, interpolation=cv2.INTER_LINEAR), np.uint8)
    targets = np.zeros(TARGETS, np.float32)
    targets[: BOX_TARGETS.start] = _targets(label, kind, detail_px)
    targets[BOX_TARGETS] = deltas_of(box_in_crop[None], geometry)[0]
    targets[BOX_WEIGHT] = box_weight * _share(detail_px, _UNTELLABLE_PX)
    return crop, targets


def plain_crop(
    region: NDArray[np.uint8], box_xyxy: NDArray[np.float32], *, geometry: CropGeometry, face_px: float
) -> NDArray[np.uint8]:
    """The crop as the product cuts it for a face of ``face_px`` original pixels, from a stored part: (S, S,
    3)."""
    stored_px = max(1.0, float((box_xyxy[2:] - box_xyxy[:2]).max()))
    side = geometry.context_for(face_px) * stored_px
    small_px = min(geometry.size_px, max(2, round(side)))
    matrix = _matrix(_centre(box_xyxy, geometry.lowered), side, small_px, angle=0.0, aspect=1.0, flip=False)
    crop = cv2.warpAffine(
        region, matrix, (small_px, small_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if small_px != geometry.size_px:
        crop = cv2.resize(crop, (geometry.size_px,) * 2, interpolation=cv2.INTER_LINEAR)
    return np.asarray(crop, np.uint8)


def plain_crops(cache: CropCache, geometry: CropGeometry, chosen: Sequence[int]) -> NDArray[np.uint8]:
    """The crops of the examples ``chosen`` as the product cuts them: (N, S, S, 3)."""
    crops = np.empty((len(chosen), geometry.size_px, geometry.size_px, 3), np.uint8)
    for crop, i in zip(crops, chosen, strict=True):
        crop[:] = plain_crop(
            cache.region(i), cache.boxes_xyxy[i], geometry=geometry, face_px=float(cache.native_px[i])
        )
    return crops


def _cut(
    region: NDArray[np.uint8],
    box_xyxy: NDArray[np.float32],
    small_px: int,
    *,
    side: float,
    lowered: float,
    shift: float,
    config: AugmentationConfig,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Jittered square of ``side`` stored pixels around the box, as (small_px, small_px, 3), and where the box (4,) lies
    in it, of its side."""
    longest = float((box_xyxy[2:] - box_xyxy[:2]).max())
    centre = _centre(box_xyxy, lowered) + rng.uniform(-shift, shift, 2) * longest
    shrink = side / small_px
    if shrink > 1.5:  # warping samples single pixels: average first, or the shrunk crop is full of aliases
        factor = 1 / shrink
        size = (max(2, round(region.shape[1] * factor)), max(2, round(region.shape[0] * factor)))
        exact = np.array(size) / (region.shape[1], region.shape[0])
        region = np.asarray(cv2.resize(region, size, interpolation=cv2.INTER_AREA), np.uint8)
        centre, side = centre * exact, side * float(exact.mean())
        box_xyxy = box_xyxy * np.tile(exact, 2)
    matrix = _matrix(
        centre,
        side,
        small_px,
        angle=rng.uniform(-config.rotation_deg, config.rotation_deg),
        aspect=float(np.exp(rng.uniform(-config.aspect, config.aspect))),
        flip=rng.random() < 0.5,
    )
    borders = (cv2.BORDER_REPLICATE, cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101, cv2.BORDER_CONSTANT)
    border = borders[rng.integers(len(borders))]
    fill = rng.uniform(0, 255, 3).tolist()
    warped = cv2.warpAffine(
        region, matrix, (small_px, small_px), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=fill
    )
    box_in_crop = turned_boxes(box_xyxy[None].astype(np.float64), matrix_of_edges(matrix))[0] / small_px
    return np.asarray(warped, np.uint8), box_in_crop


def _centre(box_xyxy: NDArray[np.float32], lowered: float) -> NDArray[np.float32]:
    longer_side = float((box_xyxy[2:] - box_xyxy[:2]).max())
    middle = (box_xyxy[:2] + box_xyxy[2:]) / 2
    return np.array([middle[0], middle[1] + lowered * longer_side], np.float32)


def _matrix(
    centre_xy: NDArray[np.floating], side: float, size_px: int, *, angle: float, aspect: float, flip: bool
) -> NDArray[np.float64]:
    """Affine (2, 3) that takes stored pixels to a square of ``size_px`` around ``centre_xy``."""
    scale = size_px / side
    turn = np.deg2rad(angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    stretch = np.diag([scale * np.sqrt(aspect) * (-1 if flip else 1), scale / np.sqrt(aspect)])
    linear = rotation @ stretch
    # pixel centres lie at whole coordinates for OpenCV, boxes count from pixel edges
    offset = (size_px - 1) / 2 - linear @ (np.asarray(centre_xy, np.float64) - 0.5)
    return np.column_stack([linear, offset])


def _occlude(crop: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """A patch or stroke of one colour over up to a seventh of the crop: a hand, a pole, another head's
    edge."""
    size = crop.shape[0]
    skin = np.array([205, 160, 130]) * rng.uniform(0.35, 1.15)
    colour = (skin if rng.random() < 0.5 else rng.uniform(0, 255, 3)).clip(0, 255).tolist()
    centre = rng.uniform(0.05, 0.95, 2) * size
    if rng.random() < 0.5:
        axes = rng.uniform(0.05, 0.22, 2) * size
        cv2.ellipse(
            crop,
            (int(centre[0]), int(centre[1])),
            (max(1, int(axes[0])), max(1, int(axes[1]))),
            float(rng.uniform(0, 180)),
            0,
            360,
            colour,
            -1,
        )
    else:
        other = rng.uniform(-0.2, 1.2, 2) * size
        width = max(1, int(size * rng.uniform(0.03, 0.12)))
        cv2.line(crop, (int(centre[0]), int(centre[1])), (int(other[0]), int(other[1])), colour, width)


def _relit(crop: NDArray[np.uint8], rng: np.random.Generator, *, grey: float) -> NDArray[np.uint8]:
    """Gamma, contrast, brightness, white balance, saturation; infrared cameras see grey."""
    x = crop.astype(np.float32) / 255
    x **= np.exp(rng.uniform(-0.45, 0.45))
    x = (x - 0.5) * rng.uniform(0.6, 1.25) + 0.5 + rng.uniform(-0.12, 0.12)
    x *= np.exp(rng.uniform(-0.1, 0.1, 3)).astype(np.float32)
    luma = (x @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    saturation = 0.0 if rng.random() < grey else rng.uniform(0.3, 1.4)
    x = luma + (x - luma) * np.float32(saturation)
    return (np.clip(x, 0, 1) * 255).astype(np.uint8)


def _blurred(crop: NDArray[np.uint8], rng: np.random.Generator) -> tuple[NDArray[np.uint8], float]:
    """Defocus or motion; returns the Gaussian sigma of like strength in pixels too."""
    size = crop.shape[0]
    if rng.random() < 0.5:
        sigma = float(rng.uniform(0.3, max(0.5, size / 28)))
        return np.asarray(cv2.GaussianBlur(crop, (0, 0), sigma), np.uint8), sigma
    length = int(rng.integers(2, max(3, size // 8)))
    kernel = np.zeros((length, length), np.float32)
    half = (length - 1) / 2
    turn = rng.uniform(0, np.pi)
    direction = np.array([np.cos(turn), np.sin(turn)]) * half
    start, end = np.round(half - direction).astype(int), np.round(half + direction).astype(int)
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), 1.0)
    # smears one direction only: across it the detail stays
    return np.asarray(cv2.filter2D(crop, -1, kernel / kernel.sum()), np.uint8), 0.15 * length


def _coded(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Coarse transform coding; half the time smoothed after it, as the in-loop filters of H.264 and H.265
    do."""
    quality = int(rng.integers(12, 85))
    done, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:  # never seen; the sample is as good without it
        return crop
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    if rng.random() < 0.5:
        decoded = np.asarray(cv2.bilateralFilter(decoded, 3, 30, 3), np.uint8)
    return decoded


def _targets(label: int, kind: int, detail_px: float) -> NDArray[np.float32]:
    targets = np.zeros(LOGITS + len(KINDS), np.float32)
    told = _share(detail_px, _UNTELLABLE_PX)
    targets[label] += told
    targets[NOT_VISIBLE] += 1 - told
    if kind != UNKNOWN_KIND:
        targets[LOGITS + kind] = _share(detail_px, _KIND_UNTELLABLE_PX)
    return targets


def _share(detail_px: float, limits_px: tuple[float, float]) -> float:
    low, high = limits_px
    return float(np.clip((detail_px - low) / (high - low), 0, 1))
