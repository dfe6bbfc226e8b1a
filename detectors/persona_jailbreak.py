"""Somebody gives the model a role in which its rules would not hold."""

from __future__ import annotations

from typing import ClassVar

from detectors.texts import READS, PromptDetector
from tocsin.contracts import About


class PersonaJailbreak(PromptDetector, frozen=True, kw_only=True):
    """Tells texts whose heaviest rule is about personas, modes and games without rules (A2)."""

    about: ClassVar[About] = About(
        title="Jailbreak by a persona, a mode or a game",
        detects="A message by the user that makes the model someone who has no rules, never refuses or can "
        "do anything: named personas, developer modes, two answers side by side, dead grandmothers, stories "
        "and simulators around a forbidden request, in some thirty languages.",
        misses="Role-play that leads there over many harmless turns; each of them is judged by itself. "
        "Personas in words that neither a rule nor the learned scorer knows. Requests that are harmful and "
        "plainly said: what is asked for is not judged.",
        reads=READS,
        owasp=("LLM01:2026", "LLM01:2025", "ASI01:2026"),
        atlas=("AML.T0054", "AML.T0051.000"),
    )
    name: ClassVar[str] = "persona_jailbreak"
    says: ClassVar[str] = "gives the model a role without rules"
