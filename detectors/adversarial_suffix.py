"""A request with a tail that no human wrote."""

from __future__ import annotations

from typing import ClassVar

from detectors.texts import READS, PromptDetector
from tocsin.contracts import About


class AdversarialSuffix(PromptDetector, frozen=True, kw_only=True):
    """Tells texts whose heaviest rule is about optimised suffixes and token floods (A8)."""

    about: ClassVar[About] = About(
        title="Adversarial suffix or token soup",
        detects="A message by the user with the marks of a suffix that was searched for by a machine "
        "(brackets, backslashes, code words and run-together words in disorder), or with one token repeated "
        "until it crowds out the rest.",
        misses="Suffixes made to read fluently. Short ones. Suffixes that only the learned scorer sees are "
        "told as known_attack.",
        reads=READS,
        owasp=("LLM01:2026", "LLM01:2025"),
        atlas=("AML.T0043.001", "AML.T0054"),
    )
    name: ClassVar[str] = "adversarial_suffix"
    says: ClassVar[str] = "carries a machine-made suffix"
