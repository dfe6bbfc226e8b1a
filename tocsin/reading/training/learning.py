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
from numpy.typing import NDArray

from tocsin.reading import features
from tocsin.reading.features import Integers, Lexicon
from tocsin.reading.rules import Rules
from tocsin.reading.scorer import BLOCK, BLOCKS, FIGURES, FLAGGED, LEAST, LIMIT, Floats, Model, Scorer
from tocsin.reading.training import grammar
from tocsin.reading.training.samples import OWN, Sample, balanced, components, distinct, weights
from tocsin.reading.verdict import merged

FOLDS = 6  # of sources, for calibration
WINDOWS = 6  # of a text that are learnt from, evenly spread
LARGE = 1200  # texts of one source and label that are learnt from
SHARED = 3  # groups of samples a feature must be in: what only one source has is of that source
COMMON = 4  # texts a word must be in to be common
BARE = "bare_request"  # attacks by their place alone, as prompts harmless: for the judge of data only
POOLED, MEAN = 0.005, 0.010  # false positives beside those of rules: of all text, and the mean of sources
CAP = 0.05  # of a source counts at most, or one that a fold knows nothing of would decide for all
HIDDEN = 0.02  # of text that was hidden
_FEW = 60  # a source of fewer says little
_PENALTY = 3e-6
_ROUNDS = 5
_NO_PROMPT = frozenset({"document", "llm_output", "pii_text", "secret_test", "mail"})

Flags = NDArray[np.bool_]


class Trainer(NamedTuple):
    """The samples as a matrix of windows, ready to be fitted on any part of them."""

    samples: Sequence[Sample]
    lexicon: Lexicon
    matrix: Any  # scipy.sparse.csr_matrix: windows by features
    texts: Integers  # the sample of each window
    attack: Flags
    data: Flags  # whether a text stands where data belongs
    group: Integers  # components of sources, and families of our own making


def lexicon(texts: Sequence[str] = ()) -> Lexicon:
    """The kinds of words of lexicon.toml, and the words that are common in texts.

    A word in two kinds belongs to the first.
    """
    with Path(__file__).with_name("lexicon.toml").open("rb") as file:
        table: dict[str, dict[str, str]] = tomllib.load(file)
    known: dict[int, int] = {}
    for number, languages in enumerate(table.values(), 1):
        for entries in languages.values():
            for entry in entries.split(","):
                known.setdefault(features.key(entry.strip()), number)
    seen: Counter[int] = Counter()
    for text in texts:
        seen.update(np.unique(features.words(text)[:, features.WORD]).tolist())
    common = [word for word, count in seen.items() if count >= COMMON]
    return features.lexicon(known, np.array(common, np.uint64))


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
    return [sample for sample in usable if sample in kept] + distinct(grammar.samples(seed))


def prepare(given: Sequence[Sample], seed: int) -> Trainer:
    """Windows of what is learnt from, and which sources belong together."""
    roots, samples = components(given), chosen(given, seed)
    groups = [f"{OWN} {sample.type}" if sample.source == OWN else roots[sample.source] for sample in samples]
    names = sorted(set(groups))
    words = lexicon([sample.text for sample in samples if not sample.attack])
    matrix, texts = _matrix([sample.text for sample in samples], words)
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


def _matrix(texts: Sequence[str], words: Lexicon) -> tuple[Any, Integers]:
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

    columns, owners, sizes, lengths = [], [], [], []
    for number, text in enumerate(texts):
        found, kinds = features.table(*features.joined(features.parts(text)[:1]), words)
        for window in _spread(len(found)):
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


def _spread(count: int) -> list[slice]:
    """At most `WINDOWS` windows of each width of a text of so many words."""
    found = []
    for wide in (1, BLOCKS) if count > BLOCK else (BLOCKS,):
        many = max((count - 1) // BLOCK + 2 - wide, 1)
        places = {at * (many - 1) // (WINDOWS - 1) for at in range(WINDOWS)}
        chosen = range(many) if many <= WINDOWS else sorted(places)
        found += [slice(at * BLOCK, (at + wide) * BLOCK) for at in chosen]
    return found


class Judged(NamedTuple):
    """What is calibrated: the two judges, and the odds of hidden text."""

    judges: Floats
    hidden: Floats


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
                words.common,
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
    learnt = learnt & np.array([sample.type != BARE for sample in trainer.samples])
    numbers = np.flatnonzero(learnt).tolist()
    weight = np.zeros(len(learnt))
    weight[numbers] = balanced([trainer.samples[number] for number in numbers])
    rows = np.flatnonzero(learnt[trainer.texts])
    texts, matrix = trainer.texts[rows], trainer.matrix[rows]
    attack = trainer.attack[texts]
    share = _share(texts, np.ones(len(texts)), len(learnt)) ** 0.5
    coefficients, bias = _logistic(matrix, attack, weight[texts] * share)
    found = matrix @ coefficients + bias
    best = np.full(len(learnt), -np.inf)
    np.maximum.at(best, texts, found)
    mine = _share(texts, np.exp(np.maximum(found - best[texts], -20)), len(learnt))
    return _logistic(matrix, attack, weight[texts] * np.where(attack, mine, share))


def _share(texts: Integers, values: Floats, count: int) -> Floats:
    return values / np.bincount(texts, values, minlength=count)[texts]


def _instruction_head(trainer: Trainer, learnt: Flags) -> tuple[Floats, float]:
    """Users' prompts against what tools, documents and answers say; no attack takes part."""
    sides = np.array([_side(sample) for sample in trainer.samples])
    numbers = np.flatnonzero(learnt & (sides >= 0)).tolist()
    weight = np.zeros(len(learnt))
    asked = [trainer.samples[number]._replace(attack=bool(sides[number])) for number in numbers]
    weight[numbers] = balanced(asked)
    rows = np.flatnonzero((learnt & (sides >= 0))[trainer.texts])
    texts = trainer.texts[rows]
    share = _share(texts, np.ones(len(texts)), len(learnt)) ** 0.5
    return _logistic(trainer.matrix[rows], sides[texts] == 1, weight[texts] * share)


def _side(sample: Sample) -> int:
    """1 an instruction, 0 data, -1 neither."""
    if sample.attack or sample.role == "system":
        return -1
    return int(sample.role == "user" and sample.type not in _NO_PROMPT)


def _logistic(matrix: Any, labels: Flags, weight: Floats) -> tuple[Floats, float]:
    """Averaged stochastic gradient descent: a tenth of the time of a solver that converges, and no worse on
    what is left out."""
    from sklearn import linear_model  # type: ignore[import-untyped]

    classifier: Any = linear_model.SGDClassifier
    model = classifier(
        loss="log_loss",
        alpha=_PENALTY,
        learning_rate="constant",
        eta0=0.5,
        max_iter=_ROUNDS,
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
    plain = heads.scorer(trainer.lexicon, Judged(np.zeros((2, len(FIGURES) + 1)), np.zeros(1)), {})
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


def calibrate(samples: Sequence[Sample], found: Floats, rules: Floats) -> Judged:
    """Judges over figures of left-out samples, one for what is said to a model and one for data.

    A half is the lowest score at which `POOLED` and `MEAN` are kept to on each side; of hidden text `HIDDEN`.
    """
    data = np.array([sample.data for sample in samples])
    attack = np.array([sample.attack for sample in samples])
    judges, hidden = np.zeros((2, len(FIGURES) + 1)), np.zeros(1)
    for row in range(2):
        mine = _sided((data == bool(row)) & ~np.isnan(found[:, 0]), ~np.isnan(found[:, 0]), attack)
        side = [samples[at] for at in mine]
        judges[row, :-1] = _judge(side, found[mine], bool(row))
        score = found[mine] @ judges[row, :-1]
        judges[row, -1] = -threshold(side, score, rules[mine], POOLED, MEAN)
        if not row:
            hidden[0] = -judges[0, -1] - threshold(side, score, rules[mine] * 0, HIDDEN, 2 * HIDDEN)
    return Judged(judges, np.maximum(hidden, 0.0))


def _sided(wanted: Flags, readable: Flags, attack: Flags) -> list[int]:
    """What is wanted, if both kinds are among it; else all."""
    both = (wanted & attack).any() and (wanted & ~attack).any()
    found: list[int] = np.flatnonzero(wanted if both else readable).tolist()
    return found


def _judge(samples: Sequence[Sample], found: Floats, data: bool) -> Floats:
    """Weights of FIGURES, none of which speaks against an attack because it reads like one.

    Of what is said to a model the best window and the whole count the same, for neither has a better claim.
    """
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    attack = np.array([sample.attack for sample in samples])
    basis = np.eye(len(FIGURES)) if data else np.array([[0.5, 0.5, 0, 0]])
    while True:
        model: Any = LogisticRegression(C=1.0, max_iter=500)
        model.fit(found @ basis.T, attack, sample_weight=balanced(samples))
        weight = model.coef_[0]
        if (weight >= 0).all() or len(basis) == 1:
            return np.asarray(weight @ basis)
        basis = basis[weight >= 0]


def threshold(samples: Sequence[Sample], score: Floats, rules: Floats, pooled: float, mean: float) -> float:
    """The lowest at which what is benign keeps to its shares, beside what rules flag alone."""
    weight = np.array(weights(samples))
    source = np.array([sample.source for sample in samples])
    benign = np.array([not sample.attack for sample in samples])
    sides = [benign & (source == name) for name in sorted(set(source[benign]))]
    sides = [side for side in sides if weight[side].sum() >= _FEW] or [benign]
    mass = [weight[side].sum() for side in sides]
    alone = merged(rules, np.zeros(len(rules))) >= FLAGGED
    low, high = float(score.min()) - 1, float(score.max()) + 1
    while high - low > 1e-3:
        middle = (low + high) / 2
        model = 1 / (1 + np.exp(np.clip(middle - score, -40, 40)))
        flagged = weight * ((merged(rules, model) >= FLAGGED) & ~alone)
        shares = [min(flagged[side].sum() / weight[side].sum(), CAP) for side in sides]
        kept = np.average(shares, weights=mass) <= pooled and np.mean(shares) <= mean
        low, high = (low, middle) if kept else (middle, high)
    return high


def fitted(trainer: Trainer, learnt: Flags, rules: Floats, count: int, about: dict[str, Any]) -> Scorer:
    """A scorer of the marked samples, calibrated on folds of them, each left out in turn.

    The harmless texts of our own making are always learnt: what an attack shares with them says nothing.
    """
    harmless = np.array([sample.source == OWN and not sample.attack for sample in trainer.samples])
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
