"""The simulated fleet into Kafka as a collector would send it: values only, no keys, at a clock's pace.

It stands here and not in `tocsin.simulator`, because the core may not know Kafka.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence

from kafka import KafkaProducer
from msgspec.structs import replace

from tocsin.model import Event
from tocsin.simulator import OtlpBatches, Simulator, native
from tocsin.simulator.__main__ import parser as simulation


def main(arguments: Sequence[str] | None = None) -> int:
    """Send until the time is up, or for ever; returns the exit code."""
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    producer = KafkaProducer(
        bootstrap_servers=options.kafka.split(","), acks="all", linger_ms=20, compression_type="zstd"
    )
    try:
        for run in itertools.count() if options.repeat else range(1):
            for value in values(options, run):
                producer.send(options.topic, value)
    finally:
        producer.close(timeout=10)
    return 0


def values(options: argparse.Namespace, run: int) -> Iterator[bytes]:
    """One run of the simulation; each has its own seed, and incidents of its own."""
    simulator = Simulator(
        seed=options.seed + run,
        start=options.start,
        duration_seconds=options.minutes * 60.0,
        rate=options.rate,
        content=options.content,
        incidents=options.incidents,
    )
    events = paced(simulator.events(), simulator.start, options.speed)
    return OtlpBatches().of(events) if options.format == "otlp" else map(native, events)


def paced(events: Iterable[Event], start: float, speed: float) -> Iterator[Event]:
    """Each event when it is due, its time on the clock of this machine; `speed` 2 plays twice as fast."""
    began, clock = time.monotonic(), time.time()  # noqa: TID251, these events happen now
    for event in events:
        due = (event.time - start) / speed
        wait = began + due - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        yield replace(event, time=clock + due)


def parser() -> argparse.ArgumentParser:
    """The simulator's own options and where and how fast it sends."""
    parser = simulation()
    parser.prog, parser.description = "producer.py", __doc__
    parser.add_argument("--kafka", required=True, metavar="HOST:PORT,...", help="brokers to begin with")
    parser.add_argument("--topic", required=True)
    parser.add_argument("--speed", type=float, default=1.0, help="simulated seconds in a real one")
    parser.add_argument(
        "--once", dest="repeat", action="store_false", help="one run; default: another, for ever"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
