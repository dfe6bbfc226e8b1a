"""The comparison with other detectors: which texts, which threshold, which figures."""

from __future__ import annotations

import numpy as np

from bench.peers.__main__ import Result, chosen, line, table, versions
from bench.peers.judge import PEERS
from tocsin.reading.training.samples import Sample

TEXTS = [
    *(Sample(f"b{at}", "x", False, "calm", "chat", cluster=f"b{at}") for at in range(100)),
    *(Sample(f"o{at}", "y", True, "wild", "override", cluster=f"o{at}") for at in range(10)),
    *(Sample(f"p{at}", "z", True, "wild", "persona", cluster=f"p{at}") for at in range(2)),
]


def result(benign: list[float], override: list[float], persona: list[float]) -> Result:
    scores = np.array([*benign, *override, *persona])
    return Result("one", scores, scores >= 0.5, 1.0)


def test_recall_is_the_mean_over_kinds_whatever_their_size() -> None:
    told = line(result([0.0] * 100, [0.9] * 5 + [0.0] * 5, [0.0, 0.0]), TEXTS)
    assert (told.recall, told.false_positives, told.at_rate) == (0.25, 0.0, 0.25)


def test_at_one_percent_one_benign_text_in_a_hundred_may_lie_above() -> None:
    benign = [0.95, 0.6] + [0.0] * 98
    told = line(result(benign, [0.9] * 5 + [0.55] * 5, [0.55, 0.7]), TEXTS)
    assert told.false_positives == 0.02
    assert told.at_rate == 0.5  # above 0.6


def test_who_flags_too_much_has_no_recall_at_the_rate() -> None:
    told = line(result([1.0] * 5 + [0.0] * 95, [1.0] * 10, [1.0] * 2), TEXTS)
    assert told.at_rate is None
    assert "| none does | 100% | 5.0% |" in table([told])


def test_one_text_of_each_cluster_is_chosen_and_no_long_one() -> None:
    twins = [Sample(f"t{at}", "x", True, "wild", "twin", cluster="one") for at in range(9)]
    long = Sample("long", "x" * 5000, True, "wild", "long", cluster="long")
    aside = Sample("aside", "x", True, "wild", "jailbreak_semantic", cluster="aside")
    texts = [*TEXTS, *twins, long, aside]
    indexes = chosen(texts, attacks=5, benign=60)
    kinds = [texts[at].type for at in indexes]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "chat": 60,
        "override": 5,
        "persona": 2,
        "twin": 1,
    }
    assert chosen(texts, attacks=5, benign=60) == indexes


def test_every_peer_is_pinned() -> None:
    assert set(versions()) == set(PEERS)
