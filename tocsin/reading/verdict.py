"""One score of a text from what its rules and the model say, with the reasons.

Both are calibrated to the same threshold. Each is evidence for the other: a rule that fires in a text which
reads like no attack counts less, and one that almost fires where the model has its doubts decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tocsin.reading.hidden import overlaid
from tocsin.reading.rules import Reading
from tocsin.reading.scorer import FLAGGED, Floats, Scorer
from tocsin.reading.views import View, views

TOLD = 5  # reasons
DOUBT = 4.5  # log odds by which the model can speak against rules
TRUST = 5.0
_SAME_LETTERS = frozenset(
    {"folded", "stripped"}
)  # views that differ from what they are of in single characters
# Letters that languages write: to take those for look-alikes brings nothing to light.
_LETTERS = re.compile("[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff]+")
_SHOWN = 4  # letters that stand together in such a view alone, from which it shows what was hidden


class Verdict(NamedTuple):
    """A text's score in [0, 1], and why; `flagged` at the threshold or above."""

    score: float
    flagged: bool
    reasons: tuple[str, ...]


def scores(
    scorer: Scorer,
    texts: Sequence[str],
    readings: Sequence[Reading],
    seen: Sequence[Sequence[View]] | None = None,
) -> Floats:
    """What the model says of texts that rules have read, the highest over a text's views: a row each, as said
    to a model and where data belongs.

    What only a view shows was hidden, and is judged with the odds of hidden text. `seen`: the views, where
    they are known.
    """
    read, whose, hidden = list[str](), list[int](), list[bool]()
    for number, (text, reading) in enumerate(zip(texts, readings, strict=True)):
        if len(reading.views) == 1:
            read.append(text)
            whose.append(number)
            hidden.append(False)
            continue
        raw, others = View("raw", text, (), 0, len(text)), (seen[number] if seen else views(text))[1:]
        for said, was_hidden in _judged(raw, others):
            read.append(said)
            whose.append(number)
            hidden.append(was_hidden)
    found = scorer.read(read, hidden)
    best = np.zeros((len(texts), 2))
    np.maximum.at(best, np.array(whose, np.int64), np.column_stack((found.score, found.data)))
    return best


def _judged(raw: View, others: Sequence[View]) -> Iterator[tuple[str, bool]]:
    """The texts that the model reads, and whether each was hidden.

    A text that nobody could read as it was written is read in its readable view alone; one in which merely
    marks are folded was not hidden.
    """
    readable = True
    for view in others:
        hidden = True
        if view.name in _SAME_LETTERS and len(view.chain) == 1:
            stretch = raw.text[view.start : view.end]
            hidden = _joined(view.text) >= _joined(stretch) + _SHOWN or overlaid(stretch)
            readable &= not hidden or len(stretch) < len(raw.text)
        yield view.text, hidden
    if readable:
        yield raw.text, False


def _joined(text: str) -> int:
    """How many letters have another one behind them."""
    runs = _LETTERS.findall(text)
    return sum(map(len, runs)) - len(runs)


def combine(rules: Reading, model: float, threshold: float = FLAGGED) -> Verdict:
    """Rules' score and the model's as one, with the reasons."""
    together = score(rules, model)
    return Verdict(together, together >= threshold, _reasons(rules, model))


def score(rules: Reading, model: float) -> float:
    """Rules' score and the model's as one."""
    return float(merged(np.array(rules.score), np.array(model)))


def merged(rules: Floats, model: Floats) -> Floats:
    """Log odds added up: those of the model, not below -`DOUBT`, and for rules `TRUST` times the logarithm of
    what their noisy-or leaves of the doubt.

    A strong rule flags whatever the model says; of weaker ones, and where both only suspect, both decide.
    """
    sure = 1 - 1e-12
    odds = np.log(np.clip(model, 1 - sure, sure) / np.clip(1 - model, 1 - sure, sure))
    total = np.maximum(odds, -DOUBT) - TRUST * np.log1p(-np.minimum(rules, sure))
    return np.asarray(1 / (1 + np.exp(-np.clip(total, -40, 40))))


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
