"""What the C library keeps of memory that was given back. Elsewhere than on glibc nothing is done here."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Of mallopt(3)."""
_ARENAS = 2
_LARGE = 256 * 1024


def spare_memory() -> None:
    """Call once at the start: few arenas, and large blocks go back to the system when they are freed.

    Left alone, glibc gives each thread an arena, and raises what it holds to be large with every large block
    that is freed: after some documents of megabytes a process keeps a hundred megabytes that nobody uses.
    """
    for option, value in ((_ARENA_MAX, _ARENAS), (_MMAP_THRESHOLD, _LARGE), (_TRIM_THRESHOLD, _LARGE)):
        _of_libc("mallopt")(option, value)


def trim_memory() -> None:
    """Give back what lies free between what is used: a millisecond's work or some, for after large work."""
    _of_libc("malloc_trim")(0)


@cache
def _of_libc(name: str) -> Callable[..., Any]:
    with contextlib.suppress(OSError, AttributeError):
        function: Callable[..., Any] = getattr(ctypes.CDLL(None), name)
        return function
    return lambda *_: None
