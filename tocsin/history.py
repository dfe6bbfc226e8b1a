"""Which messages of an event are new in their conversation, and whether the event itself is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import chain, repeat
from operator import attrgetter, call

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
_role, _text, _more = attrgetter("role"), attrgetter("text"), attrgetter("tool_calls", "tool_call_id", "name")
_NO_MORE = ((), "", "")


# Which messages have calls, ids or names: of the new ones in the input, and of all in the output.
Rich = tuple[Sequence[int], Sequence[int]]
PLAIN: Rich = ((), ())


class Seen(msgspec.Struct, frozen=True, gc=False):
    """An event with what its conversation knew of it."""

    event: Event
    new_input: tuple[int, ...] = ()  # indexes of messages that the conversation never held
    new_output: tuple[int, ...] = ()
    digests: str = ""  # of all input messages, then of all output messages
    rich: Rich = PLAIN
    arguments: str = ""  # digest of a tool's arguments


class Digests(msgspec.Struct, frozen=True, gc=False):
    """Keyed digests of one event."""

    identity: str  # under which it is known should it come again; empty where it has no name of its own
    messages: Sequence[str] = ()  # of the input, then of the output
    rich: Sequence[int] = ()  # those of which there is more than role and text


class Digester:
    """Keyed digests of messages and identities: equal for equal ones, not to be guessed without the key.

    Many are made at once: the loops over them are those of the libraries.
    """

    def __init__(self, secret: str) -> None:
        key = blake2b(secret.encode(), digest_size=32, person=b"tocsin.history").digest()

        def blank(person: str) -> blake2b:
            return blake2b(key=key, digest_size=SIZE // 2, person=person.encode())

        self._identity, self._calls = blank("identity"), blank("calls")
        self._copies = {role: blank(role).copy for role in TRUST}
        self.fingerprint = self.identity("")
        self.place = lru_cache(PLACES)(self.identity)

    def identity(self, text: str) -> str:
        blank = self._identity.copy()
        blank.update(text.encode("utf-8", "replace"))
        return blank.hexdigest()

    def identities(self, texts: Sequence[str]) -> list[str]:
        return _digests(list(map(call, repeat(self._identity.copy, len(texts)))), _encoded(texts))

    def messages(self, messages: Sequence[Message]) -> tuple[list[str], list[int]]:
        """One digest each, over role, text and calls: an edit gives another one. And the indexes of those
        of which there is more than role and text."""
        blanks = list(map(call, map(self._copies.__getitem__, map(_role, messages))))
        data = _encoded(list(map(_text, messages)))
        more = list(map(_more, messages))
        rich = [] if more.count(_NO_MORE) == len(more) else [i for i, m in enumerate(more) if m != _NO_MORE]
        for at in rich:
            if more[at][:2] != _NO_MORE[:2]:  # some reporters of a message know its name, some do not
                blanks[at], data[at] = self._calls.copy(), _packed(messages[at])
        return _digests(blanks, data), rich

    def events(self, events: Sequence[Event]) -> Iterator[Digests]:
        """The digests of each event."""
        spoken = [event.input + event.output if event.output else event.input for event in events]
        digests, rich = self.messages(list(chain.from_iterable(spoken)))
        names = [_name(event) for event in events]
        left, start = deque(rich), 0
        for event, name, identity, messages in zip(
            events, names, self.identities(names), spoken, strict=True
        ):
            if not name:
                identity = ""
            if not messages:
                yield Digests(identity)
                continue
            end = start + len(messages)
            own = digests[start:end]
            if event.half == "log" and name:  # a span may have several log records
                identity = self.identity("\0".join((name, *own)))
            more = []
            while left and left[0] < end:
                more.append(left.popleft() - start)
            start = end
            yield Digests(identity, own, more)


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

    def read(self, event: Event, clock: float, digests: Digests | None = None) -> Seen:
        """Says what is new about an event, and remembers it.

        Marks an event that was seen before as a duplicate; two halves are two events. Without a
        conversation all messages are new.
        """
        digests = digests or next(self._digester.events((event,)))
        messages, rich = digests.messages, digests.rich
        identity = digests.identity if self._events else ""
        talks = event.session or event.trace_id
        if not identity and (not talks or not messages and not event.compacted):
            return _news(event, messages, rich, "")[0] if messages else Seen(event)
        place = self._digester.place(talks) if talks else LOOSE + identity[:2]
        conversation = self.conversations.touch(place, clock).value
        if identity:
            events = conversation.events
            if identity in events:
                force_setattr(event, "duplicate", True)
                return Seen(event)
            conversation.events = (
                events + identity if len(events) < self._events else events[SIZE:] + identity
            )
        if not messages and not event.compacted:
            return Seen(event)
        seen, known = _news(
            event, messages, rich, conversation.messages if talks and not event.compacted else ""
        )
        if talks:
            conversation.messages = known if len(known) <= self._messages else known[-self._messages :]
        return seen

    def place(self, conversation: str) -> str:
        """The key of a conversation: its name may be somebody's, and this is before the redact step."""
        return self._digester.place(conversation) if conversation else ""


def _name(event: Event) -> str:
    if event.span_id and event.trace_id:
        return f"{event.trace_id}\0{event.span_id}\0{event.kind}\0{event.half}"
    return f"{event.response_id}\0{event.kind}\0{event.half}" if event.response_id else ""


def _news(event: Event, digests: Sequence[str], rich: Sequence[int], known: str) -> tuple[Seen, str]:
    """What a conversation did not know, and what it knows from now on."""
    joined, border = "".join(digests), len(event.input)
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
    rich_input = tuple([at for at in rich if at < border and at in new])
    rich_output = tuple([at - border for at in rich if at >= border])
    return Seen(event, new_input, new_output, joined, (rich_input, rich_output)), known


def split(digests: str) -> list[str]:
    return [digests[at : at + SIZE] for at in range(0, len(digests), SIZE)]


def _unknown(known: str, digests: Sequence[str], joined: str) -> Sequence[int]:
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


def _encoded(texts: Sequence[str]) -> list[bytes]:
    try:
        return list(map(str.encode, texts))
    except UnicodeEncodeError:  # a decoder let a lone surrogate through
        return [text.encode("utf-8", "replace") for text in texts]


def _digests(blanks: Sequence[blake2b], data: Iterable[bytes]) -> list[str]:
    deque(map(blake2b.update, blanks, data), 0)
    return list(map(blake2b.hexdigest, blanks))
