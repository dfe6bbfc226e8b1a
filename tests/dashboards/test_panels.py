"""Every panel's SQL on the real engine, over simulated traffic, with the macros expanded."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from parts.grafana import expanded
from parts.stored_fleet import Stored

from dashboards.panels import ANNOTATIONS, OVERVIEW, VARIABLES, Panel
from tocsin.model import Event, Severity

pytestmark = pytest.mark.clickhouse

MINUTES = 10
SECONDS = MINUTES * 60
PANELS = {panel.title: panel for panel in OVERVIEW}
HOSTILE = ["support", "o'brien", "')) OR 1=1 --", "{x:String} %s"]


def asked(stored: Stored, panel: Panel, **chosen: Sequence[str]) -> list[dict[str, Any]]:
    """What the panel shows for the whole time; times as epoch seconds."""
    sql = expanded(panel.sql, stored.start, stored.end, SECONDS, chosen)
    if panel.columns[0] == "time":
        sql = f"SELECT * REPLACE (toUnixTimestamp(time) AS time) FROM ({sql})"
    return stored.rows(sql)


def bucket(seconds: float) -> int:
    return int(seconds // SECONDS) * SECONDS


def by(events: Sequence[Event], key: Callable[[Event], Any]) -> dict[Any, list[Event]]:
    groups: dict[Any, list[Event]] = defaultdict(list)
    for event in events:
        groups[key(event)].append(event)
    return groups


@pytest.mark.parametrize("panel", OVERVIEW, ids=lambda panel: panel.title)
def test_every_panel_answers_with_its_columns(stored: Stored, panel: Panel) -> None:
    rows = asked(stored, panel)
    assert rows
    assert tuple(rows[0]) == tuple(panel.columns)


@pytest.mark.parametrize("panel", OVERVIEW, ids=lambda panel: panel.title)
def test_every_panel_answers_for_chosen_and_for_hostile_names(stored: Stored, panel: Panel) -> None:
    assert asked(stored, panel, tenant=["default"], application=["support", "coder"]) or panel.id == 1
    hostile = asked(stored, panel, tenant=["default"], application=HOSTILE)
    assert hostile == asked(stored, panel, tenant=["default"], application=["support"])


@pytest.mark.parametrize("panel", OVERVIEW, ids=lambda panel: panel.title)
def test_series_have_a_time_in_order_and_numbers(stored: Stored, panel: Panel) -> None:
    if panel.shape not in ("series", "bars"):
        assert "time" not in panel.columns
        return
    rows = asked(stored, panel)
    times = [row["time"] for row in rows]
    assert times == sorted(times)
    assert all(stored.start - SECONDS <= time <= stored.end for time in times)
    name, *numbers = panel.columns[1:]
    assert all(isinstance(row[name], str) for row in rows)
    assert all(isinstance(row[number], int | float) for row in rows for number in numbers)


def test_numbers_are_single(stored: Stored) -> None:
    for panel in OVERVIEW:
        if panel.shape == "number":
            assert len(asked(stored, panel)) == 1


def test_events_and_cost_are_all_that_was_stored(stored: Stored) -> None:
    assert asked(stored, PANELS["Events"]) == [{"events": len(stored.events)}]
    cost = sum(event.cost_usd or 0.0 for event in stored.events)
    assert asked(stored, PANELS["Cost"])[0]["cost"] == pytest.approx(cost, abs=1e-4)


def test_rates_by_application_are_right(stored: Stored) -> None:
    counts = Counter((bucket(event.time), event.application) for event in stored.events)
    rows = asked(stored, PANELS["Events by application"])
    assert {(row["time"], row["application"]): row["rate"] for row in rows} == {
        key: count / SECONDS for key, count in counts.items()
    }


def test_tokens_and_cost_by_model_are_right(stored: Stored) -> None:
    calls = by([e for e in stored.events if e.kind == "llm"], lambda event: (bucket(event.time), event.model))
    tokens = asked(stored, PANELS["Tokens by model"])
    assert {(row["time"], row["model"]): (row["input"], row["output"]) for row in tokens} == {
        key: (sum(e.input_tokens or 0 for e in events), sum(e.output_tokens or 0 for e in events))
        for key, events in calls.items()
    }
    cost = {(row["time"], row["model"]): row["cost"] for row in asked(stored, PANELS["Cost by model"])}
    assert cost.keys() == calls.keys()
    assert cost == pytest.approx(
        {key: sum(e.cost_usd or 0.0 for e in events) for key, events in calls.items()}, abs=1e-6
    )


def test_shares_of_errors_and_refusals_are_right(stored: Stored) -> None:
    groups = by(stored.events, lambda event: (bucket(event.time), event.application))
    rows = asked(stored, PANELS["Errors and refusals"])
    assert {(row["time"], row["application"]): (row["errors"], row["refused"]) for row in rows} == {
        key: (
            sum(e.status == "error" for e in events) / len(events),
            sum(e.status in ("refused", "blocked") for e in events) / len(events),
        )
        for key, events in groups.items()
    }
    assert any(row["errors"] for row in rows)
    assert any(row["refused"] for row in rows)


def test_latency_is_near_the_exact_quantiles(stored: Stored) -> None:
    calls = by([e for e in stored.events if e.kind == "llm"], lambda event: (bucket(event.time), event.model))
    checked = 0
    for row in asked(stored, PANELS["Latency of model calls"]):
        durations = [event.duration_ms or 0.0 for event in calls[row["time"], row["model"]]]
        if len(durations) < 100:
            continue
        cuts = statistics.quantiles(durations, n=20, method="inclusive")
        assert row["p50"] == pytest.approx(cuts[9], rel=0.05)
        assert row["p95"] == pytest.approx(cuts[18], rel=0.15)
        checked += 1
    assert checked >= 10


def test_alerts_are_counted_by_their_first_moment_and_newest_severity(stored: Stored) -> None:
    newest = {alert.id: alert for alert in sorted(stored.alerts, key=lambda alert: alert.revision)}
    counts = Counter((bucket(alert.first_seen), alert.severity.name) for alert in newest.values())
    rows = asked(stored, PANELS["New alerts by severity"])
    assert {(row["time"], row["severity"]): row["alerts"] for row in rows} == dict(counts)
    still_open = [alert for alert in newest.values() if alert.status != "closed"]
    assert asked(stored, PANELS["Open alerts"]) == [{"alerts": len(still_open)}]


def test_the_worst_alerts_come_first(stored: Stored) -> None:
    severities = [Severity[row["severity"]] for row in asked(stored, PANELS["Alerts to look at"])]
    assert severities == sorted(severities, reverse=True)


def test_entities_with_most_alerts_come_first(stored: Stored) -> None:
    newest = {alert.id: alert for alert in sorted(stored.alerts, key=lambda alert: alert.revision)}
    counts = Counter((alert.application, alert.key) for alert in newest.values())
    rows = asked(stored, PANELS["Entities with most alerts"])
    assert {(row["application"], row["key"]): row["alerts"] for row in rows} == dict(counts.most_common(20))
    assert [row["alerts"] for row in rows] == sorted((row["alerts"] for row in rows), reverse=True)


def test_refused_records_are_counted_by_reason(stored: Stored) -> None:
    counts = Counter(reject.reason for reject in stored.rejects)
    found: Counter[str] = Counter()
    for row in asked(stored, PANELS["Quarantine by reason"]):
        found[row["reason"]] += row["records"]
    assert found == counts


def test_freshness_is_the_newest_arrival(stored: Stored) -> None:
    newest = max(event.arrival for event in stored.events)
    assert asked(stored, PANELS["Newest event"]) == [{"newest": int(newest * 1000)}]
    (partition,) = asked(stored, PANELS["Log partitions"])
    assert partition["newest_minute"].replace(tzinfo=UTC) == datetime.fromtimestamp(newest // 60 * 60, UTC)
    assert partition["events"] == len(stored.events)


def test_an_empty_time_is_no_error(stored: Stored) -> None:
    for panel in OVERVIEW:
        rows = stored.rows(expanded(panel.sql, 1.0, 2.0, SECONDS))
        assert len(rows) == (panel.id in (1, 2, 3))


def test_variables_offer_what_is_there_and_no_backslash(stored: Stored) -> None:
    offered = {each.name: stored.rows(expanded(each.sql, stored.start, stored.end)) for each in VARIABLES}
    assert offered["tenant"] == [{"tenant": "default"}]
    applications = sorted({event.application for event in stored.events})
    assert [row["application"] for row in offered["application"]] == applications
    without = VARIABLES[1].sql.replace(
        "FROM minutes", "FROM (SELECT minute, tenant, 'a' || char(92) AS application FROM minutes)"
    )
    assert stored.rows(expanded(without, stored.start, stored.end)) == []


def test_annotations_have_the_columns_of_annotations(stored: Stored) -> None:
    rows = stored.rows(expanded(ANNOTATIONS, stored.start, stored.end))
    assert rows
    assert tuple(rows[0]) == ("time", "timeEnd", "text", "title", "tags")
    assert {row["tags"] for row in rows} <= {"high", "critical"}
