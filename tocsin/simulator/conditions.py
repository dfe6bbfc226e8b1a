"""How models behave otherwise than usual for a while."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """How a model behaves otherwise than usual for a while, in one application."""

    application: str
    model: str
    start: float
    end: float
    ramp_seconds: float = 0.0  # the change comes over this time; 0: at once
    latency: float = 1.0
    tokens: float = 1.0  # of answers
    errors: float = 0.0
    response_model: str = ""


class Now(NamedTuple):
    """What the conditions amount to at one moment."""

    latency: float = 1.0
    tokens: float = 1.0
    errors: float = 0.0
    response_model: str = ""


USUAL = Now()


class Conditions:
    """All conditions of a simulation."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        self._by_model: dict[tuple[str, str], list[Condition]] = {}
        for condition in conditions:
            self._by_model.setdefault((condition.application, condition.model), []).append(condition)

    def at(self, application: str, model: str, time: float) -> Now:
        """How the model behaves at this time."""
        for condition in self._by_model.get((application, model), ()):
            if condition.start <= time < condition.end:
                ramp = condition.ramp_seconds
                part = min(1.0, (time - condition.start) / ramp) if ramp else 1.0
                return Now(
                    1.0 + (condition.latency - 1.0) * part,
                    1.0 + (condition.tokens - 1.0) * part,
                    condition.errors * part,
                    condition.response_model,
                )
        return USUAL
