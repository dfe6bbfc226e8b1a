"""Langfuse: observations and scores as its exports, tables and API give them, and its ingestion batches.

An observation comes whole, or as its creation and a later update: those are halves of one event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import force_setattr

from ingest.facts import Facts, Paths, between, child
from ingest.leaf import Json, Leaf
from ingest.messages import as_text, messages, structure
from ingest.offered import documents
from tocsin.model import Decoded, Event, Reject

_FIELDS: Paths = {
    "time": ("start_time", "startTime", "timestamp", "end_time", "endTime"),
    "trace_id": ("trace_id", "traceId"),
    "span_id": ("id",),
    "parent_span_id": ("parent_observation_id", "parentObservationId"),
    "session": ("session_id", "sessionId", "metadata.session_id", "metadata.sessionId"),
    "user": ("user_id", "userId", "metadata.user_id", "metadata.userId"),
    "environment": ("environment",),
    "application": ("project_id", "projectId"),
    "service_version": ("release", "version"),
}
_CALL: Paths = {
    "model": ("provided_model_name", "model", "model_name", "modelName", "internalModel"),
    "cost_usd": ("cost_details.total", "costDetails.total", "total_cost", "totalCost", "calculatedTotalCost",
                 "calculated_total_cost"),
    "stream": ("model_parameters.stream", "modelParameters.stream"),
}  # fmt: skip
_INPUT = ("input", "input_tokens", "prompt_tokens", "promptTokens", "inputTokens")
_READ = ("cache_read_input_tokens", "input_cache_read", "input_cached_tokens", "cache_read_tokens")
_WRITE = ("cache_creation_input_tokens", "input_cache_creation", "input_cache_write", "cache_write_tokens")
_USAGE: Mapping[str, tuple[str, ...]] = {
    "output_tokens": ("output", "output_tokens", "completion_tokens", "completionTokens", "outputTokens"),
    "cache_read_tokens": _READ,
    "cache_write_tokens": _WRITE,
    "reasoning_tokens": ("output_reasoning_tokens", "reasoning_tokens", "output_reasoning"),
}
_TRACE_KEYS = ("bookmarked", "htmlPath")  # only traces have them; their observations tell the same better
_BATCHED = ("-create", "-update")


class Langfuse(Leaf):
    """Generations, tools, retrievals, agents, guardrails and scores; spans and traces only surround them."""

    name = "langfuse"
    title = "Langfuse observations"
    evidence = "from documentation only"
    marks = frozenset(("traceId", "trace_id", "batch", *_TRACE_KEYS))

    @classmethod
    def fits(cls, document: Json) -> bool:
        batch = document.get("batch")
        if isinstance(batch, list) and batch:
            first = batch[0]
            return (
                isinstance(first, dict) and "body" in first and as_text(first.get("type")).endswith(_BATCHED)
            )
        if any(key in document for key in _TRACE_KEYS) and "timestamp" in document:
            return True
        if "trace_id" not in document and "traceId" not in document or "object" in document:
            return False
        if _is_score(document):
            return True
        return as_text(document.get("type")).upper() in _READERS and not document.keys().isdisjoint(
            ("start_time", "startTime")
        )

    def read(self, document: Any) -> Decoded:
        batch = document.get("batch")
        if not isinstance(batch, list):
            event = self._event(document, "")
            return Decoded((event,)) if event else Decoded((), 1)
        items: list[Event | Reject] = []
        ignored = 0
        traces = {body.get("id"): body for part in batch if (body := child(part, "body")) and _is_trace(part)}
        for part in batch:
            if len(items) >= self.limits.events_per_record:
                items.append(Reject(reason="too_many", detail=f"more than {len(items)} events in one record"))
                break
            kind, _, step = as_text(part.get("type")).partition("-")
            body = child(part, "body")
            who = {key: traces.get(body.get("traceId"), {}).get(key) for key in ("userId", "sessionId")}
            event = self._event({**who, "type": kind, "timestamp": part.get("timestamp"), **body}, step)
            items += [event] if event else []
            ignored += event is None
        return Decoded(items, ignored)

    def _event(self, row: Json, step: str) -> Event | None:
        """`step` says what of an observation's life a part of a batch is: create or update."""
        kind = "SCORE" if _is_score(row) else as_text(row.get("type")).upper()
        reader = _READERS.get(kind)
        if reader is None:
            return None
        row = {**row, "metadata": child(row, "metadata")}
        facts = Facts(self.limits, self.name)
        if step == "update":  # it tells how the observation ended
            facts.put("time", row.get("endTime"), row.get("end_time"))
        facts.take(row, _FIELDS)
        facts.fields.setdefault("application", "default")
        _times(facts, row)
        _outcome(facts, row)
        event = reader(facts, row)
        if step and kind not in ("SCORE", "EVENT"):
            over = row.get("endTime") or row.get("end_time")
            force_setattr(event, "join", f"langfuse:{event.trace_id}:{event.span_id}")
            force_setattr(event, "half", "response" if step == "update" else "" if over else "request")
        return event


def _is_trace(part: Json) -> bool:
    return as_text(part.get("type")).startswith("trace-")


def _is_score(row: Json) -> bool:
    if "data_type" not in row and "dataType" not in row and row.get("type") != "score":
        return False
    return "value" in row and "name" in row


def _times(facts: Facts, row: Json) -> None:
    start = row.get("start_time") or row.get("startTime")
    facts.put("duration_ms", between(start, row.get("end_time") or row.get("endTime")))
    first = row.get("completion_start_time") or row.get("completionStartTime")
    facts.put("first_token_ms", between(start, first))


def _outcome(facts: Facts, row: Json) -> None:
    message = row.get("status_message") or row.get("statusMessage")
    if as_text(row.get("level")).upper() == "ERROR":
        facts.failed("_OTHER", message)
    elif message:
        facts.note("langfuse.status_message", message)


def _generation(facts: Facts, row: Json) -> Event:
    facts.take(row, _CALL)
    facts.put("provider", row["metadata"].get("ls_provider"), row["metadata"].get("provider"))
    _usage(facts, child(row, "usage_details", "usageDetails", "usage"))
    given, taken = structure(row.get("input")), structure(row.get("output"))
    facts.inputs = messages(given, "user") if given not in (None, "") else []
    facts.outputs = messages(taken, "assistant") if taken not in (None, "") else []
    facts.offered(row.get("tool_definitions") or child(row, "input").get("tools"))
    facts.finished(row["metadata"].get("finish_reason") or child(row, "output").get("finish_reason"))
    return facts.model_call("embeddings" if as_text(row.get("type")).upper() == "EMBEDDING" else "chat")


def _usage(facts: Facts, usage: Json) -> None:
    """A map with keys of the producer's choice; cached tokens stand beside the input, not in it."""
    for name, keys in _USAGE.items():
        facts.put(name, *(usage.get(key) for key in keys))
    facts.put("input_tokens", *(usage.get(key) for key in _INPUT))
    if usage.get("unit") in (None, "TOKENS") and ("input" in usage or "cache_read_input_tokens" in usage):
        facts.include_cached()


def _tool(facts: Facts, row: Json) -> Event:
    facts.put("tool_name", row["metadata"].get("tool_name"), row.get("name"))
    facts.put("tool_call_id", row["metadata"].get("tool_call_id"))
    return facts.tool_call(row.get("input"), row.get("output"))


def _retrieval(facts: Facts, row: Json) -> Event:
    if row.get("input") not in (None, ""):
        facts.inputs = messages([{"role": "user", "content": as_text(row["input"])}], "user")
    facts.documents = documents(row.get("output"))
    return facts.retrieval()


def _agent(facts: Facts, row: Json) -> Event:
    facts.put("agent", row.get("name"))
    return facts.step("invoke_agent")


def _guardrail(facts: Facts, row: Json) -> Event:
    facts.put("guardrail_name", row.get("name"))
    facts.put("guardrail_status", child(row, "output").get("status"), row.get("level"))
    return facts.step("apply_guardrail", "evaluation")


def _score(facts: Facts, row: Json) -> Event:
    facts.put("evaluation_name", row.get("name"))
    facts.put("parent_span_id", row.get("observation_id"), row.get("observationId"))
    value = row.get("value")
    facts.put("evaluation_score", value if isinstance(value, int | float) else None)
    facts.put("evaluation_label", row.get("string_value"), row.get("stringValue"))
    if isinstance(value, str):
        facts.put("evaluation_label", value)
    facts.note("langfuse.source", row.get("source"))
    return facts.step("evaluation", "evaluation")


_READERS: Mapping[str, Callable[[Facts, Json], Event] | None] = {
    "GENERATION": _generation,
    "EMBEDDING": _generation,
    "TOOL": _tool,
    "RETRIEVER": _retrieval,
    "AGENT": _agent,
    "GUARDRAIL": _guardrail,
    "SCORE": _score,
    **dict.fromkeys(("SPAN", "EVENT", "CHAIN", "EVALUATOR")),
}
