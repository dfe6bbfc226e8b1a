from __future__ import annotations

from random import Random
from typing import Any

import pytest

from detectors.empty_answer import EmptyAnswer, Endings
from tocsin.model import Event, Finding, Message, Severity, Signals, ToolCall

FULL: dict[str, Any] = {"finish_reason": "stop", "output_tokens": 50}


def run(state: Endings, calls: int, share: float, seed: int = 1, **bad: Any) -> list[Finding]:
    random, detector = Random(seed), EmptyAnswer()
    heard = []
    for number in range(calls):
        values = FULL | bad if random.random() < share else FULL
        heard.append(detector.observe(Event(arrival=1e9 + number, **values), Signals(), state))
    return [finding for finding in heard if finding]


def test_successful_answers_of_a_model_are_watched() -> None:
    detector = EmptyAnswer()
    assert detector.key(Event(application="a", model="m", operation="chat")) == "a/m"
    assert detector.key(Event(application="a", model="m", operation="embeddings")) is None
    assert detector.key(Event(application="a", model="m", status="error")) is None
    assert detector.key(Event(kind="tool", model="m")) is None


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"output_tokens": 0}, "empty"),
        ({"finish_reason": "length"}, "cut off at the limit of tokens"),
        ({"finish_reason": "malformed_function_call"}, "ended in an unusual way"),
    ],
)
def test_each_bad_ending_is_told_once_it_is_frequent(bad: dict[str, Any], words: str) -> None:
    state = Endings()
    assert not run(state, 3000, 0.01, **bad)
    found = run(state, 300, 0.4, **bad)
    assert 1 <= len(found) <= 2
    assert found[0].evidence["ending"] == words and found[0].severity is Severity.medium


def test_steady_endings_and_better_ones_are_silent() -> None:
    endings: list[dict[str, Any]] = [{"output_tokens": 0}, {"finish_reason": "length"}]
    for bad in endings:
        state = Endings()
        assert not run(state, 10_000, 0.2, **bad)
        assert not run(state, 5000, 0.0, **bad)


def test_refusals_and_tool_calls_are_no_bad_endings() -> None:
    for reason in ("content_filter", "refusal", "tool_call"):
        state = Endings()
        run(state, 1000, 0.0)
        assert not run(state, 500, 1.0, finish_reason=reason, output_tokens=0 if reason == "tool_call" else 3)


@pytest.mark.parametrize(
    ("values", "length", "empty"),
    [
        ({"output": (Message("assistant"),), "content_available": True}, 0, True),
        ({"output": (Message("assistant"),), "content_available": True}, 9, False),
        ({"output": (Message("assistant"),)}, 0, False),
        ({"content_available": True}, 0, False),
        ({"output": (Message("assistant", "", (ToolCall("1", "t"),)),), "content_available": True}, 0, False),
        ({"output_tokens": 0}, 9, True),
        ({"output_tokens": 1}, 0, False),
    ],
)
def test_empty_is_what_is_known_to_be(values: dict[str, Any], length: int, empty: bool) -> None:
    state = Endings()
    EmptyAnswer().observe(Event(**values), Signals(output_length=length), state)
    assert (state.empty.calls, state.empty.hits) == (1, int(empty))
