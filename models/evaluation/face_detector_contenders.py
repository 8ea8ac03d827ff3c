"""Face detectors that are measured beside each other, whatever they take and give."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from models.errors import ModelError
from models.evaluation.face_finder import FaceFinder
from models.evaluation.peers.aizoo import FILE_NAME as AIZOO_FILE
from models.evaluation.peers.aizoo import INPUT_PX as AIZOO_INPUT_PX
from models.evaluation.peers.aizoo import AizooDetector
from models.evaluation.peers.yunet import FILE_NAME as YUNET_FILE
from models.evaluation.peers.yunet import YunetFinder
from models.evaluation.runtimes import RunsIn
from models.letterbox import default_input_size, input_hw_for, letterbox_batch
from models.loading import Device
from models.retinaface.faces import Faces
from models.structures import Picture

#: Average precision needs faces of low scores too.
LEAST_SCORE: Final = 0.02


class FaceLooker(Protocol):
    """Finds the faces of one picture."""

    def look(self, picture: Picture, longest_side_px: int | None) -> tuple[Faces, float]:
        """The faces in original pixels, best first, and input pixels per original pixel; the picture's longest side is
        seen ``longest_side_px`` long, or as the product sees it."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class FaceContender:
    """A detector to be measured.

    - ``digest``: of its file. ``input_size_px``: the one size that it knows; None: any.
    - ``finder``: what also tells landmarks; None where nothing does.
    """

    name: str
    digest: str
    looker: FaceLooker
    finder: FaceFinder | None
    input_size_px: int | None = None


class FinderLooker:
    """Shows pictures to whatever takes batches."""

    def __init__(self, finder: FaceFinder) -> None:
        self._finder = finder

    def look(self, picture: Picture, longest_side_px: int | None) -> tuple[Faces, float]:
        """See ``FaceLooker``."""
        side = longest_side_px or default_input_size(picture.image_hw)
        batch = letterbox_batch([picture], input_hw_for(picture.image_hw, side))
        return self._finder.detect(batch)[0], float(batch.scales[0])


class AizooLooker:
    """Takes faces, without landmarks, from AIZOOTech's detector."""

    def __init__(self, detector: AizooDetector) -> None:
        self._detector = detector

    def look(self, picture: Picture, longest_side_px: int | None) -> tuple[Faces, float]:  # noqa: ARG002
        """See ``FaceLooker``; the size is that of the file."""
        found = self._detector.detect([picture], (AIZOO_INPUT_PX, AIZOO_INPUT_PX))[0]
        points = np.zeros((len(found), 5, 2), np.float32)
        return Faces(found.boxes_xyxy, found.scores, points), found.input_scale


def own_contenders(
    files: Sequence[tuple[str, Path]],
    *,
    device: Device = "auto",
    runtimes: Sequence[RunsIn] = (RunsIn("keras", None),),
) -> list[FaceContender]:
    """RetinaFaces, names with files, each in all ``runtimes``. Raises ``WeightsError``, ``DeviceError``,
    ``ExportError``, and ``ModelError`` when a name is given twice."""
    from models.retinaface.detector import RetinaFaceDetector  # noqa: PLC0415 - loads TensorFlow

    named = [(runs_in.named(name), file, runs_in) for name, file in files for runs_in in runtimes]
    if len({name for name, *_ in named}) < len(named):
        raise ModelError("each name of weights, and each runtime, can be given once")
    contenders = []
    for name, file, runs_in in named:
        finder = RetinaFaceDetector(
            file,
            score_threshold=LEAST_SCORE,
            device=device,
            runtime=runs_in.runtime,
            options=runs_in.options,
        )
        contenders.append(FaceContender(name, finder.digest, FinderLooker(finder), finder))
    return contenders


def peer_contenders(folder: Path) -> list[FaceContender]:
    """The published detectors whose files are in ``folder``. Raises ``ModelError`` when there is none."""
    contenders = []
    if (folder / AIZOO_FILE).is_file():
        aizoo = AizooDetector(folder / AIZOO_FILE, score_threshold=LEAST_SCORE)
        contenders.append(
            FaceContender("aizoo", aizoo.digests["aizoo"], AizooLooker(aizoo), None, aizoo.input_size_px)
        )
    if (folder / YUNET_FILE).is_file():
        yunet = YunetFinder(folder / YUNET_FILE, score_threshold=LEAST_SCORE)
        contenders.append(FaceContender("yunet", yunet.digest, FinderLooker(yunet), yunet))
    if not contenders:
        raise ModelError(f"{folder}: holds neither {AIZOO_FILE} nor {YUNET_FILE}")
    return contenders
