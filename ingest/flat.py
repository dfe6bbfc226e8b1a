"""A single span or log record, flattened by an exporter, a shipper or a table."""

from __future__ import annotations

from typing import Any

from msgspec.structs import force_setattr

from ingest import coding_agents, datadog_spans, flat_shapes
from ingest.aliases import INDEXED, MESSAGE_EVENTS, OPERATION_NAMES
from ingest.envoy import EnvoyGateway
from ingest.flat_shapes import NAMES
from ingest.leaf import Json, Leaf
from ingest.otlp_export import Exports, Form, Log
from tocsin.model import Decoded, Event
from tocsin.settings import LimitSettings

_PREFIXES = (
    "gen_ai.", "openinference.", "traceloop.", "gen_ai_", "openinference_", "traceloop_", *INDEXED,
)  # fmt: skip
_NESTED = ("gen_ai", "openinference", "traceloop")
_SIGNS = frozenset(
    (*(name for name, _ in OPERATION_NAMES), *(name for name in NAMES if name.startswith("llm.")))
)
_LOOKED_AT = 512  # keys of one object
_FORM = Form(lambda span, _scope, _depth: span, lambda log, _scope, _depth: log)


class Flat(Leaf):
    """Spans and log records in the words of the conventions, one a record."""

    name = "span"
    family = "single"  # what coding agents wrote is not taken by the others
    title = "single span or log record"
    evidence = "from documentation only"

    def __init__(self, limits: LimitSettings | None = None) -> None:
        super().__init__(limits)
        self._exports = Exports(self.limits)

    @classmethod
    def fits(cls, document: Json) -> bool:
        if "resourceSpans" in document or "span_data" in document or EnvoyGateway.fits(document):
            return False
        if coding_agents.wrote(document):
            return False
        return _signed(document) or flat_shapes.is_span(document) or datadog_spans.fits(document)

    @classmethod
    def kin(cls, document: Json) -> bool:
        return coding_agents.wrote(document) or Flat.fits(document)

    def read(self, document: Any) -> Decoded:
        if datadog_spans.fits(document):
            document = datadog_spans.as_span(document)
        single = flat_shapes.single(document, self.limits.depth)
        if not flat_shapes.is_log(document):
            single.span.attributes.pop("duration_ms", None)
            parts = [(single.resource, single.span.scope, single.span)]
            return self._named(self._exports.traces(parts, _FORM))
        if single.name in MESSAGE_EVENTS and single.name != "gen_ai.choice":
            return Decoded((), 1)  # one message of a call that its choice, or its span, tells of
        log = Log(single.span, single.body, single.name)
        return self._named(self._exports.logs([(single.resource, single.span.scope, log)], _FORM))

    def _named(self, found: Decoded) -> Decoded:
        for item in found.items:
            if isinstance(item, Event):
                force_setattr(item, "source_format", self.name)
        return found


class CodingAgents(Flat):
    """Log records of coding agents, flattened: named after their agent."""

    name = "coding_agents"
    title = "coding agents' log records"
    evidence = "from documentation only"

    @classmethod
    def fits(cls, document: Json) -> bool:
        return coding_agents.wrote(document)


def _signed(document: Json) -> bool:
    """Whether attributes of the conventions are there, at the top or among attributes."""
    if any(key.startswith(_PREFIXES) or key in _SIGNS for key in list(document)[:_LOOKED_AT]):
        return True
    if any(isinstance(document.get(family), dict) for family in _NESTED):
        return True
    return any(_told(flat_shapes.at(document, holder)) for holder in flat_shapes.HOLDERS)


def _told(attributes: Any) -> bool:
    if isinstance(attributes, list):
        keys = [pair.get("key") for pair in attributes[:_LOOKED_AT] if isinstance(pair, dict)]
        return any(isinstance(key, str) and (key.startswith(_PREFIXES) or key in _SIGNS) for key in keys)
    if not isinstance(attributes, dict):
        return False
    if any(isinstance(attributes.get(family), dict) for family in _NESTED):
        return True
    return any(key.startswith(_PREFIXES) or key in _SIGNS for key in list(attributes)[:_LOOKED_AT])
