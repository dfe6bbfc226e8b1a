"""The next generation on a real broker: refused until it is safe, then begun with what was known."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from parts import ingest_worker
from parts.ingest_worker import surroundings
from parts.kafka_server import KafkaServer
from parts.kafka_topics import fresh, wait_until
from parts.watchers import Every

from ingest.exchange import Exchange, ExchangeSettings, carry_on, detect_source
from ingest.exchange_forward import Forwarder
from ingest.kafka import KafkaSource
from ingest.kafka_store import KafkaCheckpoints
from ingest.kafka_transaction import Transactions
from tocsin.__main__ import main
from tocsin.contracts import CheckpointStore, ConfigError, LogChanged
from tocsin.core import Instance, PartitionState, Plan, step
from tocsin.frame import Framer, unpack
from tocsin.model import Batch, Event, Partition
from tocsin.settings import DetectorOptions, QuarantineSettings

pytestmark = pytest.mark.kafka

PLAN = Plan(instances=(Instance("every", "every", Every(n=5), DetectorOptions(cooldown_seconds=0.0)),))
APPLICATIONS = [f"app-{n}" for n in range(6)]
CONFIG = """
[source]
type = "kafka"
brokers = ["{brokers}"]
topics = ["{topic}"]
start = "earliest"
group_id = "{topic}"

[exchange]
topic = "{topic}.exchange"
partitions = {partitions}

[checkpoints]
type = "kafka"
brokers = ["{brokers}"]
topic = "{topic}.state"
partitions = 1

[sinks.clickhouse]
url = "http://127.0.0.1:1/never"
"""


class Place:
    """One exchange, its checkpoints, and the least of workers."""

    def __init__(self, kafka: KafkaServer, directory: Path) -> None:
        self.topic = kafka.create_topic(fresh("input"), 1)
        self.brokers = kafka.brokers
        self.config = directory / "tocsin.toml"
        self.partitions(2)
        self.store: CheckpointStore = KafkaCheckpoints(
            brokers=self.brokers, topic=f"{self.topic}.state", partitions=1
        ).open()

    def partitions(self, count: int) -> None:
        """The operator sets another number."""
        source = KafkaSource(
            brokers=self.brokers, topics=(self.topic,), group_id=self.topic, start="earliest"
        )
        self.exchange = Exchange(ExchangeSettings(topic=f"{self.topic}.exchange", partitions=count), source)
        text = CONFIG.format(brokers=self.brokers, topic=self.topic, partitions=count)
        self.config.write_text(text)

    def fill(self, generation: int, rounds: int) -> None:
        """One event of each application a round, as an ingest worker would write them."""
        count = self.exchange.ledger().rules[generation - 1].partitions
        writer = Transactions(self.exchange.connection, "test")
        with ExitStack() as stack:
            stack.callback(writer.abandon)
            writer.begin()
            for application in APPLICATIONS * rounds:
                framer = Framer()
                framer.add(Event(tenant="acme", application=application, user="u"), False)
                number = zlib.crc32(f"acme\0{application}".encode()) % count
                frame = framer.close()
                assert frame
                writer.send(self.exchange.name(generation), number, frame)
            writer.commit()

    def detect(self, rounds: int) -> Batch:
        """Read what is new, from the checkpoints on, and save."""
        batch = Batch()
        states: dict[Partition, PartitionState] = {}
        with closing(detect_source(self.exchange).open()) as reader:
            seen = 0
            while seen < rounds * len(APPLICATIONS):
                for partition in reader.changes().assigned:
                    log_id = reader.log_id(partition)
                    saved, _ = self.store.load(f"{log_id}/{partition.number}")
                    state = PartitionState.fresh(PLAN, log_id, partition.number)
                    if saved:
                        state, _ = PartitionState.restore(PLAN, log_id, partition.number, saved)
                    states[partition] = state
                    reader.seek(partition, state.next_offset)
                for record in reader.poll(0.1):
                    part = step(PLAN, states[record.partition], [unpack(record)])
                    batch.alerts += part.alerts
                    seen += len(part.events)
        for state in states.values():
            log = f"{state.log_id}/{state.number}"
            checkpoint, chunks = state.checkpoint(self.store.claim(log))
            self.store.save(log, checkpoint, chunks)
        return batch

    def next(self, *options: str) -> int:
        """The command."""
        return main(["exchange", "next", "-c", str(self.config), *options])


@pytest.fixture
def place(kafka: KafkaServer, tmp_path: Path) -> Iterator[Place]:
    made = Place(kafka, tmp_path)
    made.exchange.prepare()
    with closing(made.store):
        yield made


def test_the_next_generation_goes_on_where_the_old_one_ended(place: Place) -> None:
    """Refused until detect has come to the end; then the fifth event of each user is found."""
    place.fill(1, 2)
    assert place.detect(2).alerts == []
    place.fill(1, 1)
    place.partitions(3)
    with pytest.raises(ConfigError, match=r"exchange.1, partitions 0, 1: with partitions = 2, let .*--cold"):
        carry_on(place.exchange, PLAN, place.store)
    place.partitions(2)
    assert place.detect(1).alerts == []
    place.partitions(3)
    assert carry_on(place.exchange, PLAN, place.store)[1] == []
    assert [rule.state for rule in place.exchange.ledger().rules] == ["retired", "open"]
    assert detect_source(place.exchange).topics == (place.exchange.name(2),)
    place.fill(2, 2)
    found = place.detect(2).alerts
    assert sorted(alert.application for alert in found) == APPLICATIONS
    assert {alert.summary for alert in found} == {"event 5"}


def test_what_is_not_safe_is_refused_and_an_attempt_that_broke_off_is_made_good(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.fill(1, 1)
    place.detect(1)
    with closing(detect_source(place.exchange).open()) as reader:
        wait_until(lambda: bool(reader.poll(0.1)) or bool(reader.changes().assigned), 20, "no assignment")
        with pytest.raises(ConfigError, match="1 detect workers still run: stop them"):
            carry_on(place.exchange, PLAN, place.store)
    place.partitions(1)
    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr("ingest.exchange_topic._write", _interrupted)
        carry_on(place.exchange, PLAN, place.store)
    assert [rule.state for rule in place.exchange.ledger().rules] == ["open"]
    place.partitions(2)
    with pytest.raises(ConfigError, match=r"exchange.2 is there already, with 1 partitions .* delete it"):
        carry_on(place.exchange, PLAN, place.store)
    place.partitions(1)
    assert place.next() == 0
    said = capsys.readouterr()
    assert f"{place.exchange.name(2)}: 1 partitions, begins now" in said.out
    assert said.err == "detector every is no longer configured: its state is dropped\n"
    assert place.next("--cold") == 0
    assert [rule.state for rule in place.exchange.ledger().rules] == ["retired", "draining", "open"]
    (groups,) = (
        len(PartitionState.restore(PLAN, "new", 0, saved)[0].groups)
        for log in place.store.logs()
        if (saved := place.store.load(log)[0]) and saved.checkpoint.next_offset == 0
    )
    assert groups == len(APPLICATIONS)


def test_a_worker_that_was_away_when_a_generation_began_stops(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it wrote to the old one nobody would read."""

    def worker() -> Forwarder:
        return Forwarder(place.exchange, "slot", ingest_worker.unpack, surroundings(), QuarantineSettings())

    with closing(worker()) as before:
        deadline = time.monotonic() + 30
        while not place.exchange.ledger().origins and time.monotonic() < deadline:
            before.turn()
    assert main(["exchange", "show", "-c", str(place.config)]) == 0
    assert f"holds data of {place.topic}, partitions 0" in capsys.readouterr().out
    with closing(worker()) as away:  # no member yet, as one that was stopped for longer than its session
        assert place.next("--cold") == 0
        with pytest.raises(LogChanged, match=r"exchange.2 was begun while this worker was away"):
            away.turn()


def _interrupted(*whatever: object) -> None:
    raise KeyboardInterrupt
