"""Somebody asks a model far more often than they used to, or than anybody should."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from detectors.principal import principal
from detectors.stats import ENOUGH, REACH, ROOT_SPREAD, SLACK, cusum, learn
from tocsin.contracts import About, Detector
from tocsin.model import Event, Finding, Kind, Severity, Signals

ORDINARY, SLOW = 1 / 60, 1 / 240  # share of a minute in the baseline; of one that stands out
FALL = 0.003  # share of what was told that is forgotten in an hour with calls


class Calls(msgspec.Struct, array_like=True, gc=False):
    """A principal's running minute and hour, and what is usual for both."""

    minute: int = -1
    calls: int = 0  # in the running minute
    limit: int = 0  # of the running minute
    mean: float = 0.0  # of the roots of calls a minute, over minutes with calls
    spread: float = ROOT_SPREAD
    seen: int = 0  # minutes learnt, up to the warm-up
    excess: float = 0.0
    since: int = 0  # minute in which the excess left zero
    hour_calls: int = 0  # in the running clock hour
    hour_before: int = 0
    carried: int = 0  # of the hour before, what the sixty minutes up to now still hold
    hour_limit: int = 0  # once told in the running clock hour: where it is told again
    told_hour: float = 0.0  # calls in sixty minutes that are known since they were told, fading
    told_minute: float = 0.0  # the same in one minute


class ProbingRate(Detector[Calls], frozen=True, kw_only=True):
    """Counts LLM calls per principal on two clocks, against its own baseline and against ceilings."""

    about: ClassVar[About] = About(
        title="Unusual rate of LLM calls by one principal",
        detects="A user, API key, agent or session that calls models in bursts, or for minutes to hours, far "
        "more often than it used to or, without a history, than the ceilings allow: model extraction, "
        "membership inference, search for a jailbreak, a stolen key, a client out of control.",
        misses="Probing spread over many principals, or at a rate that is ordinary for its principal. What "
        "is asked: ten thousand questions and one question ten thousand times look alike. Events that name "
        "no user, key, agent or session. A burst less than twice as large as one that the same principal "
        "was told for in the last days.",
        reads=("kind", "arrival", "user", "api_key", "agent", "session"),
        owasp=("LLM06:2026", "LLM10:2025", "LLM02:2026", "LLM02:2025"),
        atlas=("AML.T0024", "AML.T0024.002", "AML.T0034.000", "AML.T0040"),
    )
    state_type: ClassVar[type[Any]] = Calls
    kinds: ClassVar[frozenset[Kind]] = frozenset({"llm"})

    rise: Annotated[float, Meta(gt=1, description="times the usual rate that stand out")] = 3.0
    minute_floor: Annotated[int, Meta(ge=2, description="fewer calls a minute are never told")] = 30
    minute_ceiling: Annotated[int, Meta(ge=2, description="calls a minute allowed without a baseline")] = 120
    hour_ceiling: Annotated[int, Meta(ge=2, description="calls in sixty minutes allowed until told")] = 500
    never_above: Annotated[
        int, Meta(ge=2, description="calls in sixty minutes that are told however usual they became")
    ] = 100_000
    warmup_minutes: Annotated[
        int, Meta(ge=3, le=255, description="minutes with calls before there is one")
    ] = 20

    def __post_init__(self) -> None:
        if self.never_above < self.hour_ceiling:
            raise ValueError("never_above is less than hour_ceiling")

    def key(self, event: Event) -> str | None:
        return principal(event) if event.kind == "llm" else None

    def start(self) -> Calls:
        return Calls()

    def observe(self, event: Event, signals: Signals, state: Calls) -> Finding | None:
        minute = int(event.arrival // 60)
        finding = self._turn(minute, state) if minute > state.minute else None
        state.calls += 1
        state.hour_calls += 1
        if state.hour_calls + state.carried >= self.hour_ceiling:
            finding = self._hour(state) or finding
        if state.calls == state.limit:
            finding = self._burst(state)
        return finding

    def _turn(self, minute: int, state: Calls) -> Finding | None:
        """Close the minute before, learn from it, and set the limits of the new one."""
        finding = self._learn(minute - state.minute - 1, state) if state.minute >= 0 else None
        hours = minute // 60 - state.minute // 60
        if hours > 0:
            self._turn_hour(hours, state)
        state.minute = minute
        state.calls = 0
        state.limit = self._limit(state)
        state.carried = state.hour_before * (60 - minute % 60) // 60
        return finding

    def _turn_hour(self, hours: int, state: Calls) -> None:
        """Forget a little; what was told is known, doubled once an hour, so that no flood hides the next."""
        if state.told_minute:
            state.told_minute *= 1 - FALL
        if state.told_hour > state.hour_calls:
            state.told_hour *= 1 - FALL
        if state.hour_limit:
            state.told_hour = max(2 * state.told_hour, float(self.hour_ceiling))
        state.hour_before = state.hour_calls if hours == 1 else 0
        state.hour_calls = state.hour_limit = 0

    def _learn(self, silent: int, state: Calls) -> Finding | None:
        """Move the baseline, slowly where the minute stands out; tell a rise that lasts."""
        root, known, finding = sqrt(state.calls), state.seen >= self.warmup_minutes, None
        if known and (state.excess > 0.0 or 2 * state.calls > self.minute_floor):
            finding = self._sustained(root, silent, state)
        weight = ORDINARY if known else max(ORDINARY, 1 / (state.seen + 1))
        if state.excess > 0.0 or state.calls > self.minute_floor:
            limit = self._limit(state)
            if state.calls >= limit:
                state.told_minute = float(limit)
            if known and (state.excess > 0.0 or state.calls >= limit):
                weight = SLOW
        state.mean, spread = learn(state.mean, state.spread, root, weight)
        state.spread = spread if spread > ROOT_SPREAD else ROOT_SPREAD
        state.seen = state.seen if known else state.seen + 1
        return finding

    def _sustained(self, root: float, silent: int, state: Calls) -> Finding | None:
        """CUSUM of what goes beyond the tolerated rise; silent minutes count against it."""
        if state.excess == 0.0:
            state.since = state.minute
        tolerated = sqrt(max(state.mean**2 * self.rise, self.minute_floor / 2))
        state.excess = cusum(state.excess, (root - tolerated) / state.spread)
        if state.excess < ENOUGH:
            state.excess = max(0.0, state.excess - SLACK * silent)
            return None
        state.excess = 0.0
        minutes = state.minute - state.since + 1
        what = f"LLM calls a minute at the end of {minutes} such minutes"
        return _finding(state, state.calls, state.mean**2, minutes, what)

    def _limit(self, state: Calls) -> int:
        if state.seen < self.warmup_minutes:
            return max(self.minute_ceiling, ceil(2 * state.told_minute))
        far, risen = state.mean + REACH * state.spread, state.mean * sqrt(self.rise)
        root = far if far > risen else risen
        return max(self.minute_floor, ceil(root * root), ceil(2 * state.told_minute))

    def _burst(self, state: Calls) -> Finding:
        """The running minute holds too many calls already; told again when the count has doubled."""
        state.limit = 2 * state.calls
        usual = state.mean**2 if state.seen >= self.warmup_minutes else None
        return _finding(state, state.calls, usual, 1, "LLM calls within a minute")

    def _hour(self, state: Calls) -> Finding | None:
        """Told above what is known, again when it has doubled, and above the last ceiling every hour."""
        count = state.hour_calls + state.carried
        known = min(2 * state.told_hour, self.never_above)
        if count < known or count < state.hour_limit:
            return None
        state.hour_limit = 2 * count
        return _finding(state, count, None, 60, "LLM calls within sixty minutes")

    @classmethod
    def examples(cls) -> Sequence[ProbingRate]:
        sharp = cls(rise=2.0, minute_floor=5, minute_ceiling=20, hour_ceiling=60, warmup_minutes=3)
        return (cls(), sharp, cls(never_above=50, hour_ceiling=40))


def _finding(state: Calls, value: int, usual: float | None, minutes: int, what: str) -> Finding:
    compared = "never so many before" if usual is None else f"usually {usual:.1f} in a minute with calls"
    return Finding(
        severity=Severity.high if usual and value >= 10 * usual else Severity.medium,
        summary=f"{value} {what}; {compared}",
        value=float(value),
        baseline=None if usual is None else round(usual, 2),
        window_seconds=60.0 * minutes,
        since=max(0.0, 60.0 * (state.minute - minutes + 1)),
        evidence={"calls_this_minute": state.calls, "minutes_known": state.seen},
    )
