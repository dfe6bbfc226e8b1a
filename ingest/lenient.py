"""JSON that others wrote: read fast where it is JSON, mended where it nearly is."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from tocsin.model import Reject

BOM = b"\xef\xbb\xbf"
_SURROGATE = re.compile(
    r"(?<!\\)((?:\\\\)*)\\u(?:[dD][89abAB][0-9a-fA-F]{2}(\\u[dD][c-fC-F][0-9a-fA-F]{2})?|[dD][c-fC-F][0-9a-fA-F]{2})"
)
_DEEP = ("depth limit", "recursion")


class Unreadable(Exception):
    """Text that is no JSON; carries the reason and the detail of a Reject."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason

    def reject(self) -> Reject:
        return Reject(reason=self.reason, detail=str(self))


def loads(data: bytes) -> Any:
    """The value of a JSON document. NaN, Infinity and numbers out of range come out as such floats,
    a byte order mark is skipped, invalid UTF-8 and lone surrogates become U+FFFD. Raises Unreadable."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if any(word in str(error).lower() for word in _DEEP):
            raise Unreadable("too_deep", "nested deeper than the parser goes") from None
        return _mended(data, error)


def _mended(data: bytes, error: orjson.JSONDecodeError) -> Any:
    try:
        return json.loads(mend(data), parse_int=_integer)
    except RecursionError:
        raise Unreadable("too_deep", "nested deeper than the parser goes") from None
    except ValueError:
        # orjson's message names a position and never quotes the input
        raise Unreadable("undecodable", f"not JSON: {error}"[:200]) from None


def mend(data: bytes) -> str:
    """The text of a document without byte order mark, invalid UTF-8 and escaped lone surrogates."""
    text = data.removeprefix(BOM).decode("utf-8", "replace")
    return _SURROGATE.sub(_whole, text) if "\\ud" in text or "\\uD" in text else text


def _whole(match: re.Match[str]) -> str:
    return match[0] if match[2] else match[1] + "\\ufffd"


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 40 else float(digits)  # int() refuses very long ones by itself
