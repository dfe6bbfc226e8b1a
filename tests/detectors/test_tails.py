"""How often ordinary values are beyond the limit, simulated with fixed seeds."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, sqrt
from random import Random

import pytest

from detectors.tails import PEAKS, Tail, beyond

WARMUP = 250


def student(random: Random) -> float:
    return random.gauss(0, 1) / sqrt(sum(random.gauss(0, 1) ** 2 for _ in range(3)) / 3)


def share_beyond(draw: Callable[[Random], float], risk: float) -> float:
    told = 0
    for seed in range(20):
        random, tail = Random(seed), Tail()
        told += sum(beyond(tail, draw(random), WARMUP, risk) for _ in range(8000))
    return told / (20 * (8000 - WARMUP))


@pytest.mark.parametrize(
    ("draw", "most"),
    [
        (lambda random: random.gauss(0, 1), 1e-4),
        (lambda random: random.random(), 1e-5),
        (lambda random: random.expovariate(1), 1e-4),
        (lambda random: exp(random.gauss(0, 0.5)), 2e-4),
        (student, 1e-3),
    ],
    ids=["normal", "uniform", "exponential", "log-normal", "student"],
)
def test_at_a_risk_of_one_in_ten_thousand(draw: Callable[[Random], float], most: float) -> None:
    assert share_beyond(draw, 1e-4) <= most


def grown(seed: int = 1, values: int = 3000) -> Tail:
    random, tail = Random(seed), Tail()
    for _ in range(values):
        beyond(tail, random.gauss(0, 1), WARMUP, 1e-5)
    return tail


def test_what_is_far_out_is_told_and_not_learnt() -> None:
    tail = grown()
    assert 4.0 < tail.limit < 15.0
    limit = tail.limit
    assert all(beyond(tail, 50.0, WARMUP, 1e-5) for _ in range(1000))
    assert tail.limit == limit


def test_values_just_below_the_limit_raise_it_a_little_at_a_time() -> None:
    tail = grown()
    limit = tail.limit
    for _ in range(8):
        beyond(tail, tail.limit * 0.99, WARMUP, 1e-5)
    assert limit < tail.limit < 5 * limit


def test_nothing_is_told_during_the_warm_up_and_its_values_are_forgotten() -> None:
    tail = Tail()
    assert not any(beyond(tail, 1000.0 * (number % 7), WARMUP, 1e-5) for number in range(WARMUP))
    assert tail.first == [] and len(grown(values=50_000).peaks) <= PEAKS


def test_constant_values_are_taken() -> None:
    tail = Tail()
    assert not any(beyond(tail, 1.0, WARMUP, 1e-5) for _ in range(2000))
