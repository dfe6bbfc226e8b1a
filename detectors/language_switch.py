"""Answers in another language or script than the question, where the application does not do that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from detectors.novelty import Known, begin, chance, meet, settled
from detectors.principal import answering
from detectors.rates import Change, Rate, chart_of, watch
from tocsin.contracts import About, Detector
from tocsin.model import Event, Finding, Kind, Severity, Signals, TextSignal

LANGUAGES = 64  # remembered; more than are told apart


class Spoken(msgspec.Struct, array_like=True, gc=False):
    """Languages and scripts of the answers, and how often they are not those of the question."""

    known: Known = msgspec.field(default_factory=Known)
    rate: Rate = msgspec.field(default_factory=Rate)


class LanguageSwitch(Detector[Spoken], frozen=True, kw_only=True):
    """Compares the language of an answer with that of its question and with what the application speaks."""

    about: ClassVar[About] = About(
        title="Answers in an unexpected language or script",
        detects="The first answer in a language or script that this application never used and nobody asked "
        "in, or a share of such mismatches that has multiplied: a hijacked or degraded model, a model "
        "exchanged for another, a prompt that moves to a language in which guardrails see less.",
        misses="Short texts, and languages that common words do not tell apart. A switch that the user "
        "asked for looks the same. Applications that translate (`novelty`, and their share of mismatches is "
        "usual).",
        reads=("kind", "arrival", "agent", "agent_id", "application", "signals.texts"),
        owasp=("LLM07:2026", "LLM09:2025", "LLM01:2026"),
        atlas=("AML.T0031", "AML.T0068"),
    )
    state_type: ClassVar[type[Any]] = Spoken
    kinds: ClassVar[frozenset[Kind]] = frozenset({"llm", "agent"})

    least_characters: Annotated[
        int, Meta(ge=10, description="shorter answers and questions are not compared")
    ] = 60
    warmup_answers: Annotated[int, Meta(ge=20, description="answers before anything is told")] = 200
    warmup_seconds: Annotated[float, Meta(ge=0, description="time before a new language is told")] = 3600.0
    novelty: Annotated[
        float, Meta(gt=0, le=1, description="new languages expected in an answer above which none is told")
    ] = 0.01
    ratio: Annotated[float, Meta(gt=1, description="times the usual share of mismatches that are told")] = 3.0
    false_alarm_calls: Annotated[
        float, Meta(gt=10, description="answers between two false alarms about the share, at least")
    ] = 1e6

    def key(self, event: Event) -> str | None:
        return answering(event)

    def start(self) -> Spoken:
        return Spoken()

    def observe(self, event: Event, signals: Signals, state: Spoken) -> Finding | None:
        answer = question = None
        for text in signals.texts:
            if text.length >= self.least_characters and text.script:
                if text.place == "output":
                    answer = text
                elif text.place == "input" and text.role == "user":
                    question = text
        return self._compare(answer, question, event.arrival, state) if answer else None

    def _compare(
        self, answer: TextSignal, question: TextSignal | None, at: float, state: Spoken
    ) -> Finding | None:
        begin(state.known, at)
        spoken = _spoken(answer)
        ready = settled(state.known, at, self.warmup_answers, self.warmup_seconds, self.novelty)
        before = meet(state.known, spoken.encode()[:32], at, LANGUAGES)
        if question is None:
            return None
        other = _differ(answer, question)
        chart = chart_of(self.warmup_answers, 20 * self.warmup_answers, self.ratio, self.false_alarm_calls)
        change = watch(state.rate, other, at, chart)
        if other and ready and not before.times:
            return _first(spoken, _spoken(question), answer.script != question.script, state)
        return _more(change) if change else None

    @classmethod
    def examples(cls) -> Sequence[LanguageSwitch]:
        quick = cls(warmup_answers=20, warmup_seconds=0.0, novelty=1.0, false_alarm_calls=1e3)
        return (cls(), quick, cls(least_characters=10))


def _spoken(text: TextSignal) -> str:
    return f"{text.language or 'unknown'}/{text.script}"


def _differ(answer: TextSignal, question: TextSignal) -> bool:
    """Another script, or another language where both are known."""
    if answer.script != question.script:
        return True
    return bool(answer.language and question.language) and answer.language != question.language


def _first(spoken: str, asked: str, script: bool, state: Spoken) -> Finding:
    known = state.known
    return Finding(
        severity=Severity.medium if script else Severity.low,
        summary=f"an answer in {spoken} to a question in {asked}: the first in {known.answers} answers",
        value=1.0,
        baseline=round(chance(known), 6),
        evidence={"answer": spoken, "question": asked, "answers": known.answers},
    )


def _more(change: Change) -> Finding:
    return Finding(
        severity=Severity.medium,
        summary=f"{change.share:.0%} of the last {change.calls} answers are in another language than their "
        f"question; usually {change.usual:.1%} are",
        value=round(change.share, 4),
        baseline=round(change.usual, 6),
        since=change.since,
        evidence={"answers": change.calls},
    )
