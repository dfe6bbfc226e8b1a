"""A SQLite file in a directory that one process owns: what the checkpoints and the journal have in common."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path

from tocsin.contracts import ConfigError, StateUnreadable


def lock(directory: Path, busy: str) -> int:
    """An exclusive lock on the directory, which the system drops with the process.

    Raises OSError, and ConfigError with the mistake `busy` where another process has it.
    """
    handle = os.open(directory / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise ConfigError([busy]) from None
    return handle


def check_format(
    database: sqlite3.Connection, path: Path, *, application: int, newest: int, foreign: str
) -> None:
    """Raises ConfigError with the mistake `foreign` where it is another program's file, StateUnreadable
    where its format is newer than `newest`."""
    found = database.execute("pragma application_id").fetchone()[0]
    version = database.execute("pragma user_version").fetchone()[0]
    if found != application:
        raise ConfigError([foreign])
    if version > newest:
        raise StateUnreadable(
            f"{path} has format {version}, this Tocsin reads up to {newest}: install the newer version again"
        )
