"""An attack in letters that only look like letters."""

from __future__ import annotations

from typing import ClassVar

from detectors.texts import READS, PromptDetector
from tocsin.contracts import About


class RespeltText(PromptDetector, frozen=True, kw_only=True):
    """Tells texts whose attack shows once look-alikes, leetspeak or spacing are undone (A5)."""

    about: ClassVar[About] = About(
        title="Attack in look-alike letters, leetspeak or spaced letters",
        detects="A message by the user in which an attack stands in look-alike or fullwidth letters, in "
        "digits for letters, or in letters set apart, and shows only once that is undone.",
        misses="Respelling that the views do not undo, and misspelt words. Fullwidth, leet or mixed scripts "
        "without an attack in them are not told: people write so.",
        reads=READS,
        owasp=("LLM01:2026", "LLM01:2025"),
        atlas=("AML.T0068", "AML.T0051.000"),
    )
    name: ClassVar[str] = "respelt_text"
    says: ClassVar[str] = "spells an attack so that filters miss it"
