"""The writer: columnar inserts, rows read back by log position, minutes as absolute revisions."""

from __future__ import annotations

import logging
import math
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from clickhouse_connect.driver.transform import NativeTransform

from sinks.clickhouse import ClickHouse
from sinks.clickhouse_client import BadData, Connection, translated
from sinks.clickhouse_columns import ALERTS, EVENTS, QUARANTINE, Column, Table
from sinks.clickhouse_forget import Forgetting
from sinks.clickhouse_migrate import check, upgrade
from sinks.clickhouse_minutes import insert_minutes, runs
from sinks.clickhouse_values import Values, seconds
from tocsin.contracts import Forgotten, SinkRefused, SinkUnavailable, Writer, Written
from tocsin.model import Batch, Event, Signals

log = logging.getLogger("tocsin.sinks.clickhouse")

ROWS = 200_000  # of one insert: far below what the engine would cut into several blocks
PAGE = 200_000  # positions of one answer
DAYS = 50  # partitions of one insert; the engine refuses 100

# Replacing rows within one insert would cost as much as the rest of it, for rows that are never equal.
INSERT = {"async_insert": 0, "optimize_on_insert": 0}

Row = TypeVar("Row")


class Lane:
    """The way into one table; knows its columns and types, so nothing is asked of the server."""

    def __init__(self, connection: Connection, table: Table) -> None:
        self.table = table
        self._connection = connection
        self._name = f"`{connection.database}`.{table.name}"
        wanted = connection.settings.compression
        self._compression = None if connection.place.embedded or wanted == "none" else wanted

    def insert(self, rows: Sequence[Any], signals: Sequence[Signals], settings: dict[str, Any]) -> None:
        """One synchronous insert, never sent twice. Raises BadData, SinkUnavailable or SinkRefused."""
        columns, data = self.table.data(rows, signals)
        body = self._native(columns, data)
        with translated(f"insert into {self.table.name}"):
            # A generator: bytes and lists the client sends again by itself when a connection closes
            # without an answer, although the rows may have been stored.
            self._connection.client.raw_insert(
                self._name,
                [column.name for column in columns],
                (chunk for chunk in body),
                settings=settings | INSERT,
                fmt="Native",
                compression=self._compression,
            )

    def _native(self, columns: Sequence[Column], data: list[Values]) -> list[bytes]:
        context = self._connection.client.create_insert_context(
            self._name,
            [column.name for column in columns],
            column_type_names=[column.wire for column in columns],
            column_oriented=True,
            data=data,
        )
        context.compression = self._compression
        context.current_block = 1  # the statement travels beside the block, not in it
        try:
            return list(NativeTransform.build_insert(context, _unencodable))
        finally:
            data.clear()  # the context refers to itself, so it goes later than the values should


def _unencodable(error: Exception) -> None:
    raise BadData(type(error).__name__) from None


class ClickHouseWriter(Writer):
    """An open database. One thread owns it."""

    def __init__(self, settings: ClickHouse) -> None:
        self._connection = Connection(settings)
        try:
            if self._connection.place.embedded and not self._connection.place.path:
                upgrade(self._connection)  # nobody else can migrate what is in memory
            check(self._connection)
            self._lanes = {
                table.name: Lane(self._connection, table) for table in (EVENTS, QUARANTINE, ALERTS)
            }
        except BaseException:
            self._connection.close()
            raise
        self._attempts = 0
        self._name = f"tocsin-{uuid.uuid4().hex[:12]}"
        self._doubtful: list[str] = []
        self._unstorable: list[tuple[Event, str]] = []
        log.info("%r: ClickHouse %s, %s", settings, self._connection.client.server_version, self._mode())

    def _mode(self) -> str:
        settings = self._connection.settings
        where = "embedded" if self._connection.place.embedded else "server"
        flushed = "on" if settings.flushes() else "off"
        return f"{where}, {settings.engine} engine, fsync {flushed}, rows read back by log position"

    def write(self, batch: Batch, deadline: float) -> None:
        bad = self._store("events", batch.events, deadline, batch.signals)
        self._unstorable += bad
        for name, rows in (("quarantine", batch.rejects), ("alerts", batch.alerts)):
            refused = self._store(name, rows, deadline)
            if refused:
                raise SinkRefused(f"{name}: {len(refused)} rows refused: {refused[0][1]}")

    def unstorable(self) -> Sequence[tuple[Event, str]]:
        bad, self._unstorable = self._unstorable, []
        return bad

    def _store(
        self, name: str, rows: Sequence[Row], deadline: float, signals: Sequence[Signals] = ()
    ) -> list[tuple[Row, str]]:
        """Insert all rows but those that the engine takes on no account; these are handed back."""
        lane, bad = self._lanes[name], list[tuple[Row, str]]()
        for chosen in _portions(rows, lane.table.day):
            part = rows if len(chosen) == len(rows) else [rows[i] for i in chosen]
            beside = signals if len(chosen) == len(rows) else [signals[i] for i in chosen if signals]
            bad += self._divide(lane, part, beside, deadline)
        if bad and len(bad) == len(rows) > 1:
            raise SinkRefused(f"{name}: every row of a batch refused: {bad[0][1]}")
        return bad

    def _divide(
        self, lane: Lane, rows: Sequence[Row], signals: Sequence[Signals], deadline: float
    ) -> list[tuple[Row, str]]:
        try:
            self._attempt(partial(lane.insert, rows, signals), deadline)
        except BadData as error:
            if len(rows) == 1:
                return [(rows[0], f"unstorable: {error}")]
            half = len(rows) // 2
            return self._divide(lane, rows[:half], signals[:half], deadline) + self._divide(
                lane, rows[half:], signals[half:], deadline
            )
        return []

    def _attempt(self, run: Callable[[dict[str, Any]], None], deadline: float) -> None:
        """Run one query under an id of its own, and remember the id while its end is in doubt."""
        settings = self._connection.patience(deadline)
        self._attempts += 1
        query_id = f"{self._name}-{self._attempts}"
        try:
            run(settings | {"query_id": query_id})
        except SinkUnavailable:
            self._doubtful.append(query_id)
            raise

    def written(self, log_id: str, log_partition: int, from_offset: int) -> Written:
        self._settle()
        events, alerts, rejects = (
            self._positions(table.name, log_id, log_partition, max(from_offset, 0))
            for table in (EVENTS, ALERTS, QUARANTINE)
        )
        ends = [max(found)[0] + 1 for found in (events, alerts, rejects) if len(found) >= PAGE]
        return Written(frozenset(events), frozenset(alerts), frozenset(rejects), min(ends, default=None))

    def _positions(
        self, table: str, log_id: str, log_partition: int, from_offset: int
    ) -> list[tuple[int, int]]:
        """A page of what is stored, in order; the last offset of a page is there whole."""
        patience = self._connection.patience(self._soon())
        with translated(f"reading back {table}"):
            result = self._connection.client.query(
                f"SELECT log_offset, log_index FROM `{self._connection.database}`.{table} "
                "WHERE log_id = {log_id:String} AND log_partition = {log_partition:UInt32} "
                "AND log_offset >= {from_offset:UInt64} ORDER BY log_offset LIMIT {page:UInt64} WITH TIES",
                parameters={
                    "log_id": log_id,
                    "log_partition": log_partition,
                    "from_offset": from_offset,
                    "page": PAGE,
                },
                settings=patience,
            )
            return [(int(offset), int(index)) for offset, index in result.result_rows]

    def _settle(self) -> None:
        """Make sure that no doubtful query still runs. Raises SinkUnavailable where that is unknown.

        The embedded engine has answered when it returns; a server may go on after its client left.
        """
        while self._doubtful and not self._connection.place.embedded:
            deadline, query_id = self._soon(), self._doubtful[-1]
            self._end(query_id, deadline)
            while self._running(query_id, deadline):
                time.sleep(0.05)
            self._doubtful.pop()
        self._doubtful.clear()

    def _end(self, query_id: str, deadline: float) -> None:
        cluster = self._connection.settings.cluster
        where = f"ON CLUSTER `{cluster}` " if cluster else ""
        settings = self._connection.patience(deadline)
        with translated("ending a doubtful write"):
            self._connection.client.command(
                f"KILL QUERY {where}WHERE query_id = '{query_id}' SYNC", settings=settings
            )

    def _running(self, query_id: str, deadline: float) -> bool:
        cluster = self._connection.settings.cluster
        source = f"clusterAllReplicas(`{cluster}`, system.processes)" if cluster else "system.processes"
        settings = self._connection.patience(deadline)
        with translated("asking for a doubtful write"):
            count = self._connection.client.command(
                f"SELECT count() FROM {source} WHERE query_id = '{query_id}'", settings=settings
            )
        return count != 0

    def aggregate(self, log_id: str, log_partition: int, minutes: Sequence[int], version: int) -> None:
        for run in runs(minutes):
            log = (log_id, log_partition)
            self._attempt(partial(insert_minutes, self._connection, log, run, version), self._soon())

    def forget(self, tenant: str, names: Collection[str]) -> Forgotten:
        return Forgetting(self._connection, tenant, names).run()

    def _soon(self) -> float:
        return time.monotonic() + self._connection.settings.reply_seconds

    def close(self) -> None:
        self._connection.close()


def _portions(rows: Sequence[Row], day: Callable[[Row], float]) -> Iterator[Sequence[int]]:
    """The indexes of the rows, cut so that no insert is too long or touches too many partitions."""
    if not rows:
        return
    together = range(len(rows))
    if _span(rows, day) < (DAYS - 1) * 86_400.0:
        yield from (together[start : start + ROWS] for start in range(0, len(rows), ROWS))
        return
    days = [int(seconds(day(row)) or 0.0) // 86_400 for row in rows]
    distinct = sorted(set(days))
    for first in range(0, len(distinct), DAYS):
        some = set(distinct[first : first + DAYS])
        chosen = [index for index in together if days[index] in some]
        yield from (chosen[start : start + ROWS] for start in range(0, len(chosen), ROWS))


def _span(rows: Sequence[Row], day: Callable[[Row], float]) -> float:
    try:
        return max(map(day, rows)) - min(map(day, rows))
    except (TypeError, OverflowError):
        return math.inf
