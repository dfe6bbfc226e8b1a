"""Which messages of an event are new in their conversation, and whether the event itself is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import msgspec
from msgspec.structs import force_setattr

from tocsin.codec import Codec
from tocsin.model import TRUST, Event, Message
from tocsin.section import Section
from tocsin.settings import HistorySettings

SIZE = 16  # characters of a digest, 64 bits in hex
PLACES = 4096  # conversations whose digests are at hand
LOOSE = "\0"  # begins names that stand in for the conversation of events without one
_pack = msgspec.msgpack.Encoder().encode


Rich = tuple[Sequence[int], Sequence[int]]  # which messages of input and output have calls, ids or names
PLAIN: Rich = ((), ())


class Seen(msgspec.Struct, frozen=True, gc=False):
    """An event with what its conversation knew of it."""

    event: Event
    new_input: tuple[int, ...] = ()  # indexes of messages that the conversation never held
    new_output: tuple[int, ...] = ()
    digests: str = ""  # of all input messages, then of all output messages
    rich: Rich = PLAIN
    arguments: str = ""  # digest of a tool's arguments


class Digester:
    """Keyed digests of messages and identities: equal for equal ones, not to be guessed without the key."""

    def __init__(self, secret: str) -> None:
        key = blake2b(secret.encode(), digest_size=32, person=b"tocsin.history").digest()

        def blank(person: str) -> blake2b:
            return blake2b(key=key, digest_size=SIZE // 2, person=person.encode())

        self._identity, self._calls = blank("identity"), blank("calls")
        self._roles = {role: blank(role) for role in TRUST}
        self.fingerprint = self.identity("")
        self.place = lru_cache(PLACES)(self.identity)

    def identity(self, text: str) -> str:
        blank = self._identity.copy()
        blank.update(text.encode("utf-8", "replace"))
        return blank.hexdigest()

    def messages(self, messages: Sequence[Message]) -> tuple[list[str], list[int]]:
        """One digest each, over role, text and calls: an edit gives another one. And the indexes of those
        of which there is more than role and text."""
        roles = self._roles
        digests: list[str] = []
        rich: list[int] = []
        for message in messages:
            if message.tool_calls or message.tool_call_id:
                rich.append(len(digests))
                blank = self._calls.copy()
                blank.update(_packed(message))
            else:
                if message.name:  # some reporters of a message know it, some do not
                    rich.append(len(digests))
                blank, text = roles[message.role].copy(), message.text
                try:
                    blank.update(text.encode())
                except UnicodeEncodeError:  # a decoder let a lone surrogate through
                    blank.update(text.encode("utf-8", "replace"))
            digests.append(blank.hexdigest())
        return digests, rich


class Conversation(msgspec.Struct, array_like=True, gc=False):
    """Joined digests, the oldest first."""

    messages: str = ""
    events: str = ""


_CODEC: Codec[Conversation] = Codec(Conversation)


class History:
    """What one group remembers of its conversations: a session's, or a trace's where there is none."""

    __slots__ = ("_digester", "_events", "_messages", "conversations")

    def __init__(self, settings: HistorySettings, digester: Digester) -> None:
        self._digester = digester
        self._messages = settings.messages * SIZE
        self._events = settings.duplicates * SIZE
        self.conversations = Section(
            Conversation, _CODEC, limit=settings.conversations, idle=settings.idle_seconds
        )

    def read(self, event: Event, clock: float) -> Seen:
        """Says what is new about an event, and remembers it.

        Marks an event that was seen before as a duplicate; two halves are two events. Without a
        conversation all messages are new.
        """
        inputs, outputs = event.input, event.output
        identity = self._identity(event) if self._events else ""
        name = self.place(event.session or event.trace_id)
        if not identity and (not name or not inputs and not outputs and not event.compacted):
            return self._news(event, "")[0] if inputs or outputs else Seen(event)
        conversation = self.conversations.touch(name or LOOSE + identity[:2], clock).value
        if identity:
            events = conversation.events
            if identity in events:
                force_setattr(event, "duplicate", True)
                return Seen(event)
            conversation.events = (
                events + identity if len(events) < self._events else events[SIZE:] + identity
            )
        if not inputs and not outputs and not event.compacted:
            return Seen(event)
        seen, known = self._news(event, conversation.messages if name and not event.compacted else "")
        if name:
            conversation.messages = known if len(known) <= self._messages else known[-self._messages :]
        return seen

    def place(self, conversation: str) -> str:
        """The key of a conversation: its name may be somebody's, and this is before the redact step."""
        return self._digester.place(conversation) if conversation else ""

    def _identity(self, event: Event) -> str:
        if event.span_id and event.trace_id:
            name = f"{event.trace_id}\0{event.span_id}\0{event.kind}\0{event.half}"
            if event.half == "log":  # a span may have several log records
                name = "\0".join((name, *self._digester.messages(event.input + event.output)[0]))
            return self._digester.identity(name)
        if event.response_id:
            return self._digester.identity(f"{event.response_id}\0{event.kind}\0{event.half}")
        return ""

    def _news(self, event: Event, known: str) -> tuple[Seen, str]:
        inputs, outputs = event.input, event.output
        digests, rich = self._digester.messages(inputs + outputs if outputs else inputs)
        joined, border = "".join(digests), len(inputs)
        new = _unknown(known, digests, joined)
        if isinstance(new, range):
            known += joined[new.start * SIZE :]
            first = new.start if new.start < border else border
            new_input = tuple(range(first, border))
            new_output = tuple(range(max(0, new.start - border), len(digests) - border))
        else:
            known += "".join([digests[at] for at in new])
            new_input = tuple([at for at in new if at < border])
            new_output = tuple([at - border for at in new[len(new_input) :]])
        if not rich:
            return Seen(event, new_input, new_output, joined), known
        rich_input = tuple([at for at in rich if at < border])
        rich_output = tuple([at - border for at in rich[len(rich_input) :]])
        return Seen(event, new_input, new_output, joined, (rich_input, rich_output)), known


def split(digests: str) -> list[str]:
    return [digests[at : at + SIZE] for at in range(0, len(digests), SIZE)]


def _unknown(known: str, digests: list[str], joined: str) -> Sequence[int]:
    """Where the digests stand that `known` lacks: a range where everything from one on is new.

    A match that straddles two digests is as unlikely as two messages with the same digest.
    """
    repeated = len(known) // SIZE if joined.startswith(known) else 0  # most calls repeat their conversation
    rest = digests[repeated:] if repeated else digests
    new = [digest for digest in rest if digest not in known] if known else rest
    first = len(digests) - len(new)
    if len(set(new)) == len(new) and (len(new) == len(rest) or digests[first:] == new):
        return range(first, len(digests))
    places: dict[str, int] = {}
    for digest in new:
        places.setdefault(digest, digests.index(digest))
    return list(places.values())


def _packed(message: Message) -> bytes:
    parts = (message.role, message.tool_call_id, message.text, message.tool_calls)
    try:
        return _pack(parts)
    except UnicodeEncodeError:  # a decoder let a lone surrogate through
        return ascii(parts).encode()
