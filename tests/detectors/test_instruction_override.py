from __future__ import annotations

import msgspec
from parts.said import call, hit, said, signals, told

from detectors.instruction_override import LANGUAGES, OFTEN, InstructionOverride, Languages
from tocsin.model import Finding, Severity


def ask(state: Languages, language: str, weight: float = 0.0) -> Finding | None:
    """A message in a language, with an override where it has a weight."""
    text = said(hit("A1", weight), language=language) if weight else said(language=language)
    return InstructionOverride().observe(call(), signals(text), state)


def test_an_override_is_told_with_rule_score_and_language() -> None:
    finding = told(InstructionOverride(), said(hit("A1", 0.85, rule="override-de"), language="de"))
    assert finding is not None and finding.severity is Severity.high
    assert finding.summary == (
        "a message by the user tells the model to drop its instructions (override-de; score 0.85)"
    )
    assert finding.evidence["language"] == "de" and finding.evidence["rules"] == "override-de"


def test_another_language_than_usual_makes_it_worse() -> None:
    state = Languages()
    for _ in range(5):
        ask(state, "en")
    usual, other = ask(state, "en", 0.6), ask(state, "uk", 0.6)
    assert usual and usual.severity is Severity.medium
    assert other and other.severity is Severity.high
    assert other.evidence["reasons"] == "another language"
    assert other.evidence["usual_language"] == "en"


def test_a_stranger_has_no_usual_language() -> None:
    state = Languages()
    for _ in range(4):
        ask(state, "en")
    finding = ask(state, "uk", 0.6)
    assert finding and finding.severity is Severity.medium and finding.evidence["usual_language"] == ""


def test_attacks_teach_no_language() -> None:
    state = Languages()
    for _ in range(5):
        ask(state, "en")
    for _ in range(20):
        finding = ask(state, "uk", 0.6)
        assert finding and finding.severity is Severity.high
    assert set(state.texts) == {"en"}


def test_a_language_that_was_used_before_is_not_another() -> None:
    state = Languages()
    for language in ("uk", *["en"] * 9):
        ask(state, language)
    finding = ask(state, "uk", 0.6)
    assert finding and finding.severity is Severity.medium


def test_the_memory_of_languages_is_bounded_and_fades() -> None:
    state = Languages()
    for number in range(10_000):
        ask(state, f"{number % 100:02}")
    assert len(state.texts) <= LANGUAGES
    for _ in range(10_000):
        ask(state, "en")
    assert sum(state.texts.values()) <= 2 * OFTEN and len(msgspec.msgpack.encode(state)) < 100
