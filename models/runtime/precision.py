"""How exactly OpenVINO counts, and what the processor makes of it."""

from functools import cache
from typing import Final, Literal, get_args

from models.runtime.openvino_start import openvino_core

Precision = Literal["f32", "bf16", "int8"]
PrecisionChoice = Literal["auto", "f32", "bf16", "int8"]

#: Of ``SessionOptions``.
PRECISIONS: Final[tuple[Precision, ...]] = get_args(Precision)


@cache
def processor_has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 itself; elsewhere OpenVINO imitates it, which takes longer."""
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def chosen_precision(asked: PrecisionChoice = "auto") -> Precision:
    """``asked``; left to choose, the fastest one that costs no average precision on this processor."""
    if asked != "auto":
        return asked
    return "bf16" if processor_has_bf16() else "f32"
