"""Which messages of an event are new in their conversation, and whether the event itself is."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from tocsin.codec import Bytes
from tocsin.model import TRUST, Event, Message
from tocsin.section import Section
from tocsin.settings import HistorySettings

SIZE = 8  # bytes of a digest
_BUCKETS = tuple(f"{number:03x}" for number in range(1024))
_pack = msgspec.msgpack.Encoder().encode


class Seen(NamedTuple):
    """An event with what its conversation knew of it."""

    event: Event
    new_input: tuple[int, ...] = ()  # indexes of messages that the conversation never held
    new_output: tuple[int, ...] = ()
    digests: bytes = b""  # of all input messages, then of all output messages


class Digester:
    """Keyed digests of messages and identities: equal for equal ones, not to be guessed without the key."""

    def __init__(self, secret: str) -> None:
        key = blake2b(secret.encode(), digest_size=32, person=b"tocsin.history").digest()

        def blank(person: str) -> blake2b:
            return blake2b(key=key, digest_size=SIZE, person=person.encode())

        self._identity, self._calls = blank("identity"), blank("calls")
        self._roles = {role: blank(role) for role in TRUST}
        self.fingerprint = self.identity("").hex()

    def identity(self, text: str) -> bytes:
        blank = self._identity.copy()
        blank.update(text.encode("utf-8", "replace"))
        return blank.digest()

    def messages(self, messages: Iterable[Message]) -> list[bytes]:
        """One digest each, over role, text and calls: an edit gives another one."""
        roles, digests = self._roles, []
        for message in messages:
            if message.tool_calls or message.tool_call_id:
                blank = self._calls.copy()
                blank.update(_packed(message))
            else:
                blank = roles[message.role].copy()
                blank.update(message.text.encode("utf-8", "replace"))
            digests.append(blank.digest())
        return digests


class History:
    """What one group remembers of its conversations and its events."""

    __slots__ = ("_capacity", "_digester", "_room", "conversations", "duplicates")

    def __init__(self, settings: HistorySettings, digester: Digester) -> None:
        self._digester = digester
        self._capacity = settings.messages * SIZE
        self._room = -(-settings.duplicates // len(_BUCKETS)) * SIZE
        self.conversations = Section(bytes, Bytes, limit=settings.conversations, idle=settings.idle_seconds)
        self.duplicates = Section(bytes, Bytes, limit=len(_BUCKETS) * 2)

    def duplicate(self, event: Event, clock: float) -> bool:
        """Whether this very event was seen before; it is from now on. Two halves are two events."""
        if event.span_id and event.trace_id:
            identity = f"{event.trace_id}\0{event.span_id}\0{event.kind}\0{event.half}"
        elif event.response_id:
            identity = f"{event.response_id}\0{event.kind}\0{event.half}"
        else:
            return False
        if not self._room:
            return False
        digest = self._digester.identity(identity)
        entry = self.duplicates.touch(_BUCKETS[(digest[0] << 2) | (digest[1] & 3)], clock)
        known = entry.value
        if _holds(known, digest):
            return True
        entry.value = known + digest if len(known) < self._room else known[SIZE:] + digest
        return False

    def read(self, event: Event, conversation: str, clock: float) -> Seen:
        """Marks the messages that this conversation never held; without one all are new."""
        inputs, outputs = event.input, event.output
        if not inputs and not outputs and not event.compacted:
            return Seen(event)
        digests = self._digester.messages(inputs + outputs)
        if not conversation:
            _, new = _unknown(b"", digests)
        else:
            entry = self.conversations.touch(conversation, clock)
            known, new = _unknown(b"" if event.compacted else entry.value, digests)
            entry.value = known if len(known) <= self._capacity else known[-self._capacity :]
        border = len(inputs)
        new_input = tuple([at for at in new if at < border])
        new_output = tuple([at - border for at in new if at >= border])
        return Seen(event, new_input, new_output, b"".join(digests))


def split(digests: bytes) -> list[bytes]:
    return [digests[at : at + SIZE] for at in range(0, len(digests), SIZE)]


def _unknown(known: bytes, digests: list[bytes]) -> tuple[bytes, list[int]]:
    """`known` with the digests that were missing, and where those stand."""
    repeated = 0
    if known and b"".join(digests[: len(known) // SIZE]) == known:  # a call repeats its conversation in order
        repeated = len(known) // SIZE
    new: dict[bytes, int] = {}
    for at in range(repeated, len(digests)):
        digest = digests[at]
        if digest not in new and (digest not in known or not _holds(known, digest)):
            new[digest] = at
    return known + b"".join(new), list(new.values())


def _holds(digests: bytes, digest: bytes) -> bool:
    """Whether `digest` is one of the joined `digests`."""
    at = digests.find(digest)
    while at > 0 and at % SIZE:
        at = digests.find(digest, at + 1)
    return at >= 0


def _packed(message: Message) -> bytes:
    parts = (message.role, message.tool_call_id, message.text, message.tool_calls)
    try:
        return _pack(parts)
    except UnicodeEncodeError:  # a decoder let a lone surrogate through
        return ascii(parts).encode()
