"""Cleaning that no value survives badly: what leaves here, the engine accepts.

Each type has one cleaner over a whole column, and it is total: whatever Python value comes. The usual
case costs one pass in C; only a column that holds something odd is gone through by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

Values = list[Any]

LAST_SECOND = 2**32 - 1.0  # DateTime, and with it TTL and toDate, end in February 2106
MAP_ENTRIES = 256
TEXT_CHARACTERS = 1 << 20


def text(value: object) -> str:
    """The value as text that encodes: lone surrogates become U+FFFD, None the empty string."""
    string = value if isinstance(value, str) else "" if value is None else str(value)
    string = string[:TEXT_CHARACTERS]
    return string.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def whole(value: object, top: int) -> int | None:
    """The value as an integer in 0..top; None for anything else."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if not isinstance(value, (int, float)):
        return None
    number = int(value)
    return number if 0 <= number <= top else None


def real(value: object) -> float | None:
    """The value as a finite float; None for anything else."""
    try:
        number = float(value) if isinstance(value, (int, float)) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def seconds(value: object) -> float | None:
    """Epoch seconds that every date type can hold; out of range is moved to the nearest end."""
    number = real(value)
    return None if number is None else min(max(number, 0.0), LAST_SECOND)


def _texts(values: Values) -> Values:
    try:
        joined = "".join(values)
        joined.encode()
    except (TypeError, UnicodeEncodeError):
        return [text(value) for value in values]
    if len(joined) <= TEXT_CHARACTERS or max(map(len, values)) <= TEXT_CHARACTERS:
        return values
    return [text(value) for value in values]


def _counts(top: int) -> Callable[[Values], Values]:
    def clean(values: Values) -> Values:
        try:
            if min(values) >= 0 and max(values) <= top and type(sum(values)) is int:
                return values
        except TypeError:
            pass
        return [_clamped(value, top) for value in values]

    return clean


def _clamped(value: object, top: int) -> int:
    number = whole(value, 1 << 200)
    if number is None:
        return 0 if not isinstance(value, float) or value < math.inf else top
    return min(number, top)


def _optional_counts(top: int) -> Callable[[Values], Values]:
    def clean(values: Values) -> Values:
        present = [value for value in values if value is not None]
        try:
            if not present or (min(present) >= 0 and max(present) <= top and type(sum(present)) is int):
                return values
        except TypeError:
            pass
        return [whole(value, top) for value in values]

    return clean


def _optional_reals(values: Values) -> Values:
    present = [value for value in values if value is not None]
    try:
        if math.isfinite(math.fsum(present)):
            return values
    except (TypeError, OverflowError, ValueError):
        pass
    return [real(value) for value in values]


def _ticks(per_second: float) -> Callable[[Values], Values]:
    def clean(values: Values) -> Values:
        try:
            if min(values) >= 0.0 and max(values) <= LAST_SECOND:
                return [round(value * per_second) for value in values]
        except (TypeError, ValueError):
            pass
        return [round((seconds(value) or 0.0) * per_second) for value in values]

    return clean


def _optional_ticks(values: Values) -> Values:
    clean = [None if value is None else seconds(value) for value in values]
    return [None if value is None else round(value * 1e3) for value in clean]


def _lists(values: Values) -> Values:
    if not any(values):
        return values
    return [_texts(list(value)[:MAP_ENTRIES]) if isinstance(value, (list, tuple)) else [] for value in values]


def _maps(values: Values) -> Values:
    if not any(values):
        return values
    try:
        strings = "".join(chain.from_iterable(chain(value, value.values()) for value in values))
        strings.encode()
        if len(strings) <= TEXT_CHARACTERS and max(map(len, values)) <= MAP_ENTRIES:
            return values
    except (TypeError, AttributeError, UnicodeEncodeError):
        pass
    return [_map(value) for value in values]


def _map(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {}
    return {text(key): text(item) for key, item in list(value.items())[:MAP_ENTRIES]}


def _flags(values: Values) -> Values:
    return values  # written by their truth


def _severities(values: Values) -> Values:
    return [min(max(whole(value, 5) or 1, 1), 5) for value in values]


CLEAN: Mapping[str, Callable[[Values], Values]] = {
    "String": _texts,
    "LowCardinality(String)": _texts,
    "UInt32": _counts(2**32 - 1),
    "UInt64": _counts(2**64 - 1),
    "Nullable(UInt16)": _optional_counts(2**16 - 1),
    "Nullable(UInt32)": _optional_counts(2**32 - 1),
    "Nullable(Float64)": _optional_reals,
    "DateTime64(3, 'UTC')": _ticks(1e3),
    "DateTime64(6, 'UTC')": _ticks(1e6),
    "Nullable(DateTime64(3, 'UTC'))": _optional_ticks,
    "Bool": _flags,
    "Nullable(Bool)": _flags,
    "Array(String)": _lists,
    "Array(LowCardinality(String))": _lists,
    "Map(LowCardinality(String), String)": _maps,
    "Enum8('info' = 1, 'low' = 2, 'medium' = 3, 'high' = 4, 'critical' = 5)": _severities,
}
