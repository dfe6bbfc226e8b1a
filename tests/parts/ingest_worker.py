"""An ingest worker of the exchange tests: `python ingest_worker.py SETTINGS`, killed from outside.

Its records are `application:number`; what is not becomes a reject.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

import msgspec

from ingest.exchange import Exchange, ExchangeSettings, IngestPart, Surroundings
from ingest.kafka import KafkaSource
from tocsin.health import Health
from tocsin.logs import setup
from tocsin.metrics import Metrics
from tocsin.model import Event, Record, Reject
from tocsin.watchdog import Watchdog


def unpack(record: Record) -> Sequence[Event | Reject]:
    """`application:number` to an event whose user is the number."""
    application, _, number = record.value.decode(errors="replace").partition(":")
    place: dict[str, Any] = {
        "source": record.partition.name,
        "source_partition": record.partition.number,
        "source_offset": record.offset,
        "tenant": "acme",
    }
    if not number:
        return [Reject(reason="undecodable", detail="no number", sample=application[:20], **place)]
    return [Event(application=application, user=number, **place)]


def surroundings() -> Surroundings:
    """Of a process that nobody watches."""
    return Surroundings(Metrics(), Watchdog(120.0), Health(120.0))


def main() -> None:
    """Run until SIGTERM."""
    setup("text", "info")
    settings: dict[str, Any] = msgspec.json.decode(sys.argv[1])
    source = msgspec.convert(settings["source"], KafkaSource)
    exchange = Exchange(msgspec.convert(settings["exchange"], ExchangeSettings), source)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    IngestPart(exchange, unpack, surroundings()).run(stop)


if __name__ == "__main__":
    main()
