"""Which of many expressions occur in texts, and where: by the pieces that they need, then by trying them.

All pieces are looked for at once, each under a hash of its rarest eight bytes, or of five or three of a short
one (after Wu and Manber, A fast algorithm for multi-pattern searching, 1994); where one is, its expression is
tried. Many texts are one pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tocsin.reading.compiled import compiled
from tocsin.reading.literals import ASCII, SMALL, rarest
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
ABOUT, NEEDS = 2, 3  # of a piece: bytes before its key, how many are in each number, if beyond ASCII; rows
OPEN, CLOSED = range(2)  # of text with blanks for all that is beyond ASCII, and without
WIDE = (PIECE, 5, 3)  # bytes that pieces are found by
_BITS, _FILTER = 15, 19  # of the number of a slot, and of the hash that tells whether there may be one
_U = np.uint64
_FACTOR = _U(0x9E3779B97F4A7C15)
_ONE, _DOWN, _FINE = _U(1), _U(64 - _BITS), _U(64 - _FILTER)
_EIGHT, _SIXTEEN, _THREE_BYTES, _HALF, _BYTE, _LOW = map(_U, (8, 16, 24, 32, 0xFF, 0xFFFFFFFF))
_SIX, _ROUND, _LAST = _U(6), _U(63), _U((1 << _BITS) - 1)
_HIGH = _U(0x8080808080808080)
_NOTHING = _U(0)
_FIRST_BYTES = np.array([(1 << 8 * size) - 1 for size in range(PIECE + 1)], np.uint64)
_WIDE = _FIRST_BYTES[[*WIDE]]
_MARK, _BEHIND_MARK = np.zeros(256, np.bool_), np.zeros(256, np.bool_)
_MARK[[*b".!?"]] = _BEHIND_MARK[[*b" \t\n\r\f\v\"')"]] = True
_PADDING = b" " * LENGTH


class Pieces(NamedTuple):
    """What is looked for; what is read together lies together.

    Bits of the hashes of bytes in pieces. Slots: those bytes as a number, and where the pieces with them are.
    Of a piece: its bytes in two numbers, what is ABOUT it, and where its NEEDS are. Of a need: the expression
    that needs it, and how many bytes may stand before it.
    """

    known: Words
    slots: Words
    pieces: Words
    needs: Numbers


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
        joined = _PADDING + _PADDING.join(texts) + _PADDING
        data = np.frombuffer(joined, np.uint8)
        read = _eights(joined.translate(ASCII)), _eights(joined.translate(SMALL))
        sizes = np.array([len(text) for text in texts])
        ends = np.cumsum(sizes + LENGTH)
        found, counts, whole = _find(data, read, ends - sizes, ends, self._pieces, self._ways, self._code)
        places, at = list(map(Place._make, found.tolist())), 0
        for count, all_ in zip(counts.tolist(), whole.tolist(), strict=True):
            yield sorted(places[at : at + count]), all_
            at += count


def pieces(needed: Mapping[int, Mapping[bytes, int]]) -> Pieces:
    """The table of what is needed: one of the pieces, with how many bytes may stand before it. By the number
    of an expression, or -1 less that of a group."""
    needs: dict[bytes, list[tuple[int, int]]] = {}
    for number, some in needed.items():
        for piece, before in some.items():
            needs.setdefault(piece, []).append((number, before))
    known: dict[int, list[tuple[bytes, int]]] = {}  # pieces by what they are found by
    for piece in sorted(needs):
        wide = next(size for size in WIDE if size <= len(piece))
        found, shift = rarest(piece, wide)
        known.setdefault(_number(found), []).append((piece, shift))
    all_ = [each for key in sorted(known) for each in known[key]]
    rows, at = [], 0
    for piece, shift in all_:
        first, second = piece[:PIECE], piece[PIECE:]
        about = shift | len(first) << 8 | len(second) << 16 | (not piece.isascii()) << 24
        rows.append((_number(first), _number(second), about, _range(at, len(needs[piece]))))
        at += len(needs[piece])
    return Pieces(
        *_slots(known),
        np.array(rows or [(0, 0, 0, 0)], np.uint64),
        np.array([need for piece, _ in all_ for need in needs[piece]] or [(0, 0)], np.int32),
    )


def _number(piece: bytes) -> int:
    return int.from_bytes(piece, "little")


def _range(first: int, count: int) -> int:
    """Where rows begin, and behind that where they end, in one number."""
    return first | first + count << 32


def _ways(sought: Sequence[Sought], groups: Numbers) -> Ways:
    starts = [start for start, _ in sought] or [Start(-1, -1, False)]
    first = np.cumsum([0, *(len(beside) for _, beside in sought)])
    rows = [(*each.start, each.side, each.widest, each.sentence) for _, beside in sought for each in beside]
    known = np.array(rows or [(-1, -1, False, 0, 0, False)], np.int32)
    return Ways(np.array(starts, np.int32), first.astype(np.int32), known, groups)


def _slots(known: Mapping[int, Sequence[object]]) -> tuple[Words, Words]:
    """By the hash of a key; where none is, the key is nought, which no text has."""
    bits, slots = np.zeros(1 << _FILTER - 6, np.uint64), np.zeros((1 << _BITS, 2), np.uint64)
    at = 0
    for key in sorted(known):
        hashed = (key * int(_FACTOR)) & (1 << 64) - 1
        bits[hashed >> 64 - _FILTER + 6] |= np.uint64(1 << (hashed >> 64 - _FILTER & 63))
        slot = hashed >> 64 - _BITS
        while slots[slot, 0]:
            slot = (slot + 1) % len(slots)
        slots[slot] = key, _range(at, len(known[key]))
        at += len(known[key])
    return bits, slots


def _eights(data: bytes) -> Words:
    """For each place the eight bytes from there on as one number."""
    return np.ndarray((len(data) - PIECE + 1,), "<u8", data, strides=(1,))


@compiled
def _find(
    joined: Bytes,
    read: tuple[Words, Words],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    pieces: Pieces,
    ways: Ways,
    code: Code,
) -> tuple[Numbers, NDArray[np.int64], NDArray[np.bool_]]:
    """Expression, first and last place of each, text by text; how many of each, and whether that is all."""
    found = np.empty((256, 3), np.int32)
    counts, whole = np.zeros(len(ends), np.int64), np.ones(len(ends), np.bool_)
    each, present = np.zeros(len(ways.starts), np.int32), np.zeros(ways.groups[-1] + 1, np.int32)
    tried = np.full((len(ways.starts), 3), -1, np.int32)
    open_ = np.empty((DEPTH, 3), np.int32)
    total = 0
    for number in range(len(ends)):
        text = joined[begins[number] : ends[number]]
        left = STEPS + STEPS_A_BYTE * len(text)
        within = (begins[number], ends[number])
        found, last, left = _scan(read, within, pieces, found, total, present, left)
        before = total
        for at in range(before, last):
            way, low, high = found[at]
            group = ways.groups[way]
            if group >= 0 and not present[group]:
                continue
            if left < 0 or each[way] == EACH or total - before == MOST:
                whole[number] = False
                break
            there, left = _begins(text, found[at], ways, code, open_, left, tried[way])
            if there:
                found[total, 0], found[total, 1], found[total, 2] = way, low, high
                each[way] += 1
                total += 1
        present[:] = 0
        each[:] = 0
        tried[:] = -1
        counts[number] = total - before
        whole[number] &= left >= 0
    return found[:total], counts, whole


@compiled
def _scan(
    read: tuple[Words, Words],
    within: Span,
    pieces: Pieces,
    found: Numbers,
    total: int,
    present: Numbers,
    left: int,
) -> tuple[Numbers, int, int]:
    """Adds where each expression may begin, and marks the groups of which a piece is there."""
    begin, end = within
    for at in range(begin - 1, end):
        for way in range(1 if read[OPEN][at] == read[CLOSED][at] else 2):
            eight = read[CLOSED][at] if way == CLOSED else read[OPEN][at]
            for mask in _WIDE:
                key = eight & mask
                if not _may_be(pieces.known, key) or (way == CLOSED and key & _HIGH == _NOTHING):
                    continue
                for piece in _rows(pieces.slots[_slot(pieces.slots, key), 1]):
                    left -= 1
                    row = pieces.pieces[piece]
                    place = at - np.int64(row[ABOUT] & _BYTE)
                    if left < 0 or not _stands(read, place, row):
                        continue
                    for need in _rows(row[NEEDS]):
                        left -= 1
                        number, high = pieces.needs[need, 0], place - begin + 1
                        if number < 0:
                            present[-1 - number] = 1
                        elif high >= 0:
                            low = max(0, high - 1 - pieces.needs[need, 1])
                            found = _roomy(found, total)
                            found[total, 0], found[total, 1], found[total, 2] = number, low, high
                            total += 1
    return found, total, left


@compiled
def _roomy(found: Numbers, total: int) -> Numbers:
    """The same, with room for one more."""
    if total < len(found):
        return found
    more = np.empty((2 * total, 3), np.int32)
    more[:total] = found
    return more


@compiled
def _may_be(known: Words, key: np.uint64) -> bool:
    """Whether pieces may be found by these bytes."""
    hashed = key * _FACTOR >> _FINE
    return bool(known[hashed >> _SIX] >> (hashed & _ROUND) & _ONE)


@compiled
def _slot(slots: Words, key: np.uint64) -> np.uint64:
    """Where it says which pieces are found by these bytes; an empty slot where none are."""
    slot = key * _FACTOR >> _DOWN
    while slots[slot, 0] != key and slots[slot, 0] != _NOTHING:
        slot = (slot + _ONE) & _LAST
    return slot


@compiled
def _rows(both: np.uint64) -> range:
    """Rows that stand in one number, see `_range`."""
    return range(np.int64(both & _LOW), np.int64(both >> _HALF))


@compiled
def _stands(read: tuple[Words, Words], at: np.int64, piece: Words) -> bool:
    """Whether the whole piece is there."""
    about = piece[ABOUT]
    first, second = _FIRST_BYTES[about >> _EIGHT & _BYTE], _FIRST_BYTES[about >> _SIXTEEN & _BYTE]
    if about >> _THREE_BYTES:
        here, behind = read[CLOSED][at], read[CLOSED][at + PIECE]
    else:
        here, behind = read[OPEN][at], read[OPEN][at + PIECE]
    return bool(here & first == piece[0] and behind & second == piece[1])


@compiled
def _begins(
    text: Bytes, place: Numbers, ways: Ways, code: Code, open_: Numbers, left: int, tried: Numbers
) -> tuple[bool, int]:
    """Whether an expression begins from `low` to `high`, as `order.Search` would find it there, and what the
    way needs beside it is there; and how many steps are left. It may tell too much, never too little.

    `tried`: from where to where the way was tried in vain, and how far the text was looked at for it: what
    does not depend on where a search ends is not tried again.
    """
    way, low, high = place
    start, size = ways.starts[way], len(text)
    if start[0] < 0:
        return True, left - 1
    end = min(size, high + (REACH if high - low < FEW else LONGEST))
    first, most = low, 0
    if tried[0] <= low <= tried[1] + 1 and tried[2] < end:
        first, most = tried[0], tried[2]
        low = tried[1] + 1
    while low <= high:
        at, stop, far, steps = run(text, (low, high, end), start, code, open_, left)
        left -= steps
        if stop == FAILED and far >= end < min(size, high + REACH):  # it may end later
            end = min(size, high + REACH)
            continue
        if stop == STOPPED:
            return True, left
        most = max(most, far)
        if stop < 0:
            break
        there = True
        for beside in range(ways.first[way], ways.first[way + 1]):
            there, left = _beside(text, at, stop, ways.beside[beside], code, open_, left)
            if not there:
                break
        if there:
            return True, left
        low = at + 1
    if most < end:
        tried[0], tried[1], tried[2] = first, max(high, low - 1), most
    return False, left


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
