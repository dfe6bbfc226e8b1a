"""Which of many expressions occur in texts, and where: by the pieces that they need, then by trying them.

All pieces are looked for at once, each under a hash of its first four bytes (after Wu and Manber, A fast
algorithm for multi-pattern searching, 1994); where one is, its expression is tried. Many texts are one pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tocsin.reading.compiled import compiled
from tocsin.reading.literals import ASCII, LETTERS, SMALL, rarest
from tocsin.reading.literals import LONGEST as LENGTH
from tocsin.reading.matcher import DEPTH, FAILED, STOPPED, Bytes, Code, Numbers, Span, Start, run
from tocsin.reading.order import FEW, LONGEST, REACH

Words = NDArray[np.uint64]
EACH = 256  # places told of one expression in one text, and
MOST = 8192  # of all; where there is more, the text counts as not read in full
STEPS = 1 << 16  # that are tried in a text, and
STEPS_A_BYTE = 32  # for each byte of it
PIECE = 8  # bytes that are compared at once
BEFORE, AFTER, AROUND = range(3)
_GRAM = 4
_BITS = 15  # of a slot's number
_U = np.uint64
_FACTOR = _U(0x9E3779B97F4A7C15)
_ONE, _EIGHT, _TOP, _DOWN, _FINE = _U(1), _U(8), _U(56), _U(64 - _BITS), _U(64 - 16)
_FIRST, _SIX, _ROUND, _LAST = _U(0xFFFFFFFF), _U(6), _U(63), _U((1 << _BITS) - 1)
_HIGH = _U(0x8080808080808080)
_NOTHING = _U(0)
_MASKS = [(1 << 8 * size) - 1 for size in range(PIECE + 1)]
_MARK, _BEHIND_MARK = np.zeros(256, np.bool_), np.zeros(256, np.bool_)
_MARK[[*b".!?"]] = _BEHIND_MARK[[*b" \t\n\r\f\v\"')"]] = True
_OPEN, _SMALL = np.frombuffer(ASCII, np.uint8), np.frombuffer(SMALL, np.uint8)
_PADDING = b" " * LENGTH


class Pieces(NamedTuple):
    """What is looked for, by its first four bytes: bits of their hashes; slots with them and where the pieces
    that begin so are; the pieces and masks of them; where the rows of each begin; and rows of the expression
    that needs it, how far into a longer piece it begins, how many bytes may stand before that one, and where
    that one is in `texts`, how long it is, and whether it is beyond ASCII."""

    known: Words
    slots: NDArray[np.int64]
    values: Words
    masks: Words
    first: Numbers
    needs: Numbers
    texts: Bytes


class Beside(NamedTuple):
    """What must be before, after or around an expression: where its program starts, on which side it is, how
    many bytes may be between, and whether they are of one sentence."""

    start: Start
    side: int
    widest: int
    sentence: bool = False


Sought = tuple[Start, Sequence[Beside]]


class Ways(NamedTuple):
    """Of each expression where its program starts, where what must be beside it begins, and the group of
    pieces one of which must be somewhere, or -1; in the end how many groups there are."""

    starts: Numbers
    first: Numbers
    beside: Numbers
    groups: Numbers


class Place(NamedTuple):
    """Where an expression may begin: from `low` to `high`."""

    expression: int
    low: int
    high: int


class Screen:
    """Expressions with their pieces. Tells of many texts at once where one of them begins."""

    def __init__(self, pieces: Pieces, sought: Sequence[Sought], groups: Numbers, code: Code) -> None:
        self._pieces, self._ways, self._code = pieces, _ways(sought, groups), code

    def find(self, texts: Sequence[bytes]) -> Iterator[tuple[list[Place], bool]]:
        """Of each text the places, by expression, and whether all of it was read."""
        if not texts:
            return
        joined = np.frombuffer(_PADDING + _PADDING.join(texts) + _PADDING, np.uint8)
        sizes = np.array([len(text) for text in texts])
        ends = np.cumsum(sizes + LENGTH)
        found, counts, whole = _find(joined, ends - sizes, ends, self._pieces, self._ways, self._code)
        places, at = list(map(Place._make, found.tolist())), 0
        for count, all_ in zip(counts.tolist(), whole.tolist(), strict=True):
            yield sorted(places[at : at + count]), all_
            at += count


def pieces(needed: Mapping[int, Mapping[bytes, int]]) -> Pieces:
    """The table of what is needed: one of the pieces, with how many bytes may stand before it. By the number
    of an expression, or -1 less that of a group."""
    known: dict[bytes, list[tuple[int, int, int, int, int, bool]]] = {}
    texts = bytearray()
    for number, some in needed.items():
        for piece, before in sorted(some.items()):
            _, shift = rarest(piece, _GRAM)
            short = piece[shift : shift + PIECE]
            row = (number, shift, before, len(texts), len(piece), not piece.isascii())
            known.setdefault(short, []).append(row)
            texts += piece
    grams: dict[int, list[bytes]] = {}
    for piece in sorted(known):
        for gram in _grams(piece):
            grams.setdefault(gram, []).append(piece)
    entries = [piece for gram in sorted(grams) for piece in grams[gram]]
    return Pieces(
        *_slots(grams),
        np.array([int.from_bytes(each, "little") for each in entries], np.uint64),
        np.array([_MASKS[len(each)] for each in entries], np.uint64),
        np.cumsum([0, *(len(known[each]) for each in entries)]).astype(np.int32),
        np.array([row for each in entries for row in known[each]] or [(0, 0, 0, 0, 0, False)], np.int32),
        np.frombuffer(bytes(texts), np.uint8),
    )


def _ways(sought: Sequence[Sought], groups: Numbers) -> Ways:
    starts = [start for start, _ in sought] or [Start(-1, -1, False)]
    first = np.cumsum([0, *(len(beside) for _, beside in sought)])
    rows = [(*each.start, each.side, each.widest, each.sentence) for _, beside in sought for each in beside]
    known = np.array(rows or [(-1, -1, False, 0, 0, False)], np.int32)
    return Ways(np.array(starts, np.int32), first.astype(np.int32), known, groups)


def _grams(piece: bytes) -> Iterable[int]:
    """The four bytes that a piece begins with, as numbers; all there may be of one that is shorter."""
    if len(piece) >= _GRAM:
        return [int.from_bytes(piece[:_GRAM], "little")]
    return [int.from_bytes(piece + bytes([last]), "little") for last in LETTERS]


def _slots(grams: Mapping[int, Sequence[bytes]]) -> tuple[Words, NDArray[np.int64]]:
    known, slots = np.zeros(1 << 10, np.uint64), np.full((1 << _BITS, 3), -1, np.int64)
    at = 0
    for gram in sorted(grams):
        hashed = (gram * int(_FACTOR)) & (1 << 64) - 1
        known[hashed >> 54] |= np.uint64(1 << (hashed >> 48 & 63))
        slot = hashed >> 64 - _BITS
        while slots[slot, 0] >= 0:
            slot = (slot + 1) % len(slots)
        slots[slot] = gram, at, at + len(grams[gram])
        at += len(grams[gram])
    return known, slots


@compiled
def _find(
    joined: Bytes, begins: NDArray[np.int64], ends: NDArray[np.int64], pieces: Pieces, ways: Ways, code: Code
) -> tuple[Numbers, NDArray[np.int64], NDArray[np.bool_]]:
    """Expression, first and last place of each, text by text; how many of each, and whether that is all."""
    found = np.empty((256, 3), np.int32)
    counts, whole = np.zeros(len(ends), np.int64), np.ones(len(ends), np.bool_)
    each, present = np.zeros(len(ways.starts), np.int32), np.zeros(ways.groups[-1] + 1, np.int32)
    open_ = np.empty((DEPTH, 3), np.int32)
    total = 0
    for number in range(len(ends)):
        text = joined[begins[number] : ends[number]]
        left = STEPS + STEPS_A_BYTE * len(text)
        within = (begins[number], ends[number])
        found, last, left = _scan(joined, within, pieces, found, total, present, left)
        before = total
        for at in range(before, last):
            way, low, high = found[at]
            group = ways.groups[way]
            if group >= 0 and not present[group]:
                continue
            if left < 0 or each[way] == EACH or total - before == MOST:
                whole[number] = False
                break
            there, left = _begins(text, (low, high), way, ways, code, open_, left)
            if there:
                found[total, 0], found[total, 1], found[total, 2] = way, low, high
                each[way] += 1
                total += 1
        present[:] = 0
        for at in range(before, total):
            each[found[at, 0]] = 0
        counts[number] = total - before
        whole[number] &= left >= 0
    return found[:total], counts, whole


@compiled
def _scan(
    joined: Bytes, within: Span, pieces: Pieces, found: Numbers, total: int, present: Numbers, left: int
) -> tuple[Numbers, int, int]:
    """Adds where each expression may begin, and marks the groups of which a piece is there."""
    begin, end = within
    near, small = _NOTHING, _NOTHING
    for at in range(PIECE):
        byte = joined[begin - 1 + at]
        near |= _U(_OPEN[byte]) << _U(8 * at)
        small |= _U(_SMALL[byte]) << _U(8 * at)
    for at in range(begin - 1, end):
        for window in range(1 if near == small else 2):
            eight = small if window else near
            slot = _slot(pieces, eight & _FIRST)
            if slot < 0:
                continue
            for piece in range(pieces.slots[slot, 1], pieces.slots[slot, 2]):
                value = pieces.values[piece]
                if eight & pieces.masks[piece] != value or (window and value & _HIGH == _NOTHING):
                    continue
                for row in range(pieces.first[piece], pieces.first[piece + 1]):
                    left -= 1
                    place = at - pieces.needs[row, 1]
                    number = pieces.needs[row, 0]
                    if left < 0 or not _stands(joined, place, pieces.texts, pieces.needs[row]):
                        continue
                    if number < 0:
                        present[-1 - number] = 1
                        continue
                    high = place - begin + 1
                    low = max(0, high - 1 - pieces.needs[row, 2])
                    if high < low:
                        continue
                    if total == len(found):
                        more = np.empty((2 * total, 3), np.int32)
                        more[:total] = found
                        found = more
                    found[total, 0], found[total, 1], found[total, 2] = number, low, high
                    total += 1
        near = near >> _EIGHT | _U(_OPEN[joined[at + PIECE]]) << _TOP
        small = small >> _EIGHT | _U(_SMALL[joined[at + PIECE]]) << _TOP
    return found, total, left


@compiled
def _slot(pieces: Pieces, gram: np.uint64) -> np.int64:
    """That of four bytes; -1 where no piece begins with them."""
    hashed = gram * _FACTOR
    if pieces.known[hashed >> _FINE >> _SIX] >> (hashed >> _FINE & _ROUND) & _ONE == _NOTHING:
        return np.int64(-1)
    slot = hashed >> _DOWN
    while pieces.slots[slot, 0] >= 0 and pieces.slots[slot, 0] != np.int64(gram):
        slot = (slot + _ONE) & _LAST
    return np.int64(slot)


@compiled
def _stands(joined: Bytes, at: int, texts: Bytes, need: Numbers) -> bool:
    """Whether the whole piece is there."""
    for n in range(need[4]):
        byte = joined[at + n]
        if (_SMALL[byte] if need[5] else _OPEN[byte]) != texts[need[3] + n]:
            return False
    return True


@compiled
def _begins(
    text: Bytes, span: Span, way: int, ways: Ways, code: Code, open_: Numbers, left: int
) -> tuple[bool, int]:
    """Whether an expression begins from `low` to `high`, as `order.Search` would find it there, and what the
    way needs beside it is there; and how many steps are left. It may tell too much, never too little."""
    low, high = span
    start, size = ways.starts[way], len(text)
    if start[0] < 0:
        return True, left - 1
    end = min(size, high + (REACH if high - low < FEW else LONGEST))
    while True:
        at, stop, far, steps = run(text, (low, high, end), start, code, open_, left)
        left -= steps
        if stop == FAILED and far >= end < min(size, high + REACH):  # it may end later
            end = min(size, high + REACH)
            continue
        if stop < 0:
            return stop == STOPPED, left
        there = True
        for beside in range(ways.first[way], ways.first[way + 1]):
            there, left = _beside(text, at, stop, ways.beside[beside], code, open_, left)
            if not there:
                break
        if there:
            return True, left
        low = at + 1


@compiled
def _beside(
    text: Bytes, start: int, stop: int, beside: Numbers, code: Code, open_: Numbers, left: int
) -> tuple[bool, int]:
    """Whether another expression is before, after or around what was found."""
    side, widest, sentence = beside[3], beside[4], beside[5]
    if side == BEFORE:
        low, high, end = max(0, start - widest - LONGEST), start - 1, start + 1
    elif side == AFTER:
        low, high, end = start, stop + widest, stop + widest + LONGEST
    else:
        low, high = max(0, stop - widest - LONGEST), stop + widest
        end = high + LONGEST
    while True:
        at, last, far, steps = run(text, (low, high, min(end, len(text))), beside, code, open_, left)
        left -= steps
        if side == AFTER and far >= start + widest + LONGEST:
            return True, left
        if last < 0:
            return last == STOPPED, left
        if side == BEFORE:
            apart = last > start or start - last > widest or (sentence and _ended(text, last, start))
        else:
            apart = side == AFTER and at > stop and sentence and _ended(text, stop, at)
        if not apart:
            return True, left
        low = at + 1


@compiled
def _ended(text: Bytes, low: int, high: int) -> bool:
    """Whether a sentence surely ended in between."""
    for at in range(low, high - 1):  # noqa: SIM110 - numba knows no generators here
        if _MARK[text[at]] and _BEHIND_MARK[text[at + 1]]:
            return True
    return False
