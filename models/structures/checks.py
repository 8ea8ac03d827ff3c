"""Shape, type and range checks that the value types share when they are made."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def read_only_array(
    value: Any, *, name: str, dtype: type[np.generic], shape: tuple[int | None, ...]
) -> NDArray[Any]:
    """Return ``value`` as a read-only, C-ordered array of ``dtype``; ``None`` in ``shape`` matches any length.

    Raises ``ValueError`` that names the field when the shape differs or a float is not finite.
    """
    source = np.asarray(value)
    array = np.ascontiguousarray(source, dtype=dtype)
    if array.ndim != len(shape) or any(
        wanted is not None and wanted != got for wanted, got in zip(shape, array.shape, strict=True)
    ):
        wanted_text = "(" + ", ".join("*" if n is None else str(n) for n in shape) + ")"
        raise ValueError(f"{name}: expected shape {wanted_text}, got {array.shape}")
    if np.issubdtype(dtype, np.floating) and not np.isfinite(array).all():
        raise ValueError(f"{name}: holds values that are not finite")
    if array is source or array.base is not None:
        array = array.copy() if array.flags.writeable else array
    array.setflags(write=False)
    return array
