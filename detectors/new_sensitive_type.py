"""An application whose answers hold a kind of personal data, or of secret, that they never held before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from detectors.novelty import Known, begin, chance, meet, settled
from detectors.principal import answering
from detectors.rates import Change, Rate, chart_of, watch
from detectors.secret_leak import UNCERTAIN
from tocsin.contracts import About, Detector
from tocsin.model import Event, Finding, Kind, Severity, Signals, TextSignal

TYPES = 128  # remembered; there are some 80
EVERYDAY = frozenset({"email", "phone", "ip"})


class Sensitive(msgspec.Struct, array_like=True, gc=False):
    """What kinds an application's answers held, and how often any."""

    known: Known = msgspec.field(default_factory=Known)
    rate: Rate = msgspec.field(default_factory=Rate)


class NewSensitiveType(Detector[Sensitive], frozen=True, kw_only=True):
    """Remembers which kinds of sensitive data the answers of an agent or application hold, and how often."""

    about: ClassVar[About] = About(
        title="Personal data new to this application's answers",
        detects="Answers that hold a kind of personal data or secret that this agent's or application's "
        "answers never held (cards, bank accounts, national ids, e-mail, telephone, addresses, passwords), "
        "or a share of answers with such data that has multiplied: a data source that should not be "
        "reachable, a filter that is gone, somebody who pulls records out.",
        misses="Kinds that the application shows anyway, and whose they are. Names, postal addresses. What "
        "the question of the same call held already is not counted. Applications that keep showing new "
        "kinds (`novelty`). The first `warmup_answers` answers; whoever controls these is never told.",
        reads=("arrival", "agent", "agent_id", "application", "signals.texts"),
        owasp=("LLM02:2026", "LLM02:2025"),
        atlas=("AML.T0057", "AML.T0085"),
    )
    state_type: ClassVar[type[Any]] = Sensitive
    kinds: ClassVar[frozenset[Kind]] = frozenset({"llm", "agent"})

    warmup_answers: Annotated[int, Meta(ge=1, description="answers before anything is told")] = 200
    warmup_seconds: Annotated[float, Meta(ge=0, description="time before a new kind is told")] = 3600.0
    novelty: Annotated[
        float, Meta(gt=0, le=1, description="new kinds expected in an answer above which none is told")
    ] = 0.02
    ratio: Annotated[float, Meta(gt=1, description="times the usual share of answers that are told")] = 3.0
    false_alarm_calls: Annotated[
        float, Meta(gt=10, description="answers between two false alarms about the share, at least")
    ] = 1e6

    def key(self, event: Event) -> str | None:
        return answering(event)

    def start(self) -> Sensitive:
        return Sensitive()

    def observe(self, event: Event, signals: Signals, state: Sensitive) -> Finding | None:
        outputs = [text for text in signals.texts if text.place == "output"]
        if not outputs:
            return None
        begin(state.known, event.arrival)
        kinds = _kinds(outputs)
        if kinds:
            kinds -= _kinds([text for text in signals.texts if text.place == "input" and text.role != "tool"])
        new = self._new(sorted(kinds), event.arrival, state) if kinds else []
        chart = chart_of(self.warmup_answers, 20 * self.warmup_answers, self.ratio, self.false_alarm_calls)
        change = watch(state.rate, bool(kinds), event.arrival, chart)
        if new:
            return self._first(new, event, state)
        return _more(change, sorted(kinds)) if change else None

    def _new(self, kinds: list[str], at: float, state: Sensitive) -> list[str]:
        ready = settled(state.known, at, self.warmup_answers, self.warmup_seconds, self.novelty)
        before = [meet(state.known, kind.encode(), at, TYPES).times for kind in kinds]
        return [kind for kind, times in zip(kinds, before, strict=True) if ready and not times]

    def _first(self, new: list[str], event: Event, state: Sensitive) -> Finding:
        return Finding(
            severity=Severity.low if all(kind in EVERYDAY for kind in new) else Severity.medium,
            summary=f"an answer holds {', '.join(new[:6])}: the first in {state.known.answers} answers and "
            f"{(event.arrival - state.known.since) / 3600:.0f} hours",
            value=float(len(new)),
            baseline=round(chance(state.known), 6),
            since=event.arrival,
            evidence={"kinds": ", ".join(new), "answers": state.known.answers, "why": "first seen"},
        )

    @classmethod
    def examples(cls) -> Sequence[NewSensitiveType]:
        return (cls(), cls(warmup_answers=20, warmup_seconds=0.0, novelty=0.5, false_alarm_calls=1e3))


def _kinds(texts: Sequence[TextSignal]) -> set[str]:
    """Personal data, and what words make a secret: keys of a known form are told by `secret_leak`."""
    kinds = {kind for text in texts for kind, _ in text.findings}
    return {kind for kind in kinds if kind in UNCERTAIN or not kind.startswith("secret:")}


def _more(change: Change, kinds: list[str]) -> Finding:
    return Finding(
        severity=Severity.medium,
        summary=f"{change.share:.0%} of the last {change.calls} answers hold personal data or secrets; "
        f"usually {change.usual:.1%} do in this application",
        value=round(change.share, 4),
        baseline=round(change.usual, 6),
        since=change.since,
        evidence={"answers": change.calls, "kinds": ", ".join(kinds), "why": "more often"},
    )
