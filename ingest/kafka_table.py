"""A partition of a compacted topic, read to its present end as a table of keys and values."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from ingest.kafka_client import Connection, described
from tocsin.contracts import SourceUnavailable
from tocsin.logs import Log

SILENCE_SECONDS = 30.0  # without a record before the end is reached: give up
PROGRESS_SECONDS = 5.0

log = Log("kafka")


def read_table(
    connection: Connection, topic: str, partition: int, wanted: Callable[[bytes], bool] = bool
) -> Mapping[bytes, bytes]:
    """The newest committed value of each wanted key that was not deleted. Raises SourceUnavailable."""
    consumer = connection.consumer(
        max_partition_fetch_bytes=8 << 20, fetch_max_bytes=32 << 20, max_poll_records=1000
    )
    try:
        return _read(consumer, TopicPartition(topic, partition), wanted)
    except (KafkaError, OSError, AssertionError) as error:
        raise SourceUnavailable(f"reading {topic}/{partition}: {described(error)}") from error
    finally:
        consumer.close(autocommit=False, timeout_ms=2_000)


def _read(client: Any, place: TopicPartition, wanted: Callable[[bytes], bool]) -> Mapping[bytes, bytes]:
    client.assign([place])
    first = client.beginning_offsets([place], timeout_ms=10_000)[place]
    end = client.end_offsets([place], timeout_ms=10_000)[place]
    client.seek(place, first)
    table: dict[bytes, bytes] = {}
    heard = told = time.monotonic()
    while (position := client.position(place, timeout_ms=10_000)) < end:
        records = client.poll(timeout_ms=500).get(place, ())
        now = time.monotonic()
        if records:
            heard = now
        elif now - heard > SILENCE_SECONDS:
            raise SourceUnavailable(f"{place.topic}/{place.partition} stops at {position} of {end}")
        if now - told > PROGRESS_SECONDS:
            told = now
            log.info("reading a table", topic=place.topic, partition=place.partition, at=position, end=end)
        for record in records:
            if record.key and wanted(record.key):
                if record.value is None:
                    table.pop(record.key, None)
                else:
                    table[record.key] = record.value
    return table
