"""From figures of texts that were left out of a fit to judges and one threshold for everything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tocsin.reading.scorer import FIGURES, FLAGGED, JUDGES, Floats
from tocsin.reading.training import grammar
from tocsin.reading.training.samples import OWN, Sample, balanced, weights
from tocsin.reading.verdict import merged

POOLED = (0.007, 0.006, 0.003)  # false positives beside those of rules, for each of JUDGES: of all text
MEAN = (0.013, 0.008, 0.006)  # and the mean of sources
# Harmless families of our own that are left out in turn, to calibrate on; no attack is made of their lines.
KEPT = frozenset(
    {
        *("sense", "abroad", "errand", "theme", "guise", "brief", "record", "manual"),
        *("desk", "page", "safeguard"),
    }
)
CAP = 0.05  # of a source counts at most, or one that a fold knows nothing of would decide for all
HIDDEN = 0.033  # of text that was hidden
_MISPLACED = np.array([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 1]])
_FEW = 60  # a source of fewer says little
NO_PROMPT = frozenset({"document", "llm_output", "pii_text", "secret_test", "mail", "manual"})

Flags = NDArray[np.bool_]


class Judged(NamedTuple):
    """What is calibrated: the judges, and the odds of hidden text."""

    judges: Floats
    hidden: Floats


def calibrate(samples: Sequence[Sample], found: Floats, rules: Floats) -> Judged:
    """Judges over figures of left-out samples.

    A half is the lowest score at which `POOLED` and `MEAN` are kept to by each; of hidden text `HIDDEN`.
    """
    attack = np.array([sample.attack for sample in samples])
    bare = np.array([sample.type == grammar.BARE for sample in samples])
    data = np.array([sample.data or sample.type in NO_PROMPT for sample in samples])
    prompts = np.array([not sample.data for sample in samples])
    sides = (prompts, data & ~bare, data & (bare | ~attack))
    judges, hidden = np.zeros((len(JUDGES), len(FIGURES) + 1)), np.zeros(1)
    for row in range(len(JUDGES)):
        mine = _sided(sides[row] & ~np.isnan(found[:, 0]), ~np.isnan(found[:, 0]), attack)
        side = [samples[at] for at in mine]
        judges[row, :-1] = _judge(side, found[mine], JUDGES[row] == "misplaced")
        score = found[mine] @ judges[row, :-1]
        judges[row, -1] = -threshold(side, score, rules[mine], POOLED[row], MEAN[row])
        if not row:
            hidden[0] = -judges[0, -1] - threshold(side, score, rules[mine] * 0, HIDDEN, 2 * HIDDEN)
    return Judged(judges, np.maximum(hidden, 0.0))


def in_turn(sample: Sample) -> bool:
    """Whether a sample of our own making is left out in turn, though harmless."""
    return sample.type in KEPT


def _sided(wanted: Flags, readable: Flags, attack: Flags) -> list[int]:
    """What is wanted, if both kinds are among it; else all."""
    both = (wanted & attack).any() and (wanted & ~attack).any()
    found: list[int] = np.flatnonzero(wanted if both else readable).tolist()
    return found


def _judge(samples: Sequence[Sample], found: Floats, misplaced: bool) -> Floats:
    """Weights of FIGURES, none of which speaks against an attack because it reads like one.

    Of attacks the best window and the whole count the same, for neither has a better claim. What stands out
    does so from many windows by chance: a unit for each logarithm of them, for nobody learns that from
    documents that happen to be short.
    """
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    attack = np.array([sample.attack for sample in samples])
    basis = _MISPLACED if misplaced else np.array([[0.5, 0.5, 0, 0, 0]])
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
    source = np.array([sample.type if sample.source == OWN else sample.source for sample in samples])
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
