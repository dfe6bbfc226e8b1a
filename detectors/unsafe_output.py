"""Answers that are dangerous to whatever reads them: a page, a database, a shell, a template engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from detectors.novelty import Known, begin, chance, meet, settled
from detectors.principal import answering
from tocsin.contracts import About, Detector
from tocsin.model import Event, Finding, Kind, Severity, Signals

FAMILY = "C7"
KINDS = 64  # remembered

Sink = Literal[
    "html", "sql", "shell", "template", "xml", "object", "spreadsheet", "terminal", "package", "directory",
    "header", "code",
]  # fmt: skip
SINKS: Mapping[str, Sink] = {  # what reads the payload that a rule is about
    "payload-script": "html",
    "payload-cookie-theft": "html",
    "payload-sql": "sql",
    "payload-template": "template",
    "payload-shell-in-argument": "shell",
    "payload-xxe": "xml",
    "payload-deserialise": "object",
    "payload-formula": "spreadsheet",
    "payload-terminal": "terminal",
    "payload-package": "package",
    "payload-nosql": "sql",
    "payload-ldap-xpath": "directory",
    "payload-log4j-header": "header",
    "payload-prototype": "object",
    "payload-code-runs": "code",
}


class UnsafeOutput(Detector[Known], frozen=True, kw_only=True):
    """Looks in answers for payloads of the sinks that an application feeds; of others for what is new."""

    about: ClassVar[About] = About(
        title="Payload for what reads the answer",
        detects="Script, SQL, shell, templates, XML entities, serialised objects, formulas, control "
        "sequences or package sources in an answer, of a kind that harms where it is inserted unescaped. "
        "High for a sink that is declared for the application in `sinks`; low for other kinds, and only the "
        "first of a kind in an application that never shows any.",
        misses="Applications that write code show the same: declare their sinks, or expect only what is "
        "new. Payloads that no rule describes. Whether the application escapes what it inserts.",
        reads=("arrival", "agent", "agent_id", "application", "signals.texts"),
        owasp=("LLM10:2026", "LLM05:2025", "ASI05:2026"),
        atlas=("AML.T0102", "AML.T0050"),
    )
    state_type: ClassVar[type[Any]] = Known
    kinds: ClassVar[frozenset[Kind]] = frozenset({"llm", "agent"})

    sinks: Annotated[
        dict[str, tuple[Sink, ...]],
        Meta(
            description="what reads the answers of each application, by its name; `*` stands for all others"
        ),
    ] = {}
    weight: Annotated[
        float, Meta(gt=0, le=1, description="weight of a rule from which on it counts, for a declared sink")
    ] = 0.3
    warmup_answers: Annotated[int, Meta(ge=1, description="answers before a new kind is told")] = 200
    warmup_seconds: Annotated[float, Meta(ge=0, description="time before a new kind is told")] = 86_400.0
    novelty: Annotated[
        float, Meta(gt=0, le=1, description="new kinds expected in an answer above which none is told")
    ] = 0.01

    def key(self, event: Event) -> str | None:
        return answering(event)

    def start(self) -> Known:
        return Known()

    def observe(self, event: Event, signals: Signals, state: Known) -> Finding | None:
        rules: dict[str, float] = {}
        for text in signals.texts:
            if text.place == "output":
                begin(state, event.arrival)
                for hit in text.rules:
                    if hit.family == FAMILY and hit.weight >= self.weight:
                        rules[hit.rule] = max(hit.weight, rules.get(hit.rule, 0.0))
        return self._judge(rules, event, state) if rules else None

    def _judge(self, rules: dict[str, float], event: Event, state: Known) -> Finding | None:
        ready = settled(state, event.arrival, self.warmup_answers, self.warmup_seconds, self.novelty)
        declared = self.sinks.get(event.application, self.sinks.get("*", ()))
        new, harmful = [], []
        for rule in sorted(rules):
            met = meet(state, rule.encode()[:64], event.arrival, KINDS)
            if SINKS.get(rule) in declared:
                harmful.append(rule)
            elif ready and not met.times:
                new.append(rule)
        if harmful:
            sinks = ", ".join(sorted({str(SINKS[rule]) for rule in harmful}))
            return _finding(
                Severity.high, f"an answer holds a payload for {sinks}, which reads it", harmful, state
            )
        if not new:
            return None
        kinds = ", ".join(sorted({SINKS.get(rule, "another reader") for rule in new}))
        says = f"an answer holds a payload for {kinds}, the first in {state.answers} answers"
        return _finding(Severity.low, says, new, state)

    @classmethod
    def examples(cls) -> Sequence[UnsafeOutput]:
        return (
            cls(),
            cls(sinks={"*": ("html", "sql")}, weight=0.1),
            cls(warmup_answers=1, warmup_seconds=0.0),
        )


def _finding(severity: Severity, says: str, rules: Sequence[str], state: Known) -> Finding:
    return Finding(
        severity=severity,
        summary=says,
        value=float(len(rules)),
        baseline=round(chance(state), 6),
        evidence={"rules": ", ".join(rules[:8]), "answers": state.answers},
    )
