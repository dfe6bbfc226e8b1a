"""One score of a text from what its rules and the model say, with the reasons.

Both are calibrated to the same threshold. Rules are evidence by themselves; the model counts in full where it
flags, and below that by less than it says, because benign text lies there: only together with a rule that
almost fires does such a doubt decide.
"""

from __future__ import annotations

from typing import NamedTuple

from tocsin.reading.rules import Reading
from tocsin.reading.scorer import FLAGGED

TOLD = 5  # reasons


class Verdict(NamedTuple):
    """A text's score in [0, 1], and why; `flagged` at the threshold or above."""

    score: float
    flagged: bool
    reasons: tuple[str, ...]


def combine(rules: Reading, model: float, threshold: float = FLAGGED) -> Verdict:
    """Rules' score and the model's as independent evidence (noisy-or)."""
    score = 1 - (1 - rules.score) * (1 - damped(model))
    return Verdict(score, score >= threshold, _reasons(rules, model))


def damped(model: float) -> float:
    """The model's score as evidence: itself from FLAGGED on, below that falling off with its square."""
    return model if model >= FLAGGED else model * model / FLAGGED


def _reasons(rules: Reading, model: float) -> tuple[str, ...]:
    """The heaviest rules, each once, the ways of hiding, and the model, in words."""
    heaviest: dict[str, str] = {}
    for hit in sorted(rules.hits, key=lambda hit: (-hit.weight, hit.rule.id)):
        where = f" after {', '.join(hit.chain)}" if hit.chain else ""
        heaviest.setdefault(hit.rule.id, f"rule {hit.rule.id}{where}")
    reasons = [*list(heaviest.values())[:TOLD], *(f"hidden: {way}" for way in rules.hidden)]
    if model >= FLAGGED:
        reasons.append(f"reads like an attack ({model:.2f})")
    return tuple(reasons)
