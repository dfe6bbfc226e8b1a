"""A shape that nobody knows is read as the configuration says; what cannot be meant is told."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mapping import Mapped, MappingSettings, When
from ingest.recognise import Recogniser, decoder
from tocsin.__main__ import main
from tocsin.model import Event
from tocsin.settings import LimitSettings

CONFIG = """
[source]
type = "file"
paths = ["-"]

[formats.helpdesk]
when = { present = ["prompt", "llm.name"], equal = { app = ["helpdesk", "desk"], v = 2 } }
constants = { provider = "openai", operation = "chat" }
scale = { duration_ms = 1000, input_tokens = 1 }
words.status = { FAILED = "error" }
words.kind = { "tool use" = "tool" }

[formats.helpdesk.fields]
kind = "what"
time = ["started", "ts"]
user = "who.id"
model = "llm.name"
input = "prompt"
output = "answer"
duration_ms = "took"
status = "outcome"
input_tokens = "usage.0"
output_tokens = "usage.1.n"
tool_arguments = "args"

[sinks.clickhouse]
url = "http://localhost:8123/tocsin"
"""
DOCUMENT: dict[str, Any] = {
    "app": "desk", "v": 2, "what": "chat", "ts": "2025-11-22T22:20:00Z", "who.id": "u-17", "took": 1.5,
    "prompt": "Where is my order?", "answer": [{"role": "assistant", "content": "On its way."}],
    "llm": {"name": "gpt-4o-mini"}, "usage": '["812", {"n": 44}]', "outcome": "FAILED",
    "args": {"order": 5}, "queue": "q-1", "nested": {"x": 1},
}  # fmt: skip


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tocsin.toml"
    path.write_text(CONFIG)
    return path


def settings(**changes: Any) -> MappingSettings:
    given: dict[str, Any] = {"when": When(present=["prompt"]), "fields": {"input": "prompt"}}
    return MappingSettings(**(given | changes))


def read(document: dict[str, Any], **changes: Any) -> Event:
    (event,) = Mapped("own", settings(**changes), LimitSettings()).read(document).items
    assert isinstance(event, Event)
    return event


def recognised(capfd: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    capfd.readouterr()
    assert main(["recognise", *arguments]) == code
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_a_mapping_works_from_the_file_to_the_event(
    config: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "-c", str(config)]) == 0
    lines = tmp_path / "lines.jsonl"
    lines.write_text(
        json.dumps(DOCUMENT) + "\n" + json.dumps({"log": json.dumps(DOCUMENT), "kubernetes": {}}) + "\n"
    )
    bare, shipped = recognised(capfd, "-c", str(config), str(lines))
    assert bare["parser"] == shipped["parser"] == "helpdesk" and shipped["layers"] == ["envelope:fluent_bit"]
    assert bare["events"] == shipped["events"] == [
        {
            "tocsin": 1, "source_format": "helpdesk", "operation": "chat", "time": 1763850000.0,
            "user": "u-17", "duration_ms": 1500.0, "provider": "openai", "model": "gpt-4o-mini",
            "status": "error", "input_tokens": 812, "output_tokens": 44, "tool_arguments": '{"order":5}',
            "content_available": True,
            "input": [{"role": "user", "text": "Where is my order?"}],
            "output": [{"role": "assistant", "text": "On its way."}],
            "attributes": {"app": "desk", "v": "2", "queue": "q-1"},
        }
    ]  # fmt: skip
    unmapped = recognised(capfd, str(lines), code=1)
    assert [line["reason"] for line in unmapped] == ["unrecognised", "unrecognised"]
    events = tmp_path / "events.jsonl"
    assert main(["replay", "-c", str(config), "--events", str(events), str(lines)]) == 0
    assert b'"source_format":"helpdesk"' in events.read_bytes()


@pytest.mark.parametrize(
    ("path", "document", "found"),
    [
        ("a", {"a": "x"}, "x"),
        ("a.b", {"a": {"b": "x"}}, "x"),
        ("a.b", {"a.b": "x"}, "x"),
        ("a.b.c", {"a": {"b.c": "x"}}, "x"),
        ("a.1.b", {"a": [0, {"b": "x"}]}, "x"),
        ("a.9", {"a": ["x"]}, ""),
        ("a.b", {"a": '{"b": "x"}'}, "x"),
        ("a.b", {"a": "{broken"}, ""),
        ("a.b", {"a": None}, ""),
        ("a.b", {"a": 7}, ""),
    ],
)
def test_a_path_leads_through_tables_lists_and_text(path: str, document: dict[str, Any], found: str) -> None:
    assert read(document, fields={"user": path}).user == found


def test_of_several_paths_the_first_that_is_there_counts() -> None:
    assert read({"b": "B", "c": "C"}, fields={"user": ["a", "b", "c"]}).user == "B"


def test_all_conditions_must_hold() -> None:
    mapped = Mapped(
        "own", settings(when=When(present=["a.b"], equal={"c": [1, "one"], "d": True})), LimitSettings()
    )
    assert mapped.fits({"a": {"b": 0}, "c": "one", "d": True})
    others: tuple[dict[str, Any], ...] = ({"a": {}}, {"c": 2}, {"d": 1}, {"d": None})
    for other in others:
        assert not mapped.fits({"a": {"b": 0}, "c": "one", "d": True} | other)


def test_words_that_are_not_in_the_table_stay_and_must_be_possible() -> None:
    words = {"status": {"bad": "error"}}
    assert read({"s": "bad"}, fields={"status": "s"}, words=words).status == "error"
    assert read({"s": "refused"}, fields={"status": "s"}, words=words).status == "refused"
    event = read({"s": "odd"}, fields={"status": "s"}, words=words)
    assert event.status == "ok" and event.invalid_fields == ("status",)


def test_own_formats_go_before_built_in_ones_and_can_be_forced() -> None:
    body = {"prompt": "hi", "litellm_call_id": "7f", "call_type": "acompletion"}
    value = gzip.compress(json.dumps({"message": json.dumps(body)}).encode())
    own = {"own": settings()}
    assert Recogniser().look(value).parsers == ("litellm",)
    for name in ("auto", "own"):
        found = decoder(name, LimitSettings(), own)
        assert isinstance(found, Recogniser) and found.look(value).parsers == ("own",)
    (refused,) = decoder("own", LimitSettings(), own).decode(b'{"tocsin":1}').items
    assert not isinstance(refused, Event) and refused.reason == "unrecognised"


WRONG = """
[source]
type = "file"
paths = ["-"]
format = "helpdeskk"

[formats.otlp]
when = { present = ["a..b"] }
fields = { usr = "x", id = "y", time = ".t", user = "a.b", model = "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a" }
constants = { kind = "foo", input_tokens = "many", user = "u" }
scale = { user = 2 }
words = { status = { BAD = "broken" }, input = { a = "b" } }

[formats.empty]
when = {}

[formats.odd]
kind = "chat"
when = { presence = ["a"] }

[formats.Name]
when = { present = ["a"] }
fields = { user = "a" }

[sinks.clickhouse]
url = "http://localhost:8123/tocsin"
"""
TOLD = (
    "[formats.otlp] the format 'otlp' is there already; give yours another name",
    "[formats.otlp] fields.usr: no field of an event; did you mean 'user'?",
    "[formats.otlp] fields.id: is set by Tocsin itself",
    "[formats.otlp] fields.time: '.t' is no path; write names with single dots between them, like a.b.0.c",
    "[formats.otlp] when.present: 'a..b' is no path; write names with single dots between them, like a.b.0.c",
    "[formats.otlp] fields.model: a path has at most 16 steps",
    "[formats.otlp] constants.kind: 'foo' cannot be the kind; it is one of llm, tool, ",
    "[formats.otlp] constants.input_tokens: 'many' cannot be the input_tokens",
    "[formats.otlp] constants.user: also in fields; leave one of them out",
    "[formats.otlp] scale.user: only for numbers: ",
    "[formats.otlp] words.status: 'broken' cannot be the status; it is one of ok, error, refused, blocked",
    "[formats.otlp] words.input: only for fields that are words",
    "[formats.empty] when: empty, so every document would fit; name a path in when.present or when.equal",
    "[formats.empty] fields: empty, so events would say nothing; give fields their paths",
    "[formats.odd] kind: must be one of llm, tool, retrieval, agent, evaluation",
    "[formats.odd.when] presence: unknown; did you mean 'present'?",
    "[formats.Name] names are lower case: a-z, 0-9 and _",
    "[source] format: unknown format 'helpdeskk'; ",
)


def test_every_mistake_in_a_mapping_is_told_with_its_place(
    config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config.write_text(WRONG)
    assert main(["check", "-c", str(config)]) == 78
    told = [line.removeprefix(f"{config}: ") for line in capfd.readouterr().err.splitlines()]
    assert [said for said in TOLD if not any(line.startswith(said) for line in told)] == []
    assert len(told) == len(TOLD)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
EVERY = {name: f"f.{name}" for name in Event.__struct_fields__}


@given(st.dictionaries(st.sampled_from(sorted(EVERY)), ANYTHING), ANYTHING)
def test_any_document_gives_an_event_that_can_be_stored(inner: dict[str, Any], other: Any) -> None:
    event = read({"f": inner, "prompt": other}, fields={**EVERY, "user": ["prompt.a", "prompt"]})
    msgspec.json.decode(msgspec.json.encode(event), type=Event)
