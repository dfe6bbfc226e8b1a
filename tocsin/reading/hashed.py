"""Words of many texts as hashes, and what follows from those alone: pairs, runs of words, votes.

One pass over the bytes of all texts finds the words, others go over their hashes; all are compiled, and all
is integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tocsin.reading.compiled import compiled

RUN = 4  # words that a sketch tells apart
BITS = 52  # of a run's hash; those above hold the number of its text
SLOTS = 1 << 15  # places in a table of words
SLOT_BITS = np.uint64(64 - 15)
_LANE = 255  # counts that fit into a byte

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]

_M = np.array(
    [0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93, 0xFF51AFD7ED558CCD],
    np.uint64,
)
_ONE, _EIGHT, _HALF, _BYTE = np.uint64(1), np.uint64(8), np.uint64(32), np.uint64(0xFF)
_TOP, _RUN_BITS = np.uint64(64 - BITS), np.uint64(BITS)
LOW = np.uint64((1 << BITS) - 1)
_FIRST_BYTES = np.array([(1 << 8 * kept) - 1 for kept in range(9)], np.uint64)
_PADDING = bytes(24)
# Letters, digits, `_` and everything beyond ASCII.
_INSIDE = np.array([chr(code).isalnum() or code == 95 or code >= 0x80 for code in range(256)])
_LANES = np.array(
    [sum(1 << 8 * bit for bit in range(8) if byte >> bit & 1) for byte in range(256)], np.uint64
)


class Words(NamedTuple):
    """Hashes of the words of many texts; `first` has the number of each text's first word, and the end."""

    hashes: Hashes
    first: Places


def words(texts: Sequence[bytes]) -> Words:
    """The words of small-letter UTF-8: runs of letters and digits, hashed from their first sixteen bytes,
    their last eight and their length."""
    joined = b"".join([b"\n" + text for text in texts]) + b"\n"
    raw = np.frombuffer(joined, np.uint8)
    eights = np.ndarray((len(joined) + 16,), "<u8", joined + _PADDING, strides=(1,))
    begins = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) + 1 for text in texts], out=begins[1:])
    hashes, first = np.empty(len(joined) // 2, np.uint64), np.empty(len(begins), np.int64)
    return Words(hashes[: _read(raw, eights, begins, hashes, first)], first)


@compiled
def _read(raw: NDArray[np.uint8], eights: Hashes, begins: Places, hashes: Hashes, first: Places) -> int:
    """Fills in the hashes; how many there are. Every text begins with a line break, and the last ends so."""
    count = at = 0
    for text in range(len(begins) - 1):
        first[text] = count
        while at < begins[text + 1]:
            if not _INSIDE[raw[at]]:
                at += 1
                continue
            start = at
            while _INSIDE[raw[at]]:
                at += 1
            hashes[count] = _hashed(eights, start, at - start)
            count += 1
    first[-1] = count
    return count


@compiled
def _hashed(eights: Hashes, start: int, length: int) -> np.uint64:
    hashed = (eights[start] & _FIRST_BYTES[min(length, 8)]) * _M[0] + np.uint64(length)
    if length > 8:
        more = (eights[start + 8] & _FIRST_BYTES[min(length - 8, 8)]) * _M[1]
        hashed ^= more ^ eights[start + length - 8] * _M[2]
    return mixed(hashed)


@compiled
def mixed(value: np.uint64) -> np.uint64:
    """Every bit depends on every bit (the finaliser of MurmurHash3, one round)."""
    value ^= value >> _HALF
    value *= _M[4]
    return value ^ value >> _HALF


@compiled
def simhashes(hashes: Hashes, first: Places) -> Hashes:
    """64 bits of each text: of which each pair of neighbouring words says yes or no, the majority counts."""
    found = np.zeros(len(first) - 1, np.uint64)
    lanes, counts = np.zeros(8, np.uint64), np.zeros(64, np.int64)
    for text in range(len(found)):
        size = first[text + 1] - first[text]
        counts[:] = 0
        for number in range(size):
            word = first[text] + number
            pair = hashes[word] * _M[3]
            pair = mixed(pair + hashes[word - 1] if number else pair)
            for byte in range(8):
                lanes[byte] += _LANES[pair >> np.uint64(8 * byte) & _BYTE]
            if number % _LANE == _LANE - 1 or number == size - 1:
                _spill(lanes, counts)
        for bit in range(64):
            if 2 * counts[bit] > size:
                found[text] |= _ONE << np.uint64(bit)
    return found


@compiled
def _spill(lanes: Hashes, counts: Places) -> None:
    """Adds what was counted in bytes, each of which is full soon."""
    for byte in range(8):
        for bit in range(8):
            counts[8 * byte + bit] += np.int64(lanes[byte] >> np.uint64(8 * bit) & _BYTE)
        lanes[byte] = 0


@compiled
def runs(hashes: Hashes, first: Places) -> Hashes:
    """Each run of RUN words: the number of its text above `BITS` of its hash."""
    found, count = np.empty(len(hashes), np.uint64), 0
    for text in range(len(first) - 1):
        for at in range(first[text] + RUN - 1, first[text + 1]):
            run = hashes[at] * _M[0] + hashes[at - 1] * _M[1]
            run = (run ^ hashes[at - 2] * _M[2]) + hashes[at - 3] * _M[3]
            found[count] = mixed(run) >> _TOP | np.uint64(text) << _RUN_BITS
            count += 1
    return found[:count]


@compiled
def unlike(runs: Hashes, totals: Places, distinct: Places) -> Hashes:
    """The hashes of different runs, which are sorted; counts all and the different ones of each text."""
    found, count = np.empty(len(runs), np.uint64), 0
    for at in range(len(runs)):
        text = np.int64(runs[at] >> _RUN_BITS)
        totals[text] += 1
        if at == 0 or runs[at] != runs[at - 1]:
            found[count] = runs[at] & LOW
            distinct[text] += 1
            count += 1
    return found[:count]


@compiled
def votes(hashes: Hashes, first: Places, keys: Hashes, owners: NDArray[np.uint8], found: Places) -> None:
    """Counts the words of each owner in each text; a key stands in the slot of its first bits."""
    for text in range(len(first) - 1):
        for at in range(first[text], first[text + 1]):
            slot = hashes[at] >> SLOT_BITS
            if keys[slot] == hashes[at]:
                found[text, owners[slot]] += 1
