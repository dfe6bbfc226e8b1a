"""Simulated events as bytes: Tocsin's native JSON lines, and OTLP/JSON batches as a collector writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import orjson

from tocsin.model import Event, Message

Attribute = dict[str, Any]

_native = msgspec.json.Encoder()


def native(event: Event) -> bytes:
    """One line of native JSON, without the line's end."""
    return _native.encode(event)


class OtlpBatches:
    """Spans gathered by service as a collector's batch processor does: one batch is one Kafka record.

    A batch leaves when it holds `spans`, or when its oldest span is `seconds` of event time old.
    """

    def __init__(self, *, spans: int = 50, seconds: float = 2.0) -> None:
        self.spans, self.seconds = spans, seconds
        self._open: dict[tuple[str, str], list[Event]] = {}

    def of(self, events: Iterable[Event]) -> Iterator[bytes]:
        """The batches of these events, the last ones when the events end."""
        for event in events:
            yield from self._late(event.time)
            service = (event.service, event.service_version)
            batch = self._open.setdefault(service, [])
            batch.append(event)
            if len(batch) >= self.spans:
                yield _export(self._open.pop(service))
        for batch in self._open.values():
            yield _export(batch)
        self._open.clear()

    def _late(self, now: float) -> Iterator[bytes]:
        late = [service for service, batch in self._open.items() if now - batch[0].time > self.seconds]
        for service in late:
            yield _export(self._open.pop(service))


def _export(events: list[Event]) -> bytes:
    first = events[0]
    resource = {
        "service.name": first.service,
        "service.version": first.service_version,
        "deployment.environment.name": first.environment,
    }
    spans = [_span(event) for event in events]
    scope = {"scope": {"name": "tocsin.simulator"}, "spans": spans}
    batch = {"resource": {"attributes": _attributes(resource)}, "scopeSpans": [scope]}
    return orjson.dumps({"resourceSpans": [batch]})


def _span(event: Event) -> dict[str, Any]:
    start = round(event.time * 1e9)
    span: dict[str, Any] = {
        "traceId": event.trace_id,
        "spanId": event.span_id,
        "name": f"{event.operation} {event.tool_name or event.model}".rstrip(),
        "kind": 3 if event.kind == "llm" else 1,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + round((event.duration_ms or 0.0) * 1e6)),
        "attributes": _attributes(_described(event)),
        "status": {"code": 2, "message": event.error_type} if event.status == "error" else {},
    }
    return span


def _described(event: Event) -> Attribute:
    described: Attribute = {
        "gen_ai.operation.name": event.operation,
        "gen_ai.agent.name": event.agent,
        "gen_ai.agent.id": event.agent_id,
        "gen_ai.conversation.id": event.session,
        "user.id": event.user,
        "client.address": event.client_ip,
        "user_agent.original": event.user_agent,
        "metadata.user_api_key_hash": event.api_key,
        "error.type": event.error_type,
    }
    if event.kind == "llm":
        described |= _model_call(event)
    elif event.kind == "tool":
        described |= {
            "gen_ai.tool.name": event.tool_name,
            "gen_ai.tool.type": event.tool_type,
            "gen_ai.tool.call.id": event.tool_call_id,
            "gen_ai.tool.call.arguments": event.tool_arguments,
            "gen_ai.tool.call.result": event.tool_result,
        }
    elif event.kind == "retrieval":
        documents = [{"id": each.id, "score": each.score, "content": each.text} for each in event.documents]
        described["gen_ai.retrieval.documents"] = _text(documents)
    elif event.kind == "evaluation":
        described |= {
            "gen_ai.evaluation.name": event.evaluation_name,
            "gen_ai.evaluation.score.value": event.evaluation_score,
            "gen_ai.evaluation.score.label": event.evaluation_label,
        }
    return described


def _model_call(event: Event) -> Attribute:
    first = event.first_token_ms
    return {
        "gen_ai.provider.name": event.provider,
        "gen_ai.request.model": event.model,
        "gen_ai.request.stream": event.stream,
        "gen_ai.response.model": event.response_model,
        "gen_ai.response.id": event.response_id,
        "gen_ai.response.finish_reasons": [event.finish_reason] if event.finish_reason else None,
        "gen_ai.response.time_to_first_chunk": None if first is None else first / 1000.0,
        "gen_ai.usage.input_tokens": event.input_tokens,
        "gen_ai.usage.output_tokens": event.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": event.cache_read_tokens,
        "gen_ai.usage.reasoning.output_tokens": event.reasoning_tokens,
        "gen_ai.usage.cost": event.cost_usd,
        "gen_ai.input.messages": _messages(event.input),
        "gen_ai.output.messages": _messages(event.output),
        "http.response.status_code": event.http_status,
        "conversation.compacted": event.compacted or None,
    }


def _messages(messages: tuple[Message, ...]) -> str | None:
    return _text([_message(each) for each in messages]) if messages else None


def _message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        part = {"type": "tool_call_response", "id": message.tool_call_id, "response": message.text}
        return {"role": "tool", "parts": [part]}
    parts: list[dict[str, Any]] = [{"type": "text", "content": message.text}] if message.text else []
    for call in message.tool_calls:
        parts.append({"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments})
    role = "user" if message.role == "retrieved" else message.role
    return {"role": role, "parts": parts}


def _text(value: object) -> str:
    return orjson.dumps(value).decode()


def _attributes(values: Attribute) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": _value(value)}
        for key, value in values.items()
        if value is not None and value != ""
    ]


def _value(value: str | bool | int | float | list[str]) -> dict[str, Any]:
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"arrayValue": {"values": [{"stringValue": each} for each in value]}}
