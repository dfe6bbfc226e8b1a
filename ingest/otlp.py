"""OTLP: export requests for traces and logs to events, in JSON and, with the extra, in protobuf."""

from __future__ import annotations

from typing import Any

from ingest import otlp_proto, otlp_typed, otlp_walk
from ingest.lenient import Unreadable, loads
from ingest.otlp_export import Exports, Form
from tocsin.model import Decoded, Reject
from tocsin.settings import LimitSettings

Json = dict[str, Any]

ROOTS = (
    "resourceSpans", "resource_spans", "resourceLogs", "resource_logs", "resourceMetrics", "resource_metrics",
)  # fmt: skip
_TYPED = Form(otlp_typed.as_span, otlp_walk.as_log)
_WALKED = Form(otlp_walk.as_span, otlp_walk.as_log)


class OtlpDecoder:
    """Export requests for traces and logs; metrics are known and ignored."""

    name = "otlp"

    def __init__(self, limits: LimitSettings | None = None) -> None:
        self._exports = Exports(limits or LimitSettings())
        self._proto = otlp_proto.OtlpProtoDecoder(limits)

    def decode(self, value: bytes) -> Decoded:
        usual = otlp_typed.export(value)
        if usual is not None:
            found = self._exports.traces(otlp_typed.spans(usual), _TYPED)
            return self._with_logs({"resourceLogs": usual.resource_logs}, found)
        if otlp_proto.looks_like(value):
            return self._proto.decode(value)
        try:
            document = loads(value)
        except Unreadable as error:
            return Decoded([error.reject()])
        if not isinstance(document, dict) or not recognises(document):
            return Decoded([Reject(reason="unrecognised", detail="no OTLP export request")])
        return self.read(document)

    def read(self, document: Json) -> Decoded:
        """What a parsed export request holds."""
        found = self._exports.traces(otlp_walk.walk(document, "Spans", "spans"), _WALKED)
        return self._with_logs(document, found)

    def _with_logs(self, document: Json, found: Decoded) -> Decoded:
        if not (document.get("resourceLogs") or document.get("resource_logs")):
            return found
        return self._exports.logs(otlp_walk.walk(document, "Logs", "logRecords"), _WALKED, found)


def recognises(document: Json) -> bool:
    return any(root in document for root in ROOTS)
