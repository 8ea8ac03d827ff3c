"""Memory that is not used any more, back to the system. Nothing of it where the C library is not glibc."""

import ctypes
from typing import Final

#: Parameters of glibc's mallopt(3), from malloc.h.
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_LARGE_BYTES: Final = 1 << 20


def keep_no_large_blocks() -> None:
    """From now on have each block of 1 MB and more mapped for itself, so that it goes back when it is freed.

    Otherwise glibc raises that size to the largest block that was ever freed, up to 32 MB: pictures and tensors then
    come from heaps of each thread, in which small blocks between them hold them for good. Of a daemon with both models
    that held 60 MB in the first hour. The cost, fresh pages for each picture, is not to be seen beside a look.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_TRIM_THRESHOLD, 2 * _LARGE_BYTES)


def return_free_memory() -> None:
    """Have the C library hand back what it keeps for later.

    Compiling a Mask R-CNN leaves some 30 MB in its hands.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
