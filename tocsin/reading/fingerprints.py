"""Fingerprints and shape of many texts at once: what near copies share, and what no copy shows.

All texts lie in one buffer, and every step is one pass over its bytes, words or runs of words (see
`tocsin.reading.hashed`). All that decides is integers, so a text's figures are the same in any company.

Simhash: M. Charikar, Similarity estimation techniques from rounding algorithms, STOC 2002, over pairs of
words. Sketches: the smallest hashes of runs of words (A. Broder, On the resemblance and containment of
documents, 1997), under a key SipHash-2-4 (J.-P. Aumasson, D. Bernstein, 2012).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tocsin.reading import hashed
from tocsin.reading.compiled import compiled
from tocsin.reading.hashed import Hashes, Places, Words, words

KEPT = 1024  # hashes of a text by which its overlap with another is told
SHINGLES = 256  # of a text at most; of about one run of words in `_SHARE`
_SHARE = 4
_BATCH = 1 << 17  # bytes that are read at once
_TEXTS = 1 << 12  # texts that are read at once
_SIP = [np.uint64(each) for each in (
    0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573
)]  # fmt: skip
_EIGHT_BYTES = np.uint64(8 << 56)
NO_RUNS = np.zeros(0, np.uint64)


class Print(NamedTuple):
    """What one text is like."""

    simhash: int
    repetition: float  # share of its runs of words that stood in it before
    entropy: float  # bits a byte
    votes: tuple[int, ...]  # words of each language
    runs: Hashes  # the smallest KEPT of the distinct hashes of its runs of words, growing
    words: int


class Voters:
    """Words by which languages are told, each of one language."""

    def __init__(self, languages: Sequence[Sequence[str]]) -> None:
        self._languages = len(languages)
        found = words([word.encode() for language in languages for word in language])
        owner = np.repeat(np.arange(len(languages)), [len(language) for language in languages])
        self._keys, self._owners = np.zeros(hashed.SLOTS, np.uint64), np.zeros(hashed.SLOTS, np.uint8)
        slots = found.hashes >> hashed.SLOT_BITS
        self._keys[slots], self._owners[slots] = found.hashes, owner

    def count(self, found: Words) -> Places:
        """How many words of each language stand in each text: a row for each."""
        counts = np.zeros((len(found.first) - 1, self._languages), np.int64)
        hashed.votes(*found, self._keys, self._owners, counts)
        return counts


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


def prints(texts: Sequence[bytes], voters: Voters) -> list[Print]:
    """What each text is like; `texts` are small-letter UTF-8."""
    return [each for start, end in batches(texts) for each in _prints(texts[start:end], voters)]


def _prints(texts: Sequence[bytes], voters: Voters) -> Iterator[Print]:
    found = words(texts)
    runs, repeated = zip(*_distinct(found), strict=True)
    return map(
        Print,
        hashed.simhashes(*found).tolist(),
        repeated,
        entropy(texts).tolist(),
        map(tuple, voters.count(found).tolist()),
        runs,
        np.diff(found.first).tolist(),
    )


def _distinct(found: Words) -> Iterator[tuple[Hashes, float]]:
    """The distinct runs of each text, the smallest KEPT, and the share of those that repeat."""
    totals, distinct = np.zeros((2, len(found.first) - 1), np.int64)
    unlike, start = hashed.unlike(np.sort(hashed.runs(*found)), totals, distinct), 0
    for total, count in zip(totals.tolist(), distinct.tolist(), strict=True):
        repeated = round(1 - count / total, 4) if total else 0.0
        yield unlike[start : start + min(count, KEPT)].copy(), repeated
        start += count


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
        sampled = runs[: np.searchsorted(runs, hashed.LOW // np.uint64(_SHARE))][:SHINGLES]
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
