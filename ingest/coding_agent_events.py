"""What coding agents call things: their events, spans and attributes, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ingest.aliases import OPERATIONS, Operation

# The first word of event names, and the agent's own name.
AGENTS: Mapping[str, str] = {
    "claude_code": "claude-code",
    "codex": "codex",
    "gemini_cli": "gemini-cli",
    "qwen-code": "qwen-code",
    "qwen_code": "qwen-code",
}
# Services whose events may come without the first word.
SERVICES: Mapping[str, str] = {
    "claude-code": "claude_code",
    "codex": "codex",
    "codex-cli": "codex",
    "codex_cli_rs": "codex",
    "codex_exec": "codex",
    "codex_tui": "codex",
    "gemini-cli": "gemini_cli",
    "qwen-code": "qwen-code",
}
SCOPES: Mapping[str, str] = {
    "gemini-cli": "gemini_cli",
    "qwen-code": "qwen-code",
    "com.anthropic.claude_code.tracing": "claude_code",
}
PROVIDERS: Mapping[str, str] = {"claude_code": "anthropic", "codex": "openai", "gemini_cli": "gcp.gemini"}

INPUT = "gen_ai.usage.input_tokens"
OUTPUT = "gen_ai.usage.output_tokens"
CACHED = ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_write.input_tokens")
ARGUMENTS = "gen_ai.tool.call.arguments"
RESULT = "gen_ai.tool.call.result"

# Bare names, and the ones of the conventions. Of several that mean one thing the last in this table wins.
SPELLING: Mapping[str, str] = {
    "model": "gen_ai.request.model",
    "input_token_count": INPUT,
    "input_tokens": INPUT,
    "output_token_count": OUTPUT,
    "output_tokens": OUTPUT,
    "cached_content_token_count": CACHED[0],
    "cached_token_count": CACHED[0],
    "cache_read_tokens": CACHED[0],
    "cache_creation_tokens": CACHED[1],
    "thoughts_token_count": "gen_ai.usage.reasoning.output_tokens",
    "reasoning_token_count": "gen_ai.usage.reasoning.output_tokens",
    "codex.usage.reasoning_output_tokens": "gen_ai.usage.reasoning.output_tokens",
    "cost_usd": "gen_ai.usage.cost",
    "ttft_ms": "ai.response.msToFirstChunk",
    "stop_reason": "gen_ai.response.finish_reasons",
    "finish_reasons": "gen_ai.response.finish_reasons",
    "response_id": "gen_ai.response.id",
    "request_id": "gen_ai.response.id",
    "function_name": "gen_ai.tool.name",
    "tool_name": "gen_ai.tool.name",
    "call_id": "gen_ai.tool.call.id",
    "tool.call_id": "gen_ai.tool.call.id",
    "gen_ai.tool.call_id": "gen_ai.tool.call.id",
    "tool_use_id": "gen_ai.tool.call.id",
    "full_command": ARGUMENTS,
    "tool_parameters": ARGUMENTS,
    "function_args": ARGUMENTS,
    "arguments": ARGUMENTS,
    "tool_input": ARGUMENTS,
    "output": RESULT,
    "tool_output": RESULT,
    "mcp_server": "mcp.server.name",
    "server_name": "mcp.server.name",
    "mcp_server_name": "mcp.server.name",
    "tool_type": "gen_ai.tool.type",
    "status_code": "http.response.status_code",
    "error": "error.message",
    "error_message": "error.message",
    "error_type": "error.type",
    "error_status_code": "http.response.status_code",
    "gen_ai.user.id": "user.id",
    "error_code": "error.type",
    "decision_type": "decision",
    "user_prompt": "prompt",
}
RANK: Mapping[str, int] = {name: rank for rank, name in enumerate(SPELLING, 1)}

NAMES = ("event.name", "eventName", "event_name", "body", "Body", "message", "name")  # of a flattened record
NOISE = frozenset(
    (
        "event.name",
        "event.timestamp",
        "event.sequence",
        "event.kind",
        "terminal.type",
        "user.account_id",
        "log.bridge",
    )
)
USED = ("success", "duration_ms")  # read into other fields
DECISIONS: Mapping[str, str] = {
    "allow": "accept",
    "allowed": "accept",
    "auto_accept": "accept",
    "deny": "reject",
    "denied": "reject",
    "rejected": "reject",
}
COMPACTIONS = frozenset(("compaction", "chat_compression"))


class Rule(NamedTuple):
    """What a log event is, and of which agents another record tells the same better."""

    operation: Operation
    ignored: tuple[str, ...] = ()


def _steps(names: Mapping[str, str]) -> dict[str, Rule]:
    return {name: Rule(Operation("agent", operation)) for name, operation in names.items()}


_CALL, _TOOL = OPERATIONS["chat"], OPERATIONS["execute_tool"]
_GOOGLE = ("gemini_cli", "qwen-code", "qwen_code")

EVENTS: Mapping[str, Rule] = {
    "api_request": Rule(_CALL, _GOOGLE),  # theirs only announces the response
    "api_response": Rule(_CALL),
    "api_error": Rule(_CALL),
    "api_refusal": Rule(_CALL),
    "sse_event": Rule(_CALL),
    "tool_result": Rule(_TOOL),
    "tool_call": Rule(_TOOL),
    **_steps(
        {
            "user_prompt": "user_prompt",
            "tool_decision": "tool_decision",
            "sandbox_outcome": "sandbox_outcome",
            "permission_mode_changed": "permission_change",
            "approval_mode_switch": "permission_change",
            "conversation_starts": "session_start",
            "config": "session_start",
            "agent.finish": "invoke_agent",
            "subagent_execution": "invoke_agent",
            "compaction": "compaction",
            "chat_compression": "compaction",
            "mcp_server_connection": "mcp_connection",
            "auth": "authentication",
            "skill_activated": "skill_activation",
            "plugin_installed": "plugin_installation",
            "extension_install": "plugin_installation",
            "extension_update": "plugin_installation",
            "extension_enable": "plugin_installation",
            "loop_detected": "loop_detected",
        }
    ),
}

# Spans by the last word of their name (Claude Code) or by their operation. Others only surround these.
SPANS: Mapping[str, Operation] = {
    "llm_request": _CALL,
    "llm_call": _CALL,
    "tool": _TOOL,
    "tool_call": _TOOL,
    "agent_call": OPERATIONS["invoke_agent"],
    "subagent": OPERATIONS["invoke_agent"],
}
