"""What a worker polled before its membership moved is written by whoever has the partitions now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from parts.exchanged import an_exchange, arrived, changed, exactly_once_in_order, exists, running, write
from parts.ingest_worker import surroundings, unpack
from parts.kafka_server import KafkaServer
from parts.kafka_topics import wait_until

from ingest.exchange import Exchange
from ingest.exchange_forward import Forwarder
from ingest.kafka_transaction import TransactionLost
from tocsin.settings import QuarantineSettings

pytestmark = pytest.mark.kafka


@pytest.fixture
def exchange(kafka: KafkaServer) -> Exchange:
    """A poll fills a transaction: a worker does not look again before it commits."""
    return an_exchange(kafka, batch_events=50)


@pytest.fixture
def late(exchange: Exchange) -> Iterator[Forwarder]:
    """A worker that this test moves step by step."""
    with closing(Forwarder(exchange, "late", unpack, surroundings(), QuarantineSettings())) as forwarder:
        yield forwarder


def _until(late: Forwarder, exchange: Exchange, count: int) -> None:
    """Turns, each lost one followed by a rewind as in the ingest part, until so much has arrived."""

    def there() -> bool:
        try:
            late.turn()
        except TransactionLost:
            late.rewind()
        return exists(exchange) and arrived(exchange) >= count

    wait_until(there, 30, "not everything arrived")


def _thrown_out(late: Forwarder) -> None:
    """As the client's thread does it when the broker does not know the member any more."""
    late._reader._consumer._coordinator.maybe_leave_group()
    assert late._reader.group_metadata().generation_id == -1


def _joined_anew(late: Forwarder) -> None:
    """The generation is good again; that its partitions went in between is told by nobody yet."""
    assert late._reader._consumer._coordinator.ensure_active_group(timeout_ms=10_000)
    assert late._reader.group_metadata().generation_id > 0


def _before(late: Forwarder, step: str, happens: Callable[[], None], ready: Callable[[], Any]) -> None:
    """Once, when a step of the transactions is next taken and it is `ready`."""
    take = getattr(late._transactions, step)

    def stalled() -> None:
        if ready():
            setattr(late._transactions, step, take)
            happens()
        take()

    setattr(late._transactions, step, stalled)


def _before_the_transaction(late: Forwarder, happens: Callable[[], None]) -> None:
    _before(late, "begin", happens, lambda: True)


def _before_the_first_look(late: Forwarder, happens: Callable[[], None]) -> None:
    """At what it was assigned."""
    _before(late, "own", happens, lambda: late._mine)


def _after_the_poll(late: Forwarder, happens: Callable[[], None]) -> None:
    consumer = late._reader._consumer
    poll = consumer.poll

    def stalled(**options: int) -> Any:
        if found := poll(**options):
            consumer.poll = poll
            happens()
        return found

    consumer.poll = stalled


def _thrown_out_while_others_work(late: Forwarder, exchange: Exchange, count: int) -> None:
    _thrown_out(late)
    with running(changed(exchange, slot="other")):
        wait_until(lambda: exists(exchange) and arrived(exchange) == count, 30, "nobody took over")


def test_records_polled_before_a_worker_was_thrown_out_are_not_committed(
    exchange: Exchange, late: Forwarder
) -> None:
    write(exchange, 100)
    _until(late, exchange, 100)
    write(exchange, 200, 0, 100)
    _after_the_poll(late, lambda: _thrown_out_while_others_work(late, exchange, 300))
    _until(late, exchange, 300)
    write(exchange, 10, 0, 300)
    _until(late, exchange, 310)
    exactly_once_in_order(exchange, {0: 310})


def test_records_polled_before_a_join_that_ended_since_are_not_committed(
    exchange: Exchange, late: Forwarder
) -> None:
    write(exchange, 100)
    _until(late, exchange, 100)
    write(exchange, 50, 0, 100)

    def joins_anew() -> None:
        _thrown_out_while_others_work(late, exchange, 150)
        _joined_anew(late)

    _before_the_transaction(late, joins_anew)
    _until(late, exchange, 150)
    write(exchange, 10, 0, 150)
    _until(late, exchange, 160)
    exactly_once_in_order(exchange, {0: 160})


@pytest.mark.parametrize(
    ("again", "before"),
    [(False, False), (True, False), (False, True)],
    ids=["thrown out", "joined anew", "thrown out before it looked"],
)
def test_a_first_reader_that_others_overtook_does_not_set_the_position_back(
    exchange: Exchange, late: Forwarder, again: bool, before: bool
) -> None:
    write(exchange, 100)

    def others_begin() -> None:
        _thrown_out_while_others_work(late, exchange, 100)
        if again:
            _joined_anew(late)

    if before:
        _before_the_first_look(late, lambda: _thrown_out(late))
    _before_the_transaction(late, others_begin)
    _until(late, exchange, 100)
    write(exchange, 10, 0, 100)
    _until(late, exchange, 110)
    exactly_once_in_order(exchange, {0: 110})
