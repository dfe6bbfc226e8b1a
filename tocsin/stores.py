"""Checkpoint stores as the configuration names them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from tocsin.checkpoint import SqliteStore
from tocsin.contracts import CheckpointStore
from tocsin.memory import MemoryStore


class StoreSettings(Protocol):
    """Settings of a place for checkpoints."""

    def open(self) -> CheckpointStore:
        """The store, to be written to. Raises StoreUnavailable, or ConfigError where it is taken."""
        ...

    def look(self) -> CheckpointStore:
        """The store for reading alone, beside the process that owns it."""
        ...


class Sqlite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A SQLite file on this host, for one process."""

    directory: Annotated[
        str, Meta(min_length=1, description="directory of the state file; one for each process")
    ] = ".tocsin/state"

    def open(self) -> CheckpointStore:
        """The directory is this process's from now on."""
        return SqliteStore(Path(self.directory))

    def look(self) -> CheckpointStore:
        """Whatever the owner has saved so far."""
        return SqliteStore.look(Path(self.directory))


class Memory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No store at all: a restart begins anew. For trying things out."""

    def open(self) -> CheckpointStore:
        """An empty one."""
        return MemoryStore()

    def look(self) -> CheckpointStore:
        """An empty one."""
        return MemoryStore()
