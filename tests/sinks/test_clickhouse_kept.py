"""How long rows and excerpts are kept, counted from their arrival in the database, in the real engine."""

from __future__ import annotations

from typing import Any

import pytest
from parts.clickhouse_rows import LOG, Database, event, soon

from tocsin.contracts import Writer
from tocsin.model import Batch, Event, Message, Signals

pytestmark = pytest.mark.clickhouse
DAY = 86_400.0


def said(offset: int, text: str, **values: Any) -> Event:
    return event(offset, input=(Message("user", text),), **values)


def write(writer: Writer, *events: Event) -> None:
    signals = [Signals(new_input=(0,)) for _ in events]
    writer.write(Batch(events=list(events), signals=signals), soon())


def age(database: Database, days: int) -> None:
    """As if everything had come so many days ago: an insert says when, because a default can be given."""
    names = [row[0] for row in database.rows("DESCRIBE TABLE @events") if row[0] != "stored"]
    listed = ", ".join(f"`{name}`" for name in names)
    database.run(
        f"INSERT INTO @events ({listed}, stored) SELECT {listed}, now('UTC') - toIntervalDay({days})"
        " FROM @events WHERE stored > now('UTC') - toIntervalDay(1)"
    )
    database.run(
        "ALTER TABLE @events DELETE WHERE stored > now('UTC') - toIntervalDay(1) SETTINGS mutations_sync = 2"
    )


def merged(database: Database) -> list[tuple[int, str]]:
    database.run("OPTIMIZE TABLE @events FINAL")
    return [
        (int(offset), str(text))
        for offset, text in database.rows(
            "SELECT log_offset, input_excerpt FROM @events FINAL ORDER BY log_offset"
        )
    ]


def test_a_recording_of_years_ago_is_kept_as_long_as_anything_else(
    database: Database, writer: Writer
) -> None:
    long_ago = 1_400_000_000.0
    write(writer, said(0, "of old", arrival=long_ago, time=long_ago), said(1, "of now"))
    assert merged(database) == [(0, "user: of old"), (1, "user: of now")]


def test_an_excerpt_goes_before_its_row_and_what_was_read_back_stays_so(
    database: Database, writer: Writer
) -> None:
    write(writer, said(0, "a week ago"))
    age(database, 8)
    write(writer, said(1, "just now"))
    assert merged(database) == [(0, ""), (1, "user: just now")]
    assert writer.written(LOG, 0, 0).events == {(0, 0), (1, 0)}


def test_a_row_goes_after_its_days(database: Database, writer: Writer) -> None:
    write(writer, said(0, "a month ago", arrival=1_795_000_000.0 - 40 * DAY))
    age(database, 31)
    write(writer, said(1, "just now"))
    assert merged(database) == [(1, "user: just now")]


def test_when_it_came_is_no_part_of_what_a_row_is(database: Database, writer: Writer) -> None:
    """Another owner of the same partition wrote it again, a day later: one row, with the time of the last."""
    write(writer, said(0, "once"))
    age(database, 2)
    write(writer, said(0, "once"))
    assert merged(database) == [(0, "user: once")]
    assert database.one("SELECT count() FROM @events WHERE stored > now('UTC') - toIntervalDay(1)") == 1
