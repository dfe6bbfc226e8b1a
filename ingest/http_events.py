"""`/events`: plain JSON, one document a line or all in one array. Each document is a record.

A line that is no JSON is kept like the others and goes to quarantine, where the operator sees it: shippers
drop a whole batch on a 400. Only a body without a single readable line is sent back.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import orjson

from ingest.http_message import Answer, Malformed, Parcel
from ingest.lenient import Unreadable, loads

_array = msgspec.json.Decoder(list[msgspec.Raw])
_whole = msgspec.json.Decoder(msgspec.Raw)


def parcel(body: bytes, limit: int) -> Parcel:
    """The documents of a body, each of at most `limit` bytes. Raises Malformed."""
    documents = _documents(body)
    kept = [document for document in documents if len(document) <= limit]
    refused = len(documents) - len(kept)
    message = f"{refused} larger than {limit} bytes: not kept" if refused else ""
    return Parcel(kept, len(kept), refused, message)


def accepted(found: Parcel) -> Answer:
    """How many are kept, and how many are not and why."""
    told = {"accepted": found.accepted, "rejected": found.rejected, "message": found.message}
    return Answer(200, orjson.dumps({name: value for name, value in told.items() if value or name[0] == "a"}))


def _documents(body: bytes) -> Sequence[bytes]:
    text = body.strip()
    if not text:
        return ()
    if text.startswith(b"["):
        array = _elements(text)
        if array is not None:
            return array
    elif _readable(text):
        return (text,)  # one document, on however many lines
    lines = [line for line in map(bytes.strip, text.split(b"\n")) if line]
    if not any(map(_readable, lines)):
        raise Malformed("neither JSON lines nor a JSON array")
    return lines


def _elements(text: bytes) -> Sequence[bytes] | None:
    """The elements of an array as they stand there; None: it is none."""
    try:
        return list(map(bytes, _array.decode(text)))
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        array = loads(text)
    except Unreadable:
        return None
    return [orjson.dumps(element) for element in array] if isinstance(array, list) else None


def _readable(text: bytes) -> bool:
    try:
        _whole.decode(text)
    except (msgspec.DecodeError, RecursionError):
        try:
            loads(text)
        except Unreadable:
            return False
    return True
