"""Characters that no reader sees, and characters that look like others: taken away, decoded, folded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple
from unicodedata import combining, is_normalized, normalize

from tocsin.reading.confusables import FOLD

# Format characters, fillers, bidi controls, variation selectors, tags.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e01ef]+"
)
_TAGS = re.compile("[\U000e0020-\U000e007e]{3,}")
_FLAG = "\U0001f3f4"  # tags that follow it spell a region: an emoji flag
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
_BITS = re.compile("[\u200b-\u200d\u2060\u2062-\u2064\ufeff]{24,}")
COMBINING = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
_FOLDED = frozenset(map(chr, FOLD))
_LIKE_OTHERS = _FOLDED | {chr(code) for code in (*range(0x1F150, 0x1F18A), *range(0x1F1E6, 0x1F200))}
_LOOKALIKE = "[" + "".join(map(chr, sorted(FOLD))) + "]"
_MIXED = re.compile(
    f"[A-Za-z]{_LOOKALIKE}|{_LOOKALIKE}[A-Za-z]|[\U0001f150-\U0001f189\U0001f1e6-\U0001f1ff]{{4}}"
)


_ASCII = re.compile("[\x00-\x7f]+")
_LETTER, _MARKED = re.compile("[A-Za-z]"), re.compile(f"[A-Za-z]{COMBINING.pattern}")
OVERLAID = 0.6  # of the letters bear marks; of Vietnamese, which has the most, two in five do
_JOINING = range(0x1100, 0x1200)  # Hangul that is put together from parts


@lru_cache(4096)
def _suspect(char: str) -> bool:
    """Whether a text with this character may read otherwise than it looks."""
    return bool(
        INVISIBLE.match(char)
        or char in _LIKE_OTHERS
        or combining(char)
        or COMBINING.match(char)
        or ord(char) in _JOINING
        or normalize("NFKC", char) != char
    )


def suspect(text: str) -> bool:
    """Whether any character of a text is hidden, joined to another or like another; most texts have none."""
    return any(map(_suspect, set(_beyond(text))))


def invisible(text: str) -> bool:
    """Whether any character of a text is one that nobody sees."""
    return bool(INVISIBLE.search(_beyond(text)))


def _beyond(text: str) -> str:
    """What is beyond ASCII, where a few characters are looked for in mostly plain text."""
    return "".join(_ASCII.split(text))


class Found(NamedTuple):
    """Text that was hidden in another, and where."""

    how: str
    text: str
    start: int
    end: int


def stripped(text: str) -> str:
    """Without what cannot be seen."""
    return INVISIBLE.sub("", text)


def folded(text: str) -> str:
    """As NFKC and the look-alikes of UTS 39 have it, without marks put over letters; unchanged text where
    nothing in it mixes scripts within a word."""
    form: Literal["NFKC", "NFKD"] = "NFKD" if overlaid(text) else "NFKC"
    plain = text if is_normalized(form, text) else normalize(form, text)
    if COMBINING.search(plain):
        plain = COMBINING.sub("", plain)
    return plain if _LIKE_OTHERS.isdisjoint(plain) or not _MIXED.search(plain) else plain.translate(FOLD)


def overlaid(text: str) -> bool:
    """Whether more of the letters bear marks than in any language."""
    if text.isascii():
        return False
    apart = normalize("NFD", text)
    marked = sum(1 for _ in _MARKED.finditer(apart))
    return marked > 7 and marked >= OVERLAID * sum(1 for _ in _LETTER.finditer(apart))


def smuggled(text: str) -> Iterator[Found]:
    """What is written in Unicode tags, in variation selectors, and in bits of zero-width characters."""
    for match in _TAGS.finditer(text):
        if text[match.start() - 1 : match.start()] != _FLAG:
            told = "".join(chr(ord(each) - 0xE0000) for each in match[0])
            yield Found("tags", told, *match.span())
    for match in _SELECTORS.finditer(text):
        told = bytes(_selected(each) for each in match[0]).decode("utf-8", "ignore")
        if len(told) >= 4:
            yield Found("selectors", told, *match.span())
    for match in _BITS.finditer(text):
        if told := _of_bits(match[0]):
            yield Found("zero_width_bits", told, *match.span())


def _selected(char: str) -> int:
    code = ord(char)
    return code - 0xFE00 if code < 0x10000 else code - 0xE0100 + 16


def _of_bits(run: str) -> str:
    """Two kinds of characters are the bits, in either meaning; a third one separates the bytes."""
    kinds = sorted(set(run), key=run.count, reverse=True)[:2]
    if len(kinds) < 2:
        return ""
    for zero, one in (kinds, kinds[::-1]):
        bits = "".join("0" if each == zero else "1" for each in run if each in (zero, one))
        told = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) - 7, 8))
        if told.isascii() and told.decode().isprintable():
            return told.decode()
    return ""
