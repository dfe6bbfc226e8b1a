"""What texts look like in numbers: their words, the words near them and their kinds, hashed.

One pass over the bytes finds the words, a second gives each of them `FEATURES` numbers of `BITS` bits; both
are compiled. All is integers, and nothing looks beyond its text: a text reads the same in any company.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tocsin.reading.compiled import compiled

Bytes = NDArray[np.uint8]
Hashes = NDArray[np.uint64]
Integers = NDArray[np.int64]

BITS = 19  # of a feature's number
FEATURES = 12  # of a word; one that is nought counts for nothing
PART = 1 << 15  # bytes that are read at once; a longer text is read in parts
STEM = 5  # bytes that stand for a word's inflections
REACH = 8  # words between two kinds that still belong together
CLOSE = 4  # words between a kind and a word that may belong to it
KINDS = 64  # at most, and one less
SLOTS = 1 << 13  # of the table of kinds
MEMORY = 5  # numbers that are kept from one word to the next
_TAIL = 3
_BLOB, _STRANGE = 24, 255  # bytes; longer runs are no words, and have a shape of their own

WORD, STEMS, TAIL, GAP, SHAPE, OPENS, KIND = range(7)  # what is known of a word
SIDES = 7

_U = np.uint64
_A, _B, _C = _U(0x9E3779B97F4A7C15), _U(0xC2B2AE3D27D4EB4F), _U(0xD6E8FEB86659FD93)
_SALT = np.array([0x9E3779B97F4A7C15 * (2 * n + 1) % (1 << 64) for n in range(FEATURES)], np.uint64)
_FOLD, _DOWN = _U(32), _U(64 - BITS)
_NONE, _ONE, _EIGHT = _U(0), _U(1), _U(8)
_SLOT_MASK, _FORM_MASK = _U(SLOTS - 1), _U(0xFFFFFF)

# What a byte is: nothing of a word, a letter of one, or the first of a character: a mark or a word by itself.
_GAP, _LETTER, _CAPITAL, _DIGIT, _MARK = range(5)
_SORT = np.zeros(256, np.uint8)
_SORT[128:] = _LETTER
_SORT[[*range(97, 123), 95]] = _LETTER
_SORT[65:91] = _CAPITAL
_SORT[48:58] = _DIGIT
_SORT[[0xC2, 0xE0, *range(0xE2, 0xEE), 0xEF]] = _MARK
_SMALL, _LARGE, _SIGN = (
    _U(_LETTER * 36),
    _U(_CAPITAL * 32 + _LETTER * 4),
    _U(_MARK * 32 + _LETTER * 4),
)
_BYTE, _BLANK = _U(0xFF), _U(32 * int(_A) % (1 << 64))
_MASK = np.array([(1 << 8 * kept) - 1 for kept in range(9)], np.uint64)  # keeps the first bytes of eight
_STOP = np.zeros(256, np.bool_)
_STOP[[*b".!?;:\n\r"]] = True


class Lexicon(NamedTuple):
    """Which kind of word a word is, by its hash."""

    keys: Hashes
    kinds: Bytes


def parts(text: str) -> list[bytes]:
    """A text as bytes, in parts that fit; ASCII keeps its capitals where every character keeps its place."""
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) != len(text):
        raw = _small(raw, text.lower().encode("utf-8", "surrogatepass"))
    return [raw] if len(raw) <= PART else [raw[at : at + PART] for at in range(0, len(raw), PART)]


def _small(raw: bytes, lowered: bytes) -> bytes:
    if len(raw) != len(lowered):
        return lowered
    both = np.frombuffer(bytearray(lowered), np.uint8)
    here = np.frombuffer(raw, np.uint8)
    np.copyto(both, here, where=here < 0x80)
    return both.tobytes()


@compiled
def read(raw: Bytes, eights: Hashes, begin: int, end: int, words: Hashes) -> int:
    """Fills in a row for each word of a text, all but its kind; how many there are.

    `eights` has, for each place, the eight bytes from there on as one number, in small letters.
    """
    count, at = 0, begin
    while True:
        blank, opens = at, count == 0
        width = 0
        while at < end:
            first = _SORT[raw[at]]
            if first != _GAP:
                width = _width(raw, at, end) if first >= _MARK else 0
                if width >= 0:
                    break
            byte = raw[at]
            opens = opens or byte == 10 or (at == blank and (_STOP[byte] or width == -3))
            at += max(1, -width)
        if at >= end:
            return count
        start, inner = at, 0
        if width > 0:
            at = min(at + width, end)
        while width == 0 and at < end:
            first = _SORT[raw[at]]
            if first == _GAP or (first >= _MARK and _width(raw, at, end) != 0):
                break
            if at > start and first != _LETTER:
                inner |= 1 if first == _CAPITAL else 2
            at += 1
        _row(raw, eights, start, at, inner, words[count])
        words[count, GAP] = (eights[blank] & _MASK[min(start - blank, 8)]) * _A
        words[count, OPENS] = _ONE if opens else _NONE
        count += 1


@compiled
def _row(raw: Bytes, eights: Hashes, start: int, end: int, inner: int, row: Hashes) -> None:
    """A word by its first sixteen bytes, its last eight and its length, and how it is written."""
    length = end - start
    hashed = eights[start] & _MASK[min(length, 8)]
    stem = eights[start] & _MASK[min(length, STEM if raw[start] < 0x80 else 8)]
    if length > 8:
        rest = length - 8
        hashed = hashed * _A + (eights[start + 8] & _MASK[min(rest, 8)])
        hashed = (hashed ^ hashed >> _FOLD) * _B + eights[end - 8] + _U(rest)
    if _SORT[raw[start]] == _DIGIT:
        hashed = _U(length)  # all numbers of a length are one word
    hashed = (hashed ^ hashed >> _FOLD) * _A
    stem = (stem ^ stem >> _FOLD) * _A
    tail = max(start, end - _TAIL)
    shape = _SORT[raw[start]] * 32 + _SORT[raw[end - 1]] * 4 + inner
    row[WORD] = hashed ^ (hashed >> _FOLD)
    row[STEMS] = stem ^ (stem >> _FOLD)
    row[TAIL] = (eights[tail] & _MASK[end - tail]) * _A
    row[SHAPE] = _U(shape if length <= _BLOB else _STRANGE)


@compiled
def _width(raw: Bytes, at: int, end: int) -> int:
    """Bytes of a character that is a word by itself; less than nought: those of a mark; nought: a letter."""
    first, second = raw[at], raw[min(at + 1, end - 1)]
    if first == 0xC2:
        return -2
    if first == 0xE2:
        return -3
    if first == 0xE3:
        return -3 if second == 0x80 else 3
    if first == 0xE0:
        return 3 if second == 0xB8 or second == 0xB9 else 0
    if first == 0xEF:
        return -3 if second == 0xBC else 0
    return 3


@compiled
def sort(words: Hashes, count: int, keys: Hashes, kinds: Bytes) -> None:
    """Fills in the kind of each word: of it and the next, else of it, else of its stem; mostly nought."""
    for at in range(count):
        kind = _NONE
        for way in range(3):
            if way == 0:
                hashed = _NONE
                if at + 1 < count:
                    hashed = words[at, WORD] * _A + words[at + 1, WORD] * _B
            elif way == 1:
                hashed = words[at, WORD]
            else:
                hashed = words[at, STEMS] * _C
            slot = (hashed * _A >> _FOLD) & _SLOT_MASK
            while keys[slot] != _NONE and kind == _NONE:
                if keys[slot] == hashed:
                    kind = _U(kinds[slot])
                slot = (slot + _ONE) & _SLOT_MASK
            if kind != _NONE:
                break
        words[at, KIND] = kind


@compiled
def numbers(words: Hashes, at: int, memory: Hashes, out: Integers) -> None:
    """The features of the next word; `memory` is kept from one to the next of a text, zeros at first.

    It holds the last two kinds, where the last of them stood, how the last words were written, and the word
    that opened the sentence. Words as most text has them, small and with a blank between, have no shape.
    """
    word, stem, kind, opens = words[at, WORD], words[at, STEMS], words[at, KIND], words[at, OPENS]
    gap, shape = words[at, GAP], words[at, SHAPE]
    before = words[at - 1, WORD] if at > 0 else _ONE
    farther = words[at - 2, WORD] if at > 1 else _ONE
    stem_before = words[at - 1, STEMS] if at > 0 else _ONE
    stem_farther = words[at - 2, STEMS] if at > 1 else _ONE
    distance = _U(at) - memory[2]
    near = memory[0] if distance <= _U(REACH) else _NONE
    far = memory[1] if near != _NONE else _NONE
    kind_before = words[at - 1, KIND] if at > 0 else _NONE
    if opens != _NONE:
        memory[4] = word
    values = (
        word,
        word * _A + (opens if opens != _NONE else before) * _B,
        word * _A + farther * _C,
        stem * _A + stem_before * _B + opens,
        stem * _A + stem_before * _B + stem_farther * _C,
        words[at, TAIL] * _A + opens,
        memory[3] * _A + shape * _B + gap,
        kind * _A + memory[4] * _C if kind != _NONE else kind_before * _B + word * _C,
        kind * _A + near * _B + opens * _C,
        kind * _A + near * _B + far * _C,
        kind * _A + before * _B,
        stem * _A + near * _B,
    )
    for each in range(FEATURES):
        value = values[each]
        out[each] = int(((value ^ value >> _FOLD) * _SALT[each]) >> _DOWN)
    last = memory[3] & _BYTE
    if shape == _SMALL and gap == _BLANK and last in (_SMALL, _LARGE):
        out[6] = 0
    if shape == _SIGN and last == _SIGN and gap == _NONE:
        out[6] = 0
    if kind == _NONE:
        out[8] = out[9] = out[10] = 0
        if kind_before == _NONE:
            out[7] = 0
    if near == _NONE or distance > _U(CLOSE):
        out[11] = 0
    if kind != _NONE:
        memory[1], memory[0], memory[2] = near, kind, _U(at)
    memory[3] = (memory[3] << _EIGHT ^ shape) & _FORM_MASK


def joined(texts: Sequence[bytes]) -> tuple[Bytes, Hashes]:
    """Texts in one buffer, and the same in small letters as overlapping numbers of eight bytes."""
    raw = b"".join(texts)
    small = raw.lower() + bytes(8)
    return np.frombuffer(raw, np.uint8), np.ndarray((len(raw) + 1,), "<u8", small, strides=(1,))


@compiled
def table(raw: Bytes, eights: Hashes, known: Lexicon) -> tuple[NDArray[np.int32], Hashes]:
    """The features of all words of one part, a row each, and their kinds."""
    words = np.empty((len(raw) + 1, SIDES), np.uint64)
    count = read(raw, eights, 0, len(raw), words)
    sort(words, count, known.keys, known.kinds)
    found = np.empty((count, FEATURES), np.int32)
    memory, out = np.zeros(MEMORY, np.uint64), np.empty(FEATURES, np.int64)
    for at in range(count):
        numbers(words, at, memory, out)
        for each in range(FEATURES):
            found[at, each] = out[each]
    return found, words[:count, KIND].copy()


def pairs(kinds: Hashes) -> NDArray[np.int32]:
    """The features of a window: every two kinds that both are in it."""
    present = np.unique(kinds[kinds != 0]).astype(np.int64)
    first, second = np.triu_indices(len(present), 1)
    return PAIRS[present[first], present[second]]


def _pairs() -> NDArray[np.int32]:
    """The feature of each two kinds."""
    kinds = np.arange(KINDS, dtype=np.uint64)
    mixed = (kinds[:, None] * _A + kinds * _B) * _C
    return np.asarray((mixed ^ mixed >> _FOLD) * _A >> _DOWN).astype(np.int32)


PAIRS = _pairs()


def words(text: str) -> Hashes:
    """The words of a text's first part, a row each."""
    raw, eights = joined(parts(text)[:1])
    rows = np.zeros((len(raw) + 1, SIDES), np.uint64)
    return rows[: read(raw, eights, 0, len(raw), rows)]


def key(entry: str) -> int:
    """The hash under which a lexicon's entry is known: a word, two words, or a stem with a star."""
    found = words(entry.rstrip("*"))
    if entry.endswith("*"):
        return int((found[:1, STEMS] * _C)[0])
    if len(found) == 1:
        return int(found[0, WORD])
    return int((found[:1, WORD] * _A + found[1:2, WORD] * _B)[0])


def lexicon(entries: dict[int, int]) -> Lexicon:
    """The table of kinds by key."""
    keys, kinds = np.zeros(SLOTS, np.uint64), np.zeros(SLOTS, np.uint8)
    for entry, kind in sorted(entries.items()):
        slot = (entry * int(_A) % (1 << 64) >> 32) % SLOTS
        while keys[slot]:
            slot = (slot + 1) % SLOTS
        keys[slot], kinds[slot] = entry, kind
    return Lexicon(keys, kinds)
