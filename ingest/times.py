"""Points in time as they are written: seconds, milli-, micro- or nanoseconds, .NET ticks, RFC 3339."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

LATEST = 4_294_967_296.0  # 2106-02-07, the end of an unsigned 32-bit clock

# From which magnitude on a number is in which unit: (below, units a second).
_UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (6.2e17, 1e9))
_TICKS = 621_355_968_000_000_000  # .NET ticks (100 ns) at 1970
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,18}))?)?\s?(Z|z|UTC|[+-]\d\d:?\d\d)?"
)


def epoch(value: object) -> float | None:
    """Epoch seconds of a time in any of the spellings; None where it is none between 1970 and 2106."""
    if isinstance(value, str):
        return _text(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return _number(value)


def _number(value: int | float) -> float | None:
    if not 0 < value < 1e20:  # also refuses NaN
        return None
    if 6.2e17 <= value < 6.7e17:
        seconds = (value - _TICKS) / 1e7
    else:
        seconds = value / next((units for below, units in _UNITS if value < below), 1e9)
    return seconds if 0 < seconds < LATEST else None


def _text(value: str) -> float | None:
    if len(value) > 64:
        return None
    match = _ISO.fullmatch(value)
    if match:
        return _iso(match)
    try:
        number = int(value) if value.isdecimal() and value.isascii() else float(value)
    except ValueError:
        return None
    return _number(number) if math.isfinite(number) else None


def _iso(match: re.Match[str]) -> float | None:
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour), int(minute), min(int(second or 0), 59), tzinfo=UTC
        )
    except ValueError:
        return None
    seconds = moment.timestamp() + float(f"0.{fraction or 0}") + (second == "60") - _offset(zone)
    return seconds if 0 < seconds < LATEST else None


def _offset(zone: str | None) -> int:
    """Seconds east of UTC; without a zone it is UTC."""
    if not zone or zone in ("Z", "z", "UTC"):
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return -minutes * 60 if zone[0] == "-" else minutes * 60
