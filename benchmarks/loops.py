"""The contenders of ``compare_loops.py``: each gives how many faces it saw, one look after the other, for ever.

``options`` hold ``clip``, ``input_size`` (longest side in pixels, for all that scale), ``looks`` (looks a second of the
recording; None: at every frame) and ``peers`` (folder of published detectors).
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.evaluation.peers import aizoo, yunet
from models.runtime.precision import PrecisionChoice

CONTENDERS: Final = (
    "ppewatch",
    "ppewatch-f32",
    "ppewatch-int8",
    "keras",
    "keras-call",
    "keras-predict",
    "supervision",
    "aizoo",
    "yunet",
)
#: Those that need a folder of published detectors, and their file in it.
PEERS: Final = {"aizoo": aizoo.FILE_NAME, "yunet": yunet.FILE_NAME}
#: Packages beyond this project's own, by who needs them.
PACKAGES: Final = {"supervision": "supervision", "aizoo": "ai_edge_litert"}
#: How exactly our own count, by name.
_PRECISIONS: Final[dict[str, PrecisionChoice]] = {
    "ppewatch": "auto",
    "ppewatch-f32": "f32",
    "ppewatch-int8": "int8",
}
_SCORE: Final = 0.5

#: Takes a BGR picture; how many faces it saw.
Look = Callable[[NDArray[np.uint8]], int]


def looks_of(name: str, options: argparse.Namespace) -> Iterator[int]:
    """Faces of one look after the other."""
    if name in _PRECISIONS:
        return _ppewatch(options, precision=_PRECISIONS[name])
    return _loop(name, options)


def _ppewatch(options: argparse.Namespace, *, precision: PrecisionChoice) -> Iterator[int]:
    """One camera of the daemon without its threads: reader, models and rules; the decoder leaves out what it may."""
    from models.letterbox import input_hw_for
    from models.structures import Gear
    from rules import CameraEngine, Rule
    from streamer.detector_loading import load_detector
    from streamer.ingest.connection import NoSink, read_frames
    from streamer.ingest.session import Session
    from streamer.ingest.source import Source

    detector = load_detector(models=["retinaface"], precision=precision)
    engine = CameraEngine("bench", zones=[], rules=[Rule("masks", (Gear.FACE_MASK,))], timezone="UTC")
    source = Source(
        str(options.clip.absolute()), paced=False, loop=True, start_epoch_s=0.0, skip_frame="AUTO"
    )
    session = Session(camera_id="bench", sink=NoSink(), fps=options.looks)
    for frame in read_frames(source, session):
        (seen,) = detector.detect([frame], input_hw_for(frame.image_hw, options.input_size))
        engine.observe(seen, frame.captured_at)
        yield int((seen.scores >= _SCORE).sum())


def _loop(name: str, options: argparse.Namespace) -> Iterator[int]:
    """The loop of every tutorial: read (which decodes, and converts to BGR), look, count; again at the end."""
    look = {
        "keras": _keras,
        "keras-call": partial(_keras, call="__call__"),
        "keras-predict": partial(_keras, call="predict"),
        "supervision": _supervision,
        "aizoo": _aizoo,
        "yunet": _yunet,
    }[name](options)
    while True:
        capture = cv2.VideoCapture(str(options.clip))
        every_s = 0.0 if options.looks is None else 1 / options.looks
        fps, number, due_s = capture.get(cv2.CAP_PROP_FPS), 0, 0.0
        while True:
            there, picture = capture.read()
            if not there:
                break
            if number / fps >= due_s - 1e-6:
                yield look(np.asarray(picture, np.uint8))
                due_s += every_s
            number += 1
        capture.release()


def _keras_faces(
    options: argparse.Namespace, *, call: str = "predict_on_batch"
) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Faces of a BGR picture as rows of x1, y1, x2, y2, score, class, by both networks in Keras, 32 bits wide.

    ``call``: ``predict_on_batch``, the fastest way that Keras has; ``predict`` or ``__call__``, as tutorials have it.
    """
    import keras

    from models.letterbox import input_hw_for
    from models.loading import weights_paths
    from models.mask_state.classifier_config import ClassifierConfig
    from models.mask_state.crops import crop_faces, stack_crops
    from models.mask_state.keras_answers import network_of as classifier_of
    from models.networks.suppression import suppress
    from models.pictures import ArrayPicture
    from models.retinaface.anchors import anchors_for
    from models.retinaface.candidates import best_candidates
    from models.retinaface.keras_candidates import network_of
    from models.weights import load_weights

    paths = weights_paths()
    faces = network_of(load_weights(paths["retinaface"]), origin=paths["retinaface"], device="cpu")
    stored = load_weights(paths["mask_state"])
    config = ClassifierConfig.from_mapping(stored.config, origin=paths["mask_state"])
    states = classifier_of(config.network, stored, origin=paths["mask_state"], device="cpu")
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, faces(inputs))
    quiet = {"verbose": 0} if call == "predict" else {}

    def find(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        height, width = input_hw_for((picture.shape[0], picture.shape[1]), options.input_size)
        scale = min(width / picture.shape[1], height / picture.shape[0])
        rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        canvas = np.full((height, width, 3), 117, np.uint8)
        small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        canvas[: small.shape[0], : small.shape[1]] = small[:height, :width]
        raw = getattr(model, call)(canvas[None].astype(np.float32), **quiet)
        found = best_candidates(
            *(np.asarray(raw[key][0]) for key in ("face_logits", "box_deltas", "landmark_deltas")),
            anchors_for((height, width)),
            score_threshold=_SCORE,
        )
        kept = suppress(found.boxes_xyxy, found.scores, iou_threshold=0.4, max_kept=300)
        boxes = found.boxes_xyxy[kept] / np.float32(scale)
        classes = np.zeros(len(boxes), np.float32)
        if len(boxes):
            crops = stack_crops(crop_faces(ArrayPicture(rgb), boxes, config.geometry), config.geometry)
            answers = np.asarray(getattr(states, call)(crops.astype(np.float32), **quiet))
            classes = answers[:, :3].argmax(axis=1).astype(np.float32)
        return np.column_stack([boxes, found.scores[kept], classes]).astype(np.float32)

    return find


def _keras(options: argparse.Namespace, *, call: str = "predict_on_batch") -> Look:
    find = _keras_faces(options, call=call)
    return lambda picture: len(find(picture))


def _supervision(options: argparse.Namespace) -> Look:
    import supervision

    find, tracker = _keras_faces(options), supervision.ByteTrack()

    def look(picture: NDArray[np.uint8]) -> int:
        rows = find(picture)
        found = supervision.Detections(
            xyxy=rows[:, :4], confidence=rows[:, 4], class_id=rows[:, 5].astype(int)
        )
        tracker.update_with_detections(found)
        return len(rows)

    return look


def _aizoo(options: argparse.Namespace) -> Look:
    from models.pictures import ArrayPicture

    detector = aizoo.AizooDetector(options.peers / aizoo.FILE_NAME, score_threshold=_SCORE)
    return lambda picture: len(
        detector.detect([ArrayPicture(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))], (260, 260))[0]
    )


def _yunet(options: argparse.Namespace) -> Look:
    from models.letterbox import input_hw_for

    finder = cv2.FaceDetectorYN.create(
        str(options.peers / yunet.FILE_NAME), "", (320, 320), _SCORE, 0.3, 5000
    )

    def look(picture: NDArray[np.uint8]) -> int:
        height, width = input_hw_for((picture.shape[0], picture.shape[1]), options.input_size)
        finder.setInputSize((width, height))
        found = finder.detect(cv2.resize(picture, (width, height)))[1]
        return 0 if found is None else len(found)

    return look
