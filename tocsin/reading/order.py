"""Whether elements stand in the order and at the distances that a rule asks for.

The automaton tells where elements end. Where one begins is looked up only once its neighbour is near.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence

from tocsin.reading.notation import Gap
from tocsin.reading.notation import Sequence as Pattern

Span = tuple[int, int]
KEPT = 16  # matches of one pattern that are looked at
_LONGEST = 96  # bytes of an element
_LOOK_UP = 20  # places that one look-up counts as
# Where a sentence ends, in UTF-8: marks before a blank, empty lines, full stops of East Asia and India.
_BREAK = re.compile(rb"[.!?][\s\"')]|\n\s*\n|\xe3\x80\x82|\xef\xbc[\x81\x9f]|\xe0\xa5\xa4")


class Spent(Exception):
    """The text held more places than are looked at."""


class Budget:
    """Places that may be looked at for one text, over all rules and views."""

    def __init__(self, places: int) -> None:
        self._left = places

    def spend(self, places: int) -> None:
        """Raises Spent when there were too many."""
        self._left -= places
        if self._left < 0:
            raise Spent


class Places:
    """Where the elements of a view are."""

    def __init__(
        self, data: bytes, ends: Mapping[int, list[int]], elements: Sequence[str], budget: Budget
    ) -> None:
        self.data, self._ends, self._elements, self._budget = data, ends, elements, budget
        self._starts: dict[tuple[int, int], int] = {}

    def ends(self, number: int) -> Sequence[int]:
        """Ends of one element, growing."""
        found = self._ends.get(number, ())
        self._budget.spend(len(found))
        return found

    def start(self, number: int, end: int) -> int:
        """Where the element that ends there begins, as far left as it may."""
        key = (number, end)
        if key not in self._starts:
            self._budget.spend(_LOOK_UP)
            match = _anchored(self._elements[number]).search(self.data, max(0, end - _LONGEST), end)
            self._starts[key] = match.start() if match else end
        return self._starts[key]

    def in_order(self, pattern: Pattern, numbers: Sequence[int]) -> list[Span]:
        """Spans in which all elements follow one another."""
        reached: list[tuple[int, int]] = [(end, end) for end in self.ends(numbers[0])]  # first end, last end
        for gap, number in zip(pattern.gaps, numbers[1:], strict=True):
            reached = self._followed(reached, number, gap)
        return [(self.start(numbers[0], first), last) for first, last in reached[:KEPT]]

    def _followed(self, before: list[tuple[int, int]], number: int, gap: Gap) -> list[tuple[int, int]]:
        lasts = [last for _, last in before]
        found: list[tuple[int, int]] = []
        for end in self.ends(number) if before else ():
            at = bisect_left(lasts, end) - 1
            if at < 0 or end - lasts[at] > gap.widest + _LONGEST:
                continue
            start = self.start(number, end)
            at = bisect_left(lasts, start + 1) - 1
            if at < 0 or start - lasts[at] > gap.widest:
                continue
            if not (gap.sentence and _BREAK.search(self.data, lasts[at], start)):
                found.append((before[at][0], end))
        return found

    def together(self, numbers: Sequence[int], within: int) -> list[Span]:
        """Spans that hold every element, in any order, whose ends are at most `within` bytes apart."""
        wanted = set(numbers)
        merged = sorted((end, number) for number in wanted for end in self.ends(number))
        last: dict[int, int] = {}
        found: list[Span] = []
        for end, number in merged:
            last[number] = end
            if len(last) == len(wanted):
                first, which = min((end, number) for number, end in last.items())
                if end - first <= within:
                    found.append((self.start(which, first), end))
                    if len(found) == KEPT:
                        break
        return found


_COMPILED: dict[str, re.Pattern[bytes]] = {}


def _anchored(element: str) -> re.Pattern[bytes]:
    """The element, ending where the search ends; without the blank that has to follow it."""
    if element not in _COMPILED:
        _COMPILED[element] = re.compile(rb"(?:" + element.encode() + rb")\Z", re.DOTALL)
    return _COMPILED[element]
