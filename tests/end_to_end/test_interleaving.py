"""Input partitions may meet in another order: the moment of an alert may move, not what is found."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from detectors import BUILTIN
from tocsin import registry
from tocsin.core import Instance, PartitionState, Plan, Unpacked, finish, step
from tocsin.model import Alert, Event
from tocsin.simulator import Simulator, native
from tocsin.simulator.judge import Told, judge

HOURS, RATE, PARTITIONS, WITHIN = 6, 1.0, 6, 2.0
PLAN = Plan(
    instances=tuple(Instance(name, name, registry.resolve(where)()) for name, where in BUILTIN.items())
)
Sent = tuple[float, Event]

pytestmark = pytest.mark.timeout(400)  # three times six hours of text is read


@pytest.fixture(scope="module")
def fleet() -> Simulator:
    return Simulator(seed=7, duration_seconds=HOURS * 3600.0, rate=RATE)


@pytest.fixture(scope="module")
def lines(fleet: Simulator) -> list[bytes]:
    return [native(event) for event in fleet.events()]


def arrivals(lines: list[bytes], seed: int) -> Iterator[Sent]:
    """Each event goes to any partition; each partition keeps its order and is up to two seconds late."""
    chance = random.Random(seed)
    decode = msgspec.json.Decoder(Event).decode
    last = [0.0] * PARTITIONS
    sent: list[Sent] = []
    for line in lines:
        event = decode(line)
        number = chance.randrange(PARTITIONS)
        last[number] = max(last[number], event.time + (chance.uniform(0.0, WITHIN) if seed else 0.0))
        sent.append((last[number], event))
    return iter(sorted(sent, key=lambda each: each[0]))


def alerts(log: Iterator[Sent], size: int = 256) -> list[Alert]:
    state = PartitionState.fresh(PLAN, "log", 0)
    found: list[Alert] = []
    records: list[Unpacked] = []
    for offset, (arrival, event) in enumerate(log):
        records.append(Unpacked(offset, offset + 1, arrival, [event], 1))
        if len(records) == size:
            found += step(PLAN, state, records).alerts
            records = []
    found += step(PLAN, state, records).alerts
    return found + finish(PLAN, state).alerts


def told(alert: Alert) -> Told:
    fields: dict[str, Any] = {
        name: getattr(alert, name)
        for name in ("application", "key", "agent", "session", "user", "api_key", "tool", "model")
    }
    return Told(alert.detector_type, alert.severity.name, alert.summary, alert.first_seen, fields)


def found(fleet: Simulator, lines: list[bytes], seed: int) -> set[str]:
    """The incidents that were found."""
    first = [told(alert) for alert in alerts(arrivals(lines, seed)) if alert.revision == 1]
    verdicts = judge(fleet.truth, first).verdicts
    assert not [verdict.incident.id for verdict in verdicts if verdict.failed]
    return {verdict.incident.id for verdict in verdicts if verdict.told}


def test_partitions_that_meet_in_another_order_tell_of_the_same_incidents(
    fleet: Simulator, lines: list[bytes]
) -> None:
    straight = found(fleet, lines, 0)
    assert len(straight) >= 6
    for seed in (1, 2):
        assert found(fleet, lines, seed) == straight
