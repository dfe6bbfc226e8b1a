"""Many expressions searched at once: Hyperscan, or google-re2, or `re` where neither is installed.

Expressions are applied to the UTF-8 bytes of lower-case text, byte by byte. Which engine is used never
changes what is found, only how fast.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from typing import Any, Protocol

from tocsin.reading import kept

_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
PLACES = 12_000  # of one text; more ends the search, and the text counts as not read in full
Place = tuple[int, int]  # number of the expression, where it ends


class Automaton(Protocol):
    """Which sets of expressions a text holds, and where."""

    def sets(self, data: bytes) -> list[int]:
        """Numbers of the sets all of whose expressions occur somewhere."""
        ...

    def places(self, data: bytes) -> tuple[list[Place], bool]:
        """Where the expressions end, and whether all of the data was read."""
        ...


def build(
    expressions: Sequence[str], sets: Sequence[Sequence[int]], engine: str = "", *, places: bool = True
) -> Automaton:
    """The fastest engine there is, or the named one. `places`: whether places will be asked for."""
    if not expressions:
        return Plain((), ())
    for name, kind in _ENGINES.items():
        if engine in ("", name):
            try:
                made: Automaton = (
                    kind(expressions, sets, places=places) if kind is Hyperscan else kind(expressions, sets)
                )
                return made
            except ImportError:
                if engine:
                    raise
    raise ValueError(f"no engine {engine!r}")


def alternatives(expression: str) -> list[str]:
    """The expressions that `|` parts: many short ones are searched faster than one long one."""
    parts, depth = [""], 0
    for token in _TOKEN.findall(expression):
        depth += (token == "(") - (token == ")")
        if token == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += token
    return parts


class Hyperscan:
    """One database that tells the sets in one pass, and one, used only where there is a set, for places."""

    def __init__(
        self, expressions: Sequence[str], sets: Sequence[Sequence[int]], *, places: bool = True
    ) -> None:
        import hyperscan as hs

        flags = hs.HS_FLAG_DOTALL
        alone = {each[0]: number for number, each in enumerate(sets) if len(each) == 1}
        quiet = [
            flags | hs.HS_FLAG_SINGLEMATCH | (0 if n in alone else hs.HS_FLAG_QUIET)
            for n in range(len(expressions))
        ]
        joined = [number for number, each in enumerate(sets) if len(each) > 1]
        first = len(expressions)
        self._set_of = alone | {first + at: number for at, number in enumerate(joined)}
        texts = [each.encode() for each in expressions]
        combined = [" & ".join(map(str, dict.fromkeys(sets[number]))).encode() for number in joined]
        self._told = kept.database(
            texts + combined, quiet + [hs.HS_FLAG_COMBINATION | hs.HS_FLAG_SINGLEMATCH] * len(combined)
        )
        self._placed = kept.database(texts, [flags] * len(texts)) if places else None
        self._stopped = hs.ScanTerminated
        self._new = hs.Scratch
        self._local = threading.local()  # a scratch space serves one scan at a time

    def sets(self, data: bytes) -> list[int]:
        """In one pass, without a word to Python where there is nothing."""
        found: list[int] = []
        try:  # noqa: SIM105 - a context costs more than a scan
            self._told.scan(data, match_event_handler=_number, context=found, scratch=self._scratch()[0])
        except self._stopped:  # Hyperscan ends so where all was told
            pass
        return [self._set_of[each] for each in found] if found else found

    def places(self, data: bytes) -> tuple[list[Place], bool]:
        """In one more pass."""
        found: list[Place] = []
        if self._placed is None:
            raise ValueError("this automaton was built without places")
        try:
            self._placed.scan(data, match_event_handler=_place, context=found, scratch=self._scratch()[1])
        except self._stopped:
            return found, False
        return found, len(found) < PLACES

    def _scratch(self) -> tuple[Any, Any]:
        held: tuple[Any, Any] | None = getattr(self._local, "held", None)
        if held is None:
            told, placed = self._new(self._told), self._new(self._placed) if self._placed else None
            held = self._local.held = told, placed
        return held


def _number(number: int, start: int, end: int, flags: int, found: Any) -> None:
    found.append(number)


def _place(number: int, start: int, end: int, flags: int, found: Any) -> bool | None:
    found.append((number, end))
    return True if len(found) >= PLACES else None


class Plain:
    """Every expression by itself; correct, and far slower."""

    def __init__(self, expressions: Sequence[str], sets: Sequence[Sequence[int]]) -> None:
        self._each: list[Any] = [re.compile(each.encode(), re.DOTALL) for each in expressions]
        self._sets = sets

    def sets(self, data: bytes) -> list[int]:
        """By searching each."""
        held = self._held(data)
        return [number for number, each in enumerate(self._sets) if held.issuperset(each)]

    def places(self, data: bytes) -> tuple[list[Place], bool]:
        """One expression after the other."""
        found: list[Place] = []
        for number in sorted(self._held(data)):
            for match in self._each[number].finditer(data):
                found.append((number, match.end()))
                if len(found) >= PLACES:
                    return found, False
        return found, True

    def _held(self, data: bytes) -> set[int]:
        return {number for number, each in enumerate(self._each) if each.search(data)}


class Re2(Plain):
    """A set tells which expressions occur at all; only those are searched, in linear time."""

    def __init__(self, expressions: Sequence[str], sets: Sequence[Sequence[int]]) -> None:
        import re2  # type: ignore[import-untyped]

        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1  # byte by byte
        options.max_mem = 256 << 20
        options.dot_nl = True
        self._all = re2.Set.SearchSet(options)
        for each in expressions:
            self._all.Add(each.encode())
        self._all.Compile()
        self._each = [re2.compile(each.encode(), options) for each in expressions]
        self._sets = sets

    def _held(self, data: bytes) -> set[int]:
        return set(self._all.Match(data) or ())


_ENGINES: dict[str, Any] = {"hyperscan": Hyperscan, "re2": Re2, "re": Plain}
