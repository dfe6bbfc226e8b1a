"""Forgetting one subject: what was theirs is gone, what was others' stays, and minutes are counted again."""

from __future__ import annotations

from typing import Any

import pytest
from parts.clickhouse_rows import NOW, Database, alert, event, reject, soon

from sinks.clickhouse_forget import pattern
from tocsin.contracts import Writer
from tocsin.model import Batch, Event, Signals

pytestmark = pytest.mark.clickhouse
ADA = {"ada", "u1:aaaaaaaaaaaaaaaaaaaaaaaaaa"}
MINUTE = int(NOW) // 60 * 60


def stored(writer: Writer, *events: Event, **rows: object) -> None:
    batch = Batch(events=list(events), signals=[Signals() for _ in events], **rows)  # type: ignore[arg-type]
    writer.write(batch, soon())


def ids(database: Database, table: str = "events") -> list[str]:
    return [row[0] for row in database.rows(f"SELECT id FROM @{table} ORDER BY id")]


def test_rows_of_the_subject_go_and_those_of_others_stay(database: Database, writer: Writer) -> None:
    stored(
        writer,
        event(0, user="ada"),
        event(1, user="u1:aaaaaaaaaaaaaaaaaaaaaaaaaa"),
        event(2, user="bob", attributes={"user.email": "ada"}),
        event(3, user="ada", tenant="another"),
        event(4, user="adam"),
        event(5, api_key="ada"),
    )
    forgotten = writer.forget("default", ADA)
    assert forgotten is not None and forgotten.rows["events"] == 4
    assert ids(database) == ["id.3.0", "id.4.0"]
    assert writer.forget("default", ADA) == forgotten._replace(
        rows={"events": 0, "alerts": 0, "quarantine": 0}
    )


def test_a_conversation_goes_with_the_only_one_who_spoke_in_it(database: Database, writer: Writer) -> None:
    stored(
        writer,
        event(0, user="ada", session="alone"),
        event(1, session="alone", kind="tool"),
        event(2, user="ada", session="shared"),
        event(3, user="bob", session="shared"),
        event(4, session="shared", kind="tool"),
        event(5, user="ada", trace_id="t1"),
        event(6, trace_id="t1", kind="tool"),
    )
    forgotten = writer.forget("default", ADA)
    assert forgotten is not None and list(forgotten.conversations) == ["alone", "t1"]
    assert ids(database) == ["id.3.0", "id.4.0"]


def test_alerts_about_the_subject_go_and_others_lose_the_name(database: Database, writer: Writer) -> None:
    stored(
        writer,
        event(0, user="ada", session="alone"),
        alerts=[
            alert(1, key="user:ada", user="ada"),
            alert(2, key="session:alone", session="alone"),
            alert(3, key="shop/model-x", user="ada"),
            alert(4, key="user:bob", summary="bob follows ada"),
            alert(5, key="user:adam", user="adam"),
        ],
    )
    writer.forget("default", {"ada-lovelace", *ADA})
    assert [int(each, 16) for each in ids(database, "alerts")] == [3, 4, 5]
    assert database.rows("SELECT user FROM @alerts WHERE key = 'shop/model-x'") == [("",)]


def test_samples_that_name_the_subject_go(database: Database, writer: Writer) -> None:
    samples = ('{"user":"ada.l@x"}', '{"user":"ada.l@xy"}', "{")
    stored(writer, rejects=[reject(n, sample=text, tenant="default") for n, text in enumerate(samples)])
    writer.forget("default", {"ada.l@x"})
    assert database.rows("SELECT sample FROM @quarantine ORDER BY sample") == [
        ("{",),
        ('{"user":"ada.l@xy"}',),
    ]


def test_minutes_are_counted_again_without_them(database: Database, writer: Writer) -> None:
    times: dict[str, Any] = {"time": float(MINUTE + 1)}
    stored(writer, event(0, user="ada", model="a", **times), event(1, user="bob", model="b", **times),
           event(2, user="ada", model="b", **times))  # fmt: skip
    writer.aggregate("log-one", 0, [MINUTE], 7)
    writer.forget("default", ADA)
    rows = database.rows(
        "SELECT model, sum(events), uniqMerge(users) FROM @usage GROUP BY model ORDER BY model"
    )
    assert rows == [("b", 1, 1)]


def test_mentions_in_the_texts_of_others_are_counted_and_stay(database: Database, writer: Writer) -> None:
    stored(writer, event(0, user="bob", error_message="ask ada.l@x first"), event(1, user="bob"))
    forgotten = writer.forget("default", {"ada.l@x"})
    assert forgotten is not None and forgotten.mentions == 1
    assert len(ids(database)) == 2


def test_short_and_strange_names_are_found_in_text_only_as_they_are(database: Database) -> None:
    for names, text, finds in (
        ({"bob"}, "bob", False),
        ({"a.b+c"}, "to a.b+c now", True),
        ({"a.b+c"}, "to axb+c now", False),
        ({"日本太郎"}, "für 日本太郎!", True),
        ({"x' OR 1=1 --\\"}, "x' OR 1=1 --\\", True),
    ):
        found = database.connection.client.query(
            "SELECT match({text:String}, {pattern:String})",
            parameters={"text": text, "pattern": pattern(names)},
        ).result_rows[0][0]
        assert bool(found) is finds, (names, text)
