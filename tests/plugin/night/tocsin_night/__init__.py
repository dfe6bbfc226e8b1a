"""A detector that somebody else wrote: calls in the night by a user who is only known by day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from tocsin import About, Detector, Event, Finding, Severity, Signals

DAY = 86_400


class Hours(msgspec.Struct):
    """Calls by day, and whether the night was told."""

    by_day: int = 0
    told: int = -1  # day of the last finding


class Night(Detector[Hours], frozen=True, kw_only=True):
    """Tells the first call between two hours (UTC) by a user who called by day often enough."""

    about: ClassVar[About] = About(
        title="Calls at night by a user of the day",
        detects="A user who always worked by day calls a model at night.",
        misses="People in other time zones and everybody who works at night anyway.",
        reads=("arrival", "user"),
        owasp=("LLM06:2026", "LLM10:2025"),
        atlas=("AML.T0012",),
    )
    state_type: ClassVar[type[Any]] = Hours

    begins: Annotated[int, Meta(ge=0, le=23, description="hour at which the night begins")] = 0
    ends: Annotated[int, Meta(ge=1, le=24, description="hour at which it ends")] = 5
    calls: Annotated[int, Meta(ge=1, description="calls by day before a night is told")] = 20

    def key(self, event: Event) -> str | None:
        return event.user or None

    def start(self) -> Hours:
        return Hours()

    def observe(self, event: Event, signals: Signals, state: Hours) -> Finding | None:
        day, hour = int(event.arrival // DAY), event.arrival % DAY / 3600
        if not self.begins <= hour < self.ends:
            state.by_day = min(state.by_day + 1, self.calls)
            return None
        if state.by_day < self.calls or state.told == day:
            return None
        state.told = day
        return Finding(
            severity=Severity.medium,
            summary=f"a call at {hour:.0f} h by a user who is known by day",
            value=hour,
            since=event.arrival,
        )

    @classmethod
    def examples(cls) -> Sequence[Night]:
        return (cls(), cls(begins=1, ends=2, calls=1))
