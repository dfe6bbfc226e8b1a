"""Tocsin's own format: typed where it fits, field by field where it does not, never refused for one field."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parts import pace

from ingest.native import NativeDecoder
from ingest.recognise import Recogniser
from tocsin.model import Event, Message, Reject
from tocsin.settings import LimitSettings

WHOLE = Event(
    kind="llm",
    time=1795415000.5,
    user="u-1",
    model="gpt-4o-mini",
    input_tokens=812,
    cost_usd=0.01,
    cost_source="reported",
    input=(Message("system", "Be brief."), Message("user", "Hello")),
    output=(Message("assistant", "Hi"),),
    content_available=True,
    attributes={"a": "b"},
)


def decode(value: bytes | dict[str, Any], limits: LimitSettings | None = None) -> Event:
    data = value if isinstance(value, bytes) else json.dumps({"tocsin": 1, **value}).encode()
    (event,) = NativeDecoder(limits).decode(data).items
    assert isinstance(event, Event)
    return event


def refused(value: bytes) -> Reject:
    (reject,) = NativeDecoder().decode(value).items
    assert isinstance(reject, Reject)
    return reject


def test_an_event_comes_back_as_it_was_written() -> None:
    read = decode(msgspec.json.encode(WHOLE))
    assert msgspec.structs.replace(read, source_format="") == WHOLE


def test_an_array_is_several_events() -> None:
    items = NativeDecoder().decode(b"[" + msgspec.json.encode(WHOLE) + b',{"tocsin":1,"user":"x"}]').items
    assert [item.user for item in items if isinstance(item, Event)] == ["u-1", "x"]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (1795415000, 1795415000.0),
        (1795415000123, 1795415000.123),
        (1795415000123456, 1795415000.123456),
        (1795415000123456789, 1795415000.123456789),
        (639310118001230000, 1795415000.123),  # .NET ticks
        ("1795415000", 1795415000.0),
        ("1795415000.5", 1795415000.5),
        ("2026-11-23T06:23:20Z", 1795415000.0),
        ("2026-11-23T07:23:20.250+01:00", 1795415000.25),
        ("2026-11-23 06:23:20,123456789", 1795415000.123456789),
        ("2026-11-23T06:23:20", 1795415000.0),
    ],
)
def test_times_are_read_in_every_spelling(written: object, seconds: float) -> None:
    event = decode({"time": written})
    assert math.isclose(event.time, seconds, abs_tol=1e-5)
    assert event.invalid_fields == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input_tokens", -1),
        ("input_tokens", 2**64),
        ("input_tokens", 10**400),
        ("input_tokens", True),
        ("input_tokens", 1.5),
        ("input_tokens", "many"),
        ("output_tokens", [1]),
        ("cost_usd", -0.5),
        ("cost_usd", 1e300),
        ("duration_ms", "NaN"),
        ("http_status", 9999),
        ("evaluation_score", "x"),
        ("stream", "perhaps"),
        ("kind", "other"),
        ("status", 5),
        ("time", -5),
        ("time", "yesterday"),
        ("input", "text"),
        ("attributes", 7),
    ],
)
def test_an_impossible_value_is_nulled_and_named(field: str, value: object) -> None:
    data = f'{{"tocsin":1,"user":"u","{field}":{json.dumps(value)}}}'.encode()
    event = decode(data)
    assert event.invalid_fields == (field,)
    assert event.user == "u"
    assert getattr(event, field) == getattr(Event(), field)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_nulled(word: str) -> None:
    event = decode(f'{{"tocsin":1,"user":"u","cost_usd":{word},"model":"m"}}'.encode())
    assert (event.cost_usd, event.invalid_fields, event.model) == (None, ("cost_usd",), "m")


def test_numbers_in_text_are_numbers() -> None:
    event = decode(
        {"input_tokens": "812", "cost_usd": "0.5", "stream": "true", "user": 42, "output_tokens": 3.0}
    )
    assert (event.input_tokens, event.cost_usd, event.stream, event.user) == (812, 0.5, True, "42")
    assert event.output_tokens == 3
    assert event.invalid_fields == ()


def test_what_the_engine_stamps_is_not_believed() -> None:
    event = decode(
        {"id": "x", "log_id": "y", "log_offset": 5, "arrival": 9.0, "source": "z", "duplicate": True,
         "backfill": True, "source_index": 3, "original_time": 1.0, "invalid_fields": ["user"], "user": "u"}
    )  # fmt: skip
    assert msgspec.structs.replace(event, source_format="") == Event(user="u")


def test_lone_surrogates_and_broken_utf8_become_replacement_characters() -> None:
    event = decode(b'{"tocsin":1,"user":"a\\ud800b","model":"\\ud83d\\ude00 \\\\ud800","agent":"x\xff"}')
    assert (event.user, event.model, event.agent) == ("a\ufffdb", "\U0001f600 \\ud800", "x\ufffd")


def test_a_byte_order_mark_is_skipped() -> None:
    assert decode(b'\xef\xbb\xbf{"tocsin":1,"user":"u"}').user == "u"


def test_messages_in_other_shapes_are_read() -> None:
    event = decode(
        {"input": [{"role": "developer", "content": "Be brief."}, {"role": "human", "content": "Hi"}]}
    )
    assert event.input == (Message("system", "Be brief."), Message("user", "Hi"))


def test_texts_are_cut_and_marked() -> None:
    limits = LimitSettings(text_characters=300, messages=3, attributes=2, attribute_characters=16)
    event = decode(
        {
            "input": [{"role": "user", "text": "x" * 1000}] * 5,
            "tool_result": "y" * 1000,
            "attributes": {str(number): "z" * 100 for number in range(9)},
            "user": "u" * 10_000,
        },
        limits,
    )
    assert [len(message.text) for message in event.input] == [300] * 3
    assert len(event.tool_result or "") == 300
    assert event.attributes == {"0": "z" * 16, "1": "z" * 16}
    assert len(event.user) == 4096
    assert event.truncated


def test_content_is_marked_as_available() -> None:
    assert decode({"tool_result": "x"}).content_available
    assert not decode({"tool_name": "x"}).content_available


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "undecodable"),
        (b"{", "undecodable"),
        (b'{"tocsin":1', "undecodable"),
        (b'{"tocsin":1} trailing', "undecodable"),
        (b"\x00\xff\xfe", "undecodable"),
        (b"nothing", "undecodable"),
        (b"5", "invalid"),
        (b"null", "invalid"),
        (b'{"tocsin":2}', "invalid"),
        (b"[" * 100_000, "too_deep"),
        (b'{"tocsin":1,"x":' + b"[" * 100_000, "too_deep"),
        (b'{"tocsin":1,"x":' + b'{"a":' * 100_000, "too_deep"),
    ],
)
def test_what_is_no_event_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    assert refused(data).reason == reason
    assert pace.seconds(lambda: refused(data)) < 0.05


def test_too_many_events_are_said() -> None:
    items = NativeDecoder(LimitSettings(events_per_record=3)).decode(b'[{"tocsin":1},{},{},{},{}]').items
    assert [type(item).__name__ for item in items] == ["Event"] * 3 + ["Reject"]
    assert isinstance(items[-1], Reject) and items[-1].reason == "too_many"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_FIELDS = st.dictionaries(st.sampled_from(Event.__struct_fields__), _JSON, max_size=12)


@given(_FIELDS)
@settings(max_examples=400, deadline=None)
def test_any_values_give_an_event_that_can_be_stored(fields: dict[str, Any]) -> None:
    event = decode({**fields})
    assert event.id == "" and event.log_offset == 0
    for name in ("input_tokens", "output_tokens", "cost_usd", "duration_ms"):
        value = getattr(event, name)
        assert value is None or 0 <= value < 1e16
    assert 0 <= event.time < 2**32
    msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=Event)


@given(st.binary(max_size=200))
@settings(max_examples=400, deadline=None)
def test_any_bytes_are_taken(data: bytes) -> None:
    for decoder in (NativeDecoder(), Recogniser()):
        for item in decoder.decode(data).items:
            assert isinstance(item, Event | Reject)


@given(st.binary(max_size=40), st.integers(0, 300))
@settings(max_examples=400, deadline=None)
def test_damaged_records_are_taken(garbage: bytes, at: int) -> None:
    whole = msgspec.json.encode(WHOLE)
    data = whole[:at] + garbage + whole[at + len(garbage) :]
    for item in NativeDecoder().decode(data).items:
        assert isinstance(item, Event | Reject)
        msgspec.msgpack.encode(item)


def test_a_wrong_event_in_an_array_costs_the_others_nothing() -> None:
    good = b'{"tocsin":1,"time":1763850000,"model":"m","input":[{"role":"user","text":"x"}]}'
    wrong = b'{"tocsin":1,"time":"2025-11-22T22:20:00Z","input_tokens":"x","model":5}'
    alone = [*NativeDecoder().decode(good).items, *NativeDecoder().decode(wrong).items]
    assert list(NativeDecoder().decode(b"[" + good + b"," + wrong + b"]").items) == alone
    assert isinstance(alone[1], Event) and alone[1].invalid_fields == ("input_tokens",)
