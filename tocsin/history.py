"""Which messages of an event are new in their conversation, and whether the event itself is."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

import msgspec

from tocsin.codec import Bytes
from tocsin.model import Event, Message
from tocsin.section import Section
from tocsin.settings import HistorySettings

SIZE = 8  # bytes of a digest
_BUCKETS = tuple(f"{number:03x}" for number in range(1024))
_pack = msgspec.msgpack.Encoder().encode


class Seen(NamedTuple):
    """An event with what its conversation knew of it: indexes of new messages, digests of all."""

    event: Event
    new_input: tuple[int, ...] = ()
    new_output: tuple[int, ...] = ()
    input_digests: bytes = b""
    output_digests: bytes = b""


class Digester:
    """Keyed digests of messages and identities: equal for equal ones, not to be guessed without the key."""

    def __init__(self, secret: str) -> None:
        key = blake2b(secret.encode(), digest_size=32, person=b"tocsin.history").digest()
        self._blank = blake2b(key=key, digest_size=SIZE)

    def digest(self, data: bytes) -> bytes:
        blank = self._blank.copy()
        blank.update(data)
        return blank.digest()

    def messages(self, messages: tuple[Message, ...]) -> list[bytes]:
        """One digest each, over role, text and calls: an edit gives another one."""
        copy = self._blank.copy
        digests = []
        for message in messages:
            blank = copy()
            blank.update(_packed(message))
            digests.append(blank.digest())
        return digests


class History:
    """What one group remembers of its conversations and its events."""

    __slots__ = ("_capacity", "_digester", "_room", "conversations", "duplicates")

    def __init__(self, settings: HistorySettings, digester: Digester) -> None:
        self._digester = digester
        self._capacity = settings.messages * SIZE
        self._room = -(-settings.duplicates // len(_BUCKETS)) * SIZE
        self.conversations = Section(
            "conversations", bytes, Bytes, limit=settings.conversations, idle=settings.idle_seconds
        )
        self.duplicates = Section("duplicates", bytes, Bytes, limit=len(_BUCKETS) * 2)

    def duplicate(self, event: Event, clock: float) -> bool:
        """Whether this very event was seen before; it is from now on. Two halves are two events."""
        if not self._room:
            return False
        if event.span_id and event.trace_id:
            identity = f"{event.trace_id}\0{event.span_id}\0{event.kind}\0{event.half}"
        elif event.response_id:
            identity = f"{event.response_id}\0{event.kind}\0{event.half}"
        else:
            return False
        digest = self._digester.digest(identity.encode("utf-8", "replace"))
        entry = self.duplicates.touch(_BUCKETS[(digest[0] << 2) | (digest[1] & 3)], clock)
        if holds(entry.value, digest):
            return True
        entry.value = (entry.value + digest)[-self._room :]
        return False

    def read(self, event: Event, conversation: str, clock: float) -> Seen:
        """Marks the messages that this conversation never held; without one all are new."""
        inputs, outputs = event.input, event.output
        if not inputs and not outputs and not event.compacted:
            return Seen(event)
        first, second = self._digester.messages(inputs), self._digester.messages(outputs)
        if not conversation:
            known, new_input = _unknown(b"", first)
            _, new_output = _unknown(known, second)
        else:
            entry = self.conversations.touch(conversation, clock)
            known, new_input = _unknown(b"" if event.compacted else entry.value, first)
            known, new_output = _unknown(known, second)
            entry.value = known[-self._capacity :]
        return Seen(event, new_input, new_output, b"".join(first), b"".join(second))


def holds(digests: bytes, digest: bytes) -> bool:
    """Whether `digest` is one of the joined `digests`."""
    at = digests.find(digest)
    while at > 0 and at % SIZE:
        at = digests.find(digest, at + 1)
    return at >= 0


def split(digests: bytes) -> list[bytes]:
    return [digests[at : at + SIZE] for at in range(0, len(digests), SIZE)]


def _unknown(known: bytes, digests: list[bytes]) -> tuple[bytes, tuple[int, ...]]:
    """`known` with the digests that were missing, and where those stand."""
    new: list[int] = []
    for index, digest in enumerate(digests):
        if not holds(known, digest):
            known += digest
            new.append(index)
    return known, tuple(new)


def _packed(message: Message) -> bytes:
    calls = message.tool_calls
    try:
        if not calls:
            return (
                f"{message.role}\0{len(message.tool_call_id)}\0{message.tool_call_id}{message.text}".encode()
            )
        return _pack((message.role, message.tool_call_id, message.text, calls))
    except UnicodeEncodeError:  # a decoder let a lone surrogate through
        return repr((message.role, message.tool_call_id, message.text, calls)).encode("ascii", "replace")
