"""An answer that repeats the system prompt, at once or piece by piece, or says a canary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from detectors.novelty import printable
from detectors.principal import application, conversation
from tocsin.contracts import About, Detector
from tocsin.model import Event, Finding, Kind, Severity, Signals

SAMPLED = 192  # runs of words remembered of a conversation's system prompts
LEAST = 6  # fewer say nothing about a share
ASKED, SAID = "A3", "C4"  # families of rules: asking for the prompt, an answer that announces it


class Prompt(msgspec.Struct, array_like=True, gc=False):
    """What was sampled of the system prompts and not yet said, and how much there was and was told."""

    unsaid: list[int] = []
    sampled: int = 0
    told: float = 0.0  # share that the last finding told
    asked: bool = False  # somebody asked for it, or tried to


class PromptLeak(Detector[Prompt], frozen=True, kw_only=True):
    """Compares answers with the system prompt of the same call, and with what was sampled of earlier ones."""

    about: ClassVar[About] = About(
        title="System prompt or canary in an answer",
        detects="An answer that repeats a good part of the system prompt word by word, in one go or piece "
        "by piece over a conversation (runs of words are compared by keyed hashes), and canary tokens that "
        "were hidden in prompts or documents. Worse where somebody asked for it.",
        misses="Prompts that are translated, paraphrased, spelt or encoded. System prompts shorter than a "
        "few sentences. Applications whose answers are meant to repeat their prompt (raise `share`). "
        "Without content there is nothing to compare.",
        reads=(
            "session",
            "user",
            "api_key",
            "agent",
            "application",
            "signals.texts",
            "signals.system_overlap",
        ),
        owasp=("LLM08:2026", "LLM07:2025"),
        atlas=("AML.T0056", "AML.T0069.002"),
    )
    state_type: ClassVar[type[Any]] = Prompt
    kinds: ClassVar[frozenset[Kind]] = frozenset({"llm", "agent"})

    share: Annotated[
        float, Meta(gt=0, le=1, description="share of the system prompt in the answers that is told")
    ] = 0.3

    def key(self, event: Event) -> str | None:
        if event.kind not in ("llm", "agent"):
            return None
        return conversation(event) or application(event)

    def start(self) -> Prompt:
        return Prompt()

    def observe(self, event: Event, signals: Signals, state: Prompt) -> Finding | None:
        said = announced = False
        canaries: set[str] = set()
        for text in signals.texts:
            if text.place == "output":
                said = _take_out(text.shingles, state) or said
                canaries.update(text.canaries)
                announced = announced or _hit(text.rules, SAID)
            elif text.place == "input":
                state.asked = state.asked or (text.role == "user" and _hit(text.rules, ASKED))
                if text.role == "system" and text.shingles:
                    _take_in(text.shingles, state)
        share = signals.system_overlap
        if said and state.sampled >= LEAST:
            share = max(share, 1.0 - len(state.unsaid) / state.sampled)
        if not canaries and (share < self.share or share < 1.5 * state.told):
            return None
        state.told = max(share, state.told)
        return _canary(canaries) if canaries else self._tell(share, announced, state)

    def _tell(self, share: float, announced: bool, state: Prompt) -> Finding:
        asked = state.asked or announced
        return Finding(
            severity=Severity.high if asked else Severity.medium,
            summary=f"{share:.0%} of the system prompt stands in the answers of this conversation"
            + (", where it was asked for" if asked else ""),
            value=round(share, 4),
            baseline=self.share,
            evidence={"asked": int(state.asked), "announced": int(announced), "runs": state.sampled},
        )

    @classmethod
    def examples(cls) -> Sequence[PromptLeak]:
        return (cls(), cls(share=0.1), cls(share=1.0))


def _take_in(shingles: Iterable[int], state: Prompt) -> None:
    """Remember the smallest hashes of a system prompt that is new; an equal one again adds nothing."""
    fresh = sorted(set(shingles) - set(state.unsaid))[: SAMPLED - len(state.unsaid)]
    state.unsaid = sorted([*state.unsaid, *fresh])
    state.sampled = min(state.sampled + len(fresh), 2 * SAMPLED)


def _take_out(shingles: Sequence[int], state: Prompt) -> bool:
    """Whether an answer says any of what is remembered, which then counts as said."""
    if not state.unsaid or not shingles:
        return False
    left = set(state.unsaid).difference(shingles)
    if len(left) == len(state.unsaid):
        return False
    state.unsaid = sorted(left)
    return True


def _hit(rules: Iterable[Any], family: str) -> bool:
    return any(hit.family == family and hit.weight >= 0.3 for hit in rules)


def _canary(names: set[str]) -> Finding:
    shown = ", ".join(printable(name) for name in sorted(names)[:6])
    return Finding(
        severity=Severity.critical,
        summary=f"an answer holds the canary {shown}",
        value=float(len(names)),
        evidence={"canaries": shown},
    )
