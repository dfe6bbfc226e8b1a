"""Fingerprints and shape of many texts at once: what near copies share, and what no copy shows.

All texts lie in one buffer, and every step is one pass of numpy over its bytes, words or runs of words. All
that decides is integers, so a text's figures are the same in any company.

Simhash: M. Charikar, Similarity estimation techniques from rounding algorithms, STOC 2002, over pairs of
words. Sketches: the smallest hashes of runs of words (A. Broder, On the resemblance and containment of
documents, 1997), under a key SipHash-2-4 (J.-P. Aumasson, D. Bernstein, 2012).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tocsin.reading.compiled import compiled

RUN = 4  # words that a sketch tells apart
KEPT = 1024  # hashes of a text by which its overlap with another is told
SHINGLES = 256  # of a text at most; of about one run of words in `_SHARE`
_SHARE = 4
_BATCH = 1 << 17  # bytes that are read at once
_TEXTS = 1 << 12  # texts that are read at once
_BITS = 52  # of a run's hash; those above hold the number of its text
_SLOTS = 1 << 15  # places in the table of words by which languages are told
_SLOT_BITS = np.uint64(64 - 15)
_LANE = 255  # counts that fit into a byte

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]

_M = [np.uint64(each) for each in (
    0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93, 0xFF51AFD7ED558CCD
)]  # fmt: skip
_SIP = [np.uint64(each) for each in (
    0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573
)]  # fmt: skip
_EIGHT_BYTES = np.uint64(8 << 56)
_HALF = np.uint64(32)
_TOP = np.uint64(64 - _BITS)
_RUN_BITS = np.uint64(_BITS)
_LOW = np.uint64((1 << _BITS) - 1)
_FIRST_BYTES = np.array([(1 << 8 * kept) - 1 for kept in range(9)], np.uint64)
_PADDING = bytes(24)
# Letters, digits, `_` and everything beyond ASCII.
_INSIDE = np.array([chr(code).isalnum() or code == 95 or code >= 0x80 for code in range(256)])
_LANES = np.array(
    [sum(1 << 8 * bit for bit in range(8) if byte >> bit & 1) for byte in range(256)], np.uint64
)
NO_RUNS = np.zeros(0, np.uint64)


class Print(NamedTuple):
    """What one text is like."""

    simhash: int
    repetition: float  # share of its runs of words that stood in it before
    entropy: float  # bits a byte
    votes: tuple[int, ...]  # words of each language
    runs: Hashes  # the smallest KEPT of the distinct hashes of its runs of words, growing
    words: int


class Words(NamedTuple):
    """Hashes of the words of many texts; `first` has the number of each text's first word, and the end."""

    hashes: Hashes
    first: Places


class Voters:
    """Words by which languages are told, each of one language."""

    def __init__(self, languages: Sequence[Sequence[str]]) -> None:
        self._languages = len(languages)
        found = words([word.encode() for language in languages for word in language])
        owner = np.repeat(np.arange(len(languages)), [len(language) for language in languages])
        self._keys, self._owners = np.zeros(_SLOTS, np.uint64), np.zeros(_SLOTS, np.uint8)
        slots = found.hashes >> _SLOT_BITS
        self._keys[slots], self._owners[slots] = found.hashes, owner

    def count(self, found: Words) -> Places:
        """How many words of each language stand in each text: a row for each."""
        texts = len(found.first) - 1
        slots = found.hashes >> _SLOT_BITS
        known = np.flatnonzero(self._keys[slots] == found.hashes)
        text = np.searchsorted(found.first, known, side="right") - 1
        places = text * self._languages + self._owners[slots[known]]
        total = texts * self._languages
        return np.bincount(places, minlength=total).reshape(texts, self._languages)


def batches(texts: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Runs of texts that are read together."""
    start = size = 0
    for number, text in enumerate(texts):
        if size + len(text) > _BATCH and number > start or number - start == _TEXTS:
            yield start, number
            start, size = number, 0
        size += len(text) + 1
    if start < len(texts):
        yield start, len(texts)


def words(texts: Sequence[bytes]) -> Words:
    """The words of small-letter UTF-8: runs of letters and digits, hashed from their first sixteen bytes,
    their last eight and their length."""
    joined = b"".join([b"\n" + text for text in texts])
    raw = np.frombuffer(joined + b"\n" + _PADDING, np.uint8)
    inside = _INSIDE[raw]
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    start, end = edges[0::2], edges[1::2]
    eights = np.ndarray((len(joined) + 17,), "<u8", raw.data, strides=(1,))
    length = end - start
    hashes = (eights[start] & _FIRST_BYTES[np.minimum(length, 8)]) * _M[0] + length.astype(np.uint64)
    longer = np.flatnonzero(length > 8)
    if len(longer):
        begin, rest = start[longer], length[longer]
        more = (eights[begin + 8] & _FIRST_BYTES[np.minimum(rest - 8, 8)]) * _M[1]
        more ^= eights[begin + rest - 8] * _M[2]
        hashes[longer] ^= more
    begins = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) + 1 for text in texts], out=begins[1:])
    return Words(mixed(hashes), np.searchsorted(start, begins))


def prints(texts: Sequence[bytes], voters: Voters) -> list[Print]:
    """What each text is like; `texts` are small-letter UTF-8."""
    return [each for start, end in batches(texts) for each in _prints(texts[start:end], voters)]


def _prints(texts: Sequence[bytes], voters: Voters) -> list[Print]:
    found = words(texts)
    counts = np.diff(found.first).tolist()
    entropies = entropy(texts).tolist()
    hashes = simhashes(found)
    votes = voters.count(found).tolist()
    made = []
    for number, (distinct, repeated) in enumerate(_distinct(_runs(found), len(texts))):
        seen = tuple(votes[number])
        made.append(Print(hashes[number], repeated, entropies[number], seen, distinct, counts[number]))
    return made


def mixed(values: Hashes) -> Hashes:
    """Every bit depends on every bit (the finaliser of MurmurHash3, one round)."""
    values ^= values >> _HALF
    values *= _M[4]
    values ^= values >> _HALF
    return values


def simhashes(found: Words) -> list[int]:
    """64 bits of each text: of which each pair of neighbouring words says yes or no, the majority counts."""
    if not len(found.hashes):
        return [0] * (len(found.first) - 1)
    pairs = found.hashes * _M[3]
    pairs[1:] += found.hashes[:-1]
    firsts = found.first[:-1][np.diff(found.first) > 0]
    pairs[firsts] = found.hashes[firsts] * _M[3]
    lanes = _LANES[mixed(pairs).view(np.uint8).reshape(-1, 8)]
    starts = _pieces(firsts, len(pairs))
    parts = np.add.reduceat(lanes, starts, axis=0).view(np.uint8).astype(np.int64)
    counts = np.add.reduceat(parts, np.searchsorted(starts, firsts), axis=0)
    sizes = np.diff(found.first)
    majority = np.packbits(counts * 2 > sizes[sizes > 0][:, None], axis=1, bitorder="little")
    result = np.zeros(len(sizes), np.uint64)
    result[sizes > 0] = majority.view("<u8").ravel()
    return [int(each) for each in result]


def _pieces(firsts: Places, end: int) -> Places:
    """Where the texts begin, and within long ones every `_LANE` words."""
    sizes = np.diff(np.append(firsts, end))
    if sizes.max() <= _LANE:
        return firsts
    return np.concatenate([np.arange(at, at + size, _LANE) for at, size in zip(firsts, sizes, strict=True)])


def _runs(found: Words) -> Hashes:
    """Each run of RUN words: the number of its text above `_BITS` of its hash; in order."""
    word = found.hashes
    if len(word) < RUN:
        return NO_RUNS
    text = np.repeat(np.arange(len(found.first) - 1, dtype=np.uint64), np.diff(found.first))
    run = word[3:] * _M[0]
    run += word[2:-1] * _M[1]
    run ^= word[1:-2] * _M[2]
    run += word[:-3] * _M[3]
    run = (mixed(run) >> _TOP) | (text[3:] << _RUN_BITS)
    return np.sort(run[text[3:] == text[:-3]])


def _distinct(runs: Hashes, texts: int) -> Iterator[tuple[Hashes, float]]:
    """The distinct runs of each text, the smallest KEPT, and the share of those that repeat."""
    first = np.ones(len(runs), bool)
    first[1:] = runs[1:] != runs[:-1]
    unlike = runs[first]
    borders = np.arange(texts + 1, dtype=np.uint64) << _RUN_BITS
    ends = np.searchsorted(unlike, borders).tolist()
    totals = np.diff(np.searchsorted(runs, borders)).tolist()
    for number, total in enumerate(totals):
        start, end = ends[number], ends[number + 1]
        repeated = round(1 - (end - start) / total, 4) if total else 0.0
        yield unlike[start : min(end, start + KEPT)] & _LOW, repeated


def entropy(texts: Sequence[bytes]) -> NDArray[np.float64]:
    """Bits a byte of each text (C. Shannon, 1948)."""
    joined = np.frombuffer(b"".join(texts), np.uint8)
    counts = _counts(joined, np.cumsum([0, *map(len, texts)]))
    sizes = np.maximum(counts.sum(axis=1), 1)
    logs = np.log2(np.maximum(counts, 1))
    bits = np.log2(sizes) - (counts * logs).sum(axis=1) / sizes
    return np.asarray(np.round(np.maximum(bits, 0.0), 3))


@compiled
def _counts(joined: NDArray[np.uint8], borders: Places) -> NDArray[np.float64]:
    counts = np.zeros((len(borders) - 1, 256))
    for number in range(len(borders) - 1):
        for at in range(borders[number], borders[number + 1]):
            counts[number, joined[at]] += 1
    return counts


def overlap(whole: Hashes, other: Hashes) -> float:
    """Share of the runs of words of one text that another holds, estimated where either is long."""
    if not len(whole) or not len(other):
        return 0.0
    most = min([each[-1] for each in (whole, other) if len(each) == KEPT], default=None)
    if most is not None:
        whole = whole[: np.searchsorted(whole, most, side="right")]
    at = np.searchsorted(other, whole)
    at[at == len(other)] = 0
    return round(float(np.count_nonzero(other[at] == whole)) / len(whole), 4)


class Sketcher:
    """A share of the runs of words, under a key: two sketches tell how much of one text is in the other."""

    def __init__(self, key: bytes) -> None:
        self._key = np.frombuffer(key, "<u8")[:2]

    def shingles(self, runs: Hashes) -> tuple[int, ...]:
        """At most SHINGLES numbers, growing; texts that share runs of words share numbers."""
        sampled = runs[: np.searchsorted(runs, _LOW // np.uint64(_SHARE))][:SHINGLES]
        return tuple(np.sort(siphash(sampled, self._key)).tolist()) if len(sampled) else ()


def siphash(values: Hashes, key: Hashes) -> Hashes:
    """SipHash-2-4 of eight bytes each under a key of sixteen."""
    v = [key[0] ^ _SIP[0], key[1] ^ _SIP[1], key[0] ^ _SIP[2], key[1] ^ _SIP[3]]
    state = [np.full(len(values), each) for each in v]
    for block in (values, np.full(len(values), _EIGHT_BYTES)):
        state[3] ^= block
        _rounds(state, 2)
        state[0] ^= block
    state[2] ^= np.uint64(0xFF)
    _rounds(state, 4)
    for each in state[1:]:
        state[0] ^= each
    return state[0]


def _rounds(v: list[Hashes], count: int) -> None:
    for _ in range(count):
        v[0] += v[1]
        v[2] += v[3]
        v[1] = _turned(v[1], 13) ^ v[0]
        v[3] = _turned(v[3], 16) ^ v[2]
        v[0] = _turned(v[0], 32)
        v[2] += v[1]
        v[0] += v[3]
        v[1] = _turned(v[1], 17) ^ v[2]
        v[3] = _turned(v[3], 21) ^ v[0]
        v[2] = _turned(v[2], 32)


def _turned(values: Hashes, by: int) -> Hashes:
    return np.asarray((values << np.uint64(by)) | (values >> np.uint64(64 - by)))
