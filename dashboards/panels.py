"""The panel catalogue: each panel is the question it answers, its SQL and the shape of the answer.

SQL is ClickHouse with the macros of Grafana's ClickHouse data source. Tables stand without a
database: the data source names it. Times are filtered on sorting keys, figures come from the
per-minute aggregates wherever those hold them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

Shape = Literal["number", "series", "bars", "table"]


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One panel. `columns` are the columns that its picture needs, in the order of the SQL."""

    id: int
    title: str
    question: str
    sql: str
    shape: Shape
    columns: Sequence[str]
    width: int  # of 24
    height: int = 8
    unit: str = "short"  # Grafana's word
    thresholds: Sequence[tuple[float, str]] = ()  # from this value on, this colour


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """A choice at the top of the dashboard, filled by a query."""

    name: str
    label: str
    sql: str


TENANT = "$__conditionalAll(tenant IN (${tenant:singlequote}), $tenant)"
HERE = f"{TENANT} AND $__conditionalAll(application IN (${{application:singlequote}}), $application)"

# Grafana's quoting leaves backslashes as they are, so a name with one could end its own quotes.
VARIABLES: Sequence[Variable] = (
    Variable(
        name="tenant",
        label="Tenant",
        sql="SELECT DISTINCT tenant FROM minutes WHERE $__timeFilter(minute) "
        "AND position(tenant, char(92)) = 0 ORDER BY tenant",
    ),
    Variable(
        name="application",
        label="Application",
        sql="SELECT DISTINCT application FROM minutes WHERE $__timeFilter(minute) "
        f"AND {TENANT} AND position(application, char(92)) = 0 ORDER BY application",
    ),
)

ANNOTATIONS = f"""\
SELECT first_seen AS time, last_seen AS timeEnd, summary AS text, detector AS title,
    toString(severity) AS tags
FROM alerts_current
WHERE $__timeFilter_ms(first_seen) AND severity >= 'high' AND NOT backfill AND {HERE}
ORDER BY time
LIMIT 200"""

OVERVIEW: Sequence[Panel] = (
    Panel(
        id=1,
        title="Open alerts",
        question="How many alerts wait for somebody?",
        sql=f"""\
SELECT count() AS alerts
FROM alerts_current
WHERE $__timeFilter_ms(first_seen) AND status != 'closed' AND NOT backfill AND {HERE}""",
        shape="number",
        columns=("alerts",),
        width=6,
        height=4,
        thresholds=((0, "green"), (1, "orange"), (20, "red")),
    ),
    Panel(
        id=2,
        title="Events",
        question="How much was looked at?",
        sql=f"""\
SELECT sum(events) AS events
FROM usage
WHERE $__timeFilter(minute) AND {HERE}""",
        shape="number",
        columns=("events",),
        width=6,
        height=4,
    ),
    Panel(
        id=3,
        title="Cost",
        question="What did the models cost?",
        sql=f"""\
SELECT toFloat64(sum(cost_usd)) AS cost
FROM usage
WHERE $__timeFilter(minute) AND {HERE}""",
        shape="number",
        columns=("cost",),
        width=6,
        height=4,
        unit="currencyUSD",
    ),
    Panel(
        id=4,
        title="Newest event",
        question="Is the pipeline up to date?",
        sql=f"""\
SELECT toUnixTimestamp64Milli(max(arrival)) AS newest
FROM events
WHERE $__timeFilter_ms(arrival) AND {HERE}
HAVING count() > 0""",
        shape="number",
        columns=("newest",),
        width=6,
        height=4,
        unit="dateTimeFromNow",
    ),
    Panel(
        id=5,
        title="New alerts by severity",
        question="When did alerts begin, and how bad are they?",
        sql=f"""\
SELECT $__timeInterval_ms(first_seen) AS time, toString(severity) AS severity, count() AS alerts
FROM alerts_current
WHERE $__timeFilter_ms(first_seen) AND NOT backfill AND {HERE}
GROUP BY time, severity
ORDER BY time""",
        shape="bars",
        columns=("time", "severity", "alerts"),
        width=12,
    ),
    Panel(
        id=6,
        title="Detector activity",
        question="Which detectors speak, and how often?",
        sql=f"""\
SELECT $__timeInterval_ms(arrival) AS time, detector, count() AS revisions
FROM alerts FINAL
WHERE $__timeFilter_ms(arrival) AND {HERE}
GROUP BY time, detector
ORDER BY time""",
        shape="bars",
        columns=("time", "detector", "revisions"),
        width=12,
    ),
    Panel(
        id=7,
        title="Alerts to look at",
        question="What is wrong right now, worst first?",
        sql=f"""\
SELECT toString(severity) AS severity, detector, application, key, summary, first_seen, last_seen, count,
    value, baseline, arrayStringConcat(owasp, ' ') AS owasp, arrayStringConcat(atlas, ' ') AS atlas, id
FROM alerts_current AS a
WHERE $__timeFilter_ms(first_seen) AND status != 'closed' AND NOT backfill AND {HERE}
ORDER BY a.severity DESC, last_seen DESC
LIMIT 200""",
        shape="table",
        columns=(
            "severity", "detector", "application", "key", "summary", "first_seen", "last_seen", "count",
            "value", "baseline", "owasp", "atlas", "id",
        ),
        width=24,
        height=10,
    ),
    Panel(
        id=8,
        title="Entities with most alerts",
        question="Who or what is behind the alerts?",
        sql=f"""\
SELECT application, key, count() AS alerts, sum(count) AS findings, toString(max(severity)) AS worst,
    arrayStringConcat(arraySort(groupUniqArray(detector)), ', ') AS detectors, max(last_seen) AS last_seen
FROM alerts_current
WHERE $__timeFilter_ms(first_seen) AND NOT backfill AND {HERE}
GROUP BY application, key
ORDER BY alerts DESC, findings DESC, application, key
LIMIT 20""",
        shape="table",
        columns=("application", "key", "alerts", "findings", "worst", "detectors", "last_seen"),
        width=12,
    ),
    Panel(
        id=9,
        title="Events by application",
        question="How busy is each application?",
        sql=f"""\
SELECT $__timeInterval(minute) AS time, application, sum(events) / $__interval_s AS rate
FROM usage
WHERE $__timeFilter(minute) AND {HERE}
GROUP BY time, application
ORDER BY time""",
        shape="series",
        columns=("time", "application", "rate"),
        width=12,
        unit="eps",
    ),
    Panel(
        id=10,
        title="Errors and refusals",
        question="Which share of calls fails, is refused or blocked?",
        sql=f"""\
SELECT $__timeInterval(minute) AS time, application,
    sumIf(events, status = 'error') / sum(events) AS errors,
    sumIf(events, status IN ('refused', 'blocked')) / sum(events) AS refused
FROM usage
WHERE $__timeFilter(minute) AND {HERE}
GROUP BY time, application
HAVING sum(events) > 0
ORDER BY time""",
        shape="series",
        columns=("time", "application", "errors", "refused"),
        width=12,
        unit="percentunit",
    ),
    Panel(
        id=11,
        title="Latency of model calls",
        question="How long do people and agents wait for a model?",
        sql=f"""\
SELECT $__timeInterval(minute) AS time, model,
    quantilesBFloat16Merge(0.5, 0.95, 0.99)(duration)[1] AS p50,
    quantilesBFloat16Merge(0.5, 0.95, 0.99)(duration)[2] AS p95
FROM usage
WHERE $__timeFilter(minute) AND kind = 'llm' AND {HERE}
GROUP BY time, model
ORDER BY time""",
        shape="series",
        columns=("time", "model", "p50", "p95"),
        width=12,
        unit="ms",
    ),
    Panel(
        id=12,
        title="Tokens by model",
        question="Where do the tokens go?",
        sql=f"""\
SELECT $__timeInterval(minute) AS time, model,
    sum(input_tokens) AS input, sum(output_tokens) AS output
FROM usage
WHERE $__timeFilter(minute) AND kind = 'llm' AND {HERE}
GROUP BY time, model
ORDER BY time""",
        shape="series",
        columns=("time", "model", "input", "output"),
        width=12,
    ),
    Panel(
        id=13,
        title="Cost by model",
        question="Where does the money go?",
        sql=f"""\
SELECT $__timeInterval(minute) AS time, model, toFloat64(sum(cost_usd)) AS cost
FROM usage
WHERE $__timeFilter(minute) AND kind = 'llm' AND {HERE}
GROUP BY time, model
ORDER BY time""",
        shape="bars",
        columns=("time", "model", "cost"),
        width=12,
        unit="currencyUSD",
    ),
    Panel(
        id=14,
        title="Quarantine by reason",
        question="What could not be read, and why?",
        sql=f"""\
SELECT $__timeInterval_ms(arrival) AS time, reason, count() AS records
FROM quarantine FINAL
WHERE $__timeFilter_ms(arrival) AND {TENANT}
GROUP BY time, reason
ORDER BY time""",
        shape="bars",
        columns=("time", "reason", "records"),
        width=12,
    ),
    Panel(
        id=15,
        title="Log partitions",
        question="Does any part of the log lag behind the others?",
        sql=f"""\
SELECT log_id, log_partition, max(minute) AS newest_minute, sum(events) AS events,
    sum(duplicates) AS duplicates
FROM minutes FINAL
WHERE $__timeFilter(minute) AND {HERE}
GROUP BY log_id, log_partition
ORDER BY newest_minute, log_id, log_partition
LIMIT 100""",
        shape="table",
        columns=("log_id", "log_partition", "newest_minute", "events", "duplicates"),
        width=12,
    ),
)  # fmt: skip
