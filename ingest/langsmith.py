"""LangSmith runs: as its API and exports give them, and as its SDK posts and patches them in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec.structs import force_setattr

from ingest.facts import Facts, Paths, at, between, child
from ingest.leaf import Json, Leaf
from ingest.messages import as_text, messages
from ingest.offered import documents
from tocsin.model import Decoded, Event, Reject

_FIELDS: Paths = {
    "time": ("start_time", "end_time"),
    "trace_id": ("trace_id",),
    "span_id": ("id",),
    "parent_span_id": ("parent_run_id",),
    "session": ("thread_id", "extra.metadata.thread_id", "extra.metadata.session_id",
                "extra.metadata.conversation_id"),
    "user": ("extra.metadata.user_id",),
    "application": ("session_name", "session_id"),  # LangSmith's word for a project
    "environment": ("extra.metadata.LANGSMITH_ENVIRONMENT", "extra.metadata.environment"),
}  # fmt: skip
_CALL: Paths = {
    "provider": ("extra.metadata.ls_provider",),
    "model": ("extra.invocation_params.model", "extra.invocation_params.model_name",
              "extra.metadata.ls_model_name", "inputs.model"),
    "response_model": ("outputs.llm_output.model_name", "outputs.model"),
    "response_id": ("outputs.llm_output.id", "outputs.id"),
    "cost_usd": ("total_cost",),
    "stream": ("extra.invocation_params.stream", "inputs.stream"),
}  # fmt: skip
_TOKENS = {
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "cache_read_tokens": ("input_token_details.cache_read", "prompt_tokens_details.cached_tokens"),
    "cache_write_tokens": ("input_token_details.cache_creation",),
    "reasoning_tokens": ("output_token_details.reasoning", "completion_tokens_details.reasoning_tokens"),
}
_USAGES = ("outputs.usage_metadata", "extra.metadata.usage_metadata", "outputs.llm_output.token_usage",
           "outputs.usage", "outputs.generations.message.usage_metadata")  # fmt: skip
_BATCHES = (("post", "request"), ("patch", "response"), ("runs", ""))
_CLASSES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool", "chat": "user"}


class LangSmith(Leaf):
    """Runs of models, tools and retrievers; chains, prompts and parsers only surround them."""

    name = "langsmith"
    title = "LangSmith runs"
    evidence = "from documentation only"
    marks = frozenset(("run_type", *(name for name, _ in _BATCHES)))

    @classmethod
    def fits(cls, document: Json) -> bool:
        if isinstance(document.get("run_type"), str):
            return not document.keys().isdisjoint(("inputs", "outputs", "dotted_order"))
        return next((True for run, _ in _runs(document) if isinstance(run.get("run_type"), str)), False)

    def read(self, document: Any) -> Decoded:
        if "run_type" in document:
            event = self._event(document, "")
            return Decoded((event,)) if event else Decoded((), 1)
        items: list[Event | Reject] = []
        ignored = 0
        for run, half in _runs(document):
            if len(items) >= self.limits.events_per_record:
                items.append(Reject(reason="too_many", detail=f"more than {len(items)} events in one record"))
                break
            event = self._event(run, half)
            items += [event] if event else []
            ignored += event is None
        return Decoded(items, ignored)

    def _event(self, run: Json, half: str) -> Event | None:
        reader = _READERS.get(as_text(run.get("run_type")))
        if reader is None:
            return None
        facts = Facts(self.limits, self.name)
        facts.take(run, _FIELDS)
        if half or "application" not in facts.fields:  # a patch does not name its project
            facts.fields["application"] = "default"
        facts.put("duration_ms", between(run.get("start_time"), run.get("end_time")))
        if run.get("error"):
            text = as_text(run["error"])
            kind = text.partition("(")[0]
            facts.failed(kind if kind.isidentifier() else "_OTHER", text)
        event = reader(facts, run)
        if half:
            force_setattr(event, "join", f"langsmith:{event.span_id}")
            force_setattr(event, "half", "" if half == "request" and run.get("end_time") else half)
        return event


def _runs(document: Json) -> Iterator[tuple[Json, str]]:
    for name, half in _BATCHES:
        runs = document.get(name)
        for run in runs if isinstance(runs, list) else ():
            if isinstance(run, dict):
                yield run, half


def _call(facts: Facts, run: Json) -> Event:
    facts.take(run, _CALL)
    outputs, inputs = child(run, "outputs"), child(run, "inputs")
    generation = _generation(outputs)
    run = {**run, "outputs": {**outputs, "generations": generation}}
    for place in _USAGES:
        facts.take(at(run, place), _TOKENS)
    facts.take(run, {"input_tokens": ("prompt_tokens",), "output_tokens": ("completion_tokens",)})
    facts.put("first_token_ms", between(run.get("start_time"), run.get("first_token_time")))
    said = inputs.get("messages", inputs.get("prompts", inputs.get("input")))
    facts.inputs = messages(_plain(said, 6), "user") if said else []
    answer = generation or outputs.get("message") or outputs.get("output") or outputs
    facts.outputs = messages(_plain(answer, 6), "assistant") if answer else []
    facts.offered(at(run, "extra.invocation_params.tools") or inputs.get("tools"))
    choices = outputs.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else {}
    facts.finished(at(generation, "generation_info.finish_reason") or at(choice, "finish_reason"))
    return facts.model_call("chat")


def _generation(outputs: Json) -> dict[str, Any]:
    """The first of the answers, which stand in lists of lists."""
    found: Any = outputs.get("generations")
    while isinstance(found, list) and found:
        found = found[0]
    if not isinstance(found, dict):
        return {}
    message = found.get("message")
    unwrapped = child(message, "kwargs") if isinstance(message, dict) else {}
    return {**found, "message": _plain(message, 6) if not unwrapped else {**unwrapped, "role": "assistant"}}


def _plain(value: Any, depth: int) -> Any:
    """Messages without LangChain's serialisation around them."""
    if isinstance(value, list) and depth:
        return [_plain(inner, depth - 1) for inner in value[:4096]]
    if not isinstance(value, dict):
        return value
    kwargs = value.get("kwargs")
    if isinstance(kwargs, dict) and isinstance(value.get("id"), list):
        name = (
            as_text(value["id"][-1]).removesuffix("Chunk").removesuffix("Message").lower()
            if value["id"]
            else ""
        )
        return {"role": _CLASSES.get(name, name), **kwargs}
    return value


def _tool(facts: Facts, run: Json) -> Event:
    inputs, outputs = child(run, "inputs"), child(run, "outputs")
    facts.put("tool_name", run.get("name"))
    given = inputs["input"] if list(inputs) == ["input"] else inputs
    taken = _plain(outputs.get("output", outputs or None), 2)
    if isinstance(taken, dict):
        facts.put("tool_call_id", taken.get("tool_call_id"))
        taken = taken.get("content", taken)
    if facts.fields.get("status") == "error":
        facts.put("error_type", "tool_error")
    return facts.tool_call(given, taken)


def _retrieval(facts: Facts, run: Json) -> Event:
    query = child(run, "inputs").get("query")
    if query:
        facts.inputs = messages([{"role": "user", "content": as_text(query)}], "user")
    facts.documents = documents(_plain(child(run, "outputs").get("documents"), 2))
    return facts.retrieval()


def _embedding(facts: Facts, run: Json) -> Event:
    facts.take(run, _CALL)
    facts.take(run, {"input_tokens": ("prompt_tokens",)})
    return facts.model_call("embeddings")


_READERS: Mapping[str, Callable[[Facts, Json], Event] | None] = {
    "llm": _call,
    "tool": _tool,
    "retriever": _retrieval,
    "embedding": _embedding,
    **dict.fromkeys(("chain", "prompt", "parser")),
}
