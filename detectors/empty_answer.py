"""A model whose answers come back empty, cut off or broken off far more often than they did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from detectors.principal import model
from detectors.rates import Change, Rate, chart_of, watch
from tocsin.contracts import About, Detector
from tocsin.model import Event, Finding, Kind, Severity, Signals

ENDED = frozenset({"", "stop", "end_turn", "stop_sequence", "tool_call", "tool_calls", "length", "max_tokens",
                   "refusal", "content_filter", "safety"})  # fmt: skip
CUT = frozenset({"length", "max_tokens"})
WORDS = ("empty", "cut off at the limit of tokens", "ended in an unusual way")
ANSWERS = frozenset({"", "chat", "text_completion", "generate_content"})


class Endings(msgspec.Struct, array_like=True, gc=False):
    """The share of each kind of bad ending."""

    empty: Rate = msgspec.field(default_factory=Rate)
    cut: Rate = msgspec.field(default_factory=Rate)
    strange: Rate = msgspec.field(default_factory=Rate)


class EmptyAnswer(Detector[Endings], frozen=True, kw_only=True):
    """Watches how answers end, each kind of bad ending against all others."""

    about: ClassVar[About] = About(
        title="Empty, cut or broken answers of a model",
        detects="Successful calls of one model in one application that return nothing, end at the limit of "
        "tokens, or end for a reason other than done, tool call, limit or refusal, several times more often "
        "than usual: an overloaded or degraded provider, a broken prompt or parser, inputs that stall it.",
        misses="A single empty answer. Fewer bad endings than `ratio` times the usual. Shifts between done "
        "and tool calls. Empty answers where the producer tells neither tokens nor content. Refusals are "
        "`refusal_shift`'s, errors `error_burst`'s.",
        reads=("kind", "arrival", "operation", "application", "model", "response_model", "status",
               "finish_reason", "output_tokens", "output", "content_available", "signals.output_length"),
        owasp=("LLM06:2026", "LLM10:2025", "LLM10:2026"),
        atlas=("AML.T0029",),
    )  # fmt: skip
    state_type: ClassVar[type[Any]] = Endings
    kinds: ClassVar[frozenset[Kind]] = frozenset({"llm"})

    ratio: Annotated[float, Meta(gt=1, description="times the usual share that are told")] = 3.0
    warmup_calls: Annotated[int, Meta(ge=50, description="calls before anything is told")] = 300
    settled_calls: Annotated[int, Meta(ge=50, description="calls after which the reference stands still")] = (
        5000
    )
    false_alarm_calls: Annotated[
        float, Meta(gt=10, description="calls between two false alarms, at least")
    ] = 1e6

    def key(self, event: Event) -> str | None:
        if event.kind != "llm" or event.status != "ok" or event.operation not in ANSWERS:
            return None
        return model(event)

    def start(self) -> Endings:
        return Endings()

    def observe(self, event: Event, signals: Signals, state: Endings) -> Finding | None:
        reason, at = event.finish_reason, event.arrival
        # Three ways to be wrong share the risk (Bonferroni).
        chart = chart_of(self.warmup_calls, self.settled_calls, self.ratio, 3 * self.false_alarm_calls)
        empty = watch(state.empty, _empty(event, signals), at, chart)
        cut = watch(state.cut, reason in CUT, at, chart)
        strange = watch(state.strange, reason not in ENDED, at, chart)
        if empty or cut or strange:
            told = zip(WORDS, (empty, cut, strange), strict=True)
            return next((_finding(what, change) for what, change in told if change), None)
        return None

    @classmethod
    def examples(cls) -> Sequence[EmptyAnswer]:
        return (cls(), cls(ratio=2.0, warmup_calls=50, settled_calls=100, false_alarm_calls=1e3))


def _empty(event: Event, signals: Signals) -> bool:
    """Nothing was said and nothing called, as far as anything is known of it."""
    if event.finish_reason in ("tool_call", "tool_calls"):
        return False
    if event.output_tokens is not None:
        return event.output_tokens == 0
    if not event.content_available or not event.output or signals.output_length:
        return False
    return not any(message.tool_calls for message in event.output)


def _finding(what: str, change: Change) -> Finding:
    return Finding(
        severity=Severity.medium if change.share >= 0.2 else Severity.low,
        summary=f"{change.share:.0%} of {change.calls} answers of this model are {what}; usually "
        f"{change.usual:.1%} are",
        value=round(change.share, 4),
        baseline=round(change.usual, 6),
        since=change.since,
        evidence={"ending": what, "calls": change.calls},
    )
