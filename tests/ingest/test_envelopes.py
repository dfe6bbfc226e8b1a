"""Envelopes are opened in bounded time, give what they know, and hide nothing of what was said."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from typing import Any

import msgspec
import pytest

from ingest.fingerprints import Formats
from ingest.recognise import OBJECTS, UNWRAPS, Recogniser
from ingest.surroundings import ATTRIBUTES, CHARACTERS
from ingest.walk import SHAPES, STRANGERS
from tocsin.model import Event, Message, Reject
from tocsin.settings import LimitSettings

NATIVE = msgspec.json.encode(Event(user="u", input=(Message("user", "my secret"),))).decode()


def look(document: Any, **limits: int) -> list[Event | Reject]:
    value = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(Recogniser(LimitSettings(**limits)).decode(value).items)


def event(document: Any, **limits: int) -> Event:
    (found,) = look(document, **limits)
    assert isinstance(found, Event), found
    return found


def reasons(items: list[Event | Reject]) -> list[str]:
    return [item.reason if isinstance(item, Reject) else "event" for item in items]


def base64(data: bytes | str) -> str:
    return b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def test_what_an_event_says_itself_is_not_overridden() -> None:
    own = msgspec.json.encode(Event(service="mine", environment="test", time=1763850000.0)).decode()
    around = {"service": "theirs", "env": "prod", "@timestamp": 1795415000.0, "log": own}
    found = event(around)
    assert (found.service, found.environment, found.time) == ("mine", "test", 1763850000.0)
    assert found.attributes == {"shipper.service": "theirs", "shipper.env": "prod"}


def test_the_inner_envelope_knows_better_than_the_outer() -> None:
    inner = {"log": NATIVE, "time": "2025-11-22T22:20:00Z", "app": "inner", "stream": "stdout"}
    found = event({"message": json.dumps(inner), "@timestamp": 1795415000.0, "app": "outer", "host": "h"})
    assert (found.time, found.service) == (1763850000.0, "inner")
    assert found.attributes == {"shipper.stream": "stdout", "shipper.app": "outer", "shipper.host": "h"}


def test_a_line_that_a_shipper_repeats_is_not_kept_as_an_attribute() -> None:
    around = {
        "log": NATIVE,
        "message": NATIVE,
        "event": {"original": NATIVE},
        "full_message": "my secret",
        "x": NATIVE,
    }
    assert event(around).attributes == {}


def test_attributes_of_an_envelope_are_few_and_short() -> None:
    around: dict[str, Any] = {f"name{number}": "v" * 1000 for number in range(100)}
    kept = event({"log": NATIVE, **around}).attributes
    assert len(kept) == ATTRIBUTES and {len(text) for text in kept.values()} == {CHARACTERS}
    assert len(event({"log": NATIVE, **around}, attributes=3).attributes) == 3
    deep: dict[str, Any] = {"a": "b"}
    for _ in range(50):
        deep = {"n": deep}
    assert event({"log": NATIVE, "deep": deep}).attributes == {}


@pytest.mark.parametrize(
    "document",
    [
        {"log": "plain text"},
        {"log": "{not json"},
        {"log": "[info] started {ok}"},
        {"message": 7, "log": None},
        {"message": {"nested": "unknown"}},
        {"event": {"original": "text"}},
        {"records": 7},
        {"logEvents": 7, "logGroup": "g"},
        {"streams": [7, {"stream": 7, "values": [7, [], ["1"]]}]},
        {"Records": [7, {"kinesis": 7}]},
        {"jsonPayload": "x", "logName": 7},
        {"message": {"data": "no base64!", "messageId": "1"}},
        {"data": base64("text"), "partitionKey": "k"},
    ],
)
def test_a_sound_record_without_a_document_is_unrecognised_and_not_undecodable(document: Any) -> None:
    found = look(document)
    assert reasons(found) in (["unrecognised"], ["undecodable"] if "partitionKey" in document else [])


def test_envelopes_of_bytes_are_opened_as_deep_as_others() -> None:
    value = NATIVE
    for depth in range(1, 6):
        value = json.dumps({"partitionKey": "k", "data": base64(gzip.compress(value.encode()))})
        assert reasons(look(value.encode())) == (["event"] if depth <= UNWRAPS else ["unrecognised"])


def test_what_parts_expand_to_is_bounded_in_all() -> None:
    bomb = base64(gzip.compress(b'{"x":"' + b"x" * 600_000 + b'"}'))
    found = look({"records": [{"data": bomb}] * 20}, record_bytes=1 << 20)
    assert reasons(found) == ["unrecognised", *["too_large"] * 19]


def test_unknown_documents_of_one_shape_are_told_once_for_a_record() -> None:
    found = look([{"a": 1}, {"a": 2}, {"b": 1}, 7, 8, {"a": 3}])
    told = [(item.shape, item.detail) for item in found if isinstance(item, Reject)]
    assert told == [
        ("a", "of no known format, 3 times"),
        ("b", "of no known format"),
        ("int", "of no known format, 2 times"),
    ]
    found = look([{f"key{number}": 1} for number in range(1000)])
    assert len(found) == SHAPES + 1
    assert isinstance(found[-1], Reject) and found[-1].detail == f"of no known format, {1000 - SHAPES} times"


def test_parts_are_as_many_as_events_may_be() -> None:
    lines = {"logGroup": "g", "logEvents": [{"message": NATIVE}] * 50}
    assert reasons(look(lines, events_per_record=10)) == ["event"] * 10 + ["too_many"]
    assert reasons(look({"records": [json.loads(NATIVE)] * 50}, events_per_record=10))[-1] == "too_many"


def test_a_record_of_nothing_but_unknown_documents_is_given_up() -> None:
    strangers = [{"a": 1}] * 10_000
    assert reasons(look(strangers)) == ["unrecognised", "too_many"]
    assert reasons(look([*strangers[: STRANGERS - 1], json.loads(NATIVE)])) == ["unrecognised", "event"]
    lines = {"logGroup": "g", "logEvents": [*[{"message": "plain"}] * 10_000, {"message": NATIVE}]}
    assert reasons(look(lines)) == ["unrecognised", "event"]


def test_a_document_with_very_many_objects_is_refused() -> None:
    body = {"litellm_call_id": "1", "call_type": "acompletion", "messages": [{}] * OBJECTS}
    for value in (body, {"log": json.dumps(body)}, [body]):
        assert reasons(look(value)) == ["too_many"]
    native = {"tocsin": 1, "input": [{}] * OBJECTS}
    assert reasons(look(json.dumps(native, separators=(",", ":")).encode())) == ["too_many"]
    assert reasons(look(body | {"messages": [{"role": "user", "content": "{" * 100_000}]})) == ["event"]


def test_a_fingerprint_that_raises_does_not_fit() -> None:
    def raising(document: Any) -> bool:
        raise TypeError("unhashable")

    recogniser = Recogniser()
    recogniser._formats = Formats([each._replace(fits=raising) for each in recogniser._formats])
    assert reasons(list(recogniser.decode(b'{"jsonrpc":"2.0"}').items)) == ["unrecognised"]


def test_lists_in_lists_are_bounded() -> None:
    value: Any = json.loads(NATIVE)
    for depth in range(1, 8):
        value = [value]
        assert reasons(look(value)) == (["event"] if depth <= UNWRAPS + 1 else ["unrecognised"])


def test_lines_in_one_record_are_read_one_by_one() -> None:
    lines = f"{NATIVE}\n\n  {NATIVE}\r\n{{broken\n2025-11-22T22:20:00Z stdout F {NATIVE}\n7\n"
    found = look(lines.encode())
    assert reasons(found) == ["event", "event", "undecodable", "event", "unrecognised"]
    assert Recogniser().look(lines.encode()).layers == ("lines", "envelope:cri")
    assert reasons(look((NATIVE + "\n").encode() * 50, events_per_record=10)) == ["event"] * 10 + ["too_many"]
    assert reasons(look(gzip.compress((NATIVE + "\n").encode() * 3))) == ["event"] * 3


def test_a_document_over_several_lines_is_one() -> None:
    assert reasons(look(json.dumps({"log": NATIVE}, indent=2).encode())) == ["event"]
    assert reasons(look(json.dumps({"log": NATIVE}, indent=2).encode()[:-3])) == ["undecodable"]


def test_documents_without_anything_between_them_are_read_one_by_one() -> None:
    body = json.dumps({"event": json.loads(NATIVE), "host": "h"})
    assert reasons(look((body + body + " " + body).encode())) == ["event"] * 3
    assert reasons(look((body + body[:-1]).encode())) == ["event", "undecodable"]


@pytest.mark.parametrize(
    ("head", "layer", "said"),
    [
        ("2025-11-22T22:20:00.1Z stderr F ", "cri", {"shipper.stream": "stderr"}),
        ("<14>1 - web app 1 - - ", "syslog", {"shipper.host": "web"}),
        ("<14>Nov  2 22:20:00 web app[1]: ", "syslog", {"shipper.host": "web"}),
        ("2025-11-22T22:20:00Z web ", "logstash", {"shipper.name": "web"}),
        ('<14>1 - web app 1 - [x y="{z}"] ', "syslog", {"shipper.host": "web"}),
        ("INFO:root:call ", "text", {}),
        ("payload=", "text", {}),
    ],
)
def test_a_document_behind_words_is_found(head: str, layer: str, said: dict[str, str]) -> None:
    found = Recogniser().look((head + NATIVE).encode())
    (item,) = found.items
    assert found.layers == (f"envelope:{layer}",)
    assert isinstance(item, Event) and item.attributes == said
    assert item.service == ("app" if layer == "syslog" else "")


def test_words_in_front_are_looked_through_only_so_far() -> None:
    assert reasons(look(("x " * 5000 + NATIVE).encode())) == ["undecodable"]
    assert reasons(look(("{ " * 100 + NATIVE).encode())) == ["undecodable"]


def test_a_forced_format_is_found_inside_compression_and_envelopes() -> None:
    value = gzip.compress(json.dumps({"log": NATIVE, "host": "h"}).encode())
    assert reasons(list(Recogniser(only="native").decode(value).items)) == ["event"]
    assert reasons(list(Recogniser(only="mcp").decode(value).items)) == ["unrecognised"]


def test_a_document_that_a_shipper_merged_with_its_own_fields_takes_their_time() -> None:
    found = event(
        {"@timestamp": "2025-11-22T22:20:00Z", **json.loads(NATIVE), "kubernetes": {"pod_name": "p"}}
    )
    assert found.time == 1763850000.0
