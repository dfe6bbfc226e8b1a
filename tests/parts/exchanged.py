"""An exchange on a real broker, its ingest workers, and what must be true of what it holds."""

from __future__ import annotations

import threading
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import msgspec
from parts.ingest_worker import surroundings, unpack
from parts.kafka_server import KafkaServer
from parts.kafka_topics import everything, fresh, produce

from ingest.exchange import Exchange, ExchangeSettings, IngestPart, Surroundings
from ingest.kafka import KafkaSource
from tocsin import frame
from tocsin.model import Event, Partition, Record, Reject
from tocsin.settings import QuarantineSettings


def an_exchange(kafka: KafkaServer, sources: int = 2, partitions: int = 3, **settings: Any) -> Exchange:
    """Of as many partitions, filled from a topic with as many `sources`, both there and empty."""
    topic = kafka.create_topic(fresh("input"), sources)
    source = KafkaSource(brokers=kafka.brokers, topics=(topic,), group_id=fresh("group"), start="earliest")
    wanted: dict[str, Any] = {
        "topic": fresh("exchange"),
        "partitions": partitions,
        "slot": fresh("slot"),
        "linger_ms": 20,
    }
    return Exchange(ExchangeSettings(**(wanted | settings)), source)


def changed(exchange: Exchange, source: dict[str, Any] | None = None, **settings: Any) -> Exchange:
    """The same one, with other settings of its own or of its source."""
    replace = msgspec.structs.replace
    return Exchange(replace(exchange.settings, **settings), replace(exchange.source, **(source or {})))


@contextmanager
def running(
    exchange: Exchange, quarantine: QuarantineSettings | None = None, around: Surroundings | None = None
) -> Iterator[IngestPart]:
    """An ingest part in a thread of its own; what it raised is raised here."""
    stop, failed = threading.Event(), list[BaseException]()
    part = IngestPart(exchange, unpack, around or surroundings(), quarantine)

    def run() -> None:
        try:
            part.run(stop)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield part
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()
    if failed:
        raise failed[0]


def frames_of(exchange: Exchange, generation: int = 1) -> list[list[Any]]:
    """The client's own records, by partition."""
    rule = exchange.ledger().rules[generation - 1]
    return everything(",".join(exchange.connection.addresses), exchange.name(generation), rule.partitions)


def items_of(records: Sequence[Any]) -> list[Event | Reject]:
    """What the frames hold."""
    place = Partition("x", 0)
    return [item for r in records for item in frame.unpack(Record(place, r.offset, 0, 0.0, r.value)).items]


def arrived(exchange: Exchange) -> int:
    """How many items the exchange holds."""
    return sum(len(items_of(records)) for records in frames_of(exchange))


def write(exchange: Exchange, count: int, partition: int = 0, first: int = 0) -> None:
    """Numbers from `first` on, those of five applications in turn."""
    (topic,) = exchange.source.topics
    brokers = ",".join(exchange.connection.addresses)
    sent = [b"app-%d:%d" % (n % 5, n) for n in range(first, first + count)]
    produce(brokers, topic, sent, partition, batch_size=1 << 18)


def exactly_once_in_order(exchange: Exchange, written: dict[int, int]) -> None:
    """Every event of every source partition is there once, in its group's partition, in its order."""
    found: Counter[tuple[int, int]] = Counter()
    for number, records in enumerate(frames_of(exchange)):
        last: dict[int, int] = defaultdict(lambda: -1)
        for item in items_of(records):
            assert isinstance(item, Event)
            assert zlib.crc32(f"acme\0{item.application}".encode()) % 3 == number
            assert item.source_offset > last[item.source_partition]
            last[item.source_partition] = item.source_offset
            found[(item.source_partition, int(item.user))] += 1
    expected = {(partition, n) for partition, count in written.items() for n in range(count)}
    assert set(found) == expected
    assert set(found.values()) == {1}


def exists(exchange: Exchange) -> bool:
    """Whether its ledger has a first line."""
    with closing(exchange.connection.admin()) as admin:
        if exchange.ledger_topic not in admin.topics([exchange.ledger_topic]):
            return False
    return bool(exchange.ledger().rules)
