"""The exchange on a real broker: exactly once, in order, whatever happens to its workers."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka.structs import TopicPartition
from parts import ingest_worker
from parts.exchanged import (
    an_exchange,
    arrived,
    changed,
    exactly_once_in_order,
    exists,
    frames_of,
    items_of,
    running,
    write,
)
from parts.ingest_worker import surroundings, unpack
from parts.kafka_server import ROOT, KafkaServer
from parts.kafka_topics import everything, fresh, produce, read, seek_new, values, wait_until

from ingest import exchange_ingest
from ingest.exchange import Exchange, IngestPart, detect_source
from ingest.kafka_transaction import Transactions
from tocsin import frame
from tocsin.contracts import ConfigError, LogChanged, SourceUnavailable
from tocsin.exits import UNAVAILABLE, code_of
from tocsin.model import Event, Partition, Record, Reject
from tocsin.settings import QuarantineSettings

pytestmark = pytest.mark.kafka


@pytest.fixture
def exchange(kafka: KafkaServer) -> Exchange:
    """Three partitions, filled from a topic with two."""
    return an_exchange(kafka)


def _fails(exchange: Exchange, error: type[Exception], match: str) -> None:
    """Running it ends with the error by itself."""
    stop = threading.Event()
    timer = threading.Timer(30, stop.set)
    timer.start()
    with pytest.raises(error, match=match):
        IngestPart(exchange, unpack, surroundings()).run(stop)
    timer.cancel()


# Exactly once.


def test_events_arrive_once_in_order_in_their_groups_partition(exchange: Exchange) -> None:
    before = time.time()
    write(exchange, 3000, 0)
    write(exchange, 2000, 1)
    with running(exchange):
        wait_until(lambda: exists(exchange) and arrived(exchange) == 5000, 40, "not everything arrived")
    exactly_once_in_order(exchange, {0: 3000, 1: 2000})
    records = [record for partition in frames_of(exchange) for record in partition]
    assert all(record.timestamp_type == 1 for record in records)  # LogAppendTime
    assert all(before - 5 < record.timestamp / 1000 < time.time() + 5 for record in records)


def _worker(exchange: Exchange, slot: str, **source: Any) -> subprocess.Popen[bytes]:
    wanted = changed(exchange, source, slot=slot)
    settings = {"source": wanted.source, "exchange": wanted.settings}
    command = [sys.executable, ingest_worker.__file__, msgspec.json.encode(settings).decode()]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "PYTHONWARNINGS": "ignore"}
    out = subprocess.DEVNULL
    return subprocess.Popen(command, env=environment, stdin=out, stdout=out, stderr=out)


@contextmanager
def _workers(exchange: Exchange, *slots: str, **source: Any) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    workers = {slot: _worker(exchange, slot, **source) for slot in slots}
    try:
        yield workers
    finally:
        for process in workers.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(10)


def test_workers_killed_in_the_middle_of_transactions_lose_and_double_nothing(kafka: KafkaServer) -> None:
    exchange = an_exchange(kafka, sources=4, batch_events=100)
    exchange.prepare()
    chance, kills = random.Random(7), 0
    writer = threading.Thread(target=_write_slowly, args=(exchange, 4, 5000))
    writer.start()
    with _workers(exchange, "a", "b", session_seconds=6.0) as workers:
        while writer.is_alive():
            time.sleep(chance.uniform(0.3, 0.9))
            slot = chance.choice("ab")
            workers[slot].kill()
            workers[slot].wait(10)
            workers[slot] = _worker(exchange, slot, session_seconds=6.0)
            kills += 1
        writer.join()
        wait_until(lambda: arrived(exchange) >= 20_000, 60, "not everything arrived")
    assert kills >= 8
    exactly_once_in_order(exchange, dict.fromkeys(range(4), 5000))


def _write_slowly(exchange: Exchange, partitions: int, count: int) -> None:
    """So that the kills hit a stream that flows."""
    step = count // 20
    for first in range(0, count, step):
        for partition in range(partitions):
            write(exchange, step, partition, first)
        time.sleep(0.35)


def test_a_worker_that_was_thought_dead_changes_nothing(kafka: KafkaServer) -> None:
    exchange = an_exchange(kafka, batch_events=50)
    exchange.prepare()
    write(exchange, 1000, 0)
    with _workers(exchange, "a", session_seconds=6.0) as first:
        wait_until(lambda: arrived(exchange) >= 300, 40, "the first worker does not work")
        first["a"].send_signal(signal.SIGSTOP)
        write(exchange, 1000, 0, 1000)
        with _workers(exchange, "b", session_seconds=6.0):
            wait_until(lambda: arrived(exchange) >= 2000, 40, "nobody took over")
            first["a"].send_signal(signal.SIGCONT)
            write(exchange, 500, 1)
            wait_until(lambda: arrived(exchange) >= 2500, 40, "work did not go on")
    exactly_once_in_order(exchange, {0: 2000, 1: 500})


def test_a_restart_aborts_what_was_open_at_once(exchange: Exchange) -> None:
    exchange.prepare()
    first = Transactions(exchange.connection, "worker", timeout_seconds=120)
    first.begin()
    first.send(exchange.name(1), 0, b"never committed")
    first._producer.flush(timeout=10)
    first.abandon()  # as SIGKILL leaves it
    other = Transactions(exchange.connection, "other")
    other.begin()
    other.send(exchange.name(1), 0, frame.TICK)
    other.commit()
    other.abandon()
    source = msgspec.structs.replace(detect_source(exchange), group_id=fresh("detect"))
    with closing(source.open()) as reader:
        wait_until(lambda: bool(reader.poll(0.1)) or len(seek_new(reader)) == 3, 20, "no assignment")
        assert list(reader.poll(0.5)) == []  # what comes behind an open transaction waits for its end
        began = time.monotonic()
        again = Transactions(exchange.connection, "worker", timeout_seconds=120)
        again.own()
        assert values(read(reader, 1)) == [frame.TICK]
        assert time.monotonic() - began < 5
        again.abandon()


def test_a_stale_owner_of_a_name_is_superseded_and_does_not_take_it_back(exchange: Exchange) -> None:
    from ingest.kafka_transaction import Superseded

    exchange.prepare()
    stale, owner = (Transactions(exchange.connection, "same") for _ in range(2))
    stale.begin()
    stale.send(exchange.name(1), 0, b"stale")
    owner.own()
    with pytest.raises(Superseded):
        stale.commit()
    owner.begin()
    owner.send(exchange.name(1), 1, frame.TICK)
    owner.commit()
    owner.abandon()
    assert values_of(frames_of(exchange)) == [frame.TICK]


def values_of(partitions: Sequence[Sequence[Any]]) -> list[bytes]:
    """Of the client's own records."""
    return [record.value for records in partitions for record in records]


# What the exchange holds besides events.


def test_rejects_travel_with_the_events(exchange: Exchange) -> None:
    (topic,) = exchange.source.topics
    produce(",".join(exchange.connection.addresses), topic, [b"app:1", b"broken", b"app:2"])
    with running(exchange):
        wait_until(lambda: exists(exchange) and arrived(exchange) == 3, 30, "not everything arrived")
    rejects = [i for records in frames_of(exchange) for i in items_of(records) if isinstance(i, Reject)]
    (reject,) = rejects
    assert (reject.reason, reject.source, reject.source_offset) == ("undecodable", topic, 1)


def test_silent_partitions_are_sent_the_time(exchange: Exchange) -> None:
    exchange = changed(exchange, tick_seconds=0.5)
    with running(exchange):
        wait_until(lambda: exists(exchange) and all(map(len, frames_of(exchange))), 20, "no ticks")
    assert set(values_of(frames_of(exchange))) == {frame.TICK}


def test_what_was_there_at_the_first_start_is_backfill(exchange: Exchange) -> None:
    write(exchange, 10, 0)
    with running(exchange):
        wait_until(lambda: exists(exchange) and arrived(exchange) == 10, 30, "not everything arrived")
    with running(exchange):  # a later start moves nothing
        write(exchange, 10, 0, 10)
        wait_until(lambda: arrived(exchange) == 20, 30, "not everything arrived")
    flags = {True: set[str](), False: set[str]()}
    for records in frames_of(exchange):
        for r in records:
            unpacked = frame.unpack(Record(Partition("x", 0), r.offset, 0, 0.0, r.value))
            flags[unpacked.backfill] |= {item.user for item in unpacked.items if isinstance(item, Event)}
    assert flags[True] == {str(n) for n in range(10)}
    assert flags[False] == {str(n) for n in range(10, 20)}


def test_dead_letters_tell_the_reason_and_the_place_not_the_bytes(
    kafka: KafkaServer, exchange: Exchange
) -> None:
    (topic,) = exchange.source.topics
    letters = fresh("letters")
    produce(kafka.brokers, topic, [b"app:1", b"broken " + b"x" * 100])
    with running(exchange, QuarantineSettings(dead_letter_topic=letters)):
        wait_until(lambda: exists(exchange) and arrived(exchange) == 2, 30, "not everything arrived")
    ((record,),) = everything(kafka.brokers, letters, 1)
    told = msgspec.json.decode(record.value)
    assert told["reason"] == "undecodable"
    assert (told["source"], told["source_partition"], told["source_offset"]) == (topic, 0, 1)
    assert len(told["sample"]) <= 20


def test_a_partition_of_nothing_but_rubbish_is_paused_and_the_others_go_on(
    kafka: KafkaServer, exchange: Exchange
) -> None:
    (topic,) = exchange.source.topics
    around = surroundings()
    with running(exchange, QuarantineSettings(limit_records=20), around) as part:
        produce(kafka.brokers, topic, [b"rubbish"] * 100, 0)
        paused = f"limiter {topic}/0"
        wait_until(lambda: paused in around.health.reasons(), 30, "not paused")
        before = arrived(exchange)
        produce(kafka.brokers, topic, [b"rubbish"] * 10, 0)
        write(exchange, 10, 1)
        wait_until(lambda: arrived(exchange) >= before + 10, 30, "the other partition stopped")
        assert arrived(exchange) == before + 10
        part.resume()
        wait_until(lambda: arrived(exchange) == before + 20, 30, "not resumed")
        assert paused not in around.health.reasons()


def test_a_pause_is_told_by_nobody_who_lost_the_partition(kafka: KafkaServer, exchange: Exchange) -> None:
    (topic,) = exchange.source.topics
    around, rubbish = surroundings(), QuarantineSettings(limit_records=20)

    def paused() -> int:
        return sum(reason.startswith("limiter") for reason in around.health.reasons())

    with running(exchange, rubbish, around):
        for number in range(2):
            produce(kafka.brokers, topic, [b"rubbish"] * 50, number)
        wait_until(lambda: paused() == 2, 30, "not paused")
        with running(changed(exchange, slot=fresh("slot")), rubbish):
            wait_until(lambda: paused() == 1, 60, "still told after it was lost")


class Away:
    """A forwarder whose brokers answer only now and then."""

    def __init__(self, *_: object) -> None:
        self.turns = 0

    def turn(self) -> None:
        self.turns += 1
        if self.turns % 3:
            raise SourceUnavailable("nobody answers")

    def rewind(self) -> None: ...

    def close(self) -> None: ...


def _ingest_part(exchange: Exchange, give_up_seconds: float) -> IngestPart:
    return IngestPart(exchange, unpack, surroundings(), give_up_seconds=give_up_seconds)


def test_brokers_that_stay_away_end_the_ingest_part(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_ingest, "Forwarder", Away)
    with pytest.raises(SourceUnavailable, match="nobody answers") as raised:
        _ingest_part(exchange, 0.05).run(threading.Event())
    assert code_of(raised.value) == UNAVAILABLE == 69


def test_brokers_that_come_back_in_time_do_not(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange_ingest, "Forwarder", Away)
    monkeypatch.setattr(exchange_ingest, "RETRY_SECONDS", (0.01, 0.01))
    stop = threading.Event()
    threading.Timer(1.5, stop.set).start()
    _ingest_part(exchange, 1.0).run(stop)


# Rules, refusals, remedies.


def test_another_partition_count_is_refused_with_the_remedy(exchange: Exchange) -> None:
    exchange.prepare()
    _fails(changed(exchange, partitions=4), ConfigError, "made with 3.*keep 3.*tocsin exchange next")


def test_a_topic_that_would_forget_is_refused(kafka: KafkaServer, exchange: Exchange) -> None:
    from kafka.admin import ConfigResource, ConfigResourceType

    exchange.prepare()
    admin = kafka.admin()
    try:
        resource = ConfigResource(ConfigResourceType.TOPIC, exchange.name(1), {"retention.ms": "1000"})
        admin.alter_configs([resource])
    finally:
        admin.close()
    with pytest.raises(ConfigError, match="retention.ms is 1000 and must be -1"):
        exchange.prepare()


def test_lost_offsets_are_refused_while_the_exchange_has_data(kafka: KafkaServer, exchange: Exchange) -> None:
    (topic,) = exchange.source.topics
    write(exchange, 50)
    with running(exchange):
        wait_until(lambda: exists(exchange) and arrived(exchange) == 50, 30, "not everything arrived")
    admin = kafka.admin()
    try:
        admin.delete_groups([exchange.source.group_id])
    finally:
        admin.close()
    _fails(exchange, LogChanged, "lost its offset.*tocsin exchange forget")
    assert exchange.forget(topic) == 2
    assert exchange.forget(topic) == 0
    with running(changed(exchange, {"start": "latest"})):
        time.sleep(1.5)
        write(exchange, 7, 0, 50)
        wait_until(lambda: arrived(exchange) == 57, 30, "did not begin as start says")


def test_a_source_topic_made_anew_is_refused(kafka: KafkaServer, exchange: Exchange) -> None:
    (topic,) = exchange.source.topics
    write(exchange, 50)
    with running(exchange):
        wait_until(lambda: exists(exchange) and arrived(exchange) == 50, 30, "not everything arrived")
    admin = kafka.admin()
    try:
        admin.delete_topics([topic], timeout_ms=10_000)
        wait_until(lambda: admin.describe_topics([topic])[0]["error_code"] != 0, 10, "not deleted")
    finally:
        admin.close()
    kafka.create_topic(topic, 2)
    write(exchange, 5)
    with closing(exchange.connection.admin()) as checker:
        committed = _committed(kafka, exchange, topic)
        assert checker.topics([topic])
    if committed:  # brokers may have dropped the offsets with the topic
        _fails(exchange, LogChanged, "made again")
        exchange = changed(exchange, {"out_of_range": "earliest"})
    with running(exchange):
        wait_until(lambda: arrived(exchange) == 55, 30, "the new topic is not read")


def _committed(kafka: KafkaServer, exchange: Exchange, topic: str) -> bool:
    admin = kafka.admin()
    try:
        found = admin.list_group_offsets([exchange.source.group_id])
        return any(place.topic == topic for group in found.values() for place in group)
    finally:
        admin.close()


def test_the_next_generation_is_read_beside_the_old_one(exchange: Exchange) -> None:
    write(exchange, 100)
    with running(exchange):
        wait_until(lambda: exists(exchange) and arrived(exchange) == 100, 30, "not everything arrived")
        wider = changed(exchange, partitions=5)
        with pytest.raises(ConfigError, match="1 ingest workers still run"):
            wider.next_generation()
    assert wider.next_generation().generation == 2
    with running(wider):
        write(exchange, 100, 0, 100)
        wait_until(lambda: sum(len(items_of(r)) for r in frames_of(wider, 2)) == 100, 30, "no new generation")
    assert arrived(exchange) == 100
    assert detect_source(wider).topics == (wider.name(1), wider.name(2))
    with closing(detect_source(wider).open()) as reader:
        records = read(reader, sum(map(len, frames_of(wider, 1) + frames_of(wider, 2))))
    items = [item for record in records for item in frame.unpack(record).items]
    assert sorted(int(i.user) for i in items if isinstance(i, Event)) == list(range(200))
    with pytest.raises(ConfigError, match="old generation"):
        wider.retire(2)
    wider.retire(1)
    assert detect_source(wider).topics == (wider.name(2),)


# Retention and backlog.


def test_checkpoints_release_what_no_generation_needs(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.exchange_reader.RELEASE_SECONDS", 0.0)
    exchange.prepare()
    place = Partition(exchange.name(1), 0)
    produce(",".join(exchange.connection.addresses), place.name, [frame.TICK] * 10)
    with closing(detect_source(exchange).open()) as reader:
        read(reader, 10)
        for position, first in ((4, 0), (4, 0), (7, 4), (10, 7)):
            reader.commit({place: position})
            assert reader.admin.bounds(place.name, [0])[0] == (first, 10)


def test_ingest_pauses_above_the_backlog_and_says_so(
    exchange: Exchange, kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.exchange_forward.LOOK_SECONDS", 0.2)
    exchange = changed(exchange, backlog_frames=8, batch_events=1, tick_seconds=3600.0)
    around = surroundings()
    with running(exchange, None, around):
        write(exchange, 400)
        wait_until(lambda: "backlog" in around.health.reasons(), 30, "did not pause")
        time.sleep(1.0)
        held = arrived(exchange)
        write(exchange, 10, 0, 400)
        time.sleep(1.0)
        assert arrived(exchange) == held
        admin = kafka.admin()
        try:
            ends = {TopicPartition(exchange.name(1), n): -1 for n in range(3)}
            admin.delete_records(ends, timeout_ms=10_000)
        finally:
            admin.close()
        wait_until(
            lambda: "backlog" not in around.health.reasons() or arrived(exchange) > 0, 30, "stays paused"
        )


# Brokers that go away.


def test_work_goes_on_after_brokers_were_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.kafka_transaction.WAIT_SECONDS", 5.0)
    monkeypatch.setattr("ingest.kafka_client.BOOTSTRAP_MS", 2000)
    monkeypatch.setattr(exchange_ingest, "RETRY_SECONDS", (0.1, 1.0))
    with KafkaServer(tmp_path / "kafka") as kafka:
        exchange = an_exchange(kafka, tick_seconds=0.5)
        around = surroundings()
        with running(exchange, None, around):
            write(exchange, 500)
            wait_until(lambda: exists(exchange) and arrived(exchange) == 500, 30, "not everything arrived")
            kafka.kill()
            wait_until(lambda: "ingest" in around.health.reasons(), 60, "the outage is not told")
            kafka.start()
            write(exchange, 500, 0, 500)
            wait_until(lambda: arrived(exchange) == 1000, 60, "work did not go on")
            wait_until(
                lambda: "ingest" not in around.health.reasons(), 20, "the end of the outage is not told"
            )
        exactly_once_in_order(exchange, {0: 1000})
