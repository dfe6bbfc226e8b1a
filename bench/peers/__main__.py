"""Tocsin beside other local detectors on the same texts: recall at equal false positives, defaults, speed.

python -m bench.peers [--data DIR] [--write] [--attacks N] [--benign N]

Texts are sampled by a seed from the labelled data: so many clusters of each kind of attack and of each
benign source. Tocsin judges each by a model that never saw its source, as `tocsin evaluate --leave-out` does;
the peers' rules and weights come as they are installed, whatever they were written from. `--write` puts the
table into README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.peers.judge import PEERS
from tocsin.reading.rules import Rules
from tocsin.reading.scorer import FLAGGED, Scorer
from tocsin.reading.training import evaluation, samples
from tocsin.reading.training.evaluation import Scores
from tocsin.reading.training.samples import Sample

ROOT = Path(__file__).parents[2]
LONGEST = 4000  # characters of a text: some peers take seconds for more
RATE = 0.01  # of false positives, at which recall is compared
BEGIN, END = "<!-- from make peers -->", "<!-- end of make peers -->"

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Result(NamedTuple):
    """What one detector says of all texts."""

    name: str
    scores: Floats
    flagged: Bools
    milliseconds: float  # of CPU for a text, in the mean


class Line(NamedTuple):
    """One detector's figures; shares in 0..1, `at_rate` None where no threshold keeps the rate."""

    name: str
    recall: float  # at its own threshold
    false_positives: float
    at_rate: float | None
    milliseconds: float


def chosen(judged: Sequence[Sample], attacks: int, benign: int, seed: int = 7) -> list[int]:
    """Indexes of the texts to compare on: so many clusters of each group, one text of each."""
    chance = random.Random(seed)
    groups: dict[tuple[str, str, bool], dict[str, int]] = defaultdict(dict)
    for at in chance.sample(range(len(judged)), len(judged)):
        one = judged[at]
        if len(one.text) <= LONGEST and not one.aside:
            kind = one.type if one.attack else ""
            groups[one.source, kind, one.attack].setdefault(one.cluster, at)
    return sorted(
        at
        for (_, _, attack), clusters in groups.items()
        for at in list(clusters.values())[: attacks if attack else benign]
    )


def ask(name: str, texts: Sequence[str]) -> Result:
    """One peer's judgement of all texts, in its own environment."""
    cache = Path(os.environ.get("TOCSIN_CACHE") or Path.home() / ".cache/tocsin")
    command = [str(cache / "peers" / name / "bin/python"), str(Path(__file__).with_name("judge.py")), name]
    with tempfile.TemporaryDirectory() as folder:  # some write where they stand
        told = subprocess.run(
            command,
            input="\n".join(json.dumps(text) for text in texts),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            check=True,
        )
    answers = [json.loads(line) for line in told.stdout.splitlines()]
    scores, flagged, seconds = zip(*answers, strict=True)
    return Result(
        name, np.array(scores), np.array(flagged, dtype=bool), 1e3 * sum(seconds[1:]) / len(answers)
    )


def ours(texts: Sequence[Sample], scores: Floats) -> Result:
    """Scores by models that never saw the source; the time is that of the shipped model on the same texts."""
    rules, scorer = Rules.load(), Scorer.load()
    evaluation.scored(scorer, texts[:1], evaluation.read(texts[:1], rules))
    start = time.process_time()
    evaluation.scored(scorer, texts, evaluation.read(texts, rules))
    spent = time.process_time() - start
    return Result("**tocsin**", scores, scores >= FLAGGED, 1e3 * spent / len(texts))


def line(result: Result, texts: Sequence[Sample]) -> Line:
    """Mean recall over kinds of attack, and false positives pooled over benign texts."""
    attack = np.array([each.attack for each in texts])
    kinds: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at, each in enumerate(texts):
        if each.attack:
            kinds[each.source, each.type].append(at)

    def recall(flagged: Bools) -> float:
        return float(np.mean([flagged[each].mean() for each in kinds.values()]))

    threshold = _threshold(result.scores, ~attack)
    at_rate = recall(result.scores > threshold) if threshold < result.scores.max() else None
    return Line(
        result.name,
        recall(result.flagged),
        float(result.flagged[~attack].mean()),
        at_rate,
        result.milliseconds,
    )


def _threshold(scores: Floats, benign: Bools) -> float:
    """The lowest score above which no more than RATE of the benign texts lie."""
    ordered = np.sort(scores[benign])[::-1]
    return float(ordered[int(RATE * len(ordered))])


def table(lines: Sequence[Line]) -> str:
    """The figures as Markdown, best recall first."""
    rows = [
        f"| detector | recall at {RATE:.0%} false positives | recall, as installed "
        "| false positives, as installed | ms of CPU a text |",
        "|---|---|---|---|---|",
    ]
    for each in sorted(lines, key=lambda each: -(each.at_rate or 0.0)):
        at_rate = "none does" if each.at_rate is None else f"{each.at_rate:.0%}"
        own = f"{each.recall:.0%} | {each.false_positives:.1%}"
        rows.append(f"| {each.name} | {at_rate} | {own} | {each.milliseconds:.2g} |")
    return "\n".join(rows)


def versions() -> dict[str, str]:
    """The pinned version of each peer."""
    folder = Path(__file__).with_name("requirements")
    pinned = {
        name: re.search(rf"^{name}==([\w.]+)", (folder / f"{name}.txt").read_text(), re.M) for name in PEERS
    }
    return {name: found[1] for name, found in pinned.items() if found}


def main() -> None:
    """Compare, print, and write where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data")
    parser.add_argument("--attacks", type=int, default=30, help="texts of each kind of attack")
    parser.add_argument("--benign", type=int, default=60, help="texts of each benign source")
    parser.add_argument("--write", action="store_true", help="the table into README.md")
    options = parser.parse_args()
    judged, scores = _left_out(options.data)
    indexes = chosen(judged, options.attacks, options.benign)
    texts = [judged[at] for at in indexes]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda name: ask(name, [each.text for each in texts]), PEERS))
    results = [
        ours(texts, scores.both[indexes]),
        *(each._replace(name=_named(each.name)) for each in results),
    ]
    told = f"{table([line(each, texts) for each in results])}\n\n{_about(texts)}"
    print(told)
    if options.write:
        page = (ROOT / "README.md").read_text()
        before, _, rest = page.partition(BEGIN)
        (ROOT / "README.md").write_text(f"{before}{BEGIN}\n{told}\n{END}{rest.partition(END)[2]}")


def _left_out(data: Path) -> tuple[list[Sample], Scores]:
    parts = []
    for part in evaluation.left_out(samples.load([data]), Rules.load(), 7):
        parts.append(part)
        sources = ", ".join(sorted({sample.source for sample in part.samples}))
        print(f"left out: {sources}", file=sys.stderr, flush=True)
    return evaluation.joined(parts)


def _named(name: str) -> str:
    return f"{name} {versions()[name]}"


def _about(texts: Sequence[Sample]) -> str:
    attacks = [each for each in texts if each.attack]
    kinds = len({(each.source, each.type) for each in attacks})
    sources = len({each.source for each in texts if not each.attack})
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {len(attacks):,} attacks of {kinds} kinds (recall is the mean over "
        f"kinds) and {len(texts) - len(attacks):,} benign texts of {sources} sources, of at most {LONGEST:,} "
        "characters, a sample of the data that the evaluation uses."
    )


if __name__ == "__main__":
    main()
