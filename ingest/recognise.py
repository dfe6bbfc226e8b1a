"""Recognition, record by record: compression, arrays and shippers' envelopes are taken off until a
known format is left.

    bytes -> gzip, zstd -> JSON -> array | {"records": []} | OTLP | native | envelope -> ...

What decides is the record alone, never the ones before it.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import zstandard
from msgspec.structs import force_setattr

from ingest.lenient import Unreadable, loads
from ingest.native import MARK, NativeDecoder
from ingest.otlp import OtlpDecoder, recognises
from ingest.times import epoch
from tocsin.model import Decoded, Event, Reject
from tocsin.settings import LimitSettings

LAYERS = 3  # of compression and envelopes, one inside the other
SHAPE_KEYS, SHAPE_CHARACTERS = 24, 200
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"

_NATIVE = b'{"tocsin":'
_TEXTS = ("log", "message", "msg", "body", "event.original")
_TIMES = ("@timestamp", "timestamp", "time")
_BLANK = b" \t\r\n\xef\xbb\xbf"


class Recogniser:
    """The decoder `auto`: every format that is known here, in whatever it is wrapped."""

    name = "auto"

    def __init__(self, limits: LimitSettings | None = None) -> None:
        self._limits = limits or LimitSettings()
        self._native = NativeDecoder(self._limits)
        self._otlp = OtlpDecoder(self._limits)

    def decode(self, value: bytes) -> Decoded:
        if value.startswith(_NATIVE):
            return _named(self._native.decode(value), self._native.name)
        return self._bytes(value, LAYERS)

    def _bytes(self, value: bytes, layers: int) -> Decoded:
        if value.startswith((GZIP, ZSTD)):
            return self._compressed(value, layers)
        if value.lstrip(_BLANK)[:1] not in (b"{", b"["):
            return _rejected("undecodable", "neither JSON nor a compression that is known")
        try:
            document = loads(value)
        except Unreadable as error:
            return Decoded((error.reject(),))
        if isinstance(document, dict) and MARK in document:
            return _named(self._native.decode(value), self._native.name)
        return self._document(document, layers)

    def _compressed(self, value: bytes, layers: int) -> Decoded:
        if not layers:
            return _rejected("too_deep", f"more than {LAYERS} layers")
        try:
            plain = _decompressed(value, self._limits.record_bytes)
        except (zlib.error, zstandard.ZstdError, EOFError) as error:
            return _rejected("undecodable", f"broken compression: {type(error).__name__}")
        if plain is None:
            return _rejected("too_large", "decompresses to more than limits.record_bytes")
        return self._bytes(plain, layers - 1)

    def _document(self, document: Any, layers: int) -> Decoded:
        if isinstance(document, list):
            return self._many(document, layers)
        if not isinstance(document, dict):
            return _rejected("unrecognised", f"JSON, but a bare {type(document).__name__}")
        if recognises(document):
            return _named(self._otlp.read(document), self._otlp.name)
        if MARK in document:
            return _named(self._native.read(document), self._native.name)
        records = document.get("records")
        if isinstance(records, list):
            return self._many(records, layers)
        return self._envelope(document, layers)

    def _many(self, documents: Sequence[Any], layers: int) -> Decoded:
        items: list[Event | Reject] = []
        ignored = 0
        room = self._limits.events_per_record
        for number, document in enumerate(documents):
            if len(items) >= room:
                detail = f"{len(documents) - number} elements of an array were not read"
                items.append(Reject(reason="too_many", detail=detail))
                break
            decoded = self._document(document, layers) if layers else _TOO_DEEP
            items += decoded.items
            ignored += decoded.ignored
        return Decoded(items, ignored)

    def _envelope(self, document: dict[str, Any], layers: int) -> Decoded:
        """A shipper's record around JSON text; its own fields stay with what was inside."""
        for name in _TEXTS:
            text = _inner(document, name)
            if text is None:
                continue
            if not layers:
                return _TOO_DEEP
            decoded = self._bytes(text.encode("utf-8", "replace"), layers - 1)
            _keep(document, name, decoded.items)
            return decoded
        reject = Reject(reason="unrecognised", detail="JSON of no known shape", shape=shape_of(document))
        return Decoded((reject,))


def shape_of(document: dict[str, Any]) -> str:
    """The top-level keys, sorted: records of one unknown kind have one shape."""
    names = sorted(str(name)[:40] for name in list(document)[: 4 * SHAPE_KEYS])[:SHAPE_KEYS]
    return ",".join(names)[:SHAPE_CHARACTERS]


def _inner(document: dict[str, Any], name: str) -> str | None:
    """JSON text in a field, whose dots may be levels."""
    value: Any = document.get(name)
    if value is None and "." in name:
        first, _, rest = name.partition(".")
        inside = document.get(first)
        value = inside.get(rest) if isinstance(inside, dict) else None
    if isinstance(value, dict) and (MARK in value or recognises(value)):
        return None
    return value if isinstance(value, str) and value.lstrip()[:1] in ("{", "[") else None


def _keep(envelope: dict[str, Any], inner: str, items: Iterable[Event | Reject]) -> None:
    time = next((found for name in _TIMES if (found := epoch(envelope.get(name)))), None)
    extra = {
        f"shipper.{name}"[:64]: value[:256]
        for name, value in list(envelope.items())[:16]
        if isinstance(value, str) and name != inner and name not in _TIMES
    }
    for item in items:
        if isinstance(item, Event):
            if time and not item.time:
                force_setattr(item, "time", time)
            if extra:
                force_setattr(item, "attributes", extra | item.attributes)


def _decompressed(value: bytes, most: int) -> bytes | None:
    """At most `most` bytes; None where there are more."""
    if value.startswith(ZSTD):
        reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(value), read_across_frames=True)
        plain = reader.read(most + 1)
    else:
        inflate = zlib.decompressobj(wbits=31)
        plain = inflate.decompress(value, most + 1)
        if not inflate.eof and len(plain) <= most:
            raise EOFError
    return plain if len(plain) <= most else None


def _named(decoded: Decoded, name: str) -> Decoded:
    for item in decoded.items:
        if isinstance(item, Event):
            force_setattr(item, "source_format", name)
    return decoded


def _rejected(reason: str, detail: str) -> Decoded:
    return Decoded((Reject(reason=reason, detail=detail),))


_TOO_DEEP = _rejected("too_deep", f"more than {LAYERS} layers of envelopes")
