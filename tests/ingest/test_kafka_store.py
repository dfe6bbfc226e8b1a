"""Checkpoints in a compacted topic of a real broker."""

from __future__ import annotations

import time
from contextlib import closing
from hashlib import sha256

import msgspec
import pytest
from parts.kafka_server import KafkaServer
from parts.kafka_topics import fresh

from ingest.kafka_store import KafkaCheckpoints, KafkaStore
from tocsin.contracts import Checkpoint, CheckpointStore, Fenced, StoreUnavailable
from tocsin.testing import check_store

pytestmark = pytest.mark.kafka
LOG = "topic-id/3"


@pytest.fixture
def settings(kafka: KafkaServer) -> KafkaCheckpoints:
    return KafkaCheckpoints(brokers=kafka.brokers, topic=fresh("checkpoints"), partitions=2)


def _checkpoint(sequence: int, epoch: int, chunks: list[bytes], base: int = 0) -> Checkpoint:
    return Checkpoint(
        sequence=sequence,
        base=base or sequence,
        next_offset=sequence * 10,
        clock=1.0,
        epoch=epoch,
        config_hash="x",
        versions={"state": 1},
        chunks=len(chunks),
        sha256=sha256(b"".join(chunks)).hexdigest(),
    )


def _write(settings: KafkaCheckpoints, store: KafkaStore, key: str, value: bytes | None) -> None:
    """By hand, past the store."""
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=settings.brokers)
    place = store._place(key.partition("|")[0])
    producer.send(settings.topic, value=value, key=key.encode(), partition=place).get(timeout=20)
    producer.close(timeout=5)


def test_the_store_keeps_the_contract(settings: KafkaCheckpoints) -> None:
    def damage(store: CheckpointStore, log: str) -> None:
        assert isinstance(store, KafkaStore)
        _write(settings, store, f"{log}|3|0", b"bent")

    check_store(settings.open, damage=damage)


def test_a_stale_owner_in_another_process_is_fenced(settings: KafkaCheckpoints) -> None:
    with closing(settings.open()) as stale, closing(settings.open()) as owner:
        first = stale.claim(LOG)
        stale.save(LOG, _checkpoint(1, first, [b"a"]), [b"a"])
        second = owner.claim(LOG)
        assert second > first
        with pytest.raises(Fenced):
            stale.save(LOG, _checkpoint(2, first, [b"stale"]), [b"stale"])
        owner.save(LOG, _checkpoint(2, second, [b"b"]), [b"b"])
        saved, complaints = stale.load(LOG)
        assert saved is not None and not complaints
        assert (saved.checkpoint.epoch, saved.chunks) == (second, [b"b"])


def test_a_torn_transaction_is_invisible(settings: KafkaCheckpoints) -> None:
    with closing(settings.open()) as store:
        epoch = store.claim(LOG)
        store.save(LOG, _checkpoint(1, epoch, [b"whole"]), [b"whole"])
        _, transactions = store._owned[LOG]
        transactions.begin()
        transactions.send(settings.topic, store._place(LOG), b"torn", f"{LOG}|1|0".encode())
        transactions._producer.flush(timeout=10)
        transactions.abandon()  # as SIGKILL leaves it
    with closing(settings.open()) as store:
        store.claim(LOG)
        saved, complaints = store.load(LOG)
        assert saved is not None and saved.chunks == [b"whole"] and not complaints


@pytest.mark.parametrize("bent", ["|2|0", "|2"])
def test_a_damaged_checkpoint_falls_back_to_the_generation_before(
    settings: KafkaCheckpoints, bent: str
) -> None:
    with closing(settings.open()) as store:
        epoch = store.claim(LOG)
        store.save(LOG, _checkpoint(1, epoch, [b"a"]), [b"a"])
        store.save(LOG, _checkpoint(2, epoch, [b"b"]), [b"b"])
        _write(settings, store, LOG + bent, b"bent")
        saved, complaints = store.load(LOG)
        assert saved is not None and saved.checkpoint.sequence == 1
        assert len(complaints) == 1


def test_what_no_generation_needs_is_deleted(settings: KafkaCheckpoints) -> None:
    with closing(settings.open()) as store:
        epoch = store.claim(LOG)
        for sequence in range(1, 7):
            chunks = [b"%d" % sequence] * (7 - sequence)
            store.save(LOG, _checkpoint(sequence, epoch, chunks), chunks)
        kept = {key.decode().removeprefix(LOG) for key in store._table(LOG)}
        assert kept == {"|owner", "|5", "|5|0", "|5|1", "|6", "|6|0"}


def test_a_chain_of_checkpoints_rebuilds_in_order(settings: KafkaCheckpoints) -> None:
    with closing(settings.open()) as store:
        epoch = store.claim(LOG)
        for sequence in range(1, 6):
            chunk = b"%d" % sequence
            store.save(LOG, _checkpoint(sequence, epoch, [chunk], base=2 if sequence > 2 else 1), [chunk])
        saved, _ = store.load(LOG)
        assert saved is not None and saved.chunks == [b"2", b"3", b"4", b"5"]


def test_a_large_state_comes_back(settings: KafkaCheckpoints) -> None:
    chunks = [bytes([n]) + n.to_bytes(4, "big") * (128 << 10) for n in range(64)]  # 32 MiB
    with closing(settings.open()) as store:
        epoch = store.claim(LOG)
        store.save(LOG, _checkpoint(1, epoch, chunks), chunks)
    with closing(settings.look()) as store:
        began = time.monotonic()
        saved, _ = store.load(LOG)
        assert saved is not None and saved.chunks == chunks
        assert time.monotonic() - began < 15


def test_no_broker_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.kafka_client.BOOTSTRAP_MS", 500)
    with pytest.raises(StoreUnavailable):
        KafkaCheckpoints(brokers="localhost:1").open()


def test_settings_come_from_a_table() -> None:
    assert msgspec.convert({"brokers": "kafka:9092"}, KafkaCheckpoints).topic == "tocsin.checkpoints"
