"""``ppewatch run`` with models that fail on command: ``python -m faults.failing_models run SITE.yaml``.

All is the product's, but that the real detector is called through one that raises what numerical libraries raise. The
file that ``PPEWATCH_FAILING_MODELS`` names is the command, read at each call:

================  ======================================================================================
nothing           no call fails
``raise``         every call fails, as with a broken library
``raise WxH``     calls with a picture of this size fail
``device lost``   every call on another device than the CPU fails, and nothing can be loaded there any more
================  ======================================================================================

The graphics device, where the site wishes one, is the processor under its name.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models.detector import ModelSet, SelectiveDetector
from models.structures import Detections, Picture

VARIABLE = "PPEWATCH_FAILING_MODELS"


class FailingDetector:
    """The real detector ``inner`` on ``device``, unless the command says otherwise."""

    def __init__(self, inner: SelectiveDetector, device: str, command: Path) -> None:
        self._inner = inner
        self._device = device
        self._command = command
        self.runs_beside = False

    @property
    def digests(self) -> Mapping[str, str]:
        return self._inner.digests

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int]) -> None:
        self._fail([])
        self._inner.warm_up(input_hw, batch_sizes)

    def detect(
        self,
        pictures: Sequence[Picture],
        input_hw: tuple[int, int],
        models: Sequence[ModelSet] | None = None,
    ) -> list[Detections]:
        self._fail(pictures)
        return self._inner.detect(pictures, input_hw, models)

    def _fail(self, pictures: Sequence[Picture]) -> None:
        command = said_in(self._command)
        if command == "raise":
            raise RuntimeError("Exception from src/inference/src/cpp/infer_request.cpp:223: told to fail")
        if command == "device lost" and self._device != "cpu":
            raise RuntimeError("CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered")
        if size := re.fullmatch(r"raise (\d+)x(\d+)", command):
            width, height = map(int, size.groups())
            if any(picture.image_hw == (height, width) for picture in pictures):
                raise ValueError("told to fail on pictures of this size")


def said_in(command: Path) -> str:
    """The command that stands; nothing when there is no file."""
    try:
        return command.read_text().strip()
    except FileNotFoundError:
        return ""


def main() -> None:
    """Be ``ppewatch``."""
    from streamer import cli, detector_factory  # noqa: PLC0415 - ends as the command line does

    command = Path(os.environ[VARIABLE])
    load_detector = detector_factory.load_detector

    def load_failing(*, device: str, **options: Any) -> FailingDetector:
        if device != "cpu" and said_in(command) == "device lost":
            raise RuntimeError("CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected")
        return FailingDetector(load_detector(device="cpu", **options), device, command)

    detector_factory.load_detector = load_failing  # type: ignore[assignment]
    cli.run()


if __name__ == "__main__":
    main()
