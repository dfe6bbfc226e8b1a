"""OTLP in protobuf: the same events as from JSON, whoever wrote it, and nothing out of other bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from parts import pace, recordings

from ingest import otlp_proto, otlp_wire
from ingest.otlp import OtlpDecoder
from ingest.otlp_proto import OtlpProtoDecoder, looks_like
from ingest.recognise import Recogniser
from tocsin.model import Decoded, Event, Reject
from tocsin.settings import LimitSettings

json_format = pytest.importorskip("google.protobuf.json_format")

TRACE, SPAN = bytes(range(16)), bytes(range(8))
shared = pytest.mark.skipif(not recordings.DATA.exists(), reason="the shared recordings are not here")


def text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def chat(*more: KeyValue) -> Span:
    pairs = (text("gen_ai.operation.name", "chat"), text("gen_ai.request.model", "gpt-x"), *more)
    return Span(
        trace_id=TRACE,
        span_id=SPAN,
        name="chat gpt-x",
        start_time_unix_nano=1763850000000000000,
        end_time_unix_nano=1763850001200000000,
        attributes=pairs,
    )


def traces(*spans: Span) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.append(text("service.name", "helpdesk"))
    group.scope_spans.add().spans.extend(spans)
    return request


def one(decoded: Decoded) -> Event:
    (event,) = decoded.items
    assert isinstance(event, Event), event
    return event


def plain(found: Sequence[Decoded]) -> list[Any]:
    """Canonical items, without the word for the encoding."""
    items = [msgspec.to_builtins(item) for decoded in found for item in decoded.items]
    for item in items:
        item.pop("source_format", None)
    return items


def test_a_chat_span_is_a_model_call() -> None:
    event = one(OtlpProtoDecoder().decode(traces(chat()).SerializeToString()))
    assert (event.kind, event.model, event.service) == ("llm", "gpt-x", "helpdesk")
    assert (event.time, event.duration_ms) == (1763850000.0, 1200.0)
    assert (event.trace_id, event.span_id, event.parent_span_id) == (TRACE.hex(), SPAN.hex(), "")
    assert event.source_format == "otlp_proto"


@pytest.mark.data
@shared
@pytest.mark.parametrize("name", recordings.names("protobuf"))
def test_events_equal_those_of_the_twin_in_json(name: str) -> None:
    auto = Recogniser()
    binary = [auto.decode(record) for record in recordings.records(recordings.one(name, "protobuf"))]
    json = [auto.decode(record) for record in recordings.records(recordings.one(name, "json"))]
    assert plain(binary) == plain(json)
    assert [found.ignored for found in binary] == [found.ignored for found in json]


@pytest.mark.data
@shared
@pytest.mark.parametrize("snake", [False, True])
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", recordings.names("protobuf"))
def test_what_protobufs_own_printer_makes_of_them_reads_the_same(name: str, snake: bool, whole: bool) -> None:
    """Ids in base64, enums by name, in camel or snake case, with or without empty fields."""
    binary, printed, walked = [], [], []
    for record in recordings.records(recordings.one(name, "protobuf")):
        traced = otlp_wire.signal_of(record) == "traces"
        kind = ExportTraceServiceRequest if traced else ExportLogsServiceRequest
        document = json_format.MessageToDict(
            kind.FromString(record),
            preserving_proto_field_name=snake,
            use_integers_for_enums=False,
            always_print_fields_with_no_presence=whole,
        )
        binary.append(OtlpDecoder().decode(record))
        printed.append(OtlpDecoder().decode(orjson.dumps(document)))
        walked.append(OtlpDecoder().read(document))
    assert plain(printed) == plain(walked) == plain(binary)


def reversed_fields(message: bytes, depth: int) -> bytes:
    """Fields in descending order, as the Collector writes them, messages inside as well."""
    parts: dict[int, list[bytes]] = {}
    before = 0
    for number, wire, begin, end in otlp_wire.fields(message, 0, len(message)):
        body = message[begin:end]
        if wire == 2 and depth:
            body = reversed_fields(body, depth - 1)
        parts.setdefault(number, []).append(message[before:begin] + body)
        before = end
    return b"".join(part for number in sorted(parts, reverse=True) for part in parts[number])


def test_the_order_of_fields_does_not_matter() -> None:
    ascending = traces(chat(), chat()).SerializeToString()
    descending = reversed_fields(ascending, 2)
    assert descending != ascending
    assert OtlpProtoDecoder().decode(descending) == OtlpProtoDecoder().decode(ascending)


def test_log_records_become_halves_of_calls() -> None:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.observed_time_unix_nano = 1763850000000000000
    record.trace_id, record.span_id, record.event_name = TRACE, SPAN, "gen_ai.choice"
    record.body.kvlist_value.values.append(text("finish_reason", "stop"))
    event = one(Recogniser().decode(request.SerializeToString()))
    assert (event.half, event.finish_reason, event.time) == ("log", "stop", 1763850000.0)


def test_metrics_are_known_and_ignored() -> None:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add()
    metric.name = "gen_ai.client.token.usage"
    metric.histogram.data_points.add().count = 3
    assert Recogniser().decode(request.SerializeToString()) == Decoded((), 1)


@pytest.mark.parametrize("name", ["auto", "otlp", "otlp_proto"])
def test_it_is_read_under_each_name(name: str) -> None:
    decoder = Recogniser(only="" if name == "auto" else name)
    assert one(decoder.decode(traces(chat()).SerializeToString())).model == "gpt-x"


def test_values_of_every_kind() -> None:
    values = {
        "t": AnyValue(string_value="x"),
        "i": AnyValue(int_value=-3),
        "d": AnyValue(double_value=1.0),
        "b": AnyValue(bool_value=True),
        "y": AnyValue(bytes_value=b"\x00\xff"),
        "empty": AnyValue(),
    }
    nested = AnyValue()
    for key, value in values.items():
        nested.kvlist_value.values.append(KeyValue(key=key, value=value))
    nested.kvlist_value.values.add(key="list").value.array_value.values.extend(values.values())
    event = one(
        OtlpProtoDecoder().decode(traces(chat(KeyValue(key="x.y", value=nested))).SerializeToString())
    )
    expected = {"t": "x", "i": -3, "d": 1.0, "b": True, "y": "AP8=", "empty": None}
    assert orjson.loads(event.attributes["x.y"]) == expected | {"list": list(expected.values())}


def test_without_the_extra_the_reason_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    otlp_proto._parser.cache_clear()
    monkeypatch.setattr(otlp_proto, "import_module", missing)
    (reject,) = Recogniser().decode(traces(chat()).SerializeToString()).items
    assert isinstance(reject, Reject)
    assert reject.reason == "undecodable" and "tocsin[otlp]" in reject.detail


def cut(message: bytes) -> Iterator[bytes]:
    yield from (message[:size] for size in range(len(message)))


def test_a_message_that_was_cut_is_undecodable() -> None:
    whole = traces(chat(), chat(text("x", "y"))).SerializeToString()
    for part in cut(whole):
        (reject,) = OtlpProtoDecoder().decode(part).items
        assert isinstance(reject, Reject) and reject.reason == "undecodable"


@given(st.binary(max_size=200), st.booleans())
def test_other_bytes_are_never_an_empty_request(noise: bytes, marked: bool) -> None:
    value = b"\n" + bytes((len(noise) % 128,)) + noise if marked else noise
    assert len(OtlpProtoDecoder().decode(value).items) > 0


@given(st.text())
def test_text_is_never_taken_for_it(words: str) -> None:
    assert not looks_like(("\n" + words.replace("\x12", "")).encode("utf-8", "replace"))


@pytest.mark.parametrize("start", [b"\n{", b"\n\n{", b"\n {", b"\n\t[{"])
def test_json_behind_a_blank_line_is_json(start: bytes) -> None:
    assert not looks_like(start + b'"resourceSpans":[]}' + b" " * 200)


def test_a_length_that_looks_like_json_is_none() -> None:
    """0x0A is the tag, and 0x7B a brace as well as 123."""
    for filling in range(300):
        value = traces(chat(text("fill", "x" * filling))).SerializeToString()
        assert looks_like(value)
        assert one(Recogniser().decode(value)).kind == "llm"


def test_a_value_nested_too_deep_costs_its_span() -> None:
    value = AnyValue(string_value="x")
    for _ in range(20):
        value = AnyValue(array_value=ArrayValue(values=[value]))
    request = traces(chat(KeyValue(key="deep", value=value)), chat()).SerializeToString()
    deep, sound = OtlpProtoDecoder(LimitSettings(depth=8)).decode(request).items
    assert isinstance(deep, Reject) and deep.reason == "too_deep"
    assert isinstance(sound, Event)


def test_a_mebibyte_of_empty_parts_is_bounded() -> None:
    many, size = AnyValue(), 150_000
    many.array_value.values.extend([AnyValue()] * size)
    crowded = chat()
    crowded.attributes.extend([KeyValue()] * size)
    eventful = chat()
    eventful.events.extend([Span.Event(attributes=[KeyValue()] * 200)] * 1000)
    for span in (chat(KeyValue(key="many", value=many)), crowded, eventful):
        value = traces(span).SerializeToString()
        assert pace.seconds(partial(OtlpProtoDecoder().decode, value)) < 0.25, span.name
    (reject,) = (
        OtlpProtoDecoder().decode(traces(chat(KeyValue(key="m", value=many))).SerializeToString()).items
    )
    assert isinstance(reject, Reject) and reject.reason == "too_many"
