"""Forgetting somebody: their rows, their conversations, their alerts, and what was counted with them.

Rows are rewritten without them (mutations, waited for). The server drops the old parts some minutes later.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sinks.clickhouse_client import BadData, Connection, translated
from sinks.clickhouse_minutes import insert_minutes, runs
from tocsin.contracts import Forgotten, SinkRefused

SHORTEST = 4  # characters of a name that is looked for inside text
PORTION = 5_000  # conversations of one statement
NOTHING = "[^\\x00-\\x{10FFFF}]"
SECONDS = 600.0  # for one statement: it rewrites parts

THEIRS = (
    "tenant = {tenant:String} AND (hasAny([user, toString(api_key), client_ip, session, toString(agent_id)],"
    " {names:Array(String)}) OR hasAny(mapValues(attributes), {names:Array(String)}))"
)
ALONE = (
    "SELECT DISTINCT {column} FROM {events} WHERE tenant = {{tenant:String}} AND {column} IN"
    " (SELECT {column} FROM {events} WHERE {theirs}) AND {column} != '' GROUP BY {column}"
    " HAVING countIf(user != '' AND user NOT IN {{names:Array(String)}}) = 0"
)
BELONGS = "tenant = {{tenant:String}} AND user = '' AND {column} IN {{some:Array(String)}}"
KEYED = (
    "tenant = {tenant:String} AND (arrayExists(n -> key = n OR endsWith(key, concat(':', n)),"
    " arrayConcat({names:Array(String)}, {some:Array(String)})) OR session IN {some:Array(String)}"
    " OR hasAny(mapValues(evidence), {names:Array(String)}) OR match(summary, {pattern:String}))"
)
NAMED = "tenant = {tenant:String} AND hasAny([user, toString(api_key), session], {names:Array(String)})"
SAMPLED = "tenant = {tenant:String} AND match(concat(sample, ' ', detail, ' ', shape), {pattern:String})"
MENTIONED = (
    "tenant = {tenant:String} AND match(concat(error_message, ' ', input_excerpt, ' ', output_excerpt, ' ',"
    " arguments_excerpt, ' ', result_excerpt, ' ', toString(mapValues(attributes))), {pattern:String})"
)
COUNTED = (
    "log_id = {log_id:String} AND log_partition = {log_partition:UInt32}"
    " AND minute IN {minutes:Array(UInt32)}"
)
MINUTES = (
    "SELECT log_id, log_partition, groupUniqArray(toUnixTimestamp(toStartOfMinute(time))) FROM {events}"
    " WHERE {where} GROUP BY log_id, log_partition"
)


class Forgetting:
    """One subject in one database."""

    def __init__(self, connection: Connection, tenant: str, names: Collection[str]) -> None:
        self._connection = connection
        cluster = connection.settings.cluster
        self._on_cluster = f"ON CLUSTER `{cluster}` " if cluster else ""
        self._words: dict[str, Any] = {"tenant": tenant, "names": sorted(names), "pattern": pattern(names)}
        self._rows: dict[str, int] = {"events": 0, "alerts": 0, "quarantine": 0}

    def run(self) -> Forgotten:
        """Delete; the events last, because they say which conversations there were."""
        sessions, traces = self._alone("session"), self._alone("trace_id")
        for some in _portions(sessions) or [[]]:
            self._delete("alerts", KEYED, some=some)
        self._clear_alerts()
        self._delete("quarantine", SAMPLED)
        for column, found in (("session", sessions), ("trace_id", traces)):
            for some in _portions(found):
                self._delete_events(BELONGS.format(column=column), some=some)
        self._delete_events(THEIRS)
        mentions = self._count("events", MENTIONED)
        return Forgotten(self._rows, mentions, [*sessions, *traces])

    def _alone(self, column: str) -> list[str]:
        """Conversations in which nobody else is named."""
        sql = ALONE.format(column=column, events=self._table("events"), theirs=THEIRS)
        return [str(row[0]) for row in self._ask(sql)]

    def _clear_alerts(self) -> None:
        """An alert about something else keeps its row and loses the name."""
        if self._count("alerts", NAMED):
            cleared = (
                f"{field} = if({field} IN {{names:Array(String)}}, '', {field})"
                for field in ("user", "api_key", "session")
            )
            self._alter("alerts", f"UPDATE {', '.join(cleared)} WHERE {NAMED}")

    def _delete_events(self, where: str, **words: Any) -> None:
        """Events, and the minutes that they were counted in."""
        touched = self._ask(MINUTES.format(events=self._table("events"), where=where), **words)
        self._delete("events", where, **words)
        for log_id, log_partition, minutes in touched:
            for run in runs([int(minute) for minute in minutes]):
                self._count_again(str(log_id), int(log_partition), run)

    def _count_again(self, log_id: str, log_partition: int, run: Sequence[int]) -> None:
        words = {"log_id": log_id, "log_partition": log_partition, "minutes": list(run)}
        version = self._ask(f"SELECT max(version) FROM {self._table('minutes')} WHERE {COUNTED}", **words)
        self._alter("minutes", f"DELETE WHERE {COUNTED}", **words)
        patience = self._patience()
        insert_minutes(self._connection, (log_id, log_partition), run, int(version[0][0]), patience)

    def _delete(self, table: str, where: str, **words: Any) -> None:
        count = self._count(table, where, **words)
        if count:
            self._alter(table, f"DELETE WHERE {where}", **words)
            self._rows[table] += count

    def _count(self, table: str, where: str, **words: Any) -> int:
        return int(self._ask(f"SELECT count() FROM {self._table(table)} WHERE {where}", **words)[0][0])

    def _ask(self, sql: str, **words: Any) -> Sequence[Sequence[Any]]:
        with _understood():
            client, patience = self._connection.client, self._patience()
            return client.query(sql, parameters=self._words | words, settings=patience).result_rows

    def _alter(self, table: str, change: str, **words: Any) -> None:
        sql = f"ALTER TABLE {self._table(table)} {self._on_cluster}{change} SETTINGS mutations_sync = 2"
        with _understood():
            client, patience = self._connection.client, self._patience()
            client.command(sql, parameters=self._words | words, settings=patience)

    def _patience(self) -> dict[str, Any]:
        return self._connection.patience(time.monotonic() + SECONDS, SECONDS)

    def _table(self, name: str) -> str:
        return f"`{self._connection.database}`.{name}"


@contextmanager
def _understood() -> Iterator[None]:
    try:
        with translated("forgetting"):
            yield
    except BadData as error:
        raise SinkRefused(f"forgetting: {error}") from None


def pattern(names: Collection[str]) -> str:
    """An expression of RE2 that finds any of the names as a word of its own, or else nothing."""
    long = [
        re.sub(r"[\x00-/:-@\[-`{-\x7f]", _quoted, name) for name in sorted(names) if len(name) >= SHORTEST
    ]
    return rf"(?:^|[^0-9A-Za-z_])(?:{'|'.join(long)})(?:[^0-9A-Za-z_]|$)" if long else NOTHING


def _quoted(found: re.Match[str]) -> str:
    return f"\\x{ord(found[0]):02x}"


def _portions(found: Sequence[str]) -> list[Sequence[str]]:
    return [found[start : start + PORTION] for start in range(0, len(found), PORTION)]
