"""Spans in the dialects of producers, written after what they document: each is what it means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from parts import pace

from ingest.literal import NoLiteral, literal
from ingest.otlp import OtlpDecoder
from tocsin.model import Event

Attributes = dict[str, Any]


def decoded(
    attributes: Attributes,
    name: str = "span",
    scope: str = "a.scope",
    events: list[tuple[str, Attributes]] | None = None,
    **span: Any,
) -> list[Event]:
    document = {
        "resourceSpans": [
            {
                "resource": {"attributes": []},
                "scopeSpans": [
                    {
                        "scope": {"name": scope},
                        "spans": [
                            {
                                "traceId": "1" * 32,
                                "spanId": "2" * 16,
                                "name": name,
                                "startTimeUnixNano": "1763850000000000000",
                                "endTimeUnixNano": "1763850001000000000",
                                "attributes": _pairs(attributes),
                                "events": [{"name": n, "attributes": _pairs(a)} for n, a in events or []],
                                **span,
                            }
                        ],
                    }
                ],
            }
        ]
    }
    items = OtlpDecoder().decode(json.dumps(document).encode()).items
    assert all(isinstance(item, Event) for item in items)
    return [item for item in items if isinstance(item, Event)]


def _pairs(attributes: Attributes) -> list[Any]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Any) -> Attributes:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    return {"stringValue": value if isinstance(value, str) else json.dumps(value)}


def one(attributes: Attributes, name: str = "span", scope: str = "a.scope", **more: Any) -> Event:
    [event] = decoded(attributes, name, scope, **more)
    return event


def told(event: Event) -> Attributes:
    """The fields by which most cases below are judged."""
    calls = [(c.id, c.name, json.loads(c.arguments or "null")) for m in event.output for c in m.tool_calls]
    found = {
        "kind": event.kind,
        "operation": event.operation,
        "provider": event.provider,
        "model": event.model,
        "response_model": event.response_model,
        "response_id": event.response_id,
        "tokens": (
            event.input_tokens,
            event.output_tokens,
            event.cache_read_tokens,
            event.cache_write_tokens,
        ),
        "finish": event.finish_reason,
        "stream": event.stream,
        "session": event.session,
        "user": event.user,
        "asked": [(message.role, message.text) for message in event.input],
        "answered": " ".join(message.text for message in event.output if message.text),
        "calls": calls,
        "tool": event.tool_name,
        "tool_call_id": event.tool_call_id,
        "arguments": event.tool_arguments,
        "result": event.tool_result,
        "status": event.status,
    }
    return found


CASES = Path(__file__).parent / "dialects"
CALLS: dict[str, dict[str, Attributes]] = json.loads((CASES / "calls.json").read_text())
TOOLS: dict[str, dict[str, Attributes]] = json.loads((CASES / "tools.json").read_text())


@pytest.mark.parametrize("dialect", CALLS)
def test_a_model_call_is_what_its_dialect_says(dialect: str) -> None:
    attributes, expected = CALLS[dialect].values()
    found = json.loads(json.dumps(told(one(attributes))))
    assert {name: found[name] for name in expected} == expected
    assert found["kind"] == "llm"


@pytest.mark.parametrize("dialect", TOOLS)
def test_a_tool_execution_is_what_its_dialect_says(dialect: str) -> None:
    attributes, expected = TOOLS[dialect].values()
    found = json.loads(json.dumps(told(one(attributes, name="look"))))
    assert {name: found[name] for name in expected} == expected
    assert (found["kind"], found["tool"], found["status"]) == ("tool", "look", "ok")


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("execute_tool look", "look"),
        ("tools/call look", "look"),
        ("MCP send tools/call look", "look"),
        ("look.tool", "look"),
        ("Tool: look", "look"),
        ("look around", "look around"),
        ("tool_call look", "look"),
        ("execute_tool mcp__server__look", "look"),
    ],
)
def test_a_tool_may_be_named_by_its_span_alone(name: str, tool: str) -> None:
    assert one({"gen_ai.operation.name": "execute_tool"}, name=name).tool_name == tool


def test_a_result_that_says_it_failed_is_an_error() -> None:
    result = {"content": [{"type": "text", "text": "no such thing"}], "isError": True}
    event = one({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.result": result}, "look")
    assert (event.status, event.error_type, event.error_message) == ("error", "tool_error", "no such thing")


def test_a_level_says_that_a_call_failed() -> None:
    attributes = {
        "langfuse.observation.type": "generation",
        "langfuse.observation.model.name": "gpt-x",
        "langfuse.observation.level": "ERROR",
        "langfuse.observation.status_message": "too many",
    }
    event = one(attributes)
    assert (event.status, event.error_message) == ("error", "too many")
    assert (event.model, event.response_model) == ("gpt-x", "")  # nobody answered


@pytest.mark.parametrize(
    ("attributes", "name", "scope"),
    [
        ({"gen_ai.request.model": "gpt-x"}, "GET /", "fastapi"),
        ({"openinference.span.kind": "CHAIN", "llm.token_count.prompt": 3}, "chain", "s"),
        ({"openinference.span.kind": "TOOL"}, "instructor.patch", "openinference.instrumentation.instructor"),
        ({"gen_ai.operation.name": "framework", "spring.ai.kind": "chat_client"}, "chat_client", "s"),
        ({"gen_ai.operation.name": "schedule_tool_calls", "gen_ai.output.messages": "[]"}, "schedule", "s"),
        ({"gen_ai.operation.name": "of_tomorrow", "gen_ai.output.messages": "[]"}, "of_tomorrow", "s"),
        ({"mlflow.spanType": '"PARSER"', "mlflow.spanOutputs": "{}"}, "parser", "mlflow"),
        ({"haystack.component.type": "PromptBuilder"}, "haystack.component.run", "haystack"),
        ({"acme.span.kind": "chain", "acme.model": "gpt-x"}, "chain", "acme"),
        ({"http.request.type": "llm", "db.operation.type": "tool"}, "x", "x"),
        ({"gen_ai.prompt.name": "greeting"}, "x", "x"),
    ],
)
def test_steps_and_plumbing_are_no_events(attributes: Attributes, name: str, scope: str) -> None:
    assert decoded(attributes, name, scope) == []


def test_a_handoff_is_no_tool() -> None:
    event = one({"openinference.span.kind": "TOOL", "input.value": "a"}, "handoff to b")
    assert (event.kind, event.operation) == ("agent", "handoff")


def test_an_unknown_operation_with_model_and_tokens_is_a_call() -> None:
    event = one(
        {
            "gen_ai.operation.name": "of_tomorrow",
            "gen_ai.request.model": "gpt-x",
            "gen_ai.usage.input_tokens": 3,
        }
    )
    assert (event.kind, event.operation) == ("llm", "chat")


def test_the_usage_of_a_step_is_not_counted_again() -> None:
    event = one({"langfuse.observation.type": "agent", "gen_ai.usage.input_tokens": 3}, "helper")
    assert (event.kind, event.input_tokens) == ("agent", None)


def test_content_events_hold_a_whole_conversation() -> None:
    events = [
        ("gen_ai.content.prompt", {"gen_ai.prompt": '[{"role": "user", "content": "Hi"}]'}),
        ("gen_ai.content.completion", {"gen_ai.completion": '[{"role": "assistant", "content": "Hello"}]'}),
    ]
    event = one({"gen_ai.operation.name": "chat"}, events=events)
    assert (event.input[0].text, event.output[0].text) == ("Hi", "Hello")


def test_events_of_the_old_style_are_messages() -> None:
    events = [
        ("gen_ai.system.message", {"content": "Be terse."}),
        ("gen_ai.user.message", {"content": "Hi", "role": "user"}),
        ("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": '{"content": "Hello"}'}),
    ]
    event = one({"gen_ai.operation.name": "chat"}, events=events)
    assert [(m.role, m.text) for m in event.input] == [("system", "Be terse."), ("user", "Hi")]
    assert (event.output[0].text, event.finish_reason) == ("Hello", "stop")


def test_chunks_of_a_streamed_answer_are_one_message() -> None:
    chunks = [{"role": "model", "parts": [{"text": text}]} for text in ("Hel", "lo")]
    event = one({"gen_ai.operation.name": "chat", "gen_ai.output.messages": chunks})
    assert [message.text for message in event.output] == ["Hello"]


def test_an_array_of_json_texts_is_a_conversation() -> None:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": ['{"role": "user", "content": "Hi"}', "{'role': 'user', 'content': 'Ho'}"],
        "gen_ai.response.tool_calls": ['{"id": "t1", "name": "look", "arguments": "{}"}'],
    }
    event = one(attributes)
    assert [message.text for message in event.input] == ["Hi", "Ho"]
    assert [call.name for call in event.output[0].tool_calls] == ["look"]


def test_a_first_chunk_says_that_an_answer_was_streamed() -> None:
    events = [("ai.stream.firstChunk", {"ai.response.msToFirstChunk": 3.5})]
    assert one({"gen_ai.operation.name": "chat"}, events=events).stream is True


def test_a_body_that_was_cut_is_kept_and_marked() -> None:
    cut = json.dumps({"model": "gpt-x", "messages": [{"role": "user", "content": "Hi"}]})[:60]
    event = one({"openinference.span.kind": "LLM", "input.value": cut})
    assert event.truncated
    assert event.input[0].text == cut


def test_a_first_token_may_be_a_point_in_time() -> None:
    attributes = {
        "langfuse.observation.type": "generation",
        "langfuse.observation.completion_start_time": '"2025-11-22T22:20:00.250Z"',
    }
    assert one(attributes).first_token_ms == pytest.approx(250)


def test_a_body_inside_the_span_of_a_call_completes_it() -> None:
    body = {
        "llm.openai.messages": "[{'role': 'user', 'content': \"it's\"}]",
        "llm.openai.id": "chatcmpl-1",
        "llm.openai.model": "gpt-x-2026",
        "llm.openai.choices": "[{'finish_reason': 'stop', 'message': {'content': 'Hello', 'x': None}}]",
    }
    event = one(body, "raw_gen_ai_request", "litellm", parentSpanId="3" * 16)
    assert (event.half, event.join) == ("response", f"{'1' * 32}:{'3' * 16}")
    assert (event.response_model, event.response_id, event.finish_reason) == (
        "gpt-x-2026",
        "chatcmpl-1",
        "stop",
    )
    assert [m.text for m in (*event.input, *event.output)] == ["it's", "Hello"]


def test_the_time_that_a_literal_takes_grows_with_its_length() -> None:
    def read() -> None:
        for text in ("['a'" + " " * 30_000, "['" + "\\'" * 15_000 + "'", "[" * 30_000, "'" * 30_000):
            with pytest.raises(NoLiteral):
                literal(text)

    assert pace.seconds(read) < 0.2


def test_many_vendors_in_one_span_take_bounded_time() -> None:
    attributes = {f"v{number}.input_tokens": number for number in range(20_000)}
    assert decoded(attributes) == []
    assert pace.seconds(lambda: decoded(attributes)) < 0.5


def test_a_summary_of_earlier_messages_begins_a_conversation_anew() -> None:
    said = [
        {"role": "assistant", "parts": [{"type": "compaction", "content": "They greeted."}]},
        {"role": "user", "parts": [{"type": "text", "content": "And now?"}]},
    ]
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": said}
    event = one(attributes)
    assert event.compacted
    assert [message.text for message in event.input] == ["They greeted.", "And now?"]
    assert not one(attributes | {"gen_ai.input.messages": said[1:]}).compacted


def test_cost_is_what_was_reported() -> None:
    attributes = {
        "langfuse.observation.type": "generation",
        "langfuse.observation.cost_details": {"input": 0.1, "output": 0.2, "total": 0.3},
    }
    event = one(attributes)
    assert (event.cost_usd, event.cost_source) == (0.3, "reported")
    nothing = one({"langfuse.observation.type": "generation", "langfuse.observation.cost_details": "{}"})
    assert (nothing.cost_usd, nothing.cost_source) == (None, "")


def test_what_a_model_wrote_is_never_taken_for_a_fact() -> None:
    answer = {
        "choices": [
            {
                "message": {
                    "content": {"model": "evil", "usage": {"prompt_tokens": 1}, "id": "evil"},
                    "tool_calls": [
                        {"id": "t1", "function": {"name": "n", "arguments": {"model": "evil", "usage": {}}}}
                    ],
                }
            }
        ]
    }
    event = one({"openinference.span.kind": "LLM", "llm.model_name": "gpt-x", "output.value": answer})
    assert (event.model, event.response_model, event.response_id) == ("gpt-x", "gpt-x", "")
    assert event.input_tokens is None


def test_a_call_that_is_said_as_part_and_in_the_list_is_one() -> None:
    message = "llm.output_messages.0.message."
    part, listed = f"{message}contents.0.message_content.", f"{message}tool_calls.0.tool_call."
    (event,) = decoded(
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "m",
            f"{message}role": "assistant",
            f"{part}type": "tool_use",
            f"{part}id": "t1",
            f"{part}name": "look",
            f"{part}input": '{"at": "it"}',
            f"{listed}id": "t1",
            f"{listed}function.name": "look",
            f"{listed}function.arguments": '{"at":"it"}',
        }
    )
    (said,) = event.output
    assert [(call.id, call.name, json.loads(call.arguments)) for call in said.tool_calls] == [
        ("t1", "look", {"at": "it"})
    ]
