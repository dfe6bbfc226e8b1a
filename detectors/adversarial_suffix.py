"""A request with a tail that no human wrote."""

from __future__ import annotations

from typing import ClassVar

from detectors.texts import READS, PromptDetector
from tocsin.contracts import About


class AdversarialSuffix(PromptDetector, frozen=True, kw_only=True):
    """Tells texts whose heaviest rule is about optimised suffixes and token floods (A8)."""

    about: ClassVar[About] = About(
        title="Adversarial suffix or token soup",
        detects="A message by the user that ends in pieces of words and signs run together as nobody writes, "
        "has the marks of a suffix that was searched for by a machine (brackets, backslashes, code words in "
        "disorder), or repeats one token until it crowds out the rest.",
        misses="Suffixes made to read fluently, those under some 40 bytes, and those that more than a short "
        "sentence follows. Suffixes that only the learned scorer sees are told as known_attack.",
        reads=READS,
        owasp=("LLM01:2026", "LLM01:2025"),
        atlas=("AML.T0043.001", "AML.T0054"),
    )
    name: ClassVar[str] = "adversarial_suffix"
    says: ClassVar[str] = "carries a machine-made suffix"
