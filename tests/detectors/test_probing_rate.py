from __future__ import annotations

from collections.abc import Iterable
from math import cos, pi
from random import Random

import msgspec

from detectors.probing_rate import Calls, ProbingRate
from tocsin.model import Event, Finding, Signals

HOUR = 3600.0
START = 500_000 * HOUR


def told(
    times: Iterable[float], detector: ProbingRate | None = None, state: Calls | None = None
) -> list[tuple[float, Finding]]:
    detector = detector or ProbingRate()
    state = state or detector.start()
    heard = ((at, detector.observe(Event(arrival=START + at), Signals(), state)) for at in times)
    return [(at, finding) for at, finding in heard if finding]


def calls(a_minute: float, begin: float, end: float, seed: int = 1) -> list[float]:
    """A Poisson stream."""
    random, at, times = Random(seed), begin, list[float]()
    while (at := at + random.expovariate(a_minute / 60)) < end:
        times.append(at)
    return times


def test_whoever_calls_is_user_then_key_then_agent_then_session() -> None:
    detector = ProbingRate()
    assert detector.key(Event(user="u", api_key="k", agent="a", session="s")) == "user:u"
    assert detector.key(Event(api_key="k", agent="a", session="s")) == "key:k"
    assert detector.key(Event(agent="a", session="s")) == "agent:a"
    assert detector.key(Event(session="s")) == "session:s"
    assert detector.key(Event()) is None
    assert detector.key(Event(kind="tool", user="u")) is None


def test_a_burst_is_told_before_its_minute_is_over() -> None:
    found = told([*calls(2, 0, HOUR), *(HOUR + 0.5 * second for second in range(100))])
    assert found
    assert found[0][0] < HOUR + 30
    assert found[0][1].value == 30
    assert found[0][1].baseline is not None and 1 < found[0][1].baseline < 5
    assert found[0][1].since == START + HOUR


def test_a_stranger_is_told_by_the_ceilings_alone() -> None:
    assert not told(calls(7, 0, HOUR))
    in_a_burst = told([number * 0.1 for number in range(130)])
    assert [finding.value for _, finding in in_a_burst] == [120]
    in_an_hour = told([number * 5.0 for number in range(700)])
    assert [finding.value for _, finding in in_an_hour] == [500]


def test_the_last_sixty_minutes_count_across_the_full_hour() -> None:
    """300 in the last twenty minutes of one hour and 300 in the first twenty of the next."""
    found = told([2400 + number * 4.0 for number in range(600)])
    assert [finding.value for _, finding in found] == [500]


def test_a_rise_that_lasts_is_told_though_no_minute_is_a_burst() -> None:
    found = told([*calls(4, 0, 2 * HOUR), *calls(24, 2 * HOUR, 3 * HOUR, seed=2)])
    assert found
    assert found[0][0] < 2 * HOUR + 900
    assert "at the end of" in found[0][1].summary


def test_a_little_more_for_a_while_is_not_told() -> None:
    assert not told(
        [*calls(4, 0, 2 * HOUR), *calls(8, 2 * HOUR, 2.6 * HOUR, seed=2), *calls(4, 2.6 * HOUR, 4 * HOUR)]
    )


def test_a_steady_job_is_told_at_first_and_then_never_again() -> None:
    found = told(calls(40, 0, 30 * HOUR))
    assert found, "a stranger with 2,400 calls an hour is worth a word"
    assert max(at for at, _ in found) < 4 * HOUR


def test_a_known_name_that_becomes_a_steady_job_is_believed_within_hours() -> None:
    found = told([*calls(4, 0, 4 * HOUR), *calls(60, 4 * HOUR, 48 * HOUR, seed=2)])
    assert found
    assert max(at for at, _ in found) < 12 * HOUR


def test_a_daily_rhythm_is_no_incident() -> None:
    """Ten times as many calls at noon as at night, for two weeks."""
    random, at, times = Random(3), 0.0, list[float]()
    while at < 14 * 24 * HOUR:
        a_minute = 2.75 - 2.25 * cos(2 * pi * at / (24 * HOUR))
        at += random.expovariate(a_minute / 60)
        times.append(at)
    assert not told(times)


def test_slow_growth_is_told_before_it_is_large() -> None:
    """One per cent more every hour, from 100 calls an hour on: the hourly ceiling does not follow."""
    random, at, times = Random(4), 0.0, list[float]()
    while at < 300 * HOUR:
        at += random.expovariate(100 * 1.01 ** (at / HOUR) / HOUR)
        times.append(at)
    found = told(times)
    assert found
    assert 100 * 1.01 ** (found[0][0] / HOUR) < 600


def test_one_flood_does_not_hide_the_next() -> None:
    """However large it was, what is told next is twice what was told first, no more."""
    detector = ProbingRate()
    state = detector.start()
    told(calls(2, 0, HOUR), detector, state)
    before = state.mean
    told([HOUR + number * 0.01 for number in range(5000)], detector, state)
    told([HOUR + 120], detector, state)
    assert state.mean < before * 1.02
    again = told([HOUR + 180 + number * 0.5 for number in range(100)], detector, state)
    assert again and again[0][1].value == 60
    hour = told([2 * HOUR + number * 2.0 for number in range(1100)], detector, state)
    assert any(finding.window_seconds == 3600 for _, finding in hour)


def test_a_burst_that_comes_every_night_is_told_some_nights_and_then_known() -> None:
    times = calls(2, 0, 14 * 24 * HOUR)
    for night in range(14):
        times += [night * 24 * HOUR + 3 * HOUR + number for number in range(100)]
    found = told(sorted(times))
    nights = [int(at // (24 * HOUR)) for at, finding in found]
    assert set(nights) <= {0, 1, 2, 3, 10, 11, 12}
    assert len(nights) <= 6


def test_the_last_ceiling_never_adapts() -> None:
    found = told(calls(40, 0, 20 * HOUR), ProbingRate(never_above=1000))
    assert {int(at // HOUR) for at, _ in found} == set(range(20))


def test_a_state_takes_less_than_200_bytes_in_storage() -> None:
    detector = ProbingRate()
    state = detector.start()
    told(calls(40, 0, 3 * HOUR), detector, state)
    assert len(msgspec.msgpack.encode(state)) <= 300
