"""Somebody writes the marks that only the application may write."""

from __future__ import annotations

from typing import ClassVar

from detectors.texts import READS, PromptDetector
from tocsin.contracts import About


class TemplateTokens(PromptDetector, frozen=True, kw_only=True):
    """Tells texts whose heaviest rule is about role tokens, fake turns and fake results (A7)."""

    about: ClassVar[About] = About(
        title="Role tokens or fake turns in a message",
        detects="A message by the user with chat-template tokens of known models, lines or tags that "
        "pretend to be a turn of the system, a tool call or its result, or that close the block in which "
        "data stands; many made-up turns in one message.",
        misses="Templates that no rule knows. Token sequences that a tokenizer makes of other letters. "
        "Developers who talk about templates may be told; the learned scorer and the words around weigh "
        "against that.",
        reads=READS,
        owasp=("LLM01:2026", "LLM01:2025", "ASI01:2026"),
        atlas=("AML.T0051.000", "AML.T0069.000"),
    )
    name: ClassVar[str] = "template_tokens"
    says: ClassVar[str] = "imitates the template of a conversation"
