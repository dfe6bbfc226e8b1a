"""Parts composed by a configuration: waiting, ending, failing; and quarantine read again."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import msgspec
import pytest
from parts.kafka_server import KafkaServer
from parts.kafka_topics import fresh, produce

from tocsin import config, pipeline, retry
from tocsin.commands.run import resuming
from tocsin.contracts import ConfigError, LogChanged, SinkUnavailable, SourceUnavailable
from tocsin.memory import MemoryLog, MemoryReader, MemorySink, MemorySource, MemoryTables, MemoryWriter
from tocsin.model import Partition, Reject
from tocsin.pipeline import Passed, Pipeline
from tocsin.retry import RetryReader, RetrySource, Sieve, alone, place_of
from tocsin.settings import QuarantineSettings


def line(number: int) -> bytes:
    call = {"tocsin": 1, "kind": "llm", "time": 1.75e9 + number, "session": f"s{number % 3}", "model": "m"}
    return msgspec.json.encode(call)


def log_of(values: Sequence[bytes]) -> MemoryLog:
    log = MemoryLog()
    for value in values:
        log.append(value)
    return log


def settings(log: MemoryLog, tables: MemoryTables, **changes: Any) -> config.Config:
    tables_of_file = {
        "source": {"type": "file", "paths": ["-"]},
        "checkpoints": {"type": "memory"},
        "operations": {"listen": ""},
        "detectors": {"defaults": False, "error_burst": {}},
    }
    made = config.read(tables_of_file, {}, embedded=True)
    sinks = {"memory": MemorySink(tables=tables)}
    return msgspec.structs.replace(made, **{"source": MemorySource(log=log), "sinks": sinks} | changes)


def run(built: Pipeline) -> Passed:
    built.run(threading.Event())
    return built.passed


def test_everything_that_was_read_is_stored_once() -> None:
    tables = MemoryTables()
    values = [*(line(number) for number in range(50)), b"{broken"]
    passed = run(pipeline.build(settings(log_of(values), tables)))
    assert (len(tables.events), len(tables.rejects), tables.doubled) == (50, 1, 0)
    assert (passed.events, passed.rejects) == (50, 1)
    assert str(passed).startswith("50 events, ") and "1 in quarantine" in str(passed)


def test_cycles_are_looked_for_seldom_but_still() -> None:
    before = gc.get_threshold()
    try:
        gc.set_threshold(700, 10, 10)
        run(pipeline.build(settings(log_of([line(1)]), MemoryTables())))
        assert gc.isenabled() and gc.get_threshold() == pipeline.SELDOM
    finally:
        gc.set_threshold(*before)


def test_stop_is_set_when_a_run_has_ended() -> None:
    stop = threading.Event()
    pipeline.build(settings(log_of([line(1)]), MemoryTables())).run(stop)
    assert stop.is_set()


class LateSink(MemorySink, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Comes up after some attempts."""

    refusals: list[str]

    def open(self) -> MemoryWriter:
        if self.refusals:
            raise SinkUnavailable(self.refusals.pop())
        return super().open()


def test_a_sink_that_is_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "FIRST_PAUSE", 0.01)
    tables = MemoryTables()
    sinks = {"late": LateSink(tables=tables, refusals=["not up", "not up"])}
    run(pipeline.build(settings(log_of([line(1)]), tables, sinks=sinks)))
    assert len(tables.events) == 1


def test_whoever_sits_in_front_of_it_does_not_wait() -> None:
    sinks = {"late": LateSink(tables=MemoryTables(), refusals=["not up"])}
    built = pipeline.build(settings(log_of([line(1)]), MemoryTables(), sinks=sinks), patient=False)
    with pytest.raises(SinkUnavailable, match="not up"):
        run(built)


def test_a_stop_ends_the_waiting() -> None:
    sinks = {"late": LateSink(tables=MemoryTables(), refusals=["not up"] * 1000)}
    built = pipeline.build(settings(log_of([line(1)]), MemoryTables(), sinks=sinks))
    stop = threading.Event()
    timer = threading.Timer(0.2, stop.set)
    timer.start()
    built.run(stop)
    timer.join()
    assert "sinks.late" in built.watchers.health.reasons()


class Leaky(MemorySink, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Remembers its writers."""

    writers: list[MemoryWriter]

    def open(self) -> MemoryWriter:
        self.writers.append(MemoryWriter(self.tables))
        return self.writers[-1]


class NoSource(MemorySource, frozen=True, kw_only=True):
    """A source that is never there."""

    def open(self) -> MemoryReader:
        raise SourceUnavailable("no broker")


def test_what_was_opened_is_closed_when_the_rest_cannot_be() -> None:
    log, tables = log_of([line(1)]), MemoryTables()
    sink = Leaky(tables=tables, writers=[])
    built = pipeline.build(settings(log, tables, sinks={"x": sink}, source=NoSource(log=log)), patient=False)
    with pytest.raises(SourceUnavailable):
        run(built)
    assert [writer.closed for writer in sink.writers] == [True]


def test_one_part_needs_an_exchange() -> None:
    with pytest.raises(ConfigError, match="without \\[exchange\\] there is one part"):
        pipeline.build(settings(log_of([]), MemoryTables()), "ingest")


def test_progress_is_told_while_it_runs() -> None:
    told: list[Passed] = []
    log = log_of([line(number) for number in range(10)])
    source = MemorySource(log=log, follow=True)
    stop = threading.Event()

    def tell(passed: Passed) -> None:
        told.append(passed)
        if passed.events == 10:
            stop.set()

    pipeline.build(settings(log, MemoryTables(), source=source)).run(stop, tell)
    assert told[-1].events == 10


# Quarantine.


def quarantined(values: Sequence[bytes]) -> tuple[MemoryLog, MemoryTables]:
    """What is stored after these were read by a version that knew another format only."""
    log, tables = log_of(values), MemoryTables()
    run(pipeline.build(settings(log, tables, format="otlp")))
    return log, tables


def retried(log: MemoryLog, tables: MemoryTables, entries: Sequence[Reject]) -> Sieve:
    sieve = Sieve(entries, {})
    source = RetrySource(inner=MemorySource(log=log), places=tuple({place_of(entry) for entry in entries}))
    run(pipeline.build(settings(log, tables, source=source), patient=False, around=sieve.around))
    return sieve


def test_entries_are_read_again_once_however_often() -> None:
    log, tables = quarantined([line(1), b"{broken", line(2), line(3), b"null"])
    entries = list(tables.rejects)
    sieve = retried(log, tables, entries)
    assert (sieve.read, sieve.still, sieve.changed) == (3, 2, 0)
    retried(log, tables, entries)
    retried(log, tables, entries[2:4])
    assert (len(tables.events), len(tables.rejects), tables.doubled) == (3, 5, 0)
    events = [event for event, _ in tables.events]
    assert [event.source_offset for event in events] == [0, 2, 3]
    assert all(event.backfill and event.log_id == "retry:memory-0-1" for event in events)


def test_parts_of_a_record_that_are_stored_stay_so() -> None:
    log, tables = quarantined([b"[" + line(1) + b"," + line(2) + b"," + line(3) + b"]"])
    sieve = Sieve(tables.rejects, {place_of(tables.rejects[0]): {0, 2}})
    source = RetrySource(inner=MemorySource(log=log), places=(place_of(tables.rejects[0]),))
    run(pipeline.build(settings(log, tables, source=source), patient=False, around=sieve.around))
    assert [event.source_index for event, _ in tables.events] == [1]


def test_a_record_that_is_another_now_is_not_taken() -> None:
    log, tables = quarantined([line(1)])
    entry = msgspec.structs.replace(tables.rejects[0], sha256="0" * 64)
    sieve = retried(log, tables, [entry])
    assert (sieve.read, sieve.changed, len(tables.events)) == (0, 1, 0)


def test_records_that_are_gone_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "PATIENCE_SECONDS", 0.3)
    log, tables = quarantined([line(1), line(2), line(3)])
    log.truncate(0, 2)
    assert retried(log, tables, list(tables.rejects)).read == 1
    entry = msgspec.structs.replace(tables.rejects[0], source="elsewhere")
    assert retried(log, tables, [entry]).read == 0


def test_only_wanted_records_are_handed_out() -> None:
    log = log_of([line(number) for number in range(5)])
    places = [place_of(Reject(reason="invalid", source="memory", source_offset=offset)) for offset in (3, 1)]
    reader = RetryReader(MemorySource(log=log).open(), places)
    (partition,) = reader.changes().assigned
    reader.seek(partition, None)
    offsets: list[int] = []
    while not reader.ended():
        offsets += [record.offset for record in reader.poll(0.0)]
    assert offsets == [1, 3]
    assert reader.lag() == {Partition("memory", 0): 0}


def test_a_retry_joins_no_group_of_the_running_workers() -> None:
    tables = {
        "source": {
            "type": "kafka",
            "brokers": "localhost:9092",
            "topics": ["t"],
            "start": "latest",
            "direct": True,
        }
    }
    source = alone(config.read(tables, {}, embedded=True).source)
    told = msgspec.structs.asdict(source)
    assert (told["group_id"], told["start"]) == ("tocsin.retry", "earliest")
    memory = MemorySource(log=MemoryLog())
    assert msgspec.structs.asdict(alone(memory))["log"] is memory.log


# Through a real exchange.


def exchanged(kafka: KafkaServer, topic: str, tables: MemoryTables, **source: Any) -> config.Config:
    asked = {
        "source": {
            "type": "kafka",
            "brokers": kafka.brokers,
            "topics": [topic],
            "start": "earliest",
            "group_id": topic,
            **source,
        },
        "exchange": {"topic": f"{topic}.exchange", "partitions": 2, "linger_ms": 20, "tick_seconds": 0.5},
        "checkpoints": {"type": "memory"},
        "operations": {"listen": ""},
    }
    made = config.read(asked, {}, embedded=True)
    return msgspec.structs.replace(made, sinks={"memory": MemorySink(tables=tables)})


@contextmanager
def running(*pipelines: Pipeline) -> Iterator[None]:
    """All of them, each in a thread with a stop of its own, until the block ends."""
    stops = [threading.Event() for _ in pipelines]
    threads = [
        threading.Thread(target=built.run, args=(stop,)) for built, stop in zip(pipelines, stops, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for stop, thread in zip(stops, threads, strict=True):
            stop.set()
            thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


@pytest.mark.kafka
def test_both_parts_carry_records_through_the_exchange_and_quarantine_is_read_again(
    kafka: KafkaServer,
) -> None:
    topic, tables = kafka.create_topic(fresh("pipeline"), 3), MemoryTables()
    for number in range(3):
        produce(kafka.brokers, topic, [line(number), line(number + 3), b"{broken"], number)
    settings = exchanged(kafka, topic, tables, format="otlp")
    with running(pipeline.build(settings)):
        wait_for(lambda: len(tables.rejects) == 9)
    assert tables.doubled == 0 and not tables.events
    entries = list(tables.rejects)
    for _ in range(2):
        sieve = Sieve(entries, {})
        source = RetrySource(inner=alone(settings.source), places=tuple({place_of(each) for each in entries}))
        again = msgspec.structs.replace(settings, source=source, exchange=None, format="auto")
        run(pipeline.build(again, patient=False, around=sieve.around))
        assert (sieve.read, sieve.still) == (6, 3)
        assert (len(tables.events), len(tables.rejects), tables.doubled) == (6, 9, 0)


@pytest.mark.kafka
def test_parts_run_apart(kafka: KafkaServer) -> None:
    topic, tables = kafka.create_topic(fresh("pipeline"), 2), MemoryTables()
    settings = exchanged(kafka, topic, tables)
    with running(pipeline.build(settings, "ingest"), pipeline.build(settings, "detect")):
        produce(kafka.brokers, topic, [line(number) for number in range(20)], 1)
        wait_for(lambda: len(tables.events) == 20)
    assert tables.doubled == 0


@pytest.mark.kafka
def test_an_exchange_that_was_made_otherwise_is_refused(kafka: KafkaServer) -> None:
    topic, tables = kafka.create_topic(fresh("pipeline"), 1), MemoryTables()
    settings = exchanged(kafka, topic, tables)
    first = pipeline.build(settings, "ingest")
    with running(first):
        wait_for(lambda: not first.watchers.health.reasons())
    assert settings.exchange is not None
    other = msgspec.structs.replace(settings.exchange, partitions=3)
    built = pipeline.build(msgspec.structs.replace(settings, exchange=other))
    with pytest.raises(ConfigError, match="was made with 2"):
        built.run(threading.Event())


class Exchange:
    """An exchange that is only a memory log."""

    def __init__(self, settings: Any, source: MemorySource, keys: Any) -> None:
        self.source = MemorySource(log=source.log, follow=True)

    def prepare(self) -> None:
        """Nothing to be made."""


@pytest.fixture
def memory_exchange(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(pipeline, "EXCHANGE", f"{__name__}:Exchange")
    monkeypatch.setattr(pipeline, "DETECT_SOURCE", f"{__name__}:source_of")
    return monkeypatch


class BrokenPart:
    """An ingest part that cannot go on."""

    def __init__(self, *given: Any) -> None:
        """Takes what any ingest part takes."""

    def run(self, stop: threading.Event) -> None:
        raise LogChanged("offsets are missing")

    def resume(self) -> None:
        """Nothing is paused."""


class PausedPart:
    """An ingest part that only remembers that it was resumed."""

    resumed: ClassVar[threading.Event]

    def __init__(self, *given: Any) -> None:
        """Takes what any ingest part takes."""

    def run(self, stop: threading.Event) -> None:
        stop.wait()

    def resume(self) -> None:
        self.resumed.set()


def source_of(exchange: Exchange) -> MemorySource:
    return exchange.source


def test_a_part_that_cannot_go_on_ends_the_other(memory_exchange: pytest.MonkeyPatch) -> None:
    memory_exchange.setattr(pipeline, "INGEST_PART", f"{__name__}:BrokenPart")
    built = pipeline.build(settings(log_of([line(1)]), MemoryTables(), exchange=True))
    stop = threading.Event()
    with pytest.raises(LogChanged, match="offsets are missing"):
        built.run(stop)
    assert stop.is_set()


# Going on with what the limiter paused.


def test_the_ingest_part_is_resumed(memory_exchange: pytest.MonkeyPatch) -> None:
    memory_exchange.setattr(pipeline, "INGEST_PART", f"{__name__}:PausedPart")
    PausedPart.resumed = threading.Event()
    built = pipeline.build(settings(log_of([]), MemoryTables(), exchange=True), "ingest")

    def resumed() -> bool:
        built.resume()
        return PausedPart.resumed.is_set()

    with running(built):
        wait_for(resumed)


def test_hangup_resumes_a_source_partition_that_was_paused() -> None:
    log, tables = log_of([b"{broken"] * 25), MemoryTables()
    source = MemorySource(log=log, follow=True, max_records=1)
    quarantine = QuarantineSettings(limit_records=10)
    built = pipeline.build(settings(log, tables, source=source, quarantine=quarantine))
    before = signal.getsignal(signal.SIGHUP)
    with running(built), resuming(built.resume):
        wait_for(lambda: "limiter memory/0" in built.watchers.health.reasons())
        wait_for(lambda: len(tables.rejects) == 10)
        os.kill(os.getpid(), signal.SIGHUP)
        wait_for(lambda: len(tables.rejects) == 20)
        os.kill(os.getpid(), signal.SIGHUP)
        wait_for(lambda: len(tables.rejects) == 25)
        assert not built.watchers.health.reasons()
    assert tables.doubled == 0
    assert signal.getsignal(signal.SIGHUP) is before
