"""From samples to a model: windows, two linear heads, two judges over them and one threshold for everything.

Whatever is calibrated is calibrated on sources that were left out of the fit, and on families of our own
making that were. scikit-learn and scipy are imported only here, when a model is trained. The same samples and
seed give the same model, byte by byte.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from tocsin.reading import features
from tocsin.reading.features import Integers, Lexicon
from tocsin.reading.rules import Rules
from tocsin.reading.scorer import (
    BLOCK,
    FIGURES,
    JUDGES,
    LEAST,
    LIMIT,
    NARROW,
    WIDE,
    Floats,
    Model,
    Scorer,
)
from tocsin.reading.training import grammar
from tocsin.reading.training.calibration import NO_PROMPT, Flags, Judged, calibrate, in_turn
from tocsin.reading.training.samples import OWN, Sample, balanced, components, distinct

FOLDS = 6  # of sources, for calibration
WINDOWS = 6  # of a text that are learnt from, evenly spread
LOOKED = 8  # of a text in which the attack has to be found
LARGE = 1200  # texts of one source and label that are learnt from
SHARED = 3  # groups of samples a feature must be in: what only one source has is of that source
ASKED = 100  # prompts of a source that are put where data belongs
SHORT = 200  # characters of such a prompt
_PENALTY = 3e-6
_FIRST, _ROUNDS = 2, 5  # of a fit that only tells windows apart, and of one that counts


class Trainer(NamedTuple):
    """The samples as a matrix of windows, ready to be fitted on any part of them."""

    samples: Sequence[Sample]
    lexicon: Lexicon
    matrix: Any  # scipy.sparse.csr_matrix: windows by features
    texts: Integers  # the sample of each window
    attack: Flags
    data: Flags  # whether a text stands where data belongs
    group: Integers  # components of sources, and families of our own making


def lexicon() -> Lexicon:
    """The kinds of words of lexicon.toml; a word in two kinds belongs to the first."""
    with Path(__file__).with_name("lexicon.toml").open("rb") as file:
        table: dict[str, dict[str, str]] = tomllib.load(file)
    known: dict[int, int] = {}
    for number, languages in enumerate(table.values(), 1):
        for entries in languages.values():
            for entry in entries.split(","):
                known.setdefault(features.key(entry.strip()), number)
    return features.lexicon(known)


def chosen(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """What is learnt from: each text once, no source above `LARGE`, and what the grammar makes."""
    usable = [sample for sample in distinct(samples) if not (sample.aside or sample.hidden)]
    ordered = sorted(usable, key=lambda sample: crc32(f"{seed} {sample.source} {sample.id}".encode()))
    taken: Counter[tuple[str, bool]] = Counter()
    kept = set()
    for sample in ordered:
        taken[sample.source, sample.attack] += 1
        if taken[sample.source, sample.attack] <= LARGE:
            kept.add(sample)
    learnt = [sample for sample in usable if sample in kept]
    return learnt + distinct([*grammar.misplaced(_asked(ordered), seed), *grammar.samples(seed)])


def _asked(ordered: Sequence[Sample]) -> list[Sample]:
    """Short harmless prompts, some of each source."""
    taken: Counter[str] = Counter()
    found = []
    for sample in ordered:
        if _side(sample) == 1 and len(sample.text) <= SHORT and "\n" not in sample.text.strip():
            taken[sample.source] += 1
            if taken[sample.source] <= ASKED:
                found.append(sample)
    return found


def prepare(given: Sequence[Sample], seed: int) -> Trainer:
    """Windows of what is learnt from, and which sources belong together."""
    roots, samples = components(given), chosen(given, seed)
    groups = [f"{OWN} {sample.type}" if sample.source == OWN else roots[sample.source] for sample in samples]
    names = sorted(set(groups))
    words = lexicon()
    matrix, texts = _matrix(samples, words)
    group = np.array([names.index(group) for group in groups])
    matrix.data[~_shared(matrix, group[texts])[matrix.indices]] = 0
    matrix.eliminate_zeros()
    return Trainer(
        samples,
        words,
        matrix,
        texts,
        np.array([sample.attack for sample in samples]),
        np.array([sample.data for sample in samples]),
        group,
    )


def _matrix(samples: Sequence[Sample], words: Lexicon) -> tuple[Any, Integers]:
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

    columns, owners, sizes, lengths = [], [], [], []
    for number, sample in enumerate(samples):
        found, kinds = features.table(*features.joined(features.parts(sample.text)[:1]), words)
        for window in _spread(len(found), LOOKED if sample.attack and sample.data else WINDOWS):
            columns += [found[window].ravel(), features.pairs(kinds[window])]
            owners.append(number)
            sizes.append(len(found[window]))
            lengths.append(len(columns[-2]) + len(columns[-1]))
    values = np.repeat(1 / np.sqrt(np.maximum(sizes, LEAST)), lengths).astype(np.float32)
    places = np.concatenate(([0], np.cumsum(lengths)))
    matrix = csr_matrix((values, np.concatenate(columns), places), (len(sizes), 1 << features.BITS))
    matrix.sum_duplicates()
    matrix.data[matrix.indices == 0] = 0  # no feature
    return matrix, np.array(owners)


def _spread(count: int, most: int) -> list[slice]:
    """At most so many windows of each width of a text of `count` words."""
    found = []
    for wide in (NARROW, WIDE) if count > BLOCK * NARROW else (WIDE,):
        many = max((count - 1) // BLOCK + 2 - wide, 1)
        places = {at * (many - 1) // (most - 1) for at in range(most)}
        chosen = range(many) if many <= most else sorted(places)
        found += [slice(at * BLOCK, (at + wide) * BLOCK) for at in chosen]
    return found


class Heads(NamedTuple):
    """The fitted weights of both heads: attack and instruction."""

    attack: Floats
    instruction: Floats
    bias: Floats

    def scorer(self, words: Lexicon, judged: Judged, about: dict[str, Any]) -> Scorer:
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
            Model(
                attack,
                instruction,
                np.array(units),
                self.bias,
                *judged,
                words.keys,
                words.kinds,
                about,
            )
        )


def fit(trainer: Trainer, learnt: Flags) -> Heads:
    """Both heads, on the samples that are marked."""
    attack, first = _attack_head(trainer, learnt)
    instruction, second = _instruction_head(trainer, learnt)
    return Heads(attack, instruction, np.array([first, second]))


def _attack_head(trainer: Trainer, learnt: Flags) -> tuple[Floats, float]:
    """Twice: the second time an attack's windows count by how much they look like the attack."""
    learnt = learnt & np.array([sample.type != grammar.BARE for sample in trainer.samples])
    numbers = np.flatnonzero(learnt).tolist()
    weight = np.zeros(len(learnt))
    weight[numbers] = balanced([trainer.samples[number] for number in numbers])
    rows = np.flatnonzero(learnt[trainer.texts])
    texts, matrix = trainer.texts[rows], trainer.matrix[rows]
    attack = trainer.attack[texts]
    share = _share(texts, np.ones(len(texts)), len(learnt)) ** 0.5
    coefficients, bias = _logistic(matrix, attack, weight[texts] * share, _FIRST)
    found = matrix @ coefficients + bias
    best = np.full(len(learnt), -np.inf)
    np.maximum.at(best, texts, found)
    mine = _share(texts, np.exp(np.maximum(found - best[texts], -20)), len(learnt))
    return _logistic(matrix, attack, weight[texts] * np.where(attack, mine, share))


def _share(texts: Integers, values: Floats, count: int) -> Floats:
    return values / np.bincount(texts, values, minlength=count)[texts]


def _instruction_head(trainer: Trainer, learnt: Flags) -> tuple[Floats, float]:
    """Users' prompts against what tools, documents and answers say; then also the windows of injected data
    that look like prompts."""
    sides = np.array([_side(sample) for sample in trainer.samples])
    coefficients, bias = _asking(trainer, learnt & (sides >= 0), sides, None)
    placed = trainer.attack & trainer.data
    found = trainer.matrix @ coefficients + bias
    return _asking(trainer, learnt & ((sides >= 0) | placed), np.where(placed, 1, sides), found)


def _asking(trainer: Trainer, used: Flags, sides: Integers, found: Floats | None) -> tuple[Floats, float]:
    """A head of prompts against data; in an attack windows count by what was `found` of them."""
    numbers = np.flatnonzero(used).tolist()
    weight = np.zeros(len(used))
    weight[numbers] = balanced(
        [trainer.samples[number]._replace(attack=bool(sides[number])) for number in numbers]
    )
    rows = np.flatnonzero(used[trainer.texts])
    texts = trainer.texts[rows]
    share = _share(texts, np.ones(len(texts)), len(used)) ** 0.5
    if found is not None:
        best = np.full(len(used), -np.inf)
        np.maximum.at(best, texts, found[rows])
        mine = _share(texts, np.exp(np.maximum(found[rows] - best[texts], -20)), len(used))
        share = np.where(trainer.attack[texts], mine, share)
    rounds = _FIRST if found is None else _ROUNDS
    return _logistic(trainer.matrix[rows], sides[texts] == 1, weight[texts] * share, rounds)


def _side(sample: Sample) -> int:
    """1 an instruction, 0 data, -1 neither."""
    if sample.attack or sample.role == "system":
        return -1
    return int(sample.role == "user" and sample.type not in NO_PROMPT)


def _logistic(matrix: Any, labels: Flags, weight: Floats, rounds: int = _ROUNDS) -> tuple[Floats, float]:
    """Averaged stochastic gradient descent: a tenth of the time of a solver that converges, and no worse on
    what is left out."""
    from sklearn import linear_model  # type: ignore[import-untyped]

    classifier: Any = linear_model.SGDClassifier
    model = classifier(
        loss="log_loss",
        alpha=_PENALTY,
        learning_rate="constant",
        eta0=0.5,
        max_iter=rounds,
        tol=None,
        average=True,
        random_state=1,
    )
    model.fit(matrix, labels, sample_weight=weight / weight.mean())
    return model.coef_[0], float(model.intercept_[0])


def _shared(matrix: Any, groups: Integers) -> Flags:
    """Whether a feature is in `SHARED` groups of windows."""
    count = np.zeros(matrix.shape[1], np.int64)
    for group in np.unique(groups):
        count[np.unique(matrix[groups == group].indices)] += 1
    return count >= SHARED


def figures(trainer: Trainer, heads: Heads, which: Flags) -> Floats:
    """What the heads say of some samples, as the shipped scorer would say it."""
    plain = heads.scorer(trainer.lexicon, Judged(np.zeros((len(JUDGES), len(FIGURES) + 1)), np.zeros(1)), {})
    return plain.figures([trainer.samples[number].text for number in np.flatnonzero(which).tolist()])


def folds(group: Integers, attack: Flags, count: int = FOLDS) -> Integers:
    """A fold for each sample: groups stay whole, those with attacks are dealt first; -1 is in none."""
    names = sorted(
        set(group[group >= 0]),
        key=lambda name: (-int(attack[group == name].sum()), -int((group == name).sum()), name),
    )
    place = {name: number % count for number, name in enumerate(names)}
    return np.array([place.get(name, -1) for name in group])


def evidence(samples: Sequence[Sample], rules: Rules) -> Floats:
    """What the rules say of each."""
    readings = rules.read([sample.text for sample in samples], [sample.place for sample in samples])
    return np.array([reading.score for reading in readings])


def fitted(trainer: Trainer, learnt: Flags, rules: Floats, count: int, about: dict[str, Any]) -> Scorer:
    """A scorer of the marked samples, calibrated on folds of them, each left out in turn.

    Most harmless texts of our own making are always learnt: what an attack shares with them says nothing.
    """
    harmless = np.array(
        [sample.source == OWN and not (sample.attack or in_turn(sample)) for sample in trainer.samples]
    )
    fold = folds(np.where(learnt & ~harmless, trainer.group, -1), trainer.attack, count)
    seen: list[int] = []
    found = []
    for number in range(count):
        held = learnt & (fold == number)
        seen += np.flatnonzero(held).tolist()
        found.append(figures(trainer, fit(trainer, learnt & ~held), held))
    judged = calibrate([trainer.samples[at] for at in seen], np.concatenate(found), rules[seen])
    return fit(trainer, learnt).scorer(trainer.lexicon, judged, about)


def train(samples: Sequence[Sample], rules: Rules, seed: int, about: dict[str, Any]) -> Model:
    """The model of all samples, calibrated on folds that were left out."""
    trainer = prepare(samples, seed)
    every = np.ones(len(trainer.samples), bool)
    told = about | {"seed": seed, "samples": len(trainer.samples)}
    return fitted(trainer, every, evidence(trainer.samples, rules), FOLDS, told).model
