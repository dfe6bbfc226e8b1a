"""Bodies at the door: what is an export request, how many parts it has, and how a large one is cut."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import http_events, http_otlp
from ingest.http_message import (
    JSON,
    PROTOBUF,
    Head,
    Malformed,
    TooLong,
    bytes_field,
    expanded,
    refusal,
    text_field,
    varint,
    varint_field,
)
from ingest.http_otlp import LOGS, METRICS, TRACES, Signal

trace_service_pb2 = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
json_format = pytest.importorskip("google.protobuf.json_format")
logs_service_pb2 = pytest.importorskip("opentelemetry.proto.collector.logs.v1.logs_service_pb2")
LIMIT = 1 << 20


def document(spans: int, resources: int = 2, scopes: int = 2, size: int = 50) -> dict[str, Any]:
    """Spans named by a number each."""
    numbers = iter(range(resources * scopes * spans))
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": f"s{r}"}}]},
                "scopeSpans": [
                    {
                        "scope": {"name": f"scope{s}"},
                        "spans": [
                            {"name": f"{next(numbers)}", "attributes": [text("prompt", "é" * size)]}
                            for _ in range(spans)
                        ],
                        "schemaUrl": "u",
                    }
                    for s in range(scopes)
                ],
            }
            for r in range(resources)
        ]
    }


def text(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


def protobuf(made: dict[str, Any]) -> bytes:
    request = json_format.ParseDict(made, trace_service_pb2.ExportTraceServiceRequest())
    return bytes(request.SerializeToString())


def spans_of(body: bytes, content_type: str) -> list[tuple[str, str, str]]:
    """(service, scope, name of the span) for each, as a foreign parser reads them."""
    if content_type == PROTOBUF:
        made = json_format.MessageToDict(trace_service_pb2.ExportTraceServiceRequest.FromString(body))
    else:
        made = json.loads(body)
    return [
        (resource["resource"]["attributes"][0]["value"]["stringValue"], scope["scope"]["name"], span["name"])
        for resource in made["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def encoded(made: dict[str, Any], content_type: str) -> bytes:
    return protobuf(made) if content_type == PROTOBUF else json.dumps(made).encode()


@pytest.mark.parametrize("content_type", [JSON, PROTOBUF])
def test_a_body_that_fits_is_kept_byte_for_byte(content_type: str) -> None:
    body = encoded(document(3), content_type)
    found = http_otlp.parcel(TRACES, content_type, body, LIMIT)
    assert (list(found.records), found.accepted, found.rejected) == ([body], 12, 0)


@pytest.mark.parametrize("content_type", [JSON, PROTOBUF])
@pytest.mark.parametrize("limit", [1000, 3000, 20_000])
def test_a_large_body_is_cut_between_spans_and_loses_none(content_type: str, limit: int) -> None:
    made = document(60)
    body = encoded(made, content_type)
    found = http_otlp.parcel(TRACES, content_type, body, limit)
    assert all(len(record) <= limit for record in found.records)
    assert [span for record in found.records for span in spans_of(record, content_type)] == spans_of(
        body, content_type
    )
    assert (found.accepted, found.rejected) == (240, 0)
    assert len(found.records) < 2.5 * len(body) / limit + 4


@pytest.mark.parametrize("content_type", [JSON, PROTOBUF])
def test_a_span_that_fits_no_record_is_refused_and_said_so(content_type: str) -> None:
    made = document(3, resources=1, scopes=1)
    made["resourceSpans"][0]["scopeSpans"][0]["spans"][1]["attributes"] = [text("prompt", "x" * 3000)]
    found = http_otlp.parcel(TRACES, content_type, encoded(made, content_type), 1500)
    assert (found.accepted, found.rejected) == (2, 1)
    assert [name for record in found.records for _, _, name in spans_of(record, content_type)] == ["0", "2"]
    answer = http_otlp.accepted(TRACES, content_type, found.rejected, found.message)
    assert answer.code == 200 and answer.content_type == content_type
    if content_type == PROTOBUF:
        partial = trace_service_pb2.ExportTraceServiceResponse.FromString(answer.body).partial_success
        assert (partial.rejected_spans, partial.error_message) == (1, "1 larger than 1500 bytes: not kept")
    else:
        told = json.loads(answer.body)["partialSuccess"]
        assert told == {"rejectedSpans": "1", "errorMessage": "1 larger than 1500 bytes: not kept"}


def test_full_success_is_an_empty_response() -> None:
    assert http_otlp.accepted(TRACES, PROTOBUF, 0, "").body == b""
    assert http_otlp.accepted(LOGS, JSON, 0, "").body == b"{}"


def test_logs_are_counted_and_refused_by_their_own_names() -> None:
    request = logs_service_pb2.ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for size in (10, 5000, 20):
        records.add().body.string_value = "x" * size
    found = http_otlp.parcel(LOGS, PROTOBUF, request.SerializeToString(), 1000)
    assert (found.accepted, found.rejected) == (2, 1)
    answer = http_otlp.accepted(LOGS, PROTOBUF, 1, "why")
    partial = logs_service_pb2.ExportLogsServiceResponse.FromString(answer.body).partial_success
    assert (partial.rejected_log_records, partial.error_message) == (1, "why")
    made = {"resource_logs": [{"scope_logs": [{"log_records": [{"body": {"stringValue": "x"}}] * 3}]}]}
    assert http_otlp.parcel(LOGS, JSON, json.dumps(made).encode(), LIMIT).accepted == 3


def test_metrics_are_taken_and_dropped() -> None:
    assert http_otlp.parcel(METRICS, JSON, b'{"resourceMetrics": []}', LIMIT).records == ()
    assert http_otlp.parcel(METRICS, PROTOBUF, b"\x0a\x00", LIMIT).records == ()


@pytest.mark.parametrize(("content_type", "body"), [(JSON, b"{}"), (PROTOBUF, b"")])
def test_an_empty_request_is_a_good_one_and_no_record(content_type: str, body: bytes) -> None:
    assert http_otlp.parcel(TRACES, content_type, body, LIMIT).records == ()


def test_json_that_others_write_is_read() -> None:
    for body in (b'\xef\xbb\xbf{"resourceSpans":[]}', b'{"x": NaN}', b'{"x": "\\ud83d"}', b'{"x": "\xff"}'):
        assert list(http_otlp.parcel(TRACES, JSON, body, LIMIT).records) == [body]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b"{", b'{"resourceSpans":[}', b"[" * 100_000, b"\x0a\x00"]
)
def test_what_is_no_json_request_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        http_otlp.parcel(TRACES, JSON, body, LIMIT)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"resourceSpans":[]}',
        b"\x0a",
        b"\x0a\x05\x12",
        b"\x08\x01",
        b"\x0b\x0c",
        b"\xff" * 20,
        b"\x00",
    ],
)
def test_what_is_no_protobuf_request_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        http_otlp.parcel(TRACES, PROTOBUF, body, LIMIT)


def test_fields_that_are_newer_than_we_are_kept_and_passed_over() -> None:
    newer = varint_field(9, 300) + b"\x51" + bytes(8) + b"\x55" + bytes(4) + bytes_field(700, b"new")
    span = text_field(5, "x" * 800)
    scope = bytes_field(1, text_field(1, "scope")) + b"".join(bytes_field(2, span + newer) for _ in range(4))
    body = newer + bytes_field(1, newer + bytes_field(2, scope))
    assert http_otlp.count(body) == 4
    pieces = list(http_otlp.cut_protobuf(body, 1800))
    assert len(pieces) == 2 and all(piece and newer in piece for piece in pieces)


@given(st.binary(max_size=300), st.sampled_from([TRACES, LOGS]), st.sampled_from([JSON, PROTOBUF]))
@settings(max_examples=300)
def test_whatever_comes_is_a_parcel_or_malformed(body: bytes, signal: Signal, content_type: str) -> None:
    try:
        found = http_otlp.parcel(signal, content_type, body, 40)
    except Malformed:
        return
    assert all(0 < len(record) <= 40 for record in found.records)


@given(st.integers(0, 1 << 63))
def test_varints_are_read_as_they_are_written(number: int) -> None:
    (field,) = http_otlp.fields(memoryview(varint_field(1, number) or b"\x08\x00"))
    assert bytes(field.whole)[1:] == varint(number)


def test_errors_are_a_status_in_the_encoding_of_the_request() -> None:
    head = Head("POST", "/v1/traces", {"content-type": "application/x-protobuf; charset=x"})
    assert refusal(head, 400, "bad") == (400, b"\x08\x03\x12\x03bad", PROTOBUF, ())
    assert json.loads(refusal(None, 429, "later").body) == {"code": 8, "message": "later"}


# Content-Encoding.

BODY = b'{"tocsin":1}' * 1000
RAW_DEFLATE = zlib.compressobj(wbits=-15)
ENCODED = {
    "identity": BODY,
    "gzip": gzip.compress(BODY[:600]) + gzip.compress(BODY[600:]),
    "x-gzip": gzip.compress(BODY, mtime=0),
    "deflate": zlib.compress(BODY),
    "zstd": zstandard.compress(BODY),
}


@pytest.mark.parametrize(("encoding", "body"), ENCODED.items())
def test_every_encoding_is_undone(encoding: str, body: bytes) -> None:
    assert expanded(body, encoding, LIMIT) == BODY
    assert expanded(b"", encoding, LIMIT) == b""


def test_the_bare_kind_of_deflate_is_undone() -> None:
    assert expanded(RAW_DEFLATE.compress(BODY) + RAW_DEFLATE.flush(), "deflate", LIMIT) == BODY


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_bomb_is_given_up_at_the_bound(encoding: str) -> None:
    pack: Callable[[bytes], bytes] = zlib.compress if encoding == "deflate" else zstandard.compress
    if encoding == "gzip":
        pack = gzip.compress
    bomb = pack(bytes(100 << 20))
    with pytest.raises(TooLong):
        expanded(bomb, encoding, LIMIT)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_what_was_cut_or_is_something_else_is_malformed(encoding: str) -> None:
    for body in (ENCODED[encoding][:-5], b"neither", b"\x1f\x8b\x08"):
        with pytest.raises(Malformed):
            expanded(body, encoding, LIMIT)


# Plain JSON.


def documents(body: bytes, limit: int = LIMIT) -> list[bytes]:
    return list(http_events.parcel(body, limit).records)


def test_each_line_and_each_element_is_a_record() -> None:
    assert documents(b'{"a":1}\n\n {"b": 2} \r\n') == [b'{"a":1}', b'{"b": 2}']
    assert documents(b'[{"a":1}, {"b": [2]}]') == [b'{"a":1}', b'{"b": [2]}']
    assert documents(b'{\n "a": 1\n}') == [b'{\n "a": 1\n}']
    assert documents(b"[1]\n[2]\n") == [b"[1]", b"[2]"]
    assert documents(b'[{"a": NaN}]') == [b'{"a":null}']
    assert documents(b" \n ") == []


def test_a_line_that_is_none_is_kept_for_quarantine() -> None:
    assert documents(b'oops\n{"a":1}\n') == [b"oops", b'{"a":1}']


@pytest.mark.parametrize("body", [b"oops", b"oops\nand again", b"<html>", b"[" * 100_000, b'{"a":' * 50_000])
def test_a_body_without_a_readable_line_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        documents(body)


def test_documents_that_fit_no_record_are_refused() -> None:
    found = http_events.parcel(b'{"a":1}\n{"b":"' + b"x" * 100 + b'"}', 50)
    assert (list(found.records), found.rejected) == ([b'{"a":1}'], 1)
    told = json.loads(http_events.accepted(found).body)
    assert told == {"accepted": 1, "rejected": 1, "message": "1 larger than 50 bytes: not kept"}
