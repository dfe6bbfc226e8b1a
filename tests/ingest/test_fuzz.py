"""Twenty thousand damaged records of every format: each gives events or reasons, none takes long."""

from __future__ import annotations

import gzip
import random
import time

import msgspec
import orjson
import zstandard

from ingest.recognise import Recogniser
from tocsin.model import Event, Message, Partition, Record, Reject
from tocsin.unpack import Unpacker

INPUTS = 20_000

_EVENT = Event(
    time=1795415000.5,
    user="u-1",
    model="gpt-4o-mini",
    input_tokens=812,
    cost_usd=0.01,
    input=(Message("system", "Be brief."), Message("user", "Hello \u00e9\U0001f600")),
    attributes={"a": "b"},
)
_MESSAGES = '[{"role":"user","parts":[{"type":"text","content":"x"}]}]'
_ATTRIBUTES = [
    {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
    {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "812"}},
    {"key": "gen_ai.response.finish_reasons", "value": {"arrayValue": {"values": [{"stringValue": "stop"}]}}},
    {"key": "gen_ai.input.messages", "value": {"stringValue": _MESSAGES}},
    {"key": "gen_ai.prompt.0.tool_calls.0.name", "value": {"stringValue": "f"}},
]  # fmt: skip
_SPAN = {
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "name": "chat gpt-x",
    "startTimeUnixNano": "1763850000000000000",
    "attributes": _ATTRIBUTES,
    "events": [{"name": "exception", "attributes": _ATTRIBUTES}],
    "status": {"code": 2},
}
_LOG = {
    "traceId": "5b8efff798038103d269b633813fc60c",
    "eventName": "gen_ai.choice",
    "body": {"kvlistValue": {"values": [{"key": "message", "value": {"stringValue": "hi"}}]}},
    "attributes": _ATTRIBUTES,
}
_NATIVE = msgspec.json.encode(_EVENT)
_TRACES = orjson.dumps(
    {"resourceSpans": [{"resource": {"attributes": _ATTRIBUTES}, "scopeSpans": [{"spans": [_SPAN]}]}]}
)
SEEDS = (
    _NATIVE,
    b"[" + _NATIVE + b"]",
    _TRACES,
    orjson.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [_LOG]}]}]}),
    orjson.dumps({"@timestamp": 1763850000.5, "log": _NATIVE.decode(), "host": "h"}),
    gzip.compress(_NATIVE, mtime=0),
    zstandard.compress(_TRACES),
)
_TOKENS = (
    *b'" { } [ ] null -1 1e999 NaN , : true'.split(b" "),
    *(b"\\ud800", b"\xff", b"\x00", b"[" * 50, b"9" * 40),
)


def _damaged(seed: bytes, chance: random.Random) -> bytes:
    data = bytearray(seed)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                data[at : at + chance.randint(1, 12)] = chance.choice(_TOKENS)
            case 1:
                del data[at : at + chance.randint(1, 40)]
            case 2:
                data[at:at] = chance.choice(_TOKENS)
            case _:
                data[at : at + 1] = chance.randbytes(1)
    return bytes(data)


def test_damaged_records_give_events_or_reasons() -> None:
    chance = random.Random(7)
    unpack = Unpacker(Recogniser())
    encode = msgspec.msgpack.encode
    slowest = 0.0
    for number in range(INPUTS):
        data = _damaged(SEEDS[number % len(SEEDS)], chance)
        started = time.process_time()
        items = unpack(Record(Partition("t", 0), number, number + 1, None, data))
        slowest = max(slowest, time.process_time() - started)
        for item in items:
            assert isinstance(item, Event | Reject)
            encode(item)
    assert slowest < 0.5  # a garbage collection may fall into it
