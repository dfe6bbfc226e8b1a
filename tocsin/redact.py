"""The redact step: after it no raw text and, where pseudonyms are configured, no raw identity exists."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import chain
from operator import and_, attrgetter

from msgspec.structs import force_setattr, replace

from tocsin.cuts import MESSAGE_CHARACTERS, Cuts, whole
from tocsin.glance import NAMES, WORDS, Cleaner, Glance, New, names
from tocsin.history import Rich, Seen
from tocsin.labels import hide_labelled, names_somebody
from tocsin.model import Document, Event, Message, Reject, Role, Signals, ToolCall, ToolDefinition
from tocsin.names import IDENTITIES, Names, identities, only_secrets
from tocsin.pseudonym import Own, Pseudonyms
from tocsin.reading import sketch
from tocsin.settings import ContentSettings, LimitSettings, PrivacySettings

SKETCH = "[sketch]"  # stands where an application sent one in place of its text
NAME_CHARACTERS = 256  # of a name; longer ones may have been cut by their decoder
_NO_TEXT: tuple[New, New] = ((), ())
_ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool", "retrieved")
_role, _BARE = attrgetter("role"), {role: Message(role) for role in _ROLES}
_CONVERSATIONS = 4096  # sequences of roles of which the bare messages are at hand

# Words of machines. What is longer, or has blanks in it, is none, and may be what a decoder's cut has left.
MACHINE = {"trace_id": 48, "span_id": 48, "parent_span_id": 48, "finish_reason": 48, "join": 128}
_SHORT = min(MACHINE.values())
_machine = attrgetter(*MACHINE)


class Redaction:
    """Takes raw text and identities out of events, in place, as far as the settings demand."""

    def __init__(
        self,
        content: ContentSettings,
        cleaner: Cleaner | None = None,
        *,
        privacy: PrivacySettings | None = None,
        limits: LimitSettings | None = None,
    ) -> None:
        self._limit = {"excerpt": content.excerpt_characters, "full": -1}.get(content.mode, 0)
        self._cleaner = cleaner
        self._cuts = Cuts(self._limit, limits or LimitSettings())
        self._secret = content.key
        self._pseudonyms = Pseudonyms(privacy or PrivacySettings())
        self._private = bool(self._pseudonyms)
        self._kept = [field for field in IDENTITIES if field not in self._pseudonyms.fields]
        self._own: Sequence[Own] = ()
        self._tenant, self._clock = "", 0.0
        self._clear = False  # there is nothing to be replaced in this event

    def events(self, seen: Sequence[Seen], signals: Sequence[Signals], clocks: Sequence[float]) -> list[bool]:
        """Redacts many events in place; which of them held nothing that had to be replaced."""
        if not self._limit:
            new = [_NO_TEXT] * len(seen)
        else:
            new = [self._new(one.event, told) for one, told in zip(seen, signals, strict=True)]
        clear = self.clear(seen, new)
        strange = _strange(seen)
        for one, kept, clock, free in zip(seen, new, clocks, clear, strict=True):
            if strange:
                self._shorten_machines(one.event)
            self._redact(one.event, kept, one.rich, clock, free)
        return clear

    def clear(self, seen: Sequence[Seen], new: Sequence[tuple[New, New]]) -> list[bool]:
        """Which events hold nothing that would be replaced; looked at before they are redacted.

        Many are looked at together, because to begin a search costs more than what it reads. `new`: which
        messages of each keep their text.
        """
        if self._private:
            return [False] * len(seen)
        events = [one.event for one in seen]
        free = self._glance.clear(events, new, [one.rich for one in seen])
        return list(map(and_, free, self._namer.innocents(events)))

    def event(self, event: Event, signals: Signals | None = None, clock: float = 0.0) -> None:
        """Redacts one event in place."""
        new = self._new(event, signals) if self._limit else _NO_TEXT
        one = Seen(event, rich=(range(len(event.input)), range(len(event.output))))
        clear = self.clear((one,), (new,))
        if _strange((one,)):
            self._shorten_machines(event)
        self._redact(event, new, one.rich, clock, clear[0])

    def _redact(self, event: Event, new: tuple[New, New], rich: Rich, clock: float, clear: bool) -> None:
        """Only this step writes content of a frozen event.

        An excerpt holds what is new: what a conversation repeats was stored with the call that said it
        first. A half keeps all, because its other half may be the one to which something is new.
        """
        if event.former:  # nobody else may say what an identity was called before
            force_setattr(event, "former", ())
        if self._private:
            self._tenant, self._clock = event.tenant, clock
            self._own = self._pseudonyms.replace(event, clock)
        self._clear = clear
        if not clear:
            self._clean_each(event)
            self._clean_identities(event)
        if event.input:
            force_setattr(event, "input", self._messages(event.input, new[0], rich[0]))
        if event.output:
            force_setattr(event, "output", self._messages(event.output, new[1], rich[1]))
        if (
            event.attributes
            or event.tool_definitions
            or event.documents
            or event.error_message
            or event.invalid_fields
            or event.tool_arguments is not None
            or event.tool_result is not None
        ):
            self._rest(event)
        self._clear = False

    def _new(self, event: Event, signals: Signals | None) -> tuple[New, New]:
        """Which messages of input and output keep their text; None: all."""
        if signals is None or event.join or event.half or self._limit < 0:
            return None, None
        return signals.new_input, signals.new_output

    def _rest(self, event: Event) -> None:
        if event.tool_arguments is not None:
            force_setattr(event, "tool_arguments", self._optional(event.tool_arguments))
        if event.tool_result is not None:
            force_setattr(event, "tool_result", self._optional(event.tool_result))
        if event.documents:
            force_setattr(event, "documents", tuple([self._document(each) for each in event.documents]))
        if event.tool_definitions:
            force_setattr(event, "tool_definitions", tuple([self._tool(t) for t in event.tool_definitions]))
        if event.error_message:
            force_setattr(event, "error_message", self._short(event.error_message))
        if event.invalid_fields:
            force_setattr(event, "invalid_fields", tuple([self._name(name) for name in event.invalid_fields]))
        if event.attributes:
            cleaned = {self._name(name): self._value(name, text) for name, text in event.attributes.items()}
            force_setattr(event, "attributes", cleaned)

    def reject(self, reject: Reject) -> Reject:
        """What it says comes from input that nobody could read, so it is treated as text."""
        self._own = ()
        return replace(
            reject,
            sample=self._clean(reject.sample),
            detail=self._short(reject.detail),
            shape=self._clean(reject.shape),
        )

    # Names and identities.

    def _shorten_machines(self, event: Event) -> None:
        """Words of machines that are none."""
        for field, most in MACHINE.items():
            name = getattr(event, field)
            if len(name) > most or " " in name:
                force_setattr(event, field, self._namer.stand_in(name))

    def _clean_identities(self, event: Event) -> None:
        if not self._private and self._namer.innocent(*identities(event)):
            return
        for field in self._kept:
            identity = getattr(event, field)
            if identity and (clean := self._namer.secretless(identity)) != identity:
                force_setattr(event, field, clean)

    def _clean_each(self, event: Event) -> None:
        together = "\n".join(names(event))
        if self._hidden(together) != together or self._finder.redact(together) != together:
            for field in (*WORDS, *NAMES):
                name = getattr(event, field)
                if name and (clean := self._name(name, own=field in NAMES)) != name:
                    force_setattr(event, field, clean)

    def _name(self, name: str, *, own: bool = True) -> str:
        if not name:
            return name
        if len(name) >= NAME_CHARACTERS:
            name = whole(name, NAME_CHARACTERS)
        elif self._clear:
            return name
        if self._own:
            name = self._hidden(name, plain=own)
        return self._namer.clean(name)

    def _value(self, attribute: str, text: str) -> str:
        """An attribute that by its name says who somebody is, is one of their names."""
        if self._private and text and names_somebody(attribute):
            return self._pseudonym(text)
        return self._clean(self._cuts.attribute(text))

    def _pseudonym(self, identity: str) -> str:
        return self._pseudonyms.name(self._tenant, identity, self._clock)

    # Text.

    def _messages(self, messages: tuple[Message, ...], new: New, rich: Sequence[int]) -> tuple[Message, ...]:
        """All messages; text only of those at `new`, of all where that is None."""
        if new is None:
            return tuple([self._message(message, told=True) for message in messages])
        bare = _bare(tuple(map(_role, messages)))
        if not new and not rich:
            return bare
        kept = list(bare)
        for at in new:
            kept[at] = self._message(messages[at], told=True)
        for at in rich:
            if at not in new:
                kept[at] = self._message(messages[at], told=False)
        return tuple(kept)

    def _message(self, message: Message, *, told: bool) -> Message:
        """A message, without its text where that is not `told`."""
        text, calls, identity, name = message.text, message.tool_calls, message.tool_call_id, message.name
        return Message(
            message.role,
            self._text(text) if told and text else "",
            tuple([self._call(call, self._text(call.arguments) if told else "") for call in calls])
            if calls
            else (),
            self._name(identity) if identity else "",
            self._name(name) if name else "",
        )

    def _call(self, call: ToolCall, arguments: str) -> ToolCall:
        identity, name = call.id, call.name
        if self._clear and len(identity) < NAME_CHARACTERS > len(name):
            return ToolCall(identity, name, arguments)
        return ToolCall(self._name(identity), self._name(name, own=False), arguments)

    def _document(self, document: Document) -> Document:
        return Document(self._name(document.id), document.score, self._text(document.text))

    def _tool(self, tool: ToolDefinition) -> ToolDefinition:
        return ToolDefinition(
            self._name(tool.name, own=False), self._name(tool.digest), self._text(tool.description)
        )

    def _optional(self, text: str) -> str | None:
        return self._text(text) if self._limit else None

    def _text(self, text: str) -> str:
        if not self._limit or not text:
            return ""
        if text.startswith(sketch.PREFIX) and sketch.is_one(text):
            return SKETCH
        if not self._clear or len(text) >= self._cuts.below:
            text = self._clean(self._cuts.text(text))
        return text if self._limit < 0 else text[: self._limit]

    def _short(self, text: str) -> str:
        return self._clean(self._cuts.message(text))[:MESSAGE_CHARACTERS]

    def _clean(self, text: str) -> str:
        if not text:
            return ""
        if self._clear:
            return text
        if self._private:
            text = hide_labelled(self._hidden(text), self._pseudonym)
        return self._finder.redact(text)

    def _hidden(self, text: str, *, plain: bool = True) -> str:
        """The text without the identities of its own event; `plain`: also where they are ordinary words."""
        for each in self._own:
            if each.identity in text and (plain or not each.plain):
                text = each.hide(text)
        return text

    @cached_property
    def _finder(self) -> Cleaner:
        if self._cleaner is not None:
            return self._cleaner
        from tocsin.reading.redaction import Redactor  # compiling its patterns takes a moment

        return Redactor()

    @cached_property
    def _glance(self) -> Glance:
        return Glance(self._finder, self._cuts)

    @cached_property
    def _namer(self) -> Names:
        return Names(self._finder, self._secret, None if self._cleaner else only_secrets())


@lru_cache(_CONVERSATIONS)
def _bare(roles: tuple[Role, ...]) -> tuple[Message, ...]:
    """Messages of which nothing is kept."""
    return tuple([_BARE[role] for role in roles])


def _strange(seen: Sequence[Seen]) -> bool:
    """Whether any of them has a word of a machine that is none."""
    words = list(chain.from_iterable([_machine(one.event) for one in seen]))
    return " " in "".join(words) or max(map(len, words), default=0) > _SHORT
