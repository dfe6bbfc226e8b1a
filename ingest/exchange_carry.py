"""The next generation of the exchange, begun with what detectors remember of the ones before.

The order makes it safe to be stopped anywhere: checkpoints of a generation that the ledger does not know are
read by nobody, and are written anew by the next attempt.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from ingest.exchange_route import route
from ingest.exchange_topic import Exchange, Rule
from ingest.kafka_client import Admin, described
from tocsin.carry import Carry, Old
from tocsin.contracts import CheckpointStore, ConfigError, SourceUnavailable
from tocsin.plan import Plan

SILENCE_SECONDS = 5.0  # beyond the time-out of a transaction that a killed worker left open

Places = Mapping[tuple[str, int], int]  # an offset for each topic and partition


def carry_on(exchange: Exchange, plan: Plan, store: CheckpointStore) -> tuple[Rule, Sequence[str]]:
    """Make the next generation; what is to be said about it.

    Raises ConfigError with the remedy while a worker runs, or where something was not read to its end.
    """
    carrier = _Carrier(exchange, plan, store)
    return exchange.next_generation(carrier), carrier.told


class _Carrier:
    """From all partitions of all generations that are not retired to those of the next one."""

    def __init__(self, exchange: Exchange, plan: Plan, store: CheckpointStore) -> None:
        self.told: list[str] = []
        self._exchange = exchange
        self._plan = plan
        self._store = store
        self._olds: list[Old] = []

    def load(self, admin: Admin, olds: Sequence[Rule]) -> None:
        """The newest checkpoint of each partition."""
        self._exchange.stopped(admin, self._exchange.detect_group, "detect")
        mistakes = []
        for rule in olds:
            reached = dict(self._checkpoints(admin, rule))
            if unread := self._unread(admin, rule, reached):
                mistakes.append(self._remedy(rule, unread))
        if mistakes:
            raise ConfigError(mistakes)

    def save(self, new: Rule, log_id: str) -> None:
        """The first checkpoint of each new partition."""
        carry = Carry(self._plan, self._olds, route, log_id, new.partitions)
        for number in range(new.partitions):
            log = f"{log_id}/{number}"
            self._store.save(log, *carry.checkpoint(number, self._store.claim(log)))
        self.told += carry.complaints
        self.told += [
            f"tenant {tenant!r} has {groups} groups in partition {number}, more than [groups] max_groups: "
            "they stay, new ones share the group `other` until enough were idle"
            for number, tenant, groups in carry.crowded
        ]

    def _checkpoints(self, admin: Admin, rule: Rule) -> Iterator[tuple[int, int]]:
        """Where the newest checkpoints stand."""
        topic = self._exchange.name(rule.generation)
        known = admin.topics([topic])
        if topic not in known:
            gone = f"{topic} is not on the brokers any more"
            raise ConfigError([f"[exchange] {gone}: tocsin exchange retire {rule.generation}"])
        for number in range(rule.partitions):
            saved, complaints = self._store.load(f"{known[topic][0]}/{number}")
            self.told += complaints
            if saved:
                self._olds.append(Old(number, rule.partitions, saved))
                yield number, saved.checkpoint.next_offset

    def _unread(self, admin: Admin, rule: Rule, reached: Mapping[int, int]) -> Sequence[int]:
        """Partitions with more behind their checkpoint than the markers of transactions."""
        topic = self._exchange.name(rule.generation)
        bounds = admin.bounds(topic, range(rule.partitions))
        at = {TopicPartition(topic, n): max(first, reached.get(n, 0)) for n, (first, _) in bounds.items()}
        waiting = {place for place, offset in at.items() if offset < bounds[place.partition][1]}
        consumer = self._exchange.connection.consumer()
        unread = set()
        with closing(consumer):
            consumer.assign(sorted(waiting))
            for place in waiting:
                consumer.seek(place, at[place])
            patience = self._exchange.settings.transaction_seconds + SILENCE_SECONDS
            deadline = time.monotonic() + patience
            try:
                while waiting and time.monotonic() < deadline:
                    found = consumer.poll(timeout_ms=200)
                    unread.update(found)
                    consumer.pause(*found)
                    waiting = {p for p in waiting - unread if consumer.position(p) < bounds[p.partition][1]}
            except (KafkaError, OSError, AssertionError) as error:
                raise SourceUnavailable(f"reading {topic}: {described(error)}") from error
        return sorted(place.partition for place in unread | waiting)

    def _remedy(self, rule: Rule, unread: Sequence[int]) -> str:
        topic, places = self._exchange.name(rule.generation), ", ".join(map(str, unread))
        partitions = self._exchange.ledger().current.partitions
        return (
            f"[exchange] no checkpoint covers the end of {topic}, partitions {places}: with partitions = "
            f"{partitions}, let `tocsin run --part detect` run until tocsin_lag_records is 0, stop it, and "
            "try again; or begin without what detectors remember: tocsin exchange next --cold"
        )
