"""Every record is recognised by itself: compression, arrays, envelopes, then the leaf."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import msgspec
import pytest
import zstandard

from ingest.recognise import SHAPE_KEYS, Recogniser
from tocsin.model import Event, Reject
from tocsin.settings import LimitSettings

NATIVE = msgspec.json.encode(Event(user="u", time=1795415000.0))
TIMELESS = msgspec.json.encode(Event(user="u"))
SPAN = {"name": "chat m", "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}]}
OTLP = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}).encode()


def decode(value: bytes | dict[str, Any] | list[Any]) -> list[Event | Reject]:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return list(Recogniser().decode(data).items)


def formats(items: list[Event | Reject]) -> list[str]:
    return [item.source_format if isinstance(item, Event) else item.reason for item in items]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (NATIVE, ["native"]),
        (b' \n{ "tocsin":1}', ["native"]),
        (b'{"user":"u","tocsin":1}', ["native"]),
        (b"[" + NATIVE + b"," + NATIVE + b"]", ["native", "native"]),
        (OTLP, ["otlp"]),
        (b"[" + OTLP + b"," + NATIVE + b"]", ["otlp", "native"]),
        (gzip.compress(NATIVE, mtime=0), ["native"]),
        (zstandard.compress(OTLP), ["otlp"]),
        (b"\xef\xbb\xbf" + NATIVE, ["native"]),
        ({"records": [json.loads(NATIVE)]}, ["native"]),
        ({"log": NATIVE.decode(), "kubernetes": {}}, ["native"]),
        ({"message": OTLP.decode(), "host": "h"}, ["otlp"]),
        ({"message": json.loads(OTLP)}, ["otlp"]),
        ({"event": {"original": NATIVE.decode()}, "message": "x"}, ["native"]),
        ({"event.original": NATIVE.decode()}, ["native"]),
        ({"log": json.dumps({"message": NATIVE.decode()})}, ["native"]),
        ({"resourceMetrics": []}, []),
        (b"", ["undecodable"]),
        (b"plain text", ["undecodable"]),
        (b"7", ["unrecognised"]),
        ({"some": "thing"}, ["unrecognised"]),
        ({"log": "plain text"}, ["unrecognised"]),
        (gzip.compress(gzip.compress(NATIVE, mtime=0), mtime=0), ["undecodable"]),
        (gzip.compress(NATIVE, mtime=0)[:-4], ["undecodable"]),
        (b"\x28\xb5\x2f\xfd" + b"junk", ["undecodable"]),
    ],
)
def test_records_are_told_apart(value: bytes | dict[str, Any] | list[Any], expected: list[str]) -> None:
    assert formats(decode(value)) == expected


def test_envelopes_are_opened_three_deep() -> None:
    wrapped = NATIVE.decode()
    for depth in range(1, 6):
        wrapped = json.dumps({"log": wrapped})
        assert formats(decode(wrapped.encode())) == (["native"] if depth <= 3 else ["unrecognised"])


@pytest.mark.parametrize(
    ("envelope", "seconds"),
    [
        ({"@timestamp": 1763850000.5}, 1763850000.5),
        ({"timestamp": "2025-11-22T22:20:00.250Z"}, 1763850000.25),
        ({"time": 1763850000000}, 1763850000.0),
    ],
)
def test_an_event_without_a_time_takes_the_envelopes(envelope: dict[str, Any], seconds: float) -> None:
    (event,) = decode({**envelope, "log": TIMELESS.decode()})
    assert isinstance(event, Event) and event.time == seconds
    (event,) = decode({**envelope, "log": NATIVE.decode()})
    assert isinstance(event, Event) and event.time == 1795415000.0


def test_what_the_envelope_says_is_kept() -> None:
    (event,) = decode({"log": NATIVE.decode(), "host": "web-1", "file": "/x"})
    assert isinstance(event, Event)
    assert event.attributes == {"shipper.host": "web-1", "shipper.file": "/x"}


def test_an_unknown_shape_is_named_by_its_keys() -> None:
    (reject,) = decode({"zeta": 1, "alpha": {"secret": 2}})
    assert isinstance(reject, Reject)
    assert reject.shape == "alpha,zeta"
    (reject,) = decode({f"key{number:03}" * 20: 1 for number in range(500)})
    assert isinstance(reject, Reject)
    assert reject.shape.count(",") == SHAPE_KEYS and len(reject.shape) < 600


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, zlib.compress])
def test_a_bomb_is_refused_at_the_limit(pack: Any) -> None:
    bomb = pack(b"0" * 50_000_000)
    (reject,) = Recogniser(LimitSettings(record_bytes=1 << 20)).decode(bomb).items
    assert isinstance(reject, Reject)
    assert reject.reason == ("undecodable" if pack is zlib.compress else "too_large")


def test_what_came_before_changes_nothing() -> None:
    values = [NATIVE, OTLP, b'{"x":1}', json.dumps({"log": NATIVE.decode()}).encode()]
    alone = [Recogniser().decode(value) for value in values]
    for first in range(len(values)):
        recogniser = Recogniser()
        recogniser.decode(values[first])
        assert [recogniser.decode(value) for value in values] == alone
