"""Frames carry what they were given, and nothing that arrives as one can do harm."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin import frame
from tocsin.model import Event, Message, Partition, Record, Reject


def _record(value: bytes) -> Record:
    return Record(Partition("exchange.1", 3), 7, 8, 1_700_000_000.5, value)


def _items(count: int, text: str = "hello") -> list[Event | Reject]:
    events: list[Event | Reject] = [
        Event(
            source="llm.events",
            source_partition=2,
            source_offset=number,
            tenant="acme",
            application=f"app-{number % 3}",
            input=(Message("user", text),),
            input_tokens=number,
            attributes={"pod": "a"},
        )
        for number in range(count)
    ]
    events.insert(count // 2, Reject(reason="invalid", source="llm.events", source_offset=99))
    return events


def test_items_come_back_in_their_order() -> None:
    items = _items(200)
    made = list(frame.frames(items))
    assert [item for value in made for item in frame.unpack(_record(value)).items] == items
    assert len(made) == 4  # 201 items, 64 a frame


def test_place_and_arrival_are_the_exchange_records() -> None:
    (value,) = frame.frames(_items(2))
    unpacked = frame.unpack(_record(value))
    assert (unpacked.offset, unpacked.next_offset, unpacked.arrival) == (7, 8, 1_700_000_000.5)
    assert unpacked.size == len(value)


def test_a_frame_is_closed_by_bytes() -> None:
    made = list(frame.frames(_items(20, text="x" * 60_000)))
    assert all(len(value) <= frame.BYTES for value in made)
    assert len(made) == 5


def test_backfill_and_live_items_never_share_a_frame() -> None:
    framer = frame.Framer()
    assert framer.add(Event(id="old"), backfill=True) is None
    old = framer.add(Event(id="new"))
    new = framer.close()
    assert old is not None and new is not None
    assert frame.unpack(_record(old)).backfill
    assert not frame.unpack(_record(new)).backfill
    assert framer.close() is None


def test_an_event_of_a_full_size_source_record_fits() -> None:
    large = Event(input=(Message("user", "é" * ((1 << 20) // 2)),))
    (value,) = frame.frames([large])
    assert frame.unpack(_record(value)).items == [large]


def test_an_event_that_fits_no_frame_is_refused_with_its_place() -> None:
    large = Event(source="t", source_partition=1, source_offset=5, source_index=2, tenant="acme")
    large = msgspec.structs.replace(large, input=(Message("user", "x" * (frame.LIMIT + 1)),))
    (value,) = frame.frames([large])
    (item,) = frame.unpack(_record(value)).items
    assert isinstance(item, Reject)
    assert item.reason == "too_large" and item.size > frame.LIMIT and len(item.sha256) == 64
    assert (item.source, item.source_partition, item.source_offset, item.source_index) == ("t", 1, 5, 2)
    assert item.tenant == "acme"


def test_what_cannot_be_written_is_refused_and_its_neighbours_go_on() -> None:
    broken = Event(source="t", source_offset=1, tenant="\ud800", user="\ud800")
    huge = Event(source="t", source_offset=2, input_tokens=1 << 70)
    (value,) = frame.frames([broken, Event(id="fine"), huge])
    first, fine, last = frame.unpack(_record(value)).items
    assert isinstance(first, Reject) and isinstance(last, Reject)
    assert {first.reason, last.reason} == {"invalid"}
    assert first.source_offset == 1 and last.source_offset == 2
    assert fine == Event(id="fine")


def test_a_tick_holds_nothing_and_brings_the_time() -> None:
    unpacked = frame.unpack(_record(frame.TICK))
    assert list(unpacked.items) == [] and unpacked.arrival == 1_700_000_000.5


def test_a_frame_of_a_newer_version_is_named() -> None:
    (item,) = frame.unpack(_record(b"\x02\x00\x90")).items
    assert isinstance(item, Reject) and "newer Tocsin" in item.detail
    (item,) = frame.unpack(_record(b"\x01\x02\x90")).items
    assert isinstance(item, Reject) and item.reason == "undecodable"


def test_a_damaged_frame_becomes_one_reject() -> None:
    (value,) = frame.frames(_items(10))
    (item,) = frame.unpack(_record(value[:-3])).items
    assert isinstance(item, Reject)
    assert item.reason == "undecodable" and item.size == len(value) - 3
    assert (item.source, item.source_partition, item.source_offset) == ("exchange.1", 3, 7)


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_bytes_of_any_kind_do_no_harm(value: bytes) -> None:
    assert frame.unpack(_record(value)).size == len(value)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_flipped_bytes_do_no_harm(data: st.DataObject) -> None:
    (value,) = frame.frames(_items(3))
    damaged = bytearray(value)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    items = frame.unpack(_record(bytes(damaged))).items
    assert all(isinstance(item, Event | Reject) for item in items)


def test_nesting_does_no_harm() -> None:
    deep = b"\x01\x00" + b"\x91" * 200_000
    (item,) = frame.unpack(_record(deep)).items
    assert isinstance(item, Reject)
