"""The read step says the same of an event however many are read at once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from parts.watchers import lively

from tocsin.history import Digester, History, Seen
from tocsin.merging import Held, merge
from tocsin.model import Event, Message, Signals, TextSignal
from tocsin.settings import ContentSettings, HistorySettings, ReadingSettings
from tocsin.signals import opens_with_refusal, read

READING = ReadingSettings(enabled=False)


def seen(*events: Event) -> list[Seen]:
    past = History(HistorySettings(), Digester(""))
    return [past.read(event, 1.0) for event in events]


def test_lengths_digests_and_indexes() -> None:
    event = Event(
        session="s",
        input=(Message("system", "be nice"), Message("user", "hi")),
        output=(Message("assistant", "good day"),),
        tool_arguments="{}",
        tool_result="12345",
    )
    first, second = read(seen(event, event), ContentSettings(), READING)
    assert (first.input_length, first.output_length, first.arguments_length, first.result_length) == (
        9,
        8,
        2,
        5,
    )
    assert (first.new_input, first.new_output) == ((0, 1), (0,))
    assert len(first.input_digest) == len(first.output_digest) == 16
    assert (second.input_length, second.new_input, second.input_digest) == (9, (), "")


def test_equal_new_messages_have_equal_digests_in_all_conversations() -> None:
    def ask(session: str, text: str) -> Event:
        return Event(session=session, input=(Message("user", text),))

    one, same, other = read(seen(ask("a", "x"), ask("b", "x"), ask("c", "y")), ContentSettings(), READING)
    assert one.input_digest == same.input_digest != other.input_digest


def test_reading_many_at_once_or_one_by_one_is_the_same() -> None:
    events = [item for one in lively(100, 3) for item in one.items if isinstance(item, Event)]
    heard = seen(*events)
    assert read(heard, ContentSettings(), READING) == [
        read([one], ContentSettings(), READING)[0] for one in heard
    ]


def test_without_content_no_length_or_digest_is_left() -> None:
    event = Event(input=(Message("user", "hi"),), output=(Message("assistant", "I cannot help with that"),))
    assert read(seen(event), ContentSettings(mode="none"), READING) == [
        Signals(new_input=(0,), new_output=(0,), refusal=True)
    ]


@pytest.mark.parametrize(
    "answer",
    [
        "I can't help with that.",
        "I\u2019m sorry, but I can\u2019t assist with this request.",
        "  \nI cannot provide instructions",
        "I'm unable to do this",
        "As an AI language model, I cannot",
        "Es tut mir leid, aber dabei helfe ich nicht",
        "Désolé, mais je ne peux pas",
        "Lo siento, pero no puedo",
        "抱歉,我无法",
        "抱歉\uff0c我无法",
        "申し訳ありませんが、お手伝いできません",
    ],
)
def test_refusals_are_told_by_how_they_begin(answer: str) -> None:
    assert opens_with_refusal(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        " ",
        "I can help with that.",
        "Sorry for the delay, here it is",
        "Here is why I cannot find it",
        "I",
        "抱歉",
    ],
)
def test_other_answers_are_no_refusals(answer: str) -> None:
    assert not opens_with_refusal(answer)


@pytest.mark.parametrize(
    "fields",
    [
        {"finish_reason": "content_filter"},
        {"finish_reason": "safety"},
        {"status": "blocked"},
        {"status": "refused"},
    ],
)
def test_providers_say_that_they_refused(fields: dict[str, str]) -> None:
    assert read([Seen(Event(**fields))], ContentSettings(), READING)[0].refusal  # type: ignore[arg-type]


def held(*texts: TextSignal, half: str, said: Sequence[Message] = (), answer: Sequence[Message] = ()) -> Held:
    event = Event(input=tuple(said), output=tuple(answer), half=half, join="j")
    digests = "".join(Digester("").messages((*said, *answer))[0])
    return Held(event, Signals(texts=texts, new_input=tuple(range(len(said)))), digests)


@pytest.mark.parametrize("turned", [False, True])
def test_what_was_read_of_two_halves_is_told_once_and_at_the_messages_that_are_kept(turned: bool) -> None:
    before, asked = Message("user", "before"), Message("user", "asked")
    halves = [
        held(
            TextSignal("input", 0, "user", 0.1),
            TextSignal("result", 0, "tool", 0.2),
            half="log",
            said=(before,),
        ),
        held(
            TextSignal("input", 1, "user", 0.3),
            TextSignal("output", 0, "assistant", 0.4),
            half="log",
            said=(before, asked),
            answer=(Message("assistant", "answered"),),
        ),
    ]
    merged = merge(*reversed(halves)) if turned else merge(*halves)
    assert [(text.place, text.index, text.score) for text in merged.signals.texts] == [
        ("input", 0, 0.1),
        ("input", 1, 0.3),
        ("output", 0, 0.4),
        ("result", 0, 0.2),
    ]
    assert [message.text for message in merged.event.input] == ["before", "asked"]


def test_texts_of_messages_that_are_not_kept_are_gone() -> None:
    whole = held(TextSignal("input", 0, "user", 0.1), half="span", said=(Message("user", "whole"),))
    cut = held(TextSignal("input", 0, "user", 0.9), half="log", said=(Message("user", "who..."),))
    (text,) = merge(whole, cut).signals.texts
    assert text.score == 0.1
