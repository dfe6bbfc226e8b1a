"""One transaction after the other under a stable name, all or nothing, with bounded waits.

kafka-python waits without a limit in half of these calls, reports a record that was given up only
through its future, and would take a name back from a newer owner after some errors. So every wait
has a limit here, every record's future is asked before the commit, and after any error the producer
is thrown away: the next one begins by aborting what is still open under the name.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from kafka import KafkaProducer
from kafka.errors import InvalidProducerEpochError, KafkaError, ProducerFencedError

from ingest.kafka_client import Connection, connect, described
from tocsin.contracts import TocsinError
from tocsin.logs import Log

WAIT_SECONDS = 15.0  # for the brokers, in one call
REQUEST_BYTES = 4 << 20
BATCH_BYTES = 512 << 10

log = Log("kafka")


class TransactionLost(TocsinError):
    """The transaction was not committed, as far as is known: `begin` anew and look what is there."""


class Superseded(TransactionLost):
    """Somebody else has begun under the same name since, or the brokers aborted us for being slow."""


class Transactions:
    """Owner of a transactional name. One thread uses it. Raises TransactionLost."""

    def __init__(self, connection: Connection, name: str, timeout_seconds: float = 10.0) -> None:
        self.name = name
        self._connection = connection
        self._timeout_ms = int(timeout_seconds * 1000)
        self._producer: Any = None
        self._sent: list[Any] = []

    @property
    def owned(self) -> bool:
        """Whether the name was ours after the last call."""
        return self._producer is not None

    def own(self) -> None:
        """Become the owner: aborts what is open under the name, locks out whoever had it. Idempotent."""
        if self._producer is not None:
            return
        options = self._connection.options() | {
            "transactional_id": self.name,
            "transaction_timeout_ms": self._timeout_ms,
            "compression_type": "lz4",
            "linger_ms": 5,
            "batch_size": BATCH_BYTES,
            "max_request_size": REQUEST_BYTES,
            "max_block_ms": int(WAIT_SECONDS * 1000),
            "delivery_timeout_ms": int(WAIT_SECONDS * 1000),
            "request_timeout_ms": int(WAIT_SECONDS * 1000 / 2),
            "retry_backoff_ms": 20,
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
        }
        self._producer = connect(KafkaProducer, options, self._connection.addresses)
        # Left on, a stale owner would renew its epoch after some errors, and lock out the newer one.
        self._producer._transaction_manager._supports_epoch_bump = lambda: False
        try:
            self._producer.init_transactions()
        except (KafkaError, OSError) as error:
            raise self._lost("init", error) from error

    def begin(self) -> None:
        """Open a transaction; becomes the owner first where it is not."""
        self.own()
        try:
            self._producer.begin_transaction()
        except (KafkaError, OSError) as error:
            raise self._lost("begin", error) from error

    def send(self, topic: str, partition: int | None, value: bytes | None, key: bytes | None = None) -> None:
        """Add a record to the transaction."""
        try:
            self._sent.append(self._producer.send(topic, value=value, key=key, partition=partition))
        except (KafkaError, OSError, AssertionError) as error:
            raise self._lost("send", error) from error

    def commit(self, offsets: Mapping[Any, Any] | None = None, group: Any = None) -> None:
        """All of it becomes visible, and with it a consumer group's offsets; or nothing does."""
        deadline = time.monotonic() + WAIT_SECONDS
        manager = self._producer._transaction_manager
        try:
            self._producer.flush(timeout=WAIT_SECONDS)
            for future in self._sent:
                if not future.succeeded():
                    raise future.exception or KafkaError("a record was not written")
            if offsets:
                self._wait(manager.send_offsets_to_transaction(offsets, group), deadline)
            self._wait(manager.begin_commit(), deadline)
        except (KafkaError, OSError, ValueError) as error:
            raise self._lost("commit", error) from error
        self._sent = []

    def abandon(self) -> None:
        """Drop the producer as it is. What is open is aborted by the next owner, or by its time-out."""
        producer, self._producer, self._sent = self._producer, None, []
        if producer is None:
            return
        producer._sender.force_close()
        try:
            producer.close(timeout=5.0)
        except (KafkaError, OSError) as error:
            log.warning("the producer did not close", error=error)

    def _wait(self, result: Any, deadline: float) -> None:
        self._producer._sender.wakeup()
        if not result.wait(timeout_ms=max(0.0, deadline - time.monotonic()) * 1000):
            raise KafkaError(f"no answer within {WAIT_SECONDS:.0f} s")

    def _lost(self, where: str, error: BaseException) -> TransactionLost:
        known = getattr(self._producer._transaction_manager, "last_error", None) if self._producer else None
        self.abandon()
        superseded = any(
            isinstance(e, ProducerFencedError | InvalidProducerEpochError) for e in (error, known)
        )
        text = f"{where}: {described(known or error)}"
        return Superseded(text) if superseded else TransactionLost(text)
