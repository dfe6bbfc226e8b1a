"""Somebody asks the model for its instructions, its tools or its secrets."""

from __future__ import annotations

from typing import ClassVar

from detectors.texts import READS, PromptDetector
from tocsin.contracts import About


class PromptExtraction(PromptDetector, frozen=True, kw_only=True):
    """Tells texts whose heaviest rule is about hidden context (A3)."""

    about: ClassVar[About] = About(
        title="Attempt to extract the system prompt, tools or secrets",
        detects="A message by the user that asks for the system prompt, what stands above it, the "
        "configured tools, a password the model keeps, or what other users said, plainly or to be had word "
        "for word, translated or encoded, in some thirty languages.",
        misses="Piecemeal questions that are harmless one by one. Whether the answer gave anything away: "
        "that is system-prompt leakage, seen in the output. Questions about what the application can do are "
        "not told, as everybody asks them.",
        reads=READS,
        owasp=("LLM08:2026", "LLM07:2025", "LLM01:2026", "ASI01:2026"),
        atlas=("AML.T0056", "AML.T0069.002", "AML.T0084.001"),
    )
    name: ClassVar[str] = "prompt_extraction"
    says: ClassVar[str] = "asks for the hidden context of the model"
