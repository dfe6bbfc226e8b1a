"""One look at all of an event that is kept: mostly there is nothing in it that would be replaced."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import Protocol

from tocsin.cuts import Cuts
from tocsin.history import Rich
from tocsin.model import Event, Message

# Whoever sends chooses these; all are looked at together, because they rarely hold anything.
WORDS = (
    *("operation", "provider", "model", "response_model", "finish_reason", "service_version"),
    *("tool_name", "tool_type", "tool_server", "tool_decision", "evaluation_name", "guardrail_name"),
    *("guardrail_status", "half"),
)
NAMES = (  # of these some are made from the name of a person
    *("service", "environment", "agent", "agent_id", "session", "user_agent", "error_type"),
    *("trace_id", "span_id", "parent_span_id", "response_id", "tool_call_id", "evaluation_label", "join"),
)
names = attrgetter(*WORDS, *NAMES)

BETWEEN = "\n\0\n"  # no pattern reaches across it
BLOCK, BLOCK_CHARACTERS = 8, 32_768  # events and characters that are looked at together
NAMED = 16  # events whose names are looked at together
New = Collection[int] | None  # which messages keep their text; None: all


class Cleaner(Protocol):
    """What finds secrets and personal data: tocsin.reading.redaction.Redactor."""

    def redact(self, text: str) -> str: ...

    def suspects(self, text: str) -> bool:
        """Whether `redact` may change the text; much cheaper."""
        ...


class Glance:
    """Says of events whether `cleaner` would leave all that is kept of them as it is."""

    def __init__(self, cleaner: Cleaner, cuts: Cuts) -> None:
        self._cleaner = cleaner
        self._cuts = cuts

    def clear(
        self, events: Sequence[Event], new: Sequence[tuple[New, New]], rich: Sequence[Rich]
    ) -> list[bool]:
        """Which events stay as they are. All their names are looked at together: next to none has to go."""
        named = [self._name_something(events[at : at + NAMED]) for at in range(0, len(events), NAMED)]
        clear = [True] * len(events)
        looks: list[str] = []
        places: list[int] = []
        for at, texts in enumerate(map(self.texts, events, new, rich)):
            if named[at // NAMED]:
                texts += names(events[at])
            if texts:
                looks.append(BETWEEN.join(texts))
                places.append(at)
        free = chain.from_iterable(map(self.free, blocks(looks))) if looks else ()
        for at, one in zip(places, free, strict=True):
            clear[at] = one
        return clear

    def _name_something(self, events: Sequence[Event]) -> bool:
        """Whether there may be something among their names."""
        return self._cleaner.suspects(BETWEEN.join(chain.from_iterable(map(names, events))))

    def texts(self, event: Event, new: tuple[New, New], rich: Rich) -> list[str]:
        """All that must be looked at besides the event's names."""
        texts: list[str] = []
        of_input, of_output = new
        if event.input and (of_input is None or of_input or rich[0]):
            self._add_messages(texts, event.input, of_input, rich[0])
        if event.output and (of_output is None or of_output or rich[1]):
            self._add_messages(texts, event.output, of_output, rich[1])
        if event.attributes or event.tool_arguments or event.tool_result or event.error_message:
            self._add_rest(texts, event)
        if event.documents or event.tool_definitions or event.invalid_fields:
            self._add_lists(texts, event)
        return texts

    def free(self, texts: Sequence[str]) -> list[bool]:
        """Whether each stays as it is. All are searched at once, then halves of those that may not."""
        together = BETWEEN.join(texts)
        if not self._cleaner.suspects(together):
            return [True] * len(texts)
        if len(texts) == 1:
            return [self._cleaner.redact(together) == together]
        half = len(texts) // 2
        return self.free(texts[:half]) + self.free(texts[half:])

    def _add_messages(
        self, texts: list[str], messages: tuple[Message, ...], new: New, rich: Sequence[int]
    ) -> None:
        told = range(len(messages)) if new is None else new
        below, cut = self._cuts.below, self._cuts.text
        for at in told:
            text = messages[at].text
            texts.append(text if len(text) < below else cut(text))
        for at in told if new is None else rich:
            message = messages[at]
            texts += (message.name, message.tool_call_id)
            for call in message.tool_calls:
                texts += (call.id, call.name)
                if at in told:
                    texts.append(cut(call.arguments))

    def _add_rest(self, texts: list[str], event: Event) -> None:
        if self._cuts.below:
            texts += (self._cuts.text(event.tool_arguments or ""), self._cuts.text(event.tool_result or ""))
        if event.error_message:
            texts.append(self._cuts.message(event.error_message))
        if event.attributes:
            texts += event.attributes
            texts += map(self._cuts.attribute, event.attributes.values())

    def _add_lists(self, texts: list[str], event: Event) -> None:
        for document in event.documents:
            texts += (document.id, self._cuts.text(document.text))
        for tool in event.tool_definitions:
            texts += (tool.name, tool.digest, self._cuts.text(tool.description))
        texts += event.invalid_fields


def blocks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many as are worth being looked at together."""
    start = size = 0
    for at, text in enumerate(texts):
        if at - start >= BLOCK or size >= BLOCK_CHARACTERS:
            yield texts[start:at]
            start, size = at, 0
        size += len(text)
    yield texts[start:]
