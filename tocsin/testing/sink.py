"""The promises of a sink."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress

from tocsin.contracts import Sink, SinkUnavailable, Writer, Written
from tocsin.model import Alert, Batch, Event, Reject, Severity, Signals
from tocsin.testing.trial import BrokenPromise, closed_twice, promised

PATIENCE = 20.0  # seconds for a write that nothing disturbs
GRACE = 3.0  # seconds after a deadline
HOSTILE = "'\";--\\\0\x1b[2J\u202e\U000e0041\ufffd\n\t{{7*7}} ${x} <b>é漢🙂"


def missing(batch: Batch, written: Written) -> Batch:
    """What of a batch of one log partition is not stored yet: offer this after a doubtful write."""

    def new(row: Event | Alert | Reject, places: frozenset[tuple[int, int]]) -> bool:
        return (row.log_offset, row.log_index) not in places

    pairs = zip(batch.events, batch.signals, strict=True)
    rest = [(event, signals) for event, signals in pairs if new(event, written.events)]
    return Batch(
        events=[event for event, _ in rest],
        signals=[signals for _, signals in rest],
        alerts=[alert for alert in batch.alerts if new(alert, written.alerts)],
        rejects=[reject for reject in batch.rejects if new(reject, written.rejects)],
    )


def check_sink(
    sink: Sink,
    *,
    stored: Callable[[], int] | None = None,
    outage: Callable[[], AbstractContextManager[object]] | None = None,
    keeps: bool = True,
    log: str = "check-sink",
) -> None:
    """Raise BrokenPromise unless the sink keeps its contract.

    `stored` counts all rows of `log` as they lie there, doubled ones too. Inside `outage` the target
    does not answer, or answers and the reply is lost. `keeps` is false for sinks without a memory.
    """
    writer = sink.open()
    try:
        if keeps:
            promised(
                not any(writer.written(log, 0, 0)), "rows before the first write", "a fresh log is empty"
            )
        total = 0
        for number, batch in enumerate((_batch(log, 100), _hostile(log, 200), _revision(log, 300))):
            writer.write(batch, time.monotonic() + PATIENCE)
            total += len(batch)
            _stored_once(writer, batch, log, 100 * (number + 1), keeps, stored, total)
        if outage:
            total = _outage(writer, outage, log, stored, total)
        _late(writer, log, keeps, stored, total)
        writer.aggregate(log, 0, [1_750_000_020], 1)
        writer.aggregate(log, 0, [1_750_000_020], 1)
        _forget(writer, log, keeps)
        promised(not writer.unstorable(), "asking for what was unstorable does not clear it", "unstorable")
    finally:
        writer.close()
        closed_twice(writer.close)


def _stored_once(
    writer: Writer,
    batch: Batch,
    log: str,
    offset: int,
    keeps: bool,
    stored: Callable[[], int] | None,
    total: int,
) -> None:
    refused = [reason for _, reason in writer.unstorable()]
    promised(not refused, f"not stored: {refused[:1]}", "hostile values are stored")
    if not keeps:
        promised(not any(writer.written(log, 0, 0)), "rows it cannot know of", "written is exact")
        return
    written = writer.written(log, 0, offset)
    _exact(batch, written)
    writer.write(missing(batch, written), time.monotonic() + PATIENCE)
    _count(stored, total, "written twice is stored once")
    promised(not any(writer.written(log, 1, 0)), "rows of another partition", "written is exact")
    promised(not any(writer.written("another", 0, 0)), "rows of another log", "written is exact")


def _exact(batch: Batch, written: Written) -> None:
    tables: tuple[tuple[str, Sequence[Event | Alert | Reject], frozenset[tuple[int, int]]], ...] = (
        ("events", batch.events, written.events),
        ("alerts", batch.alerts, written.alerts),
        ("rejects", batch.rejects, written.rejects),
    )
    for name, rows, found in tables:
        wrong = found ^ {(row.log_offset, row.log_index) for row in rows}
        promised(not wrong, f"of {name} it is wrong about {sorted(wrong)[:3]}", "written is exact")


def _count(stored: Callable[[], int] | None, total: int, promise: str) -> None:
    if stored:
        rows = stored()
        promised(rows == total, f"{rows} rows are stored, not {total}", promise)


def _outage(
    writer: Writer,
    outage: Callable[[], AbstractContextManager[object]],
    log: str,
    stored: Callable[[], int] | None,
    total: int,
) -> int:
    """Unavailable, then read back and offered again: nothing lost, nothing doubled."""
    batch = _batch(log, 400)
    with outage():
        begun = time.monotonic()
        try:
            writer.write(batch, begun + 1.0)
        except SinkUnavailable:
            pass
        else:
            raise BrokenPromise("returning means durable", "write returns while the target does not answer")
        late = time.monotonic() - begun
        promised(late < 1.0 + GRACE, f"a deadline of 1 s takes {late:.1f} s", "the deadline is kept")
    writer.write(missing(batch, writer.written(log, 0, 400)), time.monotonic() + PATIENCE)
    _exact(batch, writer.written(log, 0, 400))
    _count(stored, total + len(batch), "retried is stored once")
    return total + len(batch)


def _late(writer: Writer, log: str, keeps: bool, stored: Callable[[], int] | None, total: int) -> None:
    """A deadline that has passed is no licence to hang, nor to lose."""
    batch, begun = _batch(log, 500), time.monotonic()
    with suppress(SinkUnavailable):
        writer.write(batch, begun - 1.0)
    late = time.monotonic() - begun
    promised(late < GRACE, f"a deadline in the past takes {late:.1f} s", "the deadline is kept")
    if keeps:
        writer.write(missing(batch, writer.written(log, 0, 500)), time.monotonic() + PATIENCE)
        _exact(batch, writer.written(log, 0, 500))
        _count(stored, total + len(batch), "retried is stored once")


def _forget(writer: Writer, log: str, keeps: bool) -> None:
    """Somebody's rows go, under each of their names, and nobody else's; or the sink says that it cannot."""
    names = ("check-subject", "k1:check-subject", "check-subject-2")
    events = [_event(log, 600, n, tenant="default", user=name) for n, name in enumerate(names)]
    events.append(_event(log, 600, 3, tenant="another", user=names[0]))
    writer.write(Batch(events=events, signals=[Signals() for _ in events]), time.monotonic() + PATIENCE)
    forgotten = writer.forget("default", names[:2])
    if forgotten is None or not keeps:
        return
    left = writer.written(log, 0, 600).events
    promised(
        not left & {(600, 0), (600, 1)}, "rows under a name are still there", "what is forgotten is gone"
    )
    promised(left == {(600, 2), (600, 3)}, "rows of others are gone", "nobody else is forgotten")
    again = writer.forget("default", names[:2])
    promised(again is not None and not any(again.rows.values()), "found again", "what is forgotten is gone")


def _batch(log: str, offset: int) -> Batch:
    events = [_event(log, offset + n // 3, n % 3) for n in range(30)]
    alerts = [_alert(log, offset + n, 1) for n in range(3)]
    rejects = [_reject(log, offset + n) for n in range(3)]
    return Batch(events=events, signals=[Signals() for _ in events], alerts=alerts, rejects=rejects)


def _event(log: str, offset: int, index: int, **values: object) -> Event:
    place = {"log_id": log, "log_partition": 0, "log_offset": offset, "log_index": index}
    times = {"arrival": 1_750_000_000.0 + offset, "time": 1_750_000_000.0 + offset}
    return Event(**{"id": f"check.0.{offset}.{index}", **place, **times, **values})  # type: ignore[arg-type]


def _alert(log: str, offset: int, revision: int, identity: str = "", text: str = "checked") -> Alert:
    return Alert(
        id=identity or f"{offset:032x}",
        revision=revision,
        status="new" if revision == 1 else "updated",
        detector="checked",
        detector_type="checked",
        detector_version=1,
        tenant="default",
        application="check",
        key=text,
        severity=Severity.medium,
        summary=text,
        first_seen=1_750_000_000.0,
        last_seen=1_750_000_000.0 + offset,
        count=revision,
        value=1.5,
        evidence={text: text, "calls": 3, "share": 0.5},
        event_ids=(f"check.0.{offset}.0",),
        log_id=log,
        log_offset=offset,
        arrival=1_750_000_000.0 + offset,
    )


def _reject(log: str, offset: int, text: str = "sample") -> Reject:
    return Reject(
        reason="undecodable",
        detail=text,
        sample=text,
        size=7,
        sha256="0" * 64,
        log_id=log,
        log_offset=offset,
        arrival=1_750_000_000.0 + offset,
    )


def _hostile(log: str, offset: int) -> Batch:
    """Text that means something to a database, a terminal or a browser, and the ends of every scale."""
    events = [
        _event(
            log, offset, 0, user=HOSTILE, model=HOSTILE, error_message=HOSTILE, attributes={HOSTILE: HOSTILE}
        ),
        _event(log, offset, 1, input_tokens=2**31, output_tokens=0, cost_usd=1e-12, duration_ms=1e12),
        _event(log, offset, 2, user="u" * 100_000, tool_name="", time=1.0, original_time=4e9),
        _event(log, offset, 3, invalid_fields=("cost_usd",), status="blocked", stream=False, kind="tool"),
    ]
    return Batch(
        events=events,
        signals=[Signals(input_length=2**31) for _ in events],
        alerts=[_alert(log, offset, 1, text=HOSTILE.replace("\n", " "))],
        rejects=[_reject(log, offset, HOSTILE)],
    )


def _revision(log: str, offset: int) -> Batch:
    """The alert of the first batch once more: the same id, the next revision, another position."""
    return Batch(alerts=[_alert(log, offset, 2, f"{100:032x}")])
