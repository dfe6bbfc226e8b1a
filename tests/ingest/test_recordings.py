"""Telemetry of real producers becomes the events that really happened."""

from __future__ import annotations

import sys

import pytest
from parts import recordings

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not recordings.DATA.exists(), reason="the shared recordings are not here"),
]

# Producers that speak the GenAI conventions: calls counted exactly, and at least this share of the facts.
GENAI = {
    "bedrock-genai": 1.0,
    "genai-anthropic": 1.0,
    "genai-openai-span-and-event": 1.0,
    "js-openai-otel": 1.0,
    "langgraph-traceloop": 1.0,
    "logfire": 1.0,
    "openai-v2-default": 1.0,
    "openlit": 0.99,
    "pydantic-ai-v2": 0.98,
    "pydantic-ai1-v1-logs": 0.98,
    "semantic-kernel": 1.0,
    "strands-default": 0.98,
    "traceloop-openai": 1.0,
    "vercel-ai6": 0.97,
    "litellm": 0.98,
    # Facts that only look as if they were told (a name among the offered tools, the request's model
    # as the response's), or calls that share one span.
    "google-adk": 0.76,
    "litellm-proxy": 0.9,
}
INEXACT = {
    "google-genai": 0.96,  # automatic function calling hides several calls in one span
    "traceloop-anthropic": 0.97,  # two failed calls are reported twice, in traces of their own
}


@pytest.mark.parametrize("name", GENAI)
def test_calls_and_executions_are_counted_exactly(name: str) -> None:
    score = recordings.score(name)
    assert (score.found_calls, score.found_tools) == (score.calls, score.tools)
    assert score.rejects == 0


@pytest.mark.parametrize(("name", "share"), [*GENAI.items(), *INEXACT.items()])
def test_facts_that_were_told_are_right(name: str, share: float) -> None:
    score = recordings.score(name)
    assert score.right >= share * score.facts, score.wrong


def test_every_record_is_recognised() -> None:
    rejected = {name: recordings.score(name).rejects for name in recordings.names()}
    assert not any(rejected.values()), rejected


def test_the_table_is_printed() -> None:
    """Visible with `pytest -s`."""
    lines = [f"{'producer':32}{'calls':>12}{'tools':>10}{'facts':>12}  right"]
    for name in recordings.names():
        score = recordings.score(name)
        calls, tools = f"{score.found_calls}/{score.calls}", f"{score.found_tools}/{score.tools}"
        facts, share = f"{score.right}/{score.facts}", score.right / max(1, score.facts)
        lines.append(f"{name:32}{calls:>12}{tools:>10}{facts:>12}  {share:6.1%}")
    sys.stdout.write("\n".join(lines) + "\n")
    assert len(lines) > 20
