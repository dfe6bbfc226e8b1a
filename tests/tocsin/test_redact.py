"""After the redact step no raw text exists."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest

from tocsin.model import Document, Event, Message, Reject, ToolCall, ToolDefinition
from tocsin.redact import MESSAGE_CHARACTERS, Redaction
from tocsin.settings import ContentSettings

SECRET = "hunter2hunter2"


class Cleaner:
    def redact(self, text: str) -> str:
        return text.replace(SECRET, "[gone]")


def event() -> Event:
    return Event(
        input=(Message("user", f"plain words {SECRET}"), Message("tool", "plain words", tool_call_id="c")),
        output=(Message("assistant", "plain words", (ToolCall("c", "search", f'"plain words {SECRET}"'),)),),
        tool_arguments=f"plain words {SECRET}",
        tool_result=f"plain words {SECRET}",
        documents=(Document("d", 0.5, f"plain words {SECRET}"),),
        tool_definitions=(ToolDefinition("search", "digest", f"plain words {SECRET}"),),
        error_message=f"{SECRET} failed {'x' * 1000}",
        attributes={"note": f"key {SECRET}"},
    )


def redacted(mode: Literal["none", "features", "excerpt", "full"]) -> Event:
    one = event()
    Redaction(ContentSettings(mode=mode, excerpt_characters=16), Cleaner()).event(one)
    assert SECRET not in msgspec.json.encode(one).decode()
    return one


@pytest.mark.parametrize("mode", ["none", "features"])
def test_no_text_is_left_but_the_shape_is(mode: Literal["none", "features"]) -> None:
    one = redacted(mode)
    assert "plain words" not in msgspec.json.encode(one).decode()
    assert one.input == (Message("user"), Message("tool", tool_call_id="c"))
    assert one.output == (Message("assistant", tool_calls=(ToolCall("c", "search"),)),)
    assert (one.tool_arguments, one.tool_result) == (None, None)
    assert one.documents == (Document("d", 0.5),)
    assert one.tool_definitions == (ToolDefinition("search", "digest"),)


def test_an_excerpt_is_redacted_before_it_is_cut() -> None:
    one = redacted("excerpt")
    assert one.input[0].text == "plain words [gon"
    assert one.tool_result == "plain words [gon"


def test_full_text_is_redacted() -> None:
    one = redacted("full")
    assert one.input[0].text == "plain words [gone]"
    assert one.output[0].tool_calls[0].arguments == '"plain words [gone]"'
    assert one.documents[0].text == one.tool_definitions[0].description == "plain words [gone]"


@pytest.mark.parametrize("mode", ["none", "features", "excerpt", "full"])
def test_errors_and_attributes_are_kept_redacted(
    mode: Literal["none", "features", "excerpt", "full"],
) -> None:
    one = redacted(mode)
    assert one.error_message.startswith("[gone] failed") and len(one.error_message) == MESSAGE_CHARACTERS
    assert one.attributes == {"note": "key [gone]"}


def test_rejects_are_redacted_too() -> None:
    reject = Reject(reason="undecodable", sample=f"x {SECRET}", detail=f"{SECRET} {'y' * 1000}")
    clean = Redaction(ContentSettings(), Cleaner()).reject(reject)
    assert clean.sample == "x [gone]" and SECRET not in clean.detail
    assert len(clean.detail) == MESSAGE_CHARACTERS


def test_the_real_redactor_is_the_default() -> None:
    one = Event(error_message="denied for AKIAIOSFODNN7EXAMPLE")
    Redaction(ContentSettings()).event(one)
    assert "AKIAIOSFODNN7EXAMPLE" not in one.error_message and "denied" in one.error_message
