"""``ppewatch run SITE.yaml`` with places at which its threads can be made to hang or to end.

    python sticking_daemon.py SITE.yaml FOLDER GUARD_S STOP_S

A file ``FOLDER/PLACE.HOW`` makes the next thread that comes by ``PLACE`` take it away and then do as ``HOW`` says:
``hang`` in native code for good, ``hold`` the interpreter's lock for good, or ``end``. The detector sees one face and
costs nothing; everything else is the daemon's own.
"""

import ctypes
import sys
from functools import wraps
from pathlib import Path

from models.structures import Category, Detections
from streamer import cli, detector_factory
from streamer.alerts.delivery import AlertDelivery
from streamer.alerts.publisher import Publisher
from streamer.commands import run
from streamer.ingest.camera import CameraIngest
from streamer.judging.camera_judge import CameraJudge
from streamer.process_end import run_to_the_end
from streamer.service import last_guard
from streamer.service.signals import SignalRequests
from streamer.service.supervisor import Supervisor
from streamer.status.announcer import StatusAnnouncer
from streamer.web.access import AccessControl
from streamer.web.server import _BeatingServer


class SeesOne:
    """Sees the same bare face in every picture."""

    @property
    def digests(self):
        return {"retinaface": "sha256:0"}

    def warm_up(self, input_hw, batch_sizes):
        pass

    def detect(self, pictures, input_hw, models=None):
        return [
            Detections(
                image_hw=picture.image_hw,
                boxes_xyxy=[[200, 100, 280, 200]],
                scores=[0.99],
                class_ids=[Category.FACE_WITHOUT_MASK],
                input_scale=1.0,
                landmarks_xy=[[[225, 135], [255, 135], [240, 155], [228, 175], [252, 175]]],
                face_mask_probs=[[0.02, 0.97, 0.01]],
                sharpness=[1.0],
            )
            for picture in pictures
        ]


PLACES = {
    "camera": (CameraIngest, "_follow"),
    "inference": (SeesOne, "detect"),
    "rules": (CameraJudge, "look"),
    "mqtt": (AlertDelivery, "record"),
    "status": (StatusAnnouncer, "_announce_compliance"),
    "web": (AccessControl, "__call__"),
    "web loop": (_BeatingServer, "on_tick"),
    "main": (SignalRequests, "wait"),
    "supervisor": (Supervisor, "look"),
    "stop": (Publisher, "stop"),
}


def taken(file: Path) -> bool:
    try:
        file.unlink()
    except FileNotFoundError:
        return False
    return True


def stick(folder: Path, place: str) -> None:
    if taken(folder / f"{place}.hang"):
        while True:
            ctypes.CDLL(None).pause()
    if taken(folder / f"{place}.hold"):
        while True:
            ctypes.PyDLL(None).pause()
    if taken(folder / f"{place}.end"):
        sys.exit()


def make_sticky(folder: Path) -> None:
    for place, (kind, name) in PLACES.items():
        method = getattr(kind, name)

        def sticky(*arguments, _place=place, _method=method, **named):
            stick(folder, _place)
            return _method(*arguments, **named)

        setattr(kind, name, wraps(method)(sticky))


def main() -> int:
    site, folder, guard_s, stop_s = sys.argv[1:]
    make_sticky(Path(folder))
    detector_factory.load_detector = lambda **_: SeesOne()
    last_guard.GUARD_S = float(guard_s)
    run._STOP_S = float(stop_s)
    return cli.main(["run", site])


if __name__ == "__main__":
    run_to_the_end(main)
