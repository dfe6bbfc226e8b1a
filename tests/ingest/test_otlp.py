"""OTLP in JSON: dialects, names new and old, halves, and what is no call."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parts import pace, recordings

from ingest import aliases, fields_page
from ingest.otlp import OtlpDecoder
from tocsin.model import Event, Reject, ToolCall
from tocsin.settings import LimitSettings

Json = dict[str, Any]

TRACE, SPAN, PARENT = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174", "0aa19b7ec3c1b174"
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-x",
    "gen_ai.usage.input_tokens": 812,
    "gen_ai.usage.output_tokens": 44,
    "gen_ai.response.finish_reasons": ["stop"],
}


def value(plain: Any) -> Json:
    if isinstance(plain, bool):
        return {"boolValue": plain}
    if isinstance(plain, int):
        return {"intValue": str(plain)}
    if isinstance(plain, float):
        return {"doubleValue": plain}
    if isinstance(plain, list):
        return {"arrayValue": {"values": [value(item) for item in plain]}}
    if isinstance(plain, dict):
        return {"kvlistValue": {"values": pairs(plain)}}
    return {} if plain is None else {"stringValue": plain}


def pairs(attributes: Json) -> list[Json]:
    return [{"key": key, "value": value(plain)} for key, plain in attributes.items()]


def span(attributes: Json, **changes: Any) -> Json:
    return {
        "traceId": TRACE,
        "spanId": SPAN,
        "parentSpanId": PARENT,
        "name": "chat gpt-x",
        "kind": 3,
        "startTimeUnixNano": "1763850000000000000",
        "endTimeUnixNano": "1763850001200000000",
        "attributes": pairs(attributes),
        "status": {},
        **changes,
    }


def traces(*spans: Json, scope: str = "x", resource: Json | None = None) -> Json:
    holder = {"attributes": pairs(resource or {"service.name": "helpdesk"})}
    return {
        "resourceSpans": [{"resource": holder, "scopeSpans": [{"scope": {"name": scope}, "spans": [*spans]}]}]
    }


def log(attributes: Json, body: Any = None, **changes: Any) -> Json:
    entry = {"observedTimeUnixNano": "1763850000000000000", "traceId": TRACE, "spanId": SPAN}
    return {**entry, "attributes": pairs(attributes), "body": value(body), **changes}


def logs(*entries: Json) -> Json:
    holder = {"attributes": pairs({"service.name": "helpdesk"})}
    return {"resourceLogs": [{"resource": holder, "scopeLogs": [{"scope": {}, "logRecords": [*entries]}]}]}


def decode(document: Json, limits: LimitSettings | None = None) -> list[Event | Reject]:
    return list(OtlpDecoder(limits).decode(json.dumps(document).encode()).items)


def one(document: Json) -> Event:
    (event,) = decode(document)
    assert isinstance(event, Event)
    return event


def test_a_chat_span_is_a_model_call() -> None:
    event = one(traces(span(CHAT)))
    assert event == Event(
        kind="llm",
        operation="chat",
        source_format="otlp",
        time=1763850000.0,
        duration_ms=1200.0,
        service="helpdesk",
        trace_id=TRACE,
        span_id=SPAN,
        parent_span_id=PARENT,
        provider="openai",
        model="gpt-x",
        input_tokens=812,
        output_tokens=44,
        finish_reason="stop",
        join=f"{TRACE}:{SPAN}",  # a log record may still tell of it
    )


def _snake(plain: Any) -> Any:
    if isinstance(plain, dict):
        return {
            "".join(f"_{c.lower()}" if c.isupper() else c for c in key): _snake(v) for key, v in plain.items()
        }
    return [_snake(item) for item in plain] if isinstance(plain, list) else plain


def _numbers(plain: Any) -> Any:
    """As JavaScript writes them."""
    if isinstance(plain, dict):
        return {k: int(v) if k.endswith("Nano") or k == "intValue" else _numbers(v) for k, v in plain.items()}
    return [_numbers(item) for item in plain] if isinstance(plain, list) else plain


@pytest.mark.parametrize(
    "written",
    [
        _snake(traces(span(CHAT))),
        _numbers(traces(span(CHAT))),
        traces(span(CHAT, traceId=TRACE.upper(), spanId=SPAN.upper())),
        traces(
            span(CHAT, traceId="W47/95gDgQPSabYzgT/GDA==", spanId="7uGbfsPBsXQ=", parentSpanId="CqGbfsPBsXQ=")
        ),
        traces(span(CHAT, kind="SPAN_KIND_CLIENT", status={"code": "STATUS_CODE_UNSET"})),
    ],
    ids=["snake case", "numbers", "upper case", "base64 ids", "enum names"],
)
def test_dialects_mean_the_same(written: Json) -> None:
    assert one(written) == one(traces(span(CHAT)))


def test_a_byte_order_mark_costs_only_time() -> None:
    plain = orjson.dumps(traces(span(CHAT)))
    assert OtlpDecoder().decode(b"\xef\xbb\xbf" + plain) == OtlpDecoder().decode(plain)


@pytest.mark.data
@pytest.mark.skipif(not recordings.DATA.exists(), reason="the shared recordings are not here")
@pytest.mark.parametrize("name", recordings.names("json"))
def test_reading_by_types_and_by_walking_give_the_same(name: str) -> None:
    decoder = OtlpDecoder()
    for record in recordings.records(recordings.one(name, "json")):
        typed, walked = decoder.decode(record), decoder.read(orjson.loads(record))
        assert (list(typed.items), typed.ignored) == (list(walked.items), walked.ignored)


@pytest.mark.parametrize(
    ("old", "field", "expected"),
    [
        ({"gen_ai.system": "az.ai.openai"}, "provider", "azure.ai.openai"),
        ({"gen_ai.system": "langchain"}, "provider", ""),
        ({"gen_ai.usage.prompt_tokens": 5}, "input_tokens", 5),
        ({"gen_ai.usage.completion_tokens": "6"}, "output_tokens", 6),
        ({"gen_ai.usage.cache_read_input_tokens": 2}, "cache_read_tokens", 2),
        ({"gen_ai.usage.cache_creation.input_tokens": 3}, "cache_write_tokens", 3),
        ({"gen_ai.usage.reasoning_tokens": 4}, "reasoning_tokens", 4),
        ({"session.id": "s"}, "session", "s"),
        ({"enduser.id": "u"}, "user", "u"),
        ({"gen_ai.response.finish_reason": "FinishReason.TOOL_CALLS"}, "finish_reason", "tool_call"),
        ({"gen_ai.response.finish_reasons": '["end_turn"]'}, "finish_reason", "stop"),
        ({"gen_ai.request.model": '"gpt-4o-mini"'}, "model", "gpt-4o-mini"),
        ({"gen_ai.response.time_to_first_chunk": 0.25}, "first_token_ms", 250.0),
        ({"gen_ai.server.time_to_first_token": 3934}, "first_token_ms", 3934.0),
        ({"gen_ai.usage.cost": 0.5}, "cost_source", "reported"),
        ({"gen_ai.request.stream": "True"}, "stream", True),
        ({"gen_ai.usage.raw": '{"prompt_tokens_details":{"cached_tokens":7}}'}, "cache_read_tokens", 7),
    ],
)
def test_other_names_are_known(old: Json, field: str, expected: object) -> None:
    assert getattr(one(traces(span({"gen_ai.operation.name": "chat", **old}))), field) == expected


def test_the_better_name_wins_in_any_order() -> None:
    names = {"gen_ai.usage.input_tokens": 1, "gen_ai.usage.prompt_tokens": 2, "llm.token_count.prompt": 3}
    for order in (names, dict(reversed(names.items()))):
        assert one(traces(span({"gen_ai.operation.name": "chat", **order}))).input_tokens == 1


def test_cached_tokens_are_included_where_they_surely_were_not() -> None:
    cached = {**CHAT, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.cache_read.input_tokens": 100}
    assert one(traces(span(cached))).input_tokens == 110
    assert one(traces(span({**cached, "gen_ai.usage.input_tokens": 120}))).input_tokens == 120


MESSAGES = [
    {"role": "user", "parts": [{"type": "text", "content": "Weather in Kyiv?"}]},
    {
        "role": "assistant",
        "parts": [{"type": "tool_call", "id": "c1", "name": "get_weather", "arguments": {"city": "Kyiv"}}],
    },
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": '{"t":3}'}]},
]


@pytest.mark.parametrize("form", [MESSAGES, json.dumps(MESSAGES), json.dumps(json.dumps(MESSAGES))])
def test_messages_are_structures_or_text(form: Any) -> None:
    event = one(
        traces(
            span(
                {
                    **CHAT,
                    "gen_ai.input.messages": form,
                    "gen_ai.system_instructions": '[{"type":"text","content":"Be brief."}]',
                }
            )
        )
    )
    assert [(m.role, m.text) for m in event.input] == [
        ("system", "Be brief."),
        ("user", "Weather in Kyiv?"),
        ("assistant", ""),
        ("tool", '{"t":3}'),
    ]
    assert event.input[2].tool_calls == (ToolCall("c1", "get_weather", '{"city":"Kyiv"}'),)
    assert event.input[3].tool_call_id == "c1"
    assert event.content_available


def test_text_that_was_cut_stays_text() -> None:
    event = one(traces(span({**CHAT, "gen_ai.input.messages": json.dumps(MESSAGES)[:40]})))
    assert event.input[0].text == json.dumps(MESSAGES)[:40]


def test_numbered_messages_are_read() -> None:
    event = one(
        traces(
            span(
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.prompt.0.role": "system",
                    "gen_ai.prompt.0.content": "Be brief.",
                    "gen_ai.prompt.1.role": "user",
                    "gen_ai.prompt.1.content": "Hi",
                    "gen_ai.completion.0.role": "assistant",
                    "gen_ai.completion.0.tool_calls.0.id": "c1",
                    "gen_ai.completion.0.tool_calls.0.name": "f",
                    "gen_ai.completion.0.tool_calls.0.arguments": "{}",
                    "gen_ai.completion.0.finish_reason": "tool_calls",
                }
            )
        )
    )
    assert [(m.role, m.text) for m in event.input] == [("system", "Be brief."), ("user", "Hi")]
    assert event.output[0].tool_calls == (ToolCall("c1", "f", "{}"),)
    assert event.finish_reason == "tool_call"


def test_a_tool_span_is_an_execution() -> None:
    event = one(
        traces(
            span(
                {
                    "gen_ai.operation.name": "execute_tool",
                    "gen_ai.tool.name": "mcp__files__read",
                    "gen_ai.tool.call.id": "c1",
                    "gen_ai.tool.call.arguments": '{"path":"/etc/hosts"}',
                    "gen_ai.tool.call.result": "127.0.0.1",
                    "error.type": "500",
                },
                status={"code": 2, "message": "denied"},
            )
        )
    )
    assert (event.kind, event.tool_server, event.tool_name, event.tool_call_id) == (
        "tool",
        "files",
        "read",
        "c1",
    )
    assert (event.tool_arguments, event.tool_result) == ('{"path":"/etc/hosts"}', "127.0.0.1")
    assert (event.status, event.error_type, event.http_status, event.error_message) == (
        "error",
        "500",
        500,
        "denied",
    )


def test_usage_on_an_agent_span_is_not_counted_again() -> None:
    event = one(traces(span({**CHAT, "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a"})))
    assert (event.kind, event.agent, event.input_tokens, event.cost_usd) == ("agent", "a", None, None)


def test_retrieval_and_evaluation_have_their_kinds() -> None:
    found = one(
        traces(
            span(
                {
                    "gen_ai.operation.name": "retrieval",
                    "gen_ai.retrieval.query.text": "lag",
                    "gen_ai.retrieval.documents": '[{"id":"d1","score":0.5,"content":"Lag is..."}]',
                }
            )
        )
    )
    assert (found.kind, found.input[0].text, found.documents[0].id) == ("retrieval", "lag", "d1")
    judged = one(
        logs(
            log(
                {"gen_ai.evaluation.name": "toxicity", "gen_ai.evaluation.score.value": -0.5},
                eventName="gen_ai.evaluation.result",
            )
        )
    )
    assert (judged.kind, judged.evaluation_name, judged.evaluation_score) == ("evaluation", "toxicity", -0.5)


@pytest.mark.parametrize(
    "attributes",
    [
        {"http.method": "POST"},
        {"gen_ai.request.model": "gpt-x", "http.route": "/chat"},  # baggage
        {"gen_ai.operation.name": "execute_task", "gen_ai.task.name": "ChatPromptTemplate"},
        {"traceloop.span.kind": "task"},
    ],
)
def test_what_is_no_call_is_ignored(attributes: Json) -> None:
    decoded = OtlpDecoder().decode(orjson.dumps(traces(span(attributes))))
    assert (list(decoded.items), decoded.ignored) == ([], 1)


def test_two_spans_of_one_call_are_one_event() -> None:
    inner = span({**CHAT, "gen_ai.response.id": "r1"}, spanId="1" * 16, parentSpanId=SPAN)
    outer = span({**CHAT, "gen_ai.response.id": "r1", "gen_ai.output.messages": json.dumps(MESSAGES[1:2])})
    for order in ((inner, outer), (outer, inner)):
        event = one(traces(*order))
        assert (event.span_id, event.response_id, len(event.output)) == (SPAN, "r1", 1)


def test_two_calls_with_the_same_words_are_two() -> None:
    first, second = span(CHAT), span(CHAT, spanId="1" * 16)
    assert len(decode(traces(first, second))) == 2


def test_messages_in_log_records_are_one_half_of_a_call() -> None:
    half = one(
        logs(
            log({"event.name": "gen_ai.system.message"}, {"content": "Be brief."}),
            log({}, '{"role":"user","content":"Hi"}', eventName="gen_ai.user.message"),
            log(
                {},
                {"index": 0, "finish_reason": "stop", "message": {"content": "Hello"}},
                eventName="gen_ai.choice",
            ),
        )
    )
    assert (half.half, half.join, half.kind) == ("log", f"{TRACE}:{SPAN}", "llm")
    assert [(m.role, m.text) for m in half.input] == [("system", "Be brief."), ("user", "Hi")]
    assert (half.output[0].text, half.finish_reason) == ("Hello", "stop")


def test_a_span_waits_for_its_content_only_where_its_producer_logs_it() -> None:
    scope = "opentelemetry.instrumentation.openai_v2"
    assert one(traces(span(CHAT), scope=scope)).half == "span"
    assert one(traces(span(CHAT), scope=scope)).join == f"{TRACE}:{SPAN}"
    assert one(traces(span(CHAT), scope="my.own")).half == ""
    said = {**CHAT, "gen_ai.output.messages": json.dumps(MESSAGES[1:2])}
    assert one(traces(span(said), scope=scope)).half == ""


def test_a_whole_operation_in_a_log_record_is_a_half() -> None:
    attributes = {**CHAT, "gen_ai.input.messages": MESSAGES}
    half = one(logs(log(attributes, eventName="gen_ai.client.inference.operation.details")))
    assert (half.half, half.input_tokens, len(half.input)) == ("log", 812, 3)
    alone = one(
        logs(log(attributes, eventName="gen_ai.client.inference.operation.details", spanId="", traceId=""))
    )
    assert (alone.half, alone.join) == ("", "")


def test_an_exception_in_a_span_event_tells_what_failed() -> None:
    happened = [
        {
            "name": "exception",
            "attributes": pairs({"exception.type": "RateLimitError", "exception.message": "slow down"}),
        }
    ]
    event = one(traces(span(CHAT, events=happened, status={"code": 2})))
    assert (event.status, event.error_type, event.error_message) == ("error", "RateLimitError", "slow down")


@pytest.mark.parametrize(
    ("reason", "status"), [("refusal", "refused"), ("content_filter", "blocked"), ("stop", "ok")]
)
def test_a_refusal_is_no_success(reason: str, status: str) -> None:
    assert one(traces(span({**CHAT, "gen_ai.response.finish_reasons": [reason]}))).status == status


@pytest.mark.parametrize("tokens", [-1, "-5", "x", 1e300, 2**70, True, [3], 1.5])
def test_an_impossible_count_is_nulled_and_named(tokens: Any) -> None:
    attributes = pairs({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"})
    attributes.append({"key": "gen_ai.usage.input_tokens", "value": {"intValue": tokens}})
    event = one(traces({**span({}), "attributes": attributes}))
    assert (event.input_tokens, event.invalid_fields, event.model) == (None, ("input_tokens",), "m")


def test_impossible_times_are_no_times() -> None:
    event = one(traces(span(CHAT, startTimeUnixNano="99999999999999999999", endTimeUnixNano="x")))
    assert (event.time, event.duration_ms) == (0.0, None)


def test_missing_ids_and_an_unnamed_service_are_left_empty() -> None:
    event = one(
        traces(span(CHAT, traceId="", spanId="0" * 16), resource={"service.name": "unknown_service:python"})
    )
    assert (event.trace_id, event.span_id, event.service) == ("", "", "")


def test_one_broken_span_costs_only_itself() -> None:
    deep: Json = {"stringValue": "x"}
    for _ in range(200):
        deep = {"arrayValue": {"values": [deep]}}
    attributes = [*pairs(CHAT), {"key": "gen_ai.input.messages", "value": deep}]
    broken = {**span({}), "attributes": attributes, "spanId": "1" * 16}
    items = decode(traces(broken, span(CHAT)))
    assert [getattr(item, "reason", "event") for item in items] == ["too_deep", "event"]


def test_spans_beyond_the_limit_are_not_read() -> None:
    spans = [span(CHAT, spanId=f"{number:016x}") for number in range(1, 10)]
    items = decode(traces(*spans), LimitSettings(events_per_record=4))
    assert [getattr(item, "reason", "event") for item in items] == ["event"] * 4 + ["too_many"]


def test_attributes_of_others_are_kept_within_limits() -> None:
    extra = {f"my.{number}": "z" * 1000 for number in range(100)}
    event = one(traces(span({**CHAT, **extra, "telemetry.sdk.name": "x"})))
    assert len(event.attributes) == 64
    assert {len(text) for text in event.attributes.values()} == {512}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "undecodable"),
        (b'{"resourceSpans":[', "undecodable"),
        (b'{"resourceSpans":' + b"[" * 100_000, "too_deep"),
        (b"[]", "unrecognised"),
        (b'{"spans":[]}', "unrecognised"),
    ],
)
def test_what_is_no_request_is_refused(data: bytes, reason: str) -> None:
    (reject,) = OtlpDecoder().decode(data).items
    assert isinstance(reject, Reject) and reject.reason == reason
    assert pace.seconds(lambda: OtlpDecoder().decode(data)) < 0.05


def test_a_megabyte_of_anything_takes_bounded_time() -> None:
    for filling in ('{"key":"a","value":{"stringValue":"x"}}', "{}", "null", "7", '"x"', "[]"):
        listed = ",".join([filling] * ((1 << 20) // (len(filling) + 1)))
        spans = f'[{{"name":"chat m","attributes":[{listed}]}}]'
        data = f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":{spans}}}]}}]}}'.encode()
        assert pace.seconds(partial(OtlpDecoder().decode, data)) < 0.5, filling


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 2**66) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
_KEYS = st.sampled_from([name for field in aliases.SPAN_FIELDS for name in field.names])
_VALUES = st.sampled_from(["stringValue", "intValue", "arrayValue", "kvlistValue"])
_PAIRS = st.lists(
    st.builds(lambda key, kind, plain: {"key": key, "value": {kind: plain}}, _KEYS, _VALUES, _JSON) | _JSON,
    max_size=8,
)
_OPERATIONS = st.sampled_from(sorted(aliases.OPERATIONS))


@given(_PAIRS, _OPERATIONS, st.dictionaries(st.sampled_from(sorted(span({}))), _JSON, max_size=3))
@settings(max_examples=400, deadline=None)
def test_any_span_is_an_event_or_a_reason(attributes: list[Any], word: str, changes: Json) -> None:
    named = [*pairs({"gen_ai.operation.name": word}), *attributes]
    document = traces({**span({}), "attributes": named, **changes})
    for item in OtlpDecoder().read(document).items:
        assert isinstance(item, Event | Reject)
        if isinstance(item, Event):
            assert item.input_tokens is None or 0 <= item.input_tokens < 2**53
            assert all(type(text) is str for text in item.attributes.values())


@given(_JSON, st.sampled_from(["resourceSpans", "resourceLogs"]))
@settings(max_examples=400, deadline=None)
def test_any_request_is_taken(inside: Any, root: str) -> None:
    for item in OtlpDecoder().read({root: inside}).items:
        assert isinstance(item, Event | Reject)


@given(_JSON, st.sampled_from([*aliases.MESSAGE_EVENTS, *aliases.DETAIL_EVENTS]))
@settings(max_examples=400, deadline=None)
def test_any_log_record_is_taken(body: Any, name: str) -> None:
    for item in decode_safely(logs({**log({}), "eventName": name, "body": {"kvlistValue": body}})):
        assert isinstance(item, Event | Reject)


def decode_safely(document: Json) -> list[Event | Reject]:
    return list(OtlpDecoder().read(document).items)


def test_the_page_of_fields_is_true() -> None:
    page = Path(__file__).parents[2] / "docs" / "fields.md"
    assert page.read_text() == fields_page.document()
