"""Telemetry of real producers becomes the events that really happened."""

from __future__ import annotations

import pytest
from parts import recordings

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not recordings.DATA.exists(), reason="the shared recordings are not here"),
]

# At least this share of the facts, in JSON, of producers whose model calls are counted exactly ...
GENAI = {
    "bedrock-genai": 0.83,
    "genai-anthropic": 0.9,
    "genai-openai-span-and-event": 0.92,
    "google-adk": 0.75,
    "js-openai-otel": 0.9,
    "langgraph-traceloop": 1.0,
    "litellm": 0.88,
    "litellm-proxy": 0.83,
    "logfire": 0.9,
    "openai-v2-default": 0.89,
    "pydantic-ai-v2": 0.99,
    "pydantic-ai1-v1-logs": 0.98,
    "semantic-kernel": 0.98,
    "strands-default": 1.0,
    "traceloop-openai": 0.92,
}
# ... and of those where they are not yet.
INEXACT = {"google-genai": 0.96, "openlit": 0.89, "traceloop-anthropic": 0.88, "vercel-ai6": 0.97}


@pytest.mark.parametrize("name", GENAI)
def test_calls_are_counted_exactly(name: str) -> None:
    score = recordings.score(name)
    assert score.calls.exact, score.calls
    assert not score.tools.extra, score.tools


@pytest.mark.parametrize(("name", "share"), [*GENAI.items(), *INEXACT.items()])
def test_facts_that_were_told_are_right(name: str, share: float) -> None:
    score = recordings.score(name)
    assert score.share >= share, score.wrong


def test_every_record_in_json_is_recognised() -> None:
    json = [recording for recording in recordings.all_of() if recording.form == "json"]
    rejected = {recording.name: recordings.run(recording).rejects for recording in json}
    assert not any(rejected.values()), rejected


def test_every_file_belongs_to_a_recording() -> None:
    known = {path.name for recording in recordings.all_of() for path in recording.files}
    there = {path.name for path in recordings.DATA.iterdir() if ".json" in path.name or ".b64" in path.name}
    assert there - known - {"index.json"} == {f"{name}.truth.json" for name in recordings.names()}
