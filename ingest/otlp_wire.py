"""Which export request bytes are, if they are one: read from the wire, without any library.

Requests for traces, logs and metrics share the numbers of their outer fields, and nothing in them names
them: the first span, log record or metric tells by its fields. Fields may stand in any order.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Literal

Signal = Literal["", "traces", "logs", "metrics"]
Field = tuple[int, int, int, int]  # number, wire type, begin, end

_VARINT, _I64, _LEN, _I32 = 0, 1, 2, 5
_LOOK = 4096  # fields looked at of one message
# Fields that only one of the three has, with their wire types.
_SPAN = frozenset(((4, _LEN), (6, _VARINT), (7, _I64), (8, _I64), (13, _LEN), (15, _LEN), (16, _I32)))
_LOG = frozenset(((1, _I64), (2, _VARINT), (6, _LEN), (8, _I32), (11, _I64)))
_METRIC = frozenset((5, 7, 9, 10, 11))  # gauge, sum, histogram, exponential histogram, summary


class Broken(Exception):
    """Bytes that are no protobuf message."""


def signal_of(value: bytes) -> Signal:
    """What an export request carries; "" where the bytes are none, or hold nothing at all."""
    if not value.startswith(b"\n"):  # the tag of the only field that a request has
        return ""
    try:
        for record in _inner(value, 0, len(value), (1, 2, 2)):
            return _told_by(value, record)
    except Broken:
        pass
    return ""


def _inner(value: bytes, begin: int, end: int, path: tuple[int, ...]) -> Iterator[Field]:
    """Messages at the end of a path of field numbers, in order."""
    for field in fields(value, begin, end):
        if field[0] == path[0]:
            if field[1] != _LEN:
                raise Broken
            if len(path) == 1:
                yield field
            else:
                yield from _inner(value, field[2], field[3], path[1:])


def _told_by(value: bytes, record: Field) -> Signal:
    sizes: dict[int, int] = {}
    for number, wire, begin, end in islice(fields(value, record[2], record[3]), _LOOK):
        if (number, wire) in _SPAN:
            return "traces"
        if (number, wire) in _LOG:
            return "logs"
        if wire == _LEN:
            sizes[number] = end - begin
    if sizes.get(1) == 16 and sizes.get(2) == 8:  # the ids of a span that has nothing else
        return "traces"
    if 1 in sizes:
        return "metrics" if _METRIC & sizes.keys() else ""
    return "logs" if 5 in sizes else ""


def fields(value: bytes, begin: int, end: int) -> Iterator[Field]:
    """The fields of a message. Raises Broken."""
    while begin < end:
        tag, begin = _varint(value, begin, end)
        wire = tag & 7
        if wire == _LEN:
            size, begin = _varint(value, begin, end)
        elif wire == _VARINT:
            size = _varint(value, begin, end)[1] - begin
        else:
            size = {_I64: 8, _I32: 4}.get(wire, -1)
        if size < 0 or begin + size > end or tag < 8:
            raise Broken
        yield tag >> 3, wire, begin, begin + size
        begin += size


def _varint(value: bytes, begin: int, end: int) -> tuple[int, int]:
    """A number, and where it ends."""
    number = shift = 0
    while begin < end and shift < 70:
        byte = value[begin]
        begin += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, begin
        shift += 7
    raise Broken
