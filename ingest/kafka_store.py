"""The checkpoint store of several hosts: a compacted Kafka topic, written in transactions.

    <log>|owner             the epoch of whoever claimed the log last
    <log>|<sequence>        the checkpoint itself, behind the SHA-256 of its bytes
    <log>|<sequence>|<n>    its chunks

A checkpoint is one transaction under a name of its log: it is there whole or not at all, and a claim locks
out the owner before. What no generation needs any more is deleted in the same transaction, so that
compaction keeps the topic as large as the state.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta

from ingest.kafka_client import Brokers, Connection, KafkaSecurity
from ingest.kafka_table import read_table
from ingest.kafka_transaction import TransactionLost, Transactions
from tocsin.checkpoint import GENERATIONS, digest
from tocsin.contracts import (
    Checkpoint,
    CheckpointStore,
    Fenced,
    Saved,
    SourceUnavailable,
    StateUnreadable,
    StoreUnavailable,
)

TABLE: Mapping[str, str] = {
    "cleanup.policy": "compact",
    "max.message.bytes": str(2 << 20),
    "segment.bytes": str(64 << 20),
    "min.cleanable.dirty.ratio": "0.3",
}

_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Checkpoint)


class KafkaCheckpoints(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A compacted topic: any host can take over a partition with its state."""

    brokers: Brokers
    topic: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]+$", max_length=200, description="its name")] = (
        "tocsin.checkpoints"
    )
    partitions: Annotated[
        int, Meta(ge=1, le=1024, description="of the topic; a restore reads one of them. Fixed once made")
    ] = 12
    replication: Annotated[
        int, Meta(ge=-1, le=16, description="copies of each partition; -1: what the brokers are set to")
    ] = -1
    security: KafkaSecurity = KafkaSecurity()

    def open(self) -> KafkaStore:
        """Make the topic where it is not there. Raises StoreUnavailable."""
        return KafkaStore(self, make=True)

    def look(self) -> KafkaStore:
        """The same store; reading it takes nothing from its owners."""
        return KafkaStore(self, make=False)


class KafkaStore(CheckpointStore):
    """One process's view of the topic."""

    def __init__(self, settings: KafkaCheckpoints, *, make: bool) -> None:
        self._topic = settings.topic
        self._connection = Connection(settings.brokers, settings.security)
        self._owned: dict[str, tuple[int, Transactions]] = {}
        self._written: dict[str, dict[int, tuple[int, int]]] = {}  # log: sequence: (base, chunks)
        self._partitions = self._count(settings, make)

    def claim(self, log: str) -> int:
        """Become the owner of `log`."""
        self._let_go(log)
        transactions = Transactions(self._connection, f"{self._topic}.{log}")
        try:
            transactions.own()  # from here on the owner before saves nothing any more
            table = self._table(log)
            epoch = 1 + max([_epoch(table, log), *(c.epoch for c, _ in _checkpoints(table, log))])
            self._write(log, transactions, {_owner(log): str(epoch).encode()})
        except BaseException:
            transactions.abandon()
            raise
        self._owned[log] = (epoch, transactions)
        self._written[log] = {c.sequence: (c.base, c.chunks) for c, _ in _checkpoints(table, log)}
        return epoch

    def load(self, log: str) -> tuple[Saved | None, Sequence[str]]:
        """The newest checkpoint that verifies, by epoch and position."""
        table = self._table(log)
        complaints: list[str] = [
            f"{log}: {key.decode(errors='replace')} is damaged" for key in _damaged(table, log)
        ]
        found = {c.sequence: c for c, _ in _checkpoints(table, log)}
        for newest in sorted(
            found.values(), key=lambda c: (c.epoch, c.next_offset, c.sequence), reverse=True
        ):
            try:
                return Saved(newest, _chain(table, log, found, newest)), complaints
            except StateUnreadable as error:
                complaints.append(f"{log}: checkpoint {newest.sequence} is unusable: {error}")
        return None, complaints

    def save(self, log: str, checkpoint: Checkpoint, chunks: Sequence[bytes]) -> None:
        """Chunks, then the checkpoint, in one transaction with what it makes superfluous."""
        epoch, transactions = self._owned.get(log, (0, None))
        if transactions is None or epoch != checkpoint.epoch:
            raise Fenced(f"{log}: epoch {checkpoint.epoch} was followed by {epoch or 'another owner'}")
        sequence = checkpoint.sequence
        known = {s: held for s, held in self._written[log].items() if s < sequence}
        known[sequence] = (checkpoint.base, len(chunks))
        bases = [known[s][0] for s in sorted(known, reverse=True)[:GENERATIONS]]
        oldest = min(bases)
        changes: dict[bytes, bytes | None] = {
            _chunk(log, sequence, n): chunk for n, chunk in enumerate(chunks)
        }
        changes |= dict.fromkeys(self._superfluous(log, oldest, sequence, len(chunks)))
        record = _encode(checkpoint)
        changes[_line(log, sequence)] = sha256(record).digest() + record
        self._owners_write(log, epoch, transactions, changes)
        self._written[log] = {s: held for s, held in known.items() if s >= oldest}

    def logs(self) -> Sequence[str]:
        """The logs that have a checkpoint."""
        found: set[str] = set()
        for partition in range(self._partitions):
            for key in self._read(partition, lambda key: key.count(b"|") == 1 and key[-6:] != b"|owner"):
                found.add(key.rpartition(b"|")[0].decode())
        return sorted(found)

    def reset(self, log: str) -> None:
        """Forget all checkpoints of a log and lock out its owner; its epochs go on."""
        self.claim(log)
        gone = [key for key in self._table(log) if key != _owner(log)]
        _, transactions = self._owned[log]
        if gone:
            self._write(log, transactions, dict.fromkeys(gone))
        self._let_go(log)

    def close(self) -> None:
        """Let go of everything."""
        for log in list(self._owned):
            self._let_go(log)

    def _count(self, settings: KafkaCheckpoints, make: bool) -> int:
        try:
            admin = self._connection.admin()
            try:
                if make and self._topic not in admin.topics([self._topic]):
                    admin.create(self._topic, settings.partitions, settings.replication, TABLE)
                known = admin.topics([self._topic])
            finally:
                admin.close()
        except SourceUnavailable as error:
            raise StoreUnavailable(f"checkpoints: {error}") from error
        if self._topic not in known:
            raise StoreUnavailable(f"checkpoints: no such topic: {self._topic}")
        return known[self._topic][1]

    def _place(self, log: str) -> int:
        return zlib.crc32(log.encode()) % self._partitions

    def _table(self, log: str) -> Mapping[bytes, bytes]:
        prefix = f"{log}|".encode()
        return self._read(self._place(log), lambda key: key.startswith(prefix))

    def _read(self, partition: int, wanted: Callable[[bytes], bool]) -> Mapping[bytes, bytes]:
        try:
            return read_table(self._connection, self._topic, partition, wanted)
        except SourceUnavailable as error:
            raise StoreUnavailable(f"checkpoints: {error}") from error

    def _owners_write(
        self, log: str, epoch: int, transactions: Transactions, changes: Mapping[bytes, bytes | None]
    ) -> None:
        """Write as the owner. After an error the epoch that is stored says whether we still are."""
        try:
            if not transactions.owned and _epoch(self._table(log), log) != epoch:
                self._let_go(log)
                raise Fenced(f"{log}: another owner has claimed it since")
            self._write(log, transactions, changes)
        except StoreUnavailable:
            if _epoch(self._table(log), log) != epoch:
                self._let_go(log)
                raise Fenced(f"{log}: another owner has claimed it since") from None
            raise

    def _write(self, log: str, transactions: Transactions, changes: Mapping[bytes, bytes | None]) -> None:
        try:
            transactions.begin()
            for key, value in changes.items():
                transactions.send(self._topic, self._place(log), value, key)
            transactions.commit()
        except (TransactionLost, SourceUnavailable) as error:
            raise StoreUnavailable(f"checkpoint of {log}: {error}") from error

    def _superfluous(self, log: str, oldest: int, sequence: int, chunks: int) -> Iterable[bytes]:
        """What neither generation needs, and what a line that was given up left under these numbers."""
        for number, (_, count) in self._written[log].items():
            if number < oldest or number > sequence:
                yield _line(log, number)
                yield from (_chunk(log, number, n) for n in range(count))
            elif number == sequence:
                yield from (_chunk(log, number, n) for n in range(chunks, count))

    def _let_go(self, log: str) -> None:
        _, transactions = self._owned.pop(log, (0, None))
        self._written.pop(log, None)
        if transactions is not None:
            transactions.abandon()


def _owner(log: str) -> bytes:
    return f"{log}|owner".encode()


def _line(log: str, sequence: int) -> bytes:
    return f"{log}|{sequence}".encode()


def _chunk(log: str, sequence: int, number: int) -> bytes:
    return f"{log}|{sequence}|{number}".encode()


def _epoch(table: Mapping[bytes, bytes], log: str) -> int:
    stored = table.get(_owner(log), b"0")
    return int(stored) if stored.isdigit() else 0


def _lines(table: Mapping[bytes, bytes], log: str) -> list[bytes]:
    start = len(log.encode()) + 1
    return [key for key in table if key[start:].isdigit()]


def _checkpoints(table: Mapping[bytes, bytes], log: str) -> list[tuple[Checkpoint, bytes]]:
    """Those whose own bytes are what was written."""
    return [(c, key) for key in _lines(table, log) if (c := _decoded(table[key])) is not None]


def _damaged(table: Mapping[bytes, bytes], log: str) -> list[bytes]:
    return [key for key in _lines(table, log) if _decoded(table[key]) is None]


def _decoded(value: bytes) -> Checkpoint | None:
    if sha256(value[32:]).digest() != value[:32]:
        return None
    try:
        return _decoder.decode(value[32:])
    except msgspec.MsgspecError:
        return None


def _chain(
    table: Mapping[bytes, bytes], log: str, found: Mapping[int, Checkpoint], newest: Checkpoint
) -> list[bytes]:
    """The chunks that rebuild a state, oldest first."""
    chunks: list[bytes] = []
    for sequence in range(newest.base, newest.sequence + 1):
        checkpoint = found.get(sequence)
        if checkpoint is None:
            raise StateUnreadable(f"the record of {sequence} is missing or damaged")
        keys = [_chunk(log, sequence, n) for n in range(checkpoint.chunks)]
        part = [table[key] for key in keys if key in table]
        if len(part) != checkpoint.chunks or digest(part) != checkpoint.sha256:
            raise StateUnreadable(f"the chunks of {sequence} are not those that were saved")
        chunks.extend(part)
    return chunks
