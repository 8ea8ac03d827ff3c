"""Faces, and how each wears a face mask: RetinaFace and the mask-state classifier in one detector.

Shapes: B pictures, N faces of one picture, S side of the classifier's crops.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.letterbox import letterbox_batch
from models.mask_state.boxes import in_picture
from models.mask_state.classifier import MaskStateClassifier
from models.mask_state.crops import CropGeometry, crop_faces, stack_crops
from models.mask_state.sharpness import sharpness_of
from models.retinaface.detector import RetinaFaceDetector
from models.retinaface.faces import Faces
from models.structures import FACE_MASK_CLASSES, Detections, ImageBatch, Picture

_CLASS_IDS: Final = np.array([int(category) for category in FACE_MASK_CLASSES], np.int32)


class FaceMaskDetector:
    """The ``Detector`` (see ``models.detector``) of the face-mask rule.

    RetinaFace sees each picture at the network's size; the classifier sees each face at the picture's own
    resolution, all faces of a batch in one call, and has a say in where each ends, where its weights tell. Not for
    several threads at once.
    """

    def __init__(self, faces: RetinaFaceDetector, mask_states: MaskStateClassifier) -> None:
        self._faces = faces
        self._mask_states = mask_states

    @property
    def digests(self) -> Mapping[str, str]:
        """``sha256:<hex>`` of the weights of ``retinaface`` and ``mask_state``."""
        return MappingProxyType({"retinaface": self._faces.digest, "mask_state": self._mask_states.digest})

    def detect(self, pictures: Sequence[Picture], input_hw: tuple[int, int]) -> list[Detections]:
        """The faces of each of ``pictures`` (at least one); see ``detect_batch``.

        Raises ``PictureError`` when there is no picture.
        """
        return self.detect_batch(letterbox_batch(pictures, input_hw), pictures)

    def detect_batch(self, batch: ImageBatch, pictures: Sequence[Picture]) -> list[Detections]:
        """The faces of each of ``pictures``, of which ``batch`` was made, in their order, best first, in original
        pixels.

        ``class_ids`` is the likeliest face category, ``face_mask_probs`` says how likely each is, given that
        the face can be told at all; ``sharpness`` says whether it can: the lesser of the crop's sharpness and
        the classifier's own ``visibility``. Raises ``PictureError`` when the batch's sides are no multiples
        of 32, ``InferenceError`` when a network answers with numbers that are not finite.
        """
        found = self._faces.detect(batch)
        geometry = self._mask_states.geometry
        crops = [
            crop
            for picture, faces in zip(pictures, found, strict=True)
            for crop in crop_faces(picture, faces.boxes_xyxy, geometry)
        ]
        states = self._mask_states.judge(stack_crops(crops, geometry))
        detail = np.minimum(sharpness_of(crops), states.visibility)
        if states.boxes_in_crop is not None:
            found = _refined(found, states.boxes_in_crop, geometry)
        ends = np.cumsum([len(faces) for faces in found]).tolist()
        return [
            _detections(
                batch,
                index,
                faces,
                probs=states.probs[end - len(faces) : end],
                detail=detail[end - len(faces) : end],
            )
            for index, (faces, end) in enumerate(zip(found, ends, strict=True))
        ]

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int]) -> None:
        """Compile both networks: RetinaFace for batches of these sizes, the classifier for any number of
        faces.
        """
        self._faces.warm_up(input_hw, batch_sizes)
        self._mask_states.warm_up()

    def forget(self, input_hw: tuple[int, int]) -> None:
        """See ``models.detector.ForgetsSizes``."""
        self._faces.forget(input_hw)


def _refined(
    found: Sequence[Faces], boxes_in_crop: NDArray[np.float32], geometry: CropGeometry
) -> list[Faces]:
    """The faces of each picture with the mean of two boxes: the detector's, and what the classifier tells from the
    crop, in whose order they come. Two looks whose errors have little to do with each other err less together."""
    squares = [geometry.square_xyxy(box) for faces in found for box in faces.boxes_xyxy]
    told = in_picture(boxes_in_crop, squares)
    ends = np.cumsum([len(faces) for faces in found]).tolist()
    return [
        replace(faces, boxes_xyxy=((faces.boxes_xyxy + told[end - len(faces) : end]) / 2).astype(np.float32))
        for faces, end in zip(found, ends, strict=True)
    ]


def _detections(
    batch: ImageBatch,
    index: int,
    faces: Faces,
    *,
    probs: NDArray[np.float32],
    detail: NDArray[np.float32],
) -> Detections:
    """The faces of picture ``index`` with what the classifier says of each."""
    height, width = (int(value) for value in batch.image_hw[index])
    return Detections(
        image_hw=(height, width),
        boxes_xyxy=faces.boxes_xyxy,
        scores=faces.scores,
        class_ids=_CLASS_IDS[probs.argmax(1)],
        input_scale=float(batch.scales[index]),
        landmarks_xy=faces.landmarks_xy,
        face_mask_probs=probs,
        sharpness=np.clip(detail, 0, 1),
    )
