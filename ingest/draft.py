"""What spans and log records are made of, before they are events.

Every transport (OTLP in JSON or protobuf, a span that a shipper flattened) brings its records into
the shape of `Span`; what the attributes mean is told by the tables in `ingest.aliases`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ingest import aliases, readings
from ingest.messages import structure
from ingest.operations import (
    COMPONENTS,
    NAMED_IN,
    NO_TOOLS,
    OPERATION_NAMES,
    OPERATIONS,
    SPAN_NAMES,
    Operation,
)

Attributes = dict[str, Any]


CLIENT = 3  # OTLP's kind of a span that asks somebody else


class Span(msgspec.Struct, gc=False):
    """One span, or one log record, in plain Python values; times in epoch nanoseconds, 0 = not given."""

    trace_id: str = ""
    span_id: str = ""
    parent_id: str = ""
    name: str = ""
    kind: int = 0  # OTLP: 1 internal, 2 server, 3 client
    start: int = 0
    end: int = 0
    attributes: Attributes = {}
    events: list[tuple[str, Attributes]] = []
    failed: bool = False
    message: str = ""  # of the status
    scope: str = ""


class Draft:
    """What the attributes of a span gave: fields of the event, and ingredients for the rest."""

    __slots__ = ("fields", "indexed", "invalid", "raw", "rest")

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.raw: dict[str, Any] = {}
        self.indexed: dict[str, Attributes] = {}
        self.invalid: list[str] = []
        self.rest: list[str] = []


Lookup = dict[str, tuple[str, int, bool, Callable[[Any], Any] | None]]


def _lookup(fields: tuple[aliases.Field, ...]) -> Lookup:
    """Attribute name to (target, rank, whether an ingredient, how to read it)."""
    return {
        name: (field.target, rank, field.target.startswith("_"), readings.READINGS[field.reading])
        for field in fields
        for rank, name in enumerate(field.names)
    }


_OPERATION = "_operation"  # already read by `operation`
_SPAN: Lookup = {
    **{name: (_OPERATION, 99, True, None) for name, _ in OPERATION_NAMES},
    **_lookup(aliases.SPAN_FIELDS),
}
_RESOURCE = _lookup(aliases.RESOURCE_FIELDS)
# A call shows in what came back, not in the name of a model alone: baggage copies that anywhere.
_PREFIXES = ("gen_ai.", "llm.")


def _names(*targets: str) -> frozenset[str]:
    fields = (field for field in aliases.SPAN_FIELDS if field.target in targets)
    return frozenset(name for field in fields for name in field.names if name.startswith(_PREFIXES))


_SAYING = frozenset(name for name, _ in OPERATION_NAMES)
_TOKENS = _names("input_tokens", "output_tokens", "response_id")
_EVIDENCE = _TOKENS | _names("_output")
_MODELS = _names("model", "_model", "response_model")


def read(attributes: Attributes, draft: Draft, lookup: Lookup = _SPAN) -> Draft:
    """Sort attributes into an empty draft; of several that mean one field the better name wins."""
    fields, raw, text, count = draft.fields, draft.raw, readings.text, readings.count
    ranks: dict[str, int] = {}  # of those that are not the best name
    for key, value in attributes.items():
        alias = lookup.get(key)
        if alias is None:
            draft.rest.append(key)
            continue
        if not value and (value is None or value == ""):
            continue
        target, rank, ingredient, reading = alias
        into = raw if ingredient else fields
        if rank:
            if target in into and ranks.get(target, 0) < rank:
                continue
            ranks[target] = rank
        if reading is text:
            if type(value) is not str or value[0] == '"' or len(value) > readings.IDENTIFIER:
                value = text(value)
        elif reading is count and type(value) is str and len(value) < 16 and value.isdecimal():
            value = int(value)
        elif reading is not None:
            value = reading(value)
            if value is None:
                draft.invalid.append(target)
                continue
        into[target] = value
    return draft


def resource_fields(attributes: Attributes) -> dict[str, Any]:
    """What a resource says about all of its spans."""
    fields = read(attributes, Draft(), _RESOURCE).fields
    if fields.get("service", "").startswith("unknown_service"):  # the SDK's word for "nobody said"
        del fields["service"]
    return fields


def operation(span: Span) -> Operation | None:
    """What the span does; None: nothing of ours."""
    attributes = span.attributes
    known: Operation | None = None
    unknown = ""
    for name, words in () if _SAYING.isdisjoint(attributes) else OPERATION_NAMES:
        word = attributes.get(name)
        if word and isinstance(word, str):
            word = _type_in(word) if word[0] == "{" else word
            found = words.get(word) or words.get(word.strip('"').lower())
            if found is not None and found.kind is not None:
                return _mended(span, found) if found.kind == "tool" else found
            known = known or found
            unknown = unknown or word
    if known is not None:
        return known
    if not _EVIDENCE.isdisjoint(attributes):
        if unknown and not _is_call(attributes):
            return OPERATIONS["step"]
        return OPERATIONS["chat"]
    return _named(span)


def _type_in(document: str) -> str:
    """The type that an object in JSON states."""
    inner = structure(document)
    return readings.text(inner.get("type")) if isinstance(inner, dict) else ""


def _is_call(attributes: Attributes) -> bool:
    """Whether a span of an unknown operation is a call: it names a model and what that cost."""
    return not _MODELS.isdisjoint(attributes) and not _TOKENS.isdisjoint(attributes)


def _mended(span: Span, found: Operation) -> Operation:
    """A step that is marked as a tool and executes none."""
    if span.scope.startswith(NO_TOOLS) or _is_transport(span):
        return OPERATIONS["step"]
    if span.name.startswith("handoff") and "gen_ai.tool.name" not in span.attributes:
        return OPERATIONS["handoff"]
    return found


def _is_transport(span: Span) -> bool:
    """A request that went to an MCP server, as the client saw it: the execution is the server's, or that of
    the framework around it. A client that means the execution says so in `gen_ai.operation.name`."""
    attributes = span.attributes
    claimed = "gen_ai.operation.name" in attributes or "gen_ai.tool.name" in attributes
    return span.kind == CLIENT and "mcp.method.name" in attributes and not claimed


def _named(span: Span) -> Operation | None:
    """What only a name tells: the class of a component, or a failed call's `{operation} {model or tool}`."""
    component = span.attributes.get("haystack.component.type")
    if isinstance(component, str):
        return next((found for ending, found in COMPONENTS if component.endswith(ending)), OPERATIONS["step"])
    whole = SPAN_NAMES.get(span.name)
    if whole is not None:
        return whole
    for scope, beginning, known in NAMED_IN:
        if span.name.startswith(beginning) and span.scope.startswith(scope):
            return known
    word, _, rest = span.name.partition(" ")
    if span.failed and rest and " " not in rest and "instrumentation" in span.scope:
        found = OPERATIONS.get(word)
        if found is not None and found.kind in ("llm", "tool"):
            return found
    return None
