"""What lies between the graphs of an exported network, on the host: ``proposals`` and ``detections`` once more, in
numpy, for one picture. The rows that nobody needs are never computed.

Shapes: A anchors, P proposals, K classes (background being 0), N boxes.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.mask_rcnn.settings import DetectionSettings, ProposalSettings
from models.networks.boxes import boxes_from_deltas
from models.networks.suppression import surviving_rows

#: As in ``boxes.to_centre``.
_LEAST_SIDE_PX: Final = 1e-2


def best_proposals(
    logits: NDArray[np.float32],
    deltas: NDArray[np.float32],
    anchors: NDArray[np.float32],
    input_hw: tuple[int, int],
    settings: ProposalSettings,
) -> NDArray[np.float32]:
    """Logits (A, 2) and deltas (A, 4) of the anchors (A, 4) to boxes (P, 4) in the input, best first; P is at most
    ``settings.count``."""
    odds = logits[:, 1] - logits[:, 0]
    rows = best_rows(odds, settings.candidates)
    boxes = _clipped(boxes_from_deltas(deltas[rows], anchors[rows]), input_hw)
    boxes = boxes[(boxes[:, 2:] - boxes[:, :2]).min(1, initial=np.inf) > 1.0]
    proposals: NDArray[np.float32] = boxes[surviving_rows(boxes, settings.iou_threshold, settings.count)]
    return proposals


def chosen_detections(
    class_logits: NDArray[np.float32],
    box_deltas: NDArray[np.float32],
    proposals: NDArray[np.float32],
    input_hw: tuple[int, int],
    settings: DetectionSettings,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.intp]]:
    """Logits (P, K) and deltas (P, K, 4) of the proposals (P, 4) to boxes (N, 4), scores (N,) and classes (N,), best
    first, all from the threshold on and none empty; N is at most ``settings.count``."""
    powers = np.exp(class_logits - class_logits.max(1, keepdims=True))
    probs = (powers / powers.sum(1, keepdims=True))[:, 1:]
    rows, columns = np.nonzero(probs >= settings.score_threshold)
    scores = probs[rows, columns]
    order = best_rows(scores, settings.candidates)
    rows, class_ids, scores = rows[order], columns[order] + 1, scores[order]
    references = proposals[rows]
    side = np.maximum(references[:, 2:] - references[:, :2], np.float32(_LEAST_SIDE_PX))
    centred = np.concatenate([(references[:, :2] + references[:, 2:]) / 2, side], axis=1)
    boxes = _clipped(boxes_from_deltas(box_deltas[rows, class_ids], centred), input_hw)
    # classes far apart from each other do not suppress each other
    apart = (class_ids.astype(np.float32) * np.float32(2 * max(input_hw)))[:, None]
    kept = surviving_rows(boxes + apart, settings.iou_threshold, settings.count)
    kept = kept[(boxes[kept, 2:] - boxes[kept, :2]).min(1, initial=np.inf) > 0]
    return boxes[kept], scores[kept], class_ids[kept]


def best_rows(scores: NDArray[np.float32], most: int) -> NDArray[np.intp]:
    """Rows of the best ``most`` scores (N,), best first."""
    if len(scores) <= most:
        return np.argsort(-scores, kind="stable")
    rows = np.argpartition(-scores, most - 1)[:most]
    return rows[np.argsort(-scores[rows], kind="stable")]


def _clipped(boxes_xyxy: NDArray[np.float32], input_hw: tuple[int, int]) -> NDArray[np.float32]:
    height, width = input_hw
    return np.clip(boxes_xyxy, 0, np.array([width, height, width, height], np.float32))
