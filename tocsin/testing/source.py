"""The promises of a source."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from tocsin.contracts import LogChanged, Reader, Source
from tocsin.model import Partition, Record
from tocsin.testing.trial import BrokenPromise, closed_twice, promised


def check_source(
    source: Source,
    values: Sequence[bytes],
    *,
    take: Callable[[Reader, Partition], None] | None = None,
    patience: float = 20.0,
) -> None:
    """Raise BrokenPromise unless the source, whose log holds `values` and is still, keeps its contract.

    `take` makes the reader lose a partition in order (a rebalance), where the source knows such.
    """
    reader = source.open()
    try:
        partitions = _assigned(reader, patience)
        promised(not _polled(reader, 3), "records come before seek", "nothing before seek")
        ids = {partition: reader.log_id(partition) for partition in partitions}
        promised(all(ids.values()), "log_id is empty", "a log has a name")
        records = _read(reader, partitions, None, len(values), patience)
        _in_order(records)
        _all(values, records, "everything is read")
        _lag_and_pause(reader, records, patience)
        if take:
            _handed_over(reader, take, sorted(partitions), records, patience)
    finally:
        reader.close()
        closed_twice(reader.close)
    _resumed(source, records, ids, patience)


def _assigned(reader: Reader, patience: float) -> list[Partition]:
    """Everything that is assigned within the time and stays so for a moment."""
    found: list[Partition] = []
    end = time.monotonic() + patience
    while not found and time.monotonic() < end:
        found += reader.changes().assigned
        promised(not reader.poll(0.05), "records come before the assignment is seen", "nothing before seek")
    promised(bool(found), f"nothing is assigned within {patience} s", "partitions are assigned")
    return found


def _polled(reader: Reader, times: int) -> list[Record]:
    return [record for _ in range(times) for record in reader.poll(0.05)]


def _read(
    reader: Reader,
    partitions: Sequence[Partition],
    offsets: Mapping[Partition, int] | None,
    count: int,
    patience: float,
) -> list[Record]:
    for partition in partitions:
        reader.seek(partition, offsets[partition] if offsets is not None else None)
    records: list[Record] = []
    end = time.monotonic() + patience
    while len(records) < count and time.monotonic() < end:
        records += reader.poll(0.2)
    return records + _polled(reader, 2)


def _in_order(records: Sequence[Record]) -> None:
    last: dict[Partition, Record] = {}
    for record in records:
        before = last.get(record.partition)
        if before is not None:
            ordered = before.next_offset <= record.offset
            promised(ordered, f"offset {record.offset} follows {before.offset}", "records are in order")
            times = (before.arrival or 0.0) <= (record.arrival or 0.0)
            promised(times, f"arrival falls at offset {record.offset}", "arrival never falls")
        forward = record.offset < record.next_offset
        promised(forward, f"next_offset of {record.offset} is {record.next_offset}", "records are in order")
        last[record.partition] = record


def _all(values: Sequence[bytes], records: Sequence[Record], promise: str) -> None:
    expected, found = Counter(values), Counter(record.value for record in records)
    promised(
        found == expected,
        f"{sum((expected - found).values())} of {len(values)} are missing and "
        f"{sum((found - expected).values())} too many",
        promise,
    )


def _starts(records: Sequence[Record]) -> dict[Partition, int]:
    starts: dict[Partition, int] = {}
    for record in records:
        starts.setdefault(record.partition, record.offset)
    return starts


def _lag_and_pause(reader: Reader, records: Sequence[Record], patience: float) -> None:
    lag = reader.lag()
    promised(not any(lag.values()), f"lag is {dict(lag)} at the end", "lag is what waits")
    starts = _starts(records)
    reader.pause(starts)
    for partition, offset in starts.items():
        reader.seek(partition, offset)
    promised(not _polled(reader, 3), "records of a paused partition come", "pause is kept")
    reader.resume(starts)
    again = _read(reader, list(starts), starts, len(records), patience)
    _all([record.value for record in records], again, "resume undoes pause")
    _committed(reader, {partition: offset + 1 for partition, offset in starts.items()})
    _committed(reader, {Partition("nobodys", 7): 1})


def _committed(reader: Reader, positions: Mapping[Partition, int]) -> None:
    try:
        reader.commit(positions)
    except Exception as error:
        raise BrokenPromise("commit never raises", repr(error)) from error


def _handed_over(
    reader: Reader,
    take: Callable[[Reader, Partition], None],
    partitions: Sequence[Partition],
    records: Sequence[Record],
    patience: float,
) -> None:
    """After a partition was taken, nothing of it comes, and `changes` says so once."""
    gone, starts = partitions[0], _starts(records)
    for partition, offset in starts.items():
        reader.seek(partition, offset)
    take(reader, gone)
    end, revoked = time.monotonic() + patience, False
    while not revoked and time.monotonic() < end:
        before = reader.changes()
        revoked = gone in before.revoked or gone in before.lost
        late = revoked and [record for record in _polled(reader, 3) if record.partition == gone]
        promised(not late, f"a record of {gone} comes after it was taken", "revoked before hand-over")
    promised(revoked, f"changes never says that {gone} was taken", "revoked before hand-over")
    told = reader.changes()
    promised(gone not in told.revoked, f"{gone} is said to be revoked twice", "revoked before hand-over")


def _resumed(
    source: Source, records: Sequence[Record], ids: Mapping[Partition, str], patience: float
) -> None:
    """Another reader goes on exactly where it is told to, and not where the log does not reach."""
    reader = source.open()
    try:
        partitions = _assigned(reader, patience)
        again = {partition: reader.log_id(partition) for partition in partitions}
        promised(again == ids, f"log_id was {dict(ids)} and is {again}", "a log has a name")
        offsets: dict[Partition, int] = dict.fromkeys(partitions, 0)
        rest: list[bytes] = []
        for partition in partitions:
            own = [record for record in records if record.partition == partition]
            middle = len(own) // 2
            if own:
                offsets[partition] = own[middle].offset
                rest += [record.value for record in own[middle:]]
        found = _read(reader, partitions, offsets, len(rest), patience)
        _all(rest, found, "reading resumes where it is told")
        _beyond(reader, partitions[0])
    finally:
        reader.close()


def _beyond(reader: Reader, partition: Partition) -> None:
    try:
        reader.seek(partition, 1 << 60)
        _polled(reader, 5)
    except LogChanged:
        return
    raise BrokenPromise("a lost place is told", "seek far behind the end raises no LogChanged")
