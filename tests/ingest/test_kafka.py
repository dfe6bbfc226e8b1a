"""The Kafka source on a real broker."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import msgspec
import pytest
from kafka.record.default_records import DefaultRecordBatch
from kafka.structs import TopicPartition
from parts.kafka_server import KafkaServer
from parts.kafka_topics import fresh, produce, read, seek_new, values, wait_until

from ingest.kafka import KafkaSource
from ingest.kafka_client import loopback
from ingest.kafka_reader import KafkaReader
from tocsin.contracts import Fenced, LogChanged, SourceUnavailable
from tocsin.model import Partition
from tocsin.testing import check_source

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic(kafka: KafkaServer) -> str:
    return kafka.create_topic(fresh("input"), 2, message_timestamp_type="LogAppendTime")


@pytest.fixture
def source(kafka: KafkaServer, topic: str) -> KafkaSource:
    return KafkaSource(brokers=kafka.brokers, topics=(topic,), group_id=fresh("group"), start="earliest")


def _with(source: KafkaSource, **changed: Any) -> KafkaSource:
    return msgspec.structs.replace(source, **changed)


def test_records_come_in_order_with_place_and_arrival(kafka: KafkaServer, source: KafkaSource) -> None:
    (topic,) = source.topics
    before = time.time()
    produce(kafka.brokers, topic, [b"%d" % n for n in range(500)], 0)
    produce(kafka.brokers, topic, [b"a", b"b"], 1)
    with closing(source.open()) as reader:
        records = read(reader, 502)
    first = [record for record in records if record.partition == Partition(topic, 0)]
    assert values(first) == [b"%d" % n for n in range(500)]
    assert [record.offset for record in first] == list(range(500))
    assert all(record.next_offset == record.offset + 1 for record in records)
    assert all(
        record.arrival is not None and before - 2 < record.arrival < time.time() + 2 for record in records
    )


def test_an_assigned_partition_is_silent_until_sought(kafka: KafkaServer, source: KafkaSource) -> None:
    produce(kafka.brokers, source.topics[0], [b"x"] * 10)
    with closing(source.open()) as reader:
        assigned: list[Partition] = []
        deadline = time.monotonic() + 20
        while len(assigned) < 2 and time.monotonic() < deadline:
            assert reader.poll(0.1) == []
            assigned += reader.changes().assigned
        assert sorted(assigned) == [Partition(source.topics[0], number) for number in (0, 1)]
        assert list(reader.poll(0.5)) == []
        reader.seek(assigned[0], None)
        reader.seek(assigned[1], None)
        assert len(read(reader, 10)) == 10


def test_reading_goes_on_from_the_offset_it_is_given(kafka: KafkaServer, source: KafkaSource) -> None:
    produce(kafka.brokers, source.topics[0], [b"%d" % n for n in range(20)])
    with closing(source.open()) as reader:
        read(reader, 20)
        reader.seek(Partition(source.topics[0], 0), 17)
        assert values(read(reader, 3)) == [b"17", b"18", b"19"]


def test_start_is_latest_or_a_time(kafka: KafkaServer, source: KafkaSource) -> None:
    topic = source.topics[0]
    produce(kafka.brokers, topic, [b"old"] * 3)
    time.sleep(0.05)
    moment = time.time()
    time.sleep(0.05)
    produce(kafka.brokers, topic, [b"middle"] * 2)
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1e6):06d}Z"
    with closing(_with(source, start=at).open()) as reader:
        assert values(read(reader, 2)) == [b"middle"] * 2
    with closing(_with(source, start="latest").open()) as reader:
        wait_until(lambda: bool(reader.poll(0.1)) or bool(seek_new(reader)), 20, "no assignment")
        produce(kafka.brokers, topic, [b"new"])
        assert values(read(reader, 1)) == [b"new"]


def test_pause_holds_and_resume_lets_go(kafka: KafkaServer, source: KafkaSource) -> None:
    place = Partition(source.topics[0], 0)
    with closing(source.open()) as reader:
        produce(kafka.brokers, place.name, [b"1"])
        read(reader, 1)
        reader.pause([place])
        produce(kafka.brokers, place.name, [b"2"] * 5)
        assert list(reader.poll(1.0)) == []
        reader.resume([place])
        assert values(read(reader, 5)) == [b"2"] * 5


def test_lag_counts_what_waits(kafka: KafkaServer, source: KafkaSource) -> None:
    place = Partition(source.topics[0], 0)
    produce(kafka.brokers, place.name, [b"x"] * 100)
    with closing(_with(source, poll_records=10).open()) as reader:
        count = len(read(reader, 10))
        assert reader.lag()[place] == 100 - count
        read(reader, 100 - count)
        assert reader.lag()[place] == 0


def test_commit_is_a_hint_that_lag_tools_see(kafka: KafkaServer, source: KafkaSource) -> None:
    place = Partition(source.topics[0], 0)
    produce(kafka.brokers, place.name, [b"x"] * 5)
    with closing(source.open()) as reader:
        read(reader, 5)
        reader.commit({place: 4})
        wait_until(lambda: reader.committed(place) == 4, 10, "the commit did not arrive")
        reader.commit({Partition("no-such-topic", 0): 1})  # whatever happens, it does not raise


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_is_read(kafka: KafkaServer, source: KafkaSource, codec: str | None) -> None:
    sent = [b"%d " % n * 50 for n in range(100)]
    produce(kafka.brokers, source.topics[0], sent, compression_type=codec)
    with closing(source.open()) as reader:
        assert values(read(reader, 100)) == sent


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_a_compression_bomb_becomes_one_unreadable_record(
    kafka: KafkaServer, source: KafkaSource, codec: str
) -> None:
    bomb = [b"\0" * 900_000] * 8
    options: dict[str, Any] = {"compression_type": codec, "batch_size": 8 << 20, "linger_ms": 500}
    produce(kafka.brokers, source.topics[0], [b"before"])
    produce(kafka.brokers, source.topics[0], bomb, max_request_size=16 << 20, **options)
    produce(kafka.brokers, source.topics[0], [b"after"])
    with closing(_with(source, decompressed_bytes=1 << 20).open()) as reader:
        first, *middle, last = _until(reader, b"after")
    assert (first.value, last.value) == (b"before", b"after")
    told = [record for record in middle if record.value.startswith(b"tocsin: offsets")]
    assert told and all(b"when decompressed" in record.value for record in told)
    assert [r.offset for r in (first, *middle, last)] == sorted({r.offset for r in (first, *middle, last)})


def _until(reader: KafkaReader, value: bytes) -> list[Any]:
    found: list[Any] = []
    deadline = time.monotonic() + 20
    while not found or found[-1].value != value:
        assert time.monotonic() < deadline
        seek_new(reader)
        found += reader.poll(0.1)
    return found


def test_the_log_id_is_the_topics_own(kafka: KafkaServer, source: KafkaSource) -> None:
    with closing(source.open()) as reader:
        topic = source.topics[0]
        admin = kafka.admin()
        try:
            (found,) = admin.describe_topics([topic])
        finally:
            admin.close()
        assert (
            reader.log_id(Partition(topic, 0)) == reader.log_id(Partition(topic, 1)) == str(found["topic_id"])
        )


def test_a_topic_made_anew_is_another_log(
    kafka: KafkaServer, source: KafkaSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.kafka_reader.IDLE_SECONDS", 0.2)
    topic = source.topics[0]
    produce(kafka.brokers, topic, [b"x"] * 3)
    with closing(source.open()) as reader:
        read(reader, 3)
        reader.log_id(Partition(topic, 0))
        admin = kafka.admin()
        try:
            admin.delete_topics([topic], timeout_ms=10_000)
            wait_until(lambda: admin.describe_topics([topic])[0]["error_code"] != 0, 10, "not deleted")
        finally:
            admin.close()
        kafka.create_topic(topic, 2)
        with pytest.raises(LogChanged, match="made again"):
            _poll_for(reader, 15)


def _poll_for(reader: KafkaReader, seconds: float) -> None:
    """Poll until something is raised other than that the topic is away."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            reader.poll(0.1)
        except SourceUnavailable:
            continue


@contextmanager
def _deleted_below(kafka: KafkaServer, place: Partition, offset: int) -> Iterator[None]:
    admin = kafka.admin()
    try:
        admin.delete_records({TopicPartition(place.name, place.number): offset}, timeout_ms=10_000)
        yield
    finally:
        admin.close()


def test_records_deleted_unread_stop_the_partition(kafka: KafkaServer, source: KafkaSource) -> None:
    place = Partition(source.topics[0], 0)
    produce(kafka.brokers, place.name, [b"%d" % n for n in range(10)])
    with _deleted_below(kafka, place, 6), closing(source.open()) as reader:
        wait_until(lambda: bool(reader.poll(0.1)) or place in reader.changes().assigned, 20, "no assignment")
        with pytest.raises(LogChanged, match="offsets 2 to 5 were deleted"):
            reader.seek(place, 2)
        with pytest.raises(LogChanged, match="truncated or made anew"):
            reader.seek(place, 11)


def test_out_of_range_earliest_goes_on_behind_the_gap(
    kafka: KafkaServer, source: KafkaSource, caplog: pytest.LogCaptureFixture
) -> None:
    place = Partition(source.topics[0], 0)
    produce(kafka.brokers, place.name, [b"%d" % n for n in range(10)])
    source = _with(source, out_of_range="earliest")
    with _deleted_below(kafka, place, 6), closing(source.open()) as reader:
        wait_until(lambda: bool(reader.poll(0.1)) or place in reader.changes().assigned, 20, "no assignment")
        with caplog.at_level(logging.ERROR, "tocsin"):
            reader.seek(place, 2)
        assert "deleted unread" in caplog.text
        assert values(read(reader, 4)) == [b"6", b"7", b"8", b"9"]


def test_retention_that_overtakes_the_reader_is_noticed(kafka: KafkaServer, source: KafkaSource) -> None:
    place = Partition(source.topics[0], 0)
    produce(kafka.brokers, place.name, [b"%d" % n for n in range(10)])
    with closing(_with(source, poll_records=2).open()) as reader:
        read(reader, 2)
        reader.pause([place])
        with _deleted_below(kafka, place, 8):
            reader._consumer.seek(TopicPartition(*place), 3)
            reader.resume([place])
            with pytest.raises(LogChanged, match="offsets 3 to 7 were deleted"):
                _poll_for(reader, 15)


def test_two_workers_share_and_take_over(kafka: KafkaServer, source: KafkaSource) -> None:
    topic = source.topics[0]
    with closing(source.open()) as first, closing(source.open()) as second:
        owned: dict[int, set[Partition]] = {1: set(), 2: set()}

        def turn() -> None:
            for number, reader in ((1, first), (2, second)):
                reader.poll(0.05)
                changes = reader.changes()
                owned[number] |= set(changes.assigned)
                owned[number] -= set(changes.revoked) | set(changes.lost)
                for partition in changes.assigned:
                    reader.seek(partition, None)

        _turn_until(turn, lambda: len(owned[1]) == len(owned[2]) == 1)
        assert owned[1] | owned[2] == {Partition(topic, 0), Partition(topic, 1)}
        second.close()
        owned[2] = set()
        deadline = time.monotonic() + 20
        while len(owned[1]) < 2:
            assert time.monotonic() < deadline
            first.poll(0.1)
            changes = first.changes()
            owned[1] |= set(changes.assigned)
            for partition in changes.assigned:
                first.seek(partition, None)
        produce(kafka.brokers, topic, [b"x"] * 3, 0)
        produce(kafka.brokers, topic, [b"y"] * 3, 1)
        assert len(read(first, 6)) == 6


def _turn_until(turn: Callable[[], None], true: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        turn()


def test_a_second_static_member_fences_the_first(kafka: KafkaServer, source: KafkaSource) -> None:
    source = _with(source, group_instance_id="worker-1", session_seconds=6.0)
    with closing(source.open()) as first:
        _turn_until(lambda: void(first.poll(0.1)), lambda: bool(first.changes().assigned))
        with closing(source.open()) as second:
            _turn_until(lambda: void(second.poll(0.1)), lambda: bool(second.changes().assigned))
            first.commit({Partition(source.topics[0], 0): 0})  # the client tells only who commits
            with pytest.raises(Fenced, match="worker-1"):
                _poll_for(first, 20)


def test_what_a_static_member_gave_away_before_it_died_is_read_by_the_other(
    kafka: KafkaServer, source: KafkaSource
) -> None:
    here, there = (_with(source, group_instance_id=name) for name in ("worker-1", "worker-2"))
    with closing(here.open()) as dying, closing(there.open()) as other:
        _turn_until(lambda: void(dying.poll(0.1)), lambda: len(dying.changes().assigned) > 0)
        # Not closed, so the group believes it to be there; it never asks for the second step of the move.
        dying._consumer._coordinator.request_rejoin = lambda: None
        given: list[Partition] = []

        def turn() -> None:
            other.poll(0.05)
            dying.poll(0.05)
            given.extend(dying.changes().revoked)

        _turn_until(turn, lambda: bool(given))
        assert not other.changes().assigned
        with closing(here.open()) as again:
            owned: set[Partition] = set()

            def go_on() -> None:
                again.poll(0.05)
                other.poll(0.05)
                owned.update(other.changes().assigned)

            _turn_until(go_on, lambda: owned == set(given))


def void(_: object) -> None:
    """For lambdas that only do something."""


def test_a_missing_topic_is_named(
    kafka: KafkaServer, source: KafkaSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.kafka_reader.IDLE_SECONDS", 0.1)
    with closing(_with(source, topics=("not-there",)).open()) as reader:
        deadline = time.monotonic() + 10
        with pytest.raises(SourceUnavailable, match="no such topic: not-there"):
            while time.monotonic() < deadline:
                reader.poll(0.1)


def test_no_broker_is_unavailable_and_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.kafka_client.BOOTSTRAP_MS", 1000)
    source = KafkaSource(brokers="localhost:1", topics=("t",), start="earliest")
    began = time.monotonic()
    with pytest.raises(SourceUnavailable, match="localhost:1"):
        source.open()
    assert time.monotonic() - began < 5


def test_a_damaged_batch_is_fetched_anew(
    kafka: KafkaServer, source: KafkaSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    produce(kafka.brokers, source.topics[0], [b"x"] * 5)
    with closing(source.open()) as reader:
        with monkeypatch.context() as broken:
            broken.setattr(DefaultRecordBatch, "validate_crc", lambda self: False)
            deadline = time.monotonic() + 20
            with pytest.raises(SourceUnavailable, match="CorruptRecord"):
                while time.monotonic() < deadline:
                    reader.poll(0.1)
                    seek_new(reader)
        assert values(read(reader, 5)) == [b"x"] * 5


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"brokers": " "}, "names none"),
        ({"start": ""}, "earliest, latest or a time"),
        ({"start": "2026-01-01T00:00:00"}, "with its zone"),
        ({"topics": [], "pattern": ""}, "either topics or a pattern"),
        ({"pattern": "x"}, "either topics or a pattern"),
        ({"topics": [], "pattern": "("}, "no regular expression"),
        ({"security": {"protocol": "SASL_SSL"}}, "mechanism"),
        ({"security": {"protocol": "SASL_SSL", "mechanism": "PLAIN"}}, "username and password"),
        ({"securty": {}}, "unknown field"),
    ],
)
def test_wrong_settings_are_refused(changed: dict[str, Any], says: str) -> None:
    settings = {"brokers": "kafka:9092", "topics": ["t"], "start": "earliest"}
    with pytest.raises(msgspec.ValidationError, match=says):
        msgspec.convert(settings | changed, KafkaSource)


def test_start_has_no_default() -> None:
    with pytest.raises(msgspec.ValidationError, match="start"):
        msgspec.convert({"brokers": "kafka:9092", "topics": ["t"]}, KafkaSource)


def test_a_password_is_never_shown() -> None:
    security = {"protocol": "SASL_SSL", "mechanism": "PLAIN", "username": "u", "password": "hunter2"}
    settings = {"brokers": "kafka:9092", "topics": ["t"], "start": "earliest", "security": security}
    assert "hunter2" not in repr(msgspec.convert(settings, KafkaSource))


def test_brokers_are_a_list_or_one_text() -> None:
    settings = {"topics": ["t"], "start": "earliest"}
    one = msgspec.convert(settings | {"brokers": "a:1, b:2"}, KafkaSource)
    two = msgspec.convert(settings | {"brokers": ["a:1", "b:2"]}, KafkaSource)
    assert one.connection.addresses == two.connection.addresses == ["a:1", "b:2"]


def test_loopback_is_told_from_the_network() -> None:
    assert loopback(["localhost:9092", "127.0.0.1:9093", "[::1]:9094"])
    assert not loopback(["localhost:9092", "kafka:9092"])
    assert not loopback(["10.0.0.1:9092"])


def test_the_source_keeps_the_contract(kafka: KafkaServer, source: KafkaSource) -> None:
    sent = [b"%d" % number for number in range(40)]
    produce(kafka.brokers, source.topics[0], sent[:25], 0)
    produce(kafka.brokers, source.topics[0], sent[25:], 1)
    check_source(source, sent)
