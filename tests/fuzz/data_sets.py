"""Labelled pictures: COCO, VIA, VOC and YOLO, and the truth of a recording."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import labelled_sets as sets
from fuzz.byte_mutation import damaged
from fuzz.structured_mutation import damaged_text
from fuzz.target import Case, Target

from models.data.readers import read_pictures
from streamer.replay.truth import read_truth

_TRUTH = {
    "duration_s": 30,
    "events": [
        {"gear": "hard_hat", "started_at_s": 1.5, "ended_at_s": 9, "box": [1, 2, 30, 40.5]},
        {"gear": "face_mask", "started_at_s": 3, "ended_at_s": 4},
    ],
}


class DataSets(Target):
    """Read whole by the reader that their looks ask for."""

    title = "data set files"
    cases = 10_000
    short = 120
    limit_s = 20.0
    most_mb = 512.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        #: By place below the folder: what lies there, and how it is read.
        self._seeds: dict[str, tuple[bytes, Callable[[Path], object]]] = {
            "coco/train.json": (json.dumps(sets.coco_document()).encode(), read_pictures),
            "via/via.json": (json.dumps(sets.via_document()).encode(), read_pictures),
            "voc/Annotations/a.xml": (sets.VOC.encode(), read_pictures),
            "yolo/data.yaml": (sets.YOLO_NAMES.encode(), read_pictures),
            "yolo/train/labels/a.txt": (
                sets.YOLO_LABELS.encode(),
                lambda _path: read_pictures(self._root / "yolo"),
            ),
            "truth/events.json": (json.dumps(_TRUTH).encode(), read_truth),
        }
        self._root = folder / "sets"
        shutil.rmtree(self._root, ignore_errors=True)
        sets.write_coco(self._root / "coco")
        sets.write_via(self._root / "via")
        sets.write_voc(self._root / "voc")
        sets.write_yolo(self._root / "yolo")
        (self._root / "truth").mkdir()

    def make(self, rng: Random) -> Case:
        number = rng.randrange(len(self._seeds))
        data, _ = list(self._seeds.values())[number]
        others = [other for other, _ in self._seeds.values()]
        mutate = rng.choice((damaged_text, damaged_text, damaged))
        return Case(mutate(data, rng, others=others), ".txt", number)

    def run(self, case: Case) -> bool:
        place = list(self._seeds)[case.options]
        seed, read = self._seeds[place]
        path = self._root / place
        path.write_bytes(case.data)
        try:
            read(path)
        finally:
            path.write_bytes(seed)
        return True
