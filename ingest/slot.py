"""The name under which an ingest worker writes: the same after a restart, never that of another."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from pathlib import Path
from types import TracebackType

from tocsin.contracts import ConfigError

SLOTS = 256  # workers of one group on one host


class Slot:
    """A name that is this process's until `close` or its death.

    A restarted worker that comes back under its old name aborts its open transaction at once; under
    another name readers would wait for the brokers' time-out. So the name is, in this order: what was
    configured; `group_instance_id`, which has the same two properties; the host's name and the lowest
    number on this host whose lock is free, which a killed process gives back.
    """

    def __init__(self, configured: str, group: str) -> None:
        self._lock = -1
        self.name = configured or self._numbered(group)

    def __enter__(self) -> Slot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give a numbered name back."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _numbered(self, group: str) -> str:
        directory = Path(tempfile.gettempdir()) / f"tocsin-{os.getuid()}"
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            for number in range(SLOTS):
                if self._taken(directory / f"{group.replace('/', '_')}.{number}.lock"):
                    return f"{socket.gethostname()}-{number}"
        except OSError as error:
            raise ConfigError([f"[exchange] slot: name one, none can be found here: {error}"]) from error
        raise ConfigError([f"[exchange] slot: {SLOTS} workers of the group {group} run on this host"])

    def _taken(self, path: Path) -> bool:
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._lock = handle
        return True
