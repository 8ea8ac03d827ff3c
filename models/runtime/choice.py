"""Which runtime is taken where, decided without loading one."""

import importlib.util
import os
from pathlib import Path
from typing import Final, Literal

from models.errors import DeviceError

Runtime = Literal["keras", "openvino"]
RuntimeChoice = Literal["auto", "keras", "openvino"]
Device = Literal["auto", "cpu", "gpu"]

#: Present where a driver of a GPU is: NVIDIA's, AMD's, and Windows' for its Linux.
_DRIVER_FILES: Final = ("/dev/nvidia0", "/proc/driver/nvidia/version", "/dev/kfd", "/dev/dxg")


def chosen_runtime(device: Device = "auto", asked: RuntimeChoice = "auto") -> Runtime:
    """The runtime for networks on ``device``; ``asked`` insists on one.

    Left to choose, it is Keras for a GPU (asked for, or found with ``auto``) and where ``KERAS_BACKEND`` names another
    backend than TensorFlow; OpenVINO on a CPU, where that is installed. Keras is loaded to tell only on a machine that
    has the driver of a GPU. Raises ``DeviceError`` when OpenVINO is asked for on a GPU, or is not installed.
    """
    if asked == "openvino":
        if device == "gpu":
            raise DeviceError(
                "OpenVINO runs networks on the CPU here: leave the runtime or the device to choose"
            )
        if not _is_installed():
            raise DeviceError("OpenVINO is not installed")
        return "openvino"
    if asked == "keras" or device == "gpu" or not _is_installed():
        return "keras"
    if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        return "keras"
    if device == "auto" and gpu_driver_is_there() and _keras_finds_a_gpu():
        return "keras"
    return "openvino"


def gpu_driver_is_there() -> bool:
    """Whether the machine has the driver of a GPU; whether a runtime can use it is another question."""
    return any(Path(file).exists() for file in _DRIVER_FILES)


def _keras_finds_a_gpu() -> bool:
    from models.keras_start import load_keras  # noqa: PLC0415 - takes seconds

    load_keras()
    from models.networks.compiled import resolved_device  # noqa: PLC0415

    return resolved_device("auto").startswith("gpu")


def _is_installed() -> bool:
    return importlib.util.find_spec("openvino") is not None
