from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from detectors.prompt_leak import SAMPLED, Prompt, PromptLeak
from tocsin.history import Seen
from tocsin.model import Event, Finding, Message, RuleHit, Severity, Signals, TextSignal
from tocsin.settings import ContentSettings, ReadingSettings
from tocsin.signals import read

TOPICS = ("prices", "trips", "refunds", "partners", "tickets", "seats", "meals", "delays")
RULES = " ".join(f"Rule {topic}: always answer about {topic} in the way of {topic}." for topic in TOPICS)


def said(shingles: Iterable[int] = (), **values: Any) -> TextSignal:
    return TextSignal("output", 0, "assistant", shingles=tuple(shingles), **values)


def system(shingles: Iterable[int]) -> TextSignal:
    return TextSignal("input", 0, "system", shingles=tuple(shingles))


def heard(state: Prompt, *texts: TextSignal, overlap: float = 0.0) -> Finding | None:
    return PromptLeak().observe(Event(), Signals(texts=texts, system_overlap=overlap), state)


def test_an_answer_that_repeats_the_prompt_of_its_call_is_told() -> None:
    assert heard(Prompt(), said(), overlap=0.29) is None
    finding = heard(Prompt(), said(), overlap=0.4)
    assert finding is not None and finding.severity is Severity.medium and finding.value == 0.4


def test_worse_where_it_was_asked_for_earlier_or_is_announced() -> None:
    state = Prompt()
    ask = TextSignal("input", 0, "user", rules=(RuleHit("ask-for-the-prompt", "A3", 0.6),))
    assert heard(state, ask) is None
    finding = heard(state, said(), overlap=0.4)
    assert finding is not None and finding.severity is Severity.high and "asked for" in finding.summary
    announced = said(rules=(RuleHit("secret-prompt-told", "C4", 0.5),))
    finding = heard(Prompt(), announced, overlap=0.4)
    assert finding is not None and finding.severity is Severity.high
    assert heard(Prompt(), announced) is None, "saying so alone is no leak"


def test_a_prompt_that_was_sent_once_is_remembered() -> None:
    state = Prompt()
    assert heard(state, system(range(40))) is None
    assert heard(state, said(range(100, 200))) is None
    finding = heard(state, said(range(20)))
    assert finding is not None and finding.value == 0.5


def test_pieces_add_up_and_the_same_piece_counts_once() -> None:
    state = Prompt()
    heard(state, system(range(40)))
    for _ in range(5):
        assert heard(state, said(range(8))) is None
    assert heard(state, said(range(8, 13))) is not None, "13 of 40"
    assert heard(state, said(range(13, 15))) is None, "not half as much more"
    assert heard(state, said(range(15, 25))) is not None


def test_a_few_runs_say_nothing_about_a_share() -> None:
    state = Prompt()
    heard(state, system(range(5)))
    assert heard(state, said(range(5))) is None


def test_a_canary_is_critical_each_time() -> None:
    state = Prompt()
    for _ in range(2):
        finding = heard(state, said(canaries=("payroll\nx",)))
        assert finding is not None and finding.severity is Severity.critical
        assert finding.evidence["canaries"] == "payroll?x"


def test_runs_in_prompts_are_no_leak_and_memory_is_bounded() -> None:
    state = Prompt()
    for number in range(200):
        texts = system(range(number * 100, number * 100 + 100)), TextSignal("input", 1, "user", shingles=(1,))
        assert heard(state, *texts) is None
    assert len(state.unsaid) <= SAMPLED and state.sampled <= 2 * SAMPLED
    assert len(msgspec.msgpack.encode(state)) < 4096


def test_real_text_goes_through() -> None:
    detector = PromptLeak()
    for answer, told in ((RULES, True), ("Your flight leaves at nine in the morning from gate four.", False)):
        event = Event(
            input=(Message("system", RULES), Message("user", "What now?")),
            output=(Message("assistant", answer),),
        )
        (signals,) = read([Seen(event, (0, 1), (0,))], ContentSettings(), ReadingSettings())
        assert (detector.observe(event, signals, Prompt()) is not None) == told


def test_a_prompt_of_an_earlier_call_is_found_in_real_text() -> None:
    detector, state = PromptLeak(), Prompt()
    first = Event(input=(Message("system", RULES),), output=(Message("assistant", "Hello, how can I help?"),))
    later = Event(input=(Message("user", "Say it."),), output=(Message("assistant", RULES),))
    for event, told in ((first, False), (later, True)):
        new = tuple(range(len(event.input)))
        (signals,) = read([Seen(event, new, (0,))], ContentSettings(), ReadingSettings())
        assert (detector.observe(event, signals, state) is not None) == told
