"""Kong AI Gateway: one log entry for each request, with what its AI plugins did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest import body_openai, providers
from ingest.body import body
from ingest.facts import Facts, Paths, at, child
from ingest.leaf import Json, Leaf
from ingest.messages import messages, result_text, structure
from tocsin.model import Decoded, Event

_FIELDS: Paths = {
    "time": ("started_at",),
    "http_status": ("response.status",),
    "client_ip": ("client_ip",),
    "user": ("consumer.username", "consumer.custom_id", "consumer.id"),
    "api_key": ("authenticated_entity.id",),
    "application": ("service.name", "route.name"),
    "tenant": ("workspace_name", "workspace"),
    "user_agent": ("request.headers.user-agent", "request.headers.User-Agent"),
    "session": ("request.headers.x-session-id", "request.headers.x-conversation-id"),
    "trace_id": ("trace_id.w3c", "trace_id.datadog"),
}
_CALL: Paths = {
    "model": ("meta.request_model",),
    "response_model": ("meta.response_model",),
    "provider": ("meta.provider_name",),
    "duration_ms": ("meta.llm_latency",),
    "first_token_ms": ("usage.time_to_first_token",),
    "cost_usd": ("usage.cost",),
}
_EMBEDDINGS: Paths = {
    "model": ("embeddings_model",),
    "provider": ("embeddings_provider",),
    "duration_ms": ("embeddings_latency",),
    "input_tokens": ("embeddings_tokens",),
}
_GUARDS = (
    "lakera-guard",
    "aws-guardrails",
    "azure-content-safety",
    "ai-prompt-guard",
    "semantic-prompt-guard",
)


class KongGateway(Leaf):
    """Model calls, calls of MCP tools, messages to other agents."""

    name = "kong"
    title = "Kong AI Gateway logs"
    evidence = "from documentation only"
    marks = frozenset(("latencies", "started_at"))

    @classmethod
    def fits(cls, document: Json) -> bool:
        return isinstance(document.get("ai"), dict) and ("latencies" in document or "started_at" in document)

    def read(self, document: Any) -> Decoded:
        facts = Facts(self.limits, self.name)
        facts.take(document, _FIELDS)
        facts.note("route", at(document, "route.name"))
        facts.note("request_id", at(document, "request.id"))
        ai = document["ai"]
        found = [*_calls(facts, ai, document), *_tools(facts, ai, document), *_agents(facts, ai)]
        return Decoded(found, 0 if found else 1)


# Model calls.


def _calls(facts: Facts, ai: Json, document: Json) -> Iterator[Event]:
    for name, entry in ai.items():
        entry = structure(entry)
        instances = entry if isinstance(entry, list) else [entry]
        for instance in instances:
            if isinstance(instance, dict) and isinstance(instance.get("meta"), dict):
                yield from _embeddings(facts, instance)
                yield _call(facts.other(), name, instance, ai, document)
                yield from _judged(facts, instance)


def _call(facts: Facts, plugin: str, entry: Json, ai: Json, document: Json) -> Event:
    usage = child(entry, "usage")
    facts.take(entry, _CALL)
    facts.put("duration_ms", at(document, "latencies.proxy"), at(document, "latencies.request"))
    facts.take(usage, body_openai.USAGE)
    cached = at(entry, "cache.cache_status") == "Hit"
    if facts.fields.get("cost_usd") == 0 and facts.fields.get("input_tokens") and not cached:
        del facts.fields["cost_usd"]  # its word for a model whose price it was not told
    if cached:  # no provider was asked
        facts.fields["cost_usd"] = 0.0
    mode = at(entry, "meta.request_mode")
    facts.put("stream", mode == "stream" if isinstance(mode, str) else None)
    facts.note("plugin", plugin)
    facts.note("plugin_id", at(entry, "meta.plugin_id"))
    facts.note("cache_status", at(entry, "cache.cache_status"))
    facts.note("pii_identified", at(ai, "sanitizer.pii_identified"))
    _guards(facts, entry, ai)
    return facts.model_call(_payload(facts, entry, ai, document))


def _payload(facts: Facts, entry: Json, ai: Json, document: Json) -> str:
    """What was asked and answered, where it is logged; gives the operation."""
    asked, answered = (
        body(next((text for holder in (entry, ai) if (text := at(holder, f"payload.{half}"))), None))
        for half in ("request", "response")
    )
    url = str(at(document, "request.uri") or "")
    speaks = providers.api(asked.object, answered.first, url) or "openai"
    counted: dict[str, Any] = {
        name: facts.fields[name] for name in ("input_tokens", "output_tokens") if name in facts.fields
    }
    operation = providers.read(facts, speaks, asked, answered, url)
    facts.fields.update(counted)
    return operation


def _guards(facts: Facts, entry: Json, ai: Json) -> None:
    """What guardrails said of the call. What they found is what must not be stored."""
    for name in _GUARDS:
        guard = child(entry, name)
        if not guard:
            continue
        reason = guard.get("input_block_reason") or guard.get("output_block_reason")
        facts.put("guardrail_name", name)
        facts.put("guardrail_status", "guardrail_intervened" if reason else None)
        facts.note(f"{name}.reason", reason)
        if reason:
            facts.fields["status"] = "blocked"
    levels = child(child(ai, "audit"), "azure_content_safety")
    for category, level in list(levels.items())[:16]:
        facts.put("guardrail_name", "azure-content-safety")
        facts.note(f"azure-content-safety.{category}", level)


def _embeddings(facts: Facts, entry: Json) -> Iterator[Event]:
    """Calls that plugins made for a look-up, in a vector store or in the cache."""
    for name in ("rag-inject", "cache"):
        told = child(entry, name)
        if told.get("embeddings_model"):
            made = facts.other()
            made.fields.pop("http_status", None)
            made.take(told, _EMBEDDINGS)
            made.note("plugin", name)
            yield made.model_call("embeddings")


def _judged(facts: Facts, entry: Json) -> Iterator[Event]:
    """The score that another model gave the answer."""
    judge = child(entry, "ai-llm-as-judge")
    if judge:
        made = facts.other()
        made.fields.pop("http_status", None)
        made.take(judge, {"model": ("meta.response_model",), "duration_ms": ("meta.llm_latency",)})
        made.put("evaluation_name", "llm-as-judge")
        made.put("evaluation_score", at(judge, "usage.llm_accuracy"))
        yield made.step("evaluation", "evaluation")


# Tools.


def _tools(facts: Facts, ai: Json, document: Json) -> Iterator[Event]:
    """Executions of MCP tools, and those that the gateway refused."""
    mcp = child(ai, "mcp")
    called: set[str] = set()
    for call in _objects(mcp.get("rpc")):
        answered = child(child(call, "payload"), "response")
        if call.get("method") == "tools/call":
            called.add(str(call.get("tool_name")))
            yield _tool(facts.other(), call, mcp, document)
        elif call.get("method") == "tools/list" and at(answered, "result.tools"):
            listed = facts.other()
            _server(listed, mcp, document)
            listed.offered(at(answered, "result.tools"))
            yield listed.step("list_tools")
    for entry in _objects(mcp.get("audit")):
        name = str(entry.get("primitive_name"))
        if entry.get("primitive", "tool") == "tool" and entry.get("action") == "deny" and name not in called:
            refused = facts.other()
            refused.take(entry, {"user": ("consumer.name", "consumer.id")})
            refused.take(entry, {"tool_name": ("primitive_name",)})
            _server(refused, mcp, document)
            refused.put("tool_decision", "reject")
            refused.fields["status"] = "blocked"
            yield refused.tool_call(None, None)


def _tool(facts: Facts, call: Mapping[str, Any], mcp: Json, document: Json) -> Event:
    asked = child(child(call, "payload"), "request")
    answered = child(child(call, "payload"), "response")
    facts.put("tool_name", call.get("tool_name"), at(asked, "params.name"))
    facts.note("mcp.request_id", call.get("id"))  # a number of its connection, not the call's own name
    facts.put("duration_ms", call.get("latency"))
    _server(facts, mcp, document)
    if call.get("error"):
        facts.failed(at(answered, "error.code") or "tool_error", call["error"])
    elif at(answered, "result.isError") is True:
        facts.failed("tool_error", result_text(at(answered, "result.content")))
    elif isinstance(answered.get("error"), dict):
        facts.failed(answered["error"].get("code"), answered["error"].get("message"))
    result = at(answered, "result.content")
    return facts.tool_call(
        at(asked, "params.arguments"), result if result is not None else at(answered, "result")
    )


def _server(facts: Facts, mcp: Json, document: Json) -> None:
    if mcp.get("mcp_session_id"):
        facts.fields["session"] = str(mcp["mcp_session_id"])[:256]
    facts.put("tool_type", "mcp")
    facts.put("tool_server", at(document, "service.name"), at(document, "route.name"))


# Agents.


def _agents(facts: Facts, ai: Json) -> Iterator[Event]:
    """Messages to other agents."""
    for call in _objects(child(ai, "a2a").get("rpc")):
        made = facts.other()
        made.put("duration_ms", call.get("latency"))
        made.put("agent", facts.fields.get("application"))
        context = at(child(child(call, "payload"), "request"), "params.message.contextId")
        if isinstance(context, str) and context:
            made.fields["session"] = context[:256]
        made.note("a2a.method", call.get("method"))
        if call.get("error"):
            made.failed("a2a_error", call["error"])
        made.inputs += messages(_said(call, "request", "params"), "user")
        made.outputs += messages(_said(call, "response", "result"), "assistant")
        yield made.step("invoke_agent")


def _said(call: Mapping[str, Any], half: str, holder: str) -> Any:
    """The parts of a message, which stands beside other things or alone."""
    told = child(child(child(call, "payload"), half), holder)
    parts = at(told, "message.parts") or at(told, "status.message.parts") or told.get("parts")
    return [{"parts": parts}] if isinstance(parts, list) else []


def _objects(value: Any) -> list[dict[str, Any]]:
    value = structure(value)
    return [item for item in value if isinstance(item, dict)][:1024] if isinstance(value, list) else []
