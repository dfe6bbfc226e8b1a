"""Minutes: figures computed again from the events themselves, stored as absolute revisions.

A revision replaces the row of the same minute, log partition and key. Rows of events are never
changed or taken back, so a key that a minute once had stays, and its newest revision is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sinks.clickhouse_client import BadData, Connection, translated
from tocsin.contracts import SinkUnavailable

AHEAD = 300  # event time runs at most this far ahead of arrival (clamped by the core)
GAP = 3600  # minutes further apart are computed in separate queries, so that each reads little
LONGEST = 31 * 86_400  # of one run, for the engine's limit of partitions in one insert

# A row's partition follows from its log position, so equal rows never lie in two; and one thread does
# this with a quarter less work than two.
CHEAP = {"do_not_merge_across_partitions_select_final": 1, "max_threads": 1}

COLUMNS = {
    "minute": "toStartOfMinute(time)",
    "log_id": "log_id",
    "log_partition": "log_partition",
    "tenant": "tenant",
    "application": "application",
    "agent": "agent",
    "model": "model",
    "tool": "tool_name",
    "kind": "kind",
    "status": "status",
}


def _total(column: str, least: str, most: str, digits: int) -> str:
    """A sum to `digits` behind the point. Floats are added as whole thousandths of its last digit: the same
    in any order, none cut off, and many of a value below that digit are not lost."""
    value = f"least(greatest(ifNull(e.{column}, 0), {least}), {most})"
    units = f"sumIf(toInt128(round({value} * 1e{digits + 3})), NOT duplicate)"
    return f"toDecimal128(intDiv({units} + 500, 1000), 0) * toDecimal128('1e-{digits}', {digits})"


FIGURES = {
    "version": "{version:UInt64}",
    "events": "countIf(NOT duplicate)",
    "duplicates": "countIf(duplicate)",
    "refusals": "countIf(refusal AND NOT duplicate)",
    "input_tokens": "sumIf(ifNull(e.input_tokens, 0), NOT duplicate)",
    "output_tokens": "sumIf(ifNull(e.output_tokens, 0), NOT duplicate)",
    "cache_read_tokens": "sumIf(ifNull(e.cache_read_tokens, 0), NOT duplicate)",
    "cache_write_tokens": "sumIf(ifNull(e.cache_write_tokens, 0), NOT duplicate)",
    "reasoning_tokens": "sumIf(ifNull(e.reasoning_tokens, 0), NOT duplicate)",
    "cost_usd": _total("cost_usd", "-1e6", "1e6", 9),
    "durations": "countIf(e.duration_ms IS NOT NULL AND NOT duplicate)",
    "duration_ms": _total("duration_ms", "0", "1e12", 3),
    "users": "uniqStateIf(user, user != '' AND NOT duplicate)",
    "sessions": "uniqStateIf(session, session != '' AND NOT duplicate)",
    "duration": "quantilesBFloat16StateIf(0.5, 0.95, 0.99)"
    "(ifNull(e.duration_ms, 0), e.duration_ms IS NOT NULL AND NOT duplicate)",
    "first_token": "quantilesBFloat16StateIf(0.5, 0.95, 0.99)"
    "(ifNull(first_token_ms, 0), first_token_ms IS NOT NULL AND NOT duplicate)",
}


def runs(minutes: Sequence[int]) -> Iterator[list[int]]:
    """The minutes in order, cut where they lie far apart."""
    run: list[int] = []
    for minute in sorted(set(minutes)):
        if run and (minute - run[-1] > GAP or minute - run[0] > LONGEST):
            yield run
            run = []
        run.append(minute)
    if run:
        yield run


def statement(database: str) -> str:
    """The one query behind every revision.

    Partitions are pruned by arrival, which is never more than five minutes before the event's own
    time, and ranges within them by the hour in the sorting key.
    """
    columns = (*COLUMNS.values(), *FIGURES.values())
    return (
        f"INSERT INTO `{database}`.minutes ({', '.join((*COLUMNS, *FIGURES))}) "
        f"SELECT {', '.join(f'{sql} AS c{n}' for n, sql in enumerate(columns))} "
        f"FROM `{database}`.events AS e FINAL "
        "WHERE log_id = {log_id:String} AND log_partition = {log_partition:UInt32} "
        "AND arrival >= toDateTime64({first:Int64} - {ahead:Int64}, 3, 'UTC') "
        "AND time >= toDateTime64({first:Int64}, 6, 'UTC') AND time < toDateTime64({end:Int64}, 6, 'UTC') "
        "AND toUnixTimestamp(toStartOfMinute(time)) IN {minutes:Array(UInt32)} "
        f"GROUP BY {', '.join(f'c{n}' for n in range(len(COLUMNS)))}"
    )


def insert_minutes(
    connection: Connection, log: tuple[str, int], run: Sequence[int], version: int, settings: dict[str, Any]
) -> None:
    """Compute one run of minutes again. Raises as a write does."""
    parameters = {
        "log_id": log[0],
        "log_partition": log[1],
        "first": run[0],
        "end": run[-1] + 60,
        "ahead": AHEAD,
        "minutes": list(run),
        "version": version,
    }
    named = {name: value for name, value in settings.items() if name == "query_id"}
    # Behind the statement, because the embedded engine's client spends a query on each setting.
    beside = ", ".join(f"{name} = {value}" for name, value in (settings | CHEAP).items() if name not in named)
    try:
        with translated("computing minutes"):
            connection.client.command(
                f"{statement(connection.database)} SETTINGS {beside}", parameters=parameters, settings=named
            )
    except BadData as error:
        raise SinkUnavailable(f"computing minutes: {error}") from None
