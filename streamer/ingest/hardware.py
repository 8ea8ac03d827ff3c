"""Which codecs this machine's graphics devices decode: each device is asked once in a process, by a child of it."""

import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Final, Literal

import av.codec.hwaccel

from streamer.ingest.device_decoding import Device

_log = logging.getLogger(__name__)

HardwareChoice = Literal["auto", "off", "cuda", "vaapi"]

#: In the order in which ``auto`` tries them, with the files that are there when a driver is.
_DEVICE_FILES: Final[Mapping[Device, tuple[str, ...]]] = {
    "cuda": ("dev/nvidia[0-9]*", "dev/dxg"),
    "vaapi": ("dev/dri/renderD*",),
}

#: What cameras send that is worth a device. MJPEG and others stay in software.
_CODECS: Final = ("h264", "hevc")

#: A camera waits for it before it connects.
_EXAMINATION_TIMEOUT_S: Final = 8.0


class Hardware:
    """Finds the devices once and keeps what was found. Any thread may ask.

    ``root``: where the device files are looked for.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._lock = Lock()
        self._codecs: dict[Device, frozenset[str]] = {}
        self._told: set[Device] = set()

    def devices(self, choice: HardwareChoice) -> dict[str, Device]:
        """The device that decodes each codec (libav's name), of those that ``choice`` allows and that have shown that
        they can. A codec that is not there is for software.

        The first call for a device that there is takes seconds.
        """
        chosen: dict[str, Device] = {}
        with self._lock:
            for device in _DEVICE_FILES:
                if choice in ("auto", device):
                    for codec in self._proven(device, insisted=choice == device):
                        chosen.setdefault(codec, device)
        return chosen

    def _proven(self, device: Device, *, insisted: bool) -> frozenset[str]:
        if device not in self._codecs:
            self._codecs[device] = self._examined(device)
        if insisted and not self._codecs[device] and device not in self._told:
            self._told.add(device)
            _log.warning("%s is asked for and decodes nothing here: cameras are decoded in software", device)
        return self._codecs[device]

    def _examined(self, device: Device) -> frozenset[str]:
        if not any(next(self._root.glob(pattern), None) for pattern in _DEVICE_FILES[device]):
            return frozenset()
        if device not in av.codec.hwaccel.hwdevices_available():
            _log.info("hardware decoding: this build of libav has no %s", device)
            return frozenset()
        problems = examine(device, _CODECS)
        for codec, problem in problems.items():
            _log.info("hardware decoding: %s on %s: %s", codec, device, problem or "right, and used")
        return frozenset(codec for codec, problem in problems.items() if problem is None)


#: What this process found.
HARDWARE: Final = Hardware()


def examine(device: Device, codecs: tuple[str, ...]) -> dict[str, str | None]:
    """What is wrong with each codec on ``device``, in words; None: it decodes as software does.

    Asked in a process of its own, for drivers crash and hang.
    """
    command = [sys.executable, "-m", "streamer.ingest.device_examination", device, *codecs]
    try:
        done = subprocess.run(
            command,
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_EXAMINATION_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return dict.fromkeys(codecs, f"no answer within {_EXAMINATION_TIMEOUT_S:g} s")
    except OSError as error:
        return dict.fromkeys(codecs, f"cannot be examined: {error.strerror}")
    ended = f"the examination ended with {done.returncode}"
    problems: dict[str, str | None] = dict.fromkeys(codecs, ended)
    for line in done.stdout.splitlines():
        try:
            answer = json.loads(line)
            problems[str(answer["codec"])] = answer["problem"]
        except (ValueError, LookupError, TypeError):
            continue  # what a driver prints
    return {codec: problems[codec] for codec in codecs}
