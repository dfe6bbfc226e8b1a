"""Frames: how the items of many source records travel together through the exchange.

A frame is one Kafka record: a header of two bytes and a msgpack array of events and rejects. It
belongs to one exchange partition, may mix groups, and keeps the order of its source. A frame without
items is a tick: it only brings its arrival time.

    byte 0   version of the format, now 1
    byte 1   flags: 1 = backfill, older than the first start; 2 = what follows is compressed and sealed

A sealed frame opens in its own partition alone, with its own flags. Plain frames are read whether or not
there are keys, so that encryption can be switched on while some wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec
import zstandard

from tocsin.model import Event, Partition, Record, Reject
from tocsin.plan import Unpacked

if TYPE_CHECKING:
    from tocsin.sealing import Keys

VERSION: Final = 1
BACKFILL: Final = 1
SEALED: Final = 2
ITEMS = 64  # of one frame
BYTES = 256 << 10  # at which a frame is closed; one larger item has a frame to itself
LIMIT = 1_500_000  # bytes of a frame at most; the exchange topic takes 2 MiB
ITEM_LIMIT = LIMIT - 8
TICK = bytes((VERSION, 0, 0x90))

_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(list[Event | Reject])


class Framer:
    """Collects the items of one exchange partition into frames."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._backfill = False

    def add(self, item: Event | Reject, backfill: bool = False) -> bytes | None:
        """Take an item; the frame before it, where this one no longer belongs into that."""
        part = _part(item)
        parts = self._parts
        full = len(parts) >= ITEMS or self._size + len(part) > BYTES or backfill is not self._backfill
        frame = self.close() if parts and full else None
        self._backfill = backfill
        self._parts.append(part)
        self._size += len(part)
        return frame

    def close(self) -> bytes | None:
        """The frame of what was collected; None: nothing was."""
        if not self._parts:
            return None
        frame = b"".join((_head(len(self._parts), self._backfill), *self._parts))
        self._parts, self._size = [], 0
        return frame


def frames(items: Sequence[Event | Reject], backfill: bool = False) -> Iterator[bytes]:
    """The items in as few frames as they fit into."""
    framer = Framer()
    for item in items:
        if frame := framer.add(item, backfill):
            yield frame
    if frame := framer.close():
        yield frame


class Sealer:
    """Seals frames; one thread uses it. They are compressed before: afterwards nothing can."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._compress = zstandard.ZstdCompressor(level=1).compress

    def __call__(self, frame: bytes, partition: Partition) -> bytes:
        """The frame as it may lie in this partition."""
        head = bytes((frame[0], frame[1] | SEALED))
        return head + self._keys.seal(self._compress(memoryview(frame)[2:]), _place(head, partition))


class Opener:
    """What exchange records hold; one thread uses it.

    A frame that cannot be read becomes one reject. Raises NoKey where only the key of a sealed one is
    missing: nothing is wrong with the frame then.
    """

    def __init__(self, keys: Keys | None = None) -> None:
        self._keys = keys
        self._expand = zstandard.ZstdDecompressor().decompress

    def __call__(self, record: Record) -> Unpacked:
        """The items in their order."""
        value = record.value
        try:
            version, flags = value[0], value[1]
            if version != VERSION or flags & ~(BACKFILL | SEALED):
                raise ValueError(
                    f"frame version {version}, flags {flags}: made by a newer Tocsin, or no frame"
                )
            items: Sequence[Event | Reject] = _decoder.decode(
                self._opened(record) if flags & SEALED else memoryview(value)[2:]
            )
        except (ValueError, IndexError, RecursionError, OverflowError) as error:
            items, flags = [_corrupt(record, error)], 0
        return Unpacked(
            record.offset, record.next_offset, record.arrival, items, len(value), bool(flags & BACKFILL)
        )

    def _opened(self, record: Record) -> bytes:
        from tocsin import sealing  # where nothing is sealed, its library is not loaded

        head, sealed = record.value[:2], record.value[2:]
        try:
            packed = sealing.opened(self._keys, sealed, _place(head, record.partition))
            return self._expand(packed, max_output_size=2 * LIMIT)
        except (sealing.Unsound, zstandard.ZstdError) as error:
            raise ValueError(str(error)) from None


unpack = Opener()  # of plain frames


def _place(head: bytes, partition: Partition) -> str:
    """What a sealed frame is bound to."""
    return f"frame {head.hex()} of {partition.name}/{partition.number}"


def _part(item: Event | Reject) -> bytes:
    try:
        part = _encode(item)
    except (ValueError, OverflowError, RecursionError) as error:
        # A lone surrogate or a number that no format holds, let through by a decoder.
        return _encode(_refused(item, "invalid", f"cannot be written: {type(error).__name__}", b""))
    if len(part) <= ITEM_LIMIT:
        return part
    detail = f"{len(part)} bytes as an exchange item, at most {ITEM_LIMIT} fit a frame"
    return _encode(_refused(item, "too_large", detail, part))


def _head(count: int, backfill: bool) -> bytes:
    array = bytes((0x90 | count,)) if count < 16 else b"\xdc" + count.to_bytes(2, "big")
    return bytes((VERSION, BACKFILL if backfill else 0)) + array


def _refused(item: Event | Reject, reason: str, detail: str, part: bytes) -> Reject:
    return Reject(
        reason=reason,
        detail=detail,
        size=len(part),
        sha256=sha256(part).hexdigest() if part else "",
        source=item.source,
        source_partition=item.source_partition,
        source_offset=item.source_offset,
        source_index=item.source_index,
        tenant=item.tenant.encode(errors="replace").decode(),
    )


def _corrupt(record: Record, error: Exception) -> Reject:
    return Reject(
        reason="undecodable",
        detail=f"exchange frame: {str(error)[:200]}",
        size=len(record.value),
        sha256=sha256(record.value).hexdigest(),
        source=record.partition.name,
        source_partition=record.partition.number,
        source_offset=record.offset,
    )
