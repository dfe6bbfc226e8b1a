"""What must hold for any bytes at all, whoever invented them: tests, fuzzers and corpora ask here."""

from __future__ import annotations

import time
from functools import cache

import msgspec

from ingest import DECODERS
from ingest.recognise import Recogniser
from tocsin.model import Event, Partition, Record, Reject
from tocsin.unpack import Unpacker

_PLACE = Partition("t", 0)


@cache
def recogniser(name: str = "") -> Recogniser:
    """One that has seen other records before."""
    return Recogniser(only=name)


@cache
def _unpacker() -> Unpacker:
    unpacker = Unpacker(recogniser())
    unpacker(Record(_PLACE, 0, 9, None, b"{compile}"))  # the patterns, which takes a moment
    return unpacker


def judge(value: bytes) -> float:
    """Recognise, unpack and redact; the CPU seconds of it. Raises AssertionError or whatever got out."""
    unpack = _unpacker()
    started = time.thread_time()
    found = recogniser().look(value)
    items = unpack(Record(_PLACE, 0, len(value), None, value))
    passed = time.thread_time() - started
    assert all(isinstance(item, Event | Reject) for item in items)
    assert len(items) == len(found.items) and found.ignored >= 0
    msgspec.msgpack.encode(items)
    msgspec.json.encode(items)
    return passed


def judge_forced(value: bytes) -> None:
    """The same for each format where it is forced, and alike for a recogniser that saw nothing before."""
    fresh, used = Recogniser().look(value), recogniser().look(value)
    assert msgspec.msgpack.encode(fresh) == msgspec.msgpack.encode(used)
    for name in DECODERS:
        if name != "auto":
            decoded = recogniser(name).decode(value)
            assert all(isinstance(item, Event | Reject) for item in decoded.items)
            msgspec.msgpack.encode(decoded.items)
