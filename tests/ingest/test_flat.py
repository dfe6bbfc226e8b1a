"""A span or log record alone, as exporters, shippers and tables write it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from parts.assembled import events

from ingest.flat import Flat
from ingest.flat_shapes import nanoseconds, single
from ingest.recognise import Recogniser
from tocsin.model import Event

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 5}
NESTED = {"operation": {"name": "chat"}, "request": {"model": "m"}, "usage": {"input_tokens": 5}}
TEXTS = {key: str(value) for key, value in CALL.items()}
IDS = {"trace_id": TRACE, "span_id": SPAN}


def read(document: dict[str, Any]) -> list[Event]:
    return [item for item in Flat().safely(document).items if isinstance(item, Event)]


@pytest.mark.parametrize(
    "document",
    [
        {**IDS, "attributes": CALL},
        {**IDS, "attributes": [{"key": key, "value": {"stringValue": text}} for key, text in TEXTS.items()]},
        {**IDS, "attributes": [{"key": key, "value": value} for key, value in CALL.items()]},
        {**IDS, "attributes": {"gen_ai": NESTED}},
        {**IDS, "gen_ai": NESTED},
        {**IDS, **CALL},
        {**IDS, "tags": [{"key": key, "type": "string", "value": value} for key, value in CALL.items()]},
        {**IDS, "labels": {key.replace(".", "_"): value for key, value in CALL.items()}},
        {"TraceId": TRACE, "SpanId": SPAN, "SpanAttributes": TEXTS},
        {"context": {"trace_id": f"0x{TRACE}", "span_id": f"0x{SPAN}"}, "attributes": CALL},
        {"trace.trace_id": TRACE, "trace.span_id": SPAN, **CALL},
        {"trace": {"id": TRACE}, "span": {"id": SPAN, "name": "chat"}, "attributes": CALL},
    ],
)  # fmt: skip
def test_attributes_and_ids_are_found_wherever_they_stand(document: dict[str, Any]) -> None:
    assert Flat.fits(document)
    (event,) = read(document)
    assert (event.kind, event.operation, event.model, event.input_tokens) == ("llm", "chat", "m", 5)
    assert (event.trace_id, event.span_id, event.source_format) == (TRACE, SPAN, "span")


@pytest.mark.parametrize(
    ("times", "begun", "length"),
    [
        ({"start_time": "2026-11-23T06:52:15Z", "end_time": "2026-11-23T06:52:15.250Z"}, 1795416735.0, 250.0),
        (
            {"startTimeUnixNano": "1795416735000000000", "endTimeUnixNano": 1795416735250000000},
            1795416735.0,
            250.0,
        ),
        ({"startTime": [1795416735, 0], "duration": [0, 250000000]}, 1795416735.0, 250.0),
        ({"timestamp": 1795416735000000, "duration": 250000, "id": "x"}, 1795416735.0, 250.0),
        ({"startTime": 1795416735000000, "duration": 250000, "operationName": "o"}, 1795416735.0, 250.0),
        ({"startTime": "2026-11-23T06:52:15Z", "duration": "0.250s"}, 1795416735.0, 250.0),
        ({"@timestamp": "2026-11-23T06:52:15Z", "span": {"duration": {"us": 250000}}}, 1795416735.0, 250.0),
        ({"@timestamp": "2026-11-23T06:52:15Z", "duration": 250000000}, 1795416735.0, 250.0),
        ({"timestamp": 1795416735.0, "duration_ms": "250"}, 1795416735.0, 250.0),
        ({"Timestamp": "2026-11-23 06:52:15.000000000", "Duration": "250000000"}, 1795416735.0, 250.0),
        ({"start_ns": 1795416735000000000, "duration": 250000000}, 1795416735.0, 250.0),
        ({"timestamp": 1795416735}, 1795416735.0, None),
        ({}, 0.0, None),
    ],
)
def test_times_are_read_in_any_unit(times: dict[str, Any], begun: float, length: float | None) -> None:
    (event,) = read({**times, "attributes": CALL})
    assert (event.time, event.duration_ms) == (begun, length)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ({"status": {"code": 2, "message": "boom"}}, "boom"),
        ({"status": {"status_code": "ERROR", "description": "boom"}}, "boom"),
        ({"StatusCode": "Error", "StatusMessage": "boom"}, "boom"),
        ({"event": {"outcome": "failure"}}, ""),
        ({"status": "error"}, ""),
        ({"tags": [{"key": "error", "type": "bool", "value": True}]}, ""),
        ({"tags": {"otel.status_code": "ERROR", "otel.status_description": "boom"}}, "boom"),
    ],
)
def test_a_failure_is_one_in_any_word(status: dict[str, Any], message: str) -> None:
    (event,) = read({**CALL, **status})
    assert (event.status, event.error_message) == ("error", message)


@pytest.mark.parametrize(
    "resource",
    [
        {"resource": {"attributes": {"service.name": "shop"}}},
        {"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}},
        {"resource": {"service.name": "shop"}},
        {"resource": {"service": {"name": "shop"}}},
        {"resources": {"service.name": "shop"}},
        {"ResourceAttributes": {"service.name": "shop"}},
        {"process": {"serviceName": "shop"}},
        {"localEndpoint": {"serviceName": "shop"}},
        {"ServiceName": "shop"},
        {"service": {"name": "shop"}},
        {"service.name": "shop"},
        {"service": "shop"},
    ],
)
def test_the_service_is_known(resource: dict[str, Any]) -> None:
    (event,) = read({**CALL, **resource})
    assert event.service == "shop"


def test_a_log_record_meets_its_span() -> None:
    details = {"event.name": "gen_ai.client.inference.operation.details", "gen_ai.operation.name": "chat"}
    said = [{"role": "user", "parts": [{"type": "text", "content": "hello"}]}]
    scope = {"name": "opentelemetry.instrumentation.openai_v2"}
    span = {**IDS, "start_time": 1795416735, "end_time": 1795416736, "scope": scope, "attributes": CALL}
    log = {**IDS, "timestamp": 1795416735, "body": {"gen_ai.input.messages": said}, "attributes": details}
    for told in ([span, log], [log, span]):
        (event,) = events(told)
        assert (event.input_tokens, event.input[0].text, event.duration_ms) == (5, "hello", 1000.0)


def test_one_message_of_a_call_is_no_call() -> None:
    for name in ("gen_ai.system.message", "gen_ai.user.message", "gen_ai.assistant.message"):
        found = Flat().read(
            {**IDS, "event_name": name, "body": {"content": "x"}, "attributes": {"gen_ai.system": "o"}}
        )
        assert (list(found.items), found.ignored) == ([], 1)


@pytest.mark.parametrize(
    "document",
    [
        {**IDS, "name": "GET /", "attributes": {"http.request.method": "GET"}},
        {**IDS, "body": "a line", "attributes": {"k": "v"}},
        {"traceID": TRACE, "spanID": SPAN, "operationName": "SELECT", "tags": [{"key": "db", "value": "x"}]},
    ],
)
def test_spans_and_lines_of_others_are_known_and_ignored(document: dict[str, Any]) -> None:
    found = Recogniser().look(json.dumps(document).encode())
    assert (found.parsers, list(found.items), found.ignored) == (("span",), [], 1)


@pytest.mark.parametrize(
    "document",
    [
        {"message": "hello", "host": "h"},
        {
            "@timestamp": "x",
            "log": {"level": "info"},
            "trace": {"id": TRACE},
            "span": {"id": SPAN},
            "labels": {"a": "b"},
        },
        {"attributes": {"a": 1}},
        {"prompt": "hello", "llm": {"name": "m"}, "llm.name": "m"},
        {"resourceSpans": [], "gen_ai.system": "x"},
        {"gen_ai.request.model": "m", "response_code": 200, "x-envoy-origin-path": "/"},
        {"event.name": "claude_code.api_request", "gen_ai.request.model": "m"},
    ],
)
def test_other_documents_are_not_taken(document: dict[str, Any]) -> None:
    assert not Flat.fits(document)


@pytest.mark.parametrize(
    "odd", [None, 7, -1, 1e400, "x", "", [], {}, [[]], [None], {"a": {"b": None}}, True, "9" * 400]
)
def test_odd_members_become_no_exception(odd: Any) -> None:
    keys = ("traceId", "spanId", "name", "startTime", "endTime", "duration", "status", "events", "logs",
            "resource", "scope", "tags", "references", "kind", "body", "links", "process", "labels",
            "id")  # fmt: skip
    for key in keys:
        assert len(Flat().safely({**CALL, key: odd}).items) <= 1
    assert len(Flat().safely({**CALL, **dict.fromkeys(keys, odd)}).items) <= 1
    assert len(Flat().safely(dict.fromkeys((*keys, *CALL), odd)).items) <= 1


def test_nesting_is_followed_so_far() -> None:
    deep: dict[str, Any] = {"x": 1}
    for _ in range(200):
        deep = {"d": deep}
    found = single({"attributes": {**CALL, "gen_ai": deep}}, 16).span.attributes
    assert max(key.count(".") for key in found) <= 20


@pytest.mark.parametrize("value", ["nonsense", -5, [1], [1, "x"], [1 << 50, 0], {}, None, True, float("nan")])
def test_what_is_no_time_is_none(value: Any) -> None:
    assert nanoseconds(value) == 0
