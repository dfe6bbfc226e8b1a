"""What texts look like in numbers: their words, the words near them and their kinds, hashed.

Many texts lie in one buffer of bytes and every step is one pass of numpy over it, most of them over words
alone: a word is hashed from its first sixteen bytes and its last eight, picked up as 64-bit numbers wherever
they lie. All is integers: a text reads the same in any company.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint32]
Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]

BITS = 19  # of a feature's number
PART = 1 << 15  # bytes that are read at once; a longer text is read in parts
STEM = 5  # characters that stand for a word's inflections
REACH = 8  # words between two kinds that still belong together
LEAD = 2  # words that stand before every text, so that nothing looks back into another
EDGE = 255  # the kind of those

_FIRST = b"\x02\n\x02\n"
_PADDING = bytes(24)
_K = [np.uint32(number) for number in (
    0x85EBCA6B, 0xC2B2AE35, 0x27D4EB2F, 0x165667B1, 0xD3A2646D, 0xFD7046C5, 0xB55A4F09, 0x7FEB352D,
    0x846CA68B, 0x9E485565, 0xEF1D6B47,
)]  # fmt: skip
_L = [np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)]
_SHIFT = np.uint32(32 - BITS)
_KIND_BITS = 20
_MASK = np.array([(1 << 8 * kept) - 1 for kept in range(9)], np.uint64)  # keeps the first bytes of eight
_STOP = np.zeros(256, bool)
_STOP[[*b".!?;\n\r"]] = True
_LONG = 24  # bytes; longer runs are blobs
_WAYS = 64  # a word may be written: its first, second and last byte are small, capital, digit or other


class Words(NamedTuple):
    """The words of many texts; `first` has, for each text, the number of its first word, and the end."""

    word: Hashes
    stem: Hashes
    gap: Hashes  # what stands before the word
    opens: Flags  # the word begins a sentence or a line
    shape: Hashes  # how it is written
    first: Places


def parts(text: str) -> list[bytes]:
    """A text as bytes, in parts that fit."""
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) != len(text):
        raw = _small(raw, text.lower().encode("utf-8", "surrogatepass"))
    room = PART - len(_FIRST) - 1
    if len(raw) <= room:
        return [raw]
    return [raw[at : at + room] for at in range(0, len(raw), room)]


def _small(raw: bytes, lowered: bytes) -> bytes:
    """Small letters beyond ASCII; ASCII keeps its capitals where every character keeps its place."""
    if len(raw) != len(lowered):
        return lowered
    here, there = np.frombuffer(raw, np.uint8), np.frombuffer(lowered, np.uint8)
    return np.where(here < 0x80, here, there).tobytes()


def size(part: bytes) -> int:
    """How much room a part takes among others."""
    return len(_FIRST) + len(part) + 1


def words(texts: Sequence[bytes]) -> Words:
    """The words of texts that fit together into one part."""
    joined = b"".join([_FIRST + text + b"\n" for text in texts])
    raw = np.frombuffer(joined + _PADDING, np.uint8)
    begins = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([size(text) for text in texts], out=begins[1:])
    capital, digit = raw - np.uint8(65) < 26, raw - np.uint8(48) < 10
    plain = np.where(digit, np.uint8(48), raw | capital.view(np.uint8) << np.uint8(5))
    inside = (plain - np.uint8(97) < 26) | digit | (plain >= 0x80) | (plain == 95) | (plain == 2)
    start, end = _runs(raw, inside, joined.isascii())
    eights = np.ndarray((len(joined) + 16,), "<u8", plain.data, strides=(1,))
    before = np.zeros_like(start)
    before[1:] = end[:-1]
    length = end - start
    return Words(
        _hashed(eights, start, length),
        _short(eights, start, np.minimum(length, np.where(raw[start] < 0x80, STEM, 8))),
        _short(eights, before, start - before),
        _STOP[raw[before]] | (raw[start - 1] == 10),
        _shapes(capital.view(np.uint8) + (digit.view(np.uint8) << np.uint8(1)), start, length),
        np.searchsorted(start, begins),
    )


def _runs(raw: Bytes, inside: Flags, plain: bool) -> tuple[Places, Places]:
    """Where words start and end."""
    if not plain:
        return _foreign_runs(raw, inside)
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    return np.concatenate(([0], edges[1::2])), edges[0::2]


def _foreign_runs(raw: Bytes, inside: Flags) -> tuple[Places, Places]:
    """Where each character of Han, kana, hangul and Thai is a word, and marks stand between words."""
    follow = np.zeros_like(raw)
    follow[:-1] = raw[1:]
    narrow = raw == 0xC2
    wide = (raw == 0xE2) | ((raw == 0xE3) & (follow == 0x80)) | ((raw == 0xEF) & (follow == 0xBC))
    alone = (raw >= 0xE3) & (raw <= 0xED) | (raw == 0xE0) & ((follow == 0xB8) | (follow == 0xB9))
    alone &= ~wide
    inside[wide | narrow] = False
    inside[1:] &= ~(wide | narrow)[:-1]
    inside[2:] &= ~wide[:-2]
    opening, closing = inside.copy(), np.zeros_like(inside)
    opening[1:] &= ~inside[:-1]
    opening |= alone & inside
    opening[3:] |= alone[:-3] & inside[3:]
    closing[:-1] = inside[:-1] & (~inside[1:] | opening[1:])
    return np.flatnonzero(opening), np.flatnonzero(closing) + 1


def _hashed(eights: NDArray[np.uint64], start: Places, length: Places) -> Hashes:
    """Words by their first sixteen bytes, their last eight and their length."""
    wide = eights[start] & _MASK[np.minimum(length, 8)]
    wide *= _L[0]
    longer = np.flatnonzero(length > 8)
    begin, rest = start[longer], length[longer]
    more = (eights[begin + 8] & _MASK[np.minimum(rest - 8, 8)]) * _L[1]
    more += (eights[begin + rest - 8] + rest.astype(np.uint64)) * _L[2]
    wide[longer] += more
    return _folded(wide)


def _short(eights: NDArray[np.uint64], start: Places, length: Places) -> Hashes:
    """Runs by their first eight bytes."""
    return _folded((eights[start] & _MASK[np.minimum(length, 8)]) * _L[0])


def _folded(wide: NDArray[np.uint64]) -> Hashes:
    return _mixed((wide >> np.uint64(32)).astype(np.uint32) ^ wide.astype(np.uint32))


def _shapes(marks: Bytes, start: Places, length: Places) -> Hashes:
    """One number of `_WAYS` for how a word is written; the number after them for blobs."""
    shape = (
        marks[start] + marks[start + (length > 1)] * np.uint8(4) + marks[start + length - 1] * np.uint8(16)
    )
    shape[length > _LONG] = _WAYS
    return np.asarray(shape.astype(np.uint32))


def _mixed(values: Hashes) -> Hashes:
    values ^= values >> np.uint32(16)
    values *= _K[0]
    values ^= values >> np.uint32(13)
    values *= _K[1]
    return values


class Kinds:
    """Which kind of word a word is; a stranger is taken for a known one in a few of a thousand cases."""

    def __init__(self, keys: Hashes, kinds: Bytes) -> None:
        self.keys, self.kinds = keys, kinds
        self._table = np.zeros(1 << _KIND_BITS, np.uint8)
        self._table[keys >> np.uint32(32 - _KIND_BITS)] = kinds

    def of(self, found: Words) -> Bytes:
        """The kind of each word: of it and the next, else of it alone, else of its stem; 0 for most."""
        kinds = self._look(found.stem * _K[9])
        for hashes in (found.word, pairs(found)):
            better = self._look(hashes)
            np.copyto(kinds, better, where=better != 0)
        kinds[found.first[:-1]] = EDGE
        kinds[found.first[:-1] + 1] = EDGE
        return kinds

    def _look(self, hashes: Hashes) -> Bytes:
        return np.asarray(self._table[hashes >> np.uint32(32 - _KIND_BITS)])


def pairs(found: Words) -> Hashes:
    """A hash of each word with the next."""
    both = found.word * _K[1]
    both[:-1] += found.word[1:] * _K[2]
    both[-1:] += found.word[:1] * _K[2]
    return both


def key(entry: str) -> int:
    """The hash under which a lexicon's entry is known: a word, two words, or a stem with a star."""
    found = words(parts(entry.rstrip("*")))
    if entry.endswith("*"):
        return int((found.stem * _K[9])[LEAD])
    return int(found.word[LEAD] if len(found.word) == LEAD + 1 else pairs(found)[LEAD])


def numbers(found: Words, kinds: Bytes) -> list[Hashes]:
    """The features of each word, one array for each sort of feature."""
    kind = kinds.astype(np.uint32)
    previous = _shifted(found.word, 1)
    previous[found.opens] = _K[5]
    hashed = [
        found.word * _K[1],
        found.stem * _K[2] + previous * _K[3],
        found.stem * _K[4] + _shifted(found.word, 2) * _K[5],
        _form(found) * _K[6] + kind * _K[7],
        *_kin(kind, found.opens),
    ]
    return [_mixed(each) >> _SHIFT for each in hashed]


def _form(found: Words) -> Hashes:
    """How the words around are written, and what stands between them."""
    shape = found.shape
    form = shape + _shifted(shape, 1) * _K[9] + _shifted(shape, 2) * _K[10]
    return np.asarray(form * _K[8] + found.gap)


def _kin(kind: Hashes, opens: Flags) -> list[Hashes]:
    """For each word of a kind, that kind with the one or two kinds that came last, if within reach."""
    known = np.flatnonzero(kind)
    two, three = np.zeros_like(kind), np.zeros_like(kind)
    here = kind[known]
    near = _shifted(here, 1)
    near[1:] *= known[1:] - known[:-1] <= REACH
    far = _shifted(here, 2)
    far[1:] *= near[:-1] != 0
    far *= near != 0
    two[known] = here * _K[1] + near * _K[4] + opens[known] * _K[6]
    three[known] = here * _K[2] + near * _K[5] + far * _K[7]
    return [two, three]


def _shifted(values: Hashes, by: int) -> Hashes:
    moved = np.zeros_like(values)
    moved[by:] = values[:-by]
    return moved
