"""A reader around a reader, for those that change one thing about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tocsin.contracts import Changes, Reader, Source
from tocsin.model import Partition, Record


class WrappedReader(Reader):
    """Does what the inner one does."""

    def __init__(self, inner: Reader) -> None:
        self.inner = inner

    def changes(self) -> Changes:
        return self.inner.changes()

    def poll(self, timeout: float) -> Sequence[Record]:
        return self.inner.poll(timeout)

    def log_id(self, partition: Partition) -> str:
        return self.inner.log_id(partition)

    def seek(self, partition: Partition, offset: int | None) -> None:
        self.inner.seek(partition, offset)

    def pause(self, partitions: Iterable[Partition]) -> None:
        self.inner.pause(partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        self.inner.resume(partitions)

    def commit(self, positions: Mapping[Partition, int]) -> None:
        self.inner.commit(positions)

    def lag(self) -> Mapping[Partition, int]:
        return self.inner.lag()

    def ended(self) -> bool:
        return self.inner.ended()

    def close(self) -> None:
        self.inner.close()


class NamedLog(Source, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source whose log has the name that it is given: copies of one input have the same ids."""

    inner: Source
    log_id: str

    def open(self) -> Reader:
        """Raises SourceUnavailable."""
        return _NamedLogReader(self.inner.open(), self.log_id)


class _NamedLogReader(WrappedReader):
    def __init__(self, inner: Reader, log_id: str) -> None:
        super().__init__(inner)
        self._log_id = log_id

    def log_id(self, partition: Partition) -> str:
        return self._log_id
