"""Telemetry of real producers becomes the events that really happened."""

from __future__ import annotations

import pytest
from parts import recordings

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not recordings.DATA.exists(), reason="the shared recordings are not here"),
]

FORMS = [(name, form) for form in recordings.FORMS for name in recordings.names(form)]
SHARE = 0.99  # of the facts that the telemetry carries
FEWER = {
    # The spans name only the requested model, and the tools that were offered: which model answered and
    # which tool it called stands nowhere, although both happen to be spelt the same.
    "google-adk": 0.76,
    "google-genai": 0.96,
    # A call's log records cut into two by the batch: the second part comes when the call has gone on.
    "openai-v2-default": 0.98,
    "langfuse": 0.985,  # a search that is marked as retrieval, and was a tool
}
CALLS = {
    "google-genai": (8, 0),  # automatic function calling: three of eleven calls hide in the spans of others
    "langfuse": (13, 1),  # one generation was made up by hand: nothing tells it from a call
}
TOOLS = {"langfuse": (4, 0)}  # the retrieval


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_calls_and_executions_are_counted_exactly(name: str, form: str) -> None:
    score = recordings.score(name, form)
    calls, tools = score.calls, score.tools
    assert (calls.found, calls.extra) == CALLS.get(name, (calls.expected, 0))
    assert (tools.found, tools.extra) == TOOLS.get(name, (tools.expected, 0))


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_facts_that_were_told_are_right(name: str, form: str) -> None:
    score = recordings.score(name, form)
    assert score.share >= FEWER.get(name, SHARE), score.wrong


def test_of_all_facts_nearly_every_one_is_right() -> None:
    scores = [recordings.score(name, form) for name, form in FORMS]
    told, right = (
        sum(each.total() for each in part) for part in zip(*[(s.told, s.right) for s in scores], strict=True)
    )
    assert right >= SHARE * told


def test_every_record_in_json_is_recognised() -> None:
    json = [recording for recording in recordings.all_of() if recording.form == "json"]
    rejected = {recording.name: recordings.run(recording).rejects for recording in json}
    assert not any(rejected.values()), rejected


def test_every_file_belongs_to_a_recording() -> None:
    known = {path.name for recording in recordings.all_of() for path in recording.files}
    there = {path.name for path in recordings.DATA.iterdir() if ".json" in path.name or ".b64" in path.name}
    assert there - known - {"index.json"} == {f"{name}.truth.json" for name in recordings.names()}
