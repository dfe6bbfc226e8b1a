"""Coding agents tell of a call in spans and in log records: it is one event."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from parts import recordings
from parts.assembled import events

from ingest.recognise import Recogniser
from tocsin.model import Event

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
AT = 1_795_416_735_000_000_000


def pairs(values: dict[str, Any]) -> list[dict[str, Any]]:
    def typed(value: Any) -> dict[str, Any]:
        kinds = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}
        return {kinds[type(value)]: value}

    return [{"key": key, "value": typed(value)} for key, value in values.items()]


def logs(service: str, *records: tuple[str, dict[str, Any]], body: str = "", **place: str) -> dict[str, Any]:
    """An export request with log records: (event.name, attributes)."""
    entries = [
        {
            "timeUnixNano": str(AT),
            "body": {"stringValue": body or name},
            "attributes": pairs({"event.name": name, "session.id": "s", **attributes}),
            **place,
        }
        for name, attributes in records
    ]
    resource = {"attributes": pairs({"service.name": service})}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": entries}]}]}


def spans(service: str, scope: str, *records: tuple[str, dict[str, Any]], **more: Any) -> dict[str, Any]:
    """An export request with spans: (name, attributes)."""
    entries = [
        {
            "traceId": TRACE,
            "spanId": f"{int(SPAN, 16) + number:016x}",
            "name": name,
            "startTimeUnixNano": str(AT),
            "endTimeUnixNano": str(AT + 2_000_000_000),
            "attributes": pairs({"session.id": "s", **attributes}),
            **more,
        }
        for number, (name, attributes) in enumerate(records)
    ]
    scoped = [{"scope": {"name": scope}, "spans": entries}]
    return {
        "resourceSpans": [
            {"resource": {"attributes": pairs({"service.name": service})}, "scopeSpans": scoped}
        ]
    }


USAGE = {"input_tokens": 387, "output_tokens": 18, "cache_read_tokens": 1000, "cache_creation_tokens": 13}
CLAUDE_CALL = ("api_request", {"model": "claude-x", **USAGE, "cost_usd": 0.25, "request_id": "req_1"})
CLAUDE_SPAN = (
    "claude_code.llm_request",
    {"gen_ai.system": "anthropic", "model": "claude-x", **USAGE, "request_id": "req_1", "ttft_ms": 166,
     "stop_reason": "tool_use", "success": True},
)  # fmt: skip
CLAUDE_TOOL = (
    "tool_result",
    {"tool_name": "Bash", "tool_use_id": "toolu_1", "success": "true", "duration_ms": "62",
     "tool_input": '{"command":"ls"}', "decision_type": "accept"},
)  # fmt: skip


def claude(*records: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [logs("claude-code", record, body=f"claude_code.{record[0]}") for record in records]


def kinds(found: Sequence[Event]) -> list[str]:
    return [event.kind for event in found]


@pytest.mark.parametrize("turned", [False, True])
def test_span_and_log_record_of_one_call_are_one(turned: bool) -> None:
    told = [*claude(CLAUDE_CALL), spans("claude-code", "", CLAUDE_SPAN)]
    (event,) = events(reversed(told) if turned else told)
    assert (event.kind, event.model, event.provider) == ("llm", "claude-x", "anthropic")
    assert (event.input_tokens, event.cache_read_tokens, event.cache_write_tokens) == (1400, 1000, 13)
    assert (event.cost_usd, event.finish_reason, event.first_token_ms) == (0.25, "tool_call", 166)
    assert (event.session, event.agent, event.trace_id, event.span_id) == ("s", "claude-code", TRACE, SPAN)


@pytest.mark.parametrize("only", ["logs", "spans"])
def test_each_signal_is_enough_alone(only: str) -> None:
    told = claude(CLAUDE_CALL) if only == "logs" else [spans("claude-code", "", CLAUDE_SPAN)]
    (event,) = events(told)
    assert (event.kind, event.input_tokens, event.output_tokens) == ("llm", 1400, 18)


@pytest.mark.parametrize("turned", [False, True])
def test_an_execution_and_all_that_is_told_around_it_is_one(turned: bool) -> None:
    output = {"name": "tool.output", "attributes": pairs({"output": "a.txt"})}
    told = [
        *claude(
            ("tool_decision", {"tool_name": "Bash", "tool_use_id": "toolu_1", "decision": "accept"}),
            CLAUDE_TOOL,
        ),
        spans(
            "claude-code",
            "",
            ("claude_code.tool", {"tool_name": "Bash", "tool_use_id": "toolu_1"}),
            events=[output],
        ),
        spans(
            "claude-code",
            "",
            ("claude_code.tool.execution", {"success": True, "tool_use_id": "toolu_1"}),
            ("claude_code.tool.blocked_on_user", {"decision": "accept"}),
            ("claude_code.interaction", {"user_prompt": "hi"}),
            ("claude_code.hook", {}),
        ),
    ]
    (event,) = events(reversed(told) if turned else told)
    assert (event.kind, event.tool_name, event.tool_call_id) == ("tool", "Bash", "toolu_1")
    assert (event.tool_arguments, event.tool_result) == ('{"command":"ls"}', "a.txt")
    assert (event.tool_decision, event.status) == ("accept", "ok")


def test_calls_under_one_current_span_are_different_calls() -> None:
    """Newer versions write log records with the ids of the span around them."""
    told = [
        logs("claude-code", ("api_request", {**CLAUDE_CALL[1], "request_id": f"req_{number}"}),
             body="claude_code.api_request", traceId=TRACE, spanId=SPAN)
        for number in range(3)
    ]  # fmt: skip
    found = events(told)
    assert [event.duplicate for event in found] == [False] * 3
    assert {(event.span_id, event.parent_span_id) for event in found} == {("", SPAN)}


def test_a_rejected_tool_is_a_decision_and_no_execution() -> None:
    decision = {"tool_name": "Write", "tool_use_id": "toolu_3", "decision": "reject", "source": "user_reject"}
    (event,) = events(claude(("tool_decision", decision)))
    assert (event.kind, event.operation) == ("agent", "tool_decision")
    assert (event.tool_name, event.tool_decision) == ("Write", "reject")


@pytest.mark.parametrize("turned", [False, True])
def test_a_decision_of_codex_joins_the_execution(turned: bool) -> None:
    told = [
        logs(
            "codex_cli_rs",
            ("codex.tool_decision", {"tool_name": "shell", "call_id": "c", "decision": "approved"}),
        ),
        logs(
            "codex_cli_rs",
            ("codex.tool_result", {"tool_name": "shell", "call_id": "c", "success": "true", "output": "ok"}),
        ),
    ]
    found = [event for event in events(reversed(told) if turned else told) if not event.duplicate]
    assert (found[0].kind, found[0].tool_result) == ("tool", "ok")
    assert kinds(found) == ["tool"]
    assert turned or found[0].tool_decision == "accept"


def test_a_stream_of_codex_is_one_call() -> None:
    chunks = ["response.created", *["response.output_text.delta"] * 40, "response.output_item.done"]
    records = [("codex.sse_event", {"event.kind": kind, "duration_ms": "1"}) for kind in chunks]
    usage = {"input_token_count": "5200", "output_token_count": "44", "cached_token_count": 5000}
    last = ("codex.sse_event", {"event.kind": "response.completed", "model": "gpt-x", **usage})
    request = ("codex.api_request", {"http.response.status_code": 200, "attempt": 0})
    span = (
        "completed",
        {
            "gen_ai.usage.input_tokens": 5200,
            "gen_ai.usage.output_tokens": 44,
            "codex.usage.total_tokens": 5244,
        },
    )
    found = events([logs("codex_cli_rs", request, *records, last), spans("codex_cli_rs", "codex", span)])
    (event,) = found
    assert (event.kind, event.model, event.input_tokens, event.cache_read_tokens) == (
        "llm",
        "gpt-x",
        5200,
        5000,
    )


def test_each_failed_attempt_is_a_call() -> None:
    attempts = [("codex.api_request", {"http.response.status_code": status}) for status in (429, 503, 200)]
    found = events([logs("codex_cli_rs", *attempts)])
    assert [(event.status, event.http_status) for event in found] == [("error", 429), ("error", 503)]


GEMINI = {
    "gen_ai.operation.name": "llm_call", "gen_ai.request.model": "gemini-x", "gen_ai.conversation.id": "s",
    "gen_ai.usage.input_tokens": 5993, "gen_ai.usage.output_tokens": 29,
}  # fmt: skip
GEMINI_RESPONSE = {
    "model": "gemini-x",
    "input_token_count": 5993,
    "output_token_count": 29,
    "response_text": '[{"responseId":"r"}]',
}


def test_what_gemini_cli_tells_five_times_is_one_call() -> None:
    details = {"gen_ai.operation.name": "generate_content", "gen_ai.request.model": "gemini-x"}
    records: list[tuple[str, dict[str, Any]]] = [
        ("gemini_cli.api_request", {"model": "gemini-x", "request_text": "[]"}),
        ("gen_ai.client.inference.operation.details", details),
        ("gemini_cli.api_response", GEMINI_RESPONSE),
        ("gen_ai.client.inference.operation.details", details),
    ]
    (event,) = events([logs("gemini-cli", *records), spans("gemini-cli", "gemini-cli", ("llm_call", GEMINI))])
    assert (event.response_id, event.input_tokens, event.span_id) == ("r", 5993, SPAN)


def test_the_execution_of_gemini_cli_is_known_by_its_trace_and_arguments() -> None:
    call = {"gen_ai.operation.name": "tool_call", "gen_ai.tool.name": "ls", "gen_ai.tool.call_id": "c1"}
    around = {"gen_ai.operation.name": "schedule_tool_calls", "gen_ai.output.messages": "[]"}
    log = {
        "function_name": "ls",
        "function_args": '{\n "b": 1,\n "a": 2\n}',
        "success": True,
        "decision": "auto_accept",
    }
    span = ("tool_call", {**call, "gen_ai.input.messages": '{"args":{"a":2,"b":1}}'})
    others = (("schedule_tool_calls", around), ("user_prompt", {"gen_ai.operation.name": "user_prompt"}))
    told = [
        logs("gemini-cli", ("gemini_cli.tool_call", log), traceId=TRACE, spanId=SPAN),
        spans("gemini-cli", "gemini-cli", span, *others),
    ]
    (event,) = events(told)
    assert (event.kind, event.tool_call_id, event.tool_decision) == ("tool", "c1", "accept")


@pytest.mark.parametrize("turned", [False, True])
def test_log_records_that_qwen_code_sends_as_spans_are_log_records(turned: bool) -> None:
    usage = {"input_token_count": 900, "output_token_count": 12, "response_id": "r"}
    call = {
        "gen_ai.request.model": "qwen-x",
        "gen_ai.usage.input_tokens": 900,
        "gen_ai.usage.output_tokens": 12,
    }
    told = [
        spans(
            "qwen-code",
            "qwen-code",
            ("API response from qwen-x.", {"event.name": "qwen-code.api_response", **usage}),
        ),
        spans("qwen-code", "qwen-code", ("API request to qwen-x.", {"event.name": "qwen-code.api_request"})),
        spans("qwen-code", "qwen-code", ("qwen-code.interaction", {}), ("qwen-code.llm_request", call)),
    ]
    (event,) = events(reversed(told) if turned else told)
    assert (event.kind, event.model, event.input_tokens, event.response_id) == ("llm", "qwen-x", 900, "r")


def test_a_compaction_starts_the_history_anew() -> None:
    (event,) = events(claude(("compaction", {"trigger": "auto", "success": "true"})))
    assert event.compacted
    (event,) = events(claude(("compaction", {"trigger": "auto", "success": "false"})))
    assert not event.compacted and event.status == "error"


@pytest.mark.parametrize(
    "place",
    [{"eventName": "claude_code.user_prompt"}, {"body": {"stringValue": "claude_code.user_prompt"}}, {}],
)
def test_the_name_stands_in_any_of_three_places(place: dict[str, Any]) -> None:
    document = logs("claude-code" if not place else "other", ("user_prompt", {"prompt": "hi"}))
    record = document["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    record.pop("body")
    record.update(place)
    (event,) = events([document])
    assert (event.operation, event.input[0].text) == ("user_prompt", "hi")


@pytest.mark.parametrize("odd", [None, 7, "x", [], {}, [[]], {"a": None}, True, "{", '[{"candidates":[7]}]'])
@pytest.mark.parametrize(
    "name", ["api_response", "api_request", "tool_call", "tool_result", "user_prompt", "compaction"]
)
def test_odd_values_become_no_exception(name: str, odd: Any) -> None:
    keys = (
        "model",
        "input_tokens",
        "response_text",
        "function_args",
        "duration_ms",
        "prompt",
        "success",
        "decision",
    )
    for agent in ("claude_code", "codex", "gemini_cli"):
        document = {"event.name": f"{agent}.{name}", **dict.fromkeys(keys, odd)}
        assert len(Recogniser().look(json.dumps(document).encode()).items) <= 1


@pytest.mark.data
@pytest.mark.skipif(not recordings.DATA.exists(), reason="the shared recordings are not here")
@pytest.mark.parametrize("form", ["json", "protobuf"])
def test_gemini_cli_is_told_wholly(form: str) -> None:
    score = recordings.score("gemini-cli", form)
    assert (score.calls.found, score.calls.extra, score.tools.found, score.tools.extra) == (4, 0, 1, 0)
    assert score.share == 1.0, score.wrong
