"""From samples to a model: windows, two linear heads, a judge over them and one threshold for everything.

Whatever is calibrated is calibrated on sources that were left out of the fit. scikit-learn and scipy are
imported only here, when a model is trained. The same samples and seed give the same model, byte by byte.
"""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tocsin.reading import features, scorer
from tocsin.reading.features import Kinds
from tocsin.reading.scorer import FIGURES, LEAST, LIMIT, Floats, Model, Scorer
from tocsin.reading.training import grammar
from tocsin.reading.training.samples import OWN, Sample, balanced, components, distinct, weights

FOLDS = 3  # of sources, for calibration
WINDOWS = 12  # of a text that are learnt from, evenly spread
LARGE = 6000  # texts of one source and label that are learnt from
RARE = 3  # windows a feature must be in
POOLED, EACH = 0.004, 0.02  # false positives allowed on all training sources together, and on each
_INVERSE_PENALTY = 3.0
_ROUNDS = 40
_DATA = frozenset({"document", "llm_output", "pii_text", "secret_test", "mail"})

Flags = NDArray[np.bool_]


class Trainer(NamedTuple):
    """The samples as a matrix of windows, ready to be fitted on any part of them."""

    samples: Sequence[Sample]
    kinds: Kinds
    matrix: Any  # scipy.sparse.csr_matrix: windows by features
    texts: NDArray[np.int64]  # the sample of each window
    attack: Flags
    group: NDArray[np.int64]  # components of sources; our own samples are in none, -1


def lexicon() -> Kinds:
    """The kinds of words of lexicon.toml; a word in two kinds belongs to the first."""
    with Path(__file__).with_name("lexicon.toml").open("rb") as file:
        table: dict[str, dict[str, str]] = tomllib.load(file)
    known: dict[int, int] = {}
    for number, languages in enumerate(table.values(), 1):
        for entries in languages.values():
            for entry in entries.split(","):
                known.setdefault(features.key(entry.strip()), number)
    keys = sorted(known)
    return Kinds(np.array(keys, np.uint32), np.array([known[key] for key in keys], np.uint8))


def chosen(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """What is learnt from: each text once, no source above `LARGE`, and what the grammar makes."""
    usable = [sample for sample in distinct(samples) if not (sample.aside or sample.hidden)]
    ordered = sorted(usable, key=lambda sample: crc32(f"{seed} {sample.source} {sample.id}".encode()))
    taken: dict[tuple[str, bool], int] = {}
    kept = set()
    for sample in ordered:
        many = taken[sample.source, sample.attack] = taken.get((sample.source, sample.attack), 0) + 1
        if many <= LARGE:
            kept.add(sample)
    return [sample for sample in usable if sample in kept] + distinct(grammar.samples(seed))


def prepare(given: Sequence[Sample], seed: int) -> Trainer:
    """Windows of what is learnt from, and which sources belong together."""
    kinds = lexicon()
    roots, samples = components(given), chosen(given, seed)
    names = sorted(set(roots.values()))
    group = [names.index(roots[sample.source]) if sample.source != OWN else -1 for sample in samples]
    matrix, texts = _matrix([sample.text for sample in samples], kinds)
    attack = np.array([sample.attack for sample in samples])
    return Trainer(samples, kinds, matrix, texts, attack, np.array(group))


def _matrix(texts: Sequence[str], kinds: Kinds) -> tuple[Any, NDArray[np.int64]]:
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

    columns, owners, sizes = [], [], []
    number = 0
    for _, parts in scorer.filled(texts, first=True):
        found = features.words(parts)
        every = np.stack(features.numbers(found, kinds.of(found)), 1).astype(np.int32)
        seen = scorer.windows(found)
        for start, size, text in _spread(seen, len(parts)):
            columns.append(every[start : start + size].ravel())
            owners.append(number + text)
            sizes.append(size)
        number += len(parts)
    lengths = np.array([len(each) for each in columns])
    values = np.repeat(1 / np.sqrt(np.maximum(sizes, LEAST)), lengths).astype(np.float32)
    shape = (len(columns), 1 << features.BITS)
    matrix = csr_matrix((values, np.concatenate(columns), np.concatenate(([0], np.cumsum(lengths)))), shape)
    matrix.sum_duplicates()
    return matrix, np.array(owners)


def _spread(seen: scorer.Windows, count: int) -> list[tuple[int, int, int]]:
    """At most WINDOWS windows of each text."""
    first = np.searchsorted(seen.text, np.arange(count + 1))
    picked = []
    for text in range(count):
        many = int(first[text + 1] - first[text])
        places = (
            range(many)
            if many <= WINDOWS
            else sorted({at * (many - 1) // (WINDOWS - 1) for at in range(WINDOWS)})
        )
        picked += [
            (int(seen.start[first[text] + at]), int(seen.size[first[text] + at]), text) for at in places
        ]
    return picked


class Heads(NamedTuple):
    """The fitted weights of both heads: attack and instruction."""

    attack: Floats
    instruction: Floats
    bias: Floats

    def scorer(self, kinds: Kinds, judge: Floats, about: dict[str, Any]) -> Scorer:
        """A scorer with the weights as small integers."""
        units = [
            float(np.quantile(np.abs(each[each != 0]), 0.9995)) / LIMIT
            for each in (self.attack, self.instruction)
        ]
        attack, instruction = (
            np.clip(np.rint(each / unit), -LIMIT, LIMIT).astype(np.int16)
            for each, unit in zip((self.attack, self.instruction), units, strict=True)
        )
        return Scorer(
            Model(attack, instruction, np.array(units), self.bias, judge, kinds.keys, kinds.kinds, about)
        )


def fit(trainer: Trainer, learnt: Flags, instruction: bool = True) -> Heads:
    """Both heads, on the samples that are marked."""
    size = 1 << features.BITS
    attack, first = _attack_head(trainer, learnt)
    if not instruction:
        return Heads(attack, np.full(size, 1e-9), np.array([first, 0.0]))
    other, second = _instruction_head(trainer, learnt)
    return Heads(attack, other, np.array([first, second]))


def _attack_head(trainer: Trainer, learnt: Flags) -> tuple[Floats, float]:
    """Twice: the second time an attack's windows count by how much they look like the attack."""
    numbers = np.flatnonzero(learnt).tolist()
    weight = np.zeros(len(learnt))
    weight[numbers] = balanced([trainer.samples[number] for number in numbers])
    rows = np.flatnonzero(learnt[trainer.texts])
    texts = trainer.texts[rows]
    attack = trainer.attack[texts]
    share = _share(texts, np.ones(len(texts)), len(learnt)) ** 0.5
    coefficients, bias, columns = _logistic(trainer.matrix[rows], attack, weight[texts] * share)
    found = trainer.matrix[rows] @ coefficients + bias
    best = np.full(len(learnt), -np.inf)
    np.maximum.at(best, texts, found)
    mine = _share(texts, np.exp(np.maximum(found - best[texts], -20)), len(learnt))
    weighed = weight[texts] * np.where(attack, mine, share)
    coefficients, bias, columns = _logistic(trainer.matrix[rows], attack, weighed, columns)
    return coefficients, bias


def _share(texts: NDArray[np.int64], values: Floats, count: int) -> Floats:
    return values / np.bincount(texts, values, minlength=count)[texts]


def _instruction_head(trainer: Trainer, learnt: Flags) -> tuple[Floats, float]:
    """Users' prompts against what tools, documents and answers say; no attack takes part."""
    sides = np.array([_side(sample) for sample in trainer.samples])
    rows = np.flatnonzero((learnt & (sides >= 0))[trainer.texts])
    texts = trainer.texts[rows]
    total = np.bincount(sides[texts], minlength=2)
    coefficients, bias, _ = _logistic(
        trainer.matrix[rows], sides[texts] == 1, len(rows) / 2 / total[sides[texts]]
    )
    return coefficients, bias


def _side(sample: Sample) -> int:
    """1 an instruction, 0 data, -1 neither."""
    if sample.attack or sample.role == "system":
        return -1
    return int(sample.role == "user" and sample.type not in _DATA)


def _logistic(
    matrix: Any, labels: Flags, weight: Floats, columns: Any = None
) -> tuple[Floats, float, NDArray[np.int64]]:
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    if columns is None:
        columns = np.flatnonzero(np.bincount(matrix.indices, minlength=matrix.shape[1]) >= RARE)
    model: Any = LogisticRegression(C=_INVERSE_PENALTY, max_iter=_ROUNDS, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # stopping early is part of the regularisation
        model.fit(matrix[:, columns], labels, sample_weight=weight)
    every = np.zeros(matrix.shape[1])
    every[columns] = model.coef_[0]
    return every, float(model.intercept_[0]), columns


def figures(trainer: Trainer, heads: Heads, which: Flags) -> Floats:
    """What the heads say of some samples, as the shipped scorer would say it."""
    plain = heads.scorer(trainer.kinds, np.zeros(len(FIGURES) + 1), {})
    return plain.figures([trainer.samples[number].text for number in np.flatnonzero(which).tolist()])


def folds(group: NDArray[np.int64], attack: Flags, count: int = FOLDS) -> NDArray[np.int64]:
    """A fold for each sample: components stay whole, those with attacks are dealt first; ours are in none."""
    names = sorted(
        set(group[group >= 0]),
        key=lambda name: (-int(attack[group == name].sum()), -int((group == name).sum()), name),
    )
    place = {name: number % count for number, name in enumerate(names)}
    return np.array([place.get(name, -1) for name in group])


def calibrate(samples: Sequence[Sample], found: Floats) -> Floats:
    """A judge over figures of left-out samples: a half is the lowest score that keeps to POOLED and EACH."""
    from sklearn.linear_model import LogisticRegression

    readable = ~np.isnan(found[:, 0])
    samples = [sample for sample, may in zip(samples, readable, strict=True) if may]
    found = found[readable][:, : len(FIGURES)]
    attack = np.array([sample.attack for sample in samples])
    model = LogisticRegression(C=1.0, max_iter=200)
    model.fit(found, attack, sample_weight=balanced(samples))
    weight = np.maximum(model.coef_[0], 0.0)
    return np.append(weight, -_threshold(samples, found @ weight, attack))


def _threshold(samples: Sequence[Sample], score: Floats, attack: Flags) -> float:
    weight = np.array(weights(samples))
    source = np.array([sample.source for sample in samples])
    needed = [_quantile(score[~attack], weight[~attack], POOLED)]
    for name in sorted(set(source[~attack])):
        mine = ~attack & (source == name)
        if weight[mine].sum() >= 100:  # fewer say nothing about one in fifty
            needed.append(_quantile(score[mine], weight[mine], EACH))
    return float(max(needed))


def _quantile(score: Floats, weight: Floats, share: float) -> float:
    """The score that only a share of the weight lies above."""
    order = np.argsort(-score, kind="stable")
    above = np.cumsum(weight[order]) / weight.sum()
    return float(score[order][min(int(np.searchsorted(above, share)), len(order) - 1)]) + 1e-6


def train(samples: Sequence[Sample], seed: int, about: dict[str, Any]) -> Model:
    """The model of all samples, calibrated on folds that were left out."""
    trainer = prepare(samples, seed)
    fold = folds(trainer.group, trainer.attack)
    every = np.ones(len(fold), bool)
    told = about | {"seed": seed, "samples": len(trainer.samples)}
    return fitted(trainer, every, fold, told).model


def fitted(trainer: Trainer, learnt: Flags, fold: NDArray[np.int64], about: dict[str, Any]) -> Scorer:
    """A scorer of the marked samples, calibrated on their folds, each left out in turn."""
    judge = calibrate(*_left_out(trainer, learnt, fold))
    return fit(trainer, learnt).scorer(trainer.kinds, judge, about)


def _left_out(trainer: Trainer, learnt: Flags, fold: NDArray[np.int64]) -> tuple[list[Sample], Floats]:
    """Marked samples with the figures of heads that have not seen their fold."""
    seen: list[Sample] = []
    found = []
    for number in sorted(set(fold[learnt & (fold >= 0)])):
        held = learnt & (fold == number)
        heads = fit(trainer, learnt & ~held, instruction=False)
        seen += [trainer.samples[at] for at in np.flatnonzero(held).tolist()]
        found.append(figures(trainer, heads, held))
    return seen, np.concatenate(found)
