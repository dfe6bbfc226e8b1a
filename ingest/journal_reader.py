"""The journal as the detect part reads it: one partition, a log already."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import zstandard

from ingest.journal import Journal
from ingest.journal_file import FILE, SEALED, Standing, check_format, sealed_place, standing, trouble
from tocsin.contracts import Changes, LogChanged, Reader, Source
from tocsin.model import Partition, Record
from tocsin.unpack import Owned, Tick

if TYPE_CHECKING:
    from tocsin.ports import Lent
    from tocsin.sealing import Keys

PARTITION = Partition("http", 0)
POLL_BYTES = 4 << 20
POLL_RECORDS = 2000
EXPANDED_BYTES = 64 << 20  # of a sealed record at most; it was smaller when it was taken in


class JournalReader(Reader):
    """Reads beside the thread that writes; without a journal, beside another process."""

    def __init__(self, path: Path, keys: Keys | None = None, journal: Journal | None = None) -> None:
        self._path = path
        self._keys = keys
        self._expand = zstandard.ZstdDecompressor().decompress
        self._journal = journal
        self._database = _connect(path)
        self._name = self._standing().name
        self._told = self._paused = False
        self._position: int | None = None
        self._newest: int | None = None

    def changes(self) -> Changes:
        if self._told:
            return Changes()
        self._told = True
        return Changes(assigned=(PARTITION,))

    def poll(self, timeout: float) -> Sequence[Record]:
        if self._position is None or self._paused:
            time.sleep(timeout)
            return ()
        records = self._read(self._position)
        if not records and timeout > 0:
            self._wait(self._position, timeout)
            records = self._read(self._position)
            if not records and self._journal:
                self._journal.tick()
        if records:
            self._position = records[-1].next_offset
        return records

    def log_id(self, partition: Partition) -> str:
        return self._name

    def seek(self, partition: Partition, offset: int | None) -> None:
        there = self._standing()
        if offset is not None and not there.first <= offset <= there.next:
            raise LogChanged(
                f"{self._path} holds {there.first} to {there.next}, not {offset}: is it an older copy?"
            )
        self._position = there.first if offset is None else offset

    def pause(self, partitions: Iterable[Partition]) -> None:
        self._paused |= PARTITION in partitions

    def resume(self, partitions: Iterable[Partition]) -> None:
        self._paused &= PARTITION not in partitions

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Each call follows a checkpoint at this position, so the one before is the older to keep."""
        position = positions.get(PARTITION)
        if position is None or self._journal is None:
            return
        if self._newest is not None and position > self._newest:
            self._journal.release(self._newest)
        self._newest = position

    def lag(self) -> Mapping[Partition, int]:
        if self._position is None:
            return {}
        there = self._journal.standing if self._journal else self._standing()
        return {PARTITION: there.next - self._position}

    def ended(self) -> bool:
        return False

    def close(self) -> None:
        self._database.close()

    def _standing(self) -> Standing:
        return standing(self._database, self._path)

    def _wait(self, offset: int, timeout: float) -> None:
        if self._journal:
            self._journal.wait(offset, timeout)
        else:
            time.sleep(timeout)

    def _read(self, offset: int) -> list[Record]:
        records: list[Record] = []
        size = 0
        cursor = self._database.cursor()
        try:
            cursor.execute(
                "select id, arrival, tenant, form, value from records where id >= ? order by id limit ?",
                (offset, POLL_RECORDS),
            )
            for number, arrival, tenant, form, stored in cursor:
                if not stored:
                    records.append(Tick(PARTITION, number, number + 1, arrival, b""))
                    continue
                value = self._opened(number, tenant, stored) if form == SEALED else stored
                records.append(Owned(PARTITION, number, number + 1, arrival, value, tenant))
                size += len(value)
                if size >= POLL_BYTES:
                    break
        except sqlite3.DatabaseError as error:
            raise trouble(self._path, error) from error
        finally:
            cursor.close()  # an open question would keep the write-ahead log from being cut
        return records

    def _opened(self, offset: int, tenant: str, sealed: bytes) -> bytes:
        """What was sealed. Raises NoKey. Bytes that do not verify are words that no decoder takes: they go to
        quarantine, and what follows is read."""
        from tocsin import sealing  # where nothing is sealed, its library is not loaded

        try:
            packed = sealing.opened(self._keys, sealed, sealed_place(self._name, offset, tenant))
            return self._expand(packed, max_output_size=EXPANDED_BYTES)
        except (sealing.Unsound, zstandard.ZstdError) as error:
            return f"a record of the journal is damaged: {error}".encode()


class JournalSource(Source, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A journal that another process writes, for reading single records of it again."""

    directory: str

    def open(self) -> JournalReader:
        """Raises SourceUnavailable."""
        return JournalReader(Path(self.directory) / FILE)

    def open_with(self, lent: Lent) -> JournalReader:
        """Raises SourceUnavailable."""
        return JournalReader(Path(self.directory) / FILE, lent.keys)


def _connect(path: Path) -> sqlite3.Connection:
    """For reading alone."""
    try:
        database = sqlite3.connect(
            f"file:{path.resolve().as_posix()}?mode=ro",
            uri=True,
            timeout=5.0,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    try:
        check_format(database, path)
    except sqlite3.Error as error:
        database.close()
        raise trouble(path, error) from error
    return database
