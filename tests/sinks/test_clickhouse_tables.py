"""Reading for the command line."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from parts.clickhouse_rows import Database, alert, batch, reject, soon

from sinks.clickhouse import ClickHouse
from sinks.clickhouse_tables import Tables
from tocsin.contracts import SinkRefused, Writer
from tocsin.model import Batch

pytestmark = pytest.mark.clickhouse


def test_quarantine_comes_back_as_it_was_written_newest_first(database: Database, writer: Writer) -> None:
    rejects = [reject(n, reason="undecodable" if n % 2 else "too_large", sample="\0\x1b") for n in range(6)]
    writer.write(Batch(rejects=rejects), soon())
    writer.write(Batch(rejects=rejects), soon())  # as a second owner would
    with Tables(database.settings) as tables:
        assert tables.quarantine() == rejects[::-1]
        assert tables.quarantine(limit=2) == [rejects[5], rejects[4]]
        assert [entry.log_offset for entry in tables.quarantine(reason="too_large")] == [4, 2, 0]
        assert tables.quarantine(source="elsewhere") == []
        assert tables.quarantine(reason="' OR 1 = 1 --") == []


def test_alerts_come_back_in_their_newest_revision(database: Database, writer: Writer) -> None:
    told = alert(1, evidence={"calls": 3}, event_ids=("a", "b"), owasp=("LLM06:2026",), value=1.5)
    later = replace(told, revision=2, status="updated", log_offset=7, last_seen=told.last_seen + 60)
    writer.write(Batch(alerts=[told, later, alert(2)]), soon())
    with Tables(database.settings) as tables:
        assert tables.alerts() == [replace(later, evidence={"calls": "3"}), alert(2)]
        assert len(tables.alerts(limit=1)) == 1


def test_any_question_is_answered_with_its_names(database: Database, writer: Writer) -> None:
    writer.write(batch(0, 20), soon())
    with Tables(database.settings) as tables:
        answer = tables.query("SELECT application, count() AS n FROM tocsin.events GROUP BY application")
    assert answer.names == ["application", "n"] and answer.rows == [("shop", 20)]


def test_a_wrong_question_and_an_unmigrated_database_are_refused(database: Database) -> None:
    with Tables(database.settings) as tables, pytest.raises(SinkRefused, match="reading: UNKNOWN_TABLE"):
        tables.query("SELECT 1 FROM tocsin.nothing")
    with pytest.raises(SinkRefused, match="run `tocsin migrate` first"):
        Tables(ClickHouse(url=database.settings.url, database="other"))
