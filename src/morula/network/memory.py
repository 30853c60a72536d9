"""Memory of tensors on the CPU: the process keeps what it freed, instead of asking the system for each tensor anew.

The C library of Linux hands large pieces back to the system at once and gets new ones filled with zeros, page by page.
That took half the CPU time of a prediction (design/0027). Kept memory is used again.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # numbers of the settings in malloc.h
_LARGEST = 2**31 - 1


@cache
def keep_freed_memory() -> bool:
    """Tell the C library to keep freed memory up to 2 GiB, for all threads; false where it cannot be told."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # not in every C library
    if mallopt is None:
        return False
    settings = ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, _LARGEST), (_TRIM_THRESHOLD, _LARGEST))
    return all(int(mallopt(setting, value)) == 1 for setting, value in settings)
