"""Spans in the dialects of producers, written after what they document: each is what it means."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from ingest.literal import NoLiteral, literal
from ingest.otlp import OtlpDecoder
from tocsin.model import Event

Attributes = dict[str, Any]


def decoded(
    attributes: Attributes,
    name: str = "span",
    scope: str = "a.scope",
    events: list[tuple[str, Attributes]] | None = None,
    **span: Any,
) -> list[Event]:
    document = {
        "resourceSpans": [
            {
                "resource": {"attributes": []},
                "scopeSpans": [
                    {
                        "scope": {"name": scope},
                        "spans": [
                            {
                                "traceId": "1" * 32,
                                "spanId": "2" * 16,
                                "name": name,
                                "startTimeUnixNano": "1763850000000000000",
                                "endTimeUnixNano": "1763850001000000000",
                                "attributes": _pairs(attributes),
                                "events": [{"name": n, "attributes": _pairs(a)} for n, a in events or []],
                                **span,
                            }
                        ],
                    }
                ],
            }
        ]
    }
    items = OtlpDecoder().decode(json.dumps(document).encode()).items
    assert all(isinstance(item, Event) for item in items)
    return [item for item in items if isinstance(item, Event)]


def _pairs(attributes: Attributes) -> list[Any]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Any) -> Attributes:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    return {"stringValue": value if isinstance(value, str) else json.dumps(value)}


def one(attributes: Attributes, name: str = "span", scope: str = "a.scope", **more: Any) -> Event:
    [event] = decoded(attributes, name, scope, **more)
    return event


def told(event: Event) -> Attributes:
    """The fields by which most cases below are judged."""
    calls = [(c.id, c.name, json.loads(c.arguments or "null")) for m in event.output for c in m.tool_calls]
    found = {
        "kind": event.kind,
        "operation": event.operation,
        "provider": event.provider,
        "model": event.model,
        "response_model": event.response_model,
        "response_id": event.response_id,
        "tokens": (
            event.input_tokens,
            event.output_tokens,
            event.cache_read_tokens,
            event.cache_write_tokens,
        ),
        "finish": event.finish_reason,
        "stream": event.stream,
        "session": event.session,
        "user": event.user,
        "asked": [(message.role, message.text) for message in event.input],
        "answered": " ".join(message.text for message in event.output if message.text),
        "calls": calls,
        "tool": event.tool_name,
        "tool_call_id": event.tool_call_id,
        "arguments": event.tool_arguments,
        "result": event.tool_result,
        "status": event.status,
    }
    return found


OPENAI_REQUEST = {
    "model": "gpt-x",
    "stream": True,
    "messages": [{"role": "system", "content": "Be terse."}, {"role": "user", "content": "Hi"}],
    "tools": [{"type": "function", "function": {"name": "look", "parameters": {}}}],
}
OPENAI_RESPONSE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-x-2026",
    "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
    "usage": {"prompt_tokens": 20, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 8}},
}
ANTHROPIC_RESPONSE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x-2026",
    "stop_reason": "tool_use",
    "content": [
        {"type": "text", "text": "Looking."},
        {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "it"}},
    ],
    "usage": {
        "input_tokens": 3,
        "output_tokens": 5,
        "cache_read_input_tokens": 2,
        "cache_creation_input_tokens": 0,
    },
}
LANGCHAIN_REQUEST = {
    "messages": [
        [
            {
                "lc": 1,
                "type": "constructor",
                "id": ["langchain", "SystemMessage"],
                "kwargs": {"content": "Be."},
            },
            {
                "lc": 1,
                "type": "constructor",
                "id": ["langchain", "HumanMessage"],
                "kwargs": {"content": "Hi"},
            },
        ]
    ]
}
LANGCHAIN_RESPONSE = {
    "generations": [
        [
            {
                "text": "Hello",
                "type": "ChatGeneration",
                "generation_info": {"finish_reason": "stop"},
                "message": {
                    "lc": 1,
                    "type": "constructor",
                    "id": ["langchain", "AIMessage"],
                    "kwargs": {
                        "content": "Hello",
                        "type": "ai",
                        "id": "lc_run--1",
                        "tool_calls": [{"name": "look", "args": {}, "id": "t1", "type": "tool_call"}],
                        "response_metadata": {"model_name": "gpt-x-2026", "id": "chatcmpl-1"},
                        "usage_metadata": {
                            "input_tokens": 20,
                            "output_tokens": 4,
                            "total_tokens": 24,
                            "input_token_details": {"cache_read": 8},
                        },
                    },
                },
            }
        ]
    ],
    "llm_output": None,
}
HELLO = {
    "kind": "llm",
    "model": "gpt-x",
    "response_model": "gpt-x-2026",
    "response_id": "chatcmpl-1",
    "tokens": (20, 4, 8, None),
    "finish": "stop",
    "asked": [("system", "Be terse."), ("user", "Hi")],
    "answered": "Hello",
}

CALLS: dict[str, tuple[Attributes, Attributes]] = {
    "OpenInference, OpenAI": (
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "gpt-x-2026",
            "input.value": OPENAI_REQUEST,
            "input.mime_type": "application/json",
            "output.value": OPENAI_RESPONSE,
            "metadata": {"thread_id": "s1", "user_id": 7},
        },
        HELLO | {"stream": True, "session": "s1", "user": "7"},
    ),
    "OpenInference, OpenAI Responses": (
        {
            "openinference.span.kind": "LLM",
            "llm.system": "openai",
            "input.value": {"model": "gpt-x", "instructions": "Be terse.", "input": "Hi"},
            "output.value": {
                "id": "resp_1",
                "object": "response",
                "model": "gpt-x-2026",
                "status": "completed",
                "output": [
                    {"type": "reasoning", "id": "rs_1", "summary": []},
                    {
                        "type": "message",
                        "id": "msg_1",
                        "role": "assistant",
                        "content": [{"type": "output_text", "text": "Hello"}],
                    },
                    {
                        "type": "function_call",
                        "id": "fc_1",
                        "call_id": "c1",
                        "name": "look",
                        "arguments": "{}",
                    },
                ],
                "usage": {
                    "input_tokens": 20,
                    "output_tokens": 4,
                    "total_tokens": 24,
                    "input_tokens_details": {"cached_tokens": 8},
                },
            },
        },
        HELLO | {"response_id": "resp_1", "provider": "openai", "calls": [("c1", "look", {})]},
    ),
    "OpenInference, Anthropic: its count without cached tokens is mended": (
        {
            "openinference.span.kind": "LLM",
            "llm.token_count.prompt": 3,
            "llm.token_count.completion": 5,
            "llm.token_count.prompt_details.cache_read": 2,
            "llm.invocation_parameters": {"model": "claude-x", "max_tokens": 10},
            "output.value": ANTHROPIC_RESPONSE,
        },
        {
            "model": "claude-x",
            "response_model": "claude-x-2026",
            "response_id": "msg_1",
            "tokens": (5, 5, 2, 0),
            "finish": "tool_call",
            "answered": "Looking.",
            "calls": [("toolu_1", "look", {"at": "it"})],
        },
    ),
    "OpenInference, LangChain": (
        {
            "openinference.span.kind": "LLM",
            "llm.invocation_parameters": {"model_name": "gpt-x", "stream": False},
            "input.value": LANGCHAIN_REQUEST,
            "output.value": LANGCHAIN_RESPONSE,
        },
        HELLO | {"stream": False, "asked": [("system", "Be."), ("user", "Hi")]},
    ),
    "OpenInference, LlamaIndex": (
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "gpt-x",
            "input.value": {
                "messages": [
                    {
                        "role": "user",
                        "additional_kwargs": {},
                        "blocks": [{"block_type": "text", "text": "Hi"}],
                    }
                ]
            },
            "output.value": {
                "message": {"role": "assistant", "blocks": [{"block_type": "text", "text": "Hello"}]},
                "raw": OPENAI_RESPONSE,
            },
        },
        HELLO | {"asked": [("user", "Hi")]},
    ),
    "OpenInference, Google GenAI": (
        {
            "openinference.span.kind": "LLM",
            "input.value": {
                "model": "gemini-x",
                "contents": "Hi",
                "config": {"system_instruction": "Be terse."},
            },
            "output.value": {
                "candidates": [
                    {
                        "content": {"role": "model", "parts": [{"text": "Hello"}]},
                        "finish_reason": "FinishReason.STOP",
                    }
                ],
                "model_version": "gemini-x-002",
                "response_id": "r1",
                "usage_metadata": {
                    "prompt_token_count": 20,
                    "candidates_token_count": 4,
                    "cached_content_token_count": 8,
                    "thoughts_token_count": 2,
                    "total_token_count": 26,
                },
            },
        },
        HELLO | {"model": "gemini-x", "response_model": "gemini-x-002", "response_id": "r1"},
    ),
    "OpenInference, Bedrock Converse: cached tokens apart by the total": (
        {
            "openinference.span.kind": "LLM",
            "input.value": {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "Hi"}]}]},
            "output.value": {
                "output": {
                    "message": {
                        "role": "assistant",
                        "content": [{"toolUse": {"toolUseId": "t1", "name": "look", "input": {"a": 1}}}],
                    }
                },
                "stopReason": "tool_use",
                "usage": {
                    "inputTokens": 12,
                    "outputTokens": 4,
                    "totalTokens": 24,
                    "cacheReadInputTokens": 8,
                },
            },
        },
        {
            "model": "m",
            "tokens": (20, 4, 8, None),
            "finish": "tool_call",
            "asked": [("user", "Hi")],
            "calls": [("t1", "look", {"a": 1})],
        },
    ),
    "Langfuse generation": (
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": "gpt-x-2026",
            "langfuse.observation.input": OPENAI_REQUEST,
            "langfuse.observation.output": {"role": "assistant", "content": "Hello"},
            "langfuse.observation.usage_details": {
                "input": 12,
                "input_cache_read": 8,
                "output": 4,
                "total": 24,
            },
            "langfuse.observation.metadata.finish_reason": '"stop"',
            "langfuse.trace.metadata.thread_id": '"s1"',
            "session.id": "s0",
        },
        HELLO | {"response_id": "", "session": "s0"},
    ),
    "Langfuse, of a LangChain callback": (
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.input": [{"role": "user", "content": "Hi"}],
            "langfuse.observation.output": {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"name": "look", "args": {"at": "it"}, "id": "t1", "type": "tool_call"}],
            },
            "langfuse.observation.usage_details": {
                "input": 12,
                "output": 4,
                "total": 24,
                "input_cache_read": 8,
            },
            "langfuse.observation.metadata.ls_model_name": '"gpt-x"',
            "langfuse.observation.metadata.ls_provider": '"openai"',
            "langfuse.observation.metadata.langfuse_session_id": '"s1"',
            "langfuse.observation.metadata.langfuse_user_id": '"u1"',
        },
        {
            "provider": "openai",
            "model": "gpt-x",
            "tokens": (20, 4, 8, None),
            "calls": [("t1", "look", {"at": "it"})],
            "session": "s1",
            "user": "u1",
        },
    ),
    "MLflow, each value JSON-encoded once more": (
        {
            "mlflow.spanType": '"CHAT_MODEL"',
            "mlflow.spanInputs": OPENAI_REQUEST,
            "mlflow.spanOutputs": OPENAI_RESPONSE,
            "mlflow.chat.tokenUsage": {
                "input_tokens": 20,
                "output_tokens": 4,
                "total_tokens": 24,
                "cache_read_input_tokens": 8,
            },
            "model": '"gpt-x"',
            "stream": "true",
        },
        HELLO | {"stream": True},
    ),
    "LangSmith": (
        {
            "langsmith.span.kind": "llm",
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-x",
            "gen_ai.prompt": LANGCHAIN_REQUEST,
            "gen_ai.completion": LANGCHAIN_RESPONSE,
            "langsmith.metadata.thread_id": "s1",
        },
        HELLO
        | {
            "asked": [("system", "Be."), ("user", "Hi")],
            "calls": [("t1", "look", {})],
            "session": "s1",
            "provider": "openai",
        },
    ),
    "Traceloop, the oldest names": (
        {
            "llm.vendor": "OpenAI",
            "llm.request.type": "chat",
            "llm.request.model": "gpt-x",
            "llm.response.model": "gpt-x-2026",
            "llm.usage.prompt_tokens": 20,
            "llm.usage.completion_tokens": 4,
            "llm.prompts.0.role": "user",
            "llm.prompts.0.content": "Hi",
            "llm.completions.0.role": "assistant",
            "llm.completions.0.content": "Hello",
            "llm.completions.0.finish_reason": "stop",
        },
        {
            "model": "gpt-x",
            "response_model": "gpt-x-2026",
            "tokens": (20, 4, None, None),
            "finish": "stop",
            "asked": [("user", "Hi")],
            "answered": "Hello",
        },
    ),
    "Traceloop, numbered": (
        {
            "gen_ai.system": "anthropic",
            "llm.request.type": "chat",
            "gen_ai.request.model": "claude-x",
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": [{"type": "text", "text": "Hi"}],
            "gen_ai.completion.0.finish_reason": "tool_use",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "Looking.",
            "gen_ai.completion.0.tool_calls.0.id": "t1",
            "gen_ai.completion.0.tool_calls.0.name": "look",
            "gen_ai.completion.0.tool_calls.0.arguments": '{"at": "it"}',
            "gen_ai.usage.prompt_tokens": 3,
            "gen_ai.usage.completion_tokens": 5,
            "gen_ai.usage.cache_read_input_tokens": 20,
            "traceloop.association.properties.session_id": "s1",
        },
        {
            "provider": "anthropic",
            "tokens": (23, 5, 20, None),
            "finish": "tool_call",
            "answered": "Looking.",
            "calls": [("t1", "look", {"at": "it"})],
            "session": "s1",
        },
    ),
    "Vercel AI SDK 4, Anthropic": (
        {
            "ai.operationId": "ai.streamText.doStream",
            "ai.model.id": "claude-x",
            "ai.model.provider": "anthropic.messages",
            "ai.prompt.messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
            "ai.response.text": '{"answer": 1}',
            "ai.response.finishReason": "tool-calls",
            "ai.response.toolCalls": [{"toolCallId": "t1", "toolName": "look", "args": {"a": 1}}],
            "ai.usage.promptTokens": 20,
            "ai.usage.completionTokens": 4,
            "ai.telemetry.metadata.userId": "u",
        },
        {
            "provider": "anthropic",
            "stream": True,
            "finish": "tool_call",
            "tokens": (20, 4, None, None),
            "answered": '{"answer": 1}',
            "calls": [("t1", "look", {"a": 1})],
            "user": "u",
        },
    ),
    "Vercel AI SDK 5, Anthropic: cached tokens apart": (
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.provider": "anthropic.messages",
            "ai.usage.inputTokens": 12,
            "ai.usage.cachedInputTokens": 8,
            "ai.usage.outputTokens": 4,
        },
        {"tokens": (20, 4, 8, None)},
    ),
    "Spring AI": (
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-x",
            "gen_ai.response.finish_reasons": '["STOP"]',
            "gen_ai.usage.input_tokens": "20",
            "gen_ai.usage.output_tokens": '"4"',
            "spring.ai.chat.client.conversation.id": "s1",
        },
        {"finish": "stop", "tokens": (20, 4, None, None), "session": "s1"},
    ),
    "Genkit": (
        {
            "genkit:type": "action",
            "genkit:metadata:subtype": "model",
            "genkit:name": "googleai/gemini-x",
            "genkit:input": {"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "config": {}},
            "genkit:output": {
                "message": {
                    "role": "model",
                    "content": [
                        {"text": "Hello"},
                        {"toolRequest": {"name": "look", "ref": "t1", "input": {"a": 1}}},
                    ],
                },
                "finishReason": "stop",
                "usage": {"inputTokens": 20, "outputTokens": 4},
            },
        },
        {
            "model": "googleai/gemini-x",
            "finish": "stop",
            "tokens": (20, 4, None, None),
            "asked": [("user", "Hi")],
            "answered": "Hello",
            "calls": [("t1", "look", {"a": 1})],
        },
    ),
    "Google ADK 1": (
        {
            "gen_ai.system": "gcp.vertex.agent",
            "gen_ai.request.model": "gemini-x",
            "gcp.vertex.agent.session_id": "s1",
            "gcp.vertex.agent.llm_request": {
                "model": "gemini-x",
                "config": {"system_instruction": "Be terse."},
                "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
            },
            "gcp.vertex.agent.llm_response": {
                "content": {"role": "model", "parts": [{"text": "Hello"}]},
                "finish_reason": "STOP",
                "usage_metadata": {"prompt_token_count": 20, "candidates_token_count": 4},
            },
            "gen_ai.usage.input_tokens": 20,
        },
        {
            "provider": "",
            "finish": "stop",
            "tokens": (20, 4, None, None),
            "asked": [("system", "Be terse."), ("user", "Hi")],
            "answered": "Hello",
            "session": "s1",
        },
    ),
    "Haystack": (
        {
            "haystack.component.name": "llm",
            "haystack.component.type": "OpenAIChatGenerator",
            "haystack.component.input": {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]},
            "haystack.component.output": {
                "replies": [
                    {
                        "role": "assistant",
                        "content": [{"text": "Hello"}],
                        "meta": {
                            "model": "gpt-x-2026",
                            "finish_reason": "stop",
                            "usage": {"prompt_tokens": 20, "completion_tokens": 4},
                        },
                    }
                ]
            },
        },
        {
            "response_model": "gpt-x-2026",
            "finish": "stop",
            "tokens": (20, 4, None, None),
            "asked": [("user", "Hi")],
            "answered": "Hello",
        },
    ),
    "Laminar": (
        {
            "lmnr.span.type": "LLM",
            "gen_ai.request.model": "gpt-x",
            "lmnr.span.input": [{"role": "user", "content": "Hi"}],
            "lmnr.span.output": [{"role": "assistant", "content": "Hello"}],
            "lmnr.association.properties.session_id": "s1",
        },
        {"asked": [("user", "Hi")], "answered": "Hello", "session": "s1"},
    ),
    "LangWatch": (
        {
            "langwatch.span.type": "llm",
            "gen_ai.request.model": "gpt-x",
            "langwatch.input": {"type": "chat_messages", "value": [{"role": "user", "content": "Hi"}]},
            "langwatch.output": {"type": "text", "value": "Hello"},
            "langwatch.metrics": {"promptTokens": 20, "completionTokens": 4},
            "langwatch.thread.id": "s1",
        },
        {
            "asked": [("user", "Hi")],
            "answered": "Hello",
            "tokens": (20, 4, None, None),
            "session": "s1",
        },
    ),
    "Braintrust": (
        {
            "braintrust.span_attributes": {"type": "llm", "name": "Chat Completion"},
            "braintrust.input_json": [{"role": "user", "content": "Hi"}],
            "braintrust.output_json": [
                {"finish_reason": "stop", "index": 0, "message": {"role": "assistant", "content": "Hello"}}
            ],
            "braintrust.metadata": {"model": "gpt-x", "provider": "openai"},
            "braintrust.metrics": {"prompt_tokens": 20, "completion_tokens": 4, "prompt_cached_tokens": 8},
        },
        {
            "model": "gpt-x",
            "finish": "stop",
            "tokens": (20, 4, 8, None),
            "asked": [("user", "Hi")],
            "answered": "Hello",
        },
    ),
    "Cloudflare's gateway": (
        {
            "gen_ai.request.model": "gpt-x",
            "gen_ai.model.provider": "openai",
            "gen_ai.usage.input_tokens": 20,
            "gen_ai.usage.output_tokens": 4,
            "gen_ai.prompt_json": OPENAI_REQUEST,
            "gen_ai.completion_json": OPENAI_RESPONSE,
        },
        HELLO | {"provider": "openai"},
    ),
    "LiveKit": (
        {
            "gen_ai.request.model": "gpt-x",
            "gen_ai.usage.input_tokens": 20,
            "gen_ai.usage.output_tokens": 4,
            "lk.chat_ctx": {"items": [{"type": "message", "role": "user", "content": ["Hi"]}]},
            "lk.response.text": "Hello",
        },
        {"asked": [("user", "Hi")], "answered": "Hello"},
    ),
    "Pydantic AI, events in one attribute": (
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-x",
            "events": [
                {"event.name": "gen_ai.system.message", "role": "system", "content": "Be terse."},
                {"event.name": "gen_ai.user.message", "role": "user", "content": "Hi"},
                {
                    "event.name": "gen_ai.choice",
                    "index": 0,
                    "message": {"role": "assistant", "content": "Hello"},
                },
            ],
        },
        {"asked": [("system", "Be terse."), ("user", "Hi")], "answered": "Hello"},
    ),
    "Pipecat": (
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-x",
            "input": [{"role": "user", "content": "Hi"}],
            "output": "Hello",
            "tools": [{"name": "look"}],
        },
        {"asked": [("user", "Hi")], "answered": "Hello"},
    ),
    "Sentry": (
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-x",
            "gen_ai.request.messages": [{"role": "user", "content": "Hi"}],
            "gen_ai.response.text": '["Hello"]',
            "gen_ai.usage.input_tokens": 20,
            "gen_ai.usage.input_tokens.cached": 8,
            "gen_ai.usage.output_tokens.reasoning": 1,
        },
        {"asked": [("user", "Hi")], "answered": "Hello", "tokens": (20, None, 8, None)},
    ),
    "vLLM": (
        {
            "gen_ai.request.id": "chatcmpl-1",
            "gen_ai.response.model": "m",
            "gen_ai.usage.prompt_tokens": 20,
            "gen_ai.usage.completion_tokens": 4,
            "gen_ai.latency.time_to_first_token": 0.25,
        },
        {"response_id": "chatcmpl-1", "tokens": (20, 4, None, None)},
    ),
    "Alibaba's span kind": (
        {
            "gen_ai.span.kind": "LLM",
            "gen_ai.model_name": "",
            "gen_ai.request.model": "qwen-x",
            "gen_ai.usage.input_tokens": 20,
        },
        {"model": "qwen-x", "kind": "llm"},
    ),
    "a vendor's own namespace": (
        {
            "acme.span.kind": "LLM",
            "acme.request.model": "gpt-x",
            "acme.responseModel": "gpt-x-2026",
            "acme.usage.input_tokens": 20,
            "acme.usage.output_tokens": 4,
            "acme.input": [{"role": "user", "content": "Hi"}],
            "acme.output": "Hello",
            "acme.finish_reason": "end_turn",
            "acme.session_id": "s1",
            "acme.user.id": "u",
        },
        {
            "model": "gpt-x",
            "response_model": "gpt-x-2026",
            "tokens": (20, 4, None, None),
            "finish": "stop",
            "asked": [("user", "Hi")],
            "answered": "Hello",
            "session": "s1",
            "user": "u",
        },
    ),
    "a vendor who never says what the span is": (
        {"acme.llm.model": "gpt-x", "acme.llm.prompt_tokens": 20, "acme.llm.completion_tokens": 4},
        {"kind": "llm", "model": "gpt-x", "tokens": (20, 4, None, None)},
    ),
    "Honeyhive": (
        {
            "honeyhive_event_type": "model",
            "honeyhive_config.model": "gpt-x",
            "honeyhive_inputs.chat_history": [{"role": "user", "content": "Hi"}],
            "honeyhive_outputs.content": "Hello",
            "honeyhive_metadata.prompt_tokens": 20,
            "honeyhive_metadata.completion_tokens": 4,
        },
        {
            "model": "gpt-x",
            "tokens": (20, 4, None, None),
            "asked": [("user", "Hi")],
            "answered": "Hello",
        },
    ),
}


@pytest.mark.parametrize("dialect", CALLS)
def test_a_model_call_is_what_its_dialect_says(dialect: str) -> None:
    attributes, expected = CALLS[dialect]
    found = told(one(attributes))
    assert {name: found[name] for name in expected} == expected
    assert found["kind"] == "llm"


TOOLS: dict[str, tuple[Attributes, Attributes]] = {
    "OpenInference": (
        {
            "openinference.span.kind": "TOOL",
            "tool.name": "look",
            "tool.parameters": {"type": "object", "properties": {"at": {"type": "string"}}},
            "input.value": '{"at": "it"}',
            "output.value": "seen",
        },
        {"arguments": '{"at": "it"}', "result": "seen"},
    ),
    "OpenInference, parameters as arguments": (
        {"openinference.span.kind": "TOOL", "tool.name": "look", "tool.parameters": '{"at": "it"}'},
        {"arguments": '{"at": "it"}'},
    ),
    "OpenInference, LangChain's message": (
        {
            "openinference.span.kind": "TOOL",
            "tool.name": "look",
            "input.value": "{'at': 'it', 'deep': True, 'none': None}",
            "output.value": {
                "type": "tool",
                "data": {"content": "seen", "tool_call_id": "t1", "status": "success"},
            },
        },
        {
            "arguments": '{"at":"it","deep":true,"none":null}',
            "result": "seen",
            "tool_call_id": "t1",
        },
    ),
    "OpenInference, smolagents": (
        {
            "openinference.span.kind": "TOOL",
            "tool.name": "look",
            "input.value": {"args": [], "kwargs": {"at": "it"}, "sanitize_inputs_outputs": True},
            "output.value": "seen",
        },
        {"arguments": '{"at":"it"}', "result": "seen"},
    ),
    "OpenInference, LlamaIndex": (
        {
            "openinference.span.kind": "TOOL",
            "tool.name": "look",
            "llm.model_name": "unknown",
            "input.value": {"kwargs": {"at": "it"}},
            "output.value": {
                "blocks": [{"block_type": "text", "text": "seen"}],
                "tool_name": "look",
                "raw_input": {"args": [], "kwargs": {"at": "it"}},
                "raw_output": "seen",
                "is_error": False,
            },
        },
        {"arguments": '{"at":"it"}', "result": "seen"},
    ),
    "LangSmith": (
        {
            "langsmith.span.kind": "tool",
            "gen_ai.prompt": {"input": "{'at': 'it'}"},
            "gen_ai.completion": {"output": "content='seen' name='look' tool_call_id='t1'"},
        },
        {"arguments": '{"at":"it"}', "result": "seen", "tool_call_id": "t1"},
    ),
    "LangSmith, a message": (
        {
            "langsmith.span.kind": "tool",
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.request.model": "gpt-x",
            "gen_ai.prompt": '{"at":"it"}',
            "gen_ai.completion": {
                "output": {"content": "seen", "type": "tool", "tool_call_id": "t1", "status": "success"}
            },
        },
        {"arguments": '{"at":"it"}', "result": "seen", "tool_call_id": "t1"},
    ),
    "Haystack": (
        {
            "haystack.tool.name": "look",
            "haystack.tool.call.id": "t1",
            "haystack.agent.step.tool.input": '{"at": "it"}',
            "haystack.agent.step.tool.output": "seen",
            "gen_ai.operation.name": "execute_tool",
        },
        {"arguments": '{"at": "it"}', "result": "seen", "tool_call_id": "t1"},
    ),
    "Traceloop": (
        {
            "traceloop.span.kind": "tool",
            "traceloop.entity.name": "look",
            "traceloop.entity.input": {"inputs": {"at": "it"}, "tags": [], "metadata": {}, "kwargs": {}},
            "traceloop.entity.output": {
                "output": {"lc": 1, "kwargs": {"content": "seen", "tool_call_id": "t1"}}
            },
        },
        {"arguments": '{"at":"it"}', "result": "seen", "tool_call_id": "t1"},
    ),
    "Langfuse": (
        {
            "langfuse.observation.type": "tool",
            "langfuse.observation.input": {"args": [], "kwargs": {"at": "it"}},
            "langfuse.observation.output": "seen",
        },
        {"arguments": '{"at":"it"}', "result": "seen"},
    ),
    "MLflow": (
        {
            "mlflow.spanType": '"TOOL"',
            "mlflow.spanInputs": '{"at": "it"}',
            "mlflow.spanOutputs": '"seen"',
        },
        {"arguments": '{"at": "it"}', "result": "seen"},
    ),
    "Spring AI": (
        {
            "gen_ai.operation.name": "framework",
            "spring.ai.kind": "tool_call",
            "spring.ai.tool.definition.name": "look",
            "spring.ai.tool.call.arguments": '{"at": "it"}',
            "spring.ai.tool.call.result": '"seen"',
        },
        {"arguments": '{"at": "it"}', "result": "seen"},
    ),
    "Google ADK 1": (
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "look",
            "gen_ai.tool.call.id": "t1",
            "gcp.vertex.agent.tool_call_args": '{"at": "it"}',
            "gcp.vertex.agent.tool_response": '{"result": "seen"}',
        },
        {"arguments": '{"at": "it"}', "result": "seen", "tool_call_id": "t1"},
    ),
    "Genkit": (
        {
            "genkit:metadata:subtype": "tool",
            "genkit:name": "look",
            "genkit:input": '{"at": "it"}',
            "genkit:output": '"seen"',
        },
        {"arguments": '{"at": "it"}', "result": "seen"},
    ),
    "AgentOps": (
        {
            "agentops.span.kind": "tool",
            "operation.name": "look",
            "agentops.entity.input": {"args": [], "kwargs": {"at": "it"}},
            "agentops.entity.output": '"seen"',
        },
        {"arguments": '{"at":"it"}', "result": "seen"},
    ),
    "Sentry": (
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "look",
            "gen_ai.tool.input": '{"at": "it"}',
            "gen_ai.tool.output": "seen",
        },
        {"arguments": '{"at": "it"}', "result": "seen"},
    ),
    "MCP's result": (
        {
            "gen_ai.operation.name": "execute_tool",
            "mcp.method.name": "tools/call",
            "gen_ai.tool.name": "look",
            "gen_ai.tool.call.result": {"content": [{"type": "text", "text": "seen"}], "isError": False},
        },
        {"result": "seen"},
    ),
    "a vendor's own namespace": (
        {
            "acme.run_type": "tool",
            "acme.tool.name": "look",
            "acme.tool.arguments": '{"at": "it"}',
            "acme.tool.result": "seen",
        },
        {"arguments": '{"at": "it"}', "result": "seen"},
    ),
}


@pytest.mark.parametrize("dialect", TOOLS)
def test_a_tool_execution_is_what_its_dialect_says(dialect: str) -> None:
    attributes, expected = TOOLS[dialect]
    found = told(one(attributes, name="look"))
    assert {name: found[name] for name in expected} == expected
    assert (found["kind"], found["tool"], found["status"]) == ("tool", "look", "ok")


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("execute_tool look", "look"),
        ("tools/call look", "look"),
        ("MCP send tools/call look", "look"),
        ("look.tool", "look"),
        ("Tool: look", "look"),
        ("look around", "look around"),
        ("tool_call look", "look"),
        ("execute_tool mcp__server__look", "look"),
    ],
)
def test_a_tool_may_be_named_by_its_span_alone(name: str, tool: str) -> None:
    assert one({"gen_ai.operation.name": "execute_tool"}, name=name).tool_name == tool


def test_a_result_that_says_it_failed_is_an_error() -> None:
    result = {"content": [{"type": "text", "text": "no such thing"}], "isError": True}
    event = one({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.result": result}, "look")
    assert (event.status, event.error_type, event.error_message) == ("error", "tool_error", "no such thing")


def test_a_level_says_that_a_call_failed() -> None:
    attributes = {
        "langfuse.observation.type": "generation",
        "langfuse.observation.model.name": "gpt-x",
        "langfuse.observation.level": "ERROR",
        "langfuse.observation.status_message": "too many",
    }
    event = one(attributes)
    assert (event.status, event.error_message) == ("error", "too many")
    assert (event.model, event.response_model) == ("gpt-x", "")  # nobody answered


@pytest.mark.parametrize(
    ("attributes", "name", "scope"),
    [
        ({"gen_ai.request.model": "gpt-x"}, "GET /", "fastapi"),
        ({"openinference.span.kind": "CHAIN", "llm.token_count.prompt": 3}, "chain", "s"),
        ({"openinference.span.kind": "TOOL"}, "instructor.patch", "openinference.instrumentation.instructor"),
        ({"gen_ai.operation.name": "framework", "spring.ai.kind": "chat_client"}, "chat_client", "s"),
        ({"gen_ai.operation.name": "schedule_tool_calls", "gen_ai.output.messages": "[]"}, "schedule", "s"),
        ({"gen_ai.operation.name": "of_tomorrow", "gen_ai.output.messages": "[]"}, "of_tomorrow", "s"),
        ({"mlflow.spanType": '"PARSER"', "mlflow.spanOutputs": "{}"}, "parser", "mlflow"),
        ({"haystack.component.type": "PromptBuilder"}, "haystack.component.run", "haystack"),
        ({"acme.span.kind": "chain", "acme.model": "gpt-x"}, "chain", "acme"),
        ({"http.request.type": "llm", "db.operation.type": "tool"}, "x", "x"),
        ({"gen_ai.prompt.name": "greeting"}, "x", "x"),
    ],
)
def test_steps_and_plumbing_are_no_events(attributes: Attributes, name: str, scope: str) -> None:
    assert decoded(attributes, name, scope) == []


def test_a_handoff_is_no_tool() -> None:
    event = one({"openinference.span.kind": "TOOL", "input.value": "a"}, "handoff to b")
    assert (event.kind, event.operation) == ("agent", "handoff")


def test_an_unknown_operation_with_model_and_tokens_is_a_call() -> None:
    event = one(
        {
            "gen_ai.operation.name": "of_tomorrow",
            "gen_ai.request.model": "gpt-x",
            "gen_ai.usage.input_tokens": 3,
        }
    )
    assert (event.kind, event.operation) == ("llm", "chat")


def test_the_usage_of_a_step_is_not_counted_again() -> None:
    event = one({"langfuse.observation.type": "agent", "gen_ai.usage.input_tokens": 3}, "helper")
    assert (event.kind, event.input_tokens) == ("agent", None)


def test_content_events_hold_a_whole_conversation() -> None:
    events = [
        ("gen_ai.content.prompt", {"gen_ai.prompt": '[{"role": "user", "content": "Hi"}]'}),
        ("gen_ai.content.completion", {"gen_ai.completion": '[{"role": "assistant", "content": "Hello"}]'}),
    ]
    event = one({"gen_ai.operation.name": "chat"}, events=events)
    assert (event.input[0].text, event.output[0].text) == ("Hi", "Hello")


def test_events_of_the_old_style_are_messages() -> None:
    events = [
        ("gen_ai.system.message", {"content": "Be terse."}),
        ("gen_ai.user.message", {"content": "Hi", "role": "user"}),
        ("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": '{"content": "Hello"}'}),
    ]
    event = one({"gen_ai.operation.name": "chat"}, events=events)
    assert [(m.role, m.text) for m in event.input] == [("system", "Be terse."), ("user", "Hi")]
    assert (event.output[0].text, event.finish_reason) == ("Hello", "stop")


def test_chunks_of_a_streamed_answer_are_one_message() -> None:
    chunks = [{"role": "model", "parts": [{"text": text}]} for text in ("Hel", "lo")]
    event = one({"gen_ai.operation.name": "chat", "gen_ai.output.messages": chunks})
    assert [message.text for message in event.output] == ["Hello"]


def test_an_array_of_json_texts_is_a_conversation() -> None:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": ['{"role": "user", "content": "Hi"}', "{'role': 'user', 'content': 'Ho'}"],
        "gen_ai.response.tool_calls": ['{"id": "t1", "name": "look", "arguments": "{}"}'],
    }
    event = one(attributes)
    assert [message.text for message in event.input] == ["Hi", "Ho"]
    assert [call.name for call in event.output[0].tool_calls] == ["look"]


def test_a_first_chunk_says_that_an_answer_was_streamed() -> None:
    events = [("ai.stream.firstChunk", {"ai.response.msToFirstChunk": 3.5})]
    assert one({"gen_ai.operation.name": "chat"}, events=events).stream is True


def test_a_body_that_was_cut_is_kept_and_marked() -> None:
    cut = json.dumps(OPENAI_REQUEST)[:60]
    event = one({"openinference.span.kind": "LLM", "input.value": cut})
    assert event.truncated
    assert event.input[0].text == cut


def test_a_first_token_may_be_a_point_in_time() -> None:
    attributes = {
        "langfuse.observation.type": "generation",
        "langfuse.observation.completion_start_time": '"2025-11-22T22:20:00.250Z"',
    }
    assert one(attributes).first_token_ms == pytest.approx(250)


def test_a_body_inside_the_span_of_a_call_completes_it() -> None:
    body = {
        "llm.openai.messages": "[{'role': 'user', 'content': \"it's\"}]",
        "llm.openai.id": "chatcmpl-1",
        "llm.openai.model": "gpt-x-2026",
        "llm.openai.choices": "[{'finish_reason': 'stop', 'message': {'content': 'Hello', 'x': None}}]",
    }
    event = one(body, "raw_gen_ai_request", "litellm", parentSpanId="3" * 16)
    assert (event.half, event.join) == ("response", f"{'1' * 32}:{'3' * 16}")
    assert (event.response_model, event.response_id, event.finish_reason) == (
        "gpt-x-2026",
        "chatcmpl-1",
        "stop",
    )
    assert [m.text for m in (*event.input, *event.output)] == ["it's", "Hello"]


def test_the_time_that_a_literal_takes_grows_with_its_length() -> None:
    started = time.perf_counter()
    for text in ("['a'" + " " * 30_000, "['" + "\\'" * 15_000 + "'", "[" * 30_000, "'" * 30_000):
        with pytest.raises(NoLiteral):
            literal(text)
    assert time.perf_counter() - started < 1


def test_many_vendors_in_one_span_take_bounded_time() -> None:
    started = time.perf_counter()
    attributes = {f"v{number}.input_tokens": number for number in range(20_000)}
    assert decoded(attributes) == []
    assert time.perf_counter() - started < 1


def test_a_summary_of_earlier_messages_begins_a_conversation_anew() -> None:
    said = [
        {"role": "assistant", "parts": [{"type": "compaction", "content": "They greeted."}]},
        {"role": "user", "parts": [{"type": "text", "content": "And now?"}]},
    ]
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": said}
    event = one(attributes)
    assert event.compacted
    assert [message.text for message in event.input] == ["They greeted.", "And now?"]
    assert not one(attributes | {"gen_ai.input.messages": said[1:]}).compacted


def test_cost_is_what_was_reported() -> None:
    attributes = {
        "langfuse.observation.type": "generation",
        "langfuse.observation.cost_details": {"input": 0.1, "output": 0.2, "total": 0.3},
    }
    event = one(attributes)
    assert (event.cost_usd, event.cost_source) == (0.3, "reported")
    nothing = one({"langfuse.observation.type": "generation", "langfuse.observation.cost_details": "{}"})
    assert (nothing.cost_usd, nothing.cost_source) == (None, "")


def test_what_a_model_wrote_is_never_taken_for_a_fact() -> None:
    answer = {
        "choices": [
            {
                "message": {
                    "content": {"model": "evil", "usage": {"prompt_tokens": 1}, "id": "evil"},
                    "tool_calls": [
                        {"id": "t1", "function": {"name": "n", "arguments": {"model": "evil", "usage": {}}}}
                    ],
                }
            }
        ]
    }
    event = one({"openinference.span.kind": "LLM", "llm.model_name": "gpt-x", "output.value": answer})
    assert (event.model, event.response_model, event.response_id) == ("gpt-x", "gpt-x", "")
    assert event.input_tokens is None
