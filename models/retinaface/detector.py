"""Faces in a batch of pictures: the network, its decoding and the suppression of doubles, ready to run.

Shapes: B pictures; H, W height and width of the input; N candidates of a picture.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from models.networks.suppression import suppress
from models.retinaface.anchors import anchors_for
from models.retinaface.candidates import CandidateFinder, Candidates
from models.retinaface.config import ARCHITECTURE
from models.retinaface.faces import Faces
from models.runtime.choice import Device, Runtime
from models.runtime.session import SessionOptions
from models.structures import ImageBatch
from models.weights import load_weights

if TYPE_CHECKING:
    import keras


class FaceDetector:
    """Finds faces among the candidates of a network, in whatever runtime.

    - ``score_threshold``: least score of a face, 0 to 1.
    - ``nms_iou``: of faces that overlap by more than this IoU, the best one stays.
    - ``max_faces``: most faces per picture.

    Not for several threads at once.
    """

    def __init__(
        self,
        finder: CandidateFinder,
        *,
        score_threshold: float = 0.5,
        nms_iou: float = 0.4,
        max_faces: int = 300,
    ) -> None:
        self._finder = finder
        self._score_threshold = score_threshold
        self._nms_iou = nms_iou
        self._max_faces = max_faces

    def detect(self, batch: ImageBatch) -> list[Faces]:
        """Faces of each picture, best first, in pixels of the original pictures.

        Raises ``PictureError`` when the batch's sides are no multiples of 32, ``InferenceError`` when the
        network answers with numbers that are not finite.
        """
        if len(batch) == 0:
            return []
        anchors_for(batch.input_hw)  # says what is wrong with a size before a graph is made for it
        found = self._finder.find(batch.pixels, self._score_threshold)
        return [self._faces(batch, index, candidates) for index, candidates in enumerate(found)]

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int] = (1, 2, 4, 8)) -> None:
        """Compile for an input size, so that the first real batch is as fast as the others."""
        anchors_for(input_hw)
        self._finder.warm_up(input_hw, batch_sizes)

    def forget(self, input_hw: tuple[int, int]) -> None:
        """See ``models.detector.ForgetsSizes``."""
        self._finder.forget(input_hw)

    def _faces(self, batch: ImageBatch, index: int, found: Candidates) -> Faces:
        above = found.scores >= self._score_threshold
        boxes, scores, landmarks = found.boxes_xyxy[above], found.scores[above], found.landmarks_xy[above]
        kept = suppress(boxes, scores, iou_threshold=self._nms_iou, max_kept=self._max_faces)
        return Faces(
            boxes_xyxy=batch.boxes_to_image(boxes[kept], index),
            scores=scores[kept],
            landmarks_xy=batch.points_to_image(landmarks[kept], index),
        )


class NetworkDetector(FaceDetector):
    """Finds faces with a Keras network that is already there, as training and measuring need it.

    ``device``: ``auto`` takes a GPU when there is one; raises ``DeviceError`` when it is not there. See
    ``FaceDetector`` for the other arguments. Weights that the network is given later are used.
    """

    def __init__(
        self,
        network: "keras.Model",
        *,
        score_threshold: float = 0.5,
        nms_iou: float = 0.4,
        max_faces: int = 300,
        device: Device = "auto",
    ) -> None:
        from models.retinaface.keras_candidates import KerasCandidates  # noqa: PLC0415 - needs Keras

        super().__init__(
            KerasCandidates(network, device=device),
            score_threshold=score_threshold,
            nms_iou=nms_iou,
            max_faces=max_faces,
        )


class RetinaFaceDetector(FaceDetector):
    """Finds faces with the weights of one file; see ``FaceDetector`` for the other arguments.

    ``runtime`` says what runs it (see ``models.runtime``): ``keras`` on ``device``, or ``openvino`` on the CPU as
    ``options`` say. ``digest`` is that of the file, ``sha256:<hex>``. Batch norms are folded on loading. Raises
    ``WeightsError`` when the file is not one of a RetinaFace, ``DeviceError`` when the device is not there,
    ``ExportError`` when it cannot be exported for OpenVINO.
    """

    def __init__(
        self,
        weights_path: Path,
        *,
        score_threshold: float = 0.5,
        nms_iou: float = 0.4,
        max_faces: int = 300,
        device: Device = "auto",
        runtime: Runtime = "keras",
        options: SessionOptions | None = None,
    ) -> None:
        self.digest, finder = _finder(weights_path, device, runtime, options)
        super().__init__(finder, score_threshold=score_threshold, nms_iou=nms_iou, max_faces=max_faces)


def _finder(
    weights_path: Path, device: Device, runtime: Runtime, options: SessionOptions | None
) -> tuple[str, CandidateFinder]:
    """The digest of a file, and its network in ``runtime``."""
    if runtime == "openvino":
        from models.retinaface.graph_candidates import GraphCandidates  # noqa: PLC0415 - needs OpenVINO
        from models.runtime.quantised import export_for  # noqa: PLC0415

        export = export_for("retinaface", weights_path, options)
        return export.weights_digest, GraphCandidates(export, options)
    from models.networks.half_precision import keras_precision  # noqa: PLC0415 - needs Keras
    from models.retinaface.keras_candidates import KerasCandidates, network_of  # noqa: PLC0415

    stored = load_weights(weights_path, architecture=ARCHITECTURE)
    network = network_of(
        stored, origin=weights_path, device=device, precision=keras_precision(options, device)
    )
    return stored.digest, KerasCandidates(network, device=device)
