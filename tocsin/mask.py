"""Masking: the shape of a record that nobody could read, without its words and numbers.

No pattern finds an identity in bytes of unknown form, so where identities must not be stored a sample keeps
its punctuation, the names of its fields and the marks of the redaction, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.reading.patterns import PATTERNS

_MARKS = "|".join(sorted({re.escape(pattern.mark) for pattern in PATTERNS}))
_KEPT = re.compile(
    rf'\[(?:{_MARKS})\]|\\{{0,3}}"[A-Za-z_][A-Za-z_.-]{{0,40}}\\{{0,3}}"(?=\s{{0,4}}:)|\b(?:true|false|null)\b'
)
_DIGIT, _LETTER = re.compile(r"\d"), re.compile(r"[^\W\d_]")


def mask(text: str) -> str:
    """Letters become x and digits 0, but for field names, marks and the words of JSON."""
    return "".join(_parts(text))


def _parts(text: str) -> Iterator[str]:
    at = 0
    for kept in _KEPT.finditer(text):
        yield _masked(text[at : kept.start()])
        yield kept[0]
        at = kept.end()
    yield _masked(text[at:])


def _masked(text: str) -> str:
    return _LETTER.sub("x", _DIGIT.sub("0", text)) if text else ""
