"""Which attribute names mean what: the whole mapping to canonical fields, as data.

`python -m ingest.aliases` prints it as the page docs/fields.md.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Literal, NamedTuple

from tocsin.model import Kind

Reading = Literal["text", "count", "number", "score", "flag", "seconds", "value"]


class Field(NamedTuple):
    """A canonical field and the attribute names it is taken from, best first.

    `target` is a field of Event, or with a leading underscore an ingredient of one or more of them.
    """

    target: str
    reading: Reading
    names: tuple[str, ...]


SPAN_FIELDS: tuple[Field, ...] = (
    Field("provider", "text", ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system",
                               "custom_llm_provider", "ai.model.provider")),
    Field("model", "text", ("gen_ai.request.model", "llm.request.model_name", "llm.model_name",
                            "ai.model.id", "embedding.model_name", "reranker.model_name", "model_name")),
    Field("response_model", "text", ("gen_ai.response.model", "llm.response.model_name",
          "ai.response.model")),
    Field("response_id", "text", ("gen_ai.response.id", "llm.response.id", "ai.response.id")),
    Field("_finish", "value", ("gen_ai.response.finish_reasons", "gen_ai.response.finish_reason",
                               "llm.finish_reason", "ai.response.finishReason", "llm.response.finish_reason",
                               "llm.response.stop_reason", "anthropic.message.stop_reason",
                               "gen_ai.completion.0.finish_reason")),
    Field("input_tokens", "count", ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens",
                                    "llm.token_count.prompt", "llm.usage.prompt_tokens",
                                    "ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens")),
    Field("output_tokens", "count", ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens",
                                     "llm.token_count.completion", "llm.usage.completion_tokens",
                                     "ai.usage.outputTokens", "ai.usage.completionTokens")),
    Field("cache_read_tokens", "count", ("gen_ai.usage.cache_read.input_tokens",
                                         "gen_ai.usage.cache_read_input_tokens",
                                         "gen_ai.usage.details.cache_read_tokens",
                                         "gen_ai.usage.details.cached_tokens",
                                         "llm.token_count.prompt_details.cache_read",
                                         "prompt_tokens_details.cached_tokens",
                                         "ai.usage.inputTokenDetails.cacheReadTokens",
                                         "ai.usage.cachedInputTokens")),
    Field("cache_write_tokens", "count", ("gen_ai.usage.cache_write.input_tokens",
                                          "gen_ai.usage.cache_creation.input_tokens",
                                          "gen_ai.usage.cache_creation_input_tokens",
                                          "gen_ai.usage.cache_write_input_tokens",
                                          "gen_ai.usage.details.cache_write_tokens",
                                          "llm.token_count.prompt_details.cache_write",
                                          "ai.usage.inputTokenDetails.cacheWriteTokens")),
    Field("reasoning_tokens", "count", ("gen_ai.usage.reasoning.output_tokens",
          "gen_ai.usage.reasoning_tokens",
                                        "gen_ai.usage.details.reasoning_tokens",
                                        "llm.token_count.completion_details.reasoning",
                                        "completion_tokens_details.reasoning_tokens",
                                        "ai.usage.outputTokenDetails.reasoningTokens",
                                        "ai.usage.reasoningTokens")),
    Field("_usage", "value", ("gen_ai.usage.raw",)),
    Field("cost_usd", "number", ("gen_ai.usage.cost", "gen_ai.cost.total_cost", "operation.cost",
                                 "gen_ai.usage.total_cost", "llm.cost.total")),
    Field("_first_token", "seconds", ("gen_ai.response.time_to_first_chunk",
          "gen_ai.response.time_to_first_token",
                                      "gen_ai.server.time_to_first_token")),
    Field("first_token_ms", "number", ("ai.response.msToFirstChunk",)),
    Field("stream", "flag", ("gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming",
                             "gen_ai.request.is_stream")),
    Field("session", "text", ("gen_ai.conversation.id", "session.id", "conversation.id", "thread.id",
                              "traceloop.association.properties.session_id",
                              "traceloop.association.properties.thread_id",
                              "langsmith.metadata.session_id", "langsmith.metadata.thread_id",
                              "ai.telemetry.metadata.sessionId", "mcp.session.id")),
    Field("user", "text", ("user.id", "enduser.id", "gen_ai.user", "gen_ai.request.user", "llm.user",
                           "traceloop.association.properties.user_id", "ai.telemetry.metadata.userId",
                           "metadata.user_api_key_user_id", "metadata.user_api_key_end_user_id",
                           "langsmith.metadata.user_id", "user.account_uuid", "user.email")),
    Field("api_key", "text", ("metadata.user_api_key_hash", "metadata.user_api_key_alias")),
    Field("client_ip", "text", ("client.address", "metadata.requester_ip_address")),
    Field("user_agent", "text", ("user_agent.original", "metadata.user_agent")),
    Field("agent", "text", ("gen_ai.agent.name", "agent.name", "agent_name")),
    Field("agent_id", "text", ("gen_ai.agent.id",)),
    Field("tool_name", "text", ("gen_ai.tool.name", "tool.name", "ai.toolCall.name", "tool_name")),
    Field("tool_type", "text", ("gen_ai.tool.type",)),
    Field("tool_server", "text", ("mcp.server.name", "mcp_server_name")),
    Field("tool_call_id", "text", ("gen_ai.tool.call.id", "gen_ai.tool.call_id", "tool.id", "tool_call.id",
                                   "ai.toolCall.id")),
    Field("_arguments", "value", ("gen_ai.tool.call.arguments", "ai.toolCall.args", "tool_arguments",
                                  "gen_ai.tool.arguments")),
    Field("_result", "value", ("gen_ai.tool.call.result", "ai.toolCall.result", "tool_response",
                               "gen_ai.tool.result")),
    Field("_tools", "value", ("gen_ai.tool.definitions", "ai.prompt.tools")),
    Field("_system", "value", ("gen_ai.system_instructions",)),
    Field("_input", "value", ("gen_ai.input.messages", "gen_ai.prompt", "ai.prompt.messages",
          "all_messages_events",
                              "pydantic_ai.all_messages")),
    Field("_output", "value", ("gen_ai.output.messages", "gen_ai.completion", "final_result")),
    Field("_given", "value", ("input.value", "traceloop.entity.input", "gen_ai.task.input")),
    Field("_taken", "value", ("output.value", "traceloop.entity.output", "gen_ai.task.output")),
    Field("_answer", "value", ("ai.response.text",)),
    Field("_calls", "value", ("ai.response.toolCalls",)),
    Field("_query", "value", ("gen_ai.retrieval.query.text", "retrieval.query")),
    Field("_documents", "value", ("gen_ai.retrieval.documents",)),
    Field("error_type", "text", ("error.type", "exception.type")),
    Field("error_message", "text", ("exception.message", "error.message")),
    Field("http_status", "count", ("http.response.status_code", "http.status_code")),
    Field("_mcp", "text", ("mcp.method.name",)),
    Field("evaluation_name", "text", ("gen_ai.evaluation.name",)),
    Field("evaluation_score", "score", ("gen_ai.evaluation.score.value", "gen_ai.evaluation.score")),
    Field("evaluation_label", "text", ("gen_ai.evaluation.score.label", "gen_ai.evaluation.label")),
    Field("guardrail_name", "text", ("gen_ai.guardrail.component.name", "gen_ai.guardrail.name")),
    Field("guardrail_status", "text", ("gen_ai.guardrail.verdict.type", "microsoft.security.decision.type")),
    Field("guardrail_score", "score", ("gen_ai.guardrail.security.risk.score",)),
    Field("compacted", "flag", ("conversation.compacted", "gen_ai.conversation.compacted")),
    Field("tenant", "text", ("tenant.id",)),
    Field("environment", "text", ("deployment.environment.name", "deployment.environment")),
)  # fmt: skip

RESOURCE_FIELDS: tuple[Field, ...] = (
    Field("service", "text", ("service.name",)),
    Field("service_version", "text", ("service.version",)),
    Field("environment", "text", ("deployment.environment.name", "deployment.environment")),
    Field("tenant", "text", ("tenant.id",)),
    Field("user", "text", ("user.id", "enduser.id")),
    Field("session", "text", ("session.id",)),
)

# Flattened messages: prefix, then a number, then the message's own keys. The value is the ingredient.
INDEXED: Mapping[str, str] = {
    "gen_ai.prompt.": "_input",
    "gen_ai.completion.": "_output",
    "llm.input_messages.": "_input",
    "llm.output_messages.": "_output",
    "llm.tools.": "_tools",
    "llm.request.functions.": "_tools",
    "retrieval.documents.": "_documents",
    "reranker.output_documents.": "_documents",
}

# First words of names that say nothing about a call: not kept as unmapped attributes.
NOISE = frozenset(
    [
        "logfire",
        "telemetry",
        "code",
        "process",
        "os",
        "host",
        "thread",
        "otel",
        "container",
        "k8s",
        "net",
        "network",
        "http",
        "url",
        "server",
        "langgraph",
        "service",
        "metadata",
        "gcp",
        "hidden_params",
        "model_request_parameters",
        "request_data",
    ]
)

# A provider's own usage object: token counts by path.
USAGE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("input_tokens", ("prompt_tokens", "input_tokens")),
    ("output_tokens", ("completion_tokens", "output_tokens")),
    ("cache_read_tokens", ("prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens",
                           "cache_read_input_tokens")),
    ("cache_write_tokens", ("cache_creation_input_tokens",)),
    ("reasoning_tokens", ("completion_tokens_details.reasoning_tokens",
                          "output_tokens_details.reasoning_tokens")),
)  # fmt: skip


class Operation(NamedTuple):
    """What a span does; None as kind: known, and no event (a step around others, or plumbing)."""

    kind: Kind | None
    name: str


def _operations(kind: Kind | None, name: str, *spellings: str) -> dict[str, Operation]:
    return dict.fromkeys((name, *spellings), Operation(kind, name))


OPERATIONS: Mapping[str, Operation] = {
    **_operations("llm", "chat", "completion", "acompletion", "chat_completion", "chat.completion",
                  "responses", "aresponses", "response", "messages", "message", "llm_call", "llm_request",
                  "llm", "generate", "inference", "converse", "invoke_model"),
    **_operations("llm", "text_completion", "atext_completion"),
    **_operations("llm", "generate_content", "agenerate_content", "generate_content_stream"),
    **_operations("llm", "embeddings", "embedding", "aembedding", "embed"),
    **_operations("llm", "image_generation", "aimage_generation", "generate_image"),
    **_operations("llm", "transcription", "atranscription", "speech", "aspeech"),
    **_operations("retrieval", "retrieval", "retrieve", "retriever", "vector_db_retrieve", "vector_search"),
    **_operations("retrieval", "rerank", "arerank", "reranker"),
    **_operations("tool", "execute_tool", "tool_call", "call_tool", "tool", "tools/call", "running_tool"),
    **_operations("agent", "invoke_agent", "agent", "agent_run", "run_agent"),
    **_operations("agent", "create_agent"),
    **_operations("agent", "invoke_workflow", "workflow"),
    **_operations("agent", "agent_step", "execute_event_loop_cycle", "plan"),
    **_operations("agent", "handoff", "transfer_to_agent"),
    **_operations("evaluation", "evaluation", "evaluate", "evaluator"),
    **_operations("evaluation", "apply_guardrail", "run_guardrail", "guardrail"),
    **_operations(None, "step", "execute_task", "task", "chain", "prompt", "unknown"),
}  # fmt: skip

_OPENINFERENCE: Mapping[str, Operation] = {
    "llm": OPERATIONS["chat"],
    "embedding": OPERATIONS["embeddings"],
    "tool": OPERATIONS["execute_tool"],
    "retriever": OPERATIONS["retrieval"],
    "reranker": OPERATIONS["rerank"],
    "agent": OPERATIONS["invoke_agent"],
    "guardrail": OPERATIONS["apply_guardrail"],
    "evaluator": OPERATIONS["evaluation"],
    "chain": OPERATIONS["step"],
    "prompt": OPERATIONS["step"],
}
_TRACELOOP: Mapping[str, Operation] = {
    "agent": OPERATIONS["invoke_agent"],
    "tool": OPERATIONS["execute_tool"],
    "workflow": OPERATIONS["invoke_workflow"],
    "task": OPERATIONS["step"],
}
_VERCEL: Mapping[str, Operation] = {
    "ai.generatetext.dogenerate": OPERATIONS["chat"],
    "ai.streamtext.dostream": OPERATIONS["chat"],
    "ai.generateobject.dogenerate": OPERATIONS["chat"],
    "ai.streamobject.dostream": OPERATIONS["chat"],
    "ai.embed.doembed": OPERATIONS["embeddings"],
    "ai.embedmany.doembed": OPERATIONS["embeddings"],
    "ai.toolcall": OPERATIONS["execute_tool"],
    "ai.generatetext": OPERATIONS["invoke_agent"],
    "ai.streamtext": OPERATIONS["invoke_agent"],
    "ai.generateobject": OPERATIONS["invoke_agent"],
    "ai.streamobject": OPERATIONS["invoke_agent"],
    "ai.embed": OPERATIONS["step"],
    "ai.embedmany": OPERATIONS["step"],
}

# Attributes that say what a span does, in order of trust.
OPERATION_NAMES: tuple[tuple[str, Mapping[str, Operation]], ...] = (
    ("gen_ai.operation.name", OPERATIONS),
    ("openinference.span.kind", _OPENINFERENCE),
    ("ai.operationId", _VERCEL),
    ("traceloop.span.kind", _TRACELOOP),
    ("llm.request.type", OPERATIONS),
    ("mcp.method.name", {"tools/call": OPERATIONS["execute_tool"]}),
)

PROVIDERS: Mapping[str, str] = {
    "openai.chat": "openai",
    "openai.responses": "openai",
    "openai.completion": "openai",
    "openai.embedding": "openai",
    "anthropic.messages": "anthropic",
    "xai": "x_ai",
    "grok": "x_ai",
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    "azure_ai": "azure.ai.inference",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "google.vertex.chat": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "google": "gcp.gemini",
    "google_genai": "gcp.gemini",
    "google.generative-ai": "gcp.gemini",
    "google-gla": "gcp.gemini",
    "google-vertex": "gcp.vertex_ai",
    "aws": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "amazon-bedrock": "aws.bedrock",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "moonshot": "moonshot_ai",
    "watsonx": "ibm.watsonx.ai",
    # frameworks that stand where a provider should
    "langchain": "",
    "langgraph": "",
    "llamaindex": "",
    "crewai": "",
    "strands-agents": "",
    "semantic_kernel": "",
    "pydantic-ai": "",
    "haystack": "",
    "openai_agents": "",
    "unknown": "",
    "-": "",
}

FINISH: Mapping[str, str] = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "complete": "stop",
    "finish_reason_stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "incomplete": "length",
    "tool_call": "tool_call",
    "tool_calls": "tool_call",
    "tool-calls": "tool_call",
    "tool_use": "tool_call",
    "function_call": "tool_call",
    "function_calls": "tool_call",
    "content_filter": "content_filter",
    "content-filter": "content_filter",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "safety": "content_filter",
    "prohibited_content": "content_filter",
    "blocklist": "content_filter",
    "spii": "content_filter",
    "recitation": "content_filter",
    "refusal": "refusal",
    "error": "error",
    "failed": "error",
    "malformed_function_call": "error",
    "pause_turn": "pause",
    "compaction": "compaction",
}

ROLES: Mapping[str, Literal["system", "user", "assistant", "tool", "retrieved"]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "chatbot": "assistant",
    "tool": "tool",
    "function": "tool",
    "toolmessage": "tool",
    "retrieved": "retrieved",
}

# Log records that are one message of a model call, and the role of that message.
MESSAGE_EVENTS: Mapping[str, str] = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
    "gen_ai.choice": "",
}
# Log records that tell of a whole operation.
DETAIL_EVENTS: Mapping[str, Operation] = {
    "gen_ai.client.inference.operation.details": OPERATIONS["chat"],
    "gen_ai.client.operation.exception": OPERATIONS["chat"],
    "gen_ai.evaluation.result": OPERATIONS["evaluation"],
}

# Scopes whose spans carry no content because it travels in log records: their spans wait for it.
CONTENT_IN_LOGS: tuple[str, ...] = (
    "opentelemetry.instrumentation.openai_v2",
    "opentelemetry.instrumentation.vertexai",
    "opentelemetry.instrumentation.google_genai",
    "opentelemetry.instrumentation.genai.",
    "opentelemetry.instrumentation.botocore.bedrock-runtime",
    "opentelemetry.instrumentation.langchain_v2",
    "@opentelemetry/instrumentation-openai",
    "semantic_kernel.utils.telemetry.model_diagnostics",
    "pydantic-ai",
    "gcp.vertex.agent",
)


def document() -> str:
    """The mapping as a page for readers."""
    lines = [
        "# Fields",
        "",
        "Generated from `ingest/aliases.py` by `python -m ingest.aliases`; a test keeps it true.",
        "Of several attributes that mean one field, the leftmost wins. Names with `N` are numbered.",
        "",
        *_table("Span and log attributes", SPAN_FIELDS),
        *_table("Resource attributes", RESOURCE_FIELDS),
        "## Numbered attributes",
        "",
        *[f"- `{prefix}N.*`: {_title(target)}" for prefix, target in INDEXED.items()],
        "",
        "## Operations",
        "",
        "| operation | event kind | spellings |",
        "|---|---|---|",
        *_operation_rows(),
        "",
        *_words("Providers", PROVIDERS),
        *_words("Finish reasons", FINISH),
        *_words("Roles", ROLES),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _title(target: str) -> str:
    return _INGREDIENTS.get(target, f"`{target}`")


_INGREDIENTS: Mapping[str, str] = {
    "_finish": "`finish_reason`",
    "_first_token": "`first_token_ms`",
    "_arguments": "`tool_arguments`",
    "_result": "`tool_result`",
    "_tools": "`tool_definitions`",
    "_system": "`input`, role system",
    "_input": "`input`",
    "_output": "`output`",
    "_given": "`tool_arguments`, `input` or the query, by kind; only where nothing better is given",
    "_taken": "`tool_result`, `output` or `documents`, by kind; only where nothing better is given",
    "_answer": "`output`, its text",
    "_calls": "`output`, its tool calls",
    "_query": "`input` of a retrieval",
    "_documents": "`documents`",
    "_mcp": "`operation`",
    "_usage": "token counts that are given nowhere else, in the provider's own words",
}


def _table(title: str, fields: tuple[Field, ...]) -> list[str]:
    rows = [f"| {_title(f.target)} | {f.reading} | {', '.join(f'`{n}`' for n in f.names)} |" for f in fields]
    return [f"## {title}", "", "| field | read as | taken from |", "|---|---|---|", *rows, ""]


def _operation_rows() -> list[str]:
    spellings: dict[Operation, list[str]] = {}
    for word, operation in OPERATIONS.items():
        spellings.setdefault(operation, []).append(word)
    return [f"| {op.name} | {op.kind or 'ignored'} | {', '.join(words)} |" for op, words in spellings.items()]


def _words(title: str, words: Mapping[str, str]) -> list[str]:
    meanings: dict[str, list[str]] = {}
    for word, meaning in words.items():
        meanings.setdefault(meaning, []).append(word)
    rows = [f"| {meaning or '(none)'} | {', '.join(spelt)} |" for meaning, spelt in meanings.items()]
    return [f"## {title}", "", "| ours | theirs |", "|---|---|", *rows, ""]


if __name__ == "__main__":
    sys.stdout.write(document())
