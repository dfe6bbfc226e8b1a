"""The journal: what the receiver accepted, durable and in one order, until detection is done with it.

A SQLite file in WAL mode, written by one thread. Requests that wait while the disk syncs share the next
sync. A row's id is its offset; ids are counted in the file, so they never come again, whatever was deleted.
Deleted rows are overwritten, and the write-ahead log is cut: a record's raw text ends with its row.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import zstandard

from tocsin.contracts import ConfigError, LogChanged, SourceUnavailable, StateUnreadable, TocsinError
from tocsin.logs import Log

if TYPE_CHECKING:
    from tocsin.sealing import Keys

FILE = "journal.sqlite"
FORMAT = 1
PLAIN, SEALED = 0, 1  # sealed ones are compressed before
DELETED_ROWS, DELETED_BYTES = 512, 8 << 20  # of one transaction, so that no request waits long behind it
CLOSE_SECONDS = 5.0
_APPLICATION = 0x70C52

_SCHEMA = f"""
begin immediate;
create table log (name text not null, first integer not null, next integer not null, clock real not null);
create table records (
    id integer primary key, arrival real not null, tenant text not null, size integer not null,
    form integer not null, value blob not null
);
pragma application_id = {_APPLICATION};
pragma user_version = {FORMAT};
commit;
"""

log = Log("journal")


class Full(TocsinError):
    """What waits for detection has reached its bound: accept nothing until some of it is done."""


class Unwritable(TocsinError):
    """The disk did not take it; nothing of it was accepted."""


class Standing(NamedTuple):
    """How the journal stands."""

    name: str
    first: int  # the oldest offset that is kept
    next: int  # the offset of the next record
    clock: float  # arrival of the newest record, epoch seconds


class _Waiting(NamedTuple):
    tenant: str
    values: Sequence[bytes]
    size: int
    done: Future[None]


def sealed_place(name: str, offset: int, tenant: str) -> str:
    """What a sealed record is bound to."""
    return f"record {offset} of {tenant or 'everybody'} in the journal {name}"


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
        self._lock, self._database = _open(directory, self.path)
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

    @property
    def crowded(self) -> bool:
        """Whether some tenant's share is full."""
        return any(map(self.full, list(self._bytes)))

    def append(self, tenant: str, values: Sequence[bytes]) -> Future[None]:
        """Records of one request: all or none. The future is done once they are durable, or fails with
        Unwritable. Raises Full."""
        size, done = sum(map(len, values)), Future[None]()
        with self._changed:
            if self._closing:
                raise Unwritable("the journal is closed")
            if self.full(tenant, size):
                raise Full(f"{self._bytes[tenant]} bytes wait, {self._share} may")
            self._bytes[tenant] += size
            self._queue.append(_Waiting(tenant, values, size, done))
            self._changed.notify_all()
        return done

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
        with _Transaction(self._database) as database:
            database.executemany("insert into records values (?, ?, ?, ?, ?, ?)", rows)
            database.execute("update log set next = ?, clock = ?", (after.next, after.clock))
        return after

    def _stored(self, value: bytes, offset: int, tenant: str) -> tuple[int, bytes]:
        if self._keys is None:
            return PLAIN, value
        place = sealed_place(self.standing.name, offset, tenant)
        return SEALED, self._keys.seal(self._compress(value), place)

    def _delete(self, below: int) -> None:
        """The oldest records below, as many as one transaction should."""
        sizes: Counter[str] = Counter()
        first = self.standing.first
        try:
            with _Transaction(self._database) as database:
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
                self._database.execute("pragma wal_checkpoint(truncate)").fetchall()
        except sqlite3.Error as error:
            self._failed(f"processed records were not deleted: {error}")
            self._release_below = 0  # the next checkpoint asks again
            return
        for tenant, size in sizes.items():
            self._forget(tenant, size)
        self.standing = self.standing._replace(first=first)

    def _forget(self, tenant: str, size: int) -> None:
        with self._changed:
            self._bytes[tenant] -= size

    def _failed(self, reason: str) -> None:
        if reason != self.failing:
            log.error("the journal cannot be written", path=str(self.path), error=reason)
        self.failing = reason


class _Transaction:
    """All of it or nothing; leaving it means durable."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> sqlite3.Connection:
        self._database.execute("begin immediate")
        return self._database

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            if kind is None:
                self._database.execute("commit")
        finally:
            if self._database.in_transaction:
                self._database.execute("rollback")


def standing(database: sqlite3.Connection, path: Path) -> Standing:
    """As the file says. Raises SourceUnavailable and LogChanged."""
    try:
        row = database.execute("select name, first, next, clock from log").fetchone()
    except sqlite3.DatabaseError as error:
        raise trouble(path, error) from error
    if row is None:
        raise trouble(path, sqlite3.DatabaseError("its first line is missing"))
    return Standing(*row)


def trouble(path: Path, error: sqlite3.Error) -> TocsinError:
    """What an error of the database means."""
    if isinstance(error, sqlite3.OperationalError):
        return SourceUnavailable(f"{path}: {error}")
    return LogChanged(
        f"{path} is damaged ({error}): records that were accepted are in it. Restore it, or move the "
        "directory away to begin with an empty one"
    )


def _open(directory: Path, path: Path) -> tuple[int, sqlite3.Connection]:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _lock(directory)
    except OSError as error:
        raise SourceUnavailable(f"journal directory {directory}: {error.strerror}") from error
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        return lock, _prepare(path)
    except BaseException as error:
        os.close(lock)
        if isinstance(error, sqlite3.Error):
            raise trouble(path, error) from error
        if isinstance(error, OSError):
            raise SourceUnavailable(f"{path}: {error.strerror}") from error
        raise


def _prepare(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        database.execute("pragma page_size = 8192")
        database.execute("pragma temp_store = memory")
        if not database.execute("select 1 from sqlite_master").fetchone():
            database.executescript(_SCHEMA)
        check_format(database, path)
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = full")
        database.execute("pragma secure_delete = on")
        database.execute("pragma journal_size_limit = 67108864")
        name = f"journal-{uuid.uuid4()}"
        database.execute("insert into log select ?, 0, 0, 0.0 where not exists (select 1 from log)", (name,))
        _sync(path.parent)
    except BaseException:
        database.close()
        raise
    return database


def check_format(database: sqlite3.Connection, path: Path) -> None:
    """Raises ConfigError where it is something else, StateUnreadable where it is newer."""
    application = database.execute("pragma application_id").fetchone()[0]
    version = database.execute("pragma user_version").fetchone()[0]
    if application != _APPLICATION:
        raise ConfigError([f"[source] directory: {path} is a database of something else; name another one"])
    if version > FORMAT:
        raise StateUnreadable(
            f"{path} has format {version}, this Tocsin reads up to {FORMAT}: install the newer version again"
        )


def _sync(directory: Path) -> None:
    """A new file is there after a loss of power, too."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _lock(directory: Path) -> int:
    """An exclusive lock on the directory, which the system drops with the process."""
    handle = os.open(directory / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        message = f"[source] directory: {directory} is in use by another Tocsin; one serves one process"
        raise ConfigError([message]) from None
    return handle
