from __future__ import annotations

from math import isclose
from random import Random

from detectors.stats import ENOUGH, binomial_score, cusum, fade, learn


def test_the_mean_and_spread_of_a_steady_stream_are_found() -> None:
    random, mean, spread = Random(1), 0.0, 1.0
    for _ in range(20_000):
        mean, spread = learn(mean, spread, random.gauss(10, 2), 0.01)
    assert 9.5 < mean < 10.5
    assert 1.3 < spread < 1.9  # mean absolute deviation: 0.8 of 2, less what is clipped


def test_one_value_moves_the_mean_by_three_spreads_at_most() -> None:
    assert learn(10.0, 1.0, 1e9, 0.1)[0] == 10.3
    assert learn(10.0, 1.0, -1e9, 0.1)[0] == 9.7


def test_a_level_that_stays_is_reached() -> None:
    mean, spread, steps = 1.0, 0.5, 0
    while mean < 99:
        mean, spread, steps = *learn(mean, spread, 100.0, 0.05), steps + 1
    assert steps < 200


def test_a_cusum_takes_several_steps_and_forgets() -> None:
    excess, steps = 0.0, 0
    while excess < ENOUGH:
        excess, steps = cusum(excess, 1e9), steps + 1
    assert steps == 3
    for _ in range(30):
        excess = cusum(excess, 0.0)
    assert excess == 0.0


def test_a_half_life_halves() -> None:
    assert isclose(fade(10.0, 10.0), 0.5)
    assert fade(0.0, 10.0) == 1.0


def test_a_binomial_score_counts_standard_deviations() -> None:
    assert binomial_score(50, 100, 0.5) == 0.0
    assert binomial_score(60, 100, 0.5) == 2.0
    assert binomial_score(3, 3, 1.0) == 0.0
