"""False alarms and delays of the sequential test, simulated with fixed seeds."""

from __future__ import annotations

from random import Random

import pytest

from detectors.rates import Change, Chart, Rate, chart_of, watch

PLAIN = chart_of(500, 5000, 2.0, 1e6, True)


def run(rate: Rate, share: float, calls: int, seed: int, chart: Chart = PLAIN) -> list[tuple[int, Change]]:
    random = Random(seed)
    heard = ((at, watch(rate, random.random() < share, float(at), chart)) for at in range(calls))
    return [(at, change) for at, change in heard if change]


@pytest.mark.parametrize("share", [0.001, 0.01, 0.05, 0.3])
def test_steady_streams_alarm_less_often_than_promised(share: float) -> None:
    """A thousand calls between alarms of one side, at least: here there are 160,000 and two sides."""
    brisk = chart_of(500, 5000, 2.0, 1e3, True)
    alarms = sum(len(run(Rate(), share, 8000, seed, brisk)) for seed in range(20))
    assert alarms / 160_000 < 2 / 1e3


@pytest.mark.parametrize("share", [0.01, 0.3])
def test_steady_streams_are_silent_at_the_default(share: float) -> None:
    assert not any(run(Rate(), share, 12_000, seed) for seed in range(20))


@pytest.mark.parametrize(
    ("before", "after", "within"),
    [(0.02, 0.3, 110), (0.02, 0.1, 420), (0.1, 0.3, 160), (0.1, 0.02, 650), (0.05, 0.01, 1400)],
)
def test_a_shift_is_told_soon(before: float, after: float, within: int) -> None:
    delays = []
    for seed in range(30):
        rate = Rate()
        assert not run(rate, before, 6000, seed)
        found = run(rate, after, 4000, seed + 100)
        assert found and found[0][1].risen == (after > before)
        delays.append(found[0][0])
    assert sorted(delays)[15] <= within


def test_the_change_says_from_what_to_what_and_since_when() -> None:
    rate = Rate()
    run(rate, 0.02, 6000, 1)
    at, change = run(rate, 0.4, 500, 2)[0]
    assert 0.25 < change.share <= 0.7
    assert 0.015 < change.usual < 0.026
    assert change.calls <= at + 1 and change.since >= at - change.calls


def test_a_share_that_stays_is_told_once() -> None:
    rate = Rate()
    run(rate, 0.02, 6000, 1)
    assert len(run(rate, 0.2, 20_000, 2)) == 1
    assert 1 <= len(run(rate, 0.75, 20_000, 3)) <= 2, "and again where it goes as far once more"


def test_back_to_normal_is_no_change_and_the_next_time_is_told_again() -> None:
    rate = Rate()
    run(rate, 0.02, 6000, 1)
    assert len(run(rate, 0.2, 500, 2)) == 1
    assert not run(rate, 0.02, 30_000, 3)
    assert len(run(rate, 0.2, 500, 4)) == 1


def test_nothing_is_told_before_the_warm_up() -> None:
    rate = Rate()
    assert not run(rate, 0.0, 300, 1) and not run(rate, 1.0, 199, 1)


def test_the_reference_stands_still_once_it_is_settled_and_while_there_is_doubt() -> None:
    rate = Rate()
    run(rate, 0.05, 6000, 1)
    assert rate.calls == 5000
    young = Rate()
    run(young, 0.02, 600, 1)
    hits = young.hits
    for at in range(12):  # twelve hits in a row: suspicious, not yet told
        assert watch(young, True, float(at), PLAIN) is None
    assert young.hits - hits <= 6


def test_slow_growth_adds_up() -> None:
    """One part in a thousand more every hundred calls never steps; in the end it has doubled."""
    random, rate, told, share = Random(1), Rate(), None, 0.0
    for at in range(150_000):
        share = 0.05 * 1.001 ** (at / 100)
        told = watch(rate, random.random() < share, float(at), PLAIN)
        if told:
            break
    assert told and told.risen and share < 0.2


def test_a_stream_of_nothing_but_hits_or_misses_is_taken() -> None:
    for hit in (True, False):
        rate = Rate()
        assert not any(watch(rate, hit, float(at), PLAIN) for at in range(20_000))


def test_falls_are_told_where_they_are_wanted() -> None:
    rate = Rate()
    upwards = PLAIN._replace(falls=False)
    run(rate, 0.2, 6000, 1, upwards)
    assert not run(rate, 0.01, 3000, 2, upwards)
    assert run(rate, 0.9, 300, 3, upwards)
