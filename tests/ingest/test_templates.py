"""Spans that are read after a template become what the full reading makes of them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from parts import recordings

from ingest import aliases
from ingest.draft import Span
from ingest.genai import SpanReader
from ingest.operations import OPERATION_NAMES
from ingest.otlp import OtlpDecoder
from ingest.templates import Templates
from tocsin.model import Event
from tocsin.settings import LimitSettings

LIMITS = LimitSettings()
NAMES = sorted(
    {name for field in aliases.SPAN_FIELDS if field.target[0] != "_" for name in field.names}
    | {name for name, _ in OPERATION_NAMES}
    | {"gen_ai.response.finish_reasons", "gen_ai.request.temperature", "server.address", "http.method"}
    | {"gen_ai.request.stream", "telemetry.sdk.name", "gen_ai.prompt.0.content"}
)
USUAL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-x",
    "gen_ai.response.id": "r-1",
    "gen_ai.usage.input_tokens": 12,
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.request.temperature": 0.5,
}
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(["chat", "openai", "LLM", "execute_tool", "", '"x"', " ", "x" * 5000, "12", "true", "é"]),
    st.sampled_from(
        [None, True, False, 0, 1, 1.0, 5, 5.0, -1, 1 << 60, ["stop"], ["stop", "x"], [], {}, [1, True]]
    ),
    st.text(max_size=6),
)


def span(attributes: dict[str, Any], **changes: Any) -> Span:
    plain = Span("ab" * 16, "cd" * 8, "ef" * 8, "chat x", 3, 10**18, 10**18 + 10**9, attributes, scope="s")
    return replace(plain, **changes)


def in_full(one: Span, base: dict[str, Any]) -> Event | str | None:
    return told(SpanReader(LIMITS), one, base)


def told(reader: SpanReader | Templates, one: Span, base: dict[str, Any]) -> Event | str | None:
    """The event, or what reading raises."""
    try:
        return reader.event(replace(one, attributes=dict(one.attributes)), base)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return type(error).__name__


@given(st.data())
def test_any_spans_with_the_same_names(data: st.DataObject) -> None:
    """Eight spans: the first are learnt from, the rest are read after them, if that can be."""
    names = data.draw(st.lists(st.sampled_from(NAMES), max_size=5, unique=True))
    pool = data.draw(st.lists(VALUES, min_size=1, max_size=3))
    templates, base = Templates(SpanReader(LIMITS), LIMITS), {"service": "helpdesk"}
    for number in range(8):
        changed = {name: data.draw(st.sampled_from(pool)) for name in names}
        one = span({**USUAL, **changed}, span_id=f"{number:016x}", end=10**18 + number * 7)
        assert told(templates, one, base) == in_full(one, base)


@pytest.mark.parametrize(
    "change",
    [
        {"failed": True},
        {"message": "quota"},
        {"events": [("exception", {"exception.type": "X"})]},
        {"trace_id": ""},
        {"start": 0},
        {"end": 5},
        {"kind": 1},
        {"name": "execute_tool f"},
        {"scope": "opentelemetry.instrumentation.openai_v2"},
    ],
)
def test_a_span_that_is_unusual_in_one_thing(change: dict[str, Any]) -> None:
    templates, base = Templates(SpanReader(LIMITS), LIMITS), {"service": "helpdesk"}
    for one in (span(USUAL), span(USUAL), span(USUAL), span(USUAL, **change), span(USUAL, **change)):
        assert told(templates, one, base) == in_full(one, base)


def test_what_the_resource_says_is_its_own() -> None:
    templates = Templates(SpanReader(LIMITS), LIMITS)
    for service in ("a", "b", "a", "b", "a", "b"):
        event = templates.event(span(dict(USUAL)), {"service": service})
        assert isinstance(event, Event) and event.service == service


def test_the_full_reading_is_asked_until_a_template_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    def event(self: SpanReader, one: Span, base: dict[str, Any]) -> Event | None:
        nonlocal asked
        asked += 1
        return full(self, one, base)

    full = SpanReader.event
    monkeypatch.setattr(SpanReader, "event", event)
    templates, base = Templates(SpanReader(LIMITS), LIMITS), {"service": "helpdesk"}
    for number in range(100):
        templates.event(span({**USUAL, "gen_ai.response.id": f"r-{number}"}), base)
    assert asked == 5  # three spans, one of them once more, and its sibling


@pytest.mark.parametrize("differs", ["name", "attribute", "word", "resource"])
def test_what_is_remembered_is_bounded(differs: str) -> None:
    templates = Templates(SpanReader(LIMITS), LIMITS)
    base = {"service": "helpdesk"}
    for number in range(5000):
        attributes = dict(USUAL)
        if differs == "attribute":
            attributes[f"gen_ai.request.x{number}"] = 1
        if differs == "word":
            attributes["gen_ai.request.model"] = f"m-{number}"
        if differs == "resource":
            base = {"service": f"s-{number}"}
        one = span(attributes, name=f"chat {number}" if differs == "name" else "chat")
        templates.event(one, base)
        templates.event(one, base)
    held = sum(
        len(outline.templates) + 1
        for each in templates._resources.values()
        for outline in each.values()
        if outline
    )
    assert held + len(templates._once) + len(templates._resources) < 5000


@pytest.mark.data
@pytest.mark.skipif(not recordings.DATA.exists(), reason="the shared recordings are not here")
@pytest.mark.parametrize("name", recordings.names("json"))
def test_recordings_read_again_and_again_stay_the_same(name: str) -> None:
    records = list(recordings.records(recordings.one(name, "json")))
    practised, thorough = OtlpDecoder(), OtlpDecoder()
    setattr(thorough._exports, "_templates", SpanReader(LIMITS))  # noqa: B010 - it has no such type
    for _ in range(3):
        for record in records:
            shifted = _renumbered(record)
            assert practised.decode(record) == thorough.decode(record)
            assert practised.decode(shifted) == thorough.decode(shifted)


def _renumbered(record: bytes) -> bytes:
    """The same with other numbers of tokens."""
    document = orjson.loads(record)
    for group in document.get("resourceSpans", ()):
        for part in group["scopeSpans"]:
            for each in part["spans"]:
                for pair in each.get("attributes", ()):
                    if "intValue" in pair["value"]:
                        pair["value"]["intValue"] = str(int(pair["value"]["intValue"]) + 3)
    return orjson.dumps(document)
