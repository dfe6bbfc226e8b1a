"""Rows with places of their own, and a database that is asked in SQL."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sinks.clickhouse import ClickHouse
from sinks.clickhouse_client import Connection
from sinks.clickhouse_migrate import migrate
from tocsin.model import Alert, Batch, Event, Reject, Severity, Signals

NOW = 1_795_000_000.0
LOG = "log-one"


def event(offset: int, index: int = 0, **values: Any) -> Event:
    """One event with a place of its own."""
    fields: dict[str, Any] = {
        **{"log_id": LOG, "log_offset": offset, "log_index": index, "id": f"id.{offset}.{index}"},
        **{"arrival": NOW + offset / 100, "time": NOW + offset / 100 - 1},
        **{"tenant": "default", "application": "shop"},
    }
    fields.update(values)
    return Event(**fields)


def alert(offset: int, revision: int = 1, **values: Any) -> Alert:
    """One revision of an alert."""
    fields: dict[str, Any] = {
        **{"id": f"{offset:032x}", "revision": revision, "status": "new" if revision == 1 else "updated"},
        **{"detector": "probing", "detector_type": "probing_rate", "detector_version": 1},
        **{"tenant": "default", "application": "shop", "key": "ada", "severity": Severity.high},
        **{"summary": "9 refusals in 60 s, usually 0.2", "first_seen": NOW, "last_seen": NOW + offset},
        **{"count": revision, "log_id": LOG, "log_offset": offset, "arrival": NOW + offset / 100},
    }
    fields.update(values)
    return Alert(**fields)


def reject(offset: int, **values: Any) -> Reject:
    """One entry of the quarantine."""
    fields: dict[str, Any] = {
        **{"reason": "undecodable", "detail": "broken JSON", "sample": "{", "size": 1},
        **{"log_id": LOG, "log_offset": offset, "arrival": NOW + offset / 100, "source": "llm.events"},
    }
    fields.update(values)
    return Reject(**fields)


def batch(first: int, count: int, **values: Any) -> Batch:
    """So many events, and an alert and a reject for every tenth."""
    offsets = range(first, first + count)
    return Batch(
        events=[event(offset, **values) for offset in offsets],
        signals=[Signals(input_length=offset) for offset in offsets],
        alerts=[alert(offset) for offset in offsets if offset % 10 == 0],
        rejects=[reject(offset) for offset in offsets if offset % 10 == 5],
    )


def soon() -> float:
    """A deadline that no undisturbed write misses."""
    return time.monotonic() + 30


class Database:
    """A migrated database, asked in SQL."""

    def __init__(self, settings: ClickHouse) -> None:
        migrate(settings)
        self.settings = settings
        self.connection = Connection(settings)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The answer; `@` stands for the database."""
        result = self.connection.client.query(sql.replace("@", f"{self.settings.place().database}."))
        return [tuple(row) for row in result.result_rows]

    def one(self, sql: str) -> Any:
        """The only value of an answer."""
        return self.rows(sql)[0][0]

    def run(self, sql: str) -> None:
        """A statement."""
        self.connection.client.command(sql.replace("@", f"{self.settings.place().database}."))

    def doubled(self) -> int:
        """Rows that share a log position with another one, over all tables as they lie there."""
        tables: Sequence[str] = ("events", "alerts", "quarantine")
        position = "log_id, log_partition, log_offset, log_index"
        return sum(self.one(f"SELECT count() - uniqExact({position}) FROM @{table}") for table in tables)
