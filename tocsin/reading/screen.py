"""Which of many sets of expressions could occur in a text, and where: by the pieces that they need.

All pieces are looked for at once, each under a hash of its first eight bytes (after Wu and Manber, A fast
algorithm for multi-pattern searching, 1994). It may tell too much, never too little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tocsin.reading.compiled import compiled
from tocsin.reading.literals import ASCII, LONGEST, SMALL

Numbers = NDArray[np.int32]
Words = NDArray[np.uint64]
Bytes = NDArray[np.uint8]
Pieces = tuple[Words, Words, Words]  # first halves, second halves and masks of those
Table = tuple[Numbers, Bytes, Bytes]
Lists = tuple[tuple[Numbers, Numbers], ...]
PIECES = 262_144  # found in one text, and
EACH = 256  # places told of one set, and
MOST = 8192  # of all; where there is more, the text counts as not read in full
_HALF = 8
_BITS = 16
_U = np.uint64
_FACTOR = _U(0x9E3779B97F4A7C15)
_ONE, _EIGHT, _TOP, _DOWN = _U(1), _U(8), _U(56), _U(64 - _BITS)
_FIVE, _LONG, _SHORT = _U(0xFFFFFFFFFF), 16, np.uint8(15)
_THREE, _LAST = _U(0xFFFFFF), _U((1 << _BITS) - 1)
_BLOCK, _ROUND, _SIXTY_FOUR, _NONE = _U(6), _U(63), _U(64), _U(0)
_ALL, _AROUND = _U((1 << 64) - 1), 63
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(_HALF + 1)], np.uint64)
_PADDING = b" " * LONGEST


class Near(NamedTuple):
    """A group, and how many bytes before and after the first group of its set one of its pieces begins."""

    group: int
    before: int
    after: int


class Screen:
    """Sets of groups of pieces. A set is told at the pieces of its first group that have near them, for each
    other group, one of its pieces; a block more or less counts as near."""

    def __init__(self, groups: Sequence[Mapping[bytes, int]], sets: Sequence[Sequence[Near]]) -> None:
        known: dict[bytes, list[tuple[int, int]]] = {}
        for number, group in enumerate(groups):
            for piece, before in group.items():
                known.setdefault(piece, []).append((number, before))
        self._pieces = _pieces(known)
        self._table = _table(self._pieces)
        first: list[list[int]] = [[] for _ in groups]
        for number, each in enumerate(sets):
            first[each[0].group].append(number)
        groups_of = [known[piece] for piece in sorted(known, key=_order)]
        self._lists = _lists(groups_of), _nears(sets), _lists(first)
        self._room = np.empty((PIECES, 2), np.int32), np.empty((MOST, 3), np.int32)

    def find(self, data: bytes) -> tuple[list[tuple[int, int, int]], bool]:
        """Numbers of sets, where a piece of their first group is, how many bytes may stand before it; and
        whether all was read."""
        open_ = b" " + data.translate(ASCII) + _PADDING
        small = _NOTHING if data.isascii() else b" " + data.translate(SMALL) + _PADDING
        texts = np.frombuffer(open_, np.uint8), np.frombuffer(small, np.uint8)
        count, whole = _find(*texts, self._pieces, self._table, self._lists, self._room)
        return list(map(tuple, self._room[1][:count].tolist())), whole


def _order(piece: bytes) -> tuple[int, bytes]:
    return int.from_bytes(piece[:_HALF], "little"), piece


def _pieces(known: Mapping[bytes, Any]) -> Pieces:
    """Of each piece; equal first halves stand together."""
    some = sorted(known, key=_order)
    first = np.array([int.from_bytes(each[:_HALF], "little") for each in some], np.uint64)
    second = np.array([int.from_bytes(each[_HALF:], "little") for each in some], np.uint64)
    return first, second, _MASKS[[max(0, len(each) - _HALF) for each in some]]


def _table(pieces: Pieces) -> Table:
    """Where the pieces with a first half begin, by its hash; and how long, as bits, the first halves are that
    begin with three bytes, and with five, by their hashes."""
    first = pieces[0]
    slots = np.full(1 << _BITS, -1, np.int32)
    sizes, longer = np.zeros(1 << _BITS, np.uint8), np.zeros(1 << _BITS, np.uint8)
    for at, half in enumerate(first.tolist()):
        if at and first[at - 1] == half:
            continue
        slot = _hashed(half)
        while slots[slot] >= 0:
            slot = (slot + 1) % len(slots)
        slots[slot] = at
        size = (half.bit_length() + 7) // 8
        sizes[_hashed(half & 0xFFFFFF)] |= 1 << (size - 1)
        longer[_hashed(half & 0xFFFFFFFFFF)] |= 1 << (size - 1)
    return slots, sizes, longer


def _hashed(value: int) -> int:
    return ((value * int(_FACTOR)) & (1 << 64) - 1) >> (64 - _BITS)


def _nears(sets: Sequence[Sequence[Near]]) -> tuple[Numbers, Numbers]:
    """Where each set's groups but the first begin; those groups, with blocks: how many before, and in all."""
    starts = np.cumsum([0, *(len(each) - 1 for each in sets)]).astype(np.int32)
    blocks = [(one.group, _blocks(one.before), _blocks(one.after)) for each in sets for one in each[1:]]
    rows = [
        (group, before, before + after) if before + after < _AROUND else (group, 0, _AROUND)
        for group, before, after in blocks
    ]
    return starts, np.array(rows or [(0, 0, 0)], np.int32)


def _blocks(reach: int) -> int:
    return min(_AROUND, (reach >> int(_BLOCK)) + 1)


def _lists(some: Sequence[Sequence[Any]]) -> tuple[Numbers, Numbers]:
    """Where each list begins, and all of them."""
    starts = np.cumsum([0, *map(len, some)]).astype(np.int32)
    return starts, np.array([each for one in some for each in one], np.int32)


@compiled
def _scan(text: Bytes, pieces: Pieces, table: Table, found: Numbers, count: int) -> int:
    """Adds piece and place of every piece in the text, until there is no room."""
    first, second, masks = pieces
    slots, sizes, longer = table
    near, far = _U(0), _U(0)
    for at in range(_HALF):
        near |= _U(text[at]) << _U(8 * at)
        far |= _U(text[_HALF + at]) << _U(8 * at)
    for at in range(len(text) - LONGEST):
        lengths = sizes[((near & _THREE) * _FACTOR) >> _DOWN]
        if lengths >= _LONG:
            lengths &= longer[((near & _FIVE) * _FACTOR) >> _DOWN] | _SHORT
        size = 0
        while lengths:
            if lengths & 1:
                half = near & _MASKS[size + 1]
                slot = (half * _FACTOR) >> _DOWN
                while slots[slot] >= 0 and first[slots[slot]] != half:
                    slot = (slot + _ONE) & _LAST
                piece = slots[slot]
                while 0 <= piece < len(first) and first[piece] == half:
                    if far & masks[piece] == second[piece]:
                        if count == len(found):
                            return count
                        found[count, 0], found[count, 1] = piece, at - 1
                        count += 1
                    piece += 1
            lengths >>= 1
            size += 1
        near = near >> _EIGHT | far << _TOP
        far = far >> _EIGHT | _U(text[at + LONGEST]) << _TOP
    return count


@compiled
def _find(
    open_: Bytes, small: Bytes, pieces: Pieces, table: Table, lists: Lists, room: tuple[Numbers, Numbers]
) -> tuple[int, bool]:
    """Fills the second room with sets and places; how many, and whether that is all."""
    (group_of, groups), (set_of, sets), (told_of, told) = lists
    found, places = room
    count = _scan(open_, pieces, table, found, 0)
    if len(small) > LONGEST:
        count = _scan(small, pieces, table, found, count)
    seen = np.zeros(len(told_of), np.uint64)  # blocks of the text, as bits; block 64 is block 0 again
    for at in range(count):
        for group in range(group_of[found[at, 0]], group_of[found[at, 0] + 1]):
            seen[groups[group, 0]] |= _ONE << (_U(found[at, 1] + 1) >> _BLOCK & _ROUND)
    kept, left_out = 0, False
    each = np.zeros(len(set_of), np.int32)
    for at in range(count):
        block = _U(found[at, 1] + 1) >> _BLOCK
        for group in range(group_of[found[at, 0]], group_of[found[at, 0] + 1]):
            for number in range(told_of[groups[group, 0]], told_of[groups[group, 0] + 1]):
                near = True
                for other in range(set_of[told[number]], set_of[told[number] + 1]):
                    turned = (block - _U(sets[other, 1])) & _ROUND
                    bits = seen[sets[other, 0]]
                    bits = bits >> turned | bits << (_SIXTY_FOUR - turned & _ROUND)
                    near = bits & (_ALL >> _U(_AROUND - sets[other, 2])) != _NONE
                    if not near:
                        break
                if near and (kept == len(places) or each[told[number]] == EACH):
                    left_out = True
                elif near:
                    places[kept, 0], places[kept, 1] = told[number], found[at, 1]
                    places[kept, 2] = groups[group, 1]
                    each[told[number]] += 1
                    kept += 1
    return kept, count < len(found) and not left_out


_NOTHING = bytes(1)
