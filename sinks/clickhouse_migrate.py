"""The schema: numbered SQL files, applied once and in order, and the options that may change later."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import NamedTuple

from sinks.clickhouse import ClickHouse
from sinks.clickhouse_client import BadData, Connection, translated
from tocsin.contracts import SinkRefused

EXCERPTS = ("input_excerpt", "output_excerpt", "arguments_excerpt", "result_excerpt")


class Migration(NamedTuple):
    """One file of `sinks/migrations`."""

    name: str  # 0001_events
    text: str
    checksum: str  # of the file, so that settings do not change it


def migrations() -> Sequence[Migration]:
    """All that this version knows, in order; the first one runs every time."""
    texts = {
        entry.name.removesuffix(".sql"): entry.read_text(encoding="utf-8")
        for entry in (files("sinks") / "migrations").iterdir()
        if re.fullmatch(r"\d{4}_\w+\.sql", entry.name)
    }
    return [
        Migration(name, text, hashlib.sha256(text.encode()).hexdigest())
        for name, text in sorted(texts.items())
    ]


def statements(text: str, settings: ClickHouse) -> Sequence[str]:
    """The statements of a file for this database, cluster and engine family."""
    bare = re.sub(r"(^\s*|  )--.*$", "", text, flags=re.MULTILINE)
    return [_fill(part.strip(), settings) for part in re.split(r";\s*(?:\n|$)", bare) if part.strip()]


def _fill(statement: str, settings: ClickHouse) -> str:
    table = re.search(r"TABLE IF NOT EXISTS \$database\.(\w+)", statement)
    cluster = f"ON CLUSTER `{settings.cluster}`" if settings.cluster else ""
    words = {"database": f"`{settings.place().database}`", "on_cluster": cluster}
    filled = re.sub(
        r"\$ReplacingMergeTree\((\w*)\)",
        lambda found: _engine(settings, table.group(1) if table else "", found.group(1)),
        statement,
    )
    filled = re.sub(r"\$(database|on_cluster)", lambda found: words[found.group(1)], filled)
    return re.sub(r" +\n", "\n", filled)


def _engine(settings: ClickHouse, table: str, version: str) -> str:
    if settings.engine == "plain":
        return f"ReplacingMergeTree({version})"
    path = settings.replica_path.replace("{table}", table)
    arguments = [f"'{path}'", f"'{settings.replica_name}'", *([version] if version else [])]
    return f"ReplicatedReplacingMergeTree({', '.join(arguments)})"


def migrate(settings: ClickHouse, dry_run: bool = False) -> list[str]:
    """Bring the database up to this version and its options up to the settings; says what was done.

    Every statement can be repeated, so a run that was interrupted is simply run again.
    Raises SinkUnavailable or SinkRefused.
    """
    connection = Connection(settings)
    try:
        return upgrade(connection, dry_run)
    finally:
        connection.close()


def upgrade(connection: Connection, dry_run: bool = False) -> list[str]:
    """What `migrate` does, over an open connection."""
    applied = _applied(connection)
    _refuse_foreign(connection, applied)
    pending = [migration for migration in migrations() if migration.name not in applied]
    if dry_run:
        options = _options(connection) if applied else []
        return [f"would apply {m.name}" for m in pending] + [f"would set {what}" for what, _ in options]
    for migration in pending:
        _apply(connection, migration)
    options = _options(connection)
    for what, statement in options:
        _run(connection, what, statement)
    return [f"applied {m.name}" for m in pending] + [f"set {what}" for what, _ in options]


def check(connection: Connection) -> None:
    """Whether the schema is exactly what this version writes to. Raises SinkRefused otherwise."""
    applied = _applied(connection)
    _refuse_foreign(connection, applied)
    missing = [migration.name for migration in migrations() if migration.name not in applied]
    if missing:
        raise SinkRefused(
            f"database {connection.database} lacks {', '.join(missing)}: run `tocsin migrate` first"
        )


def _applied(connection: Connection) -> Mapping[str, str]:
    """Checksums of what was applied, by name; empty where there is no such table."""
    with _understood("reading what was migrated"):
        query = connection.client.query
        if not query(
            "SELECT 1 FROM system.tables WHERE database = {database:String} AND name = 'migrations'",
            parameters={"database": connection.database},
        ).result_rows:
            return {}
        rows = query(f"SELECT name, checksum FROM `{connection.database}`.migrations").result_rows
    return {str(name): str(checksum) for name, checksum in rows}


def _refuse_foreign(connection: Connection, applied: Mapping[str, str]) -> None:
    known = {migration.name: migration.checksum for migration in migrations()}
    newer = sorted(set(applied) - set(known))
    if newer:
        raise SinkRefused(
            f"database {connection.database} is at {newer[-1]}, this Tocsin knows {max(known)}: "
            "use the newer Tocsin"
        )
    changed = sorted(name for name, checksum in applied.items() if known[name] != checksum)
    if changed:
        raise SinkRefused(f"{', '.join(changed)} differs from what was applied to {connection.database}")


def _apply(connection: Connection, migration: Migration) -> None:
    for statement in statements(migration.text, connection.settings):
        _run(connection, migration.name, statement)
    with _understood(f"recording {migration.name}"):
        connection.client.command(
            f"INSERT INTO `{connection.database}`.migrations (name, checksum) "
            "SELECT {name:String}, {checksum:String}",
            parameters={"name": migration.name, "checksum": migration.checksum},
        )


def _run(connection: Connection, what: str, statement: str) -> None:
    with _understood(what):
        connection.client.command(_fill(statement, connection.settings))


@contextmanager
def _understood(what: str) -> Iterator[None]:
    """No rows are at stake here, so whatever a statement is refused for, it is the schema."""
    try:
        with translated(what):
            yield
    except BadData as error:
        raise SinkRefused(f"{what}: {error}") from None


def _options(connection: Connection) -> Sequence[tuple[str, str]]:
    """What differs from the settings, and the statement that sets it right."""
    settings = connection.settings
    days = {
        "events": settings.events_days,
        "alerts": settings.alerts_days,
        "quarantine": settings.quarantine_days,
        "minutes": settings.minutes_days,
    }
    changes: list[tuple[str, str]] = []
    for table, kept in days.items():
        definition = _definition(connection, table)
        changes += _rows_kept(definition, table, kept)
        changes += _flushing(definition, table, settings.flushes())
        if table == "events":
            changes += _excerpts_kept(definition, settings.excerpts_days)
    return changes


def _definition(connection: Connection, table: str) -> str:
    with _understood(f"reading the definition of {table}"):
        rows = connection.client.query(f"SHOW CREATE TABLE `{connection.database}`.{table}").result_rows
    return str(rows[0][0])


def _rows_kept(definition: str, table: str, days: int) -> Sequence[tuple[str, str]]:
    alter = f"ALTER TABLE $database.{table} $on_cluster"
    now = re.search(r"\nTTL stored \+ toIntervalDay\((\d+)\)", definition)
    if (now is None and days == 0) or (now and now.group(1) == str(days)):
        return []
    if days == 0:
        return [(f"{table} kept for ever", f"{alter} REMOVE TTL")]
    return [(f"{table} kept for {days} days", f"{alter} MODIFY TTL stored + toIntervalDay({days})")]


def _excerpts_kept(definition: str, days: int) -> Sequence[tuple[str, str]]:
    changes = []
    for column in EXCERPTS:
        now = re.search(rf"`{column}` .* TTL stored \+ toIntervalDay\((\d+)\)", definition)
        alter = f"ALTER TABLE $database.events $on_cluster MODIFY COLUMN {column}"
        if now and days == 0:
            changes.append((f"{column} kept as long as its row", f"{alter} REMOVE TTL"))
        elif days and (now is None or now.group(1) != str(days)):
            ttl = f"String CODEC(ZSTD(3)) TTL stored + toIntervalDay({days})"
            changes.append((f"{column} kept for {days} days", f"{alter} {ttl}"))
    return changes


def _flushing(definition: str, table: str, wanted: bool) -> Sequence[tuple[str, str]]:
    if ("fsync_after_insert = 1" in definition) == wanted:
        return []
    alter = f"ALTER TABLE $database.{table} $on_cluster"
    if wanted:
        setting = "MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1"
        return [(f"{table} flushed with each insert", f"{alter} {setting}")]
    return [
        (f"{table} flushed by the system", f"{alter} RESET SETTING fsync_after_insert, fsync_part_directory")
    ]
