"""Sends events to a topic at a steady rate, each with the time at which it is sent.

python -m bench.sender BROKERS TOPIC FILE RATE SECONDS [MARK_EVERY]
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from kafka import KafkaProducer

from bench.delay import MARKED
from bench.traffic import around_time

TICK = 0.005  # seconds between bursts


def main(brokers: str, topic: str, path: Path, rate: float, seconds: float, mark_every: int) -> int:
    """How many were sent."""
    values = [around_time(line) for line in path.read_bytes().splitlines()]
    marked = {"tocsin": 1, "user": MARKED, "application": "bench", "model": "m", "time": 1.0}
    mark = around_time(json.dumps(marked, separators=(",", ":")).encode())
    producer = KafkaProducer(bootstrap_servers=brokers, linger_ms=5, batch_size=1 << 17, acks=1)
    started = time.monotonic()
    sent = 0
    while (passed := time.monotonic() - started) < seconds:
        for _ in range(int(passed * rate) - sent):
            before, behind = mark if sent % mark_every == 0 else values[sent % len(values)]
            producer.send(topic, before + repr(time.time()).encode() + behind)
            sent += 1
        time.sleep(TICK)
    producer.flush(30)
    producer.close()
    return sent


if __name__ == "__main__":
    brokers, topic, path, rate, seconds = sys.argv[1:6]
    print(main(brokers, topic, Path(path), float(rate), float(seconds), int((sys.argv[6:] or ["100"])[0])))
