"""The journal's file: a SQLite database that one process owns, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
import uuid
from pathlib import Path
from typing import NamedTuple

from tocsin import owned_file
from tocsin.contracts import LogChanged, SourceUnavailable, TocsinError

FILE = "journal.sqlite"
FORMAT = 1
PLAIN, SEALED = 0, 1  # forms of a record; sealed ones are compressed before
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


class Standing(NamedTuple):
    """How the journal stands."""

    name: str
    first: int  # the oldest offset that is kept
    next: int  # the offset of the next record
    clock: float  # arrival of the newest record, epoch seconds


def sealed_place(name: str, offset: int, tenant: str) -> str:
    """What a sealed record is bound to."""
    return f"record {offset} of {tenant or 'everybody'} in the journal {name}"


class Transaction:
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


def open_file(directory: Path, path: Path) -> tuple[int, sqlite3.Connection]:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        busy = f"[source] directory: {directory} is in use by another Tocsin; one serves one process"
        lock = owned_file.lock(directory, busy)
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
        database.execute("pragma auto_vacuum = incremental")
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
    foreign = f"[source] directory: {path} is a database of something else; name another one"
    owned_file.check_format(database, path, application=_APPLICATION, newest=FORMAT, foreign=foreign)


def _sync(directory: Path) -> None:
    """A new file is there after a loss of power, too."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
