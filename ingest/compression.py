"""gzip and zstd, told by their first bytes, never expanded beyond a bound."""

from __future__ import annotations

import zlib
from typing import IO, Protocol, cast

import zstandard

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"


class Damaged(Exception):
    """Compressed bytes that do not expand."""


class TooLarge(Exception):
    """Compressed bytes that expand beyond the bound."""


class Stream(Protocol):
    """What is read from: bytes, until there are none."""

    def read(self, size: int, /) -> bytes: ...


def compressed(head: bytes) -> bool:
    """Whether bytes that begin like this are compressed."""
    return head[:2] == GZIP or head[:4] == ZSTD


def expand(data: bytes, limit: int) -> bytes:
    """The bytes inside, at most `limit`. Raises Damaged or TooLarge."""
    if data[:2] == GZIP:
        expander = zlib.decompressobj(wbits=31)
        try:
            expanded = expander.decompress(data, limit + 1)
        except zlib.error as error:
            raise Damaged(str(error)) from None
        complete = expander.eof
    else:
        expanded, complete = _expand_zstd(data, limit)
    if len(expanded) > limit:
        raise TooLarge(f"expands to more than {limit} bytes")
    if not complete:
        raise Damaged("ends in the middle")
    return expanded


def _expand_zstd(data: bytes, limit: int) -> tuple[bytes, bool]:
    try:
        size = zstandard.frame_content_size(data)
        if size > limit:
            raise TooLarge(f"expands to {size} bytes")
        with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(data) as reader:
            expanded = reader.read(limit + 1)
    except zstandard.ZstdError as error:
        raise Damaged(str(error)) from None
    return expanded, size < 0 or len(expanded) == size


class Gunzip:
    """A gzip stream, of any number of members, expanded as it is read."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._expander = zlib.decompressobj(wbits=31)
        self._waiting = b""
        self._inside = False  # a member

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the present end. Raises Damaged."""
        while True:
            if not self._waiting and not self._refill():
                return b""
            self._inside = True
            try:
                expanded = self._expander.decompress(self._waiting, size)
            except zlib.error as error:
                raise Damaged(str(error)) from None
            self._waiting = self._expander.unconsumed_tail or self._expander.unused_data
            if self._expander.eof:
                self._inside = False
                self._expander = zlib.decompressobj(wbits=31)
                if not self._waiting.strip(b"\0"):
                    self._waiting = b""
            if expanded:
                return expanded

    @property
    def unfinished(self) -> bool:
        """Whether the stream stands in the middle of a member: cut, or still being written."""
        return self._inside

    def _refill(self) -> bool:
        self._waiting = self._stream.read(1 << 16) or b""
        return bool(self._waiting)


class Unzstd:
    """A zstd stream, of any number of frames, expanded as it is read."""

    def __init__(self, stream: Stream) -> None:
        expander = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        self._reader = expander.stream_reader(cast(IO[bytes], stream), read_across_frames=True)

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end. Raises Damaged."""
        try:
            return self._reader.read(size)
        except zstandard.ZstdError as error:
            raise Damaged(str(error)) from None


def expanding(head: bytes, stream: Stream) -> Stream:
    """The stream as it is, or expanded where its first bytes say so."""
    if head[:2] == GZIP:
        return Gunzip(stream)
    return Unzstd(stream) if head[:4] == ZSTD else stream
