"""Compiles the kernel where numba is installed; without it the same functions run as plain Python, slowly."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
AVAILABLE = find_spec("numba") is not None  # the extra `fast`


def compiled(function: F) -> F:
    """`function` as machine code, kept between runs; itself where there is no compiler."""
    if not AVAILABLE:
        return function
    import numba

    made: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return made  # type: ignore[no-any-return]
