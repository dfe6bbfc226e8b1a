"""Alerts as lines."""

from __future__ import annotations

import io
import json
import math
import os
import sys
import unicodedata
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts.clickhouse_rows import alert, batch, event, soon

from sinks.console import Console, as_json, as_text, coloured, printable
from tocsin.contracts import SinkRefused, Written
from tocsin.model import Alert, Batch, Severity, Signals
from tocsin.testing import check_sink


def test_a_line_says_what_a_person_needs() -> None:
    told = alert(3, event_ids=("a.0.1.0", "a.0.2.0", "a.0.3.0", "a.0.4.0"), last_seen=1_795_000_003.0)
    assert as_text(told) == (
        "HIGH      2026-11-18 11:06:43  default/shop  probing  ada  9 refusals in 60 s, usually 0.2  "
        "(a.0.1.0, a.0.2.0, a.0.3.0 +1)"
    )


def test_a_line_of_a_later_revision_says_so() -> None:
    assert "usually 0.2 [updated, 4 times]" in as_text(alert(3, 2, count=4))


@given(st.text(st.characters(exclude_categories=())))
def test_no_line_can_steer_a_terminal(text: str) -> None:
    for line in (
        as_text(alert(1, key=text, summary=text, application=text, event_ids=(text,))),
        printable(text),
    ):
        assert "\n" not in line
        assert all(unicodedata.category(c)[0] not in "C" for c in line), line
        assert all(unicodedata.category(c) not in ("Zl", "Zp") for c in line)
        line.encode()


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\u202eb", "a\\u202eb"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("line\nbreak\r\t", "line\\x0abreak\\x0d\\x09"),
        ("\x9b31m", "\\x9b31m"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("é漢🙂", "é漢🙂"),
    ],
)
def test_what_does_not_print_is_spelled_out(raw: str, shown: str) -> None:
    assert printable(raw) == shown


def test_json_has_every_field_of_an_alert_under_its_own_name() -> None:
    fields = json.loads(as_json(alert(1, value=math.nan, evidence={"n": 1, "x": math.inf, "s": "é\ud800"})))
    assert list(fields) == list(Alert.__struct_fields__)
    assert fields["severity"] == "high" and fields["value"] is None
    assert fields["evidence"] == {"n": 1, "x": None, "s": "é\ufffd"}


@given(st.text(st.characters(exclude_categories=())))
def test_json_is_one_line_of_printable_ascii(text: str) -> None:
    line = as_json(alert(1, key=text, summary=text))
    assert line.isascii() and line.isprintable()
    assert msgspec.json.decode(line)["key"] == text.encode("utf-16", "surrogatepass").decode(
        "utf-16", "replace"
    )


def test_alerts_reach_the_file_and_are_added_to_it(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    for first in (0, 100):
        writer = Console(format="json", to=str(path)).open()
        writer.write(batch(first, 20), soon())
        assert writer.written("log-one", 0, 0) == Written()
        writer.close()
    offsets = [json.loads(line)["log_offset"] for line in path.read_text().splitlines()]
    assert offsets == [0, 10, 100, 110]


def test_what_is_older_than_the_start_is_shown_to_no_one(capsys: pytest.CaptureFixture[str]) -> None:
    old = Batch(events=[event(1)], signals=[Signals()], alerts=[alert(1, backfill=True)])
    for form in ("text", "json"):
        writer = Console(format="text" if form == "text" else "json", to="stdout").open()
        writer.write(old, soon())
        writer.close()
    assert [json.loads(line)["backfill"] for line in capsys.readouterr().out.splitlines()] == [True]


def test_colour_is_for_terminals_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Console().open()
    writer.write(Batch(alerts=[alert(1)]), soon())
    assert "\x1b" not in capsys.readouterr().err

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    Console().open().write(Batch(alerts=[alert(1, severity=Severity.critical)]), soon())
    assert terminal.getvalue().startswith("\x1b[1;31mCRITICAL\x1b[0m  2026")
    assert coloured(alert(1), as_text(alert(1))).replace("\x1b[31m", "").replace("\x1b[0m", "") == as_text(
        alert(1)
    )


def test_a_closed_pipe_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        writer = Console(to="stdout").open()
        with pytest.raises(SinkRefused, match="nobody reads"):
            writer.write(Batch(alerts=[alert(1)]), soon())
        os.dup2(os.open(os.devnull, os.O_WRONLY), write)  # so that the buffered line has somewhere to go


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SinkRefused, match="Is a directory"):
        Console(to=str(tmp_path)).open()


def test_the_console_keeps_the_contract_of_a_sink_without_memory(tmp_path: Path) -> None:
    assert not Console.durable
    check_sink(Console(to=str(tmp_path / "alerts.txt")), keeps=False)
