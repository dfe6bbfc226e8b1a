"""Matches expressions as `re` does, in compiled code; what no program is made of is left to `re`.

A match is the one that `re` would find, with the same end: alternatives and repeats are tried, and taken
back, in its order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tocsin.reading import program
from tocsin.reading.compiled import compiled
from tocsin.reading.program import (
    AHEAD,
    ALL,
    BEGIN,
    EDGE,
    EITHER,
    ELSE,
    END,
    JUMP,
    ONE,
    OVER,
    RUN,
    TEXT,
    Programs,
    Unknown,
)

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int32]
Span = tuple[int, int]
FAILED, STOPPED = -1, -2
DEPTH = 1 << 13  # choices that are open at once
_ENDLESS = 1 << 60
_ONE = np.uint64(1)
_WORD = np.zeros(256, np.bool_)
_WORD[[*b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"]] = True


class Code(NamedTuple):
    """Programs of many expressions, packed so that what is often used stays in the processor's cache:
    instructions, classes of bytes as bits, texts; kinds of bytes that no switch tells apart, for each switch
    and kind which of the switch's lists it is, where the lists of all switches begin, and the lists."""

    rows: Numbers
    classes: NDArray[np.uint64]
    pool: Bytes
    kinds: Bytes
    switches: Bytes
    begins: Numbers
    lists: Numbers


class Start(NamedTuple):
    """Where a program begins; the class of the first byte of its matches, -1 where none is known; and whether
    they begin at the edge of a word."""

    row: int
    first: int
    edge: bool


Table = tuple[Code, Mapping[str, Start]]


def table(expressions: Iterable[str]) -> Table:
    """The programs of all expressions that one can be made of."""
    programs, starts = Programs(), {}
    for each in dict.fromkeys(expressions):
        try:
            starts[each] = Start(*programs.add(each))
        except Unknown:
            starts[each] = Start(-1, -1, False)
    rows = np.array(programs.rows or [(program.FOUND, 0, 0, 0)], np.int32)
    classes = b"".join([bits.to_bytes(OVER // 8, "little") for bits in programs.classes or [0]])
    pool = np.frombuffer(bytes(programs.pool), np.uint8)
    switches = np.array(programs.switches or [np.zeros(ALL + 1, np.uint8)], np.uint8)
    apart, kinds = np.unique(switches, axis=1, return_inverse=True)
    begins, lists = (np.array(each, np.int32) for each in (programs.begins, programs.lists))
    code = Code(
        rows,
        np.frombuffer(classes, "<u8").reshape(-1, 4),
        pool,
        kinds.ravel().astype(np.uint8),
        np.ascontiguousarray(apart),
        begins,
        lists,
    )
    return code, starts


class Expression:
    """One expression, searched in small-letter UTF-8."""

    def __init__(self, text: str, code: Code, start: Start) -> None:
        self.start = start
        self._start = np.array(start, np.int32)
        self._text, self._code = text, code
        self._plain = self._compiled() if start.row < 0 else None

    def _compiled(self) -> re.Pattern[bytes]:
        return re.compile(self._text.encode(), re.DOTALL)

    def match(self, data: Bytes, at: int, end: int) -> Span | None:
        """The match that begins there, as if the data ended there."""
        return self.search(data, at, at, end)

    def search(self, data: Bytes, low: int, high: int, end: int) -> Span | None:
        """The first match that begins from `low` to `high`, as if the data ended at `end`."""
        if self._plain is None:
            start, stop = _search(data, low, high, min(end, len(data)), self._start, self._code)
            if stop != STOPPED:
                return (start, stop) if stop >= 0 else None
        plain = self._plain or self._compiled()
        text = data.tobytes()
        found = plain.match(text, low, end) if low == high else plain.search(text, low, end)
        return found.span() if found and found.start() <= high else None


def expressions(texts: Sequence[str], made: Table) -> dict[str, Expression]:
    """Each expression by its text."""
    code, starts = made
    return {text: Expression(text, code, starts[text]) for text in texts}


@compiled
def _in(classes: NDArray[np.uint64], number: int, byte: int) -> bool:
    """Whether a byte is in a class."""
    return bool(classes[number, byte >> 6] >> np.uint64(byte & 63) & _ONE)


@compiled
def run(  # noqa: C901, PLR0915 - an interpreter is one loop, and calls cost more than its steps
    data: Bytes, where: tuple[int, int, int], start: Numbers, code: Code, open_: Numbers, most: int
) -> tuple[int, int, int, int]:
    """The first match that begins from `low` to `high`, as if the data ended at `end` (`where`): where it
    begins and ends, or FAILED; after more than `most` instructions, STOPPED. With it how far the data was
    looked at, and the number of instructions."""
    low, high, end = where
    high = min(high, end)
    rows, classes, pool, kinds, switches, begins, lists = code
    first, edge = start[1], start[2]
    begin, far, count = low - 1, low, 0
    row, pos, depth = -1, low, 0
    while True:
        if row < 0:  # the next place where a match may begin
            begin += 1
            while first >= 0 < begin <= high:
                fits = begin < end and _in(classes, first, data[begin])
                if fits and (not edge or _WORD[data[begin]] != _WORD[data[begin - 1]]):
                    break
                begin += 1
            if begin > high:
                return begin, FAILED, far, count
            row, pos = start[0], begin
        count += 1
        if pos > far:
            far = pos
        what = rows[row, 0]
        good = True
        if what == TEXT:
            size, place = rows[row, 1], rows[row, 2]
            good = pos + size <= end
            for n in range(min(size, end - pos)):
                if data[pos + n] != pool[place + n]:
                    good = False
                    break
            if good:
                pos += size
            elif pos + size > end:
                far = end
        elif what == ELSE:
            leads = rows[row, 2]
            if leads < 0 or pos == 0 or (pos < end and _in(classes, leads, data[pos])):
                if depth == len(open_):
                    return begin, STOPPED, far, count
                open_[depth, 0], open_[depth, 1], open_[depth, 2] = rows[row, 1], pos, pos
                depth += 1
            else:
                row = rows[row, 1] - 1
        elif what == EITHER:
            which = ALL if pos == 0 else OVER if pos >= end else np.int64(data[pos])
            at = begins[rows[row, 2] + switches[rows[row, 1], kinds[which]]]
            good = lists[at] >= 0
            if good:
                row = lists[at] - 1
                if lists[at + 1] >= 0:
                    if depth == len(open_):
                        return begin, STOPPED, far, count
                    open_[depth, 0], open_[depth, 1], open_[depth, 2] = -at - 1, pos, pos
                    depth += 1
        elif what == ONE:
            good = pos < end and _in(classes, rows[row, 1], data[pos])
            pos += 1
        elif what == RUN:
            stop = min(end, pos + rows[row, 3])
            least = pos + rows[row, 2]
            count += (stop - pos) >> 6
            while pos < stop and _in(classes, rows[row, 1], data[pos]):
                pos += 1
            good = pos >= least
            if good and pos > least:
                if depth == len(open_):
                    return begin, STOPPED, far, count
                open_[depth, 0], open_[depth, 1], open_[depth, 2] = row + 1, pos - 1, least
                depth += 1
        elif what == JUMP:
            row = rows[row, 1] - 1
        elif what == EDGE:
            good = (pos > 0 and _WORD[data[pos - 1]]) != (pos < end and _WORD[data[pos]])
        elif what == AHEAD:
            good = pos < end and _in(classes, rows[row, 1], data[pos])
        elif what == BEGIN:
            good = pos == 0
        elif what == END:
            good = pos == end or (pos + 1 == end and data[pos] == 10)
        else:
            return begin, pos, far, count
        if count > most:
            return begin, STOPPED, far, count
        if good:
            row += 1
            continue
        far = max(far, pos)
        if depth == 0:
            row = -1
            continue
        row, pos = open_[depth - 1, 0], open_[depth - 1, 1]
        if row < 0:
            at = -row
            row = lists[at]
            if lists[at + 1] >= 0:
                open_[depth - 1, 0] = -at - 1
            else:
                depth -= 1
        elif pos > open_[depth - 1, 2]:
            open_[depth - 1, 1] = pos - 1
        else:
            depth -= 1


@compiled
def _search(data: Bytes, low: int, high: int, end: int, start: Numbers, code: Code) -> tuple[int, int]:
    open_ = np.empty((DEPTH, 3), np.int32)
    begin, stop, _, _ = run(data, (low, high, end), start, code, open_, _ENDLESS)
    return begin, stop
