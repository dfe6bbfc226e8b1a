"""Executions without a span are told once, from a call and its result in the messages of model calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from parts import pace
from parts.watchers import Every, run

from tocsin import signals
from tocsin.core import Instance, Plan, Unpacked
from tocsin.history import Digester, History, Seen
from tocsin.model import Event, Message, Signals, ToolCall
from tocsin.redact import Redaction
from tocsin.report import TOLD
from tocsin.settings import AssemblySettings, ContentSettings, HistorySettings
from tocsin.told_tools import executions, has_failed, plain

NOON = 1.8e9
IDENTITY = "call_5c67df788252a7d1e4568b82"
CALL = ToolCall(IDENTITY, "get_weather", '{"city": "Lisbon"}')
ASK = (Message("user", "How is the weather?"),)
ASKED = (*ASK, Message("assistant", "", (CALL,)))
RESULT = Message("tool", "21 C and sunny", tool_call_id=IDENTITY)
ANSWERED = (*ASKED, RESULT)
SAY = (Message("assistant", "It is sunny."),)


def call(trace: str, said: tuple[Message, ...], *answer: Message, **fields: Any) -> Event:
    usual: dict[str, Any] = {"time": NOON, "input_tokens": 9, "output_tokens": 3, "model": "m"}
    own: dict[str, Any] = {"trace_id": trace, "span_id": f"s-{trace}", "join": f"{trace}:s-{trace}"}
    return Event(**usual | {"input": said, "output": answer or SAY} | own | fields)


def span(trace: str = "t", **fields: Any) -> Event:
    usual: dict[str, Any] = {"time": NOON - 1, "duration_ms": 10.0, "tool_name": "get_weather"}
    own: dict[str, Any] = {"kind": "tool", "operation": "execute_tool", "trace_id": trace}
    return Event(**usual | own | {"tool_result": "21 C", "content_available": True} | fields)


def tools(*events: Event, step: float = 0.1, mode: Any = "full", **settings: Any) -> list[Event]:
    """What the core makes of events, each in a record of its own, as far as it is about tools."""
    plan = Plan(content=ContentSettings(mode=mode), assembly=AssemblySettings(**settings))
    log = [Unpacked(at, at + 1, NOON + step * at, [event], 1) for at, event in enumerate(events)]
    batch, _ = run(plan, log)
    return [event for event in batch.events if event.kind == "tool"]


def test_a_call_and_its_result_are_one_execution_of_whoever_called() -> None:
    who = {"session": "s", "user": "u", "agent": "a", "application": "app", "source_format": "otlp"}
    (event,) = tools(call("t", ANSWERED, parent_span_id="p", source_offset=7, **who))
    assert (event.tool_name, event.tool_call_id, event.tool_arguments) == (
        "get_weather",
        IDENTITY,
        CALL.arguments,
    )
    assert (event.tool_result, event.status, event.operation) == ("21 C and sunny", "ok", "execute_tool")
    assert {name: getattr(event, name) for name in who} == who
    assert (event.trace_id, event.parent_span_id, event.span_id) == ("t", "p", "")
    assert (event.time, event.source_offset, event.content_available) == (NOON, 7, True)
    assert event.attributes == {"tocsin.told_by": "messages"}
    assert event.id.endswith(".0.1")  # after the items of its record
    assert (event.join, event.half) == ("", "")


def test_its_text_was_read_and_its_detectors_look() -> None:
    plan = Plan(instances=(Instance("every", "every", Every(n=2)),), content=ContentSettings(mode="features"))
    batch, _ = run(plan, [Unpacked(0, 1, NOON, [call("t", ANSWERED, user="u")], 1)])
    (at,) = [at for at, event in enumerate(batch.events) if event.kind == "tool"]
    assert batch.signals[at].arguments_length == len(CALL.arguments)
    assert batch.signals[at].result_length == len(RESULT.text)
    assert batch.events[at].tool_result is None  # not stored in this mode
    assert [alert.count for alert in batch.alerts] == [1]


@pytest.mark.parametrize("session", ["", "s"])
def test_repeated_history_does_not_repeat_it(session: str) -> None:
    more = (*ANSWERED, *SAY, Message("user", "And tomorrow?"))
    calls = [call(f"t{n}", (*more, Message("user", f"{n}")), session=session) for n in range(5)]
    assert len(tools(call("t", ANSWERED, session=session), *calls)) == 1


def test_a_number_for_an_id_means_a_call_of_its_conversation() -> None:
    def turn(trace: str, result: str, session: str) -> Event:
        asked = Message("assistant", "", (ToolCall("call_0", "f", '{"x": 1}'),))
        said = (Message("user", "go"), asked, Message("tool", result, tool_call_id="call_0"))
        return call(trace, said, session=session)

    told = tools(turn("t1", "a", "s1"), turn("t2", "b", "s2"), turn("t3", "c", ""), turn("t4", "d", ""))
    assert [event.tool_result for event in told] == ["a", "b", "c", "d"]
    assert len(tools(turn("t1", "a", "s1"), turn("t2", "a", "s1"))) == 1
    assert len(tools(turn("t1", "a", ""), turn("t2", "a", ""))) == 1  # the same said before: repeated history


@pytest.mark.parametrize(
    ("own", "doubled"),
    [
        ({"tool_call_id": IDENTITY, "span_id": "1"}, False),
        ({"tool_call_id": f"get_weather__{IDENTITY}", "span_id": "1"}, False),
        ({"tool_call_id": IDENTITY, "trace_id": "other", "span_id": "1"}, False),
        ({"span_id": "1"}, False),  # no id: the same tool in the same trace
        ({"span_id": "1", "tool_name": "plugin.get_weather"}, False),
        ({"trace_id": "other", "span_id": "1", "tool_arguments": '{"city":"Lisbon"}'}, False),
        ({"trace_id": "other", "span_id": "1", "tool_arguments": "Lisbon"}, False),
        ({"trace_id": "other", "span_id": "1"}, True),
        ({"tool_name": "other_tool", "span_id": "1"}, True),
        ({"tool_call_id": "call_777fcfee4c1d365d30734f1b", "span_id": "1"}, True),
        ({"span_id": "1", "time": NOON + 60}, True),  # after the result was known
    ],
)
@pytest.mark.parametrize("first", ["span", "messages"])
def test_an_execution_with_a_span_of_its_own_is_that_spans(own: Any, doubled: bool, first: str) -> None:
    own = {"trace": own.get("trace_id", "t")} | {k: v for k, v in own.items() if k != "trace_id"}
    events = [span(**own), call("t", ANSWERED)]
    told = tools(*(events if first == "span" else reversed(events)))
    assert len(told) == 1 + doubled
    assert sum(event.span_id == "1" for event in told) == 1


def test_a_span_that_tells_little_learns_from_the_messages_that_came_first() -> None:
    bare = Event(
        kind="tool",
        trace_id="t",
        span_id="1",
        join="t:1",
        tool_name="get_weather",
        duration_ms=5.0,
        time=NOON,
    )
    for order in ((bare, call("t", ANSWERED)), (call("t", ANSWERED), bare)):
        (event,) = tools(*[msgspec.structs.replace(each) for each in order])
        assert (event.span_id, event.duration_ms, event.tool_result) == ("1", 5.0, "21 C and sunny")


def test_what_another_conversation_did_with_the_same_arguments_is_not_its() -> None:
    other = span("u", span_id="1", session="s2", tool_arguments=CALL.arguments)
    assert len(tools(other, call("t", ANSWERED, session="s1"))) == 2


def test_under_a_mere_number_for_an_id_the_arguments_tell_executions_apart() -> None:
    asked = Message("assistant", "", (ToolCall("call_0", "f", '{"n": "mine"}'),))
    said = (*ASK, asked, Message("tool", "x", tool_call_id="call_0"))
    other = span(tool_name="f", tool_call_id="call_0", span_id="1", tool_arguments='{"n": "other"}')
    own = span(tool_name="f", tool_call_id="call_0", span_id="2", tool_arguments='{"n": "mine"}')
    assert [event.span_id for event in tools(other, call("t", said), own)] == ["1", "2"]


def test_two_spans_do_for_two_results_and_no_more() -> None:
    names = [f"call_5c67df788252a7d1e4568b{n}" for n in range(10, 13)]
    asked = Message(
        "assistant", "", tuple(ToolCall(name, "f", f'{{"n": 1, "m": "{name}"}}') for name in names)
    )
    said = (*ASK, asked, *(Message("tool", name, tool_call_id=name) for name in names))
    spans = [span(tool_name="f", span_id=str(n), time=NOON - 5 + n) for n in range(2)]
    assert len(tools(*spans, call("t", said))) == 3


def test_the_call_may_stand_in_an_earlier_answer() -> None:
    """Where a conversation lives at the provider, only what is new is sent."""
    asked = call("t1", ASK, ASKED[-1])
    (event,) = tools(asked, call("t2", (RESULT,)))
    assert (event.tool_name, event.tool_arguments) == ("get_weather", CALL.arguments)
    assert tools(call("t2", (RESULT,))) == []  # a result of nothing


def test_a_result_that_says_so_is_an_error() -> None:
    failed = (*ASKED, Message("tool", "Error: unknown city", tool_call_id=IDENTITY))
    (event,) = tools(call("t", failed))
    assert (event.status, event.error_type) == ("error", "tool_error")


@pytest.mark.parametrize(
    ("result", "failed"),
    [
        ("Error: unknown city", True),
        ("  Traceback (most recent call last):\n  ...", True),
        ('{"error": "no such user"}', True),
        ('{"isError": true, "content": []}', True),
        ('{"status": "error"}', True),
        ("An error occurred while running the tool", True),
        ("no errors found", False),
        ('{"error": null, "rows": 3}', False),
        ('{"errors": 0}', False),
        ("{broken", False),
        ("", False),
    ],
)
def test_what_counts_as_a_failure(result: str, failed: bool) -> None:
    assert has_failed(result) is failed


def test_results_without_ids_are_told_by_the_tools_name_in_the_order_of_its_calls() -> None:
    asked = Message("assistant", "", tuple(ToolCall("", "f", f'{{"n": {n}}}') for n in range(2)))
    results = [Message("tool", f"result {n}", name="f") for n in range(2)]
    told = tools(call("t", (*ASK, asked, *results)))
    assert [(event.tool_arguments, event.tool_result) for event in told] == [
        ('{"n": 0}', "result 0"),
        ('{"n": 1}', "result 1"),
    ]


def test_an_observation_in_a_users_words_and_a_handoff_are_no_executions() -> None:
    observed = (*ASK, Message("assistant", "Action: f"), Message("user", "Observation: 21 C"))
    handed = Message("assistant", "", (ToolCall(IDENTITY, "transfer_to_billing", "{}"),))
    assert tools(call("t", observed), call("u", (*ASK, handed, RESULT))) == []


def test_only_model_calls_tell_of_executions() -> None:
    assert tools(msgspec.structs.replace(call("t", ANSWERED), kind="agent")) == []


def test_a_tool_of_a_server_is_named_apart() -> None:
    asked = Message("assistant", "", (ToolCall(IDENTITY, "mcp__files__read", "{}"),))
    (event,) = tools(call("t", (*ASK, asked, RESULT)))
    assert (event.tool_server, event.tool_name) == ("files", "read")


def test_arguments_are_the_same_in_every_spelling() -> None:
    assert plain('{"b": 1, "a": 2}') == plain('{"a":2,"b":1}')
    assert plain('{"city": "Lisbon"}') == plain("Lisbon") == "Lisbon"
    assert plain("{broken") == "{broken"
    assert plain('{"a": "\\ud800"}') and plain("[" * 100_000)


def test_an_execution_waits_no_longer_than_a_half() -> None:
    told = tools(call("t", ANSWERED), Event(), Event(), step=3.0)
    assert [event.arrival - NOON for event in told] == [6.0]


def test_very_many_results_are_worked_off_in_time() -> None:
    asked = [Message("assistant", "", (ToolCall(f"call_{n}", "f", "{}"),)) for n in range(256)]
    results = [Message("tool", "x", tool_call_id=f"none_{n}") for n in range(256)]
    event = Event(trace_id="t", input=(*asked, *results))
    seen = History(HistorySettings(), Digester("")).read(event, 1.0)
    assert len(list(executions(seen, Digester("")))) == 256
    assert pace.seconds(lambda: list(executions(seen, Digester("")))) < 0.05


def test_what_is_told_of_a_span_that_went_on_is_neither_read_nor_redacted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []
    redacted: list[str] = []
    clean = Redaction.event

    def reading(seen: Sequence[Seen], *settings: Any) -> list[Signals]:
        read.extend(one.event.tool_result or "" for one in seen if one.event.half == TOLD)
        return signals.read(seen, *settings)

    def redacting(self: Redaction, event: Event, *rest: Any, **named: Any) -> None:
        redacted.append(event.tool_result or "" if event.half == TOLD else "")
        clean(self, event, *rest, **named)

    monkeypatch.setattr("tocsin.core.read", reading)
    monkeypatch.setattr(Redaction, "event", redacting)
    own = {"tool_call_id": IDENTITY, "span_id": "x", "join": "t:x", "tool_arguments": CALL.arguments}
    assert len(tools(span(**own), call("t", ANSWERED))) == 1
    assert not any(read + redacted)
    assert len(tools(call("t", ANSWERED))) == 1
    assert read == ["21 C and sunny"] and "21 C and sunny" in redacted


@pytest.mark.parametrize("place", ["session", "tool_call_id", "tool"])
def test_an_execution_is_known_by_the_names_that_redaction_leaves(place: str) -> None:
    secret = "sk-proj-9aZk2Lq81mVbX0Ru5TyWc3NdE7Hs"
    session = secret if place == "session" else "s"
    asked = ToolCall(secret, secret if place == "tool" else "f", "{}")
    if place != "tool_call_id":
        asked = replace(asked, id=IDENTITY)
    said = (*ASK, Message("assistant", "", (asked,)), replace(RESULT, tool_call_id=asked.id))
    own = {"tool_call_id": asked.id, "tool_name": asked.name, "tool_arguments": "{}", "session": session}
    found = tools(span(trace="", **own), call("t", said, session=session), mode="excerpt")
    assert len(found) == 1
    assert secret not in repr(found)
