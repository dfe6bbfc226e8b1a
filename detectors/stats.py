"""Running statistics that one window cannot drag far: what several detectors count with."""

from __future__ import annotations

from math import exp, sqrt

REACH = 3.0  # spreads that a single value may count for
ROOT_SPREAD = 0.5  # standard deviation of the root of a Poisson count, whatever its mean
SLACK, CAP, ENOUGH = 0.5, 3.0, 9.0  # of a CUSUM: four very different windows, or more suspicious ones


def clamp(value: float, low: float, high: float) -> float:
    """`value`, or the bound it lies beyond."""
    return low if value < low else high if value > high else value


def learn(mean: float, spread: float, value: float, weight: float) -> tuple[float, float]:
    """An exponentially weighted mean and mean absolute deviation, moved towards `value`.

    The value counts as at most REACH spreads away, so that the share of any one observation is
    bounded (Kloft and Laskov, AISTATS 2010). Because the spread itself grows by such steps, a level
    that stays is reached all the same, later.
    """
    reach, error = REACH * spread, value - mean
    if error > reach:
        error = reach
    elif error < -reach:
        error = -reach
    return mean + weight * error, spread + weight * (abs(error) - spread)


def cusum(excess: float, score: float) -> float:
    """Page's one-sided cumulative sum, one step on: what `score` exceeds SLACK by adds up.

    A single step moves it by at most CAP, so that it takes several; from ENOUGH on it is a change.
    """
    return max(0.0, excess + clamp(score - SLACK, -CAP, CAP))


def fade(seconds: float, half_life: float) -> float:
    """The factor that halves a sum every `half_life` seconds."""
    return exp(-0.6931471805599453 * seconds / half_life)


def binomial_score(hits: float, trials: float, share: float) -> float:
    """How many standard deviations `hits` of `trials` lie above what `share` leads to expect."""
    expected = trials * share
    return (hits - expected) / sqrt(max(expected * (1.0 - share), 1e-9))
