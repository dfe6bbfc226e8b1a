"""Harmless texts made of words that attacks use, and attacks made of others. `python -m bench.trigger_words`

Reads four files of tests/reading/texts with the shipped rules and model and prints the share of each that is
flagged at the shipped threshold: by both together, by the rules alone, by the model alone. Nothing was learnt
from these texts nor set on them, and their author had seen no text that the model learns from. They are shown
only with `--show N`, the first N wrong ones of each file: who has seen them should not report on them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tocsin.model import Event, Message
from tocsin.reading.rules import Reading, Rules
from tocsin.reading.scorer import FLAGGED, Scorer
from tocsin.reading.training import evaluation
from tocsin.reading.training.evaluation import Scores
from tocsin.reading.training.samples import Sample
from tocsin.testing.trial import reading

TEXTS = Path(__file__).parents[1] / "tests" / "reading" / "texts"


class Pool(NamedTuple):
    """A file of texts of one kind: who says them, and whether they attack."""

    name: str
    role: str
    attack: bool


POOLS = (
    Pool("trigger_words", "user", False),
    Pool("trigger_words_in_data", "tool", False),
    Pool("misplaced_requests", "tool", True),
    Pool("worded_attacks", "user", True),
)


class Judged(NamedTuple):
    """The texts of a pool, and what is said of them."""

    pool: Pool
    samples: list[Sample]
    readings: list[Reading]
    scores: Scores

    def flagged(self) -> NDArray[np.bool_]:
        """A row a text: whether both, the rules and the model flag it."""
        return np.column_stack(self.scores) >= FLAGGED


def texts(pool: Pool) -> list[Sample]:
    """A pool's texts in the order of the file."""
    lines = (TEXTS / f"{pool.name}.txt").read_text(encoding="utf-8").splitlines()
    return [
        Sample(str(number), line, pool.attack, pool.name, pool.name, "", pool.role)
        for number, line in enumerate(lines, 1)
    ]


def language(text: str) -> str:
    """The language as the reading step tells it; "" where it cannot."""
    return reading(Event(input=(Message("user", text),))).texts[0].language


def judged(pool: Pool, rules: Rules, scorer: Scorer) -> Judged:
    samples = texts(pool)
    readings = evaluation.read(samples, rules)
    return Judged(pool, samples, readings, evaluation.scored(scorer, samples, readings))


def table(pools: Sequence[Judged], group: Callable[[Sample], str]) -> Iterator[str]:
    """Lines of a table: each pool by groups of its texts, the largest first."""
    yield "| file | role | should be flagged | language | texts | flagged | rules alone | model alone |"
    yield "|---|---|---|---|---|---|---|---|"
    for each in pools:
        names = np.array([group(sample) for sample in each.samples])
        for name in sorted(set(names), key=lambda name: (-np.sum(names == name), name)):
            flagged = each.flagged()[names == name]
            shares = " | ".join(f"{share:.1%}" for share in flagged.mean(axis=0))
            should = "yes" if each.pool.attack else "no"
            yield f"| {each.pool.name} | {each.pool.role} | {should} | {name} | {len(flagged)} | {shares} |"


def wrong(each: Judged, count: int) -> Iterator[str]:
    """The first texts that are judged wrongly, with line, scores and rules."""
    for at in np.flatnonzero(each.flagged()[:, 0] != each.pool.attack)[:count]:
        both, rules, model = (scores[at] for scores in each.scores)
        named = ", ".join(sorted({hit.rule.id for hit in each.readings[at].hits})) or "no rule"
        sample = each.samples[at]
        yield f"{sample.source}:{sample.id} {both:.2f} (rules {rules:.2f}, model {model:.2f}; {named})"
        yield f"    {sample.text}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.trigger_words")
    parser.add_argument("--languages", action="store_true", help="a line for each language as well")
    parser.add_argument(
        "--show", type=int, default=0, metavar="N", help="the first N wrong texts of each file"
    )
    asked = parser.parse_args()
    rules, scorer = Rules.load(), Scorer.load()
    pools = [judged(pool, rules, scorer) for pool in POOLS]
    print(*table(pools, lambda _: "all"), sep="\n")
    if asked.languages:
        print("", *table(pools, lambda sample: language(sample.text) or "not told"), sep="\n")
    for each in pools:
        print(*wrong(each, asked.show), sep="\n", end="\n" if asked.show else "")


if __name__ == "__main__":
    main()
