"""OTLP/HTTP at the door: is a body an export request, how many parts has it, and does it fit a record.

A body is parsed here as far as it takes to answer truthfully: JSON whole (nothing less tells that it is
JSON), protobuf down to where spans and log records begin and end. What is inside them is the decoder's
business, which comes to it in order and puts what it cannot read into quarantine. A body that is larger
than a record may be is cut between spans; one that fits is kept byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from ingest.http_message import (
    JSON,
    PROTOBUF,
    Answer,
    Malformed,
    Parcel,
    bytes_field,
    text_field,
    varint_field,
)
from ingest.lenient import Unreadable, loads

Json = dict[str, Any]


class Signal(NamedTuple):
    """A kind of telemetry, by the names that its parts have in JSON."""

    path: str
    resources: tuple[str, ...]
    scopes: tuple[str, ...]
    leaves: tuple[str, ...]
    rejected: str
    kept: bool = True


TRACES = Signal(
    "/v1/traces",
    ("resourceSpans", "resource_spans"),
    ("scopeSpans", "scope_spans", "instrumentationLibrarySpans"),
    ("spans",),
    "rejectedSpans",
)
LOGS = Signal(
    "/v1/logs",
    ("resourceLogs", "resource_logs"),
    ("scopeLogs", "scope_logs"),
    ("logRecords", "log_records"),
    "rejectedLogRecords",
)
METRICS = Signal("/v1/metrics", (), (), (), "rejectedDataPoints", kept=False)
SIGNALS = {signal.path: signal for signal in (TRACES, LOGS, METRICS)}
TOO_LONG = "{} larger than {} bytes: not kept"


def parcel(signal: Signal, content_type: str, body: bytes, limit: int) -> Parcel:
    """The records of an export request, each of at most `limit` bytes. Raises Malformed."""
    if not signal.kept or not body and content_type == PROTOBUF:
        return Parcel(())
    if content_type == PROTOBUF:
        return _whole_or_cut(body, limit, count(body), lambda: cut_protobuf(body, limit))
    document = _document(body)
    if not document:
        return Parcel(())
    return _whole_or_cut(
        body, limit, _count_json(signal, document), lambda: _cut_json(signal, document, limit)
    )


def accepted(signal: Signal, content_type: str, rejected: int, message: str) -> Answer:
    """The response to an export request: empty, or with its partial success."""
    if content_type == PROTOBUF:
        partial = varint_field(1, rejected) + text_field(2, message)
        return Answer(200, bytes_field(1, partial) if partial else b"", PROTOBUF)
    partial_json = {signal.rejected: str(rejected), "errorMessage": message} if rejected else None
    return Answer(200, orjson.dumps({"partialSuccess": partial_json} if partial_json else {}), JSON)


Pieces = Iterator[bytes | None]  # None: a span or log record that fits no record


def _whole_or_cut(body: bytes, limit: int, total: int, cut: Callable[[], Pieces]) -> Parcel:
    if len(body) <= limit:
        return Parcel((body,), total)
    pieces = list(cut())
    refused = sum(piece is None for piece in pieces)
    message = TOO_LONG.format(refused, limit) if refused else ""
    return Parcel([piece for piece in pieces if piece], total - refused, refused, message)


# JSON.


def _document(body: bytes) -> Json:
    try:
        document = loads(body)
    except Unreadable as error:
        raise Malformed(str(error)) from None
    if not isinstance(document, dict):
        raise Malformed("an export request is a JSON object")
    return document


def _list(holder: Any, names: Iterable[str]) -> list[Any]:
    found = (holder.get(name) for name in names) if isinstance(holder, dict) else ()
    return next((value for value in found if isinstance(value, list) and value), [])


def _count_json(signal: Signal, document: Json) -> int:
    return sum(
        len(_list(scope, signal.leaves))
        for resource in _list(document, signal.resources)
        for scope in _list(resource, signal.scopes)
    )


def _cut_json(signal: Signal, document: Json, limit: int) -> Pieces:
    """A request for each run of spans of one scope; resources that are small stay together."""
    resources, scopes, leaves = signal.resources, signal.scopes, signal.leaves

    def bare(holder: Any, without: tuple[str, ...]) -> Json:
        return {k: v for k, v in holder.items() if k not in without} if isinstance(holder, dict) else {}

    def request(resource: Json, scope: Json, run: Sequence[bytes]) -> bytes:
        inner = _with(orjson.dumps(scope), leaves[0], run)
        return _with(b"{}", resources[0], [_with(orjson.dumps(resource), scopes[0], [inner])])

    for resource in _list(document, resources):
        head = bare(resource, scopes)
        for scope in _list(resource, scopes):
            inner = bare(scope, leaves)
            room = limit - len(request(head, inner, ()))
            for run in _runs([orjson.dumps(leaf) for leaf in _list(scope, leaves)], room, 1):
                yield request(head, inner, run) if run else None


def _with(head: bytes, name: str, parts: Sequence[bytes]) -> bytes:
    """A JSON object with one more member: a list of what is JSON already."""
    member = b'"' + name.encode() + b'":[' + b",".join(parts) + b"]}"
    return head[:-1] + (b"," if len(head) > 2 else b"") + member


def _runs(parts: Iterable[bytes], room: int, between: int) -> Iterator[Sequence[bytes]]:
    """As many parts together as there is room for; an empty run for one that has none alone."""
    run: list[bytes] = []
    size = 0
    for part in parts:
        needed = len(part) + between
        if run and size + needed > room:
            yield run
            run, size = [], 0
        if needed > room:
            yield ()
        else:
            run.append(part)
            size += needed
    if run:
        yield run


# Protobuf: a request has resources as field 1, a resource its scopes as 2, a scope its spans as 2.


class Field(NamedTuple):
    """One field as it lies in its message, with what it carries where that is bytes."""

    number: int
    whole: memoryview
    payload: memoryview | None


def fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message, in order. Raises Malformed."""
    at, end = 0, len(message)
    while at < end:
        tag, after = _varint(message, at)
        kind, start = tag & 7, after
        if kind == 0:
            after = _varint(message, after)[1]
        elif kind == 2:
            size, start = _varint(message, after)
            after = start + size
        elif kind in (1, 5):
            after += 8 if kind == 1 else 4
        else:
            raise Malformed(f"no protobuf: wire type {kind}")
        if after > end or tag < 8:
            raise Malformed("no protobuf, or one that ends in the middle")
        yield Field(tag >> 3, message[at:after], message[start:after] if kind == 2 else None)
        at = after


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    number = shift = 0
    for byte in message[at : at + 10]:
        number |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return number, at
        shift += 7
    raise Malformed("no protobuf, or one that ends in the middle")


def _parts(message: memoryview, number: int) -> tuple[bytes, list[memoryview]]:
    """What a message is without the field, and that field's payloads. Raises Malformed."""
    head, parts = bytearray(), []
    for field in fields(message):
        if field.number != number:
            head += field.whole
        elif field.payload is None:
            raise Malformed("no export request")
        else:
            parts.append(field.payload)
    return bytes(head), parts


def count(body: bytes) -> int:
    """Spans or log records of an export request. Raises Malformed."""
    return sum(
        len(_parts(scope, 2)[1])
        for resource in _parts(memoryview(body), 1)[1]
        for scope in _parts(resource, 2)[1]
    )


def cut_protobuf(body: bytes, limit: int) -> Pieces:
    """A request for each run of spans of one scope that fits."""

    def request(resource: bytes, scope: bytes, run: Sequence[bytes]) -> bytes:
        inner = scope + b"".join(run)
        return bytes_field(1, resource + bytes_field(2, inner))

    for resource in _parts(memoryview(body), 1)[1]:
        head, scopes = _parts(resource, 2)
        for scope in scopes:
            inner, spans = _parts(scope, 2)
            room = limit - len(request(head, inner, ())) - 8  # lengths grow with what they count
            for run in _runs((bytes_field(2, bytes(span)) for span in spans), room, 0):
                yield request(head, inner, run) if run else None
