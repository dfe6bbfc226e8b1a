"""Every number that Tocsin shows to Prometheus, in one list."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Literal, NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from tocsin.logs import visible
from tocsin.shapes import Shapes

SERIES = 1000  # label sets of one metric; more share the label set `other`
LABEL_CHARACTERS = 128

Kind = Literal["counter", "gauge", "seconds"]


class Metric(NamedTuple):
    """A number with its name; `seconds` is a histogram of durations."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str


METRICS: tuple[Metric, ...] = (
    Metric("tocsin_records_read_total", "counter", ("part",), "records taken from the log"),
    Metric("tocsin_read_bytes_total", "counter", ("part",), "bytes of these records"),
    Metric("tocsin_events_total", "counter", ("format",), "events released by the engine"),
    Metric("tocsin_alerts_total", "counter", ("detector", "severity"), "alert revisions released"),
    Metric("tocsin_rejects_total", "counter", ("reason",), "records or parts that went to quarantine"),
    Metric("tocsin_unrecognised_total", "counter", ("shape",), "records of no known shape, by their keys"),
    Metric("tocsin_ignored_parts_total", "counter", ("format",), "parts that are known and no event"),
    Metric("tocsin_lag_records", "gauge", ("partition",), "records (bytes, for a file) still to be read"),
    Metric("tocsin_partitions", "gauge", ("part",), "partitions that are read now"),
    Metric("tocsin_rebalances_total", "counter", ("change",), "partitions assigned, revoked, lost, fenced"),
    Metric("tocsin_last_progress_timestamp_seconds", "gauge", ("part",), "when the loop last went round"),
    Metric("tocsin_rows_written_total", "counter", ("sink", "table"), "rows that a sink made durable"),
    Metric("tocsin_rows_present_total", "counter", ("sink",), "rows not offered again: read back as stored"),
    Metric("tocsin_write_seconds", "seconds", ("sink",), "one write to a sink"),
    Metric("tocsin_write_retries_total", "counter", ("sink",), "attempts that a sink did not confirm"),
    Metric("tocsin_sink_up", "gauge", ("sink",), "1: the last attempt was confirmed"),
    Metric("tocsin_buffered_bytes", "gauge", ("sink",), "record bytes whose rows wait for a sink"),
    Metric("tocsin_unstorable_rows_total", "counter", ("sink",), "rows that a sink cannot store"),
    Metric(
        "tocsin_row_delay_seconds", "seconds", ("sink",), "oldest record of a poll: arrival to durable rows"
    ),
    Metric(
        "tocsin_alert_delay_seconds", "seconds", ("sink",), "an alert's record: arrival to durable alert row"
    ),
    Metric("tocsin_aggregated_minutes_total", "counter", ("sink",), "minutes computed again at checkpoints"),
    Metric("tocsin_checkpoints_total", "counter", (), "checkpoints saved"),
    Metric("tocsin_checkpoint_seconds", "seconds", (), "taking and saving one partition's checkpoint"),
    Metric("tocsin_checkpoint_bytes_total", "counter", (), "bytes of saved checkpoints"),
    Metric("tocsin_checkpoint_failures_total", "counter", (), "checkpoints that the store did not confirm"),
    Metric("tocsin_store_up", "gauge", (), "1: the checkpoint store confirmed the last attempt"),
    Metric("tocsin_state_resets_total", "counter", ("reason",), "state lost: checkpoint, detector"),
    Metric("tocsin_keys", "gauge", ("detector",), "keys with state, over all groups and partitions"),
    Metric("tocsin_evictions_total", "counter", ("detector",), "keys that a bound pushed out"),
    Metric("tocsin_groups", "gauge", (), "groups with state"),
    Metric("tocsin_group_overflow_total", "counter", (), "events that fell to the group `other`"),
    Metric("tocsin_limiter_paused", "gauge", ("partition",), "1: paused, too many undecodable records"),
    Metric("tocsin_limiter_pauses_total", "counter", (), "times the limiter paused a partition"),
    Metric("tocsin_source_up", "gauge", ("part",), "1: the last poll was answered"),
    Metric("tocsin_transactions_total", "counter", ("outcome",), "ingest transactions: committed, aborted"),
    Metric("tocsin_transaction_seconds", "seconds", (), "one ingest transaction, begin to commit"),
    Metric("tocsin_frames_total", "counter", (), "frames written to the exchange"),
    Metric("tocsin_frame_bytes_total", "counter", (), "bytes of these frames"),
    Metric(
        "tocsin_exchange_backlog_records", "gauge", ("partition",), "frames not yet covered by a checkpoint"
    ),
    Metric("tocsin_ticks_total", "counter", (), "ticks sent to silent exchange partitions"),
    Metric("tocsin_dead_letters_total", "counter", (), "refused records copied to the dead-letter topic"),
    Metric("tocsin_http_requests_total", "counter", ("path", "code"), "requests answered by the receiver"),
    Metric("tocsin_http_request_seconds", "seconds", ("path",), "head of a request to its answer"),
    Metric("tocsin_http_body_bytes_total", "counter", ("path",), "bytes of their bodies, as they were sent"),
    Metric("tocsin_http_accepted_total", "counter", ("path",), "spans, log records and documents accepted"),
    Metric("tocsin_http_rejected_total", "counter", ("path",), "of these, larger than a record: not kept"),
    Metric("tocsin_http_connections", "gauge", (), "open connections of the receiver"),
    Metric("tocsin_journal_bytes", "gauge", (), "bytes in the journal that a checkpoint may still need"),
    Metric("tocsin_journal_records", "gauge", (), "records of these bytes"),
)

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The current values, in a registry of their own. Safe to use from several threads.

    A name that is not in METRICS, or labels that are not its own, raise: a misspelt metric is a bug.
    """

    def __init__(self) -> None:
        self.shapes = Shapes()
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._labels: Mapping[str, tuple[str, ...]] = {metric.name: metric.labels for metric in METRICS}
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        for metric in METRICS:
            self._make(metric)
        self._series: dict[str, set[tuple[str, ...]]] = {metric.name: set() for metric in METRICS}
        ProcessCollector(registry=self._registry)

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        counter = self._counters[name]
        (counter.labels(*values) if (values := self._values(name, labels)) else counter).inc(amount)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        gauge = self._gauges[name]
        (gauge.labels(*values) if (values := self._values(name, labels)) else gauge).set(value)

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Add one duration to a histogram."""
        histogram = self._histograms[name]
        (histogram.labels(*values) if (values := self._values(name, labels)) else histogram).observe(seconds)

    def forget(self, name: str, **labels: str) -> None:
        """Show a gauge's series no more."""
        values = self._values(name, labels)
        if values in self._series[name]:
            self._series[name].discard(values)
            self._gauges[name].remove(*values)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)

    def total(self, name: str) -> float:
        """The sum over all label sets of a counter or gauge."""
        known = list(self._series[name])
        return sum(self.value(name, **dict(zip(self._labels[name], labels, strict=True))) for labels in known)

    def value(self, name: str, **labels: str) -> float:
        """The current value of a counter or gauge, or how many durations were observed; 0 if none."""
        suffix = "_count" if name in self._histograms else ""
        return self._registry.get_sample_value(f"{name}{suffix}", labels) or 0.0

    def _make(self, metric: Metric) -> None:
        name, meaning, labels = metric.name, metric.meaning, metric.labels
        if metric.kind == "counter":
            self._counters[name] = Counter(name, meaning, labels, registry=self._registry)
        elif metric.kind == "gauge":
            self._gauges[name] = Gauge(name, meaning, labels, registry=self._registry)
        else:
            self._histograms[name] = Histogram(
                name, meaning, labels, registry=self._registry, buckets=_BUCKETS
            )

    def _values(self, name: str, labels: Mapping[str, str]) -> tuple[str, ...]:
        names = self._labels[name]
        if len(labels) != len(names):
            raise KeyError(f"{name} has the labels {names}, not {tuple(labels)}")
        values = tuple(visible(labels[label], LABEL_CHARACTERS) for label in names)
        series = self._series[name]
        if values in series:
            return values
        if len(series) >= SERIES:
            values = ("other",) * len(names)
        series.add(values)
        return values


def page() -> str:
    """docs/metrics.md: the list, for people."""
    rows = "\n".join(
        f"| `{metric.name}` | {'histogram' if metric.kind == 'seconds' else metric.kind} "
        f"| {', '.join(f'`{label}`' for label in metric.labels)} | {metric.meaning} |"
        for metric in METRICS
    )
    return (
        "# Metrics\n\n"
        "Generated by `python -m tocsin.metrics > docs/metrics.md`; a test keeps it true. Served at\n"
        "`/metrics` on `[operations] listen` beside Prometheus' own `process_*`. `part` is `ingest` or\n"
        f"`detect`. A metric has at most {SERIES:,} series; what comes later is counted under the label\n"
        "value `other`.\n\n"
        "| Name | Kind | Labels | Meaning |\n|---|---|---|---|\n"
        f"{rows}\n"
    )


if __name__ == "__main__":
    sys.stdout.write(page())
