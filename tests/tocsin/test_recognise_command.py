"""`tocsin recognise` says what records are, and what is wrong with those that are not."""

from __future__ import annotations

import gzip
import io
import json
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tocsin.__main__ import main
from tocsin.model import Event, Message

EVENT = Event(
    kind="llm", model="gpt-4o-mini", user="u-17", input_tokens=812, output_tokens=44,
    output=(Message("assistant", "On its way.\x1b[2J\u202e"),),
)  # fmt: skip
NATIVE = msgspec.json.encode(EVENT)


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "records.jsonl"
    path.write_bytes(NATIVE + b"\n" + json.dumps({"log": NATIVE.decode(), "kubernetes": {}}).encode() + b"\n")
    return path


def told(capfd: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    capfd.readouterr()
    assert main(["recognise", *arguments]) == code
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_each_record_is_one_line(records: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bare, shipped = told(capfd, str(records))
    assert (
        bare["record"] == 1 and bare["layers"] == [] and bare["parser"] == "native" and bare["ignored"] == 0
    )
    assert "reason" not in bare
    assert shipped["layers"] == ["envelope:fluent_bit"] and shipped["parser"] == "native"
    (event,) = bare["events"]
    assert msgspec.convert(event, Event).output == EVENT.output
    assert "2 records: 2 events; formats: native 2" in told_to_people(capfd, records)


def told_to_people(capfd: pytest.CaptureFixture[str], records: Path) -> str:
    main(["recognise", str(records)])
    return capfd.readouterr().err


@pytest.mark.parametrize(
    ("line", "reason", "shape"),
    [
        (b'{"some": 1, "thing": 2}', "unrecognised", "some,thing"),
        (b"{broken", "undecodable", ""),
        (gzip.compress(NATIVE)[:-4].replace(b"\n", b""), "undecodable", ""),
        (b'{"log": "' + b"x" * 2_000_000 + b'"}', "too_large", ""),
    ],
)
def test_what_is_refused_says_why(
    line: bytes, reason: str, shape: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "records"
    path.write_bytes(NATIVE + b"\n" + line + b"\n")
    good, bad = told(capfd, str(path), code=1)
    assert good["events"] and "reason" not in good
    assert (bad["events"], bad["reason"], bad["shape"]) == ([], reason, shape)


def test_binary_records_stand_in_base64(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "records.b64"
    path.write_bytes(b64encode(gzip.compress(NATIVE)) + b"\nno base64!\n")
    good, bad = told(capfd, "--base64", str(path), code=1)
    assert good["layers"] == ["gzip"] and good["events"]
    assert (bad["reason"], bad["detail"]) == ("undecodable", "no base64")


def test_compressed_files_and_standard_input_are_read(
    records: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = records.with_suffix(".gz")
    packed.write_bytes(gzip.compress(records.read_bytes()))
    assert len(told(capfd, str(packed))) == 2
    monkeypatch.setattr(
        "sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(json.loads(NATIVE), indent=1).encode()))
    )
    (whole,) = told(capfd, "--whole", "-")
    assert whole["parser"] == "native"


def test_a_format_can_be_forced(records: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert [line["reason"] for line in told(capfd, "--format", "otlp", str(records), code=1)] == [
        "unrecognised"
    ] * 2
    assert main(["recognise", "--format", "otpl", str(records)]) == 78
    assert "did you mean 'otlp'?" in capfd.readouterr().err


def test_a_file_that_is_not_there_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for option in ([], ["--whole"]):
        assert main(["recognise", *option, str(tmp_path / "nothing")]) != 0
        assert "nothing" in capfd.readouterr().err


def test_people_see_a_table_that_cannot_act_on_their_terminal(
    records: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with records.open("ab") as file:
        file.write(b'{"\\u001b[2J": 1}\n{"resourceMetrics": []}\n')
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["recognise", str(records)]) == 1
    rows = capfd.readouterr().out
    assert "envelope:fluent_bit" in rows and "812+44 tokens" in rows and "user=u-17" in rows
    assert "refused: unrecognised" in rows and "nothing" in rows
    assert "\x1b" not in rows and "\u202e" not in rows
    assert len(told(capfd, "--json", str(records), code=1)) == 4
