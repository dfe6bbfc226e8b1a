"""Writing to and reading from topics by hand, for tests."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition

from tocsin.contracts import Reader
from tocsin.model import Partition, Record


def fresh(name: str) -> str:
    """A name that no other test uses."""
    return f"{name}-{uuid.uuid4().hex[:8]}"


def produce(brokers: str, topic: str, values: Iterable[bytes], partition: int = 0, **options: Any) -> None:
    """Write values to a partition and wait until they are there."""
    settings: dict[str, Any] = {"bootstrap_servers": brokers, "linger_ms": 5, **options}
    producer: Any = KafkaProducer(**settings)
    try:
        sent = [producer.send(topic, value=value, partition=partition) for value in values]
        producer.flush(timeout=30)
        for future in sent:
            future.get(timeout=30)
    finally:
        producer.close(timeout=5)


def everything(brokers: str, topic: str, partitions: int, seconds: float = 30.0) -> list[list[Any]]:
    """All committed records of a topic up to its present end, by partition."""
    settings: dict[str, Any] = {
        "bootstrap_servers": brokers,
        "isolation_level": "read_committed",
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
    }
    consumer: Any = KafkaConsumer(**settings)
    try:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(places)
        ends = consumer.end_offsets(places, timeout_ms=10_000)
        found: list[list[Any]] = [[] for _ in places]
        deadline = time.monotonic() + seconds
        while any(consumer.position(place) < ends[place] for place in places):
            assert time.monotonic() < deadline, "the topic's end was not reached"
            for place, records in consumer.poll(timeout_ms=200).items():
                found[place.partition] += records
        return found
    finally:
        consumer.close()


def seek_new(reader: Reader, offset: int | None = None) -> list[Partition]:
    """Begin to read what was assigned since the last look."""
    assigned = list(reader.changes().assigned)
    for partition in assigned:
        reader.seek(partition, offset)
    return assigned


def read(reader: Reader, count: int, seconds: float = 20.0) -> list[Record]:
    """At least `count` records, of partitions that begin where `start` says."""
    found: list[Record] = []
    deadline = time.monotonic() + seconds
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} records came"
        seek_new(reader)
        found += reader.poll(0.1)
    return found


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Return once `true()`; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def values(records: Sequence[Record]) -> list[bytes]:
    """What the records hold."""
    return [record.value for record in records]
