"""The journal keeps what it accepted, once, in order, sealed where there is a key, no longer than needed."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ingest.http import HttpSource
from ingest.journal import Full, Journal, Unwritable
from ingest.journal_file import FILE
from ingest.journal_reader import PARTITION, JournalReader, JournalSource
from ingest.recognise import Recogniser
from tocsin.contracts import ConfigError, LogChanged, StateUnreadable
from tocsin.health import Health
from tocsin.metrics import Metrics
from tocsin.model import Record, Reject
from tocsin.ports import Lent
from tocsin.sealing import Keys, NoKey
from tocsin.testing import check_source
from tocsin.unpack import Owned, Tick, Unpacker

BOUND = 1 << 30
TEXT = b"the patient's name is Odysseus"
OLD, NEW = b"o" * 32, b"n" * 32


@contextmanager
def journal(
    directory: Path, bound: int = BOUND, tenants: int = 1, keys: Keys | None = None
) -> Iterator[Journal]:
    opened = Journal(directory, bound, tenants, keys)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def reading(made: Journal, keys: Keys | None = None) -> Iterator[JournalReader]:
    reader = JournalReader(made.path, keys, made)
    with closing(reader):
        reader.changes()
        reader.seek(PARTITION, None)
        yield reader


def append(made: Journal, *values: bytes, tenant: str = "acme") -> None:
    made.append(tenant, values).result(10)


def everything(reader: JournalReader) -> list[Record]:
    records: list[Record] = []
    while found := reader.poll(0.0):
        records += found
    return records


def bytes_on_disk(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.iterdir())


def released(made: Journal, below: int) -> None:
    made.release(below)
    end = time.monotonic() + 10
    while made.standing.first < below and time.monotonic() < end:
        time.sleep(0.005)
    assert made.standing.first == below


def test_the_contract_of_a_source_is_kept(tmp_path: Path) -> None:
    values = [f'{{"tocsin":1,"user":"u{number}"}}'.encode() for number in range(300)]
    with journal(tmp_path) as made:
        for start in range(0, 300, 50):
            append(made, *values[start : start + 50])
    check_source(HttpSource(listen="127.0.0.1:0", directory=str(tmp_path)), values)


def test_what_was_accepted_is_there_after_a_restart_in_order_with_its_tenant(tmp_path: Path) -> None:
    with journal(tmp_path) as made:
        append(made, b"1", b"2", tenant="acme")
        append(made, b"3", tenant="umbrella")
        name = made.standing.name
    with journal(tmp_path) as made, reading(made) as reader:
        records = everything(reader)
        assert [(r.offset, r.next_offset, r.value) for r in records] == [
            (0, 1, b"1"),
            (1, 2, b"2"),
            (2, 3, b"3"),
        ]
        assert [r.tenant for r in records if isinstance(r, Owned)] == ["acme", "acme", "umbrella"]
        assert reader.log_id(PARTITION) == name == made.standing.name


def test_offsets_never_come_again_whatever_was_deleted(tmp_path: Path) -> None:
    with journal(tmp_path) as made:
        append(made, b"1", b"2")
        released(made, 2)
    with journal(tmp_path) as made, reading(made) as reader:
        append(made, b"3")
        assert [record.offset for record in everything(reader)] == [2]


def test_arrival_never_falls_even_if_the_clock_does(tmp_path: Path) -> None:
    times = iter([1000.0, 900.0, 1001.0])
    made = Journal(tmp_path, BOUND, now=lambda: next(times))
    append(made, b"1")
    append(made, b"2")
    made.close()
    made = Journal(tmp_path, BOUND, now=lambda: 5.0)
    append(made, b"3")
    with reading(made) as reader:
        assert [record.arrival for record in everything(reader)] == [1000.0, 1000.0, 1000.0]
    made.close()


def test_requests_that_wait_share_one_sync(tmp_path: Path) -> None:
    with journal(tmp_path) as made:
        with closing(sqlite3.connect(made.path, isolation_level=None)) as other:
            other.execute("begin immediate")  # holds the first of them up
            waiting = [made.append("acme", [b"%d" % number]) for number in range(100)]
            time.sleep(0.05)
            assert not any(future.done() for future in waiting)
            other.execute("rollback")
        for future in waiting:
            future.result(10)
        assert made.commits <= 2 and made.standing.next == 100


def test_a_sender_that_left_before_it_was_its_turn_is_not_kept(tmp_path: Path) -> None:
    with journal(tmp_path) as made, reading(made) as reader:
        with closing(sqlite3.connect(made.path, isolation_level=None)) as other:
            other.execute("begin immediate")
            first = made.append("acme", [b"1"])
            time.sleep(0.05)
            second = made.append("acme", [b"2"])
            assert second.cancel() and not first.cancel()
            other.execute("rollback")
        first.result(10)
        append(made, b"3")
        assert [record.value for record in everything(reader)] == [b"1", b"3"]
        assert made.held == 2


def test_it_is_full_at_its_bound_until_some_of_it_is_released(tmp_path: Path) -> None:
    with journal(tmp_path, bound=1000) as made:
        append(made, b"x" * 600)
        with pytest.raises(Full):
            append(made, b"x" * 600)
        assert made.full("acme", 400) and not made.full("acme", 300)
        released(made, 1)
        append(made, b"x" * 600)
        assert made.held == 600


def test_no_tenant_fills_the_share_of_another(tmp_path: Path) -> None:
    with journal(tmp_path, bound=1000, tenants=2) as made:
        append(made, b"x" * 499, b"y")
        with pytest.raises(Full):
            append(made, b"z")
        append(made, b"x" * 300, tenant="umbrella")
    with journal(tmp_path, bound=1000, tenants=2) as made:  # it is known again after a restart
        assert made.full("acme") and not made.full("umbrella")


def test_a_request_larger_than_a_share_is_taken_by_an_empty_one(tmp_path: Path) -> None:
    with journal(tmp_path, bound=10) as made:
        append(made, b"x" * 100)
        assert made.full("acme")


def test_the_older_of_two_checkpoints_is_kept(tmp_path: Path) -> None:
    with journal(tmp_path) as made, reading(made) as reader:
        append(made, *(b"%d" % number for number in range(10)))
        for position in (4, 4, 7):
            reader.commit({PARTITION: position})
        end = time.monotonic() + 5
        while made.standing.first < 4 and time.monotonic() < end:
            time.sleep(0.005)
        reader.seek(PARTITION, 4)
        assert [record.offset for record in everything(reader)] == [4, 5, 6, 7, 8, 9]
        with pytest.raises(LogChanged):
            reader.seek(PARTITION, 3)


def test_many_records_are_released_in_slices(tmp_path: Path) -> None:
    with journal(tmp_path) as made:
        append(made, *(b"%d" % number for number in range(3000)))
        released(made, 2999)
        assert made.held == 4


def test_a_reader_waits_for_what_comes(tmp_path: Path) -> None:
    with journal(tmp_path) as made, reading(made) as reader:
        threading.Timer(0.1, append, (made, b"late")).start()
        began = time.monotonic()
        assert [record.value for record in reader.poll(5.0)] == [b"late"]
        assert time.monotonic() - began < 4
        assert reader.lag() == {PARTITION: 0}


def test_the_clock_of_a_silent_journal_goes_on(tmp_path: Path) -> None:
    now = [1000.0]
    made = Journal(tmp_path, BOUND, now=lambda: now[0])
    with closing(made), reading(made) as reader:
        append(made, b"one")
        assert [record.value for record in reader.poll(0.1)] == [b"one"]
        assert not reader.poll(0.1) and not reader.poll(0.1), "it was not silent for long"
        now[0] += 3.0
        assert not reader.poll(0.1)
        (tick,) = reader.poll(5.0)
        assert isinstance(tick, Tick) and (tick.offset, tick.arrival) == (1, 1003.0)
        assert Unpacker(Recogniser())(tick) == []
        append(made, b"two")
        assert [(record.offset, record.value) for record in reader.poll(5.0)] == [(2, b"two")]


def test_a_poll_is_bounded_in_bytes(tmp_path: Path) -> None:
    with journal(tmp_path) as made, reading(made) as reader:
        append(made, *(b"x" * (1 << 20) for _ in range(10)))
        assert [len(reader.poll(0.0)), len(reader.poll(0.0)), len(reader.poll(0.0))] == [4, 4, 2]


def test_a_directory_serves_one_process(tmp_path: Path) -> None:
    with journal(tmp_path), pytest.raises(ConfigError, match="in use by another"):
        Journal(tmp_path, BOUND)
    Journal(tmp_path, BOUND).close()


def test_another_database_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        other.execute("create table theirs (x)")
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(ConfigError, match="something else"):
        Journal(tmp_path, BOUND)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_newer_format_is_not_touched(tmp_path: Path) -> None:
    Journal(tmp_path, BOUND).close()
    with closing(sqlite3.connect(tmp_path / FILE)) as newer:
        newer.execute("pragma user_version = 9")
    with pytest.raises(StateUnreadable, match="format 9"):
        Journal(tmp_path, BOUND)


def test_a_damaged_file_stops_loudly_and_is_kept(tmp_path: Path) -> None:
    with journal(tmp_path) as made:
        append(made, *(b"x" * 5000 for _ in range(50)))
    damaged = b"no database" * 1000
    (tmp_path / FILE).write_bytes(damaged)
    with pytest.raises(LogChanged, match="damaged .* move the directory away"):
        Journal(tmp_path, BOUND)
    assert (tmp_path / FILE).read_bytes() == damaged


def test_a_disk_that_is_full_takes_nothing_and_loses_nothing(tmp_path: Path) -> None:
    with journal(tmp_path) as made, reading(made) as reader:
        append(made, b"1")
        pages = made._database.execute("pragma page_count").fetchone()[0]
        made._database.execute(f"pragma max_page_count = {pages}")
        with pytest.raises(Unwritable, match="full"):
            append(made, b"x" * 100_000)
        assert "full" in made.failing and made.held == 1
        made._database.execute("pragma max_page_count = 1000000")
        append(made, b"2")
        assert made.failing == ""
        assert [(record.offset, record.value) for record in everything(reader)] == [(0, b"1"), (1, b"2")]


def test_a_closed_journal_accepts_nothing(tmp_path: Path) -> None:
    with journal(tmp_path) as made:
        pass
    with pytest.raises(Unwritable):
        made.append("acme", [b"1"])
    made.close()


def test_room_is_given_back_to_the_file_system(tmp_path: Path) -> None:
    with journal(tmp_path) as made:
        append(made, *(b"x" * 100_000 for _ in range(100)))
        released(made, 100)
        append(made, b"1")
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1_000_000


def test_somebody_who_reads_on_holds_no_sender_up(tmp_path: Path) -> None:
    with journal(tmp_path) as made, closing(sqlite3.connect(made.path, isolation_level=None)) as other:
        append(made, b"1", b"2")
        other.execute("begin")
        other.execute("select * from records").fetchone()
        released(made, 1)
        began = time.monotonic()
        append(made, b"3")
        assert time.monotonic() - began < 4


# What is left of a record.


def test_raw_text_ends_with_its_row(tmp_path: Path) -> None:
    with journal(tmp_path) as made:
        append(made, TEXT, b"x" * 20_000 + TEXT)
        assert TEXT in bytes_on_disk(tmp_path)
        released(made, 2)
        append(made, b"another")  # one more turn of the thread: the log was cut
        assert TEXT not in bytes_on_disk(tmp_path)


def test_sealed_raw_text_is_in_no_file(tmp_path: Path) -> None:
    keys = Keys([NEW])
    with journal(tmp_path, keys=keys) as made, reading(made, keys) as reader:
        append(made, TEXT, b"x" * 20_000 + TEXT)
        assert (tmp_path / f"{FILE}-wal").stat().st_size
        assert TEXT not in bytes_on_disk(tmp_path) and TEXT[:12] not in bytes_on_disk(tmp_path)
        assert [record.value for record in everything(reader)] == [TEXT, b"x" * 20_000 + TEXT]
        assert made.held == 20_000 + 2 * len(TEXT)
    assert TEXT not in bytes_on_disk(tmp_path)


def test_keys_change_while_records_of_both_wait(tmp_path: Path) -> None:
    with journal(tmp_path) as made:
        append(made, b"plain")
    with journal(tmp_path, keys=Keys([OLD])) as made:
        append(made, b"old")
    both = Keys([NEW, OLD])
    with journal(tmp_path, keys=both) as made, reading(made, both) as reader:
        append(made, b"new")
        assert [record.value for record in everything(reader)] == [b"plain", b"old", b"new"]


@pytest.mark.parametrize("keys", [None, Keys([OLD])])
def test_a_missing_key_stops_the_reader_and_drops_nothing(tmp_path: Path, keys: Keys | None) -> None:
    with journal(tmp_path, keys=Keys([NEW])) as made:
        append(made, TEXT)
    with (
        journal(tmp_path, keys=keys) as made,
        reading(made, keys) as reader,
        pytest.raises(NoKey, match="record 0"),
    ):
        reader.poll(0.0)
    with journal(tmp_path) as made, reading(made, Keys([NEW])) as reader:
        assert [record.value for record in everything(reader)] == [TEXT]


@pytest.mark.parametrize(
    "damage",
    [
        "update records set value = zeroblob(200) where id = 1",
        "update records set value = (select value from records where id = 2) where id = 1",
        "update records set tenant = 'umbrella' where id = 1",
    ],
)
def test_a_sealed_record_that_was_changed_or_moved_goes_to_quarantine(tmp_path: Path, damage: str) -> None:
    keys = Keys([NEW])
    with journal(tmp_path, keys=keys) as made, reading(made, keys) as reader:
        append(made, b'{"tocsin":1}', b'{"tocsin":1,"user":"u"}', b'{"tocsin":1,"user":"v"}')
        with closing(sqlite3.connect(made.path)) as other:
            other.execute(damage)
            other.commit()
        unpack = Unpacker(Recogniser())
        items = [unpack(record)[0] for record in everything(reader)]
        assert [type(item) is Reject for item in items] == [False, True, False]


def test_single_records_are_read_again_beside_the_process_that_writes(tmp_path: Path) -> None:
    keys = Keys([NEW])
    source = HttpSource(listen="127.0.0.1:0", directory=str(tmp_path)).alone()
    assert isinstance(source, JournalSource)
    lent = Lent(Metrics(), Health(60.0), keys)
    with journal(tmp_path, keys=keys) as made:
        append(made, b"1", b"2")
        for _ in range(2):  # beside it, and where it is not running
            with closing(source.open_with(lent)) as reader:
                reader.seek(PARTITION, 1)
                assert [record.value for record in reader.poll(0.0)] == [b"2"]
            made.close()
