"""Loads OpenVINO without its telemetry, and without the converters that only an export needs.

Importing ``openvino`` imports its converters, and these tell a server of Google's that they were imported, unless a
file in the user's home forbids it. Without the package ``openvino_telemetry`` they put a stub in its place; so it is
kept from being found, here and by everybody who imports it later.
"""

import importlib
import sys
from functools import cache
from typing import Any, Final

_TELEMETRY: Final = "openvino_telemetry"
_CONVERTERS: Final = "openvino.tools.ovc"


@cache
def load_openvino() -> Any:
    """The module ``openvino``, able to run graphs."""
    sys.modules.setdefault(_TELEMETRY, None)  # type: ignore[arg-type] # how the import system knows what is not to be found
    hidden = "openvino" not in sys.modules and _CONVERTERS not in sys.modules
    if hidden:
        sys.modules[_CONVERTERS] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("openvino")
    finally:
        if hidden:
            del sys.modules[_CONVERTERS]


@cache
def load_converter() -> Any:
    """``openvino.convert_model``, which makes graphs of the functions of TensorFlow."""
    load_openvino()
    return importlib.import_module(_CONVERTERS).convert_model


@cache
def openvino_core() -> Any:
    """The process' ``openvino.Core``."""
    return load_openvino().Core()


def openvino_version() -> str:
    """The version of what makes and runs the graphs, to the build."""
    return str(load_openvino().get_version())


def limit_threads(threads: int) -> None:
    """Let the graphs of this process, of those compiled from now on, use so many threads at most."""
    openvino_core().set_property("CPU", {"INFERENCE_NUM_THREADS": threads})
