"""Words out of letters that were set apart, or run together: `i g n o r e`, `ignorealltherules`."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import Any

_Tree = dict[str, Any]  # by letter, what may follow
_END, _LEAF = "", _Tree()  # a word ends here; nothing follows
_RUN = 2048  # characters of one run that are put together
# A letter, a gap, a letter, a gap...
_APART = r"(?:(?<=\s)|^|(?<=[^\w\s]))(?:[^\W_][ .\-_*|/,~]{1,3}){%d,}[^\W_](?!\w)"
_LONG, _ANY = re.compile(_APART % 7), re.compile(_APART % 2)
_GAP = re.compile(r"[ .\-_*|/,~]+")
_EVERY_SECOND = re.compile(r"(?<!\S)\S(?: [\s\S]){8,}(?!\S)")  # is a blank, whatever the others are


def together(text: str, words: frozenset[str]) -> str:
    """The text with runs of letters that stand apart made into words; short ones beside a long one."""
    long = _LONG.search(text)
    text = _EVERY_SECOND.sub(_closed, text)
    return _ANY.sub(lambda match: _joined(match[0][:_RUN], words), text) if long else text


def _closed(match: re.Match[str]) -> str:
    """Without the blanks that were put between all characters, punctuation and blanks among them."""
    told = match[0][::2]
    return told if "   " in match[0] and 2 * sum(map(str.isalpha, told)) > len(told) else match[0]


def _joined(run: str, words: frozenset[str]) -> str:
    """Words end where the gap is another than the usual one, of which there is none between words then."""
    gaps = _GAP.findall(run)
    usual = Counter(gaps).most_common(1)[0][0]
    parts, word = [], run[0]
    for gap, letter in zip(gaps, _GAP.split(run)[1:], strict=True):
        if gap != usual:
            parts.append(word)
            word = ""
        word += letter
    return " ".join(segment(part, words) if len(part) > 12 else part for part in (*parts, word))


def segment(run: str, words: frozenset[str]) -> str:
    """A run of letters cut into known words, with as few letters left over as can be.

    Dynamic programming over the position, with a prefix tree of the words: linear in the run.
    """
    text = run[:_RUN]
    lower = text.lower()
    if len(lower) != len(text):  # a letter whose lower case is two
        return run
    tree = _tree(words)
    cost = [0.0] + [float("inf")] * len(lower)
    came = [0] * (len(lower) + 1)
    for start in range(len(lower)):
        if cost[start] + 1.3 < cost[start + 1]:
            cost[start + 1], came[start + 1] = cost[start] + 1.3, start
        price, node, end = cost[start] + 0.6, tree, start
        while end < len(lower) and (node := node.get(lower[end], _LEAF)):
            end += 1
            if _END in node and price < cost[end]:
                cost[end], came[end] = price, start
    return _cut(text, came) + run[_RUN:]


@lru_cache(4)
def _tree(words: frozenset[str]) -> _Tree:
    root: _Tree = {}
    for word in words:
        node = root
        for letter in word:
            node = node.setdefault(letter, {})
        node[_END] = _LEAF
    return root


def _cut(text: str, came: list[int]) -> str:
    pieces: list[str] = []
    end = len(text)
    while end:
        start = came[end]
        pieces.append(text[start:end])
        end = start
    return " ".join(reversed(pieces))
