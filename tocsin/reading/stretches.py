"""Where long runs of some characters begin, without trying an expression at every place."""

from __future__ import annotations

import re
from collections.abc import Iterator

_IN, _OUT = b"x", b" "


class Stretches:
    """Runs of at least so many ASCII characters, which nothing interrupts."""

    def __init__(self, characters: str, least: int) -> None:
        self._kinds = bytes(_IN[0] if chr(code) in characters else _OUT[0] for code in range(256))
        self._least = _IN * least

    def matches(self, expression: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
        """As `expression.finditer`, of one that matches where a run begins and nowhere else."""
        kinds = text.encode("ascii", "replace").translate(self._kinds)
        at = kinds.find(self._least)
        while at >= 0:
            match = expression.match(text, at)
            if match:
                yield match
                at = match.end()
            if kinds[at - 1 : at + 1] == _IN + _IN or not match:
                at = kinds.find(_OUT, at)
            at = kinds.find(self._least, at) if at >= 0 else at
