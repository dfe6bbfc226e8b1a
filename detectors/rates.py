"""Shares that moved: a sequential test of a yes-or-no stream against a reference that it learnt itself."""

from __future__ import annotations

from functools import cache
from math import log, sqrt
from typing import NamedTuple

import msgspec

DOUBT = 2.33  # standard errors on the safe side of what was learnt: wrong once in a hundred references
FULL = 0.9  # a share that cannot rise by much any more
QUIET = 0.25  # share of the evidence that is enough for a doubt: nothing is learnt above it
REFRESH = 64  # outcomes after which the bounds are reckoned anew


class Side(msgspec.Struct, array_like=True, gc=False):
    """What speaks for a change in one direction since it last spoke against it."""

    hit: float = 0.0  # what a hit adds to the evidence
    miss: float = 0.0  # and a miss
    evidence: float = 0.0  # logarithm of the likelihood ratio
    calls: int = 0
    hits: int = 0
    since: float = 0.0  # arrival at which the evidence left zero
    known: float = -1.0  # a share that was told; a running mean from there on


class Rate(msgspec.Struct, array_like=True, gc=False):
    """The reference, how many outcomes there were, and both sides."""

    calls: int = 0  # of the reference
    hits: int = 0
    seen: int = 0
    rise: Side = msgspec.field(default_factory=Side)
    fall: Side = msgspec.field(default_factory=Side)


class Change(NamedTuple):
    """A share that is no longer what it was."""

    risen: bool
    share: float
    usual: float
    calls: int
    since: float


class Chart(NamedTuple):
    """How a rate is watched: from how many calls on, until when the reference is refined, and how surely."""

    warmup: int
    settled: int
    ratio: float
    enough: float  # evidence that is told
    falls: bool  # whether falls are watched too


@cache
def chart_of(warmup: int, settled: int, ratio: float, calls: float, falls: bool = False) -> Chart:
    """A chart with `calls` between false alarms of one side, at least."""
    return Chart(warmup, settled, ratio, log(calls), falls)


def watch(rate: Rate, hit: bool, at: float, chart: Chart) -> Change | None:
    """Take one outcome in; whether the share has changed by now.

    Page's CUSUM of log-likelihood ratios (Biometrika 1954) between the share that the reference allows
    (Wilson's bound, JASA 1927) and `ratio` times it. Where it alarms at the logarithm of a number, the
    mean time between false alarms is at least that number (Lorden, Ann. Math. Stat. 1971). The reference
    stands still once it is settled, and while anything speaks for a change; a share that was told is known.
    """
    rate.seen += 1
    if rate.calls < chart.warmup:
        rate.calls += 1
        rate.hits += hit
        if rate.calls == chart.warmup:
            _aim(rate, chart)
        return None
    if rate.seen % REFRESH == 0:
        _aim(rate, chart)
    rise, fall, change = rate.rise, rate.fall, None
    if (hit and rise.hit > 0.0) or rise.evidence > 0.0:
        change = _step(rate, rise, hit, at, chart)
    if (not hit and fall.miss > 0.0) or fall.evidence > 0.0:
        change = _step(rate, fall, hit, at, chart) or change
    if rise.known >= 0.0:
        rise.known += (hit - rise.known) / chart.settled
    if fall.known >= 0.0:
        fall.known += (hit - fall.known) / chart.settled
    if rate.calls < chart.settled and change is None:
        doubt = QUIET * chart.enough
        if rise.evidence < doubt and fall.evidence < doubt:
            rate.calls += 1
            rate.hits += hit
    return change


def _step(rate: Rate, side: Side, hit: bool, at: float, chart: Chart) -> Change | None:
    """The evidence, one outcome on. What was told is known: told again where it goes as far once more."""
    if side.evidence == 0.0:
        side.calls, side.hits, side.since = 0, 0, at
    side.evidence = max(0.0, side.evidence + (side.hit if hit else side.miss))
    side.calls += 1
    side.hits += hit
    if side.evidence < chart.enough:
        return None
    share = side.hits / side.calls
    side.evidence, side.known = 0.0, share
    _aim(rate, chart)
    return Change(side is rate.rise, share, rate.hits / rate.calls, side.calls, side.since)


def _aim(rate: Rate, chart: Chart) -> None:
    """Which shares are told apart: what the reference or what was told allows, and `ratio` times that."""
    rise, fall = rate.rise, rate.fall
    low, high = _bounds(rate.hits, rate.calls)
    high = max(high, rise.known)
    above = min(high * chart.ratio, 1.0 - (1.0 - high) / chart.ratio)
    rise.hit, rise.miss = _ratios(high, above) if high < FULL else (0.0, 0.0)
    if chart.falls:
        low = low if fall.known < 0.0 else min(low, fall.known)
        low = min(low, FULL)
        fall.hit, fall.miss = _ratios(low, low / chart.ratio) if low > 0.0 else (0.0, 0.0)


def _ratios(before: float, after: float) -> tuple[float, float]:
    return log(after / before), log((1.0 - after) / (1.0 - before))


def _bounds(hits: int, calls: int) -> tuple[float, float]:
    share, square = hits / calls, DOUBT * DOUBT
    middle = share + square / (2 * calls)
    reach = DOUBT * sqrt(share * (1.0 - share) / calls + square / (4.0 * calls * calls))
    return max(0.0, (middle - reach) / (1.0 + square / calls)), (middle + reach) / (1.0 + square / calls)
