"""How much texts read like attacks on a model, and how much like instructions: a linear model, batched.

A model is two tables of small integers and a few numbers. Every window of sixteen and of some fifty words has
a score of its own, so that one line in a long document counts; a text is judged by its best window and by the
whole.
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
from tocsin.reading.compiled import compiled
from tocsin.reading.features import FEATURES, Bytes, Hashes, Integers, Lexicon

BLOCK = 8  # words
NARROW, WIDE = 2, 6  # blocks of a window
LEAST = 8  # words that a shorter text counts as
TOGETHER = 1 << 18  # bytes of parts that are read in one pass
MODEL = Path(__file__).with_name("model.npz")
LARGEST = 8 << 20  # bytes of a model's file
FORMAT = 3
FLAGGED = 0.5  # the one threshold: a model is calibrated to it
LIMIT = 1200  # of a weight: FEATURES of them fit into 16 bits together
DATA = frozenset({"tool", "retrieved"})  # roles in whose texts an instruction has no place
FIGURES = ("best", "whole", "instruction", "excess", "brevity")
"""What a text is judged by: how much its best window and all of it read like an attack, how much its most
instruction-like window reads like an instruction, by how much that is more than the text as a whole, and from
how few windows it was chosen (the negative logarithm)."""
JUDGES = ("said", "data", "misplaced")
"""What is said to a model; an attack where data belongs; there, an order that would be harmless elsewhere."""

Floats = NDArray[np.float64]
_CERTAIN = 40.0  # log odds
_NO_KINDS, _ONE = np.uint64(0), np.uint64(1)


class ModelError(Exception):
    """A model's file is missing, damaged, too large or of another format."""


class Readings(NamedTuple):
    """What a scorer says of texts, an array each.

    `score` and `data` are in [0, 1], what a text is as said to a model and where data belongs; at `FLAGGED`
    sources that were left out of training keep to their false positives; a text without words has 0.
    `instruction` is the log odds that the most instruction-like window is an instruction rather than data;
    `excess` is how far it stands above the text as a whole.
    """

    score: Floats
    data: Floats
    instruction: Floats
    excess: Floats


class Model(NamedTuple):
    """All that a scorer needs; `about` says where it comes from."""

    attack: NDArray[np.int16]
    instruction: NDArray[np.int16]
    units: Floats  # of the two tables' integers
    bias: Floats  # of the two
    judges: Floats  # weights of FIGURES and a constant: a row for each of JUDGES
    hidden: Floats  # log odds that text which was hidden has more
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

    def fits(self) -> bool:
        """Whether all arrays have the sizes that compiled code trusts."""
        entries, slots = 1 << features.BITS, features.SLOTS
        wanted = {
            "attack": ((entries,), np.int16),
            "instruction": ((entries,), np.int16),
            "units": ((2,), np.float64),
            "bias": ((2,), np.float64),
            "judges": ((len(JUDGES), len(FIGURES) + 1), np.float64),
            "hidden": ((1,), np.float64),
            "keys": ((slots,), np.uint64),
            "kinds": ((slots,), np.uint8),
        }
        arrays = {name: array for name, array in self._asdict().items() if name != "about"}
        given = {name: (array.shape, array.dtype) for name, array in arrays.items()}
        free = bool(np.count_nonzero(self.keys) < slots) and bool((self.kinds < features.KINDS).all())
        return given == wanted and free

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
        if about.get("format") != FORMAT or not model.fits():
            raise ModelError(f"a model of another format: {about.get('format')}")
        if about.get("sha256") != model.digest():
            raise ModelError("the model is damaged: its digest is another")
        return model


class Scorer:
    """A model, ready to read texts; texts that are not longer than a part cost one pass together."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.about = model.about
        self._lexicon = Lexicon(model.keys, model.kinds)
        # Both weights of a feature in one number, fetched together; they stay apart when all are added.
        self._table = (model.attack.astype(np.int32) << 16) + model.instruction
        self._table[0] = 0
        heads = (model.attack, model.instruction)
        self._pairs = np.stack([head[features.PAIRS.T] for head in heads]).astype(np.int64)

    @classmethod
    def load(cls, path: Path | None = None) -> Scorer:
        """The scorer of a model's file; without a path the one that ships, loaded once."""
        return _shipped() if path is None else cls(Model.unpack(_read(path)))

    def scores(self, texts: Sequence[str], roles: Sequence[str | None] | None = None) -> Floats:
        """The score of each text; of one in a role of `DATA` the one for data.

        Scores of one role compare over time, far below `FLAGGED` too.
        """
        read = self.read(texts)
        if roles is None:
            return read.score
        return np.where([role in DATA for role in roles], read.data, read.score)

    def read(self, texts: Sequence[str], hidden: Sequence[bool] | None = None) -> Readings:
        """All figures of each text; `hidden` marks text that only a view shows.

        A long text is as bad as its worst part.
        """
        odds = np.zeros(len(texts)) if hidden is None else np.where(hidden, self.model.hidden, 0.0)
        found = np.full((4, len(texts)), -np.inf)
        for owners, parts in filled(texts):
            _judge(self._figures(parts), np.array(owners), odds, self.model.judges, found)
        return Readings(*(1 / (1 + np.exp(-found[:2]))), *found[2:])

    def figures(self, texts: Sequence[str]) -> Floats:
        """FIGURES of each text's first part, for judges to learn from; no numbers where no words are."""
        found = [self._figures(parts) for _, parts in filled(texts, first=True)]
        return np.concatenate(found) if found else np.zeros((0, len(FIGURES)))

    def _figures(self, parts: Sequence[bytes]) -> Floats:
        """Of each part, a row."""
        raw, eights = features.joined(parts)
        ends = np.cumsum([len(part) for part in parts])
        sums = _sums(raw, eights, ends, self._lexicon, self._table, self._pairs)
        return _rows(sums, self.model.units, self.model.bias)


@compiled
def _sums(
    raw: Bytes, eights: Hashes, ends: Integers, known: Lexicon, weights: NDArray[np.int32], pairs: Integers
) -> Floats:
    """Of each text: the best window and the whole for both heads, and the number of words.

    Windows go a block further each; the last ones go to the end, a short text has one.
    """
    most = features.PART // BLOCK + WIDE + 1
    words = np.empty((min(features.PART, ends[-1]) + 1, features.SIDES), np.uint64)
    blocks, present = np.empty((2, most), np.int64), np.empty(most, np.uint64)
    memory, out = np.empty(features.MEMORY, np.uint64), np.empty(FEATURES, np.int64)
    found = np.zeros((len(ends), 5), np.float64)
    begin = 0
    for text in range(len(ends)):
        count = features.read(raw, eights, begin, ends[text], words)
        begin = ends[text]
        features.sort(words, count, known.keys, known.kinds)
        used = count // BLOCK + WIDE
        blocks[:, :used] = 0
        present[:used] = 0
        memory[:] = 0
        for at in range(count):
            features.numbers(words, at, memory, out)
            total = 0
            for each in range(FEATURES):
                total += weights[out[each]]
            low = ((total + 0x8000) & 0xFFFF) - 0x8000
            blocks[0, at // BLOCK] += (total - low) >> 16
            blocks[1, at // BLOCK] += low
            present[at // BLOCK] |= _ONE << words[at, features.KIND]
        found[text, 0], found[text, 2] = _best(blocks, present, pairs, count)
        for head in range(2):
            found[text, 2 * head + 1] = blocks[head, :used].sum() / np.sqrt(max(count, LEAST))
        found[text, 4] = count
    return found


@compiled
def _rows(sums: Floats, units: Floats, bias: Floats) -> Floats:
    """FIGURES of each text, by its sums; no numbers where there are no words."""
    found = np.empty((len(sums), len(FIGURES)), np.float64)
    for text in range(len(sums)):
        attack, attacks, instruction, instructions, count = sums[text]
        # What a window of the usual size would have, were the text the same throughout.
        windows = max(count / (BLOCK * WIDE), 1.0)
        usual = np.sqrt(windows)
        found[text, 0] = attack * units[0] + bias[0]
        found[text, 1] = attacks / usual * units[0] + bias[0]
        found[text, 2] = instruction * units[1] + bias[1]
        found[text, 3] = (instruction - instructions / usual) * units[1]
        found[text, 4] = -np.log(windows)
        if count == 0:
            found[text, :2] = np.nan
            found[text, 2:4] = -np.inf
    return found


@compiled
def _judge(figures: Floats, owners: Integers, odds: Floats, judges: Floats, found: Floats) -> None:
    """Of each text the highest log odds, as said to a model and as data, within bounds, and the highest
    figures of instructions. Each judge is linear in the figures; what has no words is not judged."""
    for part in range(len(figures)):
        text = owners[part]
        for judge in range(len(JUDGES)):
            total = judges[judge, -1] + odds[text]
            for figure in range(len(FIGURES)):
                if judges[judge, figure] != 0:
                    total += figures[part, figure] * judges[judge, figure]
            if not np.isnan(total):
                side = min(judge, 1)
                found[side, text] = max(found[side, text], min(max(total, -_CERTAIN), _CERTAIN))
        for figure in range(2, 4):
            found[figure, text] = max(found[figure, text], figures[part, figure])


@compiled
def _best(blocks: Integers, present: Hashes, pairs: Integers, count: int) -> tuple[float, float]:
    """For both heads the score of the best window: its words, and every two kinds that are in it."""
    here = np.empty(features.KINDS, np.int64)
    attack, instruction = -np.inf, -np.inf
    used = (count - 1) // BLOCK + 1
    short = used + 1 - NARROW if count > BLOCK * NARROW else 0
    for number in range(short + max(used + 1 - WIDE, 1)):
        at, wide = (number, NARROW) if number < short else (number - short, WIDE)
        many, first, second, kind, kinds = 0, 0, 0, 0, _NO_KINDS
        for block in range(at, at + wide):
            first += blocks[0, block]
            second += blocks[1, block]
            kinds |= present[block]
        while kinds > _ONE:  # the first is no kind
            kinds >>= _ONE
            kind += 1
            if kinds & _ONE:
                for other in range(many):
                    first += pairs[0, kind, here[other]]
                    second += pairs[1, kind, here[other]]
                here[many] = kind
                many += 1
        size = np.sqrt(max(min(count - at * BLOCK, BLOCK * wide), LEAST))
        attack, instruction = max(attack, first / size), max(instruction, second / size)
    return attack, instruction


def filled(texts: Iterable[str], first: bool = False) -> Iterator[tuple[list[int], list[bytes]]]:
    """Parts of texts, as many as fit together, with the number of the text each comes from."""
    owners: list[int] = []
    taken: list[bytes] = []
    room = TOGETHER
    for number, text in enumerate(texts):
        for part in features.parts(text)[: 1 if first else None]:
            size = len(part)
            if size > room and taken:
                yield owners, taken
                owners, taken, room = [], [], TOGETHER
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
