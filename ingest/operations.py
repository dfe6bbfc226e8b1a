"""What spans do: the words of every dialect for it, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tocsin.model import Kind


class Operation(NamedTuple):
    """What a span does; None as kind: known, and no event (a step around others, or plumbing)."""

    kind: Kind | None
    name: str


def _operations(kind: Kind | None, name: str, *spellings: str) -> dict[str, Operation]:
    return dict.fromkeys((name, *spellings), Operation(kind, name))


OPERATIONS: Mapping[str, Operation] = {
    **_operations("llm", "chat", "completion", "acompletion", "completions", "chat_completion",
                  "chat.completion", "chat_completions", "chat.completions", "chat_model", "responses",
                  "aresponses", "response", "messages", "message", "llm_call", "llm_request", "llm",
                  "call_llm", "generate", "generation", "inference", "converse", "converse_stream",
                  "invoke_model", "invoke_model_with_response_stream", "stream", "streaming_chat",
                  "model_generation"),
    **_operations("llm", "text_completion", "atext_completion", "text_generation"),
    **_operations("llm", "generate_content", "agenerate_content", "generate_content_stream",
                  "generatecontent"),
    **_operations("llm", "embeddings", "embedding", "aembedding", "embed", "embed_content", "text_embedding"),
    **_operations("llm", "image_generation", "aimage_generation", "generate_image", "generate_images",
                  "image"),
    **_operations("llm", "transcription", "atranscription", "speech", "aspeech", "audio", "moderation"),
    **_operations("retrieval", "retrieval", "retrieve", "retriever", "vector_db_retrieve", "vector_search",
                  "similarity_search"),
    **_operations("retrieval", "rerank", "arerank", "reranker"),
    **_operations("tool", "execute_tool", "tool_call", "call_tool", "tool", "tools/call", "running_tool",
                  "tool.execute", "tool_execution", "tool_run", "function_call", "mcp_tool_call",
                  "execute_function"),
    **_operations("agent", "invoke_agent", "agent", "agent_run", "run_agent", "agent.invoke"),
    **_operations("agent", "create_agent"),
    **_operations("agent", "invoke_workflow", "workflow", "workflow_run", "session"),
    **_operations("agent", "agent_step", "execute_event_loop_cycle", "plan"),
    **_operations("agent", "handoff", "transfer_to_agent"),
    **_operations("evaluation", "evaluation", "evaluate", "evaluator"),
    **_operations("evaluation", "apply_guardrail", "run_guardrail", "guardrail"),
    **_operations(None, "step", "execute_task", "task", "chain", "prompt", "unknown", "framework", "span",
                  "event", "default", "operation", "parser", "memory", "schedule_tool_calls",
                  "model_step", "model_chunk", "http", "decision", "search_memory", "update_memory",
                  "create_memory", "delete_memory", "create_thread", "create_message", "list_messages",
                  "submit_tool_outputs"),
}  # fmt: skip

_STEP = OPERATIONS["step"]
_KINDS: dict[str, Operation] = {
    "llm": OPERATIONS["chat"],
    "chat_model": OPERATIONS["chat"],
    "generation": OPERATIONS["chat"],
    "model": OPERATIONS["chat"],
    "model_generation": OPERATIONS["chat"],
    "llm_generation": OPERATIONS["chat"],
    "embedding": OPERATIONS["embeddings"],
    "embedder": OPERATIONS["embeddings"],
    "tool": OPERATIONS["execute_tool"],
    "tool_call": OPERATIONS["execute_tool"],
    "mcp_tool_call": OPERATIONS["execute_tool"],
    "retriever": OPERATIONS["retrieval"],
    "retrieval": OPERATIONS["retrieval"],
    "vectordb": OPERATIONS["retrieval"],
    "rag": _STEP,
    "reranker": OPERATIONS["rerank"],
    "agent": OPERATIONS["invoke_agent"],
    "agent_run": OPERATIONS["invoke_agent"],
    "workflow": OPERATIONS["invoke_workflow"],
    "workflow_run": OPERATIONS["invoke_workflow"],
    "handoff": OPERATIONS["handoff"],
    "guardrail": OPERATIONS["apply_guardrail"],
    "evaluator": OPERATIONS["evaluation"],
    "evaluation": OPERATIONS["evaluation"],
    **dict.fromkeys(("chain", "prompt", "task", "step", "span", "event", "parser", "memory", "session",
                     "operation", "default", "unknown", "flow", "framework", "component", "module",
                     "server", "http", "team", "score", "decision", "model_step", "model_chunk"), _STEP),
}  # fmt: skip
_VERCEL: Mapping[str, Operation] = {
    "ai.generatetext.dogenerate": OPERATIONS["chat"],
    "ai.streamtext.dostream": OPERATIONS["chat"],
    "ai.generateobject.dogenerate": OPERATIONS["chat"],
    "ai.streamobject.dostream": OPERATIONS["chat"],
    "ai.embed.doembed": OPERATIONS["embeddings"],
    "ai.embedmany.doembed": OPERATIONS["embeddings"],
    "ai.rerank.dorerank": OPERATIONS["rerank"],
    "ai.generateimage": OPERATIONS["image_generation"],
    "ai.toolcall": OPERATIONS["execute_tool"],
    "ai.generatetext": OPERATIONS["invoke_agent"],
    "ai.streamtext": OPERATIONS["invoke_agent"],
    "ai.generateobject": OPERATIONS["invoke_agent"],
    "ai.streamobject": OPERATIONS["invoke_agent"],
    "ai.embed": _STEP,
    "ai.embedmany": _STEP,
    "ai.rerank": _STEP,
}
_SPRING: Mapping[str, Operation] = {
    "tool_call": OPERATIONS["execute_tool"],
    "chat_client": _STEP,
    "advisor": _STEP,
    "vector_store": OPERATIONS["retrieval"],
}

# Attributes that say what a span does, in order of trust.
OPERATION_NAMES: tuple[tuple[str, Mapping[str, Operation]], ...] = (
    ("gen_ai.operation.name", OPERATIONS),
    ("openinference.span.kind", _KINDS),
    ("ai.operationId", _VERCEL),
    ("traceloop.span.kind", _KINDS),
    ("llm.request.type", OPERATIONS),
    ("mcp.method.name", {"tools/call": OPERATIONS["execute_tool"]}),
    ("langfuse.observation.type", _KINDS),
    ("mlflow.spanType", _KINDS),
    ("langsmith.span.kind", _KINDS),
    ("agentops.span.kind", _KINDS),
    ("lmnr.span.type", _KINDS),
    ("langwatch.span.type", _KINDS),
    ("mastra.span.type", _KINDS),
    ("gen_ai.span.kind", _KINDS),
    ("spring.ai.kind", _SPRING),
    ("genkit:metadata:subtype", _KINDS),
    ("fi.span.kind", _KINDS),
    ("braintrust.span_attributes", _KINDS),
)

# Log records that tell of a whole operation.
DETAIL_EVENTS: Mapping[str, Operation] = {
    "gen_ai.client.inference.operation.details": OPERATIONS["chat"],
    "gen_ai.client.operation.exception": OPERATIONS["chat"],
    "gen_ai.evaluation.result": OPERATIONS["evaluation"],
}

# Kinds of components of a pipeline (Haystack): how the name of their class ends.
COMPONENTS: tuple[tuple[str, Operation], ...] = (
    ("Generator", OPERATIONS["chat"]),
    ("Embedder", OPERATIONS["embeddings"]),
    ("Retriever", OPERATIONS["retrieval"]),
    ("Ranker", OPERATIONS["rerank"]),
    ("Agent", OPERATIONS["invoke_agent"]),
)

# Steps that are known by the name of their span alone.
SPAN_NAMES: Mapping[str, Operation] = {
    "haystack.agent.step.llm": OPERATIONS["chat"],
    "haystack.chat_generator.run": OPERATIONS["chat"],
    "haystack.agent.step.tool": OPERATIONS["execute_tool"],
    "haystack.agent.run": OPERATIONS["invoke_agent"],
    "function_tool": OPERATIONS["execute_tool"],
    "call_llm": OPERATIONS["chat"],
}

# The same for the beginning of the name, in spans of these scopes.
NAMED_IN: tuple[tuple[str, str, Operation], ...] = (
    ("logfire", "Function: ", OPERATIONS["execute_tool"]),
    ("langchain4j", "langchain4j.tools.", OPERATIONS["execute_tool"]),
    ("io.quarkus", "langchain4j.tools.", OPERATIONS["execute_tool"]),
)

# Scopes that mark steps of their own as tools, although nothing is executed.
NO_TOOLS = ("openinference.instrumentation.instructor",)

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

# Scopes that count Anthropic's cached tokens apart from the input tokens, as Anthropic does.
CACHED_APART: tuple[str, ...] = ("openlit.instrumentation.anthropic",)

# A vendor's own word for what a span is, by the last part of an attribute's name.
GENERIC_KINDS: Mapping[str, Operation] = _KINDS | {
    word: OPERATIONS[word]
    for word in ("chat", "completion", "chat_completion", "text_completion", "llm_call", "llm_request",
                 "tool_call", "execute_tool", "function_call", "embeddings")
}  # fmt: skip
