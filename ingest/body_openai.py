"""OpenAI's API: Chat Completions, Responses, completions and embeddings, as many others speak it too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ingest import messages as parse
from ingest.body import Body
from ingest.facts import Facts, Paths, at
from tocsin.model import Message, ToolCall

PROVIDER = "openai"
USAGE: Paths = {
    "input_tokens": ("prompt_tokens", "input_tokens"),
    "output_tokens": ("completion_tokens", "output_tokens"),
    "cache_read_tokens": ("prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens",
                          "cache_read_input_tokens", "prompt_cache_hit_tokens"),
    "cache_write_tokens": ("prompt_tokens_details.cache_creation_tokens",
                           "prompt_tokens_details.cache_write_tokens", "cache_creation_input_tokens"),
    "reasoning_tokens": ("completion_tokens_details.reasoning_tokens",
                         "output_tokens_details.reasoning_tokens"),
}  # fmt: skip
_OBJECTS = ("chat.completion", "chat.completion.chunk", "text_completion", "response")
_CHOICE = frozenset(("message", "delta", "text", "finish_reason"))
_ENDPOINTS: Mapping[str, str] = {
    "/chat/completions": "chat",
    "/responses": "chat",
    "/embeddings": "embeddings",
    "/completions": "text_completion",
    "/images/": "image_generation",
    "/audio/": "transcription",
}
_REQUEST = {
    "model": ("model",),
    "user": ("user", "safety_identifier", "metadata.user_id"),
    "session": ("conversation.id", "conversation", "metadata.session_id", "metadata.conversation_id",
                "metadata.thread_id"),
}  # fmt: skip
_RESPONSE = {"response_id": ("id",), "response_model": ("model",), "time": ("created", "created_at")}
_TOOL_SETTINGS = ("type", "name", "server_label", "description", "server_description")
# Calls of tools that the provider executes itself; it may keep the result to itself.
_HOSTED = (
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "mcp_call",
)
_CREDENTIALS = ("authorization", "headers")


def answers(first: Mapping[str, Any]) -> bool:
    """Whether an answer, or its first chunk, is in this API's words."""
    kind = first.get("type")
    if first.get("object") in _OBJECTS or isinstance(kind, str) and kind.startswith("response."):
        return True
    choices, data = first.get("choices"), first.get("data")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return not _CHOICE.isdisjoint(choices[0])
    if isinstance(data, list) and data and isinstance(data[0], dict):
        made = not {"embedding", "b64_json", "url"}.isdisjoint(data[0])
        return made and ("created" in first or first.get("object") == "list")
    error = first.get("error")
    return isinstance(error, dict) and {"message", "type", "param", "code"} <= set(error)


def asks(request: Mapping[str, Any], url: str) -> bool:
    """Whether a request is in this API's words."""
    if any(endpoint in url for endpoint in _ENDPOINTS):
        return True
    return isinstance(request.get("model"), str) and not {"messages", "input", "prompt"}.isdisjoint(request)


def operation(request: Mapping[str, Any], response: Body, url: str) -> str:
    """What was asked for: by the address, else by what came back."""
    for endpoint, name in _ENDPOINTS.items():
        if endpoint in url:
            return name
    first = response.first
    data = first.get("data")
    if isinstance(data, list) and data and isinstance(data[0], dict):
        return "embeddings" if "embedding" in data[0] else "image_generation"
    if first.get("object") == "text_completion" or ("prompt" in request and "messages" not in request):
        return "text_completion"
    return "chat"


def read(facts: Facts, request: Mapping[str, Any], response: Body) -> None:
    """What was asked, and what was answered."""
    _asked(facts, request)
    whole = response.object or assembled(response.chunks)
    facts.put("stream", request.get("stream"), bool(response.chunks) if whole or request else None)
    if facts.error(whole) and "choices" not in whole:
        return
    answered(facts, whole)
    if not request:  # the Responses API repeats what it was asked
        _said(facts, "system", whole.get("instructions"))
        facts.offered(_named(whole.get("tools")))


def answered(facts: Facts, answer: Mapping[str, Any]) -> None:
    """One answer that is whole."""
    facts.take(answer, _RESPONSE)
    facts.take(answer.get("usage"), USAGE)
    if answer.get("object") == "response" or isinstance(answer.get("output"), list):
        _responses(facts, answer)
        return
    for choice in _objects(answer.get("choices")):
        _choice(facts, choice)


def _asked(facts: Facts, request: Mapping[str, Any]) -> None:
    facts.take(request, _REQUEST)
    _said(facts, "system", request.get("instructions"))
    said = request.get("messages")
    if said is not None:
        facts.inputs += parse.messages(said, "user")
    elif "input" in request:
        facts.inputs += [] if _token_ids(request["input"]) else _items(request["input"], "user")
    elif "prompt" in request and not _token_ids(request["prompt"]):
        facts.inputs += parse.messages(request["prompt"], "user")
    facts.offered(_named(request.get("tools") or request.get("functions")))


def _token_ids(value: Any) -> bool:
    """Whether text was given as numbers, which nobody can read."""
    while isinstance(value, list) and value:
        value = value[0]
    return isinstance(value, int)


def _said(facts: Facts, role: Any, text: Any) -> None:
    if text:
        facts.inputs += parse.messages(text, role)


def _choice(facts: Facts, choice: Mapping[str, Any]) -> None:
    facts.finished(choice.get("finish_reason"))
    message = choice.get("message")
    if isinstance(message, dict):
        if isinstance(message.get("refusal"), str) and message["refusal"]:
            facts.fields["status"] = "refused"
            message = {**message, "content": message.get("content") or message["refusal"]}
        facts.outputs += parse.messages([{"role": "assistant", **message}], "assistant")
    elif isinstance(choice.get("text"), str):
        facts.outputs.append(Message("assistant", choice["text"]))


def _responses(facts: Facts, answer: Mapping[str, Any]) -> None:
    """The Responses API: calls stand beside messages, and the status is the reason."""
    facts.outputs += _items(answer.get("output"), "assistant")
    status = answer.get("status")
    if any(message.tool_calls for message in facts.outputs) and status == "completed":
        own = any(item.get("type") == "function_call" for item in _objects(answer.get("output")))
        status = "tool_calls" if own else status
    if status == "incomplete":
        status = at(answer, "incomplete_details.reason") or status
    if status not in ("in_progress", "queued"):
        facts.finished(status)
    if status == "failed":
        facts.failed("failed")
    parts = (part for item in _objects(answer.get("output")) for part in _objects(item.get("content")))
    if any(part.get("type") == "refusal" for part in parts):
        facts.fields["status"] = "refused"


def _items(value: Any, role: Any) -> list[Message]:
    """Items of the Responses API, in order."""
    value = parse.structure(value)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        return parse.messages(value, role)
    found: list[Message] = []
    for item in value:
        kind = str(item.get("type") or "message")
        if kind == "message" or "role" in item:
            found += parse.messages([item], role)
        elif kind.endswith("_call"):
            found += _called(item, kind)
        elif kind.endswith(("_call_output", "_response")):
            result = parse.result_text(item.get("output", ""))
            found.append(Message("tool", result, (), parse.as_text(item.get("call_id") or item.get("id"))))
        elif kind not in ("reasoning", "mcp_list_tools", "compaction", "item_reference"):
            found += parse.messages([item], role)
    return found


def _called(item: Mapping[str, Any], kind: str) -> list[Message]:
    """A call, and its result where the provider made it itself."""
    name = parse.as_text(item.get("name") or kind.removesuffix("_call"))
    identity = parse.as_text(item.get("call_id") or item.get("id"))
    keys = ("arguments", "action", "queries", "code", "input", "operation")
    given = next((item[key] for key in keys if item.get(key) is not None), "")
    call = Message("assistant", "", (ToolCall(identity, name, parse.as_text(given)),))
    result = next((item[key] for key in ("output", "outputs", "results", "error") if item.get(key)), None)
    if result is None and kind not in _HOSTED:
        return [call]
    return [call, Message("tool", parse.result_text(result) if result else "", (), identity, name)]


def _named(tools: Any) -> Any:
    """Tools of the provider's own have a type for a name; credentials do not make them other tools."""
    tools = parse.structure(tools)
    if not isinstance(tools, list):
        return tools
    return [_tool(tool) if isinstance(tool, dict) else tool for tool in tools]


def _tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    if tool.get("name") or "function" in tool or not isinstance(tool.get("type"), str):
        return tool
    return {
        "name": parse.as_text(tool.get("server_label") or tool["type"]),
        "description": parse.as_text(tool.get("server_description") or tool["type"]),
        "parameters": {k: v for k, v in tool.items() if k not in (*_TOOL_SETTINGS, *_CREDENTIALS)},
    }


def _objects(value: Any) -> Iterable[dict[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


# Streams.


def assembled(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """The answer that was streamed."""
    if any(isinstance(chunk.get("type"), str) for chunk in chunks):
        return _streamed_response(chunks)
    whole: dict[str, Any] = {}
    choices: dict[Any, dict[str, Any]] = {}
    for chunk in chunks:
        whole.update({k: v for k, v in chunk.items() if v not in (None, "") and k != "choices"})
        for choice in _objects(chunk.get("choices")):
            _grow(choices.setdefault(str(choice.get("index")), {}), choice)
    if chunks:
        whole["choices"] = [_grown(choice) for choice in choices.values()]
    return whole


def _grow(choice: dict[str, Any], chunk: Mapping[str, Any]) -> None:
    delta = chunk.get("delta") or chunk.get("message")
    delta = delta if isinstance(delta, dict) else {}
    if chunk.get("finish_reason"):
        choice["finish_reason"] = chunk["finish_reason"]
    if isinstance(chunk.get("text"), str):
        choice.setdefault("text", []).append(chunk["text"])
    for key in ("content", "refusal"):
        if isinstance(delta.get(key), str):
            choice.setdefault(key, []).append(delta[key])
    calls = [*_objects(delta.get("tool_calls"))]
    if isinstance(delta.get("function_call"), dict):
        calls.append({"index": "function", "function": delta["function_call"]})
    for call in calls:
        _grow_call(choice.setdefault("calls", {}), call)


def _grow_call(calls: dict[str, dict[str, Any]], chunk: Mapping[str, Any]) -> None:
    call = calls.setdefault(str(chunk.get("index", chunk.get("id"))), {"name": "", "arguments": []})
    function = chunk.get("function")
    function = function if isinstance(function, dict) else {}
    call["id"] = call.get("id") or chunk.get("id")
    call["name"] = call["name"] or parse.as_text(function.get("name"))
    if function.get("arguments"):
        call["arguments"].append(parse.as_text(function["arguments"]))


def _grown(choice: dict[str, Any]) -> dict[str, Any]:
    if "text" in choice:
        return {"text": "".join(choice["text"]), "finish_reason": choice.get("finish_reason")}
    calls = [
        {"id": call["id"], "function": {"name": call["name"], "arguments": "".join(call["arguments"])}}
        for call in choice.get("calls", {}).values()
    ]
    message = {key: "".join(choice[key]) for key in ("content", "refusal") if choice.get(key)}
    return {
        "finish_reason": choice.get("finish_reason"),
        "message": {"role": "assistant", **message, "tool_calls": calls},
    }


def _streamed_response(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The last state of a response, its items from the events where it broke off before the end."""
    states = [event["response"] for event in events if isinstance(event.get("response"), dict)]
    whole = dict(states[-1]) if states else {}
    if not whole.get("output"):
        done = [e["item"] for e in events if e.get("type") == "response.output_item.done" and e.get("item")]
        text = "".join(e["delta"] for e in events if _text_delta(e))
        whole["output"] = done or ([{"role": "assistant", "content": text}] if text else [])
    error = next((event for event in events if event.get("type") == "error"), None)
    if error is not None and not whole.get("error"):
        whole["error"] = error.get("error") or {"code": error.get("code"), "message": error.get("message")}
    return whole


def _text_delta(event: Mapping[str, Any]) -> bool:
    return event.get("type") == "response.output_text.delta" and isinstance(event.get("delta"), str)
