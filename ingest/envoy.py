"""Envoy AI Gateway: its access log, flat JSON under keys that the operator chose after the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.facts import Facts
from ingest.leaf import Json, Leaf
from tocsin.model import Decoded

# Keys that only a proxy's access log has.
_PROXY = (
    "response_code", "response_flags", "upstream_host", "upstream_cluster", "x-request-id",
    "downstream_remote_address", "x-envoy-origin-path", "x-envoy-upstream-service-time", "backend",
)  # fmt: skip
_NAMES = ("gen_ai.", "mcp.", "llm_", "x-ai-eg-")
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "time": ("start_time", "time", "timestamp", "@timestamp"),
    "http_status": ("response_code", "status"),
    "duration_ms": ("duration", "duration_ms"),
    "first_token_ms": ("gen_ai.server.time_to_first_token_ms", "time_to_first_token_ms"),
    "provider": ("gen_ai.provider.name", "gen_ai.system"),
    "model": ("gen_ai.request.model", "x-ai-eg-model", "x-ai-eg-original-model"),
    "response_model": ("gen_ai.response.model", "gen_ai.request.model_override"),
    "response_id": ("gen_ai.response.id",),
    "input_tokens": ("gen_ai.usage.input_tokens", "llm_input_token", "gen_ai.usage.prompt_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "llm_output_token", "gen_ai.usage.completion_tokens"),
    "cache_read_tokens": ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cached_input_tokens",
                          "llm_cached_input_token"),
    "cache_write_tokens": ("gen_ai.usage.cache_creation.input_tokens", "llm_cache_creation_input_token"),
    "error_type": ("error.type", "llm_error_type"),
    "session": ("session.id", "gen_ai.conversation.id", "mcp.session.id", "x-session-id"),
    "user": ("user.id", "enduser.id", "x-user-id", "caller", "jwt.sub"),
    "agent": ("gen_ai.agent.name", "agent.name"),
    "agent_id": ("agent.id", "x-agent-id"),
    "user_agent": ("user-agent", "user_agent"),
    "trace_id": ("trace_id", "traceid"),
    "application": ("application", "route_name", "x-application"),
    "tenant": ("tenant.id", "x-tenant-id", "x-tenant"),
    "tool_name": ("mcp.tool.name", "gen_ai.tool.name"),
    "tool_server": ("mcp.provider.name", "mcp.backend"),
}  # fmt: skip
# A backend's resource path says whose API it is, if anything does.
_BACKENDS: tuple[tuple[str, str], ...] = (
    ("bedrock", "aws.bedrock"), ("azure", "azure.ai.openai"), ("vertex", "gcp.vertex_ai"),
    ("gemini", "gcp.gemini"), ("anthropic", "anthropic"), ("openai", "openai"), ("cohere", "cohere"),
    ("mistral", "mistral_ai"), ("groq", "groq"),
)  # fmt: skip
_PATHS: tuple[tuple[str, str], ...] = (
    ("/embeddings", "embeddings"), ("/rerank", "rerank"), ("/images/", "image_generation"),
    ("/audio/", "transcription"), ("/chat/completions", "chat"), ("/messages", "chat"),
    ("/responses", "chat"), ("/completions", "text_completion"),
)  # fmt: skip
_NOTED = ("method", "x-request-id", "response_flags", "route_name", "backend", "upstream_host",
          "upstream_cluster", "gen_ai.provider.name", "gen_ai.usage.total_tokens", "mcp.method.name",
          "mcp.request.id",
          "x-envoy-origin-path", "response_code_details")  # fmt: skip


class EnvoyGateway(Leaf):
    """One line for each request through the gateway: a model call, or a call of an MCP tool."""

    name = "envoy"
    title = "Envoy AI Gateway access logs"
    evidence = "from documentation only"
    marks = frozenset(_PROXY)

    @classmethod
    def fits(cls, document: Json) -> bool:
        if "attributes" in document or "span_id" in document or "spanId" in document:
            return False
        if not any(name in document for name in _PROXY):
            return False
        return any(name.startswith(_NAMES) for name in list(document)[:256])

    def read(self, document: Any) -> Decoded:
        told = {str(name).lower(): value for name, value in document.items()}
        facts = Facts(self.limits, self.name)
        for name, keys in _FIELDS.items():
            facts.put(name, *(told.get(key) for key in keys))
        facts.put("client_ip", *_addresses(told))
        _provider(facts)
        facts.note_all(told, _NOTED)
        method = told.get("mcp.method.name")
        if isinstance(method, str) and method not in ("", "-"):
            if method != "tools/call":
                return Decoded((), 1)
            facts.put("tool_type", "mcp")
            _unprefixed(facts)
            return Decoded((facts.tool_call(None, None),))
        if "model" not in facts.fields and "input_tokens" not in facts.fields:
            return Decoded((), 1)  # of another route, or refused before a model was chosen
        path = str(told.get("x-envoy-origin-path") or told.get("path") or "")
        operation = next((name for word, name in _PATHS if word in path), "chat")
        if operation == "rerank":
            return Decoded((facts.retrieval(operation),))
        return Decoded((facts.model_call(operation),))


def _unprefixed(facts: Facts) -> None:
    """The gateway puts the server's name before its tools' names."""
    name, server = facts.fields.get("tool_name", ""), facts.fields.get("tool_server")
    if server:
        facts.fields["tool_name"] = name.removeprefix(f"{server}__")


def _addresses(told: Mapping[str, Any]) -> list[str]:
    """Where the request came from: the first that forwarded it, else the peer without its port."""
    found: list[str] = []
    forwarded, peer = told.get("x-forwarded-for"), told.get("downstream_remote_address")
    if isinstance(forwarded, str):
        found.append(forwarded.partition(",")[0].strip())
    if isinstance(peer, str):
        found.append(peer.rpartition(":")[0].strip("[]") or peer)
    return found


def _provider(facts: Facts) -> None:
    backend = facts.fields.get("provider", "").lower()
    if "/" in backend:
        facts.fields["provider"] = next((name for word, name in _BACKENDS if word in backend), "")
