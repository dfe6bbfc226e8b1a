"""Redaction: secrets and personal data out of text, each replaced by a mark that names its type.

One scan with Hyperscan tells which patterns occur at all; only those are then replaced, one after the
other, so text without any costs one scan. Where Hyperscan cannot be imported every pattern is tried.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache

from tocsin.reading.patterns import PATTERNS, Pattern

LONGEST = 1 << 20  # characters of one text; the rest is dropped, never passed through unread

Scan = Callable[[str], Sequence[int]]


class Redactor:
    """Takes out what PATTERNS describe. Linear in the text; never raises."""

    def __init__(self) -> None:
        self._scan, self._replace = _compiled()

    def redact(self, text: str) -> str:
        """The text with marks such as `[secret:aws_key]` where something was."""
        if len(text) > LONGEST:
            text = text[:LONGEST]
        for number in self._scan(text):
            text = self._replace[number](text)
        return text


@cache
def _compiled() -> tuple[Scan, Sequence[Callable[[str], str]]]:
    return _scanner(PATTERNS), [_replacement(pattern) for pattern in PATTERNS]


def _replacement(pattern: Pattern) -> Callable[[str], str]:
    flags = re.ASCII | (re.IGNORECASE if pattern.caseless else 0)
    compiled = re.compile(pattern.expression, flags)
    named = "value" in compiled.groupindex

    def mark(found: re.Match[str]) -> str:
        secret = found["value"] if named else found[0]
        if pattern.check is not None and not pattern.check(secret):
            return found[0]
        if not named:
            return pattern.mark
        start = found.start("value") - found.start()
        return found[0][:start] + pattern.mark + found[0][start + len(secret) :]

    return lambda text: compiled.sub(mark, text)


def _scanner(patterns: Sequence[Pattern]) -> Scan:
    try:
        import hyperscan
    except ImportError:
        everything = range(len(patterns))
        return lambda text: everything
    database = hyperscan.Database()
    flags = [
        hyperscan.HS_FLAG_SINGLEMATCH | (hyperscan.HS_FLAG_CASELESS if pattern.caseless else 0)
        for pattern in patterns
    ]
    expressions = [_bytes(pattern.trigger or pattern.expression) for pattern in patterns]
    database.compile(
        expressions=expressions, ids=list(range(len(patterns))), elements=len(patterns), flags=flags
    )
    scan = database.scan

    def found(text: str) -> Sequence[int]:
        numbers: list[int] = []

        def note(number: int, *place: object) -> None:
            numbers.append(number)

        scan(text.encode("utf-8", "surrogatepass"), match_event_handler=note)
        return sorted(numbers) if len(numbers) > 1 else numbers

    return found


def _bytes(expression: str) -> bytes:
    """Hyperscan reports no groups and takes no named ones."""
    return expression.replace("(?P<value>", "(?:").replace(r"\Z", r"\z").encode()
