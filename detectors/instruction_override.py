"""Somebody tells the model to drop its instructions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from detectors.texts import READS, TextDetector, finding, reasons, score
from tocsin.contracts import About
from tocsin.model import Event, Finding, Signals, TextSignal

LANGUAGES, KNOWN, OFTEN = 8, 5, 64  # kept; texts until there is a habit; texts after which counts are halved


class Languages(msgspec.Struct, array_like=True, gc=False):
    """How many texts of a principal were in which language, the last used last."""

    texts: dict[str, int] = {}


class InstructionOverride(TextDetector[Languages], frozen=True, kw_only=True):
    """Tells texts whose heaviest rule is about dropping instructions (A1), in any language (A11)."""

    about: ClassVar[About] = About(
        title="Order to drop the instructions",
        detects="A message by the user that tells the model to ignore, forget or replace the instructions "
        "it was given, claims to outrank them, to come from its makers, or that the prompt ended, in some "
        "thirty languages; worse where it is in a language that whoever asks does not use.",
        misses="Overrides in words that neither a rule nor the learned scorer knows. Several messages that "
        "amount to one. Attacks that are quoted or talked about count for less, and so does an attack that "
        "is dressed as a quotation.",
        reads=READS,
        owasp=("LLM01:2026", "LLM01:2025", "ASI01:2026"),
        atlas=("AML.T0051.000", "AML.T0051"),
    )
    state_type: ClassVar[type[Any]] = Languages
    name: ClassVar[str] = "instruction_override"
    says: ClassVar[str] = "tells the model to drop its instructions"

    def start(self) -> Languages:
        return Languages()

    def observe(self, event: Event, signals: Signals, state: Languages) -> Finding | None:
        if not signals.texts:
            return None
        told = TextDetector.observe(self, event, signals, state)
        for text in signals.texts:
            if text.language and text.role == "user" and text.score < self.threshold:
                _learn(state.texts, text.language)
        return told

    def tell(self, own: Sequence[TextSignal], event: Event, signals: Signals, state: Languages) -> Finding:
        worst = max(own, key=score)
        usual, why = _usual(state.texts), reasons(worst, event, signals)
        if usual and worst.language and worst.language not in state.texts:
            why = (*why, "another language")
        return finding(worst, self.says, why, texts=len(own), usual_language=usual)


def _learn(texts: dict[str, int], language: str) -> None:
    """A text more; an attack teaches nothing, and the language that was used the longest ago makes room."""
    texts[language] = count = texts.pop(language, 0) + 1
    if len(texts) > LANGUAGES:
        del texts[next(iter(texts))]
    if count > OFTEN:
        for each, number in list(texts.items()):
            texts[each] = number // 2
            if number < 2:
                del texts[each]


def _usual(texts: dict[str, int]) -> str:
    """The language of most texts, once there are enough of them."""
    return max(texts, key=lambda each: texts[each]) if sum(texts.values()) >= KNOWN else ""
