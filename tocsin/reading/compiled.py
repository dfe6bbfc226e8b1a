"""Loops over bytes and words, compiled to machine code; kept between runs where the disk allows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """The same function, compiled at its first call. Integers only: no rounding that differs by machine."""
    return cast(Function, njit(cache=True, nogil=True)(function))
