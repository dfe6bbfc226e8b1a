"""How well texts are told apart: recall and false positives by source, type and language, calibration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tocsin.reading import verdict
from tocsin.reading.rules import Reading, Rules
from tocsin.reading.scorer import FLAGGED, Floats, Scorer
from tocsin.reading.training import learning, traces
from tocsin.reading.training.samples import OWN, Sample, components, distinct, weights
from tocsin.reading.training.traces import Caught

RATES = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05)  # of false positives, at which recall is told
_BINS = 10
_OUTER, _INNER = 4, 4  # folds of sources: what is left out, and what is left out again to calibrate


class Scores(NamedTuple):
    """What is said of samples, an array each: by rules and model together, and by each alone."""

    both: Floats
    rules: Floats
    model: Floats


class Row(NamedTuple):
    """One line of a report: a group of samples, and the shares of them that were flagged, by clusters."""

    name: str
    samples: int
    both: float
    rules: float
    model: float


class Report(NamedTuple):
    """What scores are worth; shares are weighted by 1 / cluster size."""

    attacks: list[Row]  # by source and type
    benign: list[Row]  # by source
    languages: list[Row]
    recall: float  # mean of the attack rows that count
    false_positives: float  # of the pooled benign samples
    at_rates: list[tuple[float, float]]  # pooled false positives, mean recall
    curve: list[tuple[float, float]]
    calibration: list[tuple[float, float, int]]  # mean score, share of attacks, samples


def read(samples: Sequence[Sample], rules: Rules) -> list[Reading]:
    """What the rules say of each."""
    return rules.read([sample.text for sample in samples], [sample.place for sample in samples])


def scored(scorer: Scorer, samples: Sequence[Sample], readings: Sequence[Reading]) -> Scores:
    """The scores of samples that the rules have read, all views counted."""
    rules = np.array([reading.score for reading in readings])
    found = verdict.scores(scorer, [sample.text for sample in samples], readings)
    model = np.where([sample.data for sample in samples], found[:, 1], found[:, 0])
    return Scores(verdict.merged(rules, model), rules, model)


class LeftOut(NamedTuple):
    """Samples of sources that were left out, what was said of them, and the scorer that did not know them."""

    samples: list[Sample]
    scores: Scores
    scorer: Scorer


def left_out(samples: Sequence[Sample], rules: Rules, seed: int) -> Iterator[LeftOut]:
    """The scores of each sample by a model that knows neither its source nor one that shares clusters.

    Sources are left out by whole components, several at once; heads, judges and threshold come from the rest.
    """
    trainer = learning.prepare(samples, seed)
    evidence = learning.evidence(trainer.samples, rules)
    own = np.array([sample.source == OWN for sample in trainer.samples])
    fold = learning.folds(np.where(own, -1, trainer.group), trainer.attack, _OUTER)
    outer = _folds(samples, trainer.samples, fold)
    for number in range(_OUTER):
        scorer = learning.fitted(trainer, fold != number, evidence, _INNER, {})
        held = [sample for sample in distinct(samples) if outer[sample.source] == number]
        yield LeftOut(held, scored(scorer, held, read(held, rules)), scorer)


def joined(parts: Sequence[LeftOut]) -> tuple[list[Sample], Scores]:
    """All that was left out somewhere."""
    samples = [sample for part in parts for sample in part.samples]
    return samples, Scores(
        *(np.concatenate(each) for each in zip(*(part.scores for part in parts), strict=True))
    )


def replayed(parts: Sequence[LeftOut], rules: Rules, files: Sequence[Path]) -> Iterator[Caught]:
    """Of each file of traces with injected results: how a scorer that does not know it tells them apart."""
    for file in files:
        stream = traces.results([file])
        name = file.name.split(".")[0]
        for part in parts:
            if any(result.injected for result in stream) and any(
                each.source == name for each in part.samples
            ):
                texts = [result.text for result in stream]
                readings = [reading.of("tool") for reading in rules.read(texts, [None] * len(texts))]
                model = verdict.scores(part.scorer, texts, readings)[:, 1]
                both = verdict.merged(np.array([reading.score for reading in readings]), model)
                yield traces.caught(stream, both)


def _folds(samples: Sequence[Sample], learnt: Sequence[Sample], fold: NDArray[np.int64]) -> dict[str, int]:
    """The fold of each source; one that nothing is learnt from is in that of its component."""
    outer = {sample.source: int(at) for sample, at in zip(learnt, fold, strict=True)}
    root = components(samples)
    for source in sorted(set(root) - set(outer)):
        outer[source] = max(
            (outer[near] for near in root if near in outer and root[near] == root[source]), default=0
        )
    return outer


def report(samples: Sequence[Sample], scores: Scores) -> Report:
    """Everything told about scored samples."""
    weight = np.array(weights(samples))
    attack = np.array([sample.attack for sample in samples])
    counted = np.array([not sample.aside for sample in samples])
    flagged = np.column_stack(scores) >= FLAGGED
    attacks = _rows(samples, attack, flagged, weight, lambda sample: f"{sample.source}/{sample.type}")
    benign = _rows(samples, ~attack, flagged, weight, lambda sample: sample.source)
    tongues = _rows(
        samples, counted, flagged, weight, lambda s: f"{s.language}/{'attack' if s.attack else 'benign'}"
    )
    groups = list(_groups(samples, attack & counted, lambda sample: sample.source))
    curve = _curve(scores.both, weight, attack, groups)
    rate = float(weight[~attack & flagged[:, 0]].sum() / max(weight[~attack].sum(), 1e-12))
    mean = float(np.mean([_share(flagged[:, 0], weight, each) for _, each in groups])) if groups else 0.0
    at_rates = [(rate, max([r for f, r in curve if f <= rate], default=0.0)) for rate in RATES]
    calibration = _calibration(scores.both, weight, attack, counted)
    return Report(attacks, benign, tongues, mean, rate, at_rates, curve, calibration)


Groups = Iterator[tuple[str, NDArray[np.int64]]]


def _groups(samples: Sequence[Sample], which: NDArray[np.bool_], key: Callable[[Sample], str]) -> Groups:
    members: dict[str, list[int]] = defaultdict(list)
    for number in np.flatnonzero(which):
        members[key(samples[int(number)])].append(int(number))
    for name in sorted(members):
        yield name, np.array(members[name])


def _rows(
    samples: Sequence[Sample],
    which: NDArray[np.bool_],
    flagged: NDArray[np.bool_],
    weight: Floats,
    key: Callable[[Sample], str],
) -> list[Row]:
    return [
        Row(name, len(each), *(_share(column, weight, each) for column in flagged.T))
        for name, each in _groups(samples, which, key)
    ]


def _share(flagged: NDArray[np.bool_], weight: Floats, members: NDArray[np.int64]) -> float:
    return float((weight[members] * flagged[members]).sum() / weight[members].sum())


def _curve(
    scores: Floats, weight: Floats, attack: NDArray[np.bool_], groups: list[tuple[str, NDArray[np.int64]]]
) -> list[tuple[float, float]]:
    """False positives of pooled benign text against recall, the mean over sources, at falling thresholds."""
    if attack.all() or not groups:
        return []
    benign, mass = scores[~attack], weight[~attack]
    order = np.argsort(-benign, kind="stable")
    above = np.cumsum(mass[order]) / mass.sum()
    curve = []
    for rate in np.geomspace(0.0005, 1, 60):
        at = min(int(np.searchsorted(above, rate)), len(order) - 1)
        flagged = scores > benign[order][at]
        curve.append((float(rate), float(np.mean([_share(flagged, weight, each) for _, each in groups]))))
    return curve


def _calibration(
    scores: Floats, weight: Floats, attack: NDArray[np.bool_], counted: NDArray[np.bool_]
) -> list[tuple[float, float, int]]:
    """By tenths of the score: its mean, the share of attacks (weighed as much as benign text), how many."""
    mass = weight * counted
    mass = np.where(attack, mass / max(mass[attack].sum(), 1e-12), mass / max(mass[~attack].sum(), 1e-12))
    bins = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    rows = []
    for number in range(_BINS):
        mine = (bins == number) & counted
        if mine.any() and mass[mine].sum():
            total = mass[mine].sum()
            rows.append(
                (
                    float((scores * mass)[mine].sum() / total),
                    float(mass[mine & attack].sum() / total),
                    int(mine.sum()),
                )
            )
    return rows


def markdown(told: Report) -> str:
    """A report as tables."""
    lines = [
        f"Mean recall over attack sources {told.recall:.1%}; false positives {told.false_positives:.2%}.",
        "",
    ]
    for title, rows, word in (
        ("attacks", told.attacks, "recall"),
        ("benign source", told.benign, "false positives"),
        ("language", told.languages, "flagged"),
    ):
        lines += [f"| {title} | samples | {word} | rules alone | model alone |", "|---|---|---|---|---|"]
        lines += [
            f"| {row.name} | {row.samples:,} | {row.both:.1%} | {row.rules:.1%} | {row.model:.1%} |"
            for row in rows
        ]
        lines.append("")
    lines += ["| false positives | mean recall |", "|---|---|"]
    lines += [f"| {rate:.2%} | {recall:.1%} |" for rate, recall in told.at_rates]
    lines += ["", "| mean score | share of attacks | samples |", "|---|---|---|"]
    lines += [f"| {score:.2f} | {share:.2f} | {count:,} |" for score, share, count in told.calibration]
    return "\n".join(lines) + "\n"


_BOX = 'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 460 320" font-family="sans-serif" font-size="11"'


def picture(curve: Sequence[tuple[float, float]]) -> str:
    """The curve as SVG: recall over false positives from 0.05 % to 100 %, on a logarithmic axis."""

    def place(rate: float, recall: float) -> tuple[float, float]:
        return 50 + 390 * (np.log10(max(rate, 5e-4)) + 3.30103) / 3.30103, 280 - 250 * recall

    parts = [f"<svg {_BOX}>", '<rect width="460" height="320" fill="white"/>']
    for rate in (0.001, 0.01, 0.1, 1.0):
        x, _ = place(rate, 0)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="30" y2="280" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="295" text-anchor="middle">{rate:.1%}</text>')
    for recall in (0.0, 0.25, 0.5, 0.75, 1.0):
        _, y = place(1, recall)
        parts.append(f'<line x1="50" x2="440" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="45" y="{y + 4:.1f}" text-anchor="end">{recall:.0%}</text>')
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*each) for each in curve))
    parts.append(f'<polyline points="{points}" fill="none" stroke="#1f6feb" stroke-width="2"/>')
    parts.append('<text x="245" y="312" text-anchor="middle">false positives, pooled benign text</text>')
    parts.append('<text x="50" y="20">recall, mean over sources</text></svg>')
    return "\n".join(parts) + "\n"
