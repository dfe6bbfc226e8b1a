"""Real SDKs under real instrumentations, real frameworks, a real gateway; the stand-in knows the truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from parts import producers
from parts.kafka_server import KafkaServer, free_ports
from parts.kafka_topics import fresh
from parts.provider import ARGUMENTS, REFUSED, Provider, Said
from parts.running import Tocsin, directly

from tocsin.model import Event

RESULT = "17 C with light rain"
pytestmark = pytest.mark.timeout(180)


class Producer(NamedTuple):
    """A program, and what its telemetry leaves out by design."""

    program: str
    ids: bool = True  # response ids
    finish: bool = True
    failed_prompt: bool = True  # what was asked in a call that failed


PRODUCERS = (
    Producer("openai_traceloop"),
    Producer("openai_openinference"),
    Producer("openai_official"),
    Producer("anthropic_traceloop"),
    Producer("anthropic_openinference"),
    Producer("pydantic_ai_agent", failed_prompt=False),
    Producer("strands_agent", ids=False),
    Producer("openai_agents_openinference", ids=False, finish=False),
)


@pytest.mark.parametrize("producer", PRODUCERS, ids=lambda producer: producer.program)
def test_every_call_and_every_execution_is_told_once(producer: Producer, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    source = f'type = "http"\nlisten = "127.0.0.1:{port}"\ndirectory = "{tmp_path}/journal"'
    with Provider() as provider, Tocsin(tmp_path, source, exchange=False) as tocsin:
        producers.run(producer.program, PROVIDER=provider.url, OTLP=f"http://127.0.0.1:{port}")
        tocsin.await_that(lambda events: told(events, provider.said))
    events = [event for event in tocsin.events() if not event.duplicate]
    assert not tocsin.rejects()
    check_calls(events, provider.said, producer)
    check_tool([event for event in events if event.kind == "tool"])
    assert {event.application for event in events} == {producer.program}


def told(events: Sequence[Event], said: Sequence[Said]) -> bool:
    """Whether as much was told as was said, and the one execution of a tool."""
    return len(calls_of(events)) >= len(said) and any(event.kind == "tool" for event in events)


def calls_of(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if event.kind == "llm"]


def check_calls(events: Sequence[Event], said: Sequence[Said], producer: Producer) -> None:
    calls = calls_of(events)
    assert len(calls) == len(said)
    answered = {(event.input_tokens, event.output_tokens): event for event in calls if event.status == "ok"}
    for one in said:
        if one.failed:
            continue
        event = answered.pop((one.input_tokens, one.output_tokens))
        assert event.model == one.model and one.prompt in [message.text for message in event.input]
        if producer.ids:
            assert (event.response_id, event.response_model) == (one.id, f"{one.model}-2026")
        if producer.finish:
            assert event.finish_reason == ("tool_call" if one.tool else "stop")
        calls_made = [call for message in event.output for call in message.tool_calls]
        asked = [(call.name, json.loads(call.arguments)) for call in calls_made]
        assert asked == ([(one.tool, ARGUMENTS)] if one.tool else [])
        assert one.text in "".join(message.text for message in event.output)
    assert not answered
    failed = [event for event in calls if event.status == "error"]
    assert len(failed) == sum(one.failed for one in said)
    assert all(REFUSED in event.error_message for event in failed)
    if producer.failed_prompt:
        assert all("fail" in event.input[-1].text for event in failed)


def check_tool(tools: Sequence[Event]) -> None:
    """One execution: with a span of its own, or told by the messages of the calls around it."""
    (tool,) = tools
    assert (tool.tool_name, tool.status) == ("get_weather", "ok")
    assert json.loads(tool.tool_arguments or "") == ARGUMENTS
    assert tool.tool_result == RESULT


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_mcp_is_read_from_spans_and_from_its_lines(mode: str, tmp_path: Path) -> None:
    (port,), lines = free_ports(1), tmp_path / "lines.jsonl"
    source = f'type = "http"\nlisten = "127.0.0.1:{port}"\ndirectory = "{tmp_path}/journal"'
    with Tocsin(tmp_path, source, exchange=False) as tocsin:
        endpoint = f"http://127.0.0.1:{port}"
        producers.run("mcp_client", PROVIDER=endpoint, OTLP=endpoint, LINES=str(lines), MODE=mode)
        tocsin.await_that(lambda events: len([event for event in events if event.kind == "tool"]) >= 2)
    spans = [event for event in tocsin.events() if event.kind == "tool" and not event.duplicate]
    assert sorted(event.tool_name for event in spans) == ["get_weather", "no_such_tool"]
    events = directly(lines, tmp_path)
    executed = {event.tool_name: event for event in events if event.operation == "execute_tool"}
    check_tool([executed.pop("get_weather")])
    (unknown,) = executed.values()
    assert (unknown.tool_name, unknown.status, unknown.error_type) == ("no_such_tool", "error", "tool_error")
    (offered,) = [event for event in events if event.tool_definitions]
    assert [(tool.name, bool(tool.digest)) for tool in offered.tool_definitions] == [("get_weather", True)]


def test_litellm_ships_its_payloads_to_kafka(kafka: KafkaServer, tmp_path: Path) -> None:
    topic = fresh("litellm")
    kafka.create_topic(topic, 2)
    source = f'type = "kafka"\nbrokers = ["{kafka.brokers}"]\ntopics = ["{topic}"]\nstart = "earliest"'
    with Provider() as provider, Tocsin(tmp_path, source) as tocsin:
        producers.run(
            "litellm_kafka", PROVIDER=provider.url, OTLP="unused", CALLBACK=str(producers.CALLBACK),
            KAFKA_BROKER=kafka.brokers, KAFKA_TOPIC=topic,
        )  # fmt: skip
        tocsin.await_that(lambda events: len(calls_of(events)) >= len(provider.said))
    assert not tocsin.rejects()
    events = [event for event in tocsin.events() if not event.duplicate]
    check_calls(events, provider.said, Producer("litellm_kafka"))
    assert {event.source_format for event in events} == {"litellm"}
    assert [event.session for event in events if event.user == "ada"] == ["s1"]
