from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts.said import call, hit, said, signals, told

from detectors import BUILTIN, texts
from detectors.texts import TELLS, TextDetector, score, teller
from tocsin.model import Finding, RuleHit, Severity, TextSignal
from tocsin.reading import verdict
from tocsin.registry import DETECTORS, load

TELLERS = sorted({*TELLS.values()})
DEFAULT = {name: load(DETECTORS, name)() for name in TELLERS}
RULES = st.builds(
    hit,
    st.sampled_from([*TELLS, "C1", "C3", "C7", "X1"]),
    st.floats(0.05, 0.95),
    rule=st.sampled_from([f"rule-{number}" for number in range(6)]),
)
TEXTS = st.builds(
    TextSignal,
    place=st.sampled_from(["input", "output", "arguments", "result", "document", "tool"]),
    index=st.just(0),
    role=st.sampled_from(["system", "user", "assistant", "tool", "retrieved"]),
    score=st.floats(0, 1),
    model_score=st.floats(0, 1),
    rules=st.lists(RULES, max_size=4).map(tuple),
    hidden=st.lists(st.sampled_from(["tags", "folded", "base64", "html"]), max_size=2, unique=True).map(
        tuple
    ),
    length=st.integers(0, 10_000),
    simhash=st.integers(0, 2**64 - 1),
)


def findings(text: TextSignal) -> dict[str, Finding]:
    """What each detector that tells texts says of one, in a call and in a tool call."""
    kind = "tool" if text.place in ("arguments", "result") else "llm"
    heard = {name: told(detector, text, kind=kind) for name, detector in DEFAULT.items()}
    return {name: finding for name, finding in heard.items() if finding}


@given(TEXTS)
def test_a_text_is_told_by_one_detector_at_most(text: TextSignal) -> None:
    heard = findings(text)
    assert len(heard) <= 1
    assert set(heard) <= {teller(text)}


@given(TEXTS)
def test_a_finding_has_one_line_and_nothing_infinite(text: TextSignal) -> None:
    for finding in findings(text).values():
        assert finding.summary.isprintable() and len(finding.summary) < 400
        assert finding.value is not None and finding.severity in Severity


@given(TEXTS)
def test_below_the_threshold_nothing_is_told(text: TextSignal) -> None:
    if score(text) < 0.5 and text.place != "arguments":
        assert not findings(text)


@pytest.mark.parametrize(("family", "name"), TELLS.items())
def test_the_heaviest_rule_of_a_message_says_who_tells_it(family: str, name: str) -> None:
    light = [] if family == "A9" else [hit("A13", 0.1, rule="light")]
    assert set(findings(said(hit(family, 0.8), *light))) == {name}


@pytest.mark.parametrize("name", TELLERS)
def test_every_teller_is_built_in_and_knows_its_own_name(name: str) -> None:
    detector = load(DETECTORS, name)
    assert issubclass(detector, TextDetector) and detector.name == name and name in BUILTIN


@pytest.mark.parametrize(
    ("hidden", "name"),
    [
        (("tags",), "hidden_text"),
        (("base64", "stripped"), "hidden_text"),
        (("base64", "leet"), "respelt_text"),
        (("rot13",), "encoded_payload"),
    ],
)
def test_the_way_of_hiding_tells_what_only_it_showed(hidden: tuple[str, ...], name: str) -> None:
    assert set(findings(said(hit("A1", 0.8, *hidden), hidden=hidden))) == {name}


def test_what_was_said_openly_is_not_the_hidings() -> None:
    openly = said(hit("A2", 0.8), hit("A6", 0.3, "base64"), hidden=("base64",))
    assert set(findings(openly)) == {"persona_jailbreak"}


def test_invisible_text_counts_without_a_rule_and_from_the_operator_too() -> None:
    text = said(score=0.85, hidden=("tags",), role="system")
    assert set(findings(text)) == {"hidden_text"}
    assert not findings(said(hit("A1", 0.9), role="system"))


@pytest.mark.parametrize("place", ["output", "input"])
def test_what_the_model_said_is_no_prompt(place: str) -> None:
    assert not findings(said(hit("A1", 0.9), hit("A13", 0.9), place=place, role="assistant"))


@pytest.mark.parametrize("place", ["result", "document", "tool"])
@pytest.mark.parametrize("family", ["A1", "A4", "A9", "X1"])
def test_what_others_wrote_is_indirect(place: str, family: str) -> None:
    assert set(findings(said(hit(family, 0.8), place=place, role="tool"))) == {"indirect_injection"}


def test_secrets_and_commands_in_a_result_make_no_injection_of_it() -> None:
    harmless = said(hit("C1", 0.6), hit("A13", 0.6), hit("A1", 0.2), place="result", role="tool")
    assert harmless.score > 0.8
    assert score(harmless) == pytest.approx(texts.combined(0.2, 0.0)) and score(harmless) < 0.05
    assert not findings(harmless)


@given(st.lists(RULES, max_size=5, unique_by=lambda each: each.rule))
def test_a_score_without_outputs_is_that_of_the_other_rules(rules: list[RuleHit]) -> None:
    prompts = [each for each in rules if not each.family.startswith("C")]
    text = said(*rules)
    anew = text.score if len(prompts) == len(rules) else texts.combined(texts.weigh(prompts), 0.0)
    assert score(text) == pytest.approx(min(text.score, anew))


@given(st.floats(0, 1), st.floats(0, 1))
def test_rules_and_model_are_combined_as_the_reading_step_does_it(rules: float, model: float) -> None:
    expected = float(verdict.merged(np.array(rules), np.array(model)))
    assert texts.combined(rules, model) == pytest.approx(expected, abs=1e-4)


def test_a_score_by_the_model_alone_is_told_once_and_quietly() -> None:
    (finding,) = findings(said(score=0.9, model_score=0.9)).values()
    assert finding.severity is Severity.low
    assert "reads like an attack" in finding.summary


def test_severity_has_reasons() -> None:
    detector = load(DETECTORS, "persona_jailbreak")()
    plain = told(detector, said(hit("A2", 0.6)))
    strong = told(detector, said(hit("A2", 0.9)))
    refused = told(detector, said(hit("A2", 0.9)), refusal=True)
    blocked = told(detector, said(hit("A2", 0.6)), status="blocked")
    assert plain and strong and refused and blocked
    assert [each.severity for each in (plain, strong, refused, blocked)] == [
        Severity.medium,
        Severity.high,
        Severity.medium,
        Severity.low,
    ]
    assert strong.evidence["reasons"] == "strong"
    assert refused.evidence["reasons"] == "strong, but stopped"


def test_the_evidence_says_where_and_how_and_nothing_of_the_text() -> None:
    text = said(hit("A1", 0.9, "url", "base64", view="base64"), hidden=("base64",), index=3, language="de")
    finding = told(load(DETECTORS, "encoded_payload")(), text)
    assert finding is not None
    assert finding.summary == (
        "a message by the user hides an attack in an encoding (rule-a1 after undoing url, base64; score 0.90)"
    )
    expected = {"index": 3, "role": "user", "language": "de", "view": "base64", "decodings": "url, base64"}
    assert expected.items() <= finding.evidence.items()
    assert finding.evidence["fingerprint"] == "0" * 16


def test_of_many_texts_the_worst_is_told_with_their_number() -> None:
    light, heavy = said(hit("A3", 0.6)), said(hit("A3", 0.9), index=2)
    finding = told(load(DETECTORS, "prompt_extraction")(), light, heavy)
    assert finding is not None and finding.value == 0.9
    assert finding.evidence["index"] == 2 and finding.evidence["texts"] == 2


def test_the_threshold_is_a_setting() -> None:
    strict = load(DETECTORS, "prompt_extraction")(threshold=0.9)
    assert told(strict, said(hit("A3", 0.8))) is None
    assert told(strict, said(hit("A3", 0.92))) is not None


@pytest.mark.parametrize("name", [*TELLERS, "novel_prompt"])
def test_without_texts_nothing_is_told(name: str) -> None:
    detector = load(DETECTORS, name)()
    assert detector.observe(call(kind="tool"), signals(), detector.start()) is None


def test_whoever_asks_without_a_name_is_the_application() -> None:
    assert texts.asker(call(user="", session="", application="shop")) == "application:shop"
    assert texts.asker(call()) == "user:ana"
    detector = load(DETECTORS, "hidden_text")()
    assert detector.key(call(input=())) is None


def test_orders_to_an_assistant_in_a_users_message_come_after_all_other_rules() -> None:
    assert teller(said(hit("A9", 0.8), hit("A2", 0.5))) == "persona_jailbreak"
    assert teller(said(hit("A9", 0.8))) == "indirect_injection"
    assert teller(said(hit("A9", 0.8), hit("A2", 0.5), place="result", role="tool")) == "indirect_injection"


def test_rules_weigh_once_each_and_others_of_a_family_by_half() -> None:
    one, other = hit("A1", 0.4, rule="one"), hit("A1", 0.4, rule="other")
    assert texts.weigh([one, other]) == pytest.approx(1 - 0.6 * 0.8)
    assert texts.weigh([one, hit("A1", 0.4, "leet", rule="one")]) == pytest.approx(0.4)


@pytest.mark.parametrize(("model", "expected"), [(0.6, 0.6), (0.4, 0.4), (0.0, 0.011)])
def test_beside_a_secret_the_model_counts_as_much_as_it_is_sure(model: float, expected: float) -> None:
    assert score(said(hit("C1", 0.9), score=0.95, model_score=model)) == pytest.approx(expected, abs=1e-4)


def test_invisible_text_counts_beside_a_link_as_well() -> None:
    assert set(findings(said(hit("C3", 0.6), score=0.95, hidden=("tags",)))) == {"hidden_text"}
