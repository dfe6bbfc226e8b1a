"""Where which of many patterns could be: where one of its elements is that holds rare pieces of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from tocsin.reading import kept, matcher, order, screen
from tocsin.reading.automaton import build
from tocsin.reading.literals import Needed, needed
from tocsin.reading.matcher import Code, Expression, Numbers, Span, Start
from tocsin.reading.notation import Sequence as Pattern
from tocsin.reading.pack import Ready
from tocsin.reading.screen import Beside, Pieces, Screen

_COMMON = 3e-4  # of the bytes of ordinary text: pieces that begin there more often are not worth a look
_BEHIND = 512  # bytes before the end of an element of which no piece is known
_MODULES = ("literals", "program", "matcher", "screen", "order", "finder")  # that tables are made by

Seen = tuple["Way", list[Span]]
Parts = tuple[str, ...]


class Way(NamedTuple):
    """One way in which a rule matches: one of its patterns, or all of its terms."""

    rule: int
    elements: tuple[Expression, ...]
    pattern: Pattern | None  # none: in any order
    within: int
    seen: int  # which element is looked for first

    def spans(self, search: order.Search, near: Iterable[Span]) -> Iterator[Span]:
        """Where it is."""
        if self.pattern is None:
            return search.together(self.elements, self.within, self.seen, near)
        return search.in_order(self.pattern, self.elements, self.seen, near)


class Tables(NamedTuple):
    """What is worked out of all elements: which of a way's is looked for first, -1 where none has a piece;
    which group of pieces it needs besides, and -1 where none; where the program of each expression begins;
    programs and pieces."""

    seen: Numbers
    groups: Numbers
    starts: Numbers
    code: Code
    pieces: Pieces


class Finder:
    """All ways of all rules."""

    def __init__(self, ready: Sequence[Ready], engine: str = "") -> None:
        parted = list(_parted(ready))
        ways = [parts for _, _, parts, _ in parted]
        made = _tables(ways, [each for one in ready for each in one.unless])
        self.expressions = _expressions(made, ways, ready)
        """Those of all elements and of what takes a hit back, by their texts."""
        self._ways: list[Way] = []
        self._others: list[Way] = []
        sought: list[str] = []
        for (rule, pattern, parts, within), seen in zip(parted, made.seen.tolist(), strict=True):
            elements = tuple([self.expressions[order.expression(part)] for part in parts])
            way = Way(rule, elements, pattern, within, max(seen, 0))
            (self._others if seen < 0 else self._ways).append(way)
            if seen < 0:
                sought.append(parts[0])
        self._screen = Screen(made.pieces, [_sought(way) for way in self._ways], made.groups, made.code)
        self._automaton = build(sought, [(number,) for number in range(len(sought))], engine)

    def seen(self, texts: Sequence[bytes]) -> Iterator[tuple[list[Seen], bool]]:
        """Of each text the ways that could be there, each with places near which the element it is seen by
        may begin; and whether all of the text was read."""
        for data, (places, whole) in zip(texts, self._screen.find(texts), strict=True):
            found: dict[int, list[Span]] = {}
            for number, low, high in places:
                found.setdefault(number, []).append((low, high))
            seen = [(self._ways[number], near) for number, near in found.items()]
            if others := self._automaton.sets(data):
                whole &= self._add(data, others, seen)
            yield seen, whole

    def _add(self, data: bytes, others: Sequence[int], seen: list[Seen]) -> bool:
        ends, whole = self._automaton.places(data)
        for number in others:
            near = [(max(0, end - _BEHIND), end) for each, end in ends if each == number]
            seen.append((self._others[number], near))
        return whole


def _sought(way: Way) -> screen.Sought:
    """The element that is looked for first, and what must be beside it."""
    known = [each.start for each in way.elements]
    if way.pattern is None:
        beside = [Beside(start, screen.AROUND, way.within) for start in known]
        del beside[way.seen]
    else:
        gaps, at = way.pattern.gaps, way.seen
        beside = [Beside(known[at - 1], screen.BEFORE, *gaps[at - 1])] if at else []
        beside += [Beside(known[at + 1], screen.AFTER, *gaps[at])] if at < len(gaps) else []
    return known[way.seen], [each for each in beside if each.start.row >= 0]


def _parted(ready: Sequence[Ready]) -> Iterator[tuple[int, Pattern | None, Parts, int]]:
    for number, each in enumerate(ready):
        if each.rule.all:
            yield number, None, tuple(one.elements[0] for one in each.sequences), each.rule.within
        else:
            for pattern in each.sequences:
                yield number, pattern, pattern.elements, 0


def _texts(ways: Sequence[Parts], unless: Iterable[str]) -> list[str]:
    """All expressions, each once."""
    elements = dict.fromkeys(order.expression(part) for parts in ways for part in parts)
    return list(elements | dict.fromkeys(unless))


def _expressions(made: Tables, ways: Sequence[Parts], ready: Sequence[Ready]) -> dict[str, Expression]:
    texts = _texts(ways, (each for one in ready for each in one.unless))
    starts = [Start(*each) for each in made.starts.tolist()]
    return {text: Expression(text, made.code, start) for text, start in zip(texts, starts, strict=True)}


def _tables(ways: Sequence[Parts], unless: Sequence[str]) -> Tables:
    """Made, or as they were kept."""
    given = [text for parts in ways for text in (*parts, "")] + [*unless]
    arrays = kept.tables(given, _MODULES, lambda: _arrays(ways, unless))
    code = Code(*[arrays[name] for name in Code._fields])
    pieces = Pieces(*[arrays[name] for name in Pieces._fields])
    return Tables(arrays["seen"], arrays["groups"], arrays["starts"], code, pieces)


def _arrays(ways: Sequence[Parts], unless: Sequence[str]) -> kept.Arrays:
    known = [(parts, *_rarest(parts)) for parts in ways]
    code, starts = matcher.table(_texts(ways, unless))
    besides = [_beside(parts, at, each) for parts, at, each in known if each]
    groups = {each: number for number, each in enumerate(dict.fromkeys(filter(None, besides)))}
    needs = dict(enumerate(_near(each) for _, _, each in known if each))
    needs |= {-1 - number: dict.fromkeys(each, 0) for each, number in groups.items()}
    pieces = screen.pieces(needs)
    return {
        "seen": np.array([at for _, at, _ in known], np.int32),
        "groups": np.array([*(groups[each] if each else -1 for each in besides), len(groups)], np.int32),
        "starts": np.array(list(starts.values()), np.int32).reshape(-1, 3),
        **code._asdict(),
        **pieces._asdict(),
    }


def _rarest(parts: Parts) -> tuple[int, Needed | None]:
    """The rarest of all that the parts need, and before it the number of the part that needs it."""
    some = [(at, each) for at, part in enumerate(parts) for each in _needed(part) if each.share < _COMMON]
    return min(some, key=lambda one: (one[1].share, one[0]), default=(-1, None))


def _beside(parts: Parts, seen: int, sought: Needed) -> tuple[bytes, ...]:
    """The rarest pieces that are needed besides those that are sought; none where all are common."""
    some = [each for at, part in enumerate(parts) for each in _needed(part) if (at, each) != (seen, sought)]
    rarest = min((each for each in some if each.share < _COMMON), key=lambda each: each.share, default=None)
    return tuple(sorted(rarest.pieces)) if rarest else ()


@cache
def _needed(element: str) -> tuple[Needed, ...]:
    return needed(element)


def _near(each: Needed) -> dict[bytes, int]:
    return {piece: min(before, _BEHIND) for piece, before in each.pieces.items()}
