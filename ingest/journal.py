"""The journal: what the receiver accepted, durable and in one order, until detection is done with it.

A SQLite file in WAL mode, written by one thread. Requests that wait while the disk syncs share the next
sync. A row's id is its offset; ids are counted in the file, so they never come again, whatever was deleted.
Deleted rows are overwritten, and the write-ahead log is cut: a record's raw text ends with its row.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import zstandard

from ingest.journal_file import FILE, PLAIN, SEALED, Standing, Transaction, open_file, sealed_place, standing
from tocsin.contracts import TocsinError
from tocsin.logs import Log

if TYPE_CHECKING:
    from tocsin.sealing import Keys

TICK_SECONDS = 2.0  # of silence, after which the log's own clock goes on
DELETED_ROWS, DELETED_BYTES = 512, 8 << 20  # of one transaction, so that no request waits long behind it
GIVEN_BACK_PAGES = 2000  # to the file system, after each release
CLOSE_SECONDS = 5.0

log = Log("journal")


class Full(TocsinError):
    """What waits for detection has reached its bound: accept nothing until some of it is done."""


class Unwritable(TocsinError):
    """The disk did not take it; nothing of it was accepted."""


class _Waiting(NamedTuple):
    tenant: str
    values: Sequence[bytes]
    size: int
    done: Future[None]


class Journal:
    """Owner of a journal. `append` and `release` may be called from any thread.

    Raises ConfigError where another process has the directory, SourceUnavailable where the disk does not
    play along, LogChanged where the file is damaged.
    """

    def __init__(
        self,
        directory: Path,
        bound: int,
        tenants: int = 1,
        keys: Keys | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`bound`: bytes that may wait, shared out equally so that no tenant can fill it for the others."""
        self.path = directory / FILE
        self.failing = ""  # why the last write failed
        self.commits = 0
        self._share = bound // max(1, tenants)
        self._keys = keys
        self._compress = zstandard.ZstdCompressor(level=1).compress
        self._now = now
        self._changed = threading.Condition()
        self._queue: list[_Waiting] = []
        self._release_below = 0
        self._closing = False
        self._lock, self._database = open_file(directory, self.path)
        self.standing = standing(self._database, self.path)
        rows = self._database.execute("select tenant, sum(size) from records group by tenant")
        self._bytes: Counter[str] = Counter(dict(rows.fetchall()))
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    @property
    def held(self) -> int:
        """Bytes of records that are not released, or are about to be written."""
        return sum(self._bytes.values())

    def full(self, tenant: str, size: int = 0) -> bool:
        """Whether the tenant's share has no room for so much more; a share takes at least one request."""
        held = self._bytes[tenant]
        return held > 0 and held + size >= self._share

    def append(self, tenant: str, values: Sequence[bytes]) -> Future[None]:
        """Records of one request: all or none. The future is done once they are durable, or fails with
        Unwritable. Raises Full."""
        size, done = sum(map(len, values)), Future[None]()
        with self._changed:
            if self._closing or not self._thread.is_alive():
                raise Unwritable("the journal is closed")
            if self.full(tenant, size):
                raise Full(f"{self._bytes[tenant]} bytes wait, {self._share} may")
            self._bytes[tenant] += size
            self._queue.append(_Waiting(tenant, values, size, done))
            self._changed.notify_all()
        return done

    def tick(self) -> None:
        """Move the clock of a silent journal on, so that what is held for a time is not held for ever."""
        with self._changed:
            silent = self._now() - self.standing.clock >= TICK_SECONDS
            if silent and not self._queue and not self._closing:
                self._queue.append(_Waiting("", (b"",), 0, Future[None]()))
                self._changed.notify_all()

    def release(self, below: int) -> None:
        """What lies below is needed no more."""
        with self._changed:
            self._release_below = max(self._release_below, below)
            self._changed.notify_all()

    def wait(self, offset: int, timeout: float) -> None:
        """Until there is a record at `offset`, at most so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self.standing.next > offset or self._closing, timeout)

    def close(self) -> None:
        """Write what waits, then let go of the file."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(CLOSE_SECONDS)
        if self._lock >= 0 and not self._thread.is_alive():
            self._database.close()
            os.close(self._lock)
            self._lock = -1

    # The thread that writes.

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._owed or self._closing)
                queue, self._queue = self._queue, []
                if not queue and self._closing:
                    return
            if queue:
                self._accept([each for each in queue if self._wanted(each)])
            elif self._owed:
                self._delete(self._release_below)

    @property
    def _owed(self) -> bool:
        return self.standing.first < min(self._release_below, self.standing.next)

    def _wanted(self, each: _Waiting) -> bool:
        """Whether its sender is still there to hear of it."""
        wanted = each.done.set_running_or_notify_cancel()
        if not wanted:
            self._forget(each.tenant, each.size)
        return wanted

    def _accept(self, batch: Sequence[_Waiting]) -> None:
        if not batch:
            return
        try:
            after = self._write(batch)
        except Exception as error:  # whatever it is, nobody may wait for ever
            self._failed(str(error))
            for each in batch:
                self._forget(each.tenant, each.size)
                each.done.set_exception(Unwritable(str(error)))
            return
        self.failing = ""
        self.commits += 1
        with self._changed:
            self.standing = after
            self._changed.notify_all()
        for each in batch:
            each.done.set_result(None)

    def _write(self, batch: Sequence[_Waiting]) -> Standing:
        """One transaction; how the journal stands after it."""
        before = self.standing
        clock, offset = max(before.clock, self._now()), before.next
        rows = []
        for each in batch:
            for value in each.values:
                form, stored = self._stored(value, offset, each.tenant)
                rows.append((offset, clock, each.tenant, len(value), form, stored))
                offset += 1
        after = before._replace(next=offset, clock=clock)
        with Transaction(self._database) as database:
            database.executemany("insert into records values (?, ?, ?, ?, ?, ?)", rows)
            database.execute("update log set next = ?, clock = ?", (after.next, after.clock))
        return after

    def _stored(self, value: bytes, offset: int, tenant: str) -> tuple[int, bytes]:
        if self._keys is None or not value:
            return PLAIN, value
        place = sealed_place(self.standing.name, offset, tenant)
        return SEALED, self._keys.seal(self._compress(value), place)

    def _delete(self, below: int) -> None:
        """The oldest records below, as many as one transaction should."""
        sizes: Counter[str] = Counter()
        first = self.standing.first
        try:
            with Transaction(self._database) as database:
                oldest = database.execute(
                    "select id, tenant, size from records where id < ? order by id limit ?",
                    (below, DELETED_ROWS),
                ).fetchall()
                for offset, tenant, size in oldest:
                    if sizes.total() >= DELETED_BYTES:
                        break
                    first, sizes[tenant] = offset + 1, sizes[tenant] + size
                first = first if oldest else min(below, self.standing.next)
                database.execute("delete from records where id < ?", (first,))
                database.execute("update log set first = ?", (first,))
            if first >= min(below, self.standing.next):
                self._cut()
        except sqlite3.Error as error:
            self._failed(f"processed records were not deleted: {error}")
            self._release_below = 0  # the next checkpoint asks again
            return
        for tenant, size in sizes.items():
            self._forget(tenant, size)
        self.standing = self.standing._replace(first=first)

    def _cut(self) -> None:
        """Give room back, and leave nothing in the write-ahead log; who reads just now is not waited for."""
        self._database.executescript(f"pragma incremental_vacuum({GIVEN_BACK_PAGES})")
        self._database.execute("pragma busy_timeout = 20")
        self._database.execute("pragma wal_checkpoint(truncate)").fetchall()
        self._database.execute("pragma busy_timeout = 5000")

    def _forget(self, tenant: str, size: int) -> None:
        with self._changed:
            self._bytes[tenant] -= size

    def _failed(self, reason: str) -> None:
        if reason != self.failing:
            log.error("the journal cannot be written", path=str(self.path), error=reason)
        self.failing = reason
