"""Minutes are exact, whatever was computed before and however often."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from parts.clickhouse_rows import LOG, NOW, Database, event, soon

from sinks.clickhouse_minutes import runs
from tocsin.contracts import Writer
from tocsin.model import Batch, Event, Signals

pytestmark = pytest.mark.clickhouse
MINUTE = int(NOW) // 60 * 60


def write(writer: Writer, events: list[Event]) -> None:
    """The events, each an answer that was not refused."""
    writer.write(Batch(events=events, signals=[Signals() for _ in events]), soon())


def told(offset: int, second: float, **values: Any) -> Event:
    """An event of the minute."""
    fields: dict[str, Any] = {
        "time": MINUTE + second,
        "arrival": MINUTE + 70.0,
        "model": "m",
        "cost_usd": 0.1,
    }
    return event(offset, **(fields | {"user": f"u{offset % 3}", "duration_ms": float(offset)} | values))


def test_figures_are_those_of_the_events(database: Database, writer: Writer) -> None:
    events = [
        told(n, n % 120, model=f"m{n % 2}", status="error" if n % 5 == 0 else "ok", input_tokens=n)
        for n in range(100)
    ]
    write(writer, events)
    writer.aggregate(LOG, 0, [MINUTE, MINUTE + 60], 1)
    columns = "toUnixTimestamp(minute), model, status, events, input_tokens, cost_usd, duration_ms"
    found = {tuple(row[:3]): row[3:] for row in database.rows(f"SELECT {columns} FROM @usage")}
    keys = Counter((int(e.time) // 60 * 60, e.model, e.status) for e in events)
    assert {key: row[0] for key, row in found.items()} == keys
    for key, row in found.items():
        mine = [e for e in events if (int(e.time) // 60 * 60, e.model, e.status) == key]
        assert row[1] == sum(e.input_tokens or 0 for e in mine)
        assert row[2] == Decimal("0.1") * len(mine)
        assert row[3] == Decimal(sum(e.duration_ms or 0 for e in mine))


def test_computing_again_multiplies_nothing(database: Database, writer: Writer) -> None:
    write(writer, [told(n, n % 60) for n in range(50)])
    for version in (1, 2, 2, 3):
        writer.aggregate(LOG, 0, [MINUTE], version)
    assert database.rows("SELECT sum(events), sum(cost_usd), count() FROM @usage") == [(50, 5, 1)]
    database.run("OPTIMIZE TABLE @minutes FINAL")
    assert database.rows("SELECT count(), max(version) FROM @minutes") == [(1, 3)]


def test_the_higher_version_wins_and_late_events_count(database: Database, writer: Writer) -> None:
    write(writer, [told(n, 5) for n in range(10)])
    writer.aggregate(LOG, 0, [MINUTE], 7)
    write(writer, [told(10, 6, arrival=MINUTE + 23 * 3600.0), told(11, 7, model="late")])
    writer.aggregate(LOG, 0, [MINUTE], 8)
    found = database.rows("SELECT model, sum(events) FROM @usage GROUP BY model ORDER BY model")
    assert found == [("late", 1), ("m", 11)]
    writer.aggregate(LOG, 0, [MINUTE], 6)  # a zombie with an older view of the same events
    assert database.rows("SELECT DISTINCT version FROM @minutes FINAL") == [(8,)]


def test_log_partitions_add_up_and_do_not_touch_one_another(database: Database, writer: Writer) -> None:
    write(writer, [told(n, 1, log_partition=n % 3, user=f"u{n % 5}") for n in range(30)])
    for partition in range(3):
        writer.aggregate(LOG, partition, [MINUTE], 1)
    writer.aggregate(LOG, 1, [MINUTE], 2)
    assert database.one("SELECT count() FROM @minutes FINAL") == 3
    assert database.rows("SELECT events, uniqMerge(users) FROM @usage GROUP BY events") == [(30, 5)]


def test_events_seen_before_are_counted_apart(database: Database, writer: Writer) -> None:
    write(writer, [told(1, 1), told(2, 1, duplicate=True, user="other"), told(3, 1, duplicate=True)])
    writer.aggregate(LOG, 0, [MINUTE], 1)
    found = database.rows("SELECT events, duplicates, cost_usd, uniqMerge(users) FROM @usage GROUP BY ALL")
    assert found == [(1, 2, Decimal("0.1"), 1)]


def test_what_a_second_owner_wrote_again_is_counted_once(database: Database, writer: Writer) -> None:
    for _ in range(2):
        write(writer, [told(n, 1) for n in range(10)])
    writer.aggregate(LOG, 0, [MINUTE], 1)
    assert database.one("SELECT sum(events) FROM @usage") == 10


def test_states_of_a_minute_are_the_same_however_it_was_written(database: Database, writer: Writer) -> None:
    events = [told(n, n % 60, duration_ms=n * 1.37, user=f"u{n}") for n in range(500)]
    write(writer, events)
    for n in range(0, 500, 50):
        write(writer, [event(e.log_offset, **_moved(e)) for e in events[n : n + 50]])
    writer.aggregate(LOG, 0, [MINUTE], 1)
    writer.aggregate("cut", 0, [MINUTE], 1)
    states = "hex(users), hex(duration), events, cost_usd, duration_ms"
    assert len(database.rows(f"SELECT DISTINCT {states} FROM @minutes FINAL")) == 1
    assert database.one("SELECT count() FROM @minutes FINAL") == 2


def _moved(told: Event) -> dict[str, Any]:
    names = ("time", "arrival", "model", "cost_usd", "user", "duration_ms")
    return {name: getattr(told, name) for name in names} | {"log_id": "cut"}


def test_quantiles_are_within_a_hundredth(database: Database, writer: Writer) -> None:
    write(writer, [told(n, n % 60, duration_ms=float(n + 1)) for n in range(1000)])
    writer.aggregate(LOG, 0, [MINUTE], 1)
    merged = database.one("SELECT quantilesBFloat16Merge(0.5, 0.95, 0.99)(duration) FROM @usage")
    assert merged == pytest.approx([500, 950, 990], rel=0.01)


def test_costs_add_up_to_a_billionth(database: Database, writer: Writer) -> None:
    """0.000065 * 10^9 as floats is a little less than 65,000, and a token may cost less than a billionth."""
    write(writer, [told(n, 1, model="a", cost_usd=0.000065, duration_ms=1.001) for n in range(100)])
    write(writer, [told(n, 1, model="b", cost_usd=1.25e-10) for n in range(100, 1100)])
    write(
        writer, [told(1100, 1, model="c", cost_usd=-2.01), told(1101, 1, model="c", cost_usd=812.123456789)]
    )
    writer.aggregate(LOG, 0, [MINUTE], 1)
    rows = database.rows("SELECT model, cost_usd, duration_ms FROM @usage ORDER BY model")
    assert [row[1] for row in rows] == [Decimal("0.0065"), Decimal("0.000000125"), Decimal("810.113456789")]
    assert rows[0][2] == Decimal("100.1")


def test_impossible_costs_do_not_fail_a_minute(database: Database, writer: Writer) -> None:
    write(writer, [told(1, 1, cost_usd=1e300, duration_ms=1e300), told(2, 1, cost_usd=-1e300)])
    writer.aggregate(LOG, 0, [MINUTE], 1)
    assert database.one("SELECT sum(events) FROM @usage") == 2


def test_minutes_of_many_months_are_computed_in_pieces(database: Database, writer: Writer) -> None:
    when = [MINUTE - 40 * 86_400 * n for n in range(130)]
    write(writer, [told(n, 0, time=float(t), arrival=float(t)) for n, t in enumerate(when)])
    writer.aggregate(LOG, 0, when, 1)
    assert database.rows("SELECT count(), sum(events) FROM @usage") == [(130, 130)]


def test_only_the_partitions_of_the_minute_are_read(database: Database, writer: Writer) -> None:
    write(writer, [told(n, 0, time=NOW - n * 86_400, arrival=NOW - n * 86_400) for n in range(40)])
    plan = "\n".join(
        row[0]
        for row in database.rows(
            "EXPLAIN indexes = 1 SELECT count() FROM @events FINAL WHERE log_id = 'log-one' AND "
            f"arrival >= toDateTime64({MINUTE} - 300, 3, 'UTC') AND time >= toDateTime64({MINUTE}, 6, 'UTC')"
        )
    )
    assert "Parts: 1/40" in plan, plan


def test_runs_join_neighbours_and_cut_gaps() -> None:
    assert list(runs([])) == []
    assert list(runs([60, 0, 60, 3660, 10_000_020])) == [[0, 60, 3660], [10_000_020]]
    assert all(run[-1] - run[0] <= 31 * 86_400 for run in runs(range(0, 90 * 86_400, 3600)))
