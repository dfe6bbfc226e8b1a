"""The real OpenTelemetry SDK through the real collector: into Kafka, and into Tocsin's own receiver."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Tracer
from parts import shippers
from parts.kafka_server import KafkaServer, free_ports
from parts.kafka_topics import fresh
from parts.running import Tocsin

from tocsin.model import Event

CALLS = 300
TOKEN = "a-token-that-is-long-enough"
pytestmark = pytest.mark.timeout(180)


@contextmanager
def tracer(port: int) -> Iterator[Tracer]:
    """The SDK, exporting over HTTP to the collector; leaving the block sends what is left."""
    provider = TracerProvider(resource=Resource.create({"service.name": "shop", "service.version": "7"}))
    exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{port}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=50))
    try:
        yield provider.get_tracer("shop.calls")
    finally:
        provider.shutdown()


def call(tracer: Tracer, number: int) -> None:
    """One model call, and every third time the tool that it asked for."""
    asked = [{"role": "user", "parts": [{"type": "text", "content": f"Weather in {number}? «ü»"}]}]
    told = [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": f"Fine {number}"}],
            "finish_reason": "stop",
        }
    ]
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.id": f"r{number}",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": number,
        "gen_ai.usage.output_tokens": 0,
        "gen_ai.conversation.id": f"c{number % 5}",
        "gen_ai.input.messages": json.dumps(asked, ensure_ascii=False),
        "gen_ai.output.messages": json.dumps(told),
    }
    with tracer.start_as_current_span("chat gpt-4o-mini", kind=SpanKind.CLIENT, attributes=attributes):
        pass
    if number % 3 == 0:
        tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather"}
        tool |= {"gen_ai.tool.call.id": f"t{number}", "gen_ai.tool.call.result": f"{number} degrees"}
        with tracer.start_as_current_span("execute_tool weather", attributes=tool):
            pass


def check(events: list[Event]) -> None:
    """Every call and every execution, once, with what it said."""
    calls = {event.response_id: event for event in events if event.kind == "llm"}
    tools = {event.tool_call_id: event for event in events if event.kind == "tool"}
    assert len(events) == len(calls) + len(tools)
    assert set(calls) == {f"r{number}" for number in range(CALLS)}
    assert set(tools) == {f"t{number}" for number in range(0, CALLS, 3)}
    for number in range(CALLS):
        event = calls[f"r{number}"]
        assert (event.application, event.service_version, event.model) == ("shop", "7", "gpt-4o-mini")
        assert (event.input_tokens, event.output_tokens, event.session) == (number, 0, f"c{number % 5}")
        assert event.input[0].text == f"Weather in {number}? «ü»" and event.output[0].text == f"Fine {number}"
    assert tools["t3"].tool_result == "3 degrees"


EXPECTED = CALLS + CALLS // 3


@pytest.mark.parametrize("encoding", ["otlp_json", "otlp_proto"])
def test_spans_go_through_collector_and_kafka(encoding: str, kafka: KafkaServer, tmp_path: Path) -> None:
    topic, (grpc, http) = fresh("spans"), free_ports(2)
    kafka.create_topic(topic, 3)
    with shippers.collector(
        tmp_path / "collector", "kafka.yaml", KAFKA_BROKER=kafka.brokers, KAFKA_TOPIC=topic,
        KAFKA_ENCODING=encoding, OTLP_GRPC=f"127.0.0.1:{grpc}", OTLP_HTTP=f"127.0.0.1:{http}",
    ) as collector:  # fmt: skip
        shippers.await_port(http)
        source = f'type = "kafka"\nbrokers = ["{kafka.brokers}"]\ntopics = ["{topic}"]\nstart = "earliest"'
        with Tocsin(tmp_path, source) as tocsin:
            with tracer(http) as traced:
                for number in range(CALLS):
                    call(traced, number)
            tocsin.await_events(EXPECTED)
        assert collector.running(), collector.log()
    assert not tocsin.rejects()
    check(tocsin.events())


@pytest.mark.parametrize("encoding", ["json", "proto"])
def test_a_receiver_that_is_down_for_a_while_misses_nothing(encoding: str, tmp_path: Path) -> None:
    grpc, http, own = free_ports(3)
    source = (
        f'type = "http"\nlisten = "127.0.0.1:{own}"\ndirectory = "{tmp_path}/journal"\n'
        f'[source.tokens]\nacme = "{TOKEN}"'
    )
    with shippers.collector(
        tmp_path / "collector", "otlphttp.yaml", TOCSIN_URL=f"http://127.0.0.1:{own}", TOCSIN_TOKEN=TOKEN,
        TOCSIN_ENCODING=encoding, OTLP_GRPC=f"127.0.0.1:{grpc}", OTLP_HTTP=f"127.0.0.1:{http}",
    ) as collector:  # fmt: skip
        shippers.await_port(http)
        with tracer(http) as traced:
            with Tocsin(tmp_path, source, exchange=False) as first:
                for number in range(CALLS // 3):
                    call(traced, number)
                first.await_events(CALLS // 6)
            for number in range(CALLS // 3, 2 * CALLS // 3):  # nobody is there
                call(traced, number)
            time.sleep(2)
            with Tocsin(tmp_path, source, exchange=False, tables=first.tables) as second:
                for number in range(2 * CALLS // 3, CALLS):
                    call(traced, number)
                second.await_events(EXPECTED)
        assert collector.running(), collector.log()
    assert not second.rejects() and second.tables.doubled == 0
    events = second.events()
    assert {event.tenant for event in events} == {"acme"}
    check(events)
