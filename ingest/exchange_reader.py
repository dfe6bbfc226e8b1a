"""The exchange as the detect part reads it: a log that keeps what a checkpoint may still need."""

from __future__ import annotations

import time
from collections.abc import Mapping

from ingest.exchange_topic import Exchange
from ingest.kafka import KafkaSource, start_of
from ingest.kafka_reader import KafkaReader
from tocsin.contracts import SourceUnavailable
from tocsin.logs import Log
from tocsin.model import Partition

RELEASE_SECONDS = 10.0  # between two deletions

log = Log("exchange")


class ExchangeSource(KafkaSource, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The generations of the exchange that are not drained yet. Its records are frames."""

    def open(self) -> ExchangeReader:
        """Connect. Raises SourceUnavailable."""
        return ExchangeReader(self, start_of(self.start))


class ExchangeReader(KafkaReader):
    """Deletes what lies below the older of the last two checkpoints."""

    def __init__(self, source: ExchangeSource, start: str | float) -> None:
        super().__init__(source, start)
        self._newest: dict[Partition, int] = {}
        self._older: dict[Partition, int] = {}
        self._deleted: dict[Partition, int] = {}
        self._release_at = time.monotonic() + RELEASE_SECONDS

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Each call follows a checkpoint at these positions, so the one before is the older to keep."""
        super().commit(positions)
        for partition, position in positions.items():
            newest = self._newest.get(partition)
            if newest is not None and position > newest:
                self._older[partition] = newest
            self._newest[partition] = position
        if time.monotonic() >= self._release_at:
            self._release_at = time.monotonic() + RELEASE_SECONDS
            self._release()

    def _release(self) -> None:
        topics: dict[str, dict[int, int]] = {}
        for partition, offset in self._older.items():
            if offset > self._deleted.get(partition, 0) and partition in self._assigned:
                topics.setdefault(partition.name, {})[partition.number] = offset
        try:
            for topic, below in topics.items():
                self.admin.delete_below(topic, below)
                self._deleted.update((Partition(topic, number), offset) for number, offset in below.items())
        except SourceUnavailable as error:
            log.warning("processed frames were not deleted; the backlog grows until they are", error=error)


def detect_source(exchange: Exchange) -> ExchangeSource:
    """What the detect part reads; makes the exchange where it is not there yet."""
    exchange.prepare()
    rules = exchange.ledger().rules
    source = exchange.source
    return ExchangeSource(
        brokers=source.brokers,
        security=source.security,
        topics=tuple(exchange.name(rule.generation) for rule in rules if rule.state != "retired"),
        group_id=exchange.detect_group,
        group_instance_id=source.group_instance_id,
        start="earliest",
        session_seconds=source.session_seconds,
        poll_records=200,
    )
