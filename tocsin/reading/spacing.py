"""Words out of letters that were set apart, or run together: `i g n o r e`, `ignorealltherules`."""

from __future__ import annotations

import re
from collections.abc import Collection

_LONGEST = 18  # letters of a word
_RUN = 2048  # characters of one run that are put together
# A letter, one mark, a letter, one mark...; a wider gap is where a word ended.
SPACED = re.compile(r"(?:(?<=\s)|^|(?<=[^\w\s]))(?:[^\W_][ .\-_*|/,~]{1,3}){7,}[^\W_](?!\w)")
_WIDE = re.compile(r"[ .\-_*|/,~]{2,}")
_MARK = re.compile(r"[ .\-_*|/,~]")


def together(text: str, words: Collection[str]) -> str:
    """The text with each run of letters that stand apart made into words."""
    return SPACED.sub(lambda match: _joined(match[0][:_RUN], words), text)


def _joined(run: str, words: Collection[str]) -> str:
    parts = [_MARK.sub("", part) for part in _WIDE.split(run)]
    return " ".join(segment(part, words) if len(part) > 12 else part for part in parts)


def segment(run: str, words: Collection[str]) -> str:
    """A run of letters cut into known words, with as few letters left over as can be.

    Dynamic programming over the position: linear in the run, times the longest word.
    """
    text = run[:_RUN]
    lower = text.lower()
    if len(lower) != len(text):  # a letter whose lower case is two
        return run
    cost = [0.0] + [float("inf")] * len(lower)
    came = [0] * (len(lower) + 1)
    for end in range(1, len(lower) + 1):
        cost[end], came[end] = cost[end - 1] + 1.3, end - 1
        for start in range(max(0, end - _LONGEST), end):
            price = cost[start] + 0.6
            if price < cost[end] and lower[start:end] in words:
                cost[end], came[end] = price, start
    return _cut(text, came) + run[_RUN:]


def _cut(text: str, came: list[int]) -> str:
    pieces: list[str] = []
    end = len(text)
    while end:
        start = came[end]
        pieces.append(text[start:end])
        end = start
    return " ".join(reversed(pieces))
