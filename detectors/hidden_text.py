"""A text holds more than people see of it."""

from __future__ import annotations

from typing import ClassVar

from detectors.texts import READS, PromptDetector
from tocsin.contracts import About


class HiddenText(PromptDetector, frozen=True, kw_only=True):
    """Tells texts in characters that nobody sees, by the user or in a system prompt (A4)."""

    about: ClassVar[About] = About(
        title="Text in characters that nobody sees",
        detects="A message by the user, or a system prompt, with text in Unicode tags, variation selectors "
        "or bits of zero-width characters, or with an attack that only shows once invisible and "
        "bidirectional characters are taken out.",
        misses="White letters on white, comments and other hiding of a document's format. Fewer than eight "
        "invisible characters without an attack in them. Invisible text in results and documents is told as "
        "indirect_injection.",
        reads=READS,
        owasp=("LLM01:2026", "LLM01:2025", "ASI01:2026"),
        atlas=("AML.T0068", "AML.T0051.000"),
    )
    name: ClassVar[str] = "hidden_text"
    says: ClassVar[str] = "holds text that nobody sees"
