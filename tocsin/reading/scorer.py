"""How much texts read like attacks on a model, and how much like instructions: a linear model, batched.

A model is two tables of small integers and a few numbers. Every window of some fifty words has a score of its
own, so that one line in a long document counts; a text is judged by its best window and by the whole.
Pure: a text's figures are the same in any batch.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tocsin.reading import features
from tocsin.reading.features import LEAD, Bytes, Hashes, Kinds, Words

BLOCK = 16  # words
BLOCKS = 3  # in a window
LEAST = 8  # words that a shorter text counts as
MODEL = Path(__file__).with_name("model.npz")
LARGEST = 8 << 20  # bytes of a model's file
FORMAT = 1
FLAGGED = 0.5  # the one threshold: a model is calibrated to it
LIMIT = 1200  # of a weight: six fit into 16 bits together
FIGURES = ("best", "whole")  # of a text: its best window and all of it; the score is logistic in them

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class ModelError(Exception):
    """A model's file is missing, damaged, too large or of another format."""


class Readings(NamedTuple):
    """What a scorer says of texts, an array each.

    `score` is in [0, 1]; at `FLAGGED` sources that were left out of training keep to their false positives;
    a text without words has 0. `instruction` is the log odds that the most instruction-like window is an
    instruction rather than data; `excess` is how far it stands above the text as a whole.
    """

    score: Floats
    instruction: Floats
    excess: Floats


class Windows(NamedTuple):
    """Runs of words, with the text each belongs to."""

    start: Integers
    size: Integers
    text: Integers


class Model(NamedTuple):
    """All that a scorer needs; `about` says where it comes from."""

    attack: NDArray[np.int16]
    instruction: NDArray[np.int16]
    units: Floats  # of the two tables' integers
    bias: Floats  # of the two
    judge: Floats  # weights of FIGURES, and a constant
    keys: Hashes
    kinds: Bytes
    about: dict[str, Any]

    def pack(self) -> bytes:
        """The model as a file: a zip of arrays, the same bytes for the same model."""
        file = io.BytesIO()
        arrays = self._asdict() | {"about": np.frombuffer(self._label().encode(), np.uint8)}
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                inner = io.BytesIO()
                np.lib.format.write_array(inner, np.ascontiguousarray(array), allow_pickle=False)
                entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
                archive.writestr(entry, inner.getvalue(), zipfile.ZIP_DEFLATED, 9)
        return file.getvalue()

    def _label(self) -> str:
        return json.dumps(self.about | {"format": FORMAT, "sha256": self.digest()}, sort_keys=True)

    def digest(self) -> str:
        """SHA-256 over all arrays."""
        total = sha256()
        for array in self[:-1]:
            total.update(np.ascontiguousarray(array).tobytes())
        return total.hexdigest()

    @classmethod
    def unpack(cls, data: bytes) -> Model:
        """A model from a file's bytes; ModelError where they are none, or damaged."""
        if len(data) > LARGEST:
            raise ModelError(f"a model above {LARGEST >> 20} MiB")
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {name: file[name] for name in cls._fields}
            about = json.loads(arrays.pop("about").tobytes())
            model = cls(**arrays, about=about)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise ModelError(f"no model: {type(error).__name__}: {error}") from error
        if about.get("format") != FORMAT or {len(model.attack), len(model.instruction)} != {
            1 << features.BITS
        }:
            raise ModelError(f"a model of another format: {about.get('format')}")
        if about.get("sha256") != model.digest():
            raise ModelError("the model is damaged: its digest is another")
        return model


class Scorer:
    """A model, ready to read texts; texts that are not longer than a part cost one pass together."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.about = model.about
        self._kinds = Kinds(model.keys, model.kinds)
        # Both weights of a feature in one number, fetched together; they stay apart when six are added.
        self._table = (model.attack.astype(np.int32) << 16) + model.instruction

    @classmethod
    def load(cls, path: Path | None = None) -> Scorer:
        """The scorer of a model's file; without a path the one that ships, loaded once."""
        return _shipped() if path is None else cls(Model.unpack(_read(path)))

    def scores(self, texts: Sequence[str], roles: Sequence[str] = ()) -> Floats:
        """The score of each text; `roles` do not change it (instruction and excess are for data's places)."""
        return self.read(texts).score

    def read(self, texts: Sequence[str]) -> Readings:
        """All figures of each text. A long text is as bad as its worst part."""
        result = np.full((len(texts), 3), -np.inf)
        for owners, parts in filled(texts):
            found = self._figures(parts)
            np.maximum.at(result, np.array(owners), np.column_stack((self._judged(found), found[:, 2:])))
        return Readings(result[:, 0], result[:, 1], result[:, 2])

    def figures(self, texts: Sequence[str]) -> Floats:
        """FIGURES, instruction and excess of each text's first part: what a judge is trained on."""
        found = [self._figures(parts) for _, parts in filled(texts, first=True)]
        return np.concatenate(found) if found else np.zeros((0, 4))

    def _judged(self, figures: Floats) -> Floats:
        """Logistic in the figures; no matrix product, whose rounding depends on the batch."""
        best, whole, constant = self.model.judge
        total = figures[:, 0] * best + figures[:, 1] * whole + constant
        return np.where(np.isnan(total), 0.0, 1 / (1 + np.exp(-np.clip(np.nan_to_num(total), -40, 40))))

    def _figures(self, parts: Sequence[bytes]) -> Floats:
        """Of each part, a row; a part without words has no figures in its first two columns."""
        found = features.words(parts)
        seen = windows(found)
        first = np.searchsorted(seen.text, np.arange(len(parts)))
        sizes = found.first[1:] - found.first[:-1] - LEAD
        best, whole = np.empty((2, len(parts))), np.empty((2, len(parts)))
        for head, weights in enumerate(self._weighed(found)):
            total = np.zeros(len(weights) + 1, np.int64)
            np.cumsum(weights, out=total[1:])
            sums = total[seen.start + seen.size] - total[seen.start]
            best[head] = np.maximum.reduceat(sums / np.sqrt(np.maximum(seen.size, LEAST)), first)
            whole[head] = (total[found.first[1:]] - total[found.first[:-1]]) / np.sqrt(
                np.maximum(sizes, LEAST)
            )
        # What a window of the usual size would have, were the text the same throughout.
        usual = whole[1] / np.sqrt(np.maximum(sizes / (BLOCK * BLOCKS), 1))
        units, bias = self.model.units, self.model.bias
        rows = np.column_stack((
            best[0] * units[0] + bias[0],
            whole[0] * units[0] + bias[0],
            best[1] * units[1] + bias[1],
            (best[1] - usual) * units[1],
        ))  # fmt: skip
        rows[sizes <= 0, :2] = np.nan
        return rows

    def _weighed(self, found: Words) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The two weights of each word; none for the words that only stand before a text."""
        first, *rest = features.numbers(found, self._kinds.of(found))
        total = self._table[first]
        for each in rest:
            total += self._table[each]
        for lead in range(LEAD):
            total[found.first[:-1] + lead] = 0
        low = ((total + 0x8000) & 0xFFFF) - 0x8000
        return (total - low) >> 16, low


def windows(found: Words) -> Windows:
    """The windows of each text, each a block further on; the last goes to the end; one for a short text."""
    sizes = np.maximum(found.first[1:] - found.first[:-1] - LEAD, 0)
    counts = np.maximum(-(-sizes // BLOCK) - BLOCKS + 1, 1)
    text = np.repeat(np.arange(len(sizes)), counts)
    begins = np.cumsum(counts) - counts
    place = (np.arange(len(text)) - begins[text]) * BLOCK
    size = np.minimum(sizes[text] - place, BLOCK * BLOCKS)
    return Windows(found.first[text] + LEAD + place, size, text)


def filled(texts: Iterable[str], first: bool = False) -> Iterator[tuple[list[int], list[bytes]]]:
    """Parts of texts, as many as fit together, with the number of the text each comes from."""
    owners: list[int] = []
    taken: list[bytes] = []
    room = features.PART
    for number, text in enumerate(texts):
        for part in features.parts(text)[: 1 if first else None]:
            size = features.size(part)
            if size > room and taken:
                yield owners, taken
                owners, taken, room = [], [], features.PART
            owners.append(number)
            taken.append(part)
            room -= size
    if taken:
        yield owners, taken


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error


@cache
def _shipped() -> Scorer:
    return Scorer(Model.unpack(_read(MODEL)))
