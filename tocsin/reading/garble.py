"""Whether a text ends in tokens that a machine searched for: words and signs run together as nobody writes.

A perplexity filter over a window (Jain et al., Baseline Defenses for Adversarial Attacks Against Aligned
Language Models, 2023; Alon and Kamfonas, Detecting Language Model Attacks with Perplexity, 2023). A table
stands for the language model: log odds of runs of characters, between such tails and ordinary text of many
kinds. All is integers, and of a text, however long, the last hundred bytes are looked at.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tocsin.reading.compiled import compiled
from tocsin.reading.hidden import COMBINING, stripped

TABLE = Path(__file__).with_name("garble.npz")
BITS = 18  # of a run's number
RUNS = 4  # that end at a character: of three, four and six characters, and of how eight are written
WINDOW = 64  # bytes that are judged together
SLACK = 24  # bytes that may follow: a stop, a closing mark, a word
LETTERS = 0.4  # of a tail; drawings, Morse code and tables of signs have fewer
BEFORE = 8  # bytes that the first run may reach back
_LOOKED = WINDOW + SLACK + BEFORE

Bytes = NDArray[np.uint8]
_U = np.uint64
_A, _B, _C, _D = (
    _U(0x9E3779B97F4A7C15),
    _U(0xC2B2AE3D27D4EB4F),
    _U(0xD6E8FEB86659FD93),
    _U(0xA0761D6478BD642F),
)
_EIGHT, _DOWN, _NOTHING = _U(8), _U(64 - BITS), _U(0)
_THREE, _FOUR, _SIX = _U(0xFFFFFF), _U(0xFFFFFFFF), _U(0xFFFFFFFFFFFF)
_FOLDED = np.arange(256, dtype=np.uint8)  # digits are one, and so are the letters of a script
_FOLDED[48:58] = 48
_SCRIPTS = (0x80, 0xC0), (0xC3, 0xCB), (0xCB, 0xCE), (0xCE, 0xD0), (0xD0, 0xD4), (0xD4, 0xE0), (0xE0, 0xE2)
for _first, _end in (*_SCRIPTS, (0xE3, 0xEE), (0xF0, 0x100)):
    _FOLDED[_first:_end] = _first
_SHAPE = _FOLDED.copy()
_SHAPE[65:91] = 65
_SHAPE[97:123] = 97
_SHAPE[[*range(0x80, 0xC2), *range(0xC3, 0xE2), *range(0xE3, 0xF0)]] = 97


class Tail(NamedTuple):
    """The characters of a text that read so; `certainty` is in [0, 1], from suspected to sure."""

    start: int
    end: int
    certainty: float


class Table(NamedTuple):
    """Log odds by the number of a run, in the unit of the limits: sums from which on a tail is suspected, and
    sure."""

    weights: NDArray[np.int8]
    limits: NDArray[np.int64]


class Garble:
    """Tells the tails of texts."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @classmethod
    def load(cls, path: Path = TABLE) -> Garble:
        """The shipped table. Raises OSError, ValueError."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return cls(Table(arrays["weights"], arrays["limits"]))
        except (KeyError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path}: no table of runs") from error

    def tails(self, texts: Sequence[str]) -> list[Tail | None]:
        """Of each text its tail, where it reads so; many texts are one pass."""
        suspected = self._table.limits[0]
        sums, ends = sums_of(texts, self._table.weights)
        return [
            self._tail(text, int(total), int(end)) if total >= suspected else None
            for text, total, end in zip(texts, sums, ends, strict=True)
        ]

    def _tail(self, text: str, total: int, end: int) -> Tail | None:
        data, left = _last(text)
        stop = len(text.rstrip()) - len(data[end:].decode("utf-8", "ignore"))
        start = stop - left - len(data[max(BEFORE, end - WINDOW) : end].decode("utf-8", "ignore"))
        start = max(0, start)
        if sum(map(str.isalpha, text[start:stop])) < LETTERS * (stop - start):
            return None
        suspected, sure = self._table.limits.tolist()
        return Tail(start, stop, min(1.0, (total - suspected) / (sure - suspected)))


def sums_of(texts: Sequence[str], weights: NDArray[np.int8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The largest sum of a window near the end of each text, and where in its last bytes that window ends."""
    if not texts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    last = [_last(text)[0] for text in texts]
    raw = np.frombuffer(b"".join(last), np.uint8)
    return _sums(raw, np.cumsum([0, *map(len, last)]), weights)


def _last(text: str) -> tuple[bytes, int]:
    """The bytes that are looked at, without marks over letters and what nobody sees, and how many characters
    of that were left out; where a text is shorter, line breaks stand before it."""
    near = text[-4 * _LOOKED :].rstrip()
    plain = near if near.isascii() else COMBINING.sub("", stripped(near))
    data = plain[-_LOOKED:].encode("utf-8", "replace")
    return (b"\n" * BEFORE + data)[-_LOOKED:], len(near) - len(plain)


@compiled
def runs(raw: Bytes) -> NDArray[np.int32]:
    """The numbers of the runs that end at each byte, a row each."""
    found = np.empty((len(raw), RUNS), np.int32)
    near, shape = _NOTHING, _NOTHING
    for at in range(len(raw)):
        near = near << _EIGHT | _U(_FOLDED[raw[at]])
        shape = shape << _EIGHT | _U(_SHAPE[raw[at]])
        found[at, 0] = np.int64((near & _THREE) * _A >> _DOWN)
        found[at, 1] = np.int64((near & _FOUR) * _B >> _DOWN)
        found[at, 2] = np.int64((near & _SIX) * _C >> _DOWN)
        found[at, 3] = np.int64(shape * _D >> _DOWN)
    return found


@compiled
def _sums(
    raw: Bytes, bounds: NDArray[np.int64], weights: NDArray[np.int8]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    found = runs(raw)
    sums, ends = np.zeros(len(bounds) - 1, np.int64), np.zeros(len(bounds) - 1, np.int64)
    for number in range(len(sums)):
        begin, stop = bounds[number] + BEFORE, bounds[number + 1]
        total, most, place = np.int64(0), np.int64(-(1 << 40)), begin
        for at in range(begin, stop):
            for each in range(RUNS):
                total += weights[found[at, each]]
                if at - begin >= WINDOW:
                    total -= weights[found[at - WINDOW, each]]
            if stop - at <= SLACK and total > most:
                most, place = total, at + 1
        sums[number], ends[number] = most, place - bounds[number]
    return sums, ends
