"""What goes in and out at the door, apart from how it travels."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson

from ingest.compression import Damaged, Gunzip, Stream, Unzstd

JSON, PROTOBUF = "application/json", "application/x-protobuf"
ENCODINGS = ("identity", "gzip", "x-gzip", "deflate", "zstd")
PIECE = 1 << 18

# google.rpc.Code, which senders find beside the message
_CODES = {400: 3, 401: 16, 403: 7, 404: 12, 405: 12, 408: 4, 413: 11, 415: 3, 429: 8, 431: 3, 503: 14}


class TooLong(Exception):
    """A body that is, or expands to, more than is taken."""


class Malformed(Exception):
    """A body that is not what its path and headers say."""


class Head(NamedTuple):
    """A request before its body. Names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def content_type(self) -> str:
        """Without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Answer(NamedTuple):
    """What is sent back."""

    code: int
    body: bytes = b""
    content_type: str = JSON
    headers: Sequence[tuple[str, str]] = ()


class Parcel(NamedTuple):
    """What a body held: records to be kept, and how many parts of it are refused."""

    records: Sequence[bytes]
    accepted: int = 0  # spans, log records or lines
    rejected: int = 0
    message: str = ""


def refusal(head: Head | None, code: int, message: str, *headers: tuple[str, str]) -> Answer:
    """A google.rpc.Status in the encoding of the request, as OTLP wants it."""
    status = _CODES.get(code, 2)
    if head is not None and head.content_type == PROTOBUF:
        return Answer(code, varint_field(1, status) + text_field(2, message), PROTOBUF, headers)
    return Answer(code, orjson.dumps({"code": status, "message": message}), JSON, headers)


def expanded(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its Content-Encoding. Raises TooLong, Malformed."""
    if not body or encoding == "identity":
        return body
    stream = _stream(body, encoding)
    pieces, size = [], 0
    try:
        while piece := stream.read(PIECE):
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise TooLong
    except Damaged as error:
        raise Malformed(f"Content-Encoding {encoding}: {error}") from None
    if getattr(stream, "unfinished", False):
        raise Malformed(f"Content-Encoding {encoding}: it ends in the middle")
    return b"".join(pieces)


def _stream(body: bytes, encoding: str) -> Stream:
    source = io.BytesIO(body)
    if encoding == "zstd":
        return Unzstd(source)
    return Gunzip(source) if "gzip" in encoding else Inflate(body)


class Inflate:
    """HTTP's `deflate`: zlib's format, or what some send by that name, the bare one."""

    def __init__(self, body: bytes) -> None:
        zlib_header = len(body) > 1 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0
        self._expander = zlib.decompressobj(wbits=15 if zlib_header else -15)
        self._waiting = body

    @property
    def unfinished(self) -> bool:
        """Whether the end is missing."""
        return not self._expander.eof

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end. Raises Damaged."""
        try:
            piece = self._expander.decompress(self._waiting, size)
        except zlib.error as error:
            raise Damaged(str(error)) from None
        self._waiting = self._expander.unconsumed_tail
        return piece


# Protobuf, as far as answers need it.


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes((*out, number))


def varint_field(field: int, number: int) -> bytes:
    """A number; zero is left out."""
    return varint(field << 3) + varint(number) if number else b""


def bytes_field(field: int, data: bytes) -> bytes:
    """Bytes, or a message."""
    return varint(field << 3 | 2) + varint(len(data)) + data


def text_field(field: int, text: str) -> bytes:
    """A text; an empty one is left out."""
    return bytes_field(field, text.encode()) if text else b""
