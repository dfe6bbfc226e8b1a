"""Loops over bytes and words, compiled to machine code; kept between runs where the disk allows it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import CellType, FunctionType
from typing import Any, TypeVar, cast

from numba import njit

# Where compiled functions are, and what they take as constants.
SOURCES = (
    *("compiled", "features", "fingerprints", "garble", "hashed", "language", "literals"),
    *("matcher", "order", "program", "scorer", "screen"),
)
Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """The same function, compiled at its first call. Integers only: no rounding that differs by machine."""
    return cast(Function, njit(cache=True, nogil=True)(_keyed(function)))


def _keyed(function: Any) -> Any:
    """The function with a digest of SOURCES as a variable: what numba keeps is known by the function's own
    file and variables alone, and holds the code of all that it calls."""
    code = function.__code__.replace(co_freevars=("sources",))
    made = FunctionType(code, function.__globals__, function.__name__, None, (CellType(_sources()),))
    made.__module__, made.__qualname__ = function.__module__, function.__qualname__
    return made


@cache
def _sources() -> str:
    total = sha256()
    for name in SOURCES:
        total.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return total.hexdigest()
