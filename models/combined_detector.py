"""Both models on one batch: faces with their masks, and people, heads, hats and masks to the pixel.

Shapes: B pictures; R of them that a model looks at.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import MappingProxyType

from models.detector import ModelSet
from models.face_mask_detector import FaceMaskDetector
from models.letterbox import letterbox_batch
from models.mask_rcnn.detector import NAME as MASK_RCNN
from models.mask_rcnn.detector import MaskRcnnDetector
from models.retinaface.config import ARCHITECTURE as RETINAFACE
from models.structures import Detections, ImageBatch, Picture
from models.structures.joining import joined


class CombinedDetector:
    """A ``SelectiveDetector`` (see ``models.detector``) of ``retinaface`` and ``maskrcnn``, or one of the two.

    Pictures are letterboxed once, whoever looks at them. ``runs_beside``: see ``models.detector``; then each model has
    a thread, so that the device computes one while the processor decodes the other. Not for several threads at once.
    Raises ``ValueError`` without any model.
    """

    def __init__(
        self, faces: FaceMaskDetector | None, gear: MaskRcnnDetector | None, *, runs_beside: bool = False
    ) -> None:
        if faces is None and gear is None:
            raise ValueError("a detector needs at least one model")
        self._faces = faces
        self._gear = gear
        self.runs_beside = runs_beside
        self._helper = ThreadPoolExecutor(1, "gear") if runs_beside and faces and gear else None

    @property
    def digests(self) -> Mapping[str, str]:
        """``sha256:<hex>`` of the weights of each network that is loaded, by its name."""
        digests: dict[str, str] = {}
        if self._faces is not None:
            digests |= self._faces.digests
        if self._gear is not None:
            digests[MASK_RCNN] = self._gear.digest
        return MappingProxyType(digests)

    def detect(
        self,
        pictures: Sequence[Picture],
        input_hw: tuple[int, int],
        models: Sequence[ModelSet] | None = None,
    ) -> list[Detections]:
        """What is in each of ``pictures`` (at least one), in their order, in original pixels: faces first.

        Raises ``PictureError`` when there is no picture or ``input_hw`` is no multiple of 32, ``ValueError`` when
        ``models`` are not as many as pictures, ``InferenceError`` when a network answers with numbers that are not
        finite.
        """
        if models is not None and len(models) != len(pictures):
            raise ValueError(f"{len(models)} sets of models for {len(pictures)} pictures")
        batch = letterbox_batch(pictures, input_hw)
        found: list[list[Detections]] = [
            [Detections.empty((int(hw[0]), int(hw[1])), float(scale))]
            for hw, scale in zip(batch.image_hw, batch.scales, strict=True)
        ]
        gear_rows = _rows_of(MASK_RCNN, models, len(pictures)) if self._gear is not None else []
        begun: Future[list[Detections]] | None = None
        if self._helper is not None and gear_rows:
            begun = self._helper.submit(self._see_gear, batch, gear_rows)
        try:
            rows = _rows_of(RETINAFACE, models, len(pictures))
            if self._faces is not None and rows:
                faces = self._faces.detect_batch(batch.select(rows), [pictures[row] for row in rows])
                for row, seen in zip(rows, faces, strict=True):
                    found[row].append(seen)
        finally:
            if begun is not None:
                wait([begun])
        gear = self._see_gear(batch, gear_rows) if begun is None else begun.result()
        for row, seen in zip(gear_rows, gear, strict=True):
            found[row].append(seen)
        return [joined(seen) for seen in found]

    def _see_gear(self, batch: ImageBatch, rows: Sequence[int]) -> list[Detections]:
        """What the model of gear sees in the pictures ``rows``."""
        return self._gear.detect_batch(batch.select(rows)) if self._gear is not None and rows else []

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int]) -> None:
        """Compile every network that is loaded for batches of these sizes."""
        for model in (self._faces, self._gear):
            if model is not None:
                model.warm_up(input_hw, batch_sizes)

    def forget(self, input_hw: tuple[int, int]) -> None:
        """See ``models.detector.ForgetsSizes``."""
        for model in (self._faces, self._gear):
            if model is not None:
                model.forget(input_hw)


def _rows_of(name: str, models: Sequence[ModelSet] | None, count: int) -> list[int]:
    """The pictures at which a model looks."""
    if models is None:
        return list(range(count))
    return [row for row, chosen in enumerate(models) if chosen is None or name in chosen]
