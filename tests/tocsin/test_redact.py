"""After the redact step no raw text exists."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest
from msgspec.structs import replace

from tocsin.cuts import MESSAGE_CHARACTERS
from tocsin.glance import NAMES, WORDS
from tocsin.history import Digester, History, Seen
from tocsin.model import Document, Event, Message, Reject, Signals, ToolCall, ToolDefinition
from tocsin.names import IDENTITIES
from tocsin.redact import MACHINE, Redaction
from tocsin.settings import ContentSettings, HistorySettings, LimitSettings, ReadingSettings
from tocsin.signals import read

SECRET = "hunter2hunter2"


class Cleaner:
    def redact(self, text: str) -> str:
        return text.replace(SECRET, "[gone]")

    def suspects(self, text: str) -> bool:
        return SECRET in text


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
    one = Event(error_message="denied for AKIA4QZ7RMX2KD9WLPV3")
    Redaction(ContentSettings()).event(one)
    assert "AKIA4QZ7RMX2KD9WLPV3" not in one.error_message and "denied" in one.error_message


def test_an_excerpt_holds_only_what_is_new() -> None:
    one = Event(
        input=(Message("user", "said before"), Message("user", "said now")),
        output=(Message("assistant", "an answer", (ToolCall("c", "search", "{}"),)),),
    )
    Redaction(ContentSettings(), Cleaner()).event(one, Signals(new_input=(1,), new_output=()))
    assert one.input == (Message("user"), Message("user", "said now"))
    assert one.output == (Message("assistant", "", (ToolCall("c", "search"),)),)


@pytest.mark.parametrize("change", [{"join": "j"}, {"half": "span"}])
def test_a_half_keeps_all_of_it(change: dict[str, str]) -> None:
    one = Event(input=(Message("user", "said before"),), **change)  # type: ignore[arg-type]
    Redaction(ContentSettings(), Cleaner()).event(one, Signals())
    assert one.input == (Message("user", "said before"),)


EVERY_NAME = [name for name in (*WORDS, *NAMES) if name not in MACHINE]


@pytest.mark.parametrize("field", EVERY_NAME)
def test_a_secret_in_a_name_becomes_a_mark_and_different_ones_stay_different(field: str) -> None:
    one, same, other = (Event(**{field: f"{SECRET} {n}"}) for n in (1, 1, 2))  # type: ignore[arg-type]
    redaction = Redaction(ContentSettings(), Cleaner())
    for event in (one, same, other):
        redaction.event(event)
    assert getattr(one, field).startswith("[gone] 1#")
    assert getattr(one, field) == getattr(same, field) != getattr(other, field)


@pytest.mark.parametrize("field", MACHINE)
def test_an_id_that_is_none_is_not_kept(field: str) -> None:
    for strange in (f"half a {SECRET[:8]}", "f" * 200):
        one = Event(**{field: strange})  # type: ignore[arg-type]
        Redaction(ContentSettings(), Cleaner()).event(one)
        assert getattr(one, field)[0] == "#" and len(getattr(one, field)) == 17
    plain = Event(**{field: "0af7651916cd43dd8448eb211c80319c"})  # type: ignore[arg-type]
    Redaction(ContentSettings(), Cleaner()).event(plain)
    assert getattr(plain, field) == "0af7651916cd43dd8448eb211c80319c"


def test_names_of_attributes_tools_and_calls_are_redacted() -> None:
    one = Event(
        attributes={f"a {SECRET}": "x"},
        invalid_fields=(SECRET,),
        tool_definitions=(ToolDefinition(SECRET, SECRET),),
        documents=(Document(SECRET),),
        output=(Message("assistant", "", (ToolCall(SECRET, SECRET),), SECRET, SECRET),),
    )
    Redaction(ContentSettings(mode="none"), Cleaner()).event(one)
    assert SECRET not in msgspec.json.encode(one).decode()


def test_what_a_cut_may_have_left_of_a_secret_goes() -> None:
    limits = LimitSettings(attribute_characters=64)
    texts = {
        "key": "the key is " + "sk-proj-" + "A7" * 30,
        "card": "paid with " + "x" * 40 + " 4111 1111 111",
        "words": "w" * 40 + " and more words that fit here",
    }
    one = Event(attributes={name: text[:64] for name, text in texts.items()})
    Redaction(ContentSettings(), limits=limits).event(one)
    assert one.attributes["key"] == "the key "
    assert "4111" not in one.attributes["card"]
    assert one.attributes["words"].startswith("w" * 40 + " and more words")


SENT_AS_A_NAME = "AKIAIOSFODNN7EXAMPLZ"


@pytest.mark.parametrize("mode", ["features", "excerpt"])
@pytest.mark.parametrize("field", IDENTITIES)
def test_of_many_events_only_the_one_that_names_a_secret_is_not_clear(
    field: str, mode: Literal["features", "excerpt"]
) -> None:
    events = [Event(user=f"user-{n}@example.com", client_ip=f"192.0.2.{n}") for n in range(20)]
    events[7] = replace(events[7], **{field: SENT_AS_A_NAME})
    redaction = Redaction(ContentSettings(mode=mode))
    signals = [Signals() for _ in events]
    clear = redaction.events([Seen(event) for event in events], signals, [0.0] * len(events))
    assert clear == [n != 7 for n in range(20)], "people's addresses are theirs to keep"
    assert getattr(events[7], field).startswith("[secret:aws_key]#")
    assert [event.user for event in events if event is not events[7]] == [
        f"user-{n}@example.com" for n in range(20) if n != 7
    ]


def test_what_only_looks_like_a_mark_is_looked_at_closer() -> None:
    events = [Event(user="[secret:x] of mine"), Event(user="ann")]
    seen = [Seen(event) for event in events]
    clear = Redaction(ContentSettings()).events(seen, [Signals(), Signals()], [0.0, 0.0])
    assert clear == [False, True]


@pytest.mark.parametrize("mode", ["features", "excerpt"])
def test_of_a_message_that_a_conversation_repeats_only_the_role_is_kept(
    mode: Literal["features", "excerpt"],
) -> None:
    call = Message("assistant", "let me see", (ToolCall("call-1", "search", "{}"),))
    said = (Message("user", "where"), call, Message("tool", "found", (), "call-1", "search"))
    past, content = History(HistorySettings(), Digester("")), ContentSettings(mode=mode)
    kept: list[tuple[Message, ...]] = []
    for _ in range(2):
        seen = past.read(Event(session="s", input=said), 1.0)
        Redaction(content).events([seen], read([seen], content, ReadingSettings(enabled=False)), [1.0])
        kept.append(seen.event.input)
    assert kept[0][1].tool_calls[0].name == kept[0][2].name == "search"
    assert kept[1] == (Message("user"), Message("assistant"), Message("tool"))
