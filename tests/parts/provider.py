"""A stand-in of the OpenAI and Anthropic HTTP APIs, written from their documented contract, that remembers.

The last user text decides: with tools on offer and no result yet a tool is called, "fail" in it is
refused, anything else is answered. Token counts follow from the texts.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType
from typing import Any, NamedTuple

Json = dict[str, Any]
ARGUMENTS = {"city": "Porto"}
REFUSED = "the stand-in refuses this prompt"


class Said(NamedTuple):
    """One request and what was answered."""

    api: str  # openai, anthropic
    id: str
    model: str
    prompt: str
    text: str
    tool: str
    input_tokens: int
    output_tokens: int
    stream: bool
    failed: bool


class Provider:
    """Serves on a free loopback port while the block runs."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self._numbers = count(1)
        self._lock = threading.Lock()
        provider = self

        class Handler(_Handler):
            owner = provider

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Provider:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def answer(self, api: str, request: Json) -> Said:
        """Decide, and remember."""
        with self._lock:
            number = next(self._numbers)
        prompt, has_result = _last_user(request["messages"])
        tool = "" if has_result else _first_tool(request.get("tools") or ())
        text = "" if tool else f"Answer {number}: mild and dry."
        prefix = {"openai": "chatcmpl", "anthropic": "msg"}[api]
        said = Said(
            api, f"{prefix}-{number:08x}", request["model"], prompt, text, tool,
            len(json.dumps(request["messages"])) // 4, 7 + number, bool(request.get("stream")),
            "fail" in prompt,
        )  # fmt: skip
        with self._lock:
            self.said.append(said)
        return said


def _last_user(messages: list[Json]) -> tuple[str, bool]:
    """The last text of the user, and whether a tool's result follows it."""
    prompt, has_result = "", False
    for message in messages:
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
        kinds = {part.get("type") for part in parts}
        if message["role"] == "tool" or "tool_result" in kinds:
            has_result = True
        elif message["role"] == "user":
            prompt = "".join(part.get("text", "") for part in parts)
            has_result = False
    return prompt, has_result


def _first_tool(tools: Any) -> str:
    return next((tool.get("function", tool)["name"] for tool in tools), "")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is none of our business."""


class _Handler(BaseHTTPRequestHandler):
    owner: Provider
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path.endswith("/chat/completions"):
            said = self.owner.answer("openai", request)
            body, chunks, error = _completion(said), _completion_chunks(said), _openai_error()
        elif self.path.endswith("/messages"):
            said = self.owner.answer("anthropic", request)
            body, chunks, error = _message(said), _message_chunks(said), _anthropic_error()
        else:
            return self._send(404, {"error": {"message": f"no {self.path} here", "type": "not_found_error"}})
        if said.failed:
            return self._send(400, error)
        if said.stream:
            return self._stream(chunks)
        return self._send(200, body)

    def _send(self, status: int, body: Json) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, chunks: Iterator[str]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for chunk in chunks:
            data = chunk.encode()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """The test's output is not the place."""


def _openai_error() -> Json:
    return {"error": {"message": REFUSED, "type": "invalid_request_error", "param": None, "code": None}}


def _anthropic_error() -> Json:
    return {"type": "error", "error": {"type": "invalid_request_error", "message": REFUSED}}


def _call(said: Said) -> Json:
    function = {"name": said.tool, "arguments": json.dumps(ARGUMENTS)}
    return {"id": f"call_{said.id}", "type": "function", "function": function}


def _usage(said: Said) -> Json:
    return {
        "prompt_tokens": said.input_tokens,
        "completion_tokens": said.output_tokens,
        "total_tokens": said.input_tokens + said.output_tokens,
    }


def _completion(said: Said) -> Json:
    message: Json = {"role": "assistant", "content": said.text or None, "refusal": None}
    if said.tool:
        message["tool_calls"] = [_call(said)]
    choice = {"index": 0, "message": message, "finish_reason": _finish(said), "logprobs": None}
    return {**_head(said, "chat.completion"), "choices": [choice], "usage": _usage(said)}


def _head(said: Said, kind: str) -> Json:
    return {"id": said.id, "object": kind, "created": 1_790_000_000, "model": f"{said.model}-2026"}


def _finish(said: Said) -> str:
    return "tool_calls" if said.tool else "stop"


def _completion_chunks(said: Said) -> Iterator[str]:
    head = _head(said, "chat.completion.chunk")
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    if said.tool:
        deltas.append({"tool_calls": [{"index": 0, **_call(said)}]})
    deltas += [{"content": piece} for piece in _pieces(said.text)]
    for delta in deltas:
        yield _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield _event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": _finish(said)}]})
    yield _event({**head, "choices": [], "usage": _usage(said)})
    yield "data: [DONE]\n\n"


def _pieces(text: str) -> list[str]:
    return [text[at : at + 6] for at in range(0, len(text), 6)]


def _event(data: Json, name: str = "") -> str:
    return (f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n"


def _block(said: Said) -> Json:
    if said.tool:
        return {"type": "tool_use", "id": f"toolu_{said.id}", "name": said.tool, "input": ARGUMENTS}
    return {"type": "text", "text": said.text}


def _message(said: Said) -> Json:
    return {
        "id": said.id, "type": "message", "role": "assistant", "model": f"{said.model}-2026",
        "content": [_block(said)], "stop_reason": "tool_use" if said.tool else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": said.input_tokens, "output_tokens": said.output_tokens},
    }  # fmt: skip


def _message_chunks(said: Said) -> Iterator[str]:
    whole = _message(said)
    start = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    yield _event({"type": "message_start", "message": start}, "message_start")
    block: Json = {**_block(said), **({"input": {}} if said.tool else {"text": ""})}
    yield _event({"type": "content_block_start", "index": 0, "content_block": block}, "content_block_start")
    for piece in _pieces(json.dumps(ARGUMENTS) if said.tool else said.text):
        kind = {"type": "input_json_delta", "partial_json": piece}
        delta = kind if said.tool else {"type": "text_delta", "text": piece}
        yield _event({"type": "content_block_delta", "index": 0, "delta": delta}, "content_block_delta")
    yield _event({"type": "content_block_stop", "index": 0}, "content_block_stop")
    end = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    usage = {"output_tokens": said.output_tokens}
    yield _event({"type": "message_delta", "delta": end, "usage": usage}, "message_delta")
    yield _event({"type": "message_stop"}, "message_stop")
