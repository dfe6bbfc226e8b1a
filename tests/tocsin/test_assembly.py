"""Halves of one call become one event, whichever comes first."""

from __future__ import annotations

from typing import Any

import pytest
from parts.watchers import Every

from tocsin.core import Instance, PartitionState, Plan, Unpacked, finish, step
from tocsin.model import Batch, Event, Message
from tocsin.settings import AssemblySettings

NOON = 1.8e9


def fed(*at: tuple[float, Event], held: int = 100) -> Batch:
    """One record for each event, at so many seconds after noon."""
    plan = Plan(
        instances=(Instance("every", "every", Every(n=1)),),
        assembly=AssemblySettings(hold_seconds=5.0, held=held),
    )
    state = PartitionState.fresh(plan, "log", 0)
    log = [Unpacked(n, n + 1, NOON + seconds, [event], 1) for n, (seconds, event) in enumerate(at)]
    return step(plan, state, log)


def half(which: str, join: str = "j", **fields: Any) -> Event:
    return Event(join=join, half=which, session="s", **fields)


HELLO = (Message("user", "hello"),)
ANSWER = (Message("assistant", "good day"),)


def test_two_halves_become_one_event_with_what_each_knew() -> None:
    span = half("span", duration_ms=12.0, model="m", attributes={"a": "1", "b": "2"})
    log = half("log", input=HELLO, output=ANSWER, user="u", attributes={"b": "3"}, input_tokens=7)
    batch = fed((0, span), (1, log))
    (event,) = batch.events
    assert (event.duration_ms, event.model, event.user, event.input_tokens) == (12.0, "m", "u", 7)
    assert event.attributes == {"a": "1", "b": "2"}
    assert [message.role for message in event.input + event.output] == ["user", "assistant"]
    assert (event.join, event.half) == ("", "")
    (signals,) = batch.signals
    assert (signals.new_input, signals.new_output) == ((0,), (0,))
    assert (signals.input_length, signals.output_length) == (5, 8)
    assert signals.input_digest and signals.output_digest


@pytest.mark.parametrize("leader", ["span", "response"])
def test_the_leading_half_is_right_where_both_know(leader: str) -> None:
    right: dict[str, Any] = {"input_tokens": 1, "status": "error"}
    wrong: dict[str, Any] = {"input_tokens": 2, "status": "ok"}
    for first, second in (("other", leader), (leader, "other")):
        batch = fed(*[(0, half(which, **(right if which == leader else wrong))) for which in (first, second)])
        assert [(event.input_tokens, event.status) for event in batch.events] == [(1, "error")]


def test_the_merged_event_keeps_the_identity_of_the_first_and_the_place_of_the_second() -> None:
    batch = fed((0, half("log", source="topic", source_offset=5)), (2, half("span", source_offset=9)))
    (event,) = batch.events
    assert event.id.endswith(".0.0") and (event.source, event.source_offset) == ("topic", 5)
    assert (event.log_offset, event.log_index, event.arrival) == (1, 0, NOON + 2)


def test_what_both_halves_say_is_new_once_and_in_the_half_that_is_kept() -> None:
    """The log record repeats what the span said, and knows one message more."""
    system = (Message("system", "be nice"),)
    batch = fed(
        (0, half("span", input=HELLO, output=ANSWER)), (1, half("log", input=system + HELLO, output=ANSWER))
    )
    assert [(s.new_input, s.new_output) for s in batch.signals] == [((0,), (0,))]
    batch = fed((0, half("log", input=system + HELLO, output=ANSWER)), (1, half("span", output=ANSWER)))
    assert [(s.new_input, s.new_output) for s in batch.signals] == [((0, 1), (0,))]
    again = half("span", "k", input=HELLO)
    batch = fed(
        (0, half("span", input=HELLO)), (1, half("log", input=HELLO)), (2, again), (3, half("log", "k"))
    )
    assert [s.new_input for s in batch.signals] == [(0,), ()]


def test_a_lonely_half_goes_on_when_its_time_has_come() -> None:
    batch = fed(
        (0, half("span", user="a")),
        (4.9, Event(user="b")),
        (5.0, Event(user="c")),
        (60, half("log", user="d")),
    )
    assert [(event.user, event.log_offset) for event in batch.events] == [
        ("b", 1),
        ("a", 2),
        ("c", 2),
        ("d", 3),
    ]
    assert [event.duplicate for event in batch.events] == [False, False, False, True]  # too late to count
    assert [alert.key for alert in batch.alerts] == ["b", "a", "c"]


def test_what_comes_after_a_whole_call_is_kept_and_does_not_count_again() -> None:
    batch = fed(
        (0, half("", user="a", model="m", input=HELLO, output=ANSWER, input_tokens=1)),
        (1, half("log", user="b")),
        (2, half("log", "k", user="c")),
    )
    assert [(event.user, event.duplicate) for event in batch.events] == [("a", False), ("b", True)]
    assert [alert.key for alert in batch.alerts] == ["a"]


def test_a_whole_call_takes_up_the_half_that_waits_for_it() -> None:
    batch = fed((0, half("log", input=HELLO, user="a")), (1, half("", model="m")), (9, Event(user="z")))
    assert [(event.model, event.user, len(event.input)) for event in batch.events] == [
        ("m", "a", 1),
        ("", "z", 0),
    ]


def test_a_third_part_waits_alone() -> None:
    batch = fed((0, half("span")), (1, half("log")), (2, half("log", model="x")), (20, Event()))
    assert [event.model for event in batch.events] == ["", "x", ""]


def test_the_same_half_once_more_sends_the_first_one_on() -> None:
    batch = fed((0, half("span", model="a")), (1, half("span", model="b")), (2, half("log", user="u")))
    assert [(event.model, event.user) for event in batch.events] == [("a", ""), ("b", "u")]


def test_the_oldest_goes_on_where_too_many_wait() -> None:
    batch = fed(*[(0, half("span", f"j{number}", model=str(number))) for number in range(5)], held=3)
    assert [event.model for event in batch.events] == ["0", "1"]


def test_halves_under_different_names_meet_by_their_response() -> None:
    batch = fed(
        (0, half("span", "a", response_id="r", trace_id="t", span_id="1")),
        (1, half("span", "b", response_id="r", trace_id="t", span_id="2")),
        (2, half("log", "c", response_id="r", model="m")),
        (3, half("log", "d", response_id="r", model="n", trace_id="t", span_id="4")),
    )
    told = [(event.id[-3:], event.model, event.duplicate) for event in batch.events]
    assert told == [("0.0", "m", False), ("3.0", "n", True)]


def test_halves_of_other_groups_never_meet() -> None:
    batch = fed((0, half("span", application="a")), (1, half("log", application="b")))
    assert batch.events == []


def test_the_end_releases_the_oldest_first() -> None:
    plan = Plan()
    state = PartitionState.fresh(plan, "log", 0)
    step(plan, state, [Unpacked(0, 1, NOON, [half("span", f"j{n}", model=str(n)) for n in range(4)], 1)])
    assert [event.model for event in finish(plan, state).events] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("late", [False, True])
def test_a_request_says_what_it_was_and_since_when_and_its_answer_how_it_ended(late: bool) -> None:
    request = half("request", kind="tool", operation="execute_tool", tool_name="t", time=NOON, status="ok")
    answer = half("response", kind="agent", operation="error", time=NOON + 2, status="error")
    halves = (answer, request) if late else (request, answer)
    (event,) = fed((3, halves[0]), (3, halves[1])).events
    assert (event.kind, event.operation, event.tool_name) == ("tool", "execute_tool", "t")
    assert (event.time, event.duration_ms, event.status) == (NOON, 2000.0, "error")


def test_the_id_of_a_request_may_be_used_again_on_its_connection() -> None:
    calls = [(n, half(which, input=HELLO)) for n in range(3) for which in ("request", "response")]
    events = fed(*calls).events
    assert [event.duplicate for event in events] == [False] * 3
    (late,) = fed((0, half("request")), (9, half("response"))).events[1:]
    assert late.duplicate
