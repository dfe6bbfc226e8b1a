"""Whether elements stand in the order and at the distances that a rule asks for.

One element of a pattern was seen near some places. Only where it really is are the others looked for, to its
right and to its left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tocsin.reading.matcher import Expression, Span
from tocsin.reading.notation import END
from tocsin.reading.notation import Sequence as Pattern

KEPT = 16  # matches of one pattern that are looked at
LONGEST = 96  # bytes of an element, where it is not the first that was seen
REACH = 1024  # bytes of any element
_LOOK_UP = 20  # places that one look-up counts as
FEW = 24  # places that are tried one by one
_SHORTER = 3  # ends of one element, from one beginning
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


def expression(element: str) -> str:
    """The element, without the blank that has to follow it."""
    bare = element.removesuffix(END)
    return f"{bare}(?={END})" if bare != element else bare


class Search:
    """Looks for patterns in one view of a text."""

    def __init__(self, data: bytes, budget: Budget) -> None:
        self._bytes, self._data, self._budget = data, np.frombuffer(data, np.uint8), budget

    def in_order(
        self, pattern: Pattern, elements: Sequence[Expression], seen: int, near: Iterable[Span]
    ) -> Iterator[Span]:
        """Spans in which all elements follow one another; the one that was seen begins near those places."""
        for start, end in self._ways(elements[seen], near):
            first = next(self._before(pattern, elements, seen - 1, start), -1)
            if first < 0:
                continue
            last = next(self._after(pattern, elements, seen, start, end), -1)
            if last >= 0:
                yield first, last

    def together(
        self, elements: Sequence[Expression], within: int, seen: int, near: Iterable[Span]
    ) -> Iterator[Span]:
        """Spans that hold every element, in any order, whose ends are at most `within` bytes apart."""
        for start, end in self._ways(elements[seen], near):
            places = [(end, seen, start)]
            for number, element in enumerate(elements):
                window = max(0, end - within - LONGEST), end + within
                if number != seen:
                    places += [(last, number, first) for first, last in self._within(element, *window)]
            yield from _joined(sorted(places), len(elements), within)

    def _ways(self, element: Expression, near: Iterable[Span]) -> Iterator[Span]:
        done = 0
        for low, high in sorted(near):
            for found in self._within(element, max(done, low), high):
                yield found
                done = found[0] + 1
            done = max(done, high)

    def _within(self, element: Expression, low: int, high: int, end: int = 0) -> Iterator[Span]:
        """Where the element begins, in those places, and ends before the end."""
        end = end or high + REACH
        few = high - low < FEW
        if few:
            self._budget.spend(max(0, high - low + 1))
        else:
            end = min(end, high + LONGEST)
        while low <= high:
            if not few:
                self._budget.spend(_LOOK_UP)
            found = element.search(self._data, low, high, end)
            if found is None:
                return
            low = found[0] + 1
            yield found

    def _before(
        self, pattern: Pattern, elements: Sequence[Expression], number: int, start: int
    ) -> Iterator[int]:
        """Where the first element begins, if this one and all before it stand before that place."""
        if number < 0:
            yield start
            return
        gap = pattern.gaps[number]
        low = max(0, start - gap.widest - LONGEST)
        for first, last in self._within(elements[number], low, start - 1, start + 1):
            if 0 <= start - last <= gap.widest and self._joined(gap.sentence, last, start):
                yield from self._before(pattern, elements, number - 1, first)

    def _after(
        self, pattern: Pattern, elements: Sequence[Expression], number: int, start: int, end: int
    ) -> Iterator[int]:
        """Where the last element ends, if all after this one stand behind it."""
        if number == len(elements) - 1:
            yield end
            return
        gap = pattern.gaps[number]
        for until in self._ends(elements[number], start, end):
            for first, last in self._within(elements[number + 1], until, until + gap.widest):
                if self._joined(gap.sentence, until, first):
                    yield from self._after(pattern, elements, number + 1, first, last)

    def _joined(self, sentence: bool, left: int, right: int) -> bool:
        return not (sentence and _BREAK.search(self._bytes, left, right))

    def _ends(self, element: Expression, start: int, end: int) -> Iterator[int]:
        """Ends of what begins there, the longest first: it may hold what should come after it."""
        yield end
        for _ in range(_SHORTER):
            self._budget.spend(1)
            found = element.match(self._data, start, end)
            if found and found[1] == end:
                found = element.match(self._data, start, end - 1)
            if found is None:
                return
            end = found[1]
            yield end


def _joined(places: Iterable[tuple[int, int, int]], wanted: int, within: int) -> Iterator[Span]:
    last: dict[int, tuple[int, int]] = {}
    for end, number, start in places:
        last[number] = end, start
        if len(last) == wanted:
            first, begins = min(last.values())
            if end - first <= within:
                yield begins, end
