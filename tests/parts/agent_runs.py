"""Agent conversations as OTLP/JSON batches: real runs of the shared data, or invented ones without it."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[3] / "shared" / "data"
FILES = ("agentdojo_banking_slack", "tau_bench")

Json = dict[str, Any]


def real_runs_present() -> bool:
    return all((DATA / f"{name}.jsonl.gz").exists() for name in FILES)


def runs() -> Iterator[Json]:
    """Each run: id, application, agent and its messages."""
    for name in FILES:
        with gzip.open(DATA / f"{name}.jsonl.gz", "rt") as lines:
            for line in lines:
                run = json.loads(line)
                meta = run["meta"]
                yield {
                    "id": run["id"],
                    "application": str(meta.get("suite", "unknown")),
                    "agent": str(meta.get("model") or meta.get("pipeline") or "unknown"),
                    "messages": run.get("trace") or _written_out(run["text"]),
                }


def _written_out(text: str) -> list[Json]:
    """A conversation given as one text, a `role: words` line a turn."""
    messages: list[Json] = []
    for line in text.split("\n"):
        role, colon, words = line.partition(": ")
        if colon and role in ("user", "assistant"):
            messages.append({"role": role, "content": words})
        elif messages:
            messages[-1]["content"] += "\n" + line
    return messages


def invented_runs(count: int, seed: int = 5) -> Iterator[Json]:
    """Runs of the same shape for machines without the shared data."""
    chance = random.Random(seed)
    tools = ["read_file", "send_money", "search", "get_balance", "post_message"]
    for number in range(count):
        messages: list[Json] = [
            {"role": "system", "content": "You help with accounts."},
            {"role": "user", "content": f"Please handle request {number} for me."},
        ]
        for turn in range(chance.randint(1, 5)):
            tool = chance.choice(tools)
            call = {"name": tool, "arguments": {"item": f"{number}-{turn}"}}
            messages.append({"role": "assistant", "content": "Let me look.", "tool_calls": [call]})
            text = "Error: not found" if chance.random() < 0.1 else f"value {chance.random():.3f}"
            messages.append({"role": "tool", "content": text, "tool": tool})
        messages.append({"role": "assistant", "content": "All done."})
        yield {
            "id": f"invented-{number}",
            "application": chance.choice(["banking", "slack", "airline"]),
            "agent": chance.choice(["model-a", "model-b"]),
            "messages": messages,
        }


def _attributes(values: Json) -> list[Json]:
    listed = []
    for key, value in values.items():
        if isinstance(value, int):
            listed.append({"key": key, "value": {"intValue": str(value)}})
        else:
            listed.append({"key": key, "value": {"stringValue": value}})
    return listed


def _parts(message: Json, calls: list[str]) -> Json:
    parts: list[Json] = []
    if message["role"] == "tool":
        parts.append({"type": "tool_call_response", "id": calls.pop(0), "response": message["content"]})
        return {"role": "tool", "parts": parts}
    if message.get("content"):
        parts.append({"type": "text", "content": message["content"]})
    for call in message.get("tool_calls") or ():
        calls.append(f"call_{len(parts)}_{len(calls)}")
        parts.append({"type": "tool_call", "id": calls[-1], **call})
    return {"role": message["role"], "parts": parts}


class Spans:
    """The spans of one run: a chat span per answer, repeating the conversation, and one per tool call."""

    def __init__(self, run: Json, start_ns: int) -> None:
        self.run = run
        self.now = start_ns
        self.trace = hashlib.md5(run["id"].encode()).hexdigest()
        self.count = 0

    def _span(self, name: str, kind: int, attributes: Json, *, failed: bool = False) -> Json:
        self.count += 1
        started, self.now = self.now, self.now + 40_000_000
        return {
            "traceId": self.trace,
            "spanId": f"{int(self.trace[:8], 16):08x}{self.count:08x}",
            "name": name,
            "kind": kind,
            "startTimeUnixNano": str(started),
            "endTimeUnixNano": str(self.now),
            "attributes": _attributes({"gen_ai.conversation.id": self.run["id"], **attributes}),
            "status": {"code": 2, "message": "tool failed"} if failed else {},
        }

    def _chat(self, said: list[Json], answer: Json) -> Json:
        size = sum(len(json.dumps(message)) for message in said)
        return self._span(
            f"chat {self.run['agent']}",
            3,
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": self.run["agent"],
                "gen_ai.agent.name": self.run["application"] + "-agent",
                "gen_ai.response.id": f"resp-{self.trace[:12]}-{self.count}",
                "gen_ai.usage.input_tokens": size // 4,
                "gen_ai.usage.output_tokens": len(json.dumps(answer)) // 4,
                "gen_ai.input.messages": json.dumps(said),
                "gen_ai.output.messages": json.dumps([answer]),
            },
        )

    def _tool(self, call: Json, identity: str, result: str) -> Json:
        return self._span(
            f"execute_tool {call['name']}",
            1,
            {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.agent.name": self.run["application"] + "-agent",
                "gen_ai.tool.name": call["name"],
                "gen_ai.tool.call.id": identity,
                "gen_ai.tool.call.arguments": json.dumps(call["arguments"]),
                "gen_ai.tool.call.result": result,
            },
            failed="error" in result[:60].lower(),
        )

    def all(self) -> Iterator[Json]:
        said: list[Json] = []
        open_ids: list[str] = []
        open_calls: list[Json] = []
        for message in self.run["messages"]:
            if message["role"] == "tool" and open_calls:
                yield self._tool(open_calls.pop(0), open_ids[0], message["content"])
            if message["role"] == "tool" and not open_ids:
                open_ids.append("call_unknown")
            part = _parts(message, open_ids)
            if message["role"] == "assistant":
                open_calls = list(message.get("tool_calls") or ())
                open_ids = open_ids[-len(open_calls) :] if open_calls else []
                yield self._chat(said, part)
            said.append(part)


def batches(all_runs: Iterator[Json], start_ns: int, spans_per_batch: int = 16) -> Iterator[bytes]:
    """OTLP/JSON bodies as an exporter would batch them: the spans of one application together."""
    waiting: dict[str, list[Json]] = {}
    for number, run in enumerate(all_runs):
        spans = waiting.setdefault(run["application"], [])
        spans.extend(Spans(run, start_ns + number * 1_000_000).all())
        while len(spans) >= spans_per_batch:
            yield _body(run["application"], spans[:spans_per_batch])
            del spans[:spans_per_batch]
    for application, spans in waiting.items():
        if spans:
            yield _body(application, spans)


def _body(application: str, spans: list[Json]) -> bytes:
    return json.dumps(
        {
            "resourceSpans": [
                {
                    "resource": {"attributes": _attributes({"service.name": application})},
                    "scopeSpans": [{"scope": {"name": "tocsin.tests"}, "spans": spans}],
                }
            ]
        }
    ).encode()
