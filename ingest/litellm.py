"""LiteLLM: StandardLoggingPayload, as its callbacks send it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest import body_openai, providers
from ingest.aliases import OPERATIONS, Operation
from ingest.body import beginning, body
from ingest.facts import Facts, Paths, at, between, child
from ingest.leaf import Json, Leaf
from ingest.messages import structure
from ingest.offered import documents
from tocsin.model import Decoded, Event

_REDACTED = "redacted-by-litellm"
_NOBODY = "default_user_id"  # whom the proxy's own key belongs to
# What LiteLLM calls its calls, beside the words that everybody uses.
_CALLS: Mapping[str, Operation] = {
    "anthropic_messages": OPERATIONS["chat"],
    "moderation": OPERATIONS["apply_guardrail"],
    "amoderation": OPERATIONS["apply_guardrail"],
    "image_edit": OPERATIONS["image_generation"],
    "aimage_edit": OPERATIONS["image_generation"],
    "vector_store_search": OPERATIONS["retrieval"],
    "avector_store_search": OPERATIONS["retrieval"],
    "search": OPERATIONS["retrieval"],
    "asearch": OPERATIONS["retrieval"],
    "call_mcp_tool": OPERATIONS["execute_tool"],
    "list_mcp_tools": OPERATIONS["step"],
}
_FIELDS: Paths = {
    "time": ("startTime", "start_time"),
    "provider": ("custom_llm_provider",),
    "model": ("model", "model_group"),
    "session": ("session_id", "metadata.session_id", "metadata.requester_metadata.session_id", "trace_id"),
    "trace_id": ("trace_id",),
    "api_key": ("metadata.user_api_key_hash", "metadata.user_api_key_alias"),
    "application": ("metadata.user_api_key_project_id", "metadata.user_api_key_project_alias",
                    "metadata.user_api_key_team_id", "metadata.team_id", "metadata.user_api_key_team_alias",
                    "metadata.team_alias"),
    "tenant": ("metadata.user_api_key_org_id",),
    "client_ip": ("requester_ip_address", "metadata.requester_ip_address"),
    "user_agent": ("user_agent", "metadata.user_agent"),
    "stream": ("stream",),
    "cost_usd": ("response_cost",),
}  # fmt: skip
# The key's owner is who the gateway knows; the caller says who the end user is, and may say anything.
_USERS = (
    "metadata.user_api_key_user_id", "end_user", "metadata.user_api_key_end_user_id", "model_parameters.user",
    "metadata.user_api_key_user_email",
)  # fmt: skip
_USAGE: Paths = {"input_tokens": ("prompt_tokens",), "output_tokens": ("completion_tokens",)}
_NOTED = ("litellm_call_id", "call_type", "model_group", "model_id", "end_user", "cache_hit", "api_base")
_NOTED_OF_KEY = (
    "user_api_key_alias", "user_api_key_team_id", "user_api_key_team_alias", "user_api_key_org_id",
    "user_api_key_request_route",
)  # fmt: skip
# Verdicts of guardrails, the gravest first.
_VERDICTS = ("guardrail_intervened", "blocked", "guardrail_flagged", "guardrail_failed_to_respond", "failure",
             "success", "not_run")  # fmt: skip


class LiteLLM(Leaf):
    """One payload for each call; a call of an MCP tool through the proxy is a tool's execution."""

    name = "litellm"
    title = "LiteLLM StandardLoggingPayload"
    evidence = "recorded"
    marks = frozenset(("litellm_call_id", "call_type"))

    @classmethod
    def fits(cls, document: Json) -> bool:
        return "litellm_call_id" in document or {"call_type", "response_cost", "hidden_params"} <= set(
            document
        )

    def read(self, document: Any) -> Decoded:
        facts = Facts(self.limits, self.name)
        _beside(facts, document)
        _verdict(facts, document)
        _failure(facts, document)
        operation = _operation(document)
        if operation.kind is None:
            return Decoded((), 1)
        tool = child(at(document, "metadata"), "mcp_tool_call_metadata")
        if operation.kind == "tool":
            return Decoded((_tool(facts, document, tool),))
        executed = _tool(facts.other(), document, tool) if tool else None
        event = _call(facts, document, operation)
        return Decoded((event, executed) if executed else (event, *facts.hosted()))


def _operation(document: Json) -> Operation:
    word = document.get("call_type")
    word = word.lower() if isinstance(word, str) else ""
    return _CALLS.get(word) or OPERATIONS.get(word) or OPERATIONS["chat"]


def _answering(document: Json) -> str | None:
    """The model that answered, where a stream has the requested name over it: as it was priced."""
    asked, priced = document.get("model"), at(document, "model_map_information.model_map_key")
    if document.get("stream") and isinstance(asked, str) and isinstance(priced, str):
        return priced if priced.startswith(f"{asked}-") else None
    return None


def _beside(facts: Facts, document: Json) -> None:
    """Who called, when, from where, and what it cost."""
    facts.put("user", *(name for path in _USERS if (name := at(document, path)) != _NOBODY))
    facts.take(document, _FIELDS)
    facts.put("duration_ms", between(document.get("startTime"), document.get("endTime")))
    if document.get("stream"):
        facts.put("first_token_ms", between(document.get("startTime"), document.get("completionStartTime")))
    facts.note_all(document, _NOTED)
    metadata = child(document, "metadata")
    for name in _NOTED_OF_KEY:
        facts.note(name.removeprefix("user_api_key_"), metadata.get(name))
    tags = document.get("request_tags")
    if isinstance(tags, list) and tags:
        facts.note("request_tags", ",".join(str(tag)[:256] for tag in tags[:16]))


def _verdict(facts: Facts, document: Json) -> None:
    """What the guardrails said: the gravest of them."""
    told = structure(document.get("guardrail_information"))
    runs = [run for run in (told if isinstance(told, list) else [told]) if isinstance(run, dict)]
    run = min(runs, key=_gravity, default={})
    facts.put("guardrail_name", run.get("guardrail_name"))
    status = at(document, "status_fields.guardrail_status")
    facts.put("guardrail_status", run.get("guardrail_status"), status if status != "not_run" else None)
    facts.put("guardrail_score", run.get("risk_score"), run.get("confidence_score"))
    facts.note("guardrail_provider", run.get("guardrail_provider"))
    if document.get("status") == "failure" and facts.fields.get("guardrail_status") in _VERDICTS[:2]:
        facts.fields["status"] = "blocked"


def _gravity(run: Mapping[str, Any]) -> int:
    status = run.get("guardrail_status")
    return _VERDICTS.index(status) if status in _VERDICTS else len(_VERDICTS)


def _failure(facts: Facts, document: Json) -> None:
    error = child(document, "error_information")
    if document.get("status") != "failure" and not error.get("error_class"):
        return
    blocked = facts.fields.get("status") == "blocked"
    facts.put("http_status", error.get("error_code"), str(error.get("normalized_error") or "")[:3])
    kind = error.get("error_class") or error.get("error_code")
    facts.failed(kind, error.get("error_message") or document.get("error_str"))
    if blocked:
        facts.fields["status"] = "blocked"


def _call(facts: Facts, document: Json, operation: Operation) -> Event:
    response = _content(document.get("response"))
    failed = document.get("status") == "failure"
    answer = {} if failed else beginning(response)
    speaks = providers.api({}, answer) or "openai"
    said = _content(document.get("messages"))
    request = {**child(document, "model_parameters"), **({"messages": said} if said is not None else {})}
    counts = child(child(document, "metadata"), "usage_object")
    if not (failed and not document.get("total_tokens")):  # its zeros are no counts
        facts.take(document, _USAGE)
        facts.take(counts, body_openai.USAGE)
    elif not facts.fields.get("cost_usd"):
        facts.fields.pop("cost_usd", None)
    if operation.kind == "retrieval":
        facts.documents = documents(at(answer, "data") or at(answer, "results") or [])
        _read(facts, speaks, request, {})
        return facts.retrieval(operation.name)
    facts.put("response_model", _answering(document))
    _read(facts, speaks, request, response if not failed else {})
    facts.put("response_id", document.get("id") if not failed else None)
    return facts.model_call(operation.name)


def _read(facts: Facts, speaks: providers.Api, request: Json, response: Any) -> None:
    """Counts that LiteLLM gives itself are right: a provider's own may leave cached tokens out."""
    counted = {name: facts.fields.get(name) for name in ("input_tokens", "output_tokens")}
    providers.read(facts, speaks, body(request), body(response))
    facts.fields.update({name: value for name, value in counted.items() if value is not None})


def _content(value: Any) -> Any:
    """What was said, unless LiteLLM was told not to log it."""
    return None if value == _REDACTED or value == {"text": _REDACTED} else structure(value)


def _tool(facts: Facts, document: Json, tool: Json) -> Event:
    """A call of an MCP tool."""
    server = tool.get("mcp_server_name")
    facts.put("tool_name", tool.get("name"), tool.get("namespaced_tool_name"), document.get("model"))
    facts.put("tool_server", server)
    facts.put("tool_type", "mcp")
    session = tool.get("mcp_session_id")
    if session and not document.get("session_id"):
        facts.fields["session"] = str(session)
    for name in ("model", "provider"):
        facts.fields.pop(name, None)
    result = tool.get("result", document.get("response") or None)
    said = at(result, "content")
    return facts.tool_call(tool.get("arguments"), said if said is not None else result)
