"""Decoding beside the floor of the libraries it stands on, and auto-detection beside a forced format.

    python -m bench.decode [rounds]

Per core. Product and floor take turns on the same records in one run; a figure is the median over the
rounds, a ratio the median of the rounds' ratios. The last line is the result in JSON.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from time import process_time
from typing import Any, NamedTuple

import msgspec
import orjson

from bench.core import wire_events
from ingest import DECODERS
from ingest.native import NativeDecoder
from ingest.otlp import OtlpDecoder
from ingest.otlp_proto import OtlpProtoDecoder
from ingest.recognise import decoder
from tocsin import registry
from tocsin.model import Event
from tocsin.settings import LimitSettings

SPANS = 200  # a record
RECORDS = 25
ROUNDS = 15

Json = dict[str, Any]
Decode = Callable[[bytes], Any]


class Contest(NamedTuple):
    """Two ways through the same records; `goal` is the least share of the floor's speed."""

    name: str
    product: Decode
    floor: Decode
    records: Sequence[bytes]
    events: int
    goal: float | None


def spans_of(count: int, seed: int = 3) -> list[Json]:
    """Model calls as the Collector writes them, eight attributes each."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        texts = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.response.model": "gpt-5-mini-2026-08-07",
            "gen_ai.response.id": f"chatcmpl-{chance.getrandbits(96):024x}",
            "gen_ai.conversation.id": f"session-{number // 6}",
        }
        pairs: list[Json] = [{"key": key, "value": {"stringValue": text}} for key, text in texts.items()]
        for key, most in (("gen_ai.usage.input_tokens", 2000), ("gen_ai.usage.output_tokens", 600)):
            pairs.append({"key": key, "value": {"intValue": str(chance.randrange(most))}})
        start = 1_800_000_000_000_000_000 + number * 1_000_000
        made.append(
            {
                "traceId": f"{chance.getrandbits(128):032x}",
                "spanId": f"{chance.getrandbits(64):016x}",
                "parentSpanId": f"{chance.getrandbits(64):016x}",
                "name": "chat gpt-5-mini",
                "kind": 3,
                "startTimeUnixNano": str(start),
                "endTimeUnixNano": str(start + chance.randrange(10**9)),
                "attributes": pairs,
                "status": {},
            }
        )
    return made


def request(spans: Iterable[Json]) -> Json:
    service = [{"key": "service.name", "value": {"stringValue": "helpdesk"}}]
    scope = {"scope": {"name": "opentelemetry.instrumentation.openai_v2"}, "spans": list(spans)}
    return {"resourceSpans": [{"resource": {"attributes": service}, "scopeSpans": [scope]}]}


def json_records() -> list[bytes]:
    return [orjson.dumps(request(spans_of(SPANS, seed))) for seed in range(RECORDS)]


def proto_records() -> list[bytes]:
    return [_binary(request(spans_of(SPANS, seed))) for seed in range(RECORDS)]


def _binary(request: Json) -> bytes:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    message = ExportTraceServiceRequest()
    for group in request["resourceSpans"]:
        ours = message.resource_spans.add()
        _fill(ours.resource.attributes, group["resource"]["attributes"])
        for part in group["scopeSpans"]:
            scope = ours.scope_spans.add()
            scope.scope.name = part["scope"]["name"]
            for span in part["spans"]:
                one = scope.spans.add(name=span["name"], kind=span["kind"])
                one.trace_id, one.span_id = bytes.fromhex(span["traceId"]), bytes.fromhex(span["spanId"])
                one.parent_span_id = bytes.fromhex(span["parentSpanId"])
                one.start_time_unix_nano = int(span["startTimeUnixNano"])
                one.end_time_unix_nano = int(span["endTimeUnixNano"])
                _fill(one.attributes, span["attributes"])
    return message.SerializeToString()


def _fill(attributes: Any, pairs: Iterable[Json]) -> None:
    for pair in pairs:
        value = attributes.add(key=pair["key"]).value
        if "intValue" in pair["value"]:
            value.int_value = int(pair["value"]["intValue"])
        else:
            value.string_value = pair["value"]["stringValue"]


def native_records(count: int) -> list[bytes]:
    """Calls without content: names, tokens, times."""
    bare = [
        msgspec.structs.replace(msgspec.json.decode(value, type=Event), input=(), output=())
        for value in wire_events(count)
    ]
    return [msgspec.json.encode(event) for event in bare]


def bare_json(value: bytes) -> int:
    """The parse, and a look at each span and each of its attributes."""
    seen = 0
    for group in orjson.loads(value)["resourceSpans"]:
        for part in group["scopeSpans"]:
            for span in part["spans"]:
                found = {}
                for pair in span["attributes"]:
                    for one in pair["value"].values():
                        found[pair["key"]] = one
                seen += bool(span["traceId"] and span["spanId"] and span["name"])
                seen += int(span["endTimeUnixNano"]) > int(span["startTimeUnixNano"])
    return seen


def bare_proto() -> Decode:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    def walk(value: bytes) -> int:
        message, seen = ExportTraceServiceRequest(), 0
        message.ParseFromString(value)
        for group in message.resource_spans:
            for part in group.scope_spans:
                for span in part.spans:
                    found = {}
                    for pair in span.attributes:
                        one = pair.value
                        found[pair.key] = getattr(one, str(one.WhichOneof("value")))
                    seen += bool(span.trace_id and span.span_id and span.name)
                    seen += span.end_time_unix_nano > span.start_time_unix_nano
        return seen

    return walk


def contests() -> Iterable[Contest]:
    typed = msgspec.json.Decoder(Event).decode
    spoken, bare = wire_events(4000), native_records(4000)
    traces, binary = json_records(), proto_records()
    spans = RECORDS * SPANS
    yield Contest("otlp json / orjson + walk", OtlpDecoder().decode, bare_json, traces, spans, 0.7)
    proto = OtlpProtoDecoder().decode
    yield Contest("otlp protobuf / library + walk", proto, bare_proto(), binary, spans, None)
    yield Contest("native, 1.3 KB / msgspec", NativeDecoder().decode, typed, spoken, len(spoken), 0.6)
    yield Contest("native, bare / msgspec", NativeDecoder().decode, typed, bare, len(bare), 0.6)
    limits = LimitSettings()
    for name, records, events in (
        ("native", spoken, len(spoken)),
        ("otlp", traces, spans),
        ("otlp_proto", binary, spans),
        ("litellm", litellm_records(), 2000),
    ):
        auto, forced = decoder("auto", limits).decode, decoder(name, limits).decode
        reader: Decode = registry.resolve(DECODERS[name])(limits).decode
        yield Contest(f"auto / forced, {name}", auto, forced, records, events, 0.9)
        yield Contest(f"auto / bare reader, {name}", auto, reader, records, events, None)


def litellm_records() -> list[bytes]:
    """StandardLoggingPayloads, one a record."""
    made = []
    for number in range(2000):
        question = {"role": "user", "content": f"Question {number}: what is the capital of France?"}
        answer = {"role": "assistant", "content": "The capital of France is Paris."}
        made.append(
            {
                "id": f"chatcmpl-{number:024x}",
                "litellm_call_id": f"call-{number}",
                "trace_id": f"session-{number // 6}",
                "call_type": "completion",
                "status": "success",
                "custom_llm_provider": "openai",
                "model": "gpt-5-mini",
                "response_cost": 0.0001,
                "startTime": 1.8e9 + number,
                "endTime": 1.8e9 + number + 0.5,
                "prompt_tokens": 22,
                "completion_tokens": 11,
                "total_tokens": 33,
                "hidden_params": {},
                "metadata": {"user_api_key_hash": f"hash-{number % 9}"},
                "messages": [question],
                "response": {"choices": [{"finish_reason": "stop", "index": 0, "message": answer}]},
            }
        )
    return [orjson.dumps(payload) for payload in made]


def seconds(decode: Decode, records: Sequence[bytes]) -> float:
    start = process_time()
    for record in records:
        decode(record)
    return process_time() - start


def compete(contest: Contest, rounds: int) -> Json:
    """Microseconds an event of both, and the share of the floor's speed."""
    product, floor = [], []
    for _ in range(rounds):
        product.append(seconds(contest.product, contest.records))
        floor.append(seconds(contest.floor, contest.records))
    ratios = sorted(low / high for low, high in zip(floor, product, strict=True))
    each = 1e6 / contest.events
    return {
        "product us": statistics.median(product) * each,
        "floor us": statistics.median(floor) * each,
        "ratio": statistics.median(ratios),
        "spread": [ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]],
        "goal": contest.goal,
    }


def slowest() -> Json:
    """Milliseconds of one event as big as a record may be, and of a record full of events."""
    words = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "word " * 20}]}] * 6000)
    big = spans_of(1)[0]
    big["attributes"].append({"key": "gen_ai.input.messages", "value": {"stringValue": words[:900_000]}})
    crowd = [{"traceId": "1" * 32, "attributes": spans_of(1)[0]["attributes"][:1]} for _ in range(7000)]
    cases = {
        "one event of 1 MiB": orjson.dumps(request([big])),
        "1 MiB of spans": orjson.dumps(request(crowd)),
        "native, 20,000 events": b"[" + b",".join([b'{"tocsin":1,"time":1.8e9}'] * 20_000) + b"]",
    }
    decode = decoder("auto", LimitSettings()).decode
    return {
        name: min(seconds(decode, [record]) for _ in range(5)) * 1e3 for name, record in cases.items()
    } | {"sizes": [len(record) for record in cases.values()]}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    figures: Json = {}
    for contest in contests():
        figure = figures[contest.name] = compete(contest, rounds)
        goal = f", goal {contest.goal:.0%}" if contest.goal else ""
        print(
            f"{contest.name:32} {figure['product us']:7.2f} us, floor {figure['floor us']:6.2f} us an event: "
            f"{figure['ratio']:.0%} [{figure['spread'][0]:.0%}-{figure['spread'][1]:.0%}]{goal}"
        )
    figures["slowest, ms"] = slowest()
    print(f"slowest, ms: {figures['slowest, ms']}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
