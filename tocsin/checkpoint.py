"""The checkpoint store on one host: a SQLite file, owned by one process at a time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

import msgspec

from tocsin import owned_file
from tocsin.contracts import (
    Checkpoint,
    CheckpointStore,
    ConfigError,
    Fenced,
    Saved,
    StateUnreadable,
    StoreUnavailable,
)

FORMAT = 1  # of this file; what the core keeps in the chunks has versions of its own
GENERATIONS = 2
_APPLICATION = 0x70C51  # marks the file as Tocsin's
_FILE = "state.sqlite"
_SMALLEST = 512  # bytes of a database; SQLite takes less for a new one

_SCHEMA = f"""
begin immediate;
create table owners (log text primary key, epoch integer not null) without rowid;
create table checkpoints (
    log text, sequence integer, base integer not null, record blob not null, sha256 blob not null,
    primary key (log, sequence)
);
create table chunks (
    log text, sequence integer, number integer, data blob not null,
    primary key (log, sequence, number)
);
pragma application_id = {_APPLICATION};
pragma user_version = {FORMAT};
commit;
"""


def digest(chunks: Sequence[bytes]) -> str:
    """What `Checkpoint.sha256` holds: the hash over the chunks, one after the other."""
    total = sha256()
    for chunk in chunks:
        total.update(chunk)
    return total.hexdigest()


class SqliteStore(CheckpointStore):
    """Checkpoints in `directory`/state.sqlite, written with fsync, two generations loadable.

    A file that is no sound database any more is set aside under another name, and every `load` says so.
    Raises ConfigError where another process uses the directory, StateUnreadable where a newer
    version wrote it, StoreUnavailable where the disk does not play along.
    """

    def __init__(self, directory: Path) -> None:
        self._complaints: list[str] = []
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            busy = (
                f"the state directory {directory} is in use by another Tocsin; "
                "one directory serves one process"
            )
            self._lock = owned_file.lock(directory, busy)
        except OSError as error:
            raise StoreUnavailable(f"state directory {directory}: {error.strerror}") from error
        try:
            self._database = self._open(directory / _FILE)
        except BaseException:
            os.close(self._lock)
            raise

    @classmethod
    def look(cls, directory: Path) -> SqliteStore:
        """The store for reading alone, also while another process owns it."""
        path = directory / _FILE
        if not path.exists():
            raise ConfigError([f"no state in {directory}: {_FILE} does not exist there"])
        store = cls.__new__(cls)
        store._complaints = []
        store._lock = -1
        store._database = _connect(path)
        store._database.execute("pragma query_only = on")
        _check_format(store._database, path)
        return store

    def claim(self, log: str) -> int:
        """Become the owner of `log`."""
        with self._transaction("claim") as database:
            row = database.execute(
                "insert into owners values (?, 1) on conflict (log) do update set epoch = epoch + 1"
                " returning epoch",
                (log,),
            ).fetchone()
        return int(row[0])

    def load(self, log: str) -> tuple[Saved | None, Sequence[str]]:
        """The newest checkpoint that verifies, with a complaint for each that does not."""
        complaints = list(self._complaints)
        try:
            sequences = [
                int(row[0])
                for row in self._database.execute(
                    "select sequence from checkpoints where log = ? order by sequence desc", (log,)
                )
            ]
        except sqlite3.DatabaseError as error:
            return None, [*complaints, f"{log}: {error}"]
        for sequence in sequences[:GENERATIONS]:
            try:
                return self._read(log, sequence), complaints
            except (StateUnreadable, sqlite3.DatabaseError) as error:
                complaints.append(f"{log}: checkpoint {sequence} is unusable: {error}")
        return None, complaints

    def save(self, log: str, checkpoint: Checkpoint, chunks: Sequence[bytes]) -> None:
        """Store in one transaction that ends with fsync."""
        record = msgspec.msgpack.encode(checkpoint)
        with self._transaction("save") as database:
            row = database.execute("select epoch from owners where log = ?", (log,)).fetchone()
            if row is None or row[0] != checkpoint.epoch:
                raise Fenced(f"{log}: epoch {checkpoint.epoch} was followed by {row and row[0]}")
            at = (log, checkpoint.sequence)
            # What a given-up line of checkpoints left behind under this number or above is void.
            database.execute("delete from checkpoints where log = ? and sequence >= ?", at)
            database.execute("delete from chunks where log = ? and sequence >= ?", at)
            database.execute(
                "insert into checkpoints values (?, ?, ?, ?, ?)",
                (*at, checkpoint.base, record, sha256(record).digest()),
            )
            database.executemany(
                "insert into chunks values (?, ?, ?, ?)",
                ((*at, number, chunk) for number, chunk in enumerate(chunks)),
            )
            _forget_old(database, log)

    def logs(self) -> Sequence[str]:
        """The logs that have a checkpoint."""
        rows = self._database.execute("select distinct log from checkpoints order by log").fetchall()
        return [str(row[0]) for row in rows]

    def reset(self, log: str) -> None:
        """Forget all checkpoints of a log; its epochs go on."""
        with self._transaction("reset") as database:
            database.execute("delete from checkpoints where log = ?", (log,))
            database.execute("delete from chunks where log = ?", (log,))

    def scrub(self) -> None:
        """Write the file anew, without the pages that are free."""
        try:
            self._database.execute("vacuum")
            self._database.execute("pragma wal_checkpoint(truncate)")
        except sqlite3.Error as error:
            raise StoreUnavailable(f"scrub: {error}") from error

    def close(self) -> None:
        """Let go of the file and of the directory."""
        self._database.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _open(self, path: Path) -> sqlite3.Connection:
        if path.exists() and path.stat().st_size < _SMALLEST:
            self._complaints.append(f"{path} was empty: what it held is lost")
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        try:
            return _prepare(path)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if isinstance(error, sqlite3.OperationalError):
                raise StoreUnavailable(f"{path}: {error}") from error
            aside = _set_aside(path)
            self._complaints.append(f"{path} is no sound database ({error}); set aside as {aside.name}")
        return self._open(path)

    def _read(self, log: str, sequence: int) -> Saved:
        newest = self._record(log, sequence)
        chunks: list[bytes] = []
        for number in range(newest.base, sequence + 1):
            checkpoint = newest if number == sequence else self._record(log, number)
            part = self._chunks(log, number)
            if len(part) != checkpoint.chunks or digest(part) != checkpoint.sha256:
                raise StateUnreadable(f"the chunks of {number} are not those that were saved")
            chunks.extend(part)
        return Saved(newest, chunks)

    def _record(self, log: str, sequence: int) -> Checkpoint:
        row = self._database.execute(
            "select record, sha256 from checkpoints where log = ? and sequence = ?", (log, sequence)
        ).fetchone()
        if row is None or not isinstance(row[0], bytes) or sha256(row[0]).digest() != row[1]:
            raise StateUnreadable(f"the record of {sequence} is missing or damaged")
        return msgspec.msgpack.decode(row[0], type=Checkpoint)

    def _chunks(self, log: str, sequence: int) -> list[bytes]:
        rows = self._database.execute(
            "select data from chunks where log = ? and sequence = ? order by number", (log, sequence)
        )
        chunks = [row[0] for row in rows]
        if not all(isinstance(chunk, bytes) for chunk in chunks):
            raise StateUnreadable(f"the chunks of {sequence} are damaged")
        return chunks

    @contextmanager
    def _transaction(self, what: str) -> Iterator[sqlite3.Connection]:
        try:
            self._database.execute("begin immediate")
            try:
                yield self._database
                self._database.execute("commit")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("rollback")
                raise
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{what}: {error}") from error


def _forget_old(database: sqlite3.Connection, log: str) -> None:
    """Drop what neither of the newest generations needs."""
    bases = database.execute(
        "select base from checkpoints where log = ? order by sequence desc limit ?", (log, GENERATIONS)
    )
    oldest = min(row[0] for row in bases)
    database.execute("delete from checkpoints where log = ? and sequence < ?", (log, oldest))
    database.execute("delete from chunks where log = ? and sequence < ?", (log, oldest))


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)


def _prepare(path: Path) -> sqlite3.Connection:
    database = _connect(path)
    try:
        if not database.execute("select 1 from sqlite_master").fetchone():
            database.executescript(_SCHEMA)
        _check_format(database, path)
        _check_soundness(database)
        os.chmod(path, 0o600)
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = full")
        database.execute("pragma journal_size_limit = 67108864")
    except BaseException:
        database.close()
        raise
    return database


def _check_format(database: sqlite3.Connection, path: Path) -> None:
    foreign = f"{path} is a database of something else; name another state directory"
    owned_file.check_format(database, path, application=_APPLICATION, newest=FORMAT, foreign=foreign)


def _check_soundness(database: sqlite3.Connection) -> None:
    damage = database.execute("pragma integrity_check(1)").fetchone()[0]
    if damage != "ok":
        raise sqlite3.DatabaseError(damage)
    with closing(sqlite3.connect(":memory:")) as pattern:
        pattern.executescript(_SCHEMA)
        if _columns(database) != _columns(pattern):
            raise sqlite3.DatabaseError("its tables are not those that were made")


def _columns(database: sqlite3.Connection) -> list[object]:
    tables = ("owners", "checkpoints", "chunks")
    return [database.execute(f"pragma table_info({table})").fetchall() for table in tables]


def _set_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.unreadable-{number}")).exists():
        number += 1
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return aside
