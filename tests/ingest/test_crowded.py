"""A record of as many events as it may hold costs what its events cost, and holds nobody up for long."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import msgspec
import pytest
from parts import pace
from parts.watchers import Every

from ingest.recognise import Recogniser
from tocsin import core
from tocsin.core import Instance, PartitionState, Plan, Unpacked, step
from tocsin.history import Seen
from tocsin.model import Event, Partition, Record, Signals
from tocsin.settings import ContentSettings, EngineSettings, LimitSettings, ReadingSettings
from tocsin.signals import read
from tocsin.simulator import Simulator, native
from tocsin.unpack import Unpacker

MOST = LimitSettings().events_per_record
PLACE = Partition("log", 0)


def calls(count: int) -> list[bytes]:
    """Events as small as they can be and still tell something."""
    return [b'{"tocsin":1,"time":1.8e9,"user":"u%d"}' % (number % 900) for number in range(count)]


def together(parts: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(parts) + b"]"


def spans(count: int) -> bytes:
    span = b'{"attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}}]}'
    return b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b",".join([span] * count) + b"]}]}]}"


def unpacked(records: Iterable[bytes]) -> list[Unpacked]:
    unpack = Unpacker(Recogniser())
    found = [unpack(Record(PLACE, offset, offset + 1, 1.8e9, value)) for offset, value in enumerate(records)]
    return [Unpacked(offset, offset + 1, 1.8e9, items, 0) for offset, items in enumerate(found)]


def work_off(records: Sequence[bytes]) -> int:
    """From bytes to rows."""
    unread = ReadingSettings(enabled=False)  # there is no text
    plan = Plan(instances=(Instance("every", "every", Every(n=1000)),), reading=unread)
    return len(step(plan, PartitionState.fresh(plan, "log", 0), unpacked(records)).events)


def test_many_events_in_one_record_cost_no_more_than_each_in_its_own() -> None:
    parts = calls(5_000)
    assert work_off([together(parts)]) == work_off(parts) == len(parts)
    crowd = pace.seconds(lambda: work_off([together(parts)]))
    alone = pace.seconds(lambda: work_off(parts))
    assert crowd < 2 * alone


def test_slices_of_a_record_give_the_rows_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = [native(event) for event in Simulator(seed=3, duration_seconds=900.0, rate=1.0).events()]
    records = [together(fleet[start : start + 200]) for start in range(0, len(fleet), 200)]
    sizes: list[int] = []

    def counted(seen: Sequence[Seen], content: ContentSettings, reading: ReadingSettings) -> list[Signals]:
        sizes.append(len(seen))
        return list(read(seen, content, reading))

    monkeypatch.setattr(core, "read", counted)

    def rows(part: int) -> bytes:
        monkeypatch.setattr(core, "PART", part)
        sizes.clear()
        plan = Plan(
            instances=(Instance("every", "every", Every(n=10)),), reading=ReadingSettings(enabled=False)
        )
        state = PartitionState.fresh(plan, "log", 0)
        batches = [step(plan, state, unpacked(records)), core.finish(plan, state)]
        assert max(sizes) < 2 * part
        return msgspec.msgpack.encode([(batch.events, batch.alerts, batch.rejects) for batch in batches])

    assert len(records) > 3
    assert rows(7) == rows(64) == rows(200)


def test_a_full_record_is_through_long_before_it_counts_as_stuck() -> None:
    value = together(calls(MOST))
    assert pace.seconds(lambda: work_off([value]), 2) < EngineSettings().stuck_seconds / 50


@pytest.mark.parametrize("value", [together(calls(MOST)), spans(13_000)], ids=["native", "otlp"])
def test_decoding_a_full_record_takes_microseconds_an_event(value: bytes) -> None:
    decode = Recogniser().decode
    items = decode(value).items
    assert all(type(item) is Event for item in items)
    assert pace.seconds(lambda: decode(value)) / len(items) < 50e-6


def test_what_is_beyond_a_full_record_is_not_decoded() -> None:
    decode = Recogniser().decode
    full, twice = together(calls(MOST)), together(calls(2 * MOST))
    assert msgspec.msgpack.encode(decode(twice).items[:MOST]) == msgspec.msgpack.encode(decode(full).items)
    assert len(decode(twice).items) == MOST + 1
    assert pace.seconds(partial(decode, twice)) < 2 * pace.seconds(partial(decode, full))
