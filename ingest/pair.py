"""Requests to provider APIs with their answers, as applications and proxies log them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from ingest import providers
from ingest.body import beginning, body
from ingest.chunk import share, streamed
from ingest.facts import Facts, Paths, child
from ingest.leaf import Json, Leaf
from tocsin.model import Decoded

REQUESTS = ("request", "request_body", "requestBody", "req", "request_payload", "requestPayload")
RESPONSES = (
    "response", "response_body", "responseBody", "res", "resp", "response_payload", "responsePayload"
)  # fmt: skip
_BODIES = ("body", "payload", "content", "json")
# What stands beside the bodies.
BESIDE: Paths = {
    "time": ("startedDateTime", "timestamp", "time", "@timestamp", "start_time", "startTime", "started_at",
             "startedAt", "request_time", "requestTime", "created_at", "createdAt", "ts", "date"),
    "http_status": ("status_code", "statusCode", "http_status", "response_status", "response_code",
                    "status"),
    "duration_ms": ("duration_ms", "durationMs", "latency_ms", "latencyMs", "elapsed_ms",
                    "response_time_ms"),
    "first_token_ms": ("first_token_ms", "ttft_ms", "time_to_first_token_ms", "timeToFirstTokenMs"),
    "stream": ("stream", "is_stream", "isStream", "streaming"),
    "user": ("user_id", "userId", "user.id", "user", "end_user", "username", "user_email"),
    "session": ("session_id", "sessionId", "session.id", "conversation_id", "conversationId", "thread_id",
                "threadId", "chat_id", "session"),
    "api_key": ("api_key_id", "apiKeyId", "api_key_hash", "key_id", "api_key_alias", "key_alias"),
    "client_ip": ("client_ip", "clientIp", "remote_addr", "remoteAddr", "remote_ip", "ip_address", "ip"),
    "user_agent": ("user_agent", "userAgent"),
    "trace_id": ("trace_id", "traceId", "trace.id"),
    "span_id": ("span_id", "spanId", "span.id"),
    "parent_span_id": ("parent_span_id", "parentSpanId", "parent_id"),
    "service": ("service.name", "service_name", "serviceName", "service"),
    "application": ("application", "app", "app_id", "app_name", "application_id", "project", "project_id"),
    "environment": ("environment", "env"),
    "agent": ("agent_name", "agentName", "agent.name", "agent"),
    "agent_id": ("agent_id", "agentId", "agent.id"),
    "tenant": ("tenant_id", "tenantId", "tenant", "organization_id", "org_id"),
    "provider": ("provider", "llm_provider"),
    "cost_usd": ("cost_usd", "total_cost", "response_cost", "cost"),
    "error_message": ("error_message",),
    "error_type": ("error_type", "error_code"),
}  # fmt: skip
_ADDRESS = ("url", "path", "uri", "endpoint", "request_url", "requestUrl", "target_url", "targetUrl")
_SECONDS = ("duration_seconds", "duration_s", "latency_seconds", "latency_s", "elapsed_seconds", "elapsed_s")
_LEFT = frozenset(name for names in BESIDE.values() for name in names) | {
    *REQUESTS,
    *RESPONSES,
    *_SECONDS,
    "method",
    "model",
}
_OTHERS = frozenset(
    (
        "litellm_call_id",
        "heliconeMeta",
        "schemaType",
        "jsonrpc",
        "latencies",
        "tocsin",
        "deployed_model_id",
        "api_method",
    )
)


class Halves(NamedTuple):
    """A call as it was logged: both bodies, where it went, and what stands beside them."""

    request: Any
    response: Any
    url: str
    beside: tuple[Mapping[str, Any], ...]


def halves(document: Mapping[str, Any]) -> Halves | None:
    """The bodies in a document; None where it has no place for them."""
    if not _OTHERS.isdisjoint(document):
        return None
    asked, answered = _first(document, REQUESTS), _first(document, RESPONSES)
    if asked is None and answered is None:
        return Halves({}, document, "", ())
    if asked is None and not {"messages", "contents", "input", "prompt"}.isdisjoint(document):
        asked = {name: value for name, value in document.items() if name not in RESPONSES}
    outer = [document, *(each for each in (asked, answered) if _carrier(each))]
    metadata = tuple(found for each in outer if (found := child(each, "metadata")))
    return Halves(_inner(asked), _inner(answered), _url(outer), (*outer, *metadata))


def _first(document: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((document[name] for name in names if document.get(name) is not None), None)


def _carrier(value: Any) -> bool:
    """Whether it is an HTTP message around a body, rather than the body."""
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("body"), dict | list | str) and "messages" not in value:
        return True
    places = {*_BODIES, "postData"} & set(value)
    return bool(places) and not {"model", "choices", "id", "type", "contents", "candidates"} & set(value)


def _inner(value: Any) -> Any:
    if not _carrier(value):
        return value
    found = next((value[name] for name in (*_BODIES, "postData") if value.get(name) is not None), None)
    if isinstance(found, dict) and isinstance(found.get("text"), str) and len(found) <= 5:
        return found["text"]  # HAR
    return found


def _url(places: Sequence[Mapping[str, Any]]) -> str:
    for place in places:
        for name in _ADDRESS:
            if isinstance(place.get(name), str):
                return str(place[name])[:2048]
    return ""


def _spoken(document: Json) -> providers.Api:
    found = halves(document)
    if found is None:
        return ""
    return providers.api(beginning(found.request), beginning(found.response), found.url)


class Pair(Leaf):
    """A request with its answer, or an answer alone, in one provider's words."""

    evidence: ClassVar[str] = "recorded"
    marks = frozenset((*REQUESTS, *RESPONSES, "object", "choices", "data", "error", "type", "completion",
                       "candidates", "usageMetadata", "usage_metadata", "promptFeedback", "prompt_feedback",
                       "output", "stopReason", "messageStart", "messageStop", "contentBlockStart",
                       "contentBlockDelta"))  # fmt: skip
    speaks: ClassVar[providers.Api]
    family = "pair"

    @classmethod
    def fits(cls, document: Json) -> bool:
        return _spoken(document) == cls.speaks

    @classmethod
    def kin(cls, document: Json) -> bool:
        return _spoken(document) != ""

    def read(self, document: Any) -> Decoded:
        found = halves(document)
        if found is None:
            raise ValueError("no request and no answer")
        alone = found.response is document
        told = share(self.speaks, document) if alone else "all"
        if told == "nothing":
            return Decoded((), 1)
        facts = Facts(self.limits, self.name)
        for place in found.beside:
            facts.take(place, BESIDE)
            _beside(facts, place)
        request = body(found.request)
        response = body([document] if alone and streamed(document) else found.response)
        facts.put("provider", providers.provider(self.speaks, found.url))
        operation = providers.read(facts, self.speaks, request, response, found.url)
        if response.text and facts.fields.get("http_status", 200) >= 400:
            facts.put("error_message", response.text)
        if told != "all" and "response_id" in facts.fields:
            facts.fields["join"] = f"{self.name}:{facts.fields['response_id']}"[:256]
            facts.fields["half"] = told
        executed = facts.hosted()
        return Decoded((facts.model_call(operation), *executed))


def _beside(facts: Facts, place: Mapping[str, Any]) -> None:
    """Plain members that have no field of their own; an HTTP client says who it is in its headers."""
    for name, value in list(place.items())[:64]:
        if name in _ADDRESS and isinstance(value, str):
            value = value.partition("?")[0]  # behind it there may be a key
        if name not in _LEFT and name not in _BODIES:
            facts.note(name, value)
    for name, value in list(child(place, "headers").items())[:128]:
        if name.lower() == "user-agent":
            facts.put("user_agent", value)
    seconds = next((place[name] for name in _SECONDS if isinstance(place.get(name), int | float)), None)
    if seconds is not None:
        facts.put("duration_ms", seconds * 1e3)


class OpenAIPair(Pair):
    """Chat Completions, Responses, completions, embeddings; OpenAI's and those of who speaks like it."""

    name = "openai"
    title = "OpenAI Chat Completions and Responses"
    speaks = "openai"


class AnthropicPair(Pair):
    """Messages."""

    name = "anthropic"
    title = "Anthropic Messages"
    speaks = "anthropic"


class GeminiPair(Pair):
    """generateContent, of Gemini and Vertex AI."""

    name = "gemini"
    title = "Gemini generateContent"
    speaks = "gemini"
    evidence = "from documentation only"


class ConversePair(Pair):
    """Converse, as an application logs it; Bedrock's own logs are `bedrock`."""

    name = "converse"
    title = "AWS Bedrock Converse"
    speaks = "converse"
    evidence = "from documentation only"
