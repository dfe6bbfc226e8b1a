"""The simulated fleet as it goes into Kafka."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from itertools import islice, pairwise
from pathlib import Path
from types import ModuleType

import pytest
from parts.kafka_server import KafkaServer
from parts.kafka_topics import everything, fresh

from tocsin.simulator import Simulator

SCRIPT = Path(__file__).parents[2] / "compose" / "producer.py"


@pytest.fixture(scope="module")
def producer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("producer", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_events_keep_their_distances_at_the_speed_that_was_asked(producer: ModuleType) -> None:
    simulator = Simulator(rate=20.0, duration_seconds=600.0)
    events = list(islice(simulator.events(), 200))
    played, began = [], time.monotonic()
    for event in producer.paced(events, simulator.start, 100.0):
        played.append((event.time, time.monotonic()))
    assert time.monotonic() - began >= (events[-1].time - simulator.start) / 100.0
    for (one, other), (slow, fast) in zip(pairwise(events), pairwise(played), strict=False):
        assert fast[0] - slow[0] == pytest.approx((other.time - one.time) / 100.0, abs=1e-6)


def test_events_carry_the_time_of_now(producer: ModuleType) -> None:
    simulator = Simulator(rate=20.0, duration_seconds=600.0)
    first = next(producer.paced(simulator.events(), simulator.start, 1000.0))
    assert abs(first.time - time.time()) < 5.0


def test_runs_differ(producer: ModuleType) -> None:
    options = producer.parser().parse_args(
        ["--kafka", "x:1", "--topic", "t", "--minutes", "5", "--rate", "20", "--speed", "100000"]
    )
    one, other = (list(producer.values(options, run)) for run in (0, 1))
    assert len(one) > 3000
    assert not set(one) & set(other)


@pytest.mark.kafka
def test_batches_arrive_whole_and_without_keys(kafka: KafkaServer) -> None:
    topic = kafka.create_topic(fresh("spans"), 3)
    where = ["--kafka", kafka.brokers, "--topic", topic, "--once"]
    what = ["--format", "otlp", "--minutes", "5", "--rate", "20", "--speed", "1000"]
    subprocess.run([sys.executable, str(SCRIPT), *where, *what], check=True, timeout=90)
    partitions = everything(kafka.brokers, topic, 3)
    records = [record for partition in partitions for record in partition]
    assert all(record.key is None for record in records)
    assert all(partitions)
    spans = [
        span["spanId"]
        for record in records
        for resource in json.loads(record.value)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    sent = Simulator(rate=20.0, duration_seconds=300.0).events()
    assert sorted(spans) == sorted(event.span_id for event in sent)
