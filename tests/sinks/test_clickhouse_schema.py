"""Tables: what they are, how they come to be, and what is refused."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from parts.clickhouse_rows import Database

from sinks.clickhouse import ClickHouse
from sinks.clickhouse_client import Connection
from sinks.clickhouse_columns import ALERTS, EVENTS, QUARANTINE
from sinks.clickhouse_migrate import check, migrate, migrations, statements
from tocsin.contracts import SinkRefused
from tocsin.model import Alert, Event, Reject

pytestmark = pytest.mark.clickhouse
GOLDEN = Path(__file__).parent / "golden"
NAMES = ("migrations", "events", "alerts", "alerts_current", "quarantine", "minutes", "usage")


def test_tables_are_what_they_were(database: Database) -> None:
    """After a change that is meant: TOCSIN_GOLDEN=write, and look at the difference."""
    for name in NAMES:
        made = database.one(f"SHOW CREATE TABLE @{name}") + "\n"
        golden = GOLDEN / f"{name}.sql"
        if os.environ.get("TOCSIN_GOLDEN") == "write":
            golden.write_text(made, encoding="utf-8")
        assert made == golden.read_text(encoding="utf-8"), name


def test_the_writer_knows_the_types_of_the_tables(database: Database) -> None:
    for table in (EVENTS, ALERTS, QUARANTINE):
        described = [(row[0], row[1]) for row in database.rows(f"DESCRIBE TABLE @{table.name}")]
        assert [(column.name, column.type) for column in table.columns] == described[:-1]
        assert described[-1] == ("stored", "DateTime('UTC')")


def test_every_field_has_a_column_or_a_reason_not_to() -> None:
    content = {"input", "output", "tool_arguments", "tool_result", "tool_definitions"}  # excerpts and counts
    halves = {"join", "half", "former"}  # of calls that were assembled, of keys that were changed before
    assert set(Event.__struct_fields__) - {c.name for c in EVENTS.columns} == content | halves
    assert {c.name for c in ALERTS.columns} == set(Alert.__struct_fields__)
    assert {c.name for c in QUARANTINE.columns} == set(Reject.__struct_fields__)


def test_migrating_again_does_nothing(database: Database) -> None:
    assert migrate(database.settings) == []
    assert database.one("SELECT count() FROM @migrations") == len(migrations())


def test_dry_run_says_what_migrate_then_does(tmp_path: Path) -> None:
    settings = ClickHouse(url=f"chdb://{tmp_path}/db")
    said = migrate(settings, dry_run=True)
    done = migrate(settings)
    assert [line.replace("would apply", "applied") for line in said] == done[: len(said)]
    assert all(line.startswith("set ") for line in done[len(said) :])
    other = ClickHouse(url=f"chdb://{tmp_path}/db", events_days=7)
    assert migrate(other, dry_run=True) == ["would set events kept for 7 days"]
    assert migrate(other) == ["set events kept for 7 days"]


def test_an_interrupted_migration_is_simply_repeated(tmp_path: Path) -> None:
    """Whichever statement was the last to succeed, another run completes the schema."""
    every = [sql for m in migrations() for sql in statements(m.text, ClickHouse())]
    for done in range(len(every)):
        settings = ClickHouse(url=f"chdb://{tmp_path}/db", database=f"d{done}")
        connection = Connection(settings)
        for sql in every[:done]:
            connection.client.command(sql.replace("`tocsin`", f"`d{done}`"))
        migrate(settings)
        check(connection)
        connection.close()


def test_options_follow_the_settings_both_ways(database: Database) -> None:
    url = database.settings.url
    migrate(ClickHouse(url=url, fsync="on", events_days=0, excerpts_days=0))
    events = database.one("SHOW CREATE TABLE @events")
    assert "TTL" not in events and "fsync_after_insert = 1, fsync_part_directory = 1" in events
    migrate(database.settings)
    events = database.one("SHOW CREATE TABLE @events")
    assert "\nTTL stored + toIntervalDay(30)\n" in events and "fsync_after_insert = 1" not in events
    assert events.count("TTL stored + toIntervalDay(7)") == 4


def test_an_unmigrated_database_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SinkRefused, match="lacks 0000_migrations, .*run `tocsin migrate` first"):
        ClickHouse(url=f"chdb://{tmp_path}/db").open()


def test_an_older_schema_is_refused_with_the_remedy(database: Database) -> None:
    database.run("ALTER TABLE @migrations DELETE WHERE name = '0004_minutes' SETTINGS mutations_sync = 2")
    with pytest.raises(SinkRefused, match="lacks 0004_minutes: run `tocsin migrate` first"):
        database.settings.open()


def test_a_newer_schema_is_refused_with_both_versions(database: Database) -> None:
    database.run("INSERT INTO @migrations (name, checksum) VALUES ('0099_later', 'x')")
    for start in (database.settings.open, lambda: migrate(database.settings)):
        with pytest.raises(SinkRefused, match=r"is at 0099_later, this Tocsin knows 0005_reading"):
            start()


def test_an_edited_migration_is_refused(database: Database) -> None:
    database.run("ALTER TABLE @migrations DELETE WHERE name = '0001_events' SETTINGS mutations_sync = 2")
    database.run("INSERT INTO @migrations (name, checksum) VALUES ('0001_events', 'x')")
    with pytest.raises(SinkRefused, match="0001_events differs from what was applied"):
        database.settings.open()


def test_memory_needs_no_migration() -> None:
    ClickHouse(url="chdb://memory").open().close()


def test_replicated_tables_come_from_the_same_files() -> None:
    settings = ClickHouse(engine="replicated", cluster="main", replica_path="/t/{shard}/{table}")
    sql = "\n".join(text for m in migrations() for text in statements(m.text, settings))
    assert sql.count("ON CLUSTER `main`") == len(re.findall(r"^(?:CREATE|ALTER)", sql, re.MULTILINE)) == 9
    assert "ReplicatedReplacingMergeTree('/t/{shard}/events', '{replica}')" in sql
    assert "ReplicatedReplacingMergeTree('/t/{shard}/minutes', '{replica}', version)" in sql
    assert "$" not in sql and "= ReplacingMergeTree" not in sql


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("http://ada:s%40crt@db:8124/soc", ("db", 8124, "soc", "ada", "s@crt", False)),
        ("https://db", ("db", 8443, "tocsin", "default", "", True)),
    ],
)
def test_a_url_says_where(url: str, where: tuple[object, ...]) -> None:
    settings = ClickHouse(url=url)
    place = settings.place()
    assert where == (place.host, place.port, place.database, place.user, place.password, place.secure)
    assert not place.password or place.password not in repr(settings)


@pytest.mark.parametrize(
    "url", ["kafka://x", "chdb://", "chdb:///", "chdb://there/x", "http://", "http://h/a;b"]
)
def test_a_url_that_leads_nowhere_is_a_mistake(url: str) -> None:
    with pytest.raises(ValueError, match=r"url: |database: "):
        ClickHouse(url=url)


def test_another_process_on_the_directory_is_refused(database: Database) -> None:
    program = (
        "import sys; from sinks.clickhouse import ClickHouse; from tocsin.contracts import SinkRefused\n"
        "try: ClickHouse(url=sys.argv[1], fsync='off').open()\n"
        "except SinkRefused as error: print(error)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, database.settings.url], capture_output=True, text=True, timeout=60
    )
    assert "another process holds this database" in found.stdout


def test_files_of_inserts_are_private_and_swept(tmp_path: Path) -> None:
    settings = ClickHouse(url=f"chdb://{tmp_path}/db", fsync="off")
    migrate(settings)
    left = tmp_path / "db" / "inserts" / "left.native"
    left.parent.mkdir()
    left.write_text("what a killed process was inserting")
    writer = settings.open()
    assert not left.exists() and left.parent.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "db").stat().st_mode & 0o777 == 0o700
    assert os.environ["TMPDIR"] == str(left.parent)
    writer.close()
    assert os.environ.get("TMPDIR") != str(left.parent)
