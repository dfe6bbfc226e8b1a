"""What was said once is new once."""

from __future__ import annotations

import pytest

from tocsin.history import Digester, History, Seen
from tocsin.model import Event, Message, Role, ToolCall
from tocsin.settings import HistorySettings


def history(**changes: int) -> History:
    return History(HistorySettings(**changes), Digester("key"))


def say(*texts: str, role: Role = "user") -> tuple[Message, ...]:
    return tuple(Message(role, text) for text in texts)


def test_a_repeated_conversation_has_only_its_end_new() -> None:
    past = history()
    first = past.read(Event(session="s", input=say("a"), output=say("b", role="assistant")), 1.0)
    assert (first.new_input, first.new_output) == ((0,), (0,))
    repeated = (*say("a"), *say("b", role="assistant"), *say("c"))
    second = past.read(Event(session="s", input=repeated, output=say("d", role="assistant")), 2.0)
    assert (second.new_input, second.new_output) == ((2,), (0,))
    assert past.read(Event(session="s", input=repeated), 3.0).new_input == ()


def test_long_conversations_are_told_by_the_same_rule() -> None:
    past, texts = history(), [f"turn {number}" for number in range(300)]
    for end in range(0, 301, 10):
        seen = past.read(Event(session="s", input=say(*texts[:end])), 1.0)
        assert seen.new_input == tuple(range(max(0, end - 10), end))
    shuffled = texts[150:] + ["more"] + texts[:150]
    assert past.read(Event(session="s", input=say(*shuffled)), 1.0).new_input == (150,)


@pytest.mark.parametrize(
    "edited",
    [
        Message("user", "hello!"),
        Message("assistant", "hello"),
        Message("user", "hello", tool_call_id="1"),
        Message("user", "hello", (ToolCall("1", "search", "{}"),)),
        Message("user", "hello", (ToolCall("1", "search", "{ }"),)),
    ],
)
def test_an_edit_is_new(edited: Message) -> None:
    past = history()
    past.read(Event(session="s", input=(Message("user", "hello"),)), 1.0)
    past.read(Event(session="s", input=(Message("user", "hello", (ToolCall("2", "search", "{}"),)),)), 1.0)
    assert past.read(Event(session="s", input=(edited,)), 2.0).new_input == (0,)


def test_a_message_twice_in_one_event_is_new_once() -> None:
    assert history().read(Event(session="s", input=say("yes", "no", "yes")), 1.0).new_input == (0, 1)


def test_conversations_are_sessions_else_traces_else_nothing() -> None:
    past, hello = history(), say("hello")
    assert past.read(Event(session="s", trace_id="t", input=hello), 1.0).new_input == (0,)
    assert past.read(Event(session="s", trace_id="u", input=hello), 1.0).new_input == ()
    assert past.read(Event(trace_id="t", input=hello), 1.0).new_input == (0,)
    assert past.read(Event(trace_id="t", input=hello), 1.0).new_input == ()
    assert past.read(Event(input=hello), 1.0).new_input == (0,)
    assert past.read(Event(input=hello), 1.0).new_input == (0,)


def test_a_compaction_resets_the_conversation() -> None:
    past = history()
    past.read(Event(session="s", input=say("a", "b")), 1.0)
    assert past.read(Event(session="s", input=say("b", "c"), compacted=True), 2.0).new_input == (0, 1)
    assert past.read(Event(session="s", input=say("a", "b", "c")), 3.0).new_input == (0,)


def test_what_was_evicted_counts_again_once() -> None:
    past = history(messages=16)
    past.read(Event(session="s", input=say("first", *map(str, range(16)))), 1.0)
    assert past.read(Event(session="s", input=say("first", "15")), 2.0).new_input == (0,)
    assert past.read(Event(session="s", input=say("first", "15")), 3.0).new_input == ()


def duplicates(past: History, *events: Event) -> list[bool]:
    return [past.read(event, 1.0).event.duplicate for event in events]


def test_a_duplicate_has_the_same_span_and_kind_or_the_same_response() -> None:
    assert duplicates(
        history(),
        Event(trace_id="t", span_id="1"),
        Event(trace_id="t", span_id="1", session="", model="another"),
        Event(trace_id="t", span_id="1", kind="tool"),
        Event(trace_id="t", span_id="2"),
        Event(trace_id="t", response_id="r"),
        Event(trace_id="t", response_id="r"),
        Event(response_id="loose"),
        Event(response_id="loose"),
        Event(),
        Event(),
        Event(trace_id="t"),
        Event(trace_id="t"),
    ) == [False, True, False, False, False, True, False, True, False, False, False, False]


def test_two_halves_are_no_duplicates_but_the_same_half_twice_is() -> None:
    span, log = (Event(trace_id="t", span_id="1", join="j", half=half) for half in ("span", "log"))
    again = Event(trace_id="t", span_id="1", join="j", half="log")
    assert duplicates(history(), span, log, again) == [False, False, True]


def test_a_duplicate_has_nothing_new_and_resets_nothing() -> None:
    past = history()
    for compacted in (False, True):
        event = Event(session="s", trace_id="t", span_id="1", input=say("a"), compacted=compacted)
        past.read(event, 1.0)
    assert past.read(Event(session="s", input=say("a")), 2.0).new_input == ()


def test_identities_are_forgotten_oldest_first_or_not_kept_at_all() -> None:
    def event(number: int) -> Event:
        return Event(trace_id="t", span_id=str(number))

    past = history(duplicates=3)
    assert duplicates(past, *map(event, range(4))) == [False] * 4
    assert duplicates(past, event(3), event(1), event(0)) == [True, True, False]
    assert duplicates(history(duplicates=0), event(1), event(1)) == [False, False]


def test_digests_are_keyed_and_hold_no_text() -> None:
    event = Event(session="s", input=say("hello"))
    one, other = (History(HistorySettings(), Digester(key)).read(event, 1.0).digests for key in ("a", "b"))
    assert len(one) == 16 and one != other
    assert Digester("a").fingerprint != Digester("b").fingerprint


def test_events_without_content_are_let_through() -> None:
    past = history()
    assert past.read(Event(), 1.0) == Seen(Event())
    assert len(past.conversations) == 0


def test_text_that_is_no_unicode_is_digested_all_the_same() -> None:
    event = Event(session="s", trace_id="\ud800", span_id="1", input=say("\ud800"))
    assert history().read(event, 1.0).new_input == (0,)
    with_call = Message("user", "\ud800", (ToolCall(arguments="\ud800"),))
    assert history().read(Event(session="s", input=(with_call,)), 1.0).new_input == (0,)


def test_of_what_is_repeated_nothing_is_told_to_be_more_than_role_and_text_but_in_answers() -> None:
    past, call = history(), Message("assistant", "", (ToolCall("1", "search", "{}"),))
    result = Message("tool", "found", (), "1", "search")
    first = past.read(Event(session="s", input=(*say("a"), call, result), output=(call,)), 1.0)
    assert (first.new_input, first.rich) == ((0, 1, 2), ((1, 2), (0,)))
    more = Message("tool", "found more", (), "1", "search")
    second = past.read(Event(session="s", input=(*say("a"), call, result, more), output=(call,)), 2.0)
    assert (second.new_input, second.new_output, second.rich) == ((3,), (), ((3,), (0,)))


def test_many_events_have_the_digests_that_each_has_alone() -> None:
    digester, call = Digester("key"), Message("assistant", "", (ToolCall("1", "search", "{}"),))
    events = [
        Event(input=say("a", "b"), output=(call, *say("\ud800"))),
        Event(),
        Event(trace_id="t", span_id="s", half="log", input=(call,)),
        Event(response_id="r", output=(Message("tool", "x", (), "", "named"),)),
    ]
    together = list(digester.events(events))
    assert together == [next(digester.events([event])) for event in events]
    assert [each.rich for each in together] == [[2], (), [0], [0]]
    assert [bool(each.identity) for each in together] == [False, False, True, True]
