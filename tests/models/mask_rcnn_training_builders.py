"""Learners of small Mask R-CNNs, and batches of drawn canvases, for the tests of its training."""

from functools import cache
from typing import Any

import keras
import numpy as np
from mask_rcnn_builders import TINY, drawn_canvas
from numpy.typing import NDArray

from models.mask_rcnn.network import MaskRcnn
from models.mask_rcnn.settings import ProposalSettings
from models.training.mask_rcnn.batch import stacked
from models.training.mask_rcnn.learner import Learner
from models.training.mask_rcnn.lesson import Lesson
from models.training.mask_rcnn.roi_targets import RoiSampling

SIDE = 128
FEW = RoiSampling(count=32, objects=16, seg_masks=6)


def numbers(value: Any) -> NDArray[Any]:
    return np.array(keras.ops.convert_to_numpy(value))


@cache
def anchors() -> NDArray[np.float32]:
    """Those of ``TINY`` on a canvas; read-only."""
    found = MaskRcnn(TINY).anchors((SIDE, SIDE))
    found.setflags(write=False)
    return found


def learner_for(network: MaskRcnn, *, steps: int = 100, **lesson: Any) -> Learner:
    return Learner(
        network,
        Lesson(steps=steps, **({"learning_rate": 3e-3, "warm_up_steps": 5} | lesson)),
        average_decay=0.9,
        proposals=ProposalSettings(100, 40),
        sampling=FEW,
    )


def made_up_batch(count: int = 2, seed: int = 0) -> dict[str, NDArray[Any]]:
    canvases = [drawn_canvas(seed + index, SIDE) for index in range(count)]
    return stacked(canvases, anchors(), np.random.default_rng(seed))
