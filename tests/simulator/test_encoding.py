"""Simulated events as bytes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ingest.otlp import OtlpDecoder
from tocsin.model import Event
from tocsin.simulator import Incident, OtlpBatches, Simulator, native
from tocsin.simulator.__main__ import main

SAME = (
    *(
        "kind",
        "operation",
        "status",
        "service",
        "agent",
        "agent_id",
        "session",
        "user",
        "api_key",
        "client_ip",
    ),
    *("user_agent", "provider", "model", "response_model", "response_id", "input_tokens", "output_tokens"),
    *("cache_read_tokens", "reasoning_tokens", "cost_usd", "finish_reason", "error_type", "http_status"),
    *("tool_name", "tool_call_id", "tool_arguments", "tool_result", "output", "documents", "compacted"),
    *("evaluation_name", "evaluation_score", "evaluation_label"),
)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return list(Simulator(duration_seconds=900.0, rate=4.0).events())


def spans(batches: list[bytes]) -> list[dict[str, Any]]:
    return [
        span
        for batch in batches
        for resource in json.loads(batch)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def test_native_lines_are_events_again(events: list[Event]) -> None:
    lines = [native(event) for event in events]
    assert [msgspec.json.decode(line, type=Event) for line in lines] == events
    assert all(line.startswith(b'{"tocsin":1,') and b"\n" not in line for line in lines)


def test_every_event_is_in_one_batch_of_its_service(events: list[Event]) -> None:
    batches = list(OtlpBatches(spans=20).of(events))
    assert len(batches) < len(events) / 3
    assert sorted(span["spanId"] for span in spans(batches)) == sorted(event.span_id for event in events)
    service = {event.span_id: event.service for event in events}
    for batch in map(json.loads, batches):
        (resource,) = batch["resourceSpans"]
        attributes = {each["key"]: each["value"] for each in resource["resource"]["attributes"]}
        found = [span["spanId"] for span in resource["scopeSpans"][0]["spans"]]
        assert {service[span] for span in found} == {attributes["service.name"]["stringValue"]}
        assert 1 <= len(found) <= 20


def test_no_batch_waits_longer_than_it_may(events: list[Event]) -> None:
    times = {event.span_id: event.time for event in events}
    for batch in OtlpBatches(spans=1000, seconds=5.0).of(events):
        found = [times[span["spanId"]] for span in spans([batch])]
        assert max(found) - min(found) <= 5.0


def test_spans_speak_the_conventions(events: list[Event]) -> None:
    call = next(
        event for event in events if event.kind == "llm" and event.output and event.output[0].tool_calls
    )
    (span,) = spans(list(OtlpBatches().of([call])))
    attributes = {each["key"]: each["value"] for each in span["attributes"]}
    assert span["name"] == f"chat {call.model}"
    assert attributes["gen_ai.usage.input_tokens"] == {"intValue": str(call.input_tokens)}
    assert attributes["gen_ai.response.finish_reasons"] == {
        "arrayValue": {"values": [{"stringValue": "tool_call"}]}
    }
    assert attributes["gen_ai.conversation.id"] == {"stringValue": call.session}
    (said,) = json.loads(attributes["gen_ai.output.messages"]["stringValue"])
    assert said["parts"][0]["name"] == call.output[0].tool_calls[0].name
    assert int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]) == round(
        (call.duration_ms or 0) * 1e6
    )


def test_without_content_no_batch_carries_messages() -> None:
    simulator = Simulator(duration_seconds=300.0, content=False)
    whole = b"".join(OtlpBatches().of(simulator.events()))
    assert b"gen_ai.usage.input_tokens" in whole
    for word in (
        b"gen_ai.input.messages",
        b"gen_ai.output.messages",
        b"tool.call.arguments",
        b"tool.call.result",
    ):
        assert word not in whole


@pytest.mark.parametrize("form", ["native", "otlp"])
def test_the_command_writes_traffic_and_truth(tmp_path: Path, form: str) -> None:
    out, truth = tmp_path / "events.jsonl.gz", tmp_path / "truth.json"
    options = ["--minutes", "5", "--rate", "10", "--format", form, "--truth", str(truth), "-o", str(out)]
    assert main(options) == 0
    again = tmp_path / "again.jsonl"
    assert main([*options[:-1], str(again)]) == 0
    assert gzip.decompress(out.read_bytes()) == again.read_bytes()
    lines = again.read_bytes().splitlines()
    assert (len(spans(lines)) if form == "otlp" else len(lines)) > 1500
    incidents = msgspec.json.decode(truth.read_bytes(), type=list[Incident])
    assert incidents == list(Simulator(duration_seconds=300.0, rate=10.0).truth)


def test_a_start_can_be_told_with_or_without_zone(tmp_path: Path) -> None:
    first = []
    for number, start in enumerate(
        ["2026-11-04T08:00:00Z", "2026-11-04T08:00:00", "2026-11-04T10:00:00+02:00"]
    ):
        out = tmp_path / f"{number}.jsonl"
        assert main(["--minutes", "1", "--rate", "5", "--start", start, "-o", str(out)]) == 0
        first.append(out.read_bytes())
    assert first[0] == first[1] == first[2]


def test_our_own_decoder_reads_batches_as_the_events_they_were() -> None:
    sent = {event.span_id: event for event in Simulator(duration_seconds=1800.0, rate=4.0).events()}
    items = [item for batch in OtlpBatches().of(sent.values()) for item in OtlpDecoder().decode(batch).items]
    assert len(items) == len(sent)
    for item in items:
        assert isinstance(item, Event)
        event = sent[item.span_id]
        assert item.time == pytest.approx(event.time, abs=1e-6)
        assert item.duration_ms == pytest.approx(event.duration_ms, abs=1e-3)
        for name in SAME:
            assert getattr(item, name) == getattr(event, name), name
        assert [message.text for message in item.input] == [message.text for message in event.input]
