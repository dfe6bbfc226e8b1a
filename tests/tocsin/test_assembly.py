"""Reports of one call become one event, whichever comes first and however they were cut into records."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import force_setattr
from parts.reports import records, story
from parts.watchers import Every, Store, copy, extend, rows, run

from tocsin.assembly import VAIN
from tocsin.core import Instance, PartitionState, Plan, Unpacked, finish, step
from tocsin.model import Batch, Event, Message
from tocsin.passed import PAGE
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


# Two spans of one call.

WHOLE: dict[str, Any] = {"input": HELLO, "output": ANSWER, "content_available": True}
USED: dict[str, Any] = {"input_tokens": 9, "output_tokens": 3}


def spanned(span: str, parent: str = "", trace: str = "t", **fields: Any) -> Event:
    """A span of a second that began at noon."""
    usual: dict[str, Any] = {"time": NOON, "duration_ms": 1000.0, "model": "m", "operation": "chat"}
    own: dict[str, Any] = {
        "trace_id": trace,
        "span_id": span,
        "parent_span_id": parent,
        "join": f"{trace}:{span}",
    }
    return Event(**usual | fields | own)


def inner(**fields: Any) -> Event:
    """The provider's own span inside another one."""
    usual: dict[str, Any] = {"parent": "p", "time": NOON + 0.1, "duration_ms": 800.0, "response_id": "r"}
    return spanned("c", **usual | USED | fields)


def counted(batch: Batch) -> list[Event]:
    return [event for event in batch.events if not event.duplicate]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (inner(), spanned("p", response_id="r", **WHOLE, **USED)),
        (inner(), spanned("p", **WHOLE)),  # parent and child
        (spanned("c", "http", response_id="r", **USED), spanned("p", **WHOLE, **USED)),  # nested, same usage
        (inner(trace="u", parent=""), spanned("p", response_id="r", **WHOLE, **USED)),  # the response alone
        (spanned("c", "p", status="error"), spanned("p", status="error", **WHOLE)),
        (
            spanned("q", duration_ms=2.0, input=HELLO, content_available=True),
            spanned("reply", trace="u", duration_ms=0.0, time=NOON + 30, **WHOLE, **USED),
        ),
        (
            spanned("c", duration_ms=800.0, status="error"),
            spanned("p", trace="u", status="error", input=HELLO, content_available=True),
        ),
    ],
)
def test_two_spans_of_one_call_are_one_event_with_what_each_knew(
    one: Event, other: Event, turned: bool
) -> None:
    pair = [msgspec.structs.replace(each) for each in ((other, one) if turned else (one, other))]
    (event,) = counted(fed((0, pair[0]), (1, pair[1]), (60, Event(user="z"))))[:-1]
    assert event.input and (event.output or event.status == "error")
    assert (event.input_tokens, event.output_tokens) == (
        (None, None) if event.status == "error" and not one.input_tokens else (9, 3)
    )


@pytest.mark.parametrize(
    "others",
    [
        [spanned("p", **WHOLE, **USED), spanned("p2", time=NOON + 5, **WHOLE, **USED)],  # one after another
        [spanned("p", "a", **WHOLE, **USED), spanned("p2", "a", **WHOLE, **USED)],  # side by side
        [spanned("p", response_id="1", **WHOLE, **USED), spanned("c", "p", response_id="2", **USED, **WHOLE)],
        [spanned("p", **WHOLE, **USED), spanned("c", "p", model="other", **USED, **WHOLE)],
        [spanned("p", **WHOLE, **USED), spanned("c", "p", status="error", **WHOLE)],  # a failed attempt
        [spanned("p", **WHOLE, **USED), spanned("c", "x", trace="u", **WHOLE, **USED)],
        [spanned("p", kind="agent", **WHOLE), spanned("c", "p", **WHOLE, **USED)],
    ],
)
def test_calls_that_are_two_stay_two(others: list[Event]) -> None:
    for pair in (others, others[::-1]):
        batch = fed(*[(at, msgspec.structs.replace(each)) for at, each in enumerate(pair)])
        assert [event.duplicate for event in batch.events] == [False, False]


def test_of_two_attempts_inside_one_span_the_one_that_failed_is_a_call_of_its_own() -> None:
    failed = spanned("c1", "p", duration_ms=100.0, status="error")
    worked = spanned("c2", "p", time=NOON + 0.2, duration_ms=700.0, response_id="r", **USED)
    batch = fed((0, failed), (1, worked), (2, spanned("p", **WHOLE, **USED)), (60, Event(user="z")))
    assert [(event.status, event.response_id) for event in counted(batch)] == [
        ("ok", "r"),
        ("error", ""),
        ("ok", ""),
    ]


def test_the_outer_span_of_a_call_gives_its_place_and_the_inner_one_its_usage() -> None:
    outer = spanned("p", "agent", input_tokens=90, output_tokens=30, response_model="m", **WHOLE)
    (event,) = fed((0, inner(response_model="m-2026")), (1, outer)).events
    assert (event.span_id, event.parent_span_id, event.duration_ms) == ("p", "agent", 1000.0)
    assert (event.input_tokens, event.output_tokens, event.response_model) == (9, 3, "m-2026")


def test_cached_tokens_and_the_end_of_a_stream_are_not_lost() -> None:
    (event,) = fed((0, inner()), (1, spanned("p", **WHOLE, input_tokens=2, output_tokens=3))).events
    assert (event.input_tokens, event.output_tokens) == (9, 3)
    (event,) = fed((0, inner(output_tokens=1)), (1, spanned("p", **WHOLE, **USED))).events
    assert (event.input_tokens, event.output_tokens) == (9, 3)


def test_an_inner_span_and_the_log_record_of_the_outer_one_meet_in_it() -> None:
    span, log = spanned("p", half="span", **USED), spanned("p", half="log", **WHOLE)
    for order in ((inner(), span, log), (log, inner(), span), (span, inner(), log)):
        batch = fed(*[(at, msgspec.structs.replace(each)) for at, each in enumerate(order)], (60, Event()))
        (event,) = counted(batch)[:-1]
        assert (event.response_id, event.input_tokens, len(event.output)) == ("r", 9, 1)


def test_log_records_of_one_span_come_together_while_they_wait() -> None:
    first, second = (spanned("p", half="log", **{field: WHOLE[field]}) for field in ("input", "output"))
    (event,) = fed((0, first), (1, second), (2, spanned("p", half="span", **USED))).events
    assert (len(event.input), len(event.output), event.input_tokens) == (1, 1, 9)


def test_two_nested_spans_of_an_execution_are_one_and_the_inner_one_is_right() -> None:
    def tool(span: str, parent: str = "", **fields: Any) -> Event:
        return spanned(span, parent, kind="tool", tool_name="f", **fields)

    told = tool("p", tool_result="x", content_available=True)
    bare = tool("c", "p", time=NOON + 0.1, duration_ms=500.0, status="error")
    for pair in ((bare, told), (told, bare)):
        batch = fed(*[(at, msgspec.structs.replace(each)) for at, each in enumerate(pair)], (60, Event()))
        assert len(counted(batch)) == 2
    (event,) = fed((0, bare), (1, told)).events
    assert (event.span_id, event.status, event.parent_span_id) == ("c", "error", "p")


def test_executions_one_after_another_are_two_even_under_one_id() -> None:
    tools = [
        spanned(
            str(n), kind="tool", tool_name="f", tool_call_id="call_0", time=NOON + n / 10, duration_ms=9.0
        )
        for n in range(3)
    ]
    assert len(fed(*enumerate(tools), (60, Event())).events) == 4


# Who waits, and for how long.


def test_a_span_without_content_waits_and_one_with_content_does_not() -> None:
    batch = fed((0, inner()), (1, spanned("x", trace="u", **WHOLE, **USED)), (5, Event()))
    assert [(event.span_id, event.arrival - NOON) for event in batch.events] == [("x", 1), ("c", 5), ("", 5)]


def bare_calls(start: int, count: int) -> list[tuple[float, Event]]:
    """Calls without content, ten seconds apart: each has waited before the next one comes."""
    return [
        (10.0 * n, spanned(f"c{n}", "a", f"t{n}", time=NOON + 10 * n, **USED))
        for n in range(start, start + count)
    ]


def test_who_never_has_a_partner_waits_no_more_until_one_is_seen() -> None:
    late = spanned("a", trace=f"t{VAIN + 1}", time=NOON + 10 * (VAIN + 1) - 0.1, **WHOLE)
    batch = fed(*bare_calls(0, VAIN + 2), (10 * VAIN + 12, late), *bare_calls(VAIN + 2, 2), (999, Event()))
    waited = {
        event.span_id: event.arrival - NOON - 10 * int(event.span_id[1:])
        for event in batch.events
        if event.span_id[:1] == "c"
    }
    assert [waited[f"c{n}"] > 0 for n in range(VAIN + 4)] == [True] * VAIN + [False] * 2 + [True] * 2


def test_what_comes_too_late_counts_for_nothing_and_its_text_was_read() -> None:
    batch = fed((0, inner()), (60, spanned("p", **WHOLE, **USED)))
    early, late = batch.events
    assert (early.duplicate, late.duplicate, late.span_id) == (False, True, "p")
    assert batch.signals[1].new_input == (0,) and batch.signals[1].output_length == 8
    assert len(batch.alerts) == 0 or all(late.id not in alert.event_ids for alert in batch.alerts)


def test_embeddings_and_complete_events_wait_for_nothing() -> None:
    embedding = spanned("e", "a", operation="embeddings", input_tokens=4)
    batch = fed((0, embedding), (0, Event(kind="tool", tool_name="f")), (0, Event(trace_id="t", span_id="s")))
    assert len(batch.events) == 3


def test_a_log_record_without_a_span_is_no_second_call() -> None:
    loose = Event(response_id="r", model="m", time=NOON + 1, **WHOLE)
    for order in (
        (spanned("p", response_id="r", **WHOLE, **USED), loose),
        (loose, spanned("p", response_id="r", **WHOLE, **USED)),
    ):
        batch = fed(*[(at, msgspec.structs.replace(each)) for at, each in enumerate(order)])
        assert [event.duplicate for event in batch.events] == [False, True]


# Everything at once.

KEPT = Plan(instances=(Instance("every", "every", Every(n=3)),))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 9))
def test_every_call_and_every_execution_is_told_once(seed: int, most: int) -> None:
    told = story(seed)
    batch, _ = run(KEPT, records(told.events, seed, most=most))
    events = counted(batch)
    calls = [event for event in events if event.kind == "llm"]
    assert len(calls) == told.calls
    assert sum(event.kind == "tool" for event in events) == told.executions
    for event in calls:
        assert event.input and event.output
        assert event.status == "error" or (event.input_tokens and event.output_tokens)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100_000))
def test_what_comes_later_than_anything_waits_counts_once_all_the_same(seed: int) -> None:
    told = story(seed)
    batch, _ = run(KEPT, records(told.events, seed, apart=3.0))
    events = counted(batch)
    assert sum(event.kind == "llm" for event in events) == told.calls
    assert sum(event.kind == "tool" for event in events) == told.executions


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000), st.lists(st.integers(0, 60), max_size=12), st.sampled_from([0.001, 0.7, 3.0]))
def test_batch_cuts_change_nothing(seed: int, cuts: list[int], apart: float) -> None:
    log = records(story(seed).events, seed, apart=apart)
    whole, state = run(KEPT, log)
    cut, other = run(KEPT, log, [min(cut, len(log)) for cut in cuts])
    assert rows(cut) == rows(whole)
    assert other.describe() == state.describe()


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([0.001, 0.7, 3.0]), st.sampled_from([2, 40, 10_000]))
def test_a_checkpoint_at_every_record_changes_nothing(seed: int, apart: float, room: int) -> None:
    plan = Plan(instances=KEPT.instances, assembly=AssemblySettings(held=room))
    log = records(story(seed).events, seed, apart=apart)
    whole, _ = run(plan, log)
    state, store, batch = PartitionState.fresh(plan, "log", 0), Store(), Batch()
    for one in copy(log):
        extend(batch, step(plan, state, [one]))
        store.save(state)
        state, complaints = store.load(plan)
        assert complaints == []
    extend(batch, finish(plan, state))
    assert rows(batch) == rows(whole)


def test_what_is_remembered_is_bounded() -> None:
    plan = Plan(assembly=AssemblySettings(held=300))
    state = PartitionState.fresh(plan, "log", 0)
    for number in range(40):
        events = [event for seed in range(4) for event in story(1000 * number + seed).events]
        for event in events:
            force_setattr(event, "application", "app")
        step(plan, state, records(events, number))
        state.next_offset = 0
    (group,) = state.groups
    kept = sum(len(entry.value.reports) for _, entry in group.assembly.passed.pages.items())
    assert 300 <= kept <= 300 + 2 * PAGE
    assert len(group.assembly.held) <= 300 and len(group.assembly.results) <= 600
    names = len(group.assembly.passed._by_name)
    assert names <= 8 * kept
