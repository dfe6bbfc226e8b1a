"""A key, token or private key where none should be: in an answer, in what a tool is told, in a prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import msgspec
from msgspec import Meta

from detectors.principal import application, conversation
from tocsin.contracts import About, Detector
from tocsin.model import Event, Finding, Severity, Signals, TextSignal

# Found by the words around them, and as often as not an example.
UNCERTAIN = frozenset(
    f"secret:{kind}" for kind in ("assignment", "authorization", "connection", "login", "said")
)
GRAVE = frozenset({"secret:private_key", "secret:aws_key", "secret:connection", "secret:onepassword_token"})
KINDS = 128  # kinds remembered of a conversation

Side = Literal["answer", "argument", "tool", "prompt"]
WORDS: dict[Side, str] = {
    "answer": "in an answer",
    "argument": "in the arguments of a tool call",
    "tool": "in what a tool or document returned",
    "prompt": "in a prompt",
}
SEVERITY: dict[Side, Severity] = {
    "answer": Severity.high,
    "argument": Severity.medium,
    "tool": Severity.low,
    "prompt": Severity.low,
}


class Secrets(msgspec.Struct, array_like=True, gc=False):
    """Kinds of secrets of a conversation, by the side on which they were seen, and how many."""

    seen: dict[str, int] = {}


class Leak(NamedTuple):
    """Secrets of one kind in one text."""

    side: Side
    kind: str
    number: int
    severity: Severity


class SecretLeak(Detector[Secrets], frozen=True, kw_only=True):
    """Tells each kind of secret once for a conversation and side, and again when ten times as many came."""

    about: ClassVar[About] = About(
        title="Secret in an answer, a tool call or a prompt",
        detects="A key, token, private key or password of a known form in an answer of the model (high), in "
        "the arguments of a tool call (medium), in what a tool or a document returned, or in a prompt "
        "(low). Cloud keys and private keys are a step worse; what the model repeats of what it was given "
        "in the same conversation is low.",
        misses="Secrets without a form of their own, unless `uncertain` is on; what is encoded or split "
        "over answers. It does not know whether a key works. A second key of a kind that was told already.",
        reads=("session", "user", "api_key", "agent", "application", "signals.texts"),
        owasp=("LLM02:2026", "LLM02:2025", "ASI03:2026", "MCP01:2025"),
        atlas=("AML.T0057", "AML.T0055", "AML.T0098"),
    )
    state_type: ClassVar[type[Any]] = Secrets

    uncertain: Annotated[
        bool,
        Meta(description="also tell what only the words around it make a secret: `password = ...`, headers"),
    ] = False
    least: Annotated[
        Severity, Meta(description="1 (info) to 5 (critical): what is less severe is not told")
    ] = Severity.low

    def key(self, event: Event) -> str | None:
        return conversation(event) or application(event)

    def start(self) -> Secrets:
        return Secrets()

    def observe(self, event: Event, signals: Signals, state: Secrets) -> Finding | None:
        texts = [text for text in signals.texts if text.findings] if signals.texts else ()
        if not texts:
            return None
        leaks = [leak for text in texts for leak in self._leaks(text, state)]
        told = [leak for leak in leaks if self._new(leak, state) and leak.severity >= self.least]
        return _finding(told) if told else None

    def _leaks(self, text: TextSignal, state: Secrets) -> Iterator[Leak]:
        side = _side(text)
        for kind, count in text.findings:
            if kind.startswith("secret:") and (self.uncertain or kind not in UNCERTAIN):
                yield Leak(side, kind, count, _severity(side, kind, state))

    def _new(self, leak: Leak, state: Secrets) -> bool:
        name = f"{leak.side} {leak.kind}"
        before = state.seen.pop(name, 0)
        state.seen[name] = before + leak.number
        if len(state.seen) > KINDS:
            del state.seen[next(iter(state.seen))]
        return not before or len(str(before)) < len(str(before + leak.number))

    @classmethod
    def examples(cls) -> Sequence[SecretLeak]:
        return (cls(), cls(uncertain=True), cls(least=Severity.high))


def _side(text: TextSignal) -> Side:
    if text.place == "output":
        return "answer"
    if text.place == "arguments":
        return "argument"
    foreign = text.place in ("result", "document", "tool") or text.role in ("tool", "retrieved")
    return "tool" if foreign else "prompt"


def _severity(side: Side, kind: str, state: Secrets) -> Severity:
    """By where it stands and what it opens; a user who is told his own key learns nothing new."""
    if side == "answer" and f"prompt {kind}" in state.seen and f"tool {kind}" not in state.seen:
        return Severity.low
    severity = SEVERITY[side] - (kind in UNCERTAIN) + (kind in GRAVE)
    return Severity(max(severity, Severity.info))


def _finding(leaks: list[Leak]) -> Finding:
    worst = max(leaks, key=lambda leak: leak.severity)
    same = [leak for leak in leaks if leak.side == worst.side]
    kinds = sorted({leak.kind.removeprefix("secret:") for leak in same})
    count = sum(leak.number for leak in same)
    what = "secret" if count == 1 else "secrets"
    return Finding(
        severity=worst.severity,
        summary=f"{count} {what} {WORDS[worst.side]}: {', '.join(kinds[:6])}",
        value=float(count),
        evidence={
            "where": worst.side,
            "kinds": ", ".join(kinds),
            "elsewhere": ", ".join(sorted({leak.side for leak in leaks} - {worst.side})),
        },
    )
