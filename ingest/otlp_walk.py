"""OTLP/JSON as plain Python values, in every dialect: the collector's, the SDKs', protobuf's own printer."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

from ingest.draft import Attributes, Span, resource_fields
from ingest.otlp_export import Log, TooDeep
from ingest.times import epoch

Json = dict[str, Any]

_KINDS = {"SPAN_KIND_INTERNAL": 1, "SPAN_KIND_SERVER": 2, "SPAN_KIND_CLIENT": 3, "SPAN_KIND_PRODUCER": 4}
_FAILED = frozenset((2, "2", "STATUS_CODE_ERROR", "ERROR", "Error"))
_TEXTS = frozenset(("stringValue", "string_value"))
_DOUBLES = frozenset(("doubleValue", "double_value"))
_NUMBERS = {"intValue": int, "int_value": int, **dict.fromkeys(_DOUBLES, float)}
_ZEROS = "0" * 32
_LOG_TIMES = ("timeUnixNano", "time_unix_nano", "observedTimeUnixNano", "observed_time_unix_nano")
LATEST = 4_294_967_296_000_000_000  # nanoseconds; the year 2106


def walk(document: Json, signal: str, leaf: str) -> Iterator[tuple[Json, str, Any]]:
    """(fields of the resource, name of the scope, record) for each record of a signal, in order."""
    for group in _list(document, f"resource{signal}", f"resource_{signal.lower()}"):
        if not isinstance(group, dict):
            continue
        resource = group.get("resource")
        fields = resource_fields(attributes_of(resource)) if isinstance(resource, dict) else {}
        scopes = _list(group, f"scope{signal}", f"scope_{signal.lower()}")
        for part in scopes or _list(group, f"instrumentationLibrary{signal}", ""):
            if not isinstance(part, dict):
                continue
            scope = part.get("scope") or part.get("instrumentationLibrary")
            name = scope.get("name") if isinstance(scope, dict) else ""
            for record in _list(part, leaf, "log_records"):
                yield fields, name if isinstance(name, str) else "", record


def _list(holder: Json, camel: str, snake: str) -> list[Any]:
    found = holder.get(camel) or holder.get(snake)
    return found if isinstance(found, list) else []


def attributes_of(holder: Json, depth: int = 64) -> Attributes:
    """Key-value pairs as a plain dict; of a key given twice the last value counts."""
    attributes: Attributes = {}
    pairs = holder.get("attributes")
    if not pairs:
        return attributes
    try:
        for pair in pairs:
            key = pair["key"]
            for kind, value in pair["value"].items():  # one at most: it is a union
                attributes[key] = (
                    value if type(value) is str and kind in _TEXTS else single(kind, value, depth)
                )
        "".join(attributes)  # raises where a key is no text
    except (KeyError, TypeError, AttributeError):
        return _odd_attributes(pairs, depth)
    return attributes


def _odd_attributes(pairs: Any, depth: int) -> Attributes:
    """The same for what keeps to no rule: a plain object, pairs without a value."""
    if isinstance(pairs, dict):
        return {str(key): plain(value, depth) for key, value in pairs.items()}
    attributes: Attributes = {}
    for pair in pairs if isinstance(pairs, list) else ():
        if isinstance(pair, dict) and isinstance(pair.get("key"), str):
            attributes[pair["key"]] = any_value(pair.get("value"), depth)
    return attributes


def any_value(value: Any, depth: int) -> Any:
    """An AnyValue as a Python value; an empty one is None."""
    if not isinstance(value, dict):
        return value
    kind, inner = next(iter(value.items()), ("", None))
    return single(kind, inner, depth)


def single(kind: str, value: Any, depth: int) -> Any:
    """What stands under one key of an AnyValue: numbers may be text, and whole ones are no floats."""
    if type(value) is dict:
        return plain(value, depth) if value or not kind.startswith("array") else []
    if type(value) is str and kind in _NUMBERS and len(value) <= 40:
        try:
            return _NUMBERS[kind](value)
        except (ValueError, OverflowError):
            return value
    return float(value) if type(value) is int and kind in _DOUBLES and abs(value) < LATEST else value


def plain(value: Any, depth: int) -> Any:
    """An ArrayValue as a list, a KeyValueList as a dict. Raises TooDeep."""
    if depth <= 0:
        raise TooDeep
    if not isinstance(value, dict):
        return value
    items = value.get("values")
    if not isinstance(items, list):
        return {} if items is None and not value else {str(k): plain(v, depth - 1) for k, v in value.items()}
    if items and isinstance(items[0], dict) and "key" in items[0]:
        pairs = (item for item in items if isinstance(item, dict))
        return {str(pair.get("key")): any_value(pair.get("value"), depth - 1) for pair in pairs}
    return [any_value(item, depth - 1) for item in items]


def as_span(span: Json, scope: str, depth: int) -> Span:
    get = span.get
    trace, own, parent = get("traceId"), get("spanId"), get("parentSpanId")
    if trace is None:
        trace, own, parent = get("trace_id"), get("span_id"), get("parent_span_id")
    kind, name, events, status = get("kind", 0), get("name", ""), get("events"), get("status")
    start = get("startTimeUnixNano") or get("start_time_unix_nano")
    end = get("endTimeUnixNano") or get("end_time_unix_nano")
    failed, message = (
        outcome(status.get("code"), status.get("message")) if isinstance(status, dict) else (False, "")
    )
    return Span(
        hex_id(trace, 32),
        hex_id(own, 16) if own else "",
        hex_id(parent, 16) if parent else "",
        name if type(name) is str else "",
        span_kind(kind),
        nanoseconds(start),
        nanoseconds(end),
        attributes_of(span, depth),
        _events(events, depth) if events else [],
        failed,
        message,
        scope,
    )


def as_log(entry: Any, scope: str, depth: int) -> Log | None:
    """None: nothing that can be read."""
    if not isinstance(entry, dict):
        return None
    span = as_span(entry, scope, depth)
    span.start = next((time for time in map(nanoseconds, map(entry.get, _LOG_TIMES)) if time), 0)
    name = entry.get("eventName") or entry.get("event_name")
    return Log(span, any_value(entry.get("body"), depth), name if isinstance(name, str) else "")


def span_kind(kind: Any) -> int:
    if type(kind) is int:
        return kind
    return _KINDS.get(kind, 0) if type(kind) is str else 0


def outcome(code: Any, message: Any) -> tuple[bool, str]:
    """Whether a status means failure, and what it says."""
    failed = isinstance(code, int | str) and code in _FAILED
    return failed, message[:4096] if isinstance(message, str) else ""


def _events(events: Any, depth: int) -> list[tuple[str, Attributes]]:
    if not isinstance(events, list):
        return []
    return [
        (str(event.get("name", "")), attributes_of(event, depth))
        for event in events[:1024]
        if isinstance(event, dict)
    ]


def nanoseconds(value: Any) -> int:
    """Epoch nanoseconds, given as text or number; 0 where they are none."""
    try:
        nano = int(value)
    except (TypeError, ValueError, OverflowError):
        return int((epoch(value) or 0.0) * 1e9)
    return nano if 0 <= nano < LATEST else 0


def hex_id(value: Any, length: int) -> str:
    """A trace or span id in lower-case hex; protobuf's own printer writes base64. "" where it is none."""
    if type(value) is not str or not value:
        return ""
    if len(value) == length:
        return "" if value == _ZEROS[:length] else value.lower()
    if len(value) == -(-length // 6) * 4:
        try:
            return hex_id(base64.b64decode(value, validate=True).hex(), length)
        except binascii.Error:
            return value
    return value[:64]
