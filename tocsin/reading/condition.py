"""Conditions over a whole text: which values it holds, and which it must not.

One database tells in one pass which values could be there. A value of plain text is then looked for piece by
piece, from left to right; regular expressions are left to the database, so every text takes linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tocsin.model import Role
from tocsin.reading.automaton import Plain, build

Span = tuple[int, int]
_BEFORE = 60  # bytes told before the end of a regular expression, whose beginning is not known
_CHARACTER = rb"(?:[\x00-\x7f]|[\xc0-\xff][\x80-\xbf]*)"


class Value(NamedTuple):
    """Text with gaps (None: a regular expression), and whether it is tied to the beginning or the end.

    In a piece, None stands for any one character. `cased`: as written; otherwise in lower case.
    """

    pieces: tuple[tuple[str | None, ...], ...] = ()
    front: bool = False
    back: bool = False
    cased: bool = False
    expression: str = ""

    @property
    def anchor(self) -> str:
        """What the database looks for: an expression that occurs wherever the value does."""
        if self.expression:
            return self.expression
        runs = (run for piece in self.pieces for run in _runs(piece))
        return re.escape(max(runs, key=lambda run: len(run.encode("utf-8", "replace")), default=""))

    def __str__(self) -> str:
        if self.expression:
            return f"/{self.expression}/"
        inner = "*".join("".join(char or "?" for char in piece) for piece in self.pieces)
        return f"{'' if self.front else '*'}{inner}{'' if self.back else '*'}"


Term = tuple[Value, ...]  # any of them


class Clause(NamedTuple):
    """Values that a text of one of these roles holds, and values that it does not."""

    roles: tuple[Role, ...]  # none: everybody's
    all: tuple[Term, ...]
    none: tuple[Term, ...] = ()

    def __str__(self) -> str:
        held = " and ".join(map(_told, self.all))
        return held + "".join(f" and not {_told(term)}" for term in self.none)


class Conditions:
    """The clauses of many rules; `match` tells which of them a text fulfils, by their number."""

    def __init__(self, clauses: Sequence[tuple[int, Clause]], engine: str = "") -> None:
        self._clauses = clauses
        terms = [term for _, clause in clauses for term in clause.all + clause.none]
        values = dict.fromkeys(value for term in terms for value in term)
        self._plain = _Database([each for each in values if not each.cased], engine)
        self._cased = _Database([each for each in values if each.cased], engine)

    def match(self, text: str, data: bytes) -> Iterator[tuple[int, Span]]:
        """Numbers of rules with the bytes of `data`, the text in lower case, where their first value is."""
        found = self._plain.found(data)
        if self._cased:
            found |= self._cased.found((text + "\n").encode("utf-8", "replace"))
        for number, clause in self._clauses if found else ():
            spans = [_first(term, found) for term in clause.all]
            if all(spans) and not any(_first(term, found) for term in clause.none):
                yield number, next(span for span in spans if span)


class _Database:
    def __init__(self, values: Sequence[Value], engine: str) -> None:
        self._values = values
        self._searches = [_Search(each) for each in values]
        anchors = [each.anchor for each in values]
        self._automaton = (
            build(anchors, [(number,) for number in range(len(anchors))], engine) if values else None
        )

    def __bool__(self) -> bool:
        return bool(self._values)

    def found(self, data: bytes) -> dict[Value, Span]:
        """Each value that is there, with where it first is."""
        if not self._automaton:
            return {}
        told = self._automaton.sets(data)
        ends: dict[int, int] = {}
        if any(self._values[number].expression for number in told):
            for number, end in sorted(self._automaton.places(data)[0], reverse=True):
                ends[number] = end
        spans: dict[Value, Span] = {}
        for number in told:
            if self._values[number].expression:
                end = min(ends.get(number, len(data)), len(data) - 1)
                spans[self._values[number]] = (max(0, end - _BEFORE), end)
            elif span := self._searches[number].span(data):
                spans[self._values[number]] = span
        return spans


class _Search:
    """A value of plain text, piece by piece: the leftmost place of each is the right one."""

    def __init__(self, value: Value) -> None:
        self._front, self._back = value.front, value.back
        texts = [b"".join(map(_byte, piece)) for piece in value.pieces]
        self._pieces = [re.compile(each, re.DOTALL) for each in texts]
        self._last = re.compile(texts[-1] + rb"\Z", re.DOTALL) if value.back and texts else None

    def span(self, data: bytes) -> Span | None:
        """Where the value is; every text ends with a line break that is not of it."""
        at, first, end = 0, -1, len(data) - 1
        for number, piece in enumerate(self._pieces):
            if self._last and number == len(self._pieces) - 1:
                piece = self._last
            tied = self._front and number == 0
            match = piece.match(data, at, end) if tied else piece.search(data, at, end)
            if match is None:
                return None
            first, at = (match.start() if number == 0 else first), match.end()
        return first, at


def check(expression: str) -> str:
    """What is wrong with a regular expression, or nothing: it must be one that runs in linear time."""
    if re.search(r"\[[^\]]*[^\x00-\x7f]", re.sub(r"\\.", "", expression)):
        return "letters beyond ASCII stand alone or in alternatives, never in [...]"
    try:
        re.compile(expression.encode())
        if type(build([expression], [(0,)])) is Plain:
            return "regular expressions want Hyperscan or google-re2, and neither is installed"
    except re.error as error:
        return str(error)
    except Exception as error:  # each engine has its own
        return str(error).rstrip(".")
    if re.compile(expression.encode()).search(b""):
        return "it matches the empty text"
    return ""


def _first(term: Term, found: dict[Value, Span]) -> Span | None:
    return next((found[value] for value in term if value in found), None)


def _told(term: Term) -> str:
    return " or ".join(map(str, term)) if len(term) == 1 else f"({' or '.join(map(str, term))})"


def _runs(piece: tuple[str | None, ...]) -> list[str]:
    return "".join(char if char is not None else "\0" for char in piece).split("\0")


def _byte(char: str | None) -> bytes:
    return _CHARACTER if char is None else re.escape(char.encode("utf-8", "replace"))
