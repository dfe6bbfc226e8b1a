"""Helicone: messages of its own queue. Bodies stand elsewhere; the credential in it is never looked at."""

from __future__ import annotations

from typing import Any

from ingest import providers
from ingest.body import beginning, body
from ingest.facts import Facts, Paths, at, between, child
from ingest.leaf import Json, Leaf
from tocsin.model import Decoded

_FIELDS: Paths = {
    "time": ("request.requestCreatedAt",),
    "http_status": ("response.status",),
    "duration_ms": ("response.delayMs",),
    "first_token_ms": ("response.timeToFirstToken",),
    "stream": ("request.isStream",),
    "user": ("request.userId",),
    "session": ("request.properties.Helicone-Session-Id", "request.properties.sessionId",
                "request.properties.conversation_id"),
    "agent": ("request.properties.agent",),
    "api_key": ("request.heliconeProxyKeyId", "request.heliconeApiKeyId"),
    "application": ("request.properties.Helicone-Session-Name", "request.properties.App",
                    "request.properties.app", "request.properties.application"),
    "environment": ("request.properties.Environment", "request.properties.environment"),
    "provider": ("request.provider",),
}  # fmt: skip
_NOTED = ("id", "path", "countryCode", "promptId", "promptVersion", "threat")
_OUTCOMES = {-1: "timeout", -3: "cancelled", -4: "threat"}  # where there is no status of HTTP


class HeliconeQueue(Leaf):
    """One message for each call that went through the proxy."""

    name = "helicone"
    title = "Helicone queue messages"
    evidence = "from documentation only"
    marks = frozenset(("heliconeMeta",))

    @classmethod
    def fits(cls, document: Json) -> bool:
        return "heliconeMeta" in document and isinstance(at(document, "log.request"), dict)

    def read(self, document: Any) -> Decoded:
        log = document["log"]
        asked, answered = child(log, "request"), child(log, "response")
        facts = Facts(self.limits, self.name)
        facts.fields.update(_lower(asked))
        facts.take(log, _FIELDS)
        facts.put("duration_ms", between(asked.get("requestCreatedAt"), answered.get("responseCreatedAt")))
        facts.put("model", asked.get("model"), at(document, "heliconeMeta.modelOverride"))
        facts.note_all(asked, _NOTED)
        for name, value in list(child(asked, "properties").items())[:32]:
            facts.note(f"properties.{name}", value)
        _outcome(facts, asked, answered)
        url = str(asked.get("targetUrl") or asked.get("path") or "")[:2048]
        request, response = body(asked.get("body")), body(answered.get("body"))
        speaks = providers.api(request.object, beginning(answered.get("body")), url)
        operation = providers.read(facts, speaks, request, response, url) if speaks else "chat"
        executed = facts.hosted()
        return Decoded((facts.model_call(operation), *executed))


def _lower(asked: Json) -> dict[str, Any]:
    """Helicone writes providers in capitals."""
    provider = asked.get("provider")
    return {"provider": provider.lower()} if isinstance(provider, str) and provider else {}


def _outcome(facts: Facts, asked: Json, answered: Json) -> None:
    status = answered.get("status")
    if isinstance(status, int) and status in _OUTCOMES:
        facts.failed(_OUTCOMES[status])
    if asked.get("threat") is True or status == -4:
        facts.put("guardrail_name", "helicone-threat")
        facts.put("guardrail_status", "guardrail_intervened" if status == -4 else "guardrail_flagged")
    if status == -4:
        facts.fields["status"] = "blocked"
