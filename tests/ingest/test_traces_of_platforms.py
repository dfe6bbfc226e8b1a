"""Runs and observations of tracing platforms: whole, or as their beginning and their end."""

from __future__ import annotations

from typing import Any

import pytest
from parts.assembled import events

from ingest.langfuse import Langfuse
from ingest.langsmith import LangSmith
from ingest.openai_agents import OpenAIAgents
from tocsin.model import Event, Reject
from tocsin.settings import LimitSettings

START, END = "2026-11-23T06:52:15.000Z", "2026-11-23T06:52:16.500Z"
ASKED = [{"role": "user", "content": "hi"}]


def part(kind: str, **body: Any) -> dict[str, Any]:
    return {"id": "e", "type": kind, "timestamp": START, "body": {"id": "ob", "traceId": "tr", **body}}


@pytest.mark.parametrize("together", [False, True])
def test_creation_and_update_of_an_observation_are_one_call(together: bool) -> None:
    create = part("generation-create", startTime=START, model="m", input=ASKED)
    update = part("generation-update", endTime=END, output="hello", usage={"input": 5, "output": 1})
    batches = [[create, update]] if together else [[create], [update]]
    (event,) = events([{"batch": batch} for batch in batches])
    assert (event.model, event.input_tokens, event.duration_ms) == ("m", 5, 1500.0)
    assert (event.input[0].text, event.output[0].text) == ("hi", "hello")


def test_an_observation_that_is_created_whole_waits_for_nothing() -> None:
    (event,) = events([{"batch": [part("generation-create", startTime=START, endTime=END, model="m")]}])
    assert event.duration_ms == 1500.0


@pytest.mark.parametrize("together", [False, True])
def test_post_and_patch_of_a_run_are_one_call(together: bool) -> None:
    run = {"id": "r", "trace_id": "t", "run_type": "llm", "dotted_order": "x"}
    post = {**run, "start_time": START, "inputs": {"messages": ASKED}, "session_name": "p"}
    patch = {**run, "end_time": END, "outputs": {"message": {"role": "assistant", "content": "hello"}}}
    documents = [{"post": [post], "patch": [patch]}] if together else [{"post": [post]}, {"patch": [patch]}]
    (event,) = events(documents)
    assert (event.input[0].text, event.output[0].text, event.duration_ms) == ("hi", "hello", 1500.0)


def test_usage_that_encloses_calls_is_not_counted() -> None:
    span = {"object": "trace.span", "id": "s", "trace_id": "t", "started_at": START, "ended_at": END}
    usage = {"input_tokens": 5, "output_tokens": 1}
    turn = {**span, "span_data": {"type": "custom", "name": "turn", "data": {"usage": usage}}}
    agent = {**span, "span_data": {"type": "agent", "name": "a", "usage": usage}}
    found = OpenAIAgents().read({"data": [turn, agent]})
    assert [item.input_tokens for item in found.items if isinstance(item, Event)] == [None]
    assert found.ignored == 1


@pytest.mark.parametrize(
    ("decoder", "document"),
    [
        (OpenAIAgents, {"data": [{"object": "trace.span", "span_data": {"type": "response"}}] * 9}),
        (Langfuse, {"batch": [part("generation-create", startTime=START)] * 9}),
        (LangSmith, {"post": [{"run_type": "llm", "id": "r", "inputs": {}}] * 9}),
    ],
)
def test_a_batch_is_bounded(decoder: type[Any], document: dict[str, Any]) -> None:
    assert decoder.fits(document)
    found = decoder(LimitSettings(events_per_record=3)).read(document)
    assert len(found.items) == 4
    assert isinstance(found.items[-1], Reject) and found.items[-1].reason == "too_many"


@pytest.mark.parametrize("odd", [None, 7, 1e300, "x", "", [], {}, [[]], [None], {"a": None}, True, "[{"])
def test_odd_members_become_no_exception(odd: Any) -> None:
    keys = ("input", "output", "inputs", "outputs", "usage", "usage_details", "metadata", "extra", "error",
            "name", "start_time", "end_time", "level", "model", "data", "response_id", "tools",
            "value")  # fmt: skip
    members = dict.fromkeys(keys, odd)
    documents: list[tuple[type[Any], dict[str, Any]]] = []
    for kind in (
        "response",
        "generation",
        "function",
        "agent",
        "handoff",
        "guardrail",
        "mcp_tools",
        "speech",
    ):
        data = {**members, "type": kind, "result": odd}
        documents.append((OpenAIAgents, {"object": "trace.span", "span_data": data, "error": odd}))
    for kind in ("GENERATION", "TOOL", "RETRIEVER", "AGENT", "GUARDRAIL"):
        documents.append((Langfuse, {**members, "trace_id": odd, "type": kind}))
    for kind in ("llm", "tool", "retriever", "embedding"):
        documents.append((LangSmith, {**members, "run_type": kind}))
        documents.append((LangSmith, {"run_type": kind, "outputs": members, "inputs": members}))
    for decoder, document in documents:
        assert len(decoder().safely(document).items) == 1
