"""A model that suddenly refuses much more than it did, or much less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from detectors.novelty import digest
from detectors.principal import model, principal
from detectors.rates import Change, Rate, chart_of, watch
from tocsin.contracts import About, Detector
from tocsin.model import Event, Finding, Kind, Severity, Signals

REFUSED_FINISH = frozenset({"refusal", "content_filter", "safety"})
RECENT = 8  # refusals among which nobody counts twice


class Refusals(msgspec.Struct, array_like=True, gc=False):
    """The share of refused calls, and to whom the last ones were refused."""

    rate: Rate = msgspec.field(default_factory=Rate)
    refused: list[bytes] = []


class RefusalShift(Detector[Refusals], frozen=True, kw_only=True):
    """Watches the share of refused or blocked calls, in both directions, against its own reference."""

    about: ClassVar[About] = About(
        title="Refusal rate of a model or a principal shifted",
        detects="The share of calls that the model refused or a guardrail blocked multiplied (many feel for "
        "the limits, a new filter, a model that turns down honest work) or fell to a fraction (a guardrail "
        "that was switched off, a model exchanged or weakened, a prompt that gets around it), for a model "
        "in an application, or for a principal with `per = \"principal\"`.",
        misses="One principal alone, who counts once in eight refusals: see `error_burst`. Falls where less "
        "than about one call in a hundred is refused. Refusals in words that nobody recognises, where "
        "content is off. Changes smaller than `ratio`.",
        reads=("kind", "arrival", "application", "model", "response_model", "user", "api_key", "agent",
               "session", "status", "finish_reason", "signals.refusal"),
        owasp=("LLM01:2026", "LLM01:2025"),
        atlas=("AML.T0054", "AML.T0031"),
    )  # fmt: skip
    state_type: ClassVar[type[Any]] = Refusals
    kinds: ClassVar[frozenset[Kind]] = frozenset({"llm"})

    per: Annotated[
        Literal["model", "principal"],
        Meta(description="whose share: a model's in an application, or a user's"),
    ] = "model"
    ratio: Annotated[float, Meta(gt=1, description="times the usual share, or a part of it, that count")] = (
        2.0
    )
    warmup_calls: Annotated[int, Meta(ge=50, description="calls before anything is told")] = 500
    settled_calls: Annotated[int, Meta(ge=50, description="calls after which the reference stands still")] = (
        5000
    )
    false_alarm_calls: Annotated[
        float, Meta(gt=10, description="calls between two false alarms in one direction, at least")
    ] = 1e6

    def key(self, event: Event) -> str | None:
        if event.kind != "llm" or event.status == "error":
            return None
        return principal(event) if self.per == "principal" else model(event)

    def start(self) -> Refusals:
        return Refusals()

    def observe(self, event: Event, signals: Signals, state: Refusals) -> Finding | None:
        refused = signals.refusal or event.status != "ok" or event.finish_reason in REFUSED_FINISH
        if refused and self.per == "model" and self._again(event, state):
            return None
        chart = chart_of(self.warmup_calls, self.settled_calls, self.ratio, self.false_alarm_calls, True)
        change = watch(state.rate, refused, event.arrival, chart)
        return self._tell(change) if change else None

    def _again(self, event: Event, state: Refusals) -> bool:
        """Whether it is one of the last to whom a call was refused, so that one alone moves little."""
        who = principal(event)
        if who is None:
            return False
        name = digest(who)
        if name in state.refused:
            return True
        state.refused = [*state.refused[1 - RECENT :], name]
        return False

    def _tell(self, change: Change) -> Finding:
        whose = "this model" if self.per == "model" else "this principal"
        moved = "rose" if change.risen else "fell"
        return Finding(
            severity=Severity.medium,
            summary=f"refusals of {whose} {moved} to {change.share:.1%} of {change.calls} calls; usually "
            f"{change.usual:.1%} are refused",
            value=round(change.share, 4),
            baseline=round(change.usual, 6),
            since=change.since,
            evidence={"direction": moved, "calls": change.calls},
        )

    @classmethod
    def examples(cls) -> Sequence[RefusalShift]:
        quick = cls(warmup_calls=50, settled_calls=100, false_alarm_calls=1e3, ratio=3.0)
        return (cls(), quick, cls(per="principal", warmup_calls=50))
