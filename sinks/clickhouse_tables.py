"""Reading for the command line: what lies in quarantine, what was alerted, any question in SQL."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NamedTuple

import msgspec

from sinks.clickhouse import ClickHouse
from sinks.clickhouse_client import BadData, Connection, translated
from sinks.clickhouse_columns import ALERTS, QUARANTINE
from sinks.clickhouse_migrate import check
from tocsin.contracts import SinkRefused
from tocsin.model import Alert, Reject, Severity


class Answer(NamedTuple):
    """Names of the columns, and the rows."""

    names: Sequence[str]
    rows: Sequence[Sequence[Any]]


class Tables:
    """A database that is only read. Close it, or use it as a context."""

    def __init__(self, settings: ClickHouse) -> None:
        self._connection = Connection(settings)
        try:
            check(self._connection)
        except BaseException:
            self._connection.close()
            raise

    def quarantine(self, limit: int = 50, reason: str = "", source: str = "") -> list[Reject]:
        """The newest entries, of one reason or one source where that is named."""
        names = [column.name for column in QUARANTINE.columns]
        answer = self.query(
            f"SELECT {', '.join(names)} FROM {self._named('quarantine')} FINAL "
            "WHERE ({reason:String} = '' OR reason = {reason:String}) "
            "AND ({source:String} = '' OR source = {source:String}) "
            "ORDER BY arrival DESC, log_id, log_partition, log_offset DESC, log_index DESC "
            "LIMIT {limit:UInt32}",
            {"reason": reason, "source": source, "limit": limit},
        )
        return [msgspec.convert(_seconds(names, row), Reject) for row in answer.rows]

    def alerts(self, limit: int = 50) -> list[Alert]:
        """The newest revision of each alert, those that were seen last first."""
        names = [column.name for column in ALERTS.columns]
        answer = self.query(
            f"SELECT {', '.join(names)} FROM {self._named('alerts_current')} "
            "ORDER BY last_seen DESC, id LIMIT {limit:UInt32}",
            {"limit": limit},
        )
        return [_alert(_seconds(names, row)) for row in answer.rows]

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Answer:
        """The answer to a question. Raises SinkUnavailable or SinkRefused."""
        patience = self._connection.patience(time.monotonic() + self._connection.settings.reply_seconds)
        try:
            with translated("reading"):
                client = self._connection.client
                result = client.query(sql, parameters=dict(parameters or {}), settings=patience)
                return Answer(list(result.column_names), list(result.result_rows))
        except BadData as error:
            raise SinkRefused(f"reading: {error}") from None

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def _named(self, table: str) -> str:
        return f"`{self._connection.database}`.{table}"

    def __enter__(self) -> Tables:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _seconds(names: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    return {
        name: value.replace(tzinfo=value.tzinfo or UTC).timestamp() if isinstance(value, datetime) else value
        for name, value in zip(names, row, strict=True)
    }


def _alert(fields: dict[str, Any]) -> Alert:
    return msgspec.convert(fields | {"severity": Severity[fields["severity"]].value}, Alert)
