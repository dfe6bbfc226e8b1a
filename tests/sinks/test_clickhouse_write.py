"""Writing and reading back, in the embedded engine."""

from __future__ import annotations

import math
import re
import threading
import time
from contextlib import closing
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parts import pace
from parts.clickhouse_rows import LOG, NOW, Database, alert, batch, event, reject, soon

from sinks import clickhouse_writer
from sinks.clickhouse import ClickHouse
from sinks.clickhouse_columns import ALERTS, EVENTS, QUARANTINE
from sinks.clickhouse_writer import Lane
from tocsin.contracts import SinkRefused, SinkUnavailable, Writer
from tocsin.model import Alert, Batch, Event, Message, Reject, RuleHit, Signals, TextSignal, ToolCall
from tocsin.testing import check_sink

pytestmark = pytest.mark.clickhouse


def test_the_sink_keeps_its_contract(database: Database) -> None:
    log = "check-sink"
    tables = ("events", "alerts", "quarantine")

    def stored() -> int:
        return sum(database.one(f"SELECT count() FROM @{t} WHERE log_id = '{log}'") for t in tables)

    check_sink(database.settings, stored=stored, log=log)


def test_values_are_let_go_of_as_soon_as_they_are_bytes(database: Database) -> None:
    columns, data = EVENTS.data([event(0), event(1)], [Signals(), Signals()])
    block = Lane(database.connection, EVENTS)._native(columns, data)
    assert sum(map(len, block)) > 100
    assert data == [], "the client's context is part of a cycle and would keep them"


def test_every_value_arrives(database: Database, writer: Writer) -> None:
    full = event(
        7,
        2,
        original_time=4e9,
        duration_ms=12.5,
        kind="tool",
        session="s-1",
        user="ada",
        input_tokens=0,
        output_tokens=3,
        cost_usd=0.25,
        stream=False,
        http_status=503,
        invalid_fields=("cost_usd", "duration_ms"),
        attributes={"k": "v", "": ""},
        duplicate=True,
        source_offset=2**63,
    )
    signals = Signals(new_input=(0,), new_output=(1,), input_length=9, refusal=True, input_digest="ab")
    writer.write(Batch(events=[full, event(8)], signals=[signals, Signals()]), soon())
    names = "original_time, duration_ms, kind, session, user, input_tokens, output_tokens, cost_usd, stream"
    more = "http_status, invalid_fields, attributes, duplicate, source_offset, refusal, new_messages"
    rows = database.rows(f"SELECT {names}, {more}, toFloat64(time) FROM @events ORDER BY log_offset")
    words, attributes = ["cost_usd", "duration_ms"], {"k": "v", "": ""}
    first = (4e9, 12.5, "tool", "s-1", "ada", 0, 3, 0.25, False, 503, words, attributes, True, 2**63, True, 2)
    assert rows[0] == (*first, pytest.approx(full.time, abs=1e-6))
    assert rows[1][:9] == (None, None, "llm", "", "", None, None, None, None)
    assert rows[1][9:16] == (None, [], {}, False, 0, False, 0)


def test_zero_is_not_absent_even_where_all_are_zero(database: Database, writer: Writer) -> None:
    rows = [event(n, input_tokens=0, duration_ms=0.0, stream=False) for n in range(3)]
    writer.write(Batch(events=rows, signals=[Signals()] * 3), soon())
    assert database.rows("SELECT DISTINCT input_tokens, duration_ms, stream FROM @events") == [
        (0, 0.0, False)
    ]


def test_excerpts_hold_what_is_new_and_nothing_else(database: Database, writer: Writer) -> None:
    said = event(
        1,
        input=(Message("system", "old rules"), Message("user", "new question"), Message("tool", "")),
        output=(Message("assistant", "", (ToolCall("1", "search", '{"q":1}'),)),),
        tool_arguments='{"a":1}',
        tool_result="42",
    )
    writer.write(Batch(events=[said], signals=[Signals(new_input=(1, 2, 9), new_output=(0,))]), soon())
    columns = "input_excerpt, output_excerpt, arguments_excerpt, result_excerpt, input_messages"
    found = database.rows(f"SELECT {columns} FROM @events")
    assert found == [("user: new question", 'assistant: [search {"q":1}]', '{"a":1}', "42", 3)]


def test_what_was_read_is_stored_as_words_of_all_texts(database: Database, writer: Writer) -> None:
    texts = (
        TextSignal("input", 0, "user", 0.9, rules=(RuleHit("r-one", "A1", 0.8), RuleHit("r-two", "A3", 0.4))),
        TextSignal("output", 0, "assistant", rules=(RuleHit("r-two", "A3", 0.4),), findings=(("email", 2),)),
        TextSignal("result", 0, "tool", findings=(("email", 1), ("card", 1)), canaries=("prompt",)),
    )
    told = [Signals(texts=texts, score=0.9), Signals(texts=texts[1:2]), Signals()]
    writer.write(Batch(events=[event(1), event(2), event(3)], signals=told), soon())
    found = database.rows("SELECT score, rules, findings, canaries FROM @events ORDER BY log_offset")
    assert found == [
        (0.9, ["r-one", "r-two"], ["email", "card"], ["prompt"]),
        (0.0, ["r-two"], ["email"], []),
        (None, [], [], []),
    ]


ODD_TEXT: st.SearchStrategy[Any] = st.text(st.characters(exclude_categories=())) | st.just("\ud800\x00\udfff")
ODD_NUMBER: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.integers(), st.floats(), st.just(10**400), st.just(-(10**400)), st.booleans(), ODD_TEXT
)


def odd(struct: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Instances whose every field holds something that its type does not promise."""

    def make(values: dict[str, Any]) -> Any:
        fields = {name: values[name] for name in struct.__struct_fields__ if name in values}
        return struct(**fields)

    pick: dict[str, st.SearchStrategy[Any]] = {}
    for field in msgspec.structs.fields(struct):
        kind = str(field.type)
        if "tuple[str" in kind:
            pick[field.name] = st.lists(ODD_TEXT, max_size=3).map(tuple)
        elif "dict" in kind:
            pick[field.name] = st.dictionaries(ODD_TEXT, ODD_NUMBER, max_size=3)
        elif "tuple" not in kind and "Severity" not in kind:
            pick[field.name] = ODD_NUMBER | ODD_TEXT if "str" not in kind else ODD_TEXT | st.none()
    return st.fixed_dictionaries({}, optional=pick).map(
        lambda values: make({**_required(struct), **values, "log_index": 0})
    )


def _required(struct: type[msgspec.Struct]) -> dict[str, Any]:
    sample = {Event: event(0), Alert: alert(0), Reject: reject(0)}[struct]
    return msgspec.structs.asdict(sample)


ODD_ROWS = {
    "events": st.lists(odd(Event), max_size=6),
    "alerts": st.lists(odd(Alert), max_size=6),
    "rejects": st.lists(odd(Reject), max_size=6),
}
SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@settings(max_examples=100, suppress_health_check=SLOW)
@given(**ODD_ROWS)
def test_no_value_fails_on_its_way_to_the_wire(
    database: Database, events: list[Event], alerts: list[Alert], rejects: list[Reject]
) -> None:
    for table, rows in ((EVENTS, events), (ALERTS, alerts), (QUARANTINE, rejects)):
        if rows:
            columns, data = table.data(rows, [Signals() for _ in rows])
            assert Lane(database.connection, table)._native(columns, data)


@settings(max_examples=10, suppress_health_check=SLOW)
@given(**ODD_ROWS)
def test_no_value_fails_a_batch(
    database: Database, writer: Writer, events: list[Event], alerts: list[Alert], rejects: list[Reject]
) -> None:
    tables = ("events", "alerts", "quarantine")
    for table in tables:
        database.run(f"SYSTEM STOP MERGES @{table}")  # some rows are equal, and would be folded
    before = [database.one(f"SELECT count() FROM @{table}") for table in tables]
    signals = [Signals() for _ in events]
    writer.write(Batch(events=events, signals=signals, alerts=alerts, rejects=rejects), soon())
    assert not writer.unstorable()
    after = [database.one(f"SELECT count() FROM @{table}") for table in tables]
    added = [now - then for now, then in zip(after, before, strict=True)]
    assert added == [len(events), len(alerts), len(rejects)]


@pytest.mark.parametrize(
    ("column", "given_", "stored"),
    [
        ("user", "a\ud800b", "a\ufffdb"),
        ("user", "\ud83d\ude42", "🙂"),
        ("user", "nul\0", "nul\0"),
        ("user", None, ""),
        ("input_tokens", -1, None),
        ("input_tokens", 2**32, None),
        ("input_tokens", 2**32 - 1, 2**32 - 1),
        ("cost_usd", math.nan, None),
        ("cost_usd", -math.inf, None),
        ("cost_usd", 10**400, None),
        ("log_offset", -5, 0),
        ("log_offset", 2**70, 2**64 - 1),
        ("attributes", {"a\udfff": None}, {"a\ufffd": ""}),
        ("attributes", {str(n): "" for n in range(300)}, {str(n): "" for n in range(256)}),
    ],
)
def test_a_value_that_no_column_holds_is_moved_to_one_that_it_does(
    column: str, given_: object, stored: object
) -> None:
    values: dict[str, Any] = {column: given_}
    odd_one = event(1, **values)
    columns, data = EVENTS.data([event(0), odd_one], [Signals(), Signals()])
    names = [told.name for told in columns]
    default = msgspec.structs.asdict(Event())[column]
    found = data[names.index(column)][1] if column in names else default
    assert found == stored


@pytest.mark.parametrize("when", [-1.0, math.nan, math.inf, 1e300, 253_402_300_800.0])
def test_impossible_times_are_stored_at_the_nearest_possible(
    database: Database, writer: Writer, when: float
) -> None:
    writer.write(Batch(events=[event(1, time=when, arrival=when)], signals=[Signals()]), soon())
    ((time_, arrival),) = database.rows("SELECT toFloat64(time), toFloat64(arrival) FROM @events")
    assert time_ == arrival and time_ in (0.0, 2.0**32 - 1)


def test_a_row_that_the_database_refuses_comes_back_and_no_other(database: Database, writer: Writer) -> None:
    database.run("ALTER TABLE @events ADD CONSTRAINT polite CHECK user != 'rude'")
    whole = batch(0, 100)
    whole.events[37] = event(37, user="rude")
    whole.events[99] = event(99, user="rude")
    writer.write(whole, soon())
    refused = writer.unstorable()
    assert [e.log_offset for e, _ in refused] == [37, 99]
    assert all("VIOLATED_CONSTRAINT" in reason and "rude" not in reason for _, reason in refused)
    assert writer.unstorable() == []
    assert {offset for offset, _ in writer.written(LOG, 0, 0).events} == set(range(100)) - {37, 99}
    assert database.doubled() == 0 and database.one("SELECT count() FROM @alerts") == 10


def test_a_batch_refused_row_for_row_stops_instead_of_emptying_the_log(
    database: Database, writer: Writer
) -> None:
    database.run("ALTER TABLE @events ADD CONSTRAINT nobody CHECK user = 'nobody'")
    with pytest.raises(SinkRefused, match="every row of a batch refused: unstorable: VIOLATED_CONSTRAINT"):
        writer.write(batch(0, 20), soon())


def test_a_dropped_table_is_refused_and_a_lost_column_too(database: Database, writer: Writer) -> None:
    database.run("ALTER TABLE @alerts DROP COLUMN summary")
    with pytest.raises(SinkRefused, match="insert into alerts: NO_SUCH_COLUMN_IN_TABLE"):
        writer.write(batch(0, 20), soon())
    database.run("DROP TABLE @events SYNC")
    with pytest.raises(SinkRefused, match="insert into events: UNKNOWN_TABLE"):
        writer.write(batch(20, 20), soon())


def test_a_batch_over_many_days_is_cut(database: Database, writer: Writer) -> None:
    days = [event(day, arrival=NOW - day * 86_400.0) for day in range(260)]
    alerts = [alert(day, first_seen=NOW - day * 31 * 86_400.0) for day in range(130)]
    writer.write(Batch(events=days, signals=[Signals()] * 260, alerts=alerts), soon())
    assert database.one("SELECT uniqExact(toDate(arrival)) FROM @events") == 260
    assert database.one("SELECT count() FROM @events") == 260
    assert database.one("SELECT count() FROM @alerts") == 130


def test_written_is_exact_over_logs_partitions_and_offsets(database: Database, writer: Writer) -> None:
    writer.write(batch(0, 40), soon())
    writer.write(batch(0, 20, log_partition=1), soon())
    writer.write(batch(0, 20, log_id="other"), soon())
    events, alerts, rejects, before = writer.written(LOG, 0, 15)
    assert before is None
    assert events == {(offset, 0) for offset in range(15, 40)}
    assert alerts == {(20, 0), (30, 0)} and rejects == {(15, 0), (25, 0), (35, 0)}
    assert writer.written(LOG, 1, 0).events == {(offset, 0) for offset in range(20)}
    assert not any(writer.written("nobody", 0, 0))


def test_what_is_too_much_for_one_answer_is_read_in_pages(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clickhouse_writer, "PAGE", 10)
    rows = [event(offset, index) for offset in range(8) for index in range(4)]
    writer.write(Batch(events=rows, signals=[Signals()] * 32, alerts=[alert(7)]), soon())
    pages, asked = list[set[tuple[int, int]]](), 0
    while True:
        page = writer.written(LOG, 0, asked)
        pages.append(set(page.events))
        if page.before is None:
            break
        assert page.before > asked and page.alerts == {(7, 0)}
        asked = page.before
    assert [len(page) for page in pages] == [12, 12, 8]
    assert set.union(*pages) == {(e.log_offset, e.log_index) for e in rows}


def test_ten_events_of_one_record_stay_ten(database: Database, writer: Writer) -> None:
    writer.write(Batch(events=[event(5, n) for n in range(10)], signals=[Signals()] * 10), soon())
    database.run("OPTIMIZE TABLE @events FINAL")
    assert database.one("SELECT count() FROM @events") == 10


def test_what_a_second_owner_wrote_again_counts_once(database: Database, writer: Writer) -> None:
    writer.write(batch(0, 50), soon())
    with closing(database.settings.open()) as zombie:
        zombie.write(batch(0, 50), soon())
    assert database.one("SELECT count() FROM @events FINAL") == 50
    assert database.one("SELECT count() FROM @alerts FINAL") == 5
    assert database.one("SELECT count() FROM @quarantine FINAL") == 5


def test_read_back_uses_the_index_of_the_offset(database: Database, writer: Writer) -> None:
    database.run(
        "INSERT INTO @events (log_id, log_offset, arrival, time, tenant, application) SELECT 'log-one', "
        "number, toDateTime64('2026-11-18 00:00:00', 3) + number / 1000 AS t, t, 'default', "
        "concat('shop-', toString(number % 7)) FROM numbers(400000)"
    )
    database.run("OPTIMIZE TABLE @events FINAL")
    plan = "\n".join(
        row[0]
        for row in database.rows(
            "EXPLAIN indexes = 1 SELECT log_offset, log_index FROM @events "
            "WHERE log_id = 'log-one' AND log_partition = 0 AND log_offset >= 399000"
        )
    )
    granules = re.findall(r"Granules: (\d+)/(\d+)", plan)
    assert "by_offset" in plan and int(granules[-1][0]) <= 8 < 40 <= int(granules[0][1]), plan
    begun = time.perf_counter()
    assert len(writer.written("log-one", 0, 399_000).events) == 1000
    seconds = time.perf_counter() - begun
    assert seconds < 2.0 * pace.slowness()  # bench/clickhouse_layout.py measures it; this is a backstop


def test_the_newest_revision_is_current_and_all_are_kept(database: Database, writer: Writer) -> None:
    revisions = [alert(9, n, log_offset=8 + n, summary=f"revision {n}") for n in (1, 2, 3)]
    writer.write(Batch(alerts=[*revisions, alert(50)]), soon())
    writer.write(Batch(alerts=revisions), soon())  # as a second owner would
    database.run("OPTIMIZE TABLE @alerts FINAL")
    found = database.rows("SELECT summary, revision FROM @alerts_current ORDER BY id")
    assert found == [("revision 3", 3), ("9 refusals in 60 s, usually 0.2", 1)]
    assert database.one("SELECT count() FROM @alerts") == 4
    assert writer.written(LOG, 0, 0).alerts == {(9, 0), (10, 0), (11, 0), (50, 0)}


def test_what_was_stored_long_ago_goes_and_an_old_recording_stays(database: Database, writer: Writer) -> None:
    told = [event(n, arrival=NOW - 400 * 86_400, tool_result="said") for n in (1, 2)]
    writer.write(Batch(events=told, signals=[Signals()] * 2), soon())
    assert database.one("SELECT count() FROM @events WHERE result_excerpt = 'said'") == 2
    for days, later in ((8, 10), (31, 20)):
        database.run(
            f"INSERT INTO @events SELECT * REPLACE (log_offset + {later} AS log_offset, "
            f"now() - INTERVAL {days} DAY AS stored) FROM (SELECT * FROM @events WHERE log_offset < 10)"
        )
    database.run("OPTIMIZE TABLE @events FINAL")
    rows = database.rows("SELECT log_offset, result_excerpt FROM @events ORDER BY log_offset")
    assert rows == [(1, "said"), (2, "said"), (11, ""), (12, "")]


def test_a_passed_deadline_is_unavailable_at_once(database: Database, writer: Writer) -> None:
    with pytest.raises(SinkUnavailable, match="no time left"):
        writer.write(batch(0, 10), time.monotonic() - 1)
    assert not any(writer.written(LOG, 0, 0))


def test_two_writers_in_two_threads_of_one_process(database: Database) -> None:
    def write(partition: int) -> None:
        with closing(database.settings.open()) as writer:
            for first in range(0, 200, 20):
                writer.write(batch(first, 20, log_partition=partition), soon())

    threads = [threading.Thread(target=write, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.one("SELECT count() FROM @events") == 400


def test_a_process_holds_one_embedded_database(database: Database) -> None:
    with pytest.raises(SinkRefused, match="one process holds one embedded database"):
        ClickHouse(url="chdb:///elsewhere").open()


def test_tables_with_nothing_to_say_still_store_their_rows() -> None:
    for table, row in ((EVENTS, Event()), (QUARANTINE, Reject(reason=""))):
        columns, data = table.data([row], [Signals()])
        assert len(columns) >= 1 and all(len(values) == 1 for values in data)
    assert len(ALERTS.data([alert(0)])[0]) > 5
