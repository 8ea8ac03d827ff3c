"""What people would write or install instead, on the same clip, cores and picture size.

Run ``python benchmarks/compare_loops.py CLIP --peers FOLDER``. Each contender is a process of its own that takes every
frame of the clip once, one after the other, as fast as it can: reads it, finds faces and says of each whether a mask is
worn. Contenders:

- ``ppewatch``: what the daemon runs for a camera: reader, both networks, rules, tracks.
- ``keras``: ``cv2.VideoCapture``, the same RetinaFace and classifier in Keras, ``predict_on_batch`` a frame.
- ``supervision``: the same loop with supervision's ByteTrack behind it.
- ``aizoo``: ``cv2.VideoCapture`` and AIZOOTech's network of 260 x 260 pixels in LiteRT.
- ``yunet``: ``cv2.VideoCapture`` and OpenCV's YuNet, which tells no masks.

Figures a core: frames by seconds of processor time. The order of the runs turns from repetition to repetition, and
ratios are those of medians.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
from numpy.typing import NDArray

CONTENDERS: Final = ("ppewatch", "keras", "supervision", "aizoo", "yunet")
_SCORE: Final = 0.5

#: Takes a BGR picture; how many faces it saw.
Look = Callable[[NDArray[np.uint8]], int]


def main() -> int:
    """Run every contender in a process of its own and print a table; with ``--one`` be that process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument(
        "--peers", type=Path, help="folder of published detectors; without it they are left out"
    )
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument(
        "--input-size", type=int, default=1280, metavar="PX", help="longest side, for all that scale"
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=CONTENDERS)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(_measured(options.one, options)))
        return 0
    names = [name for name in options.only if options.peers or name not in ("aizoo", "yunet")]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for repeat in range(options.repeats):
        for name in names[repeat % len(names) :] + names[: repeat % len(names)]:
            runs[name].append(_run_apart(name))
            print(f"{name}: {runs[name][-1]}", file=sys.stderr, flush=True)
    medians = {
        name: {key: statistics.median(one[key] for one in many) for key in many[0]}
        for name, many in runs.items()
    }
    print(_table(medians))
    if options.json:
        options.json.write_text(
            json.dumps({"clip": options.clip.name, "runs": runs, "medians": medians}, indent=2)
        )
    return 0


def _run_apart(name: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, *sys.argv, "--one", name],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def _measured(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Frames by wall clock and by processor time once everything is loaded and has run once."""
    begun = time.perf_counter()
    looks = _ppewatch(options) if name == "ppewatch" else _loop(name, options)
    next(looks)
    ready_s, wall, cpu = time.perf_counter() - begun, time.perf_counter(), time.process_time()
    faces = [next(looks) for _ in range(options.frames)]
    wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "ready_s": round(ready_s, 2),
        "fps": round(options.frames / wall_s, 2),
        "frames_per_core_second": round(options.frames / cpu_s, 2),
        "faces_per_frame": round(sum(faces) / options.frames, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _table(medians: dict[str, dict[str, float]]) -> str:
    lines = [
        f"{'':<12} {'ready s':>8} {'frames/s':>9} {'per core':>9} {'ratio':>6} {'faces/frame':>12} {'peak MB':>8}"
    ]
    ours = medians.get("ppewatch", {}).get("frames_per_core_second", float("nan"))
    for name, one in medians.items():
        ratio = ours / one["frames_per_core_second"]
        lines.append(
            f"{name:<12} {one['ready_s']:>8} {one['fps']:>9} {one['frames_per_core_second']:>9} {ratio:>6.2f} "
            f"{one['faces_per_frame']:>12} {one['peak_mb']:>8}"
        )
    return "\n".join(
        [*lines, "per core: frames by second of processor time; ratio: ppewatch's by the contender's"]
    )


def _ppewatch(options: argparse.Namespace) -> Iterator[int]:
    """One camera of the daemon without its threads: every frame through reader, models and rules."""
    from models.letterbox import input_hw_for
    from models.structures import Gear
    from rules import CameraEngine, Rule
    from streamer.detector_loading import load_detector
    from streamer.ingest.connection import NoSink, read_frames
    from streamer.ingest.session import Session
    from streamer.ingest.source import Source

    detector = load_detector(models=["retinaface"])
    engine = CameraEngine("bench", zones=[], rules=[Rule("masks", (Gear.FACE_MASK,))], timezone="UTC")
    source = Source(str(options.clip.absolute()), paced=False, loop=True, start_epoch_s=0.0)
    for frame in read_frames(source, Session(camera_id="bench", sink=NoSink())):
        input_hw = input_hw_for(frame.image_hw, options.input_size)
        (seen,) = detector.detect([frame], input_hw)
        engine.observe(seen, frame.captured_at)
        yield int((seen.scores >= _SCORE).sum())


def _loop(name: str, options: argparse.Namespace) -> Iterator[int]:
    """The loop of every tutorial: read, look, count; from the beginning again at the end."""
    look = {"keras": _keras, "supervision": _supervision, "aizoo": _aizoo, "yunet": _yunet}[name](options)
    while True:
        capture = cv2.VideoCapture(str(options.clip))
        while True:
            there, picture = capture.read()
            if not there:
                break
            yield look(np.asarray(picture, np.uint8))
        capture.release()


def _keras_faces(options: argparse.Namespace) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Faces of a BGR picture as rows of x1, y1, x2, y2, score, class, by ``predict_on_batch`` of both networks."""
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

    def find(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        height, width = input_hw_for((picture.shape[0], picture.shape[1]), options.input_size)
        scale = min(width / picture.shape[1], height / picture.shape[0])
        rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        canvas = np.full((height, width, 3), 117, np.uint8)
        small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        canvas[: small.shape[0], : small.shape[1]] = small[:height, :width]
        raw = model.predict_on_batch(canvas[None].astype(np.float32))
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
            answers = np.asarray(states.predict_on_batch(crops.astype(np.float32)))
            classes = answers[:, :3].argmax(axis=1).astype(np.float32)
        return np.column_stack([boxes, found.scores[kept], classes]).astype(np.float32)

    return find


def _keras(options: argparse.Namespace) -> Look:
    find = _keras_faces(options)
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
    from models.evaluation.peers.aizoo import FILE_NAME, AizooDetector
    from models.pictures import ArrayPicture

    detector = AizooDetector(options.peers / FILE_NAME, score_threshold=_SCORE)
    return lambda picture: len(
        detector.detect([ArrayPicture(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))], (260, 260))[0]
    )


def _yunet(options: argparse.Namespace) -> Look:
    from models.evaluation.peers.yunet import FILE_NAME
    from models.letterbox import input_hw_for

    finder = cv2.FaceDetectorYN.create(str(options.peers / FILE_NAME), "", (320, 320), _SCORE, 0.3, 5000)

    def look(picture: NDArray[np.uint8]) -> int:
        height, width = input_hw_for((picture.shape[0], picture.shape[1]), options.input_size)
        finder.setInputSize((width, height))
        found = finder.detect(cv2.resize(picture, (width, height)))[1]
        return 0 if found is None else len(found)

    return look


if __name__ == "__main__":
    sys.exit(main())
