"""Vertex AI: rows of the table that it logs requests and responses to."""

from __future__ import annotations

import re
from typing import Any

from ingest import providers
from ingest.body import body
from ingest.facts import Facts, Paths, child
from ingest.leaf import Json, Leaf
from ingest.pair import BESIDE
from tocsin.model import Decoded

_FIELDS: Paths = {
    "time": ("logging_time",),
    "duration_ms": ("metadata.request_latency", "metadata.request_latency_ms"),
    "http_status": ("metadata.status_code",),
}
_BODIES = ("full_request", "full_response", "request_payload", "response_payload")
_LABELS = ("user", "session", "application", "agent", "environment")
_PROJECT = re.compile(r"projects/([^/]{1,200})")


class VertexRows(Leaf):
    """One row for each call, of Gemini or of a partner's model."""

    name = "vertex"
    title = "Vertex AI request-response logs"
    evidence = "from documentation only"
    marks = frozenset(("deployed_model_id", "api_method"))

    @classmethod
    def fits(cls, document: Json) -> bool:
        if "deployed_model_id" not in document and "api_method" not in document:
            return False
        return any(name in document for name in _BODIES)

    def read(self, document: Any) -> Decoded:
        facts = Facts(self.limits, self.name)
        request = body(_given(document, "full_request", "request_payload"))
        response = body(_given(document, "full_response", "response_payload"))
        facts.take(document, _FIELDS)
        endpoint = str(document.get("endpoint") or "")
        project = _PROJECT.search(endpoint)
        labels = child(request.object, "labels")
        facts.take(labels, {name: BESIDE[name] for name in _LABELS})
        facts.put("application", project and project[1])
        facts.put("provider", "gcp.vertex_ai")
        facts.put("model", _short(document.get("model")), document.get("deployed_model_id"))
        method = str(document.get("api_method") or "")
        facts.put("stream", "stream" in method.lower() if method else None)
        facts.note("request_id", document.get("request_id"))
        for name, value in (("endpoint", endpoint), ("api_method", method), *list(labels.items())[:16]):
            facts.note(str(name), value)
        url = f"{endpoint}:{method}"
        speaks = providers.api(request.object, response.first, url) or "gemini"
        operation = providers.read(facts, speaks, request, response, url)
        version = document.get("model_version")
        facts.put("response_model", version if version != "default" else None)
        executed = facts.hosted()
        return Decoded((facts.model_call(operation), *executed))


def _given(document: Json, *names: str) -> Any:
    return next((document[name] for name in names if document.get(name)), None)


def _short(model: Any) -> Any:
    """The model's name at the end of its resource's path, without what it was tuned to."""
    return model.rsplit("/", 1)[-1].partition("@")[0] if isinstance(model, str) else None
