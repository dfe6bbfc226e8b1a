"""Shares that moved: a sequential test of a yes-or-no stream against a reference that it learnt itself."""

from __future__ import annotations

from math import log, sqrt
from typing import NamedTuple

import msgspec

DOUBT = 2.33  # standard errors on the safe side of what was learnt: wrong once in a hundred references
FULL = 0.9  # a share that cannot rise by much any more
QUIET = 0.25  # share of the evidence that is enough for a doubt: nothing is learnt above it


class Side(msgspec.Struct, array_like=True, gc=False):
    """What speaks for a change in one direction since it last spoke against it."""

    evidence: float = 0.0  # logarithm of the likelihood ratio
    calls: int = 0
    hits: int = 0
    since: float = 0.0  # arrival at which the evidence left zero
    known: float = -1.0  # a share that was told; a running mean from there on


class Rate(msgspec.Struct, array_like=True, gc=False):
    """The reference, and both sides. Bounds are those of the share that the reference allows."""

    calls: int = 0
    hits: int = 0
    low: float = 0.0
    high: float = 1.0
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
    calls: float  # calls between false alarms of one side, at least


def watch(rate: Rate, hit: bool, at: float, chart: Chart) -> Change | None:
    """Take one outcome in; whether the share has changed by now.

    Page's CUSUM of log-likelihood ratios (Biometrika 1954) between the share that the reference allows
    (Wilson's bound, JASA 1927) and `ratio` times it. Where it alarms at the logarithm of a number, the
    mean time between false alarms is at least that number (Lorden, Ann. Math. Stat. 1971). The reference
    stands still once it is settled, and while anything speaks for a change; a share that was told is known.
    """
    if rate.calls < chart.warmup:
        _learn(rate, hit)
        return None
    rise, fall, enough = rate.rise, rate.fall, log(chart.calls)
    high = rate.high if rise.known <= rate.high else rise.known
    low = rate.low if fall.known < 0.0 or fall.known > rate.low else fall.known
    change = None
    above = min(high * chart.ratio, 1.0 - (1.0 - high) / chart.ratio)
    if high < FULL and _step(rise, hit, at, high, above) >= enough:
        change = _told(rate, rise, True)
    if low > 0.0 and _step(fall, hit, at, low, low / chart.ratio) >= enough:
        change = _told(rate, fall, False)
    if rise.known >= 0.0:
        rise.known += (hit - rise.known) / chart.settled
    if fall.known >= 0.0:
        fall.known += (hit - fall.known) / chart.settled
    quiet = rise.evidence < QUIET * enough and fall.evidence < QUIET * enough
    if rate.calls < chart.settled and quiet and change is None:
        _learn(rate, hit)
    return change


def _step(side: Side, hit: bool, at: float, before: float, after: float) -> float:
    """The evidence, one outcome on."""
    if side.evidence == 0.0:
        side.calls, side.hits, side.since = 0, 0, at
    step = log(after / before) if hit else log((1.0 - after) / (1.0 - before))
    side.evidence = max(0.0, side.evidence + step)
    side.calls += 1
    side.hits += hit
    return side.evidence


def _told(rate: Rate, side: Side, risen: bool) -> Change:
    """What was told is known: it is told again only where it goes as far once more."""
    share = side.hits / side.calls
    side.evidence, side.known = 0.0, min(0.95, share)
    return Change(risen, share, rate.hits / rate.calls, side.calls, side.since)


def _learn(rate: Rate, hit: bool) -> None:
    rate.calls += 1
    rate.hits += hit
    calls, share, square = rate.calls, rate.hits / rate.calls, DOUBT * DOUBT
    middle = share + square / (2 * calls)
    reach = DOUBT * sqrt(share * (1.0 - share) / calls + square / (4.0 * calls * calls))
    rate.low = min(0.95, max(0.0, (middle - reach) / (1.0 + square / calls)))
    rate.high = min(0.95, (middle + reach) / (1.0 + square / calls))
