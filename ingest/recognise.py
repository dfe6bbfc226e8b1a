"""Which format a record is in: told by the record alone, layer by layer.

Layers (compression, lines, arrays, envelopes) are opened until a document is found whose fingerprint
is known. What a record becomes never depends on the records before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from msgspec.structs import force_setattr

from ingest import DECODERS, otlp
from ingest.compression import GZIP, Damaged, TooLarge, compressed, expand
from ingest.envelopes import Opened, Part, opened
from ingest.fingerprints import Format, Formats
from ingest.leaf import Leaf
from ingest.lenient import Unreadable, loads
from ingest.mapping import Mapped, MappingSettings
from ingest.native import MARK, NativeDecoder
from ingest.otlp import OtlpDecoder
from ingest.otlp_proto import OtlpProtoDecoder, looks_like
from ingest.prefixes import behind, several
from ingest.surroundings import Surroundings, time_of
from ingest.walk import Walk
from tocsin import registry
from tocsin.contracts import Decoder
from tocsin.model import Decoded, Event, Reject
from tocsin.settings import LimitSettings

AUTO = "auto"
UNWRAPS = 3  # how many envelopes are opened, one inside the other
OBJECTS = 32_768  # JSON objects in one document of a leaf format: each costs its reader some microseconds
SHAPE_KEYS = 12
LEAVES = tuple(name for name in DECODERS if name != AUTO)  # the order in which formats are asked
_TRACES = b'{"resourceSpans":'
_USUAL = b'{"tocsin":1,'
_NATIVE = re.compile(rb'\s{0,8}\{\s{0,8}"tocsin"')

Json = dict[str, Any]


class Recognition(NamedTuple):
    """What a record turned out to be."""

    layers: Sequence[str]  # outermost first, each once
    parsers: Sequence[str]  # formats that read its documents
    items: Sequence[Event | Reject]
    ignored: int = 0


class Recogniser:
    """Decodes records of any known format, or of one that is forced."""

    def __init__(
        self,
        limits: LimitSettings | None = None,
        mappings: Mapping[str, MappingSettings] | None = None,
        only: str = "",
    ) -> None:
        self.name = only or AUTO
        self._limits = limits or LimitSettings()
        self._native = NativeDecoder(self._limits) if only in ("", "native") else None
        self._otlp = OtlpDecoder(self._limits) if only in ("", "otlp") else None
        self._proto = OtlpProtoDecoder(self._limits) if only in ("", "otlp", "otlp_proto") else None
        self._formats = Formats(self._made(mappings or {}, only))

    def _made(self, mappings: Mapping[str, MappingSettings], only: str) -> list[Format]:
        made: list[Format] = []
        if self._native:
            made.append(
                Format("native", lambda document: MARK in document, self._native.read, frozenset((MARK,)))
            )
        if self._otlp:
            made.append(Format("otlp", otlp.recognises, self._otlp.read, frozenset(otlp.ROOTS)))
        for name, settings in mappings.items():
            if only in ("", name):
                mapped = Mapped(name, settings, self._limits)
                made.append(Format(name, mapped.fits, mapped.read, mapped.marks))
        for name in LEAVES:
            cls = registry.resolve(DECODERS[name]) if only in ("", name) else None
            if isinstance(cls, type) and issubclass(cls, Leaf):
                leaf = cls(self._limits)
                made.append(
                    Format(
                        name, cls.fits, leaf.safely, cls.marks, cls.family, cls.kin if cls.family else None
                    )
                )
        return made

    def decode(self, value: bytes) -> Decoded:
        """What the record holds."""
        if self._native and value.startswith(_USUAL) and len(value) <= OBJECTS:
            found = self._native.decode(value)  # one event a record: each step counts
            if type(found.items[0]) is Event:
                return found
        usual = self._usual(value)
        if usual is not None:
            return usual[1]
        walk = Walk(self._limits)
        self._unusual(value, walk, UNWRAPS)
        walk.end()
        return Decoded(walk.items, walk.ignored)

    def look(self, value: bytes) -> Recognition:
        """The same, with the layers and the formats that were told."""
        walk = Walk(self._limits)
        self._bytes(value, walk, UNWRAPS)
        walk.end()
        return Recognition(tuple(walk.layers), tuple(walk.parsers), walk.items, walk.ignored)

    def _usual(self, value: bytes) -> tuple[str, Decoded] | None:
        """What most records are is told by their first bytes; None: it takes a closer look."""
        native = self._native and (value.startswith(_USUAL) or _NATIVE.match(value))
        if native and len(value) > OBJECTS and value.count(b"{") > OBJECTS:
            return None
        if self._native and native:
            name, found = "native", self._native.decode(value)
        elif self._otlp and value.startswith(_TRACES):
            name, found = "otlp", self._otlp.decode(value)
        elif self._proto and looks_like(value):
            return "otlp_proto", self._proto.decode(value)
        else:
            return None
        if len(found.items) == 1 and _undecodable(found.items[0]):  # several on lines, perhaps
            return None
        return name, found

    # From the outside in.

    def _bytes(self, value: bytes, walk: Walk, unwraps: int) -> None:
        usual = self._usual(value)
        if usual is None:
            return self._unusual(value, walk, unwraps)
        if usual[0] == "otlp_proto":
            walk.layer("protobuf")
        return walk.add(*usual)

    def _unusual(self, value: bytes, walk: Walk, unwraps: int) -> None:
        if compressed(value):
            self._expanded(value, walk, unwraps)
        else:
            self._text(value, walk, unwraps)

    def _expanded(self, value: bytes, walk: Walk, unwraps: int) -> None:
        walk.layer("gzip" if value.startswith(GZIP) else "zstd")
        try:
            inner = expand(value, walk.room)
        except TooLarge as error:
            return walk.refuse("too_large", str(error))
        except Damaged as error:
            return walk.refuse("undecodable", f"compressed: {error}"[:200])
        walk.room -= len(inner)
        if compressed(inner):
            return walk.refuse("undecodable", "compressed twice")
        return self._bytes(inner, walk, unwraps)

    def _text(self, text: bytes, walk: Walk, unwraps: int) -> None:
        """One document, or one on each line, or one behind words."""
        walk.dense = walk.dense or text.count(b"{") > OBJECTS
        try:
            document = loads(text)
        except Unreadable as error:
            if error.reason == "too_deep" or not self._loose(text, walk, unwraps):
                walk.items.append(error.reject())
        else:
            self._document(document, walk, unwraps)

    def _loose(self, text: bytes, walk: Walk, unwraps: int) -> bool:
        """Whether text that is no document holds some."""
        text = text.strip()
        first, _, rest = text.partition(b"\n")
        pieces = text.split(b"\n") if rest and (_json(first) or behind(first)) else several(text)
        if len(pieces) > 1:
            walk.layer("lines")
            for piece in map(bytes.strip, pieces):
                if walk.full():
                    break
                if piece:
                    self._bytes(piece, walk, unwraps)
            return True
        found = behind(first) if unwraps and not rest else None
        if found is not None:
            self._carried(Opened(found.name, (Part(found.document),)), found.said, walk, unwraps)
        return found is not None

    def _document(self, document: Any, walk: Walk, unwraps: int) -> None:
        if isinstance(document, list):
            return self._each("array", document, walk, unwraps)
        if not isinstance(document, dict):
            return walk.unrecognised(type(document).__name__)
        leaf = self._formats.of(document)
        if leaf is not None:
            return self._leaf(leaf, document, walk)
        envelope = opened(document, lambda carried: self._known(carried, walk)) if unwraps else None
        if envelope is not None:
            return self._carried(envelope, document, walk, unwraps)
        records = document.get("records")
        if isinstance(records, list):  # Azure's diagnostic settings
            return self._each("records", records, walk, unwraps)
        return walk.stranger(shape(document))

    def _each(self, layer: str, documents: Sequence[Any], walk: Walk, unwraps: int) -> None:
        walk.layer(layer)
        for document in documents:
            if walk.full():
                break
            if isinstance(document, dict):
                self._document(document, walk, unwraps)
            elif isinstance(document, list) and unwraps:
                self._document(document, walk, unwraps - 1)
            else:
                walk.unrecognised(type(document).__name__)

    def _carried(self, envelope: Opened, around: Json, walk: Walk, unwraps: int) -> None:
        """What is in an envelope, dressed with what stands around it."""
        walk.layer(f"envelope:{envelope.name}")
        if not envelope.parts:
            walk.ignored += 1
        outer: Surroundings | None = None
        for part in envelope.parts:
            if walk.full():
                break
            before = len(walk.items)
            self._part(part.carried, around, walk, unwraps - 1)
            events = [item for item in walk.items[before:] if isinstance(item, Event)]
            if events:
                outer = outer or Surroundings(around, envelope.keys)
                inner = Surroundings(part.said) if part.said else None
                for event in events:
                    if inner:
                        inner.dress(event, self._limits)
                    outer.dress(event, self._limits)

    def _part(self, carried: Any, around: Json, walk: Walk, unwraps: int) -> None:
        if isinstance(carried, bytes):
            self._bytes(carried, walk, unwraps)
        elif isinstance(carried, dict | list):
            self._document(carried, walk, unwraps)
        elif isinstance(carried, str) and ("{" in carried or "[" in carried):
            before = len(walk.items)
            self._text(carried.encode("utf-8", "replace"), walk, unwraps)
            if len(walk.items) == before + 1 and _undecodable(walk.items[before]):
                walk.items.pop()  # a line that only looked like JSON: the record itself was sound
                walk.unrecognised(shape(around))
        else:
            walk.unrecognised(shape(around))

    # The leaf.

    def _known(self, carried: Any, walk: Walk) -> bool:
        if isinstance(carried, list):
            carried = carried[0] if carried else None
        if not isinstance(carried, dict):
            return False
        known = self._formats.of(carried) is not None
        if not known:
            walk.strangers += 1
        return known

    def _leaf(self, leaf: Format, document: Json, walk: Walk) -> None:
        if leaf.name != "otlp" and walk.dense and _crowded(document):
            return walk.refuse("too_many", f"more than {OBJECTS} objects in one document")
        found = leaf.read(document)
        for item in found.items:
            if isinstance(item, Event) and not item.time and (time := time_of(document)):
                force_setattr(item, "time", time)
        walk.add(leaf.name, found)


def decoder(
    name: str, limits: LimitSettings, mappings: Mapping[str, MappingSettings] | None = None
) -> Decoder:
    """What decodes a format that the configuration names. Built-in formats are found inside compression and
    envelopes also where they are forced; a plugin's decoder gets the bytes as they are."""
    mappings = mappings or {}
    if name == AUTO:
        return Recogniser(limits, mappings)
    if name in mappings or name in DECODERS:
        return Recogniser(limits, mappings, only=name)
    made: Decoder = registry.load(registry.DECODERS, name)(limits)
    return made


def shape(document: Mapping[str, Any]) -> str:
    """The sorted top-level keys, few and short, so that unknown records can be counted by kind."""
    keys = sorted(key[:40] for key in list(document)[:200])
    more = ["..."] if len(keys) > SHAPE_KEYS else []
    return ",".join([*keys[:SHAPE_KEYS], *more])


def _json(text: bytes) -> bool:
    """Whether text is a JSON document. A length in protobuf can look like the beginning of one."""
    if text.lstrip()[:1] not in (b"{", b"["):
        return False
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _crowded(document: Any) -> bool:
    """Whether a document holds more objects than its reader gets through in time."""
    left = OBJECTS
    waiting = [document]
    while waiting:
        node = waiting.pop()
        inner = node.values() if isinstance(node, dict) else node
        waiting += [each for each in inner if isinstance(each, dict | list)]
        left -= 1
        if left < len(waiting):
            return True
    return False


def _undecodable(item: Event | Reject) -> bool:
    return isinstance(item, Reject) and item.reason == "undecodable"
