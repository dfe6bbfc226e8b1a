"""Where which of many patterns could be: near the pieces of text that one of its elements needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from tocsin.reading import order
from tocsin.reading.automaton import build
from tocsin.reading.literals import Needed, needed
from tocsin.reading.notation import Sequence as Pattern
from tocsin.reading.pack import Ready
from tocsin.reading.screen import Near, Screen

_COMMON = 3e-4  # of the bytes of ordinary text: pieces that begin there more often are not worth a look
_GROUPS = 4  # of one way, at most
_BEHIND = 512  # bytes before the end of an element of which no piece is known


class Way(NamedTuple):
    """One way in which a rule matches: one of its patterns, or all of its terms."""

    rule: int
    elements: tuple[order.Expression, ...]
    pattern: Pattern | None  # none: in any order
    within: int
    seen: int  # which element is looked for first

    def spans(self, search: order.Search, near: Iterable[order.Span]) -> Iterator[order.Span]:
        """Where it is."""
        if self.pattern is None:
            return search.together(self.elements, self.within, self.seen, near)
        return search.in_order(self.pattern, self.elements, self.seen, near)


class Finder:
    """All ways of all rules."""

    def __init__(self, ready: Sequence[Ready], engine: str = "") -> None:
        groups: dict[frozenset[tuple[bytes, int]], int] = {}
        sets: list[list[Near]] = []
        self._ways: list[Way] = []
        self._others: list[Way] = []
        elements: list[str] = []
        for rule, pattern, parts, within in _parted(ready):
            known = _known(parts)
            seen = known[0][1] if known else 0
            way = Way(rule, tuple(map(order.expression, parts)), pattern, within, seen)
            if known:
                numbers = [
                    groups.setdefault(frozenset(each.pieces.items()), len(groups)) for each, _ in known
                ]
                reaches = [_reach(way, known[0], each) for each in known]
                sets.append([Near(number, *reach) for number, reach in zip(numbers, reaches, strict=True)])
                self._ways.append(way)
            else:
                self._others.append(way)
                elements.append(parts[seen])
        self._screen = Screen([dict(each) for each in groups], sets) if sets else None
        self._automaton = build(elements, [(number,) for number in range(len(elements))], engine)

    def seen(self, data: bytes) -> tuple[list[tuple[Way, list[order.Span]]], bool]:
        """The ways that could be there, each with places near which the element it is seen by may begin;
        and whether all of the data was read."""
        found: dict[int, list[order.Span]] = {}
        told, whole = self._screen.find(data) if self._screen else ([], True)
        for number, at, before in told:
            found.setdefault(number, []).append((max(0, at - min(before, _BEHIND)), at + 1))
        seen = [(self._ways[number], found[number]) for number in sorted(found)]
        if others := self._automaton.sets(data):
            ends, all_ = self._automaton.places(data)
            whole &= all_
            for number in others:
                near = [(max(0, end - _BEHIND), end) for each, end in ends if each == number]
                seen.append((self._others[number], near))
        return seen, whole


def _parted(ready: Sequence[Ready]) -> Iterator[tuple[int, Pattern | None, tuple[str, ...], int]]:
    for number, each in enumerate(ready):
        if each.rule.all:
            yield number, None, tuple(one.elements[0] for one in each.sequences), each.rule.within
        else:
            for pattern in each.sequences:
                yield number, pattern, pattern.elements, 0


def _known(parts: Sequence[str]) -> list[tuple[Needed, int]]:
    """What the parts need, with their numbers, the rarest first."""
    some = [(each, at) for at, part in enumerate(parts) for each in _needed(part) if each.share < _COMMON]
    return sorted(some, key=lambda one: (one[0].share, one[1]))[:_GROUPS]


@cache
def _needed(element: str) -> tuple[Needed, ...]:
    return needed(element)


def _reach(way: Way, first: tuple[Needed, int], other: tuple[Needed, int]) -> tuple[int, int]:
    """How far before and after what is needed first the other may be."""
    if first[1] == other[1]:
        return first[0].before, other[0].before
    if way.pattern is None:
        around = way.within + 2 * order.LONGEST
        return around, around
    low, high = sorted((first[1], other[1]))
    far = sum(gap.widest for gap in way.pattern.gaps[low:high]) + order.LONGEST * (high - low + 1)
    return (far, 0) if other[1] < first[1] else (0, far)
