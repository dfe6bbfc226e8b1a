"""Attribute values as what a field wants them to be; None: impossible."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ingest.messages import as_text, structure

IDENTIFIER = 4096  # characters kept of a name or an id
COUNT = 1 << 53  # above it a count is no count
NUMBER = 1e15


def text(value: Any) -> str:
    """Text of any value, at most IDENTIFIER long; text that was JSON-encoded once more is decoded."""
    if isinstance(value, bool):
        return "true" if value else "false"
    words = as_text(value)
    if words[:1] == '"' and words[-1:] == '"':
        inner = structure(words)
        words = inner if isinstance(inner, str) else words
    return words if len(words) <= IDENTIFIER else words[:IDENTIFIER]


def count(value: Any) -> int | None:
    """A number of things."""
    if type(value) is str:
        if len(value) <= 16 and value.isdecimal() and value.isascii():
            return int(value)
        value = _parsed(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value < COUNT or value != int(value):
        return None
    return int(value)


def number(value: Any) -> float | None:
    """A number that is not negative."""
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < NUMBER:
        return None
    return float(value)


def score(value: Any) -> float | None:
    """A number, which may be negative."""
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -NUMBER < value < NUMBER:
        return None
    return float(value)


def flag(value: Any) -> bool | None:
    """Yes or no."""
    if isinstance(value, bool):
        return value
    word = str(value).strip(' "').lower() if isinstance(value, str | int) else ""
    if word in ("true", "1", "yes"):
        return True
    return False if word in ("false", "0", "no") else None


def _parsed(value: str) -> float | int | None:
    value = value.strip('"')  # text that was JSON-encoded once more
    try:
        found = float(value) if len(value) <= 64 else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None


READINGS: Mapping[str, Callable[[Any], Any] | None] = {
    "text": text,
    "count": count,
    "number": number,
    "score": score,
    "flag": flag,
    "seconds": number,
    "value": None,
}
