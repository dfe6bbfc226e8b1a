"""The loop: whatever crashes or fails, the same rows are stored once."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from parts.loop import FlakyWriter, Fuse, House, Never, append, calls, filled
from parts.watchers import lively

from tocsin.checkpoint import SqliteStore
from tocsin.contracts import LogChanged, SinkRefused, SinkUnavailable, SourceUnavailable, StoreUnavailable
from tocsin.memory import Crash, Fault, MemoryLog, MemoryShelf, MemoryTables, MemoryWriter, position
from tocsin.model import Batch, Event, Partition, Reject
from tocsin.settings import QuarantineSettings

REFERENCE = House(filled(2)).run()
DOWN: list[Fault] = ["unavailable"] * 1000
LOST: list[Fault] = ["lost_reply"] * 1000


def same(house: House, reference: House = REFERENCE) -> None:
    for sink, tables in enumerate(house.tables):
        assert tables.doubled == 0
        assert house.result(sink) == reference.result()


def test_the_reference_holds_something_of_everything() -> None:
    tables = REFERENCE.tables[0]
    assert len(tables.events) > 100 and len(tables.alerts) > 50 and len(tables.rejects) > 5
    assert len(REFERENCE.fuse.passed) > 100 and tables.doubled == 0
    assert sum(minute.events for minute in tables.minutes.values()) == len(tables.events)
    assert REFERENCE.log.committed == {Partition("memory", n): REFERENCE.log.ends[n] for n in range(2)}


@pytest.mark.parametrize(
    "settings", [{"max_records": 1}, {"max_records": 500}, {"linger_ms": 50}, {"checkpoint_seconds": 60.0}]
)
def test_how_work_is_cut_changes_no_row(settings: dict[str, Any]) -> None:
    same(House(filled(2), sinks=2, **settings).run())


@pytest.mark.parametrize("part", range(4))
def test_a_crash_between_any_two_steps_loses_nothing_and_doubles_nothing(part: int) -> None:
    for step in range(part, len(REFERENCE.fuse.passed), 4):
        house = House(filled(2))
        house.fuse = Fuse(step)
        house.run()
        assert house.fuse.left is None, "it did crash"
        same(house)


def test_crashes_upon_crashes_are_made_good() -> None:
    chance = random.Random(4)
    for _ in range(25):
        house = House(filled(2))
        house.fuse = Fuse(chance.randrange(30))
        for _ in range(12):
            try:
                house.worker().run(Never())
                break
            except Crash:
                house.fuse.left = chance.randrange(40)
        house.fuse.left = None
        same(house.run())


def test_crashes_with_sqlite_are_made_good(tmp_path: Path) -> None:
    chance = random.Random(5)
    house, ended = House(filled(2)), False
    while not ended:
        house.fuse.left = chance.randrange(60)
        store = SqliteStore(tmp_path)
        try:
            house.worker(store=store).run(Never())
            ended = True
        except Crash:
            pass
        finally:
            store.close()
    same(house)


def test_thousands_of_doubtful_writes_to_two_sinks_double_nothing() -> None:
    def of(log: MemoryLog) -> House:
        return House(log, sinks=2, max_records=1, batch_rows=1, checkpoint_seconds=5.0)

    reference, house = of(filled(1, 1500)).run(), of(filled(1, 1500))
    writers = {f"s{at}": FlakyWriter(house.tables[at], at, 0.3) for at in range(2)}
    house.worker(writers).run(Never())
    same(house, reference)
    assert sum(tables.writes for tables in house.tables) > 2000
    retries = [house.watchers.metrics.value("tocsin_write_retries_total", sink=name) for name in writers]
    assert min(retries) > 300


def test_a_failing_sink_keeps_no_other_from_its_rows() -> None:
    house = House(filled(2), sinks=2)
    house.tables[1].faults = ["unavailable", "unavailable", "unavailable", "lost_reply", "half"]
    house.run()
    same(house)


class Down(MemoryWriter):
    """Does not answer until it is told to."""

    up = False

    def write(self, batch: Batch, deadline: float) -> None:
        if not self.up:
            raise SinkUnavailable("down")
        super().write(batch, deadline)


def test_reading_pauses_when_the_buffer_of_a_sink_that_is_down_is_full() -> None:
    log = MemoryLog()
    append(log, calls(400, size=10_000))
    house = House(log, sinks=2, max_records=10, buffer_bytes=1 << 20)
    reader, down = house.reader(), Down(house.tables[1])
    worker = house.worker(house.writers() | {"s1": down}, reader)
    house.rounds(worker, 300)
    read = len(house.tables[0].events)
    assert 100 < read < 130 and house.tables[0].doubled == 0  # 1 MiB and one poll, not 4 MB
    assert reader.paused == {Partition("memory", 0)}
    assert "sink s1" in house.watchers.health.reasons()
    assert house.log.committed == {}
    down.up = True
    worker.run(Never())
    assert [len(tables.events) for tables in house.tables] == [400, 400]
    assert reader.paused == set() and house.watchers.metrics.value("tocsin_sink_up", sink="s1") == 1


def test_a_sink_that_stays_down_ends_the_process() -> None:
    house = House(filled(), give_up_seconds=100.0)
    started = house.clock.now()
    with pytest.raises(SinkUnavailable, match="sink s0: no write confirmed for 1"):
        house.worker({"s0": Down(house.tables[0])}).run(Never())
    assert 100 < house.clock.now() - started < 140


class Refusing(MemoryWriter):
    def write(self, batch: Batch, deadline: float) -> None:
        raise SinkRefused("no such column")


def test_a_sink_that_refuses_ends_the_process() -> None:
    house = House(filled())
    with pytest.raises(SinkRefused, match="no such column"):
        house.worker({"s0": Refusing(house.tables[0])}).run(Never())
    assert house.log.committed == {}


# The checkpoint store.


def test_rows_go_on_while_checkpoints_cannot_be_saved() -> None:
    house = House(filled(2))
    house.shelf.faults = ["", "", *DOWN[:3], *LOST[:3]]  # after the first record of both
    worker = house.worker()
    house.rounds(worker, 12)
    assert house.tables[0].events and house.log.committed == {}
    assert "checkpoints" in house.watchers.health.reasons()
    worker.run(Never())
    same(house)
    assert not house.watchers.health.reasons().keys() - {"start"}
    assert house.watchers.metrics.value("tocsin_checkpoint_failures_total") == 6


def test_a_store_that_stays_away_ends_the_process() -> None:
    house = House(filled(), follow=True, give_up_seconds=100.0)
    house.shelf.faults = ["", *DOWN]
    with pytest.raises(StoreUnavailable):
        house.worker().run(Never())
    house = House(filled(), give_up_seconds=100.0)
    house.shelf.faults = [*DOWN]  # not even the first record can be begun with
    with pytest.raises(StoreUnavailable):
        house.worker().run(Never())
    assert house.tables[0].events == []


def test_nothing_is_lost_where_the_first_record_has_to_wait_for_the_store() -> None:
    house = House(filled(2))
    house.shelf.faults = DOWN[:5]
    same(house.run())


def test_no_checkpoint_is_saved_where_nothing_changed() -> None:
    house = House(filled(), follow=True)
    worker = house.worker()
    house.rounds(worker, 50)
    saved = house.watchers.metrics.value("tocsin_checkpoints_total")
    house.rounds(worker, 50)
    assert house.watchers.metrics.value("tocsin_checkpoints_total") == saved


def test_rows_wait_for_a_quarter_of_the_checkpoints_that_are_due() -> None:
    house = House(filled(8), checkpoint_seconds=0.05).run()
    rounds = "".join({"poll": "|", "aggregate": "a"}.get(step, "") for step in house.fuse.passed).split("|")
    at_once = [len(each) for each in rounds if each]
    assert len(at_once) > 8 and max(at_once[:-1]) == 2
    assert house.log.committed == {Partition("memory", n): house.log.ends[n] for n in range(8)}


def test_a_damaged_checkpoint_gives_way_to_the_one_before() -> None:
    house = House(filled(2))
    house.fuse = Fuse(len(REFERENCE.fuse.passed) // 2)
    with pytest.raises(Crash):
        house.worker().run(Never())
    for log in house.shelf.saved:
        house.shelf.damage(log)
    same(house.run())
    assert house.watchers.metrics.value("tocsin_state_resets_total", reason="checkpoint") == 2


def test_without_any_checkpoint_the_log_is_read_again_and_no_row_is_doubled() -> None:
    house = House(filled(2)).run()
    house.shelf = MemoryShelf()
    same(house.run())


# Reading.


def test_a_source_that_does_not_answer_is_asked_again() -> None:
    house = House(filled(2))
    house.log.outages = 4
    same(house.run())
    house = House(filled(2), give_up_seconds=100.0)
    house.log.outages = 1000
    with pytest.raises(SourceUnavailable):
        house.run()


def test_a_partition_whose_log_changed_stops_and_the_others_go_on() -> None:
    house = House(filled(2), follow=True)
    house.rounds(house.worker(), 100)
    house.log.truncate(0, house.log.ends[0])
    house.log.begins[0] += 1
    append(house.log, lively(5, 9), 1)
    worker = house.worker()
    house.rounds(worker, 30)
    assert house.log.committed[Partition("memory", 1)] == house.log.ends[1]
    assert "offset" in house.watchers.health.reasons()["partition memory/0"]


def test_with_its_only_partition_the_worker_stops() -> None:
    house = House(filled()).run()
    house.log.begins[0] = house.log.ends[0] = 10**6
    with pytest.raises(LogChanged):
        house.run()


def test_undecodable_records_pause_their_partition_until_it_is_resumed() -> None:
    quarantine = QuarantineSettings(limit_records=10)
    house = House(MemoryLog(2), follow=True, quarantine=quarantine)
    append(house.log, lively(40, 3), 1)
    for _ in range(40):
        house.log.append(b"\xc1", 0)
    worker = house.worker()
    house.rounds(worker, 40)
    assert 10 <= len([r for r in house.tables[0].rejects if r.reason == "undecodable"]) < 20
    assert house.log.committed[Partition("memory", 1)] == house.log.ends[1]
    assert "paused" in house.watchers.health.reasons()["limiter memory/0"]
    assert house.watchers.metrics.value("tocsin_limiter_paused", partition="memory/0") == 1
    worker.resume()
    house.rounds(worker, 3)
    assert 20 <= len([r for r in house.tables[0].rejects if r.reason == "undecodable"]) < 40


def test_a_crash_before_the_first_checkpoint_skips_nothing_of_a_log_read_from_its_end() -> None:
    house = House(MemoryLog(), follow=True, start="latest", checkpoint_seconds=60.0)
    append(house.log, calls(5))
    worker = house.worker()
    house.rounds(worker, 3)
    append(house.log, calls(20))
    house.rounds(worker, 3)  # rows are stored, and the process ends without a checkpoint of them
    append(house.log, calls(5))
    house.rounds(house.worker(), 20)
    stored = [event.log_offset for event, _ in house.tables[0].events]
    assert stored == [record.offset for record in house.log.records[0][5:]]


def test_what_was_there_at_the_first_start_is_backfill_however_often_it_starts() -> None:
    def marks(house: House) -> set[tuple[int, bool]]:
        return {(int(event.id.split(".")[2]), event.backfill) for event, _ in house.tables[0].events}

    house = House(filled(), follow=True, backfill=True, checkpoint_seconds=60.0)
    end = house.log.ends[0]
    house.rounds(house.worker(), 4)
    append(house.log, lively(20, 2))
    house.rounds(house.worker(), 40)
    assert marks(house) == {(offset, offset < end) for offset, _ in marks(house)}
    assert any(offset >= end for offset, _ in marks(house)) and house.tables[0].doubled == 0


# The end.


def test_the_end_of_the_input_releases_what_was_held_into_rows_and_minutes() -> None:
    house = House(filled(), follow=True)
    worker = house.worker()
    house.rounds(worker, 100)
    before = len(house.tables[0].events)
    house.source = house.source.__class__(log=house.log)
    house.run()
    assert len(house.tables[0].events) > before
    assert house.result() == House(filled()).run().result()


class After:
    """A stop that is set once it has been asked a number of times."""

    def __init__(self, times: int) -> None:
        self.left = times

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_a_stopped_worker_leaves_everything_saved() -> None:
    house = House(filled(2), checkpoint_seconds=60.0, linger_ms=10_000)
    house.worker().run(After(5))
    stored = {(e.log_partition, e.log_offset) for e, _ in house.tables[0].events}
    assert stored and len(house.log.committed) == 2
    same(house.run())


def test_a_stop_does_not_wait_for_a_sink_that_is_down() -> None:
    house = House(filled(2))
    started = house.clock.now()
    house.worker({"s0": Down(house.tables[0])}).run(After(5))
    assert house.clock.now() - started < 10 and house.log.committed == {}
    same(house.run())


# Rows that a sink cannot store.


def strange(event: Event) -> bool:
    return event.log_offset % 5 == 0


def test_what_cannot_be_stored_goes_to_quarantine_once_even_after_crashes() -> None:
    reference = House(filled())
    reference.tables[0].refuses = strange
    reference.run()
    rejects = [reject for reject in reference.tables[0].rejects if reject.reason == "unstorable"]
    assert len(rejects) > 5 and reference.tables[0].doubled == 0
    for step in range(0, len(reference.fuse.passed), 3):
        house = House(filled())
        house.tables[0].refuses = strange
        house.fuse = Fuse(step)
        house.run()
        same(house, reference)
    house = House(filled())
    house.tables[0].refuses = strange
    house.worker({"s0": FlakyWriter(house.tables[0], 1, 0.4)}).run(Never())
    same(house, reference)


def test_places_of_rows_are_unique_in_each_table() -> None:
    def places(rows: list[Event] | list[Reject]) -> set[tuple[int, int, int]]:
        return {position(row) for row in rows}

    tables: MemoryTables = REFERENCE.tables[0]
    events = [event for event, _ in tables.events]
    assert len(places(events)) == len(events) and len(places(tables.rejects)) == len(tables.rejects)
