"""What records of any format are once the halves of calls have met."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ingest.recognise import Recogniser
from tocsin.core import PartitionState, Plan, Unpacked, finish, step
from tocsin.model import Event, Partition, Record, Reject
from tocsin.settings import ContentSettings
from tocsin.unpack import Unpacker

NOON = 1_795_416_735.0


def events(documents: Iterable[Any], *, apart: float = 0.001, alone: bool = True) -> list[Event]:
    """The rows; documents arrive so many seconds apart, each in a batch of its own or all in one."""
    plan = Plan(content=ContentSettings(mode="full"))
    state = PartitionState.fresh(plan, "log", 0)
    unpack = Unpacker(Recogniser())
    log: list[Unpacked] = []
    for offset, document in enumerate(documents):
        value = document if isinstance(document, bytes) else json.dumps(document).encode()
        arrival = NOON + offset * apart
        items = unpack(Record(Partition("topic", 0), offset, offset + 1, arrival, value))
        assert not [item for item in items if isinstance(item, Reject)]
        log.append(Unpacked(offset, offset + 1, arrival, items, len(value)))
    batches = [[record] for record in log] if alone else [log]
    found = [event for batch in batches for event in step(plan, state, batch).events]
    return [*found, *finish(plan, state).events]
