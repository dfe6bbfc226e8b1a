"""What all programs share: the SDK exporting over HTTP to $OTLP, and the tool that models ask for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from opentelemetry import _logs, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

PROVIDER = os.environ["PROVIDER"]
MODEL = "gpt-4o-mini"
PLAIN, STREAMED, ASKING, FAILING = "say hello", "say it slowly", "weather in Porto?", "please fail"
RESULT = "17 C with light rain"
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@contextmanager
def telemetry() -> Iterator[tuple[TracerProvider, LoggerProvider]]:
    """Providers of traces and logs; leaving the block sends what is left."""
    resource = Resource.create({"service.name": os.environ["SERVICE"]})
    traces, logs = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    endpoint = os.environ["OTLP"]
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")))
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=f"{endpoint}/v1/logs")))
    trace.set_tracer_provider(traces)
    _logs.set_logger_provider(logs)
    try:
        yield traces, logs
    finally:
        traces.shutdown()
        logs.shutdown()


def get_weather(city: str) -> str:
    """The weather in a city."""
    return RESULT if city == "Porto" else "unknown"


def openai_calls() -> None:
    """A plain, a streamed and a refused call, and one with a tool whose execution has no span of its own."""
    import openai

    client = openai.OpenAI(base_url=f"{PROVIDER}/v1", api_key="sk-unused", max_retries=0)
    chat: Any = client.chat.completions
    chat.create(model=MODEL, messages=[{"role": "user", "content": PLAIN}])
    options = {"stream": True, "stream_options": {"include_usage": True}}
    for _ in chat.create(model=MODEL, messages=[{"role": "user", "content": STREAMED}], **options):
        pass
    with suppress(openai.BadRequestError):
        chat.create(model=MODEL, messages=[{"role": "user", "content": FAILING}])
    messages: list[Any] = [{"role": "user", "content": ASKING}]
    message = chat.create(model=MODEL, messages=messages, tools=[TOOL]).choices[0].message
    messages.append(message.model_dump(exclude_none=True))
    for call in message.tool_calls:
        result = get_weather(**json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    chat.create(model=MODEL, messages=messages, tools=[TOOL])


def anthropic_calls() -> None:
    """The same towards Anthropic's API."""
    import anthropic

    client = anthropic.Anthropic(base_url=PROVIDER, api_key="sk-unused", max_retries=0)
    create: Any = client.messages.create
    common = {"model": "claude-sonnet-4-5", "max_tokens": 100}
    create(**common, messages=[{"role": "user", "content": PLAIN}])
    for _ in create(**common, messages=[{"role": "user", "content": STREAMED}], stream=True):
        pass
    with suppress(anthropic.BadRequestError):
        create(**common, messages=[{"role": "user", "content": FAILING}])
    function = TOOL["function"]
    tools = [{**function, "input_schema": function["parameters"]}]
    del tools[0]["parameters"]
    messages: list[Any] = [{"role": "user", "content": ASKING}]
    answer = create(**common, messages=messages, tools=tools)
    messages.append({"role": "assistant", "content": [block.model_dump() for block in answer.content]})
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": get_weather(**block.input)}
        for block in answer.content
        if block.type == "tool_use"
    ]
    messages.append({"role": "user", "content": results})
    create(**common, messages=messages, tools=tools)
