"""Which attribute names mean what: the whole mapping to canonical fields, as data.

What spans do stands in `ingest.operations`, the words of others in `ingest.words`, the parts of
request and response bodies in `ingest.bodies`. `python -m ingest.aliases` prints all of it as the
page docs/fields.md.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Literal, NamedTuple

from ingest.operations import CONTENT_IN_LOGS, DETAIL_EVENTS, OPERATION_NAMES, OPERATIONS, Operation
from ingest.words import FINISH, MESSAGE_EVENTS, PROVIDERS, ROLES

__all__ = [
    "CONTENT_IN_LOGS", "DETAIL_EVENTS", "FINISH", "INDEXED", "MESSAGE_EVENTS", "NOISE", "OPERATIONS",
    "OPERATION_NAMES", "PROVIDERS", "RESOURCE_FIELDS", "ROLES", "SPAN_FIELDS", "Field", "Operation",
]  # fmt: skip

Reading = Literal["text", "count", "number", "score", "flag", "seconds", "value"]


class Field(NamedTuple):
    """A canonical field and the attribute names it is taken from, best first.

    `target` is a field of Event, or with a leading underscore an ingredient of one or more of them.
    """

    target: str
    reading: Reading
    names: tuple[str, ...]


# Where applications put their own identifiers: any of these prefixes, with any of the keys below.
_METADATA = (
    "traceloop.association.properties.", "lmnr.association.properties.", "langsmith.metadata.",
    "ai.telemetry.metadata.", "langfuse.trace.metadata.", "langfuse.observation.metadata.", "metadata.",
    "gen_ai.request.metadata.", "mlflow.trace.", "genkit:metadata:",
)  # fmt: skip
SESSION_KEYS = (
    "session_id", "sessionId", "thread_id", "threadId", "conversation_id", "conversationId", "chat_id",
    "chatId", "session", "thread", "group_id", "langfuse_session_id",
)  # fmt: skip
USER_KEYS = ("user_id", "userId", "end_user_id", "enduser_id", "user", "langfuse_user_id")


def _metadata(keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple([prefix + key for prefix in _METADATA for key in keys])


SPAN_FIELDS: tuple[Field, ...] = (
    Field("provider", "text", (
        "gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "llm.vendor",
        "custom_llm_provider", "ai.model.provider", "gen_ai.model.provider",
        "mlflow.llm.provider", "model_provider",
        "langtrace.service.name", *_metadata(("ls_provider",)))),
    Field("model", "text", (
        "gen_ai.request.model", "llm.request.model_name", "llm.request.model", "ai.model.id",
        "gen_ai.request.model_name", "ai.model_id", *_metadata(("ls_model_name",)))),
    Field("response_model", "text", (
            "gen_ai.response.model",
        "llm.response.model_name", "llm.response.model", "ai.response.model")),
    # the one model that is named, without saying whether it was asked for or answered
    Field("_model", "text", (
        "llm.model_name", "langfuse.observation.model.name", "mlflow.llm.model", "llm.model",
        "embedding.model_name", "reranker.model_name", "model_name", "gen_ai.model", "genkit:name",
        "haystack.component.model", "model")),
    Field("response_id", "text", (
            "gen_ai.response.id", "llm.response.id", "ai.response.id", "gen_ai.request.id")),
    Field("_finish", "value", (
        "gen_ai.response.finish_reasons", "gen_ai.response.finish_reason", "llm.finish_reason",
        "ai.response.finishReason", "llm.response.finish_reason", "llm.response.stop_reason",
        "anthropic.message.stop_reason", "gen_ai.completion.0.finish_reason",
        "llm.completions.0.finish_reason", "gen_ai.completion.finish_reason",
        "langfuse.observation.metadata.finish_reason", "ai.finishReason")),
    Field("input_tokens", "count", (
        "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt",
        "llm.usage.prompt_tokens", "llm.usage.input_tokens", "ai.usage.inputTokens",
        "ai.usage.promptTokens", "ai.usage.tokens", "gen_ai.usage.inputTokens",
        "ai.prompt_tokens.used", "prompt_tokens", "input_tokens")),
    Field("output_tokens", "count", (
        "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
        "llm.usage.completion_tokens", "llm.usage.output_tokens", "ai.usage.outputTokens",
        "ai.usage.completionTokens", "gen_ai.usage.outputTokens", "ai.completion_tokens.used",
        "completion_tokens", "output_tokens")),
    Field("_total_tokens", "count", (
        "gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total")),
    Field("cache_read_tokens", "count", (
        "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.cache_read_tokens", "gen_ai.usage.cached_tokens",
        "gen_ai.usage.cached_input_tokens", "gen_ai.usage.input_tokens.cached",
        "gen_ai.usage.prompt_tokens_details.cached_tokens", "gen_ai.usage.input_tokens_details.cached_tokens",
        "gen_ai.usage.input_token_details.cache_read", "gen_ai.usage.cached_content_token_count",
        "gen_ai.usage.details.cache_read_tokens", "gen_ai.usage.details.cached_tokens",
        "gen_ai.usage.details.cache_read_input_tokens", "gen_ai.openai.usage.cached_tokens",
        "llm.token_count.prompt_details.cache_read", "llm.usage.cache_read_input_tokens",
        "llm.usage.cached_tokens", "prompt_tokens_details.cached_tokens",
        "ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.cachedInputTokens")),
    Field("cache_write_tokens", "count", (
        "gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens", "gen_ai.usage.cache_write_input_tokens",
        "gen_ai.usage.cache_creation_tokens", "gen_ai.usage.cache_write_tokens",
        "gen_ai.usage.input_tokens.cache_write", "gen_ai.usage.input_token_details.cache_creation",
        "gen_ai.usage.details.cache_write_tokens", "gen_ai.usage.details.cache_creation_tokens",
        "gen_ai.usage.details.cache_creation_input_tokens",
        "llm.token_count.prompt_details.cache_write", "llm.token_count.prompt_details.cache_creation",
        "llm.usage.cache_creation_input_tokens", "ai.usage.inputTokenDetails.cacheWriteTokens")),
    Field("reasoning_tokens", "count", (
        "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.output_tokens.reasoning", "gen_ai.usage.details.reasoning_tokens",
        "gen_ai.usage.output_token_details.reasoning", "gen_ai.usage.thoughts_token_count",
        "gen_ai.usage.completion_tokens_details.reasoning_tokens",
        "gen_ai.usage.output_tokens_details.reasoning_tokens",
        "llm.token_count.completion_details.reasoning", "llm.usage.reasoning_tokens",
        "completion_tokens_details.reasoning_tokens", "codex.usage.reasoning_output_tokens",
        "ai.usage.outputTokenDetails.reasoningTokens", "ai.usage.reasoningTokens")),
    Field("_usage", "value", (
        "gen_ai.usage.raw", "langfuse.observation.usage_details", "mlflow.chat.tokenUsage",
        "llm.token.counts", "braintrust.metrics", "langwatch.metrics", "gen_ai.usage",
        "metadata.usage_object")),
    Field("_input_details", "value", ("gen_ai.usage.input_token_details",)),
    Field("_output_details", "value", ("gen_ai.usage.output_token_details",)),
    Field("cost_usd", "number", (
        "gen_ai.usage.cost", "gen_ai.cost.total_cost", "operation.cost", "gen_ai.usage.total_cost",
        "gen_ai.usage.cost.total", "llm.cost.total", "gen_ai.usage.cost_usd")),
    Field("_cost", "value", ("langfuse.observation.cost_details", "mlflow.llm.cost", "gen_ai.cost")),
    Field("_first_token", "seconds", (
        "gen_ai.response.time_to_first_chunk", "gen_ai.response.time_to_first_token",
        "gen_ai.server.time_to_first_token", "gen_ai.latency.time_to_first_token")),
    Field("_first_token_at", "text", ("langfuse.observation.completion_start_time",)),
    Field("first_token_ms", "number", ("ai.response.msToFirstChunk",)),
    Field("stream", "flag", (
        "gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming", "llm.stream",
        "gen_ai.request.is_stream", "gen_ai.request.streaming", "gen_ai.response.streaming",
        "spring.ai.chat.client.stream", "langsmith.request.streaming", "ai.streaming", "stream")),
    Field("session", "text", (
        "gen_ai.conversation.id", "session.id", "conversation.id", "thread.id",
        "gen_ai.session.id", "gen_ai.thread.id", "langfuse.session.id", "langwatch.thread.id",
        *_metadata(SESSION_KEYS), "spring.ai.chat.client.conversation.id", "gcp.vertex.agent.session_id",
        "session_id", "thread_id", "mcp.session.id")),
    Field("user", "text", (
        "user.id", "enduser.id", "gen_ai.user", "gen_ai.user.id", "gen_ai.request.user", "llm.user",
        "langfuse.user.id", "langwatch.user.id", *_metadata(USER_KEYS),
        "metadata.user_api_key_user_id", "metadata.user_api_key_end_user_id",
        "langwatch.customer.id", "user.account_uuid", "user.email", "user_id")),
    Field("api_key", "text", ("metadata.user_api_key_hash", "metadata.user_api_key_alias")),
    Field("client_ip", "text", ("client.address", "metadata.requester_ip_address")),
    Field("user_agent", "text", ("user_agent.original", "metadata.user_agent")),
    Field("agent", "text", (
        "gen_ai.agent.name", "agent.name", "agent_name", "genkit:agent:name", "recipient_agent_type")),
    Field("agent_id", "text", ("gen_ai.agent.id",)),
    Field("tool_name", "text", (
        "gen_ai.tool.name", "tool.name", "ai.toolCall.name", "tool_name", "mcp.tool.name",
        "spring.ai.tool.definition.name", "haystack.tool.name", "tool_call.function.name",
        "mcp.request.argument.name", "lk.function_tool.name")),
    Field("tool_type", "text", ("gen_ai.tool.type",)),
    Field("tool_server", "text", ("mcp.server.name", "mcp_server_name")),
    Field("tool_call_id", "text", (
        "gen_ai.tool.call.id", "gen_ai.tool.call_id", "tool.id", "tool_call.id", "tool.call_id",
        "ai.toolCall.id", "spring.ai.tool.call.id", "haystack.tool.call.id")),
    Field("_arguments", "value", (
        "gen_ai.tool.call.arguments", "ai.toolCall.args", "ai.toolCall.input", "tool_arguments",
        "gen_ai.tool.arguments", "gen_ai.tool.args", "gen_ai.tool.input", "gen_ai.tool.parameters",
        "tool_call.function.arguments", "spring.ai.tool.call.arguments", "haystack.agent.step.tool.input",
        "mcp.tool.arguments", "mcp.request.argument", "tool.arguments", "lk.function_tool.arguments")),
    Field("_result", "value", (
        "gen_ai.tool.call.result", "ai.toolCall.result", "ai.toolCall.output", "tool_response",
        "gen_ai.tool.result", "gen_ai.tool.output", "tool.result", "gen_ai.tool.message",
        "haystack.agent.step.tool.output", "spring.ai.tool.call.result", "mcp.tool.result",
        "mcp.response.value", "lk.function_tool.output")),
    Field("_parameters_given", "value", ("tool.parameters",)),
    Field("_tools", "value", (
        "gen_ai.tool.definitions", "ai.prompt.tools", "mlflow.chat.tools", "gen_ai.request.tools",
        "gen_ai.request.available_tools", "llm.tools", "gen_ai.tools", "tools")),
    Field("_system", "value", (
        "gen_ai.system_instructions", "gen_ai.system.instructions", "gen_ai.system_prompt")),
    Field("_input", "value", (
        "gen_ai.input.messages", "gen_ai.prompt", "llm.input_messages",
        "ai.prompt.messages", "all_messages_events",
        "pydantic_ai.all_messages", "gen_ai.request.messages", "mlflow.chat.messages", "llm.prompts",
        "ai.input_messages", "gen_ai.input_messages", "ai.prompt")),
    Field("_output", "value", (
        "gen_ai.output.messages", "gen_ai.completion", "llm.output_messages", "final_result",
        "gen_ai.output_messages", "gen_ai.response.messages", "llm.responses", "llm.completions",
        "ai.responses", "gen_ai.output")),
    Field("_given", "value", (
        "input.value", "traceloop.entity.input", "gen_ai.task.input", "langfuse.observation.input",
        "mlflow.spanInputs", "lmnr.span.input", "langwatch.input", "braintrust.input_json",
        "braintrust.input", "genkit:input", "gcp.vertex.agent.llm_request",
        "gcp.vertex.agent.tool_call_args", "haystack.component.input", "haystack.agent.step.llm.input",
        "agentops.entity.input", "agentops.task.input", "raw.input", "request_data", "llm.request",
        "mastra.span.input", "gen_ai.input", "agent.input",
        "gen_ai.prompt_json", "lk.chat_ctx", "input")),
    Field("_taken", "value", (
        "output.value", "traceloop.entity.output", "gen_ai.task.output", "langfuse.observation.output",
        "mlflow.spanOutputs", "lmnr.span.output", "langwatch.output", "braintrust.output_json",
        "braintrust.output", "genkit:output", "gcp.vertex.agent.llm_response",
        "gcp.vertex.agent.tool_response", "haystack.component.output", "haystack.agent.step.llm.output",
        "agentops.entity.output", "agentops.task.output", "raw.output", "response_data", "llm.response",
        "mastra.span.output", "agent.output", "gen_ai.completion_json", "output")),
    Field("_parameters", "value", (
        "llm.invocation_parameters", "model_request_parameters", "langfuse.observation.model.parameters",
        "braintrust.metadata", "gen_ai.request.parameters", "mlflow.llm.parameters")),
    Field("_metadata", "value", (
        "metadata", "langfuse.trace.metadata", "langfuse.observation.metadata", "langwatch.metadata",
        "gen_ai.request.metadata")),
    Field("_answer", "value", ("ai.response.text", "gen_ai.response.text", "ai.response.object",
        "lk.response.text", "ai.result.text", "ai.result.object")),
    Field("_events", "value", ("events", "gen_ai.events")),
    Field("_calls", "value", ("ai.response.toolCalls", "gen_ai.response.tool_calls", "ai.result.toolCalls")),
    Field("_query", "value", (
        "gen_ai.retrieval.query.text", "retrieval.query", "db.vector.query.content", "reranker.query")),
    Field("_documents", "value", ("gen_ai.retrieval.documents", "db.vector.query.response.documents")),
    Field("error_type", "text", ("error.type", "exception.type")),
    Field("error_message", "text", (
        "exception.message", "error.message", "langfuse.observation.status_message",
        "genkit:error", "gen_ai.error.message")),
    Field("_level", "text", ("langfuse.observation.level", "genkit:state", "haystack.tool.error")),
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
    Field("environment", "text", (
        "deployment.environment.name", "deployment.environment", "langfuse.environment")),
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
    "llm.prompts.": "_input",
    "llm.completions.": "_output",
    "llm.tools.": "_tools",
    "llm.request.functions.": "_tools",
    "gen_ai.request.tools.": "_tools",
    "gen_ai.completion_tools.": "_tools",
    "retrieval.documents.": "_documents",
    "reranker.output_documents.": "_documents",
}

# First words of names that say nothing about a call: not kept as unmapped attributes.
NOISE = frozenset((
    "logfire", "telemetry", "code", "process", "os", "host", "thread", "otel", "container", "k8s", "net",
    "network", "http", "url", "server", "langgraph", "service", "metadata", "gcp", "hidden_params",
    "model_request_parameters", "request_data",
))  # fmt: skip


if __name__ == "__main__":
    from ingest.fields_page import document

    sys.stdout.write(document())
