"""Logs: one line for each thing that happened, and no line that anybody's text could forge."""

from __future__ import annotations

import io
import json
import logging
import unicodedata
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin import logs
from tocsin.logs import CAP, Log, visible

HOSTILE = {
    "newline": 'x\n{"level": "error", "message": "forged"}',
    "return": "x\r\rforged",
    "separators": "a\u2028b\u2029c\x85d\x0be\x0cf",
    "escape": "\x1b[2J\x1b]0;title\x07",
    "c1": "\x9b31mred",
    "backspace": "safe\x08\x08\x08\x08evil",
    "bidi": "\u202egnp.exe\u2066\u2069\u200f",
    "invisible": "a\u200bb\u2060c\ufeffd\u00ade",
    "tags": "".join(chr(0xE0000 + ord(letter)) for letter in "ignore"),
    "surrogate": "\ud83d alone \udc00",
    "nul": "a\x00b",
    "quotes": '"}\\"',
}


@pytest.fixture(autouse=True)
def other_logs_stay() -> Iterator[None]:
    """Logging is the process's: whatever was set up before a test is there after it."""
    root, tocsin = logging.getLogger(), logging.getLogger("tocsin")
    before = root.handlers[:], root.level, tocsin.level
    yield
    logging.captureWarnings(False)
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    tocsin.setLevel(before[2])


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    logs.setup("json", "debug", stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Every line as an object; `split` and not `splitlines`, as collectors do."""
    text = stream.getvalue()
    assert text.endswith("\n") and text.splitlines() == text[:-1].split("\n")
    text.encode()  # no surrogate
    return [json.loads(line) for line in text[:-1].split("\n")]


def harmless(text: str) -> bool:
    return not any(unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in text) and not any(
        unicodedata.bidirectional(letter) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
        for letter in text
    )


def test_a_line_has_time_level_logger_message_and_fields(stream: io.StringIO) -> None:
    Log("worker").warning("source does not answer", partition="llm/0", again_in=0.5, tries=3, up=False)
    (line,) = lines(stream)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "tocsin.worker",
        "message": "source does not answer",
        "partition": "llm/0",
        "again_in": 0.5,
        "tries": 3,
        "up": False,
    }


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("log_format", ["json", "text"])
def test_hostile_text_stays_on_its_line_and_harmless(log_format: Any, text: str) -> None:
    stream = io.StringIO()
    logs.setup(log_format, "debug", stream)
    log = Log("x")
    log.info(text, field=text)
    log.error("failed", error=ValueError(text))
    shown = stream.getvalue().split("\n")
    assert len(shown) == 3 and all(harmless(line) for line in shown)
    if log_format == "json":
        assert [line["level"] for line in lines(stream)] == ["info", "error"]
        assert lines(stream)[0]["field"] == lines(stream)[0]["message"] == visible(text)


@given(st.text(st.characters(exclude_categories=[])))
def test_visible_text_is_harmless_and_encodable(text: str) -> None:
    shown = visible(text)
    assert harmless(shown) and shown.encode()[:0] == b""
    assert visible(shown, 10_000) == shown


def test_ordinary_text_is_left_as_it_is() -> None:
    for text in ("Grüße, 世界", "a b\u00a0c", "😀", "مرحبا", "{}'\"\\"):
        assert visible(text) == text


def test_what_was_spelled_out_can_be_read() -> None:
    assert visible("a\x1b[2J\u202e\ud800") == "a\\u{1b}[2J\\u{202e}\\u{d800}"


def test_huge_values_are_cut_and_say_so(stream: io.StringIO) -> None:
    Log("x").info("m" * 1_000_000, field="f" * 1_000_000, many=list(range(100_000)), number=10**400)
    (line,) = lines(stream)
    assert len(stream.getvalue()) < 5 * CAP
    assert line["message"].endswith("(1000000 characters)") and line["field"].startswith("f" * CAP)


def test_a_field_cannot_pass_for_what_the_line_says_itself(stream: io.StringIO) -> None:
    Log("x").info("true", **{"level": "error", "time": "never", "logger": "y"})
    (line,) = lines(stream)
    assert (line["level"], line["logger"], line["message"]) == ("info", "tocsin.x", "true")


def test_values_that_json_does_not_know_are_spelled_out(stream: io.StringIO) -> None:
    Log("x").info("odd", nan=float("nan"), inf=float("-inf"), raw=b"\xff\x1b", none=None, of=object)
    line = json.loads(stream.getvalue(), parse_constant=pytest.fail)
    assert (line["nan"], line["inf"], line["none"]) == ("nan", "-inf", None)
    assert line["raw"] == repr(b"\xff\x1b") and line["of"] == "<class 'object'>"


def test_an_exception_is_one_line_with_the_place_and_no_source_text(stream: io.StringIO) -> None:
    try:
        raise KeyError("no\nsuch")
    except KeyError:
        logging.getLogger("elsewhere").exception("failed: %s", "a\nb")
    (line,) = lines(stream)
    assert line["error"].startswith("KeyError: ") and "test_logs.py:" in line["where"]
    assert line["message"] == "failed: a\\u{a}b" and "raise" not in stream.getvalue()


def test_libraries_are_heard_from_warnings_on(stream: io.StringIO) -> None:
    kafka = logging.getLogger("kafka.conn")
    kafka.info("carries a prompt")
    kafka.warning("connection\nlost")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old\x1b", stacklevel=1)
    assert [line["logger"] for line in lines(stream)] == ["kafka.conn", "py.warnings"]


def test_the_level_is_for_tocsin_and_a_later_setup_replaces_the_first(stream: io.StringIO) -> None:
    later = io.StringIO()
    logs.setup("text", "warning", later)
    log = Log("x")
    log.debug("no")
    log.info("no")
    log.warning("yes", field="two words", plain="one")
    assert stream.getvalue() == ""
    assert later.getvalue().endswith(' warning x: yes  field="two words"  plain=one\n')


def test_a_text_field_cannot_pass_for_another_field() -> None:
    stream = io.StringIO()
    logs.setup("text", "info", stream)
    Log("x").info("m", user="a\u2003admin=true", quote='"x"', empty="", equals="b=c")
    assert stream.getvalue().endswith('  user="a\u2003admin=true"  quote="\\"x\\""  empty=""  equals="b=c"\n')


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_an_error_quotes_is_redacted_and_addresses_of_hosts_stay(form: Any) -> None:
    stream = io.StringIO()
    logs.setup(form, "info", stream)
    error = ValueError("no such key: sk-proj-Zq8Xw2Rt5Yp9Ls4Kd7Mv1Nb3Hg6Jf0Ca")
    Log("test").warning(
        "asked by bob@example.org", broker="10.1.2.3:9092", error=error, who="bob@example.org"
    )
    line = stream.getvalue()
    assert "10.1.2.3:9092" in line and "[secret:openai_key]" in line
    assert "bob@" not in line and "sk-proj" not in line
