"""The exchange topic and its ledger: what the exchange was made with, and whose data it holds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import msgspec
from msgspec import Meta

from ingest.kafka import KafkaSource
from ingest.kafka_client import Admin, Connection
from ingest.kafka_table import read_table
from ingest.kafka_transaction import TransactionLost, Transactions
from tocsin.contracts import ConfigError, SourceUnavailable
from tocsin.logs import Log
from tocsin.model import Partition

if TYPE_CHECKING:
    from tocsin.sealing import Keys

ROUTING = "crc32 of tenant and application"  # the group rule; another one needs another generation
MESSAGE_BYTES = 2 << 20
FRAMES_AT_REST: Mapping[str, str] = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "message.timestamp.type": "LogAppendTime",
    "max.message.bytes": str(MESSAGE_BYTES),
    "segment.bytes": str(256 << 20),
}
LEDGER: Mapping[str, str] = {"cleanup.policy": "compact"}

log = Log("exchange")


class ExchangeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The topic in which all events of a group (tenant and application) meet in one order.

    It lives on the source's cluster: frames and source positions are written in one transaction.
    """

    topic: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9._-]+$",
            max_length=200,
            description="name; the generation's number is added: tocsin.exchange.1",
        ),
    ] = "tocsin.exchange"
    partitions: Annotated[
        int, Meta(ge=1, le=1024, description="how many detect workers can share the work; fixed once made")
    ] = 12
    replication: Annotated[
        int, Meta(ge=-1, le=16, description="copies of each partition; -1: what the brokers are set to")
    ] = -1
    slot: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9._-]*$",
            max_length=100,
            description="a name of this ingest worker that stays over restarts and that no other has; empty: "
            "group_instance_id, else the host's name and the first free number on it",
        ),
    ] = ""
    batch_events: Annotated[int, Meta(ge=1, le=100_000, description="events that close a transaction")] = 2000
    linger_ms: Annotated[int, Meta(ge=1, le=10_000, description="longest wait for more events")] = 50
    transaction_seconds: Annotated[
        float, Meta(ge=2, le=600, description="the brokers abort a transaction that takes longer")
    ] = 10.0
    tick_seconds: Annotated[
        float, Meta(gt=0, description="partitions silent for longer are sent the time, so that timers fire")
    ] = 5.0
    backlog_frames: Annotated[
        int, Meta(ge=1, description="frames that wait for detection; above, ingest pauses")
    ] = 10_000_000
    backlog_bytes: Annotated[
        int, Meta(ge=1 << 20, description="estimated bytes that wait for detection; above, ingest pauses")
    ] = 20 << 30


class Rule(msgspec.Struct, frozen=True):
    """What a generation of the exchange was made with; the newest is the one that is written to."""

    generation: int
    partitions: int
    routing: str
    started: float  # epoch seconds of the first start, for people
    state: Literal["open", "draining", "retired"] = "open"


class Origin(msgspec.Struct, frozen=True):
    """A source partition whose data the exchange holds."""

    topic: str
    topic_id: str
    number: int
    backfill_below: int  # what was there at the first start; offsets, because senders set times

    @property
    def key(self) -> bytes:
        """Of the ledger's line."""
        return f"origin/{self.topic_id}/{self.number}".encode()

    @property
    def value(self) -> bytes:
        """The line."""
        return msgspec.json.encode(self)


class Ledger(msgspec.Struct, frozen=True):
    """The ledger topic as it stands."""

    rules: tuple[Rule, ...]  # by generation
    origins: Mapping[tuple[str, int], Origin]  # by topic id and partition

    @property
    def current(self) -> Rule:
        """The generation that ingest writes to."""
        return self.rules[-1]

    def ids(self, topic: str) -> frozenset[str]:
        """The incarnations of a source topic that data came from."""
        return frozenset(origin.topic_id for origin in self.origins.values() if origin.topic == topic)


class Carrier(Protocol):
    """Takes what detectors remember from the generations so far to the next one."""

    def load(self, admin: Admin, olds: Sequence[Rule]) -> None:
        """Raises ConfigError where they were not read to their ends; nothing was changed until then."""
        ...

    def save(self, new: Rule, log_id: str) -> None:
        """The new topic is there, and nobody knows of it yet."""
        ...


class Exchange:
    """One exchange on the cluster of a source. Raises SourceUnavailable and ConfigError."""

    def __init__(self, settings: ExchangeSettings, source: KafkaSource, keys: Keys | None = None) -> None:
        self.settings = settings
        self.source = source
        self.keys = keys  # seal frames; None: they are plain
        self.connection: Connection = source.connection
        self.ledger_topic = f"{settings.topic}.ledger"
        self.detect_group = f"{source.group_id}.detect"

    def name(self, generation: int) -> str:
        """The topic of a generation."""
        return f"{self.settings.topic}.{generation}"

    def prepare(self) -> Rule:
        """Make what is missing, compare what is there with the settings; the rule to write by."""
        with self._admin() as admin:
            admin.create(self.ledger_topic, 1, self.settings.replication, LEDGER)
            ledger = self.ledger()
            if not ledger.rules:
                self._first(admin)
                ledger = self.ledger()
            rule = ledger.current
            self._agrees(rule)
            self._fits(admin, rule)
        return rule

    def ensure(self, topic: str) -> None:
        """Make another topic that is written to in the same transactions, where it is not there."""
        with self._admin() as admin:
            if topic not in admin.topics([topic]):
                admin.create(topic, 1, self.settings.replication, {})

    def ledger(self) -> Ledger:
        """Read it."""
        rules: list[Rule] = []
        origins: list[Origin] = []
        for key, value in read_table(self.connection, self.ledger_topic, 0).items():
            if key.startswith(b"generation/"):
                rules.append(msgspec.json.decode(value, type=Rule))
            elif key.startswith(b"origin/"):
                origins.append(msgspec.json.decode(value, type=Origin))
        return Ledger(
            tuple(sorted(rules, key=lambda rule: rule.generation)),
            {(origin.topic_id, origin.number): origin for origin in origins},
        )

    def next_generation(self, carrier: Carrier | None = None) -> Rule:
        """Make the next generation with the settings as they are. Ingest must have stopped.

        With a carrier the generations so far end here. Without, they are read to their ends beside the new
        one, in which detectors start cold. What an attempt left behind does not hinder the next one.
        """
        with self._admin() as admin, self._writer() as writer:
            self.stopped(admin, self.source.group_id, "ingest")
            ledger = self.ledger()
            if not ledger.rules:
                raise ConfigError(["there is no exchange yet: tocsin exchange create"])
            olds = [rule for rule in ledger.rules if rule.state != "retired"]
            new = self._rule(ledger.current.generation + 1, ledger.current.started)
            if carrier:
                carrier.load(admin, olds)
            self._create(admin, new)
            log_id = self._empty(admin, new)
            if carrier:
                carrier.save(new, log_id)
                self.stopped(admin, self.source.group_id, "ingest")
            state: Literal["draining", "retired"] = "retired" if carrier else "draining"
            done = [msgspec.structs.replace(rule, state=state) for rule in olds]
            _write(writer, self.ledger_topic, *map(_entry, done), _entry(new))
        log.info("new generation", topic=self.name(new.generation), partitions=new.partitions)
        return new

    def stopped(self, admin: Admin, group: str, part: str) -> None:
        """Raises ConfigError while the group has members."""
        if members := admin.group_members(group):
            raise ConfigError([f"[exchange] {members} {part} workers still run: stop them, then try again"])

    def retire(self, generation: int) -> None:
        """Say that a drained generation need not be read any more. Its topic can be deleted afterwards."""
        with self._writer() as writer:
            old = [rule for rule in self.ledger().rules[:-1] if rule.generation == generation]
            if not old:
                raise ConfigError([f"[exchange] {generation} is not the number of an old generation"])
            _write(writer, self.ledger_topic, _entry(msgspec.structs.replace(old[0], state="retired")))

    def forget(self, topic: str) -> int:
        """Take a source topic out of the ledger, so that `start` applies to it again; how many partitions."""
        with self._writer() as writer:
            lines = [origin.key for origin in self.ledger().origins.values() if origin.topic == topic]
            if lines:
                _write(writer, self.ledger_topic, *((line, None) for line in lines))
        return len(lines)

    def backlog(self, admin: Admin, rule: Rule) -> Mapping[Partition, int]:
        """Frames of each partition that no checkpoint covers yet."""
        topic = self.name(rule.generation)
        bounds = admin.bounds(topic, range(rule.partitions))
        return {Partition(topic, number): end - first for number, (first, end) in bounds.items()}

    @contextmanager
    def _admin(self) -> Iterator[Admin]:
        with closing(self.connection.admin()) as admin:
            yield admin

    def _rule(self, generation: int, started: float) -> Rule:
        return Rule(generation, self.settings.partitions, ROUTING, started)

    def _first(self, admin: Admin) -> None:
        with self._writer() as writer:
            if self.ledger().rules:
                return  # another worker was first
            rule = self._rule(1, time.time())
            self._create(admin, rule)
            _write(writer, self.ledger_topic, _entry(rule))
        log.info("made the exchange", topic=self.name(1), partitions=rule.partitions)

    def _create(self, admin: Admin, rule: Rule) -> None:
        topic = self.name(rule.generation)
        admin.create(topic, rule.partitions, self.settings.replication, FRAMES_AT_REST)

    @contextmanager
    def _writer(self) -> Iterator[Transactions]:
        """One at a time: whoever comes later locks out whoever came before."""
        writer = Transactions(self.connection, f"{self.ledger_topic}.writer")
        try:
            writer.own()
            yield writer
        except TransactionLost as error:
            raise SourceUnavailable(f"the exchange's ledger: {error}") from error
        finally:
            writer.abandon()

    def _agrees(self, rule: Rule) -> None:
        made = f"{self.settings.topic} was made with"
        remedy = "start a new generation while ingest is stopped: tocsin exchange next"
        mistakes = []
        if rule.partitions != self.settings.partitions:
            keep = f"keep {rule.partitions}, or {remedy}"
            mistakes.append(f"[exchange] partitions: {made} {rule.partitions}, groups would move; {keep}")
        if rule.routing != ROUTING:
            mistakes.append(f"[exchange] {made} the group rule {rule.routing!r}, not {ROUTING!r}; {remedy}")
        if mistakes:
            raise ConfigError(mistakes)

    def _empty(self, admin: Admin, rule: Rule) -> str:
        """The topic's id. One that an attempt left behind is as good as a new one."""
        topic = self.name(rule.generation)
        log_id, count = admin.topics([topic])[topic]
        records = sum(end for _, end in admin.bounds(topic, range(count)).values())
        if count != rule.partitions or records:
            is_there = f"{topic} is there already, with {count} partitions and {records} records"
            raise ConfigError([f"[exchange] {is_there}, and not in the ledger: delete it, then try again"])
        return log_id

    def _fits(self, admin: Admin, rule: Rule) -> None:
        """The topic is still the one that was made."""
        topic = self.name(rule.generation)
        found = admin.topics([topic])
        if topic not in found:
            raise ConfigError([f"[exchange] {topic} is in the ledger, not on the brokers: was it deleted?"])
        if (count := found[topic][1]) != rule.partitions:
            raise ConfigError([f"[exchange] {topic} has {count} partitions, was made with {rule.partitions}"])
        configs = admin.configs(topic)
        for name in ("retention.ms", "retention.bytes", "message.timestamp.type", "cleanup.policy"):
            if configs[name] != FRAMES_AT_REST[name]:
                wanted = FRAMES_AT_REST[name]
                raise ConfigError([f"[exchange] {topic}: {name} is {configs[name]} and must be {wanted}"])


def _write(writer: Transactions, topic: str, *entries: tuple[bytes, bytes | None]) -> None:
    writer.begin()
    for key, value in entries:
        writer.send(topic, 0, value, key)
    writer.commit()


def _entry(rule: Rule) -> tuple[bytes, bytes]:
    return b"generation/%d" % rule.generation, msgspec.json.encode(rule)
