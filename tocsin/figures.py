"""What the detect part shows of itself in numbers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence

from tocsin.contracts import Reader
from tocsin.delivery import Delivery
from tocsin.lane import Lane
from tocsin.metrics import Metrics
from tocsin.model import Batch, Record
from tocsin.ports import PART, spoken


def read(metrics: Metrics, records: Sequence[Record]) -> None:
    """Count what was polled."""
    metrics.count("tocsin_records_read_total", len(records), part=PART)
    metrics.count("tocsin_read_bytes_total", sum(len(record.value) for record in records), part=PART)


def released(metrics: Metrics, batch: Batch) -> None:
    """Count what the core released."""
    for name, events in Counter(event.source_format for event in batch.events).items():
        metrics.count("tocsin_events_total", events, format=name or "unknown")
    for alert in batch.alerts:
        metrics.count("tocsin_alerts_total", detector=alert.detector, severity=alert.severity.name)
    for reason, rejects in Counter(reject.reason for reject in batch.rejects).items():
        metrics.count("tocsin_rejects_total", rejects, reason=reason)
    unknown = Counter(reject.shape for reject in batch.rejects if reject.reason == "unrecognised")
    for shape, rejects in unknown.items():
        label = metrics.shapes.label(shape, rejects)
        metrics.count("tocsin_unrecognised_total", rejects, shape=label)


def show(metrics: Metrics, reader: Reader, lanes: Iterable[Lane], deliveries: Iterable[Delivery]) -> None:
    """Set the gauges. Takes a moment: once every few seconds is enough."""
    lanes = list(lanes)
    metrics.gauge("tocsin_last_progress_timestamp_seconds", time.time(), part=PART)
    metrics.gauge("tocsin_partitions", len(lanes), part=PART)
    for partition, waiting in reader.lag().items():
        metrics.gauge("tocsin_lag_records", waiting, partition=spoken(partition))
    for delivery in deliveries:
        metrics.gauge("tocsin_buffered_bytes", delivery.bytes, sink=delivery.name)
    keys: Counter[str] = Counter()
    for lane in lanes:
        for count in lane.state.describe():
            kind, _, name = count.section.partition(":")
            if kind == "detector":
                keys[name] += count.keys
        for name, evicted in lane.lost().items():
            metrics.count("tocsin_evictions_total", evicted, detector=name)
        metrics.count("tocsin_group_overflow_total", lane.overflowed())
    for name, number in keys.items():
        metrics.gauge("tocsin_keys", number, detector=name)
    metrics.gauge("tocsin_groups", sum(len(lane.state.groups) for lane in lanes))
