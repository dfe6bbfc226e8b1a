"""A sealed exchange on a real broker: nothing readable lies in it, and keys can change while frames wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from parts.ingest_worker import surroundings
from parts.kafka_server import KafkaServer
from parts.kafka_topics import everything, fresh, produce, read, wait_until

from ingest.exchange import Exchange, ExchangeSettings, IngestPart, detect_source
from ingest.kafka import KafkaSource
from ingest.recognise import Recogniser
from tocsin import frame
from tocsin.model import Event, Record, Reject
from tocsin.sealing import Keys, NoKey
from tocsin.settings import QuarantineSettings
from tocsin.unpack import Unpacker

pytestmark = pytest.mark.kafka

OLD, NEW = b"o" * 32, b"n" * 32
TEXT = "Odysseus hides in the wooden horse"
SECRET = "AKIA" + "4QZ7RMX2KD9WLPV3"
CALL = '{"tocsin":1,"kind":"llm","user":"u%d","input":[{"role":"user","text":"%s"}]}'


def exchange(kafka: KafkaServer, keys: Keys | None, like: Exchange | None = None) -> Exchange:
    """A new one; or one that exists, with other keys."""
    if like:
        return Exchange(like.settings, like.source, keys)
    topic = kafka.create_topic(fresh("input"))
    source = KafkaSource(brokers=kafka.brokers, topics=(topic,), group_id=fresh("group"), start="earliest")
    settings = ExchangeSettings(topic=fresh("exchange"), partitions=1, slot=fresh("slot"), linger_ms=20)
    return Exchange(settings, source, keys)


@contextmanager
def filling(made: Exchange, quarantine: QuarantineSettings | None = None) -> Iterator[None]:
    stop = threading.Event()
    part = IngestPart(made, Unpacker(Recogniser()), surroundings(), quarantine)
    thread = threading.Thread(target=part.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


def filled(kafka: KafkaServer, made: Exchange, numbers: Sequence[int], total: int) -> list[bytes]:
    """The frames, once so many are there."""
    made.prepare()
    (topic,) = made.source.topics
    with filling(made):
        for wanted, number in enumerate(numbers, total + 1):  # one transaction each
            produce(kafka.brokers, topic, [(CALL % (number, TEXT)).encode()])
            wait_until(partial(arrived, kafka, made, wanted), 30, "it did not arrive")
    return frames(kafka, made)


def arrived(kafka: KafkaServer, made: Exchange, wanted: int) -> bool:
    return len(frames(kafka, made)) >= wanted


def frames(kafka: KafkaServer, made: Exchange) -> list[bytes]:
    (records,) = everything(kafka.brokers, made.name(1), 1)
    return [record.value for record in records if record.value != frame.TICK]


def records_of(made: Exchange) -> list[Record]:
    with closing(detect_source(made).open()) as reader:
        (partition,) = (
            len(found) for found in everything(",".join(made.connection.addresses), made.name(1), 1)
        )
        return list(read(reader, partition))


def test_keys_change_while_frames_of_both_wait(kafka: KafkaServer) -> None:
    plain = exchange(kafka, None)
    assert TEXT.encode() in b"".join(filled(kafka, plain, [0], 0))
    old = exchange(kafka, Keys([OLD]), plain)
    filled(kafka, old, [1, 2], 1)
    new = exchange(kafka, Keys([NEW, OLD]), plain)
    values = filled(kafka, new, [3, 4], 3)
    sealed = b"".join(value for value in values if value[1] & frame.SEALED)
    assert len(values) == 5 and TEXT.encode() not in sealed and b"Odysseus" not in sealed
    unpack = frame.Opener(Keys([NEW, OLD]))
    records = records_of(new)
    items = [item for record in records for item in unpack(record).items]
    assert [item.user for item in items if isinstance(item, Event)] == ["u0", "u1", "u2", "u3", "u4"]
    with pytest.raises(NoKey, match="is sealed with a key"):
        for record in records:
            frame.Opener(Keys([NEW]))(record)


def test_nothing_readable_lies_on_the_brokers_disk(kafka: KafkaServer) -> None:
    readable = {}
    for keys in (None, Keys([NEW])):
        made = exchange(kafka, keys)
        filled(kafka, made, [1], 0)
        files = Path(kafka._directory, "data").rglob("*.log")
        mine = [path.read_bytes() for path in files if path.parent.name.startswith(f"{made.name(1)}-")]
        assert sum(map(len, mine)) > 200
        readable[keys is None] = any(b"Odysseus" in data for data in mine)
    assert readable == {True: True, False: False}


def test_a_dead_letter_holds_no_secret_of_the_record(kafka: KafkaServer) -> None:
    made, letters = exchange(kafka, Keys([NEW])), fresh("letters")
    made.prepare()
    (topic,) = made.source.topics
    broken = f'{{"prompt": "use {SECRET} for it", "mail": "odysseus@ithaca.example", '
    with filling(made, QuarantineSettings(dead_letter_topic=letters)):
        produce(kafka.brokers, topic, [broken.encode()])
        wait_until(partial(arrived, kafka, made, 1), 30, "it did not arrive")
    ((letter,),) = everything(kafka.brokers, letters, 1)
    assert b'"undecodable"' in letter.value
    assert SECRET.encode() not in letter.value and b"odysseus@" not in letter.value
    (item,) = frame.Opener(Keys([NEW]))(records_of(made)[0]).items
    assert isinstance(item, Reject) and SECRET not in item.sample
