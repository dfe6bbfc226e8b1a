"""MCP: JSON-RPC messages between a client of tools and their server, bare or in a proxy's envelope.

A request and its response are two messages, most often two records: they are halves that find each
other by the label of their connection, the side that asked and the id. Revisions with a session
(up to 2025-11-25) and without (2026-07-28) are read alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import force_setattr

from ingest import mcp_envelope
from ingest.facts import Facts, child
from ingest.leaf import Json, Leaf
from ingest.messages import as_text, messages
from tocsin.model import Decoded, Document, Event, Message, Reject

_META = "io.modelcontextprotocol/"
_TOOL_CALL = ("claudecode/toolUseId", "toolCallId", "tool_call_id")  # what clients note in `_meta`
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_BY_SERVER = frozenset(("sampling/createMessage", "elicitation/create", "roots/list"))
_NO_NAME = "error"  # a refusal of we know not what


class Exchange(NamedTuple):
    """A request, a response, or both; one of them may be missing."""

    method: str
    request: Json | None
    response: Json | None

    @property
    def params(self) -> Json:
        return child(self.request, "params")

    @property
    def result(self) -> Json:
        return child(self.response, "result")

    @property
    def identity(self) -> Any:
        return (self.request or self.response or {}).get("id")


class McpDecoder(Leaf):
    """Tool calls, offered tools, resources, prompts and sampling; the rest of the protocol is ignored."""

    name = "mcp"
    title = "MCP JSON-RPC"
    evidence = "recorded"
    marks = mcp_envelope.MARKS

    @classmethod
    def fits(cls, document: Json) -> bool:
        return mcp_envelope.opened(document) is not None

    def read(self, document: Any) -> Decoded:
        found = mcp_envelope.opened(document)
        if found is None:
            return Decoded((Reject(reason="unrecognised", detail="no JSON-RPC message"),))
        around = Facts(self.limits, self.name)
        label = mcp_envelope.circumstances(around, document)
        sender = mcp_envelope.sender(document)
        items: list[Event | Reject] = []
        ignored = 0
        for exchange in _exchanges(found):
            if len(items) + ignored >= self.limits.events_per_record:
                items.append(Reject(reason="too_many", detail=f"more than {len(items)} messages in a batch"))
                break
            event = self._event(exchange, around, label, sender)
            if event is None:
                ignored += 1
            else:
                items.append(event)
        return Decoded(items, ignored)

    def _event(self, exchange: Exchange, around: Facts, label: str, sender: str) -> Event | None:
        reader = _READERS.get(exchange.method)
        if reader is None:
            return None
        facts = around.other()
        _circumstances(facts, exchange, label)
        if exchange.response and "error" in exchange.response:
            _refused(facts, exchange.response["error"])
        event = reader(facts, exchange, self.limits.text_characters)
        if exchange.request is None or exchange.response is None:
            half = "request" if exchange.request else "response"
            asker = _asker(exchange, sender)
            identity = json.dumps(exchange.identity)[:256]
            force_setattr(event, "join", f"mcp:{label}:{asker}:{identity}")
            force_setattr(event, "half", half)
        return event


def _exchanges(found: mcp_envelope.Opened) -> Iterator[Exchange]:
    """The messages in their order; a request and its response in one record are one exchange."""
    answers = {_key(m): m for m in found.messages if "method" not in m} if len(found.messages) > 1 else {}
    used: set[str] = set()
    for message in found.messages:
        method, identity = message.get("method"), message.get("id")
        if isinstance(method, str):
            answer = answers.get(_key(message)) if identity is not None else None
            used |= {_key(message)} if answer else set()
            known = method if identity is not None else ""
            yield Exchange(known if known in _READERS or not _failed(answer) else _NO_NAME, message, answer)
        elif _key(message) not in used:
            yield Exchange(_method(message), None, message)


def _key(message: Json) -> str:
    return json.dumps(message.get("id"))[:256]


def _failed(answer: Json | None) -> bool:
    return answer is not None and "error" in answer


def _method(response: Json) -> str:
    """What a response answers, as far as its shape tells; "": nothing that is an event."""
    if "error" in response:
        return _NO_NAME
    result = response.get("result")
    if not isinstance(result, dict):
        return ""
    if "role" in result and "content" in result:
        return "sampling/createMessage"
    return next((method for key, method in _SHAPES.items() if key in result), "")


_SHAPES: Mapping[str, str] = {
    "isError": "tools/call",
    "structuredContent": "tools/call",
    "content": "tools/call",
    "toolResult": "tools/call",
    "inputRequests": "tools/call",
    "tools": "tools/list",
    "contents": "resources/read",
    "messages": "prompts/get",
}


def _asker(exchange: Exchange, sender: str) -> str:
    """The side that sent the request: both sides number their own."""
    if sender and exchange.request is None:
        return "client" if sender == "server" else "server"
    if sender:
        return sender
    return "server" if exchange.method in _BY_SERVER else "client"


def _circumstances(facts: Facts, exchange: Exchange, label: str) -> None:
    """Who, where and when, as far as the messages themselves tell."""
    meta = child(exchange.params, "_meta") or child(exchange.result, "_meta")
    facts.put("session", meta.get("sessionId"))
    facts.put("agent", child(meta, f"{_META}clientInfo").get("name"))
    facts.put("tool_server", child(child(exchange.result, "_meta"), f"{_META}serverInfo").get("name"))
    facts.put("tool_call_id", *(meta.get(name) for name in _TOOL_CALL))
    parent = meta.get("traceparent")
    trace = _TRACEPARENT.fullmatch(parent) if isinstance(parent, str) else None
    if trace:
        facts.put("trace_id", trace[1])
        facts.put("parent_span_id", trace[2])
        facts.put("session", trace[1])
    if exchange.request:  # a response that names no session takes its request's
        facts.put("session", label)
    kind = exchange.result.get("resultType")
    facts.note("mcp.result_type", kind if kind != "complete" else None)


def _refused(facts: Facts, error: Any) -> None:
    body = error if isinstance(error, dict) else {"message": error}
    code = body.get("code")
    facts.failed(str(code) if isinstance(code, int | str) else "_OTHER", as_text(body.get("message")))


def _tool(facts: Facts, exchange: Exchange, limit: int) -> Event:
    params, result = exchange.params, exchange.result
    facts.put("tool_name", params.get("name"))
    facts.fields["tool_type"] = "mcp"
    text = _content(result) if exchange.response and "result" in exchange.response else None
    if result.get("isError") is True:
        facts.failed("tool_error", text)
    given = params.get("arguments") if exchange.request else None
    return facts.tool_call({} if exchange.request and given is None else given, text)


def _offered(facts: Facts, exchange: Exchange, limit: int) -> Event:
    facts.offered(exchange.result.get("tools"))
    return facts.step("list_tools")


def _resource(facts: Facts, exchange: Exchange, limit: int) -> Event:
    uri = exchange.params.get("uri")
    if isinstance(uri, str):
        facts.inputs = [Message("user", uri)]
    contents = exchange.result.get("contents")
    facts.documents = tuple(_documents(contents if isinstance(contents, list) else [], limit))
    return facts.retrieval("read_resource")


def _prompt(facts: Facts, exchange: Exchange, limit: int) -> Event:
    params = exchange.params
    if params:
        facts.inputs = [Message("user", f"{params.get('name')} {as_text(params.get('arguments') or {})}")]
    said = messages(exchange.result.get("messages"), "user")
    facts.documents = tuple([Document(text=message.text[:limit]) for message in said[:512]])
    return facts.retrieval("get_prompt")


def _sampling(facts: Facts, exchange: Exchange, limit: int) -> Event:
    """The server has the client's model answer a question of its own."""
    params, result = exchange.params, exchange.result
    if params.get("systemPrompt"):
        facts.inputs += messages(params["systemPrompt"], "system")
    facts.inputs += messages(params.get("messages"), "user")
    facts.offered(params.get("tools"))
    hints = child(params, "modelPreferences").get("hints")
    if isinstance(hints, list) and hints and isinstance(hints[0], dict):
        facts.put("model", hints[0].get("name"))
    facts.put("response_model", result.get("model"))
    if "content" in result:
        facts.outputs = messages([{"role": "assistant", "content": result["content"]}], "assistant")
    reason = result.get("stopReason")
    facts.finished(re.sub("(?<=[a-z])(?=[A-Z])", "_", reason).lower() if isinstance(reason, str) else None)
    return facts.model_call("chat")


def _unknown(facts: Facts, exchange: Exchange, limit: int) -> Event:
    """A request that was refused, whatever it was."""
    method = exchange.request.get("method") if exchange.request else None
    facts.note("mcp.method", method)
    return facts.step("jsonrpc_error")


_READERS = {
    "tools/call": _tool,
    "tools/list": _offered,
    "resources/read": _resource,
    "prompts/get": _prompt,
    "sampling/createMessage": _sampling,
    _NO_NAME: _unknown,
}


def _content(result: Json) -> str:
    """What a tool gave back as text; what is no text leaves a mark that it was there."""
    blocks = result.get("content", result.get("toolResult"))
    if isinstance(blocks, list) and blocks:
        return "\n".join([text for text in map(_block, blocks) if text])
    if isinstance(blocks, str):
        return blocks
    return as_text(result.get("structuredContent", blocks or ""))


def _block(block: Any) -> str:
    if not isinstance(block, dict):
        return as_text(block)
    text = block.get("text")
    if isinstance(text, str):
        return text
    inner = block.get("resource")
    if isinstance(inner, dict):
        return (
            inner["text"] if isinstance(inner.get("text"), str) else f"[{as_text(inner.get('uri'))[:2000]}]"
        )
    return f"[{as_text(block.get('type'))[:40]} {as_text(block.get('uri') or block.get('mimeType'))[:2000]}]"


def _documents(contents: Sequence[Any], limit: int) -> Iterator[Document]:
    for content in contents[:512]:
        if isinstance(content, dict):
            yield Document(id=as_text(content.get("uri"))[:4096], text=_block(content)[:limit])
