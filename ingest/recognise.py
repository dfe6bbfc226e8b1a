"""Which format a record is in: told by the record alone, layer by layer.

The leaf formats stand in `LEAVES`; the first whose fingerprint fits reads the document. Nothing is
remembered from one record to the next, so what a record becomes never depends on its neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from msgspec.structs import force_setattr

from ingest import otlp
from ingest.compression import Damaged, TooLarge, compressed, expand
from ingest.lenient import Unreadable, loads
from ingest.native import MARK, NativeDecoder
from ingest.otlp import OtlpDecoder
from ingest.times import epoch
from tocsin.model import Decoded, Event, Reject
from tocsin.settings import LimitSettings

UNWRAPS = 3  # how many envelopes are opened
SHAPE_KEYS = 12
_TRACES = b'{"resourceSpans":'
_USUAL = b'{"tocsin":1,'
_NATIVE = re.compile(rb'\s{0,8}\{\s{0,8}"tocsin"')
_CARRIERS = ("log", "message", "msg", "body")
_ENVELOPE_TIMES = ("@timestamp", "timestamp", "time", "date")


class Leaf(Protocol):
    """A format whose documents are read once they are parsed."""

    name: str

    def read(self, document: Any) -> Decoded: ...


class Fingerprint(NamedTuple):
    """A leaf format and how its documents are told from others."""

    fits: Callable[[dict[str, Any]], bool]
    leaf: Callable[[LimitSettings], Leaf]


LEAVES: tuple[Fingerprint, ...] = (
    Fingerprint(otlp.recognises, OtlpDecoder),
    Fingerprint(lambda document: MARK in document, NativeDecoder),
)


class Recogniser:
    """Decodes records of any known format."""

    name = "auto"

    def __init__(self, limits: LimitSettings | None = None) -> None:
        self._limits = limits or LimitSettings()
        self._native = NativeDecoder(self._limits)
        self._otlp = OtlpDecoder(self._limits)
        self._leaves = [(mark.fits, mark.leaf(self._limits)) for mark in LEAVES]

    def decode(self, value: bytes) -> Decoded:
        if value.startswith(_USUAL) or _NATIVE.match(value):
            return self._native.decode(value)
        if value.startswith(_TRACES):
            return self._otlp.decode(value)
        if compressed(value):
            return self._expanded(value)
        try:
            document = loads(value)
        except Unreadable as error:
            return Decoded((error.reject(),))
        return self._document(document, UNWRAPS)

    def _expanded(self, value: bytes) -> Decoded:
        try:
            inner = expand(value, self._limits.record_bytes)
        except TooLarge as error:
            return Decoded((Reject(reason="too_large", detail=str(error)),))
        except Damaged as error:
            return Decoded((Reject(reason="undecodable", detail=f"compressed: {error}"[:200]),))
        if compressed(inner):
            return Decoded((Reject(reason="undecodable", detail="compressed twice"),))
        return self.decode(inner)

    def _document(self, document: Any, unwraps: int) -> Decoded:
        if isinstance(document, list):
            return self._each(document, unwraps)
        if not isinstance(document, dict):
            return Decoded((_unrecognised(type(document).__name__),))
        for fits, leaf in self._leaves:
            if fits(document):
                return leaf.read(document)
        records = document.get("records")
        if isinstance(records, list) and unwraps:  # Azure's diagnostic settings
            return self._each(records, unwraps - 1)
        inner = _unwrapped(document) if unwraps else None
        if inner is None:
            return Decoded((_unrecognised(shape(document)),))
        return _enveloped(self._document(inner, unwraps - 1), document)

    def _each(self, documents: Sequence[Any], unwraps: int) -> Decoded:
        if not unwraps:
            return Decoded((_unrecognised("list"),))
        items: list[Event | Reject] = []
        ignored = 0
        for document in documents:
            if len(items) >= self._limits.events_per_record:
                items.append(Reject(reason="too_many", detail=f"more than {len(items)} events in one record"))
                break
            found = self._document(document, unwraps - 1)
            items.extend(found.items)
            ignored += found.ignored
        return Decoded(items, ignored)


def _unwrapped(envelope: Mapping[str, Any]) -> Any:
    """The document that a shipper put into an envelope, as JSON text or already parsed; None: none."""
    event = envelope.get("event")
    original = event.get("original") if isinstance(event, dict) else envelope.get("event.original")
    for carried in (original, *(envelope.get(name) for name in _CARRIERS)):
        if isinstance(carried, str) and carried.lstrip()[:1] in ("{", "["):
            try:
                return loads(carried.encode("utf-8", "replace"))
            except Unreadable:
                continue
        if isinstance(carried, dict | list) and _known(carried):
            return carried
    return None


def _known(carried: Any) -> bool:
    if isinstance(carried, list):
        return bool(carried) and _known(carried[0])
    return isinstance(carried, dict) and any(mark.fits(carried) for mark in LEAVES)


def _enveloped(decoded: Decoded, envelope: Mapping[str, Any]) -> Decoded:
    """Events take the envelope's time where they have none, and keep its plain text fields."""
    time = next((time for name in _ENVELOPE_TIMES if (time := epoch(envelope.get(name)))), None)
    own = {
        f"shipper.{name}"[:64]: value[:256]
        for name, value in list(envelope.items())[:16]
        if isinstance(value, str) and name not in (*_CARRIERS, *_ENVELOPE_TIMES, "event.original")
    }
    for item in decoded.items:
        if isinstance(item, Event):
            if time is not None and not item.time:
                force_setattr(item, "time", time)
            if own:
                force_setattr(item, "attributes", own | item.attributes)
    return decoded


def _unrecognised(what: str) -> Reject:
    return Reject(reason="unrecognised", detail="of no known format", shape=what)


def shape(document: Mapping[str, Any]) -> str:
    """The sorted top-level keys, few and short, so that unknown records can be counted by kind."""
    keys = sorted(key[:40] for key in list(document)[:200])
    more = ["..."] if len(keys) > SHAPE_KEYS else []
    return ",".join([*keys[:SHAPE_KEYS], *more])
