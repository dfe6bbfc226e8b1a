"""What really happened in a recording, matched with the events that came of it, fact by fact."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ingest.aliases import FINISH
from tocsin.cuts import MESSAGE_CHARACTERS
from tocsin.model import Event, Message

Truth = dict[str, Any]

GROUPS = (
    "models", "tokens", "finish", "texts", "tool names", "arguments", "results", "session", "user", "error",
    "ids",
)  # fmt: skip
_GROUP_OF = {
    "request_model": "models",
    "response_model": "models",
    "input_tokens": "tokens",
    "input_tokens_total": "tokens",
    "output_tokens": "tokens",
    "cached_tokens": "tokens",
    "finish_reason": "finish",
    "user_text": "texts",
    "system_text": "texts",
    "assistant_text": "texts",
    "tool_calls.name": "tool names",
    "tool_name": "tool names",
    "tool_calls.arguments": "arguments",
    "tool_arguments": "arguments",
    "tool_results_in.result": "results",
    "tool_result": "results",
    "session_id": "session",
    "conversation_id": "session",
    "user_id": "user",
    "error_message": "error",
    "tool_error": "error",
}  # what is not named here is an id


class Fact(NamedTuple):
    """Something that the telemetry carries about a call."""

    name: str
    expected: Any

    @property
    def group(self) -> str:
        holder, _, rest = self.name.partition("[")
        plain = f"{holder}.{rest.rpartition('.')[2]}" if rest else holder
        return _GROUP_OF.get(plain, "ids")


class Happened(NamedTuple):
    """A call or an execution, with the facts that were told about it: none, if it left no trace."""

    kind: str  # llm or tool
    truth: Truth
    facts: tuple[Fact, ...]
    known: tuple[Fact, ...]  # by which it could be told if it left a trace after all


class Wrong(NamedTuple):
    """A fact that was told and that no event tells."""

    scenario: str
    fact: str
    expected: str
    event: str  # id of the event that was looked at; "" where the call itself is missing


class Counted(NamedTuple):
    """Of one kind: what was expected, what was found, and events that stand for nothing real."""

    expected: int
    found: int
    extra: int

    @property
    def exact(self) -> bool:
        return self.expected == self.found and not self.extra


class Score(NamedTuple):
    """Of one recording in one form."""

    calls: Counted
    tools: Counted
    told: Counter[str]  # by group
    right: Counter[str]
    wrong: tuple[Wrong, ...]

    @property
    def share(self) -> float:
        """Of the facts told, those that are right; 1.0 where nothing was told."""
        return self.right.total() / self.told.total() if self.told else 1.0


def expected(truth: Truth, *, otlp: bool, raw: str) -> list[Happened]:
    """The calls and executions, with the facts that the telemetry carries.

    For tool executions of formats other than OTLP nobody wrote down what is carried: it is what
    stands in `raw`, the text of the records.
    """
    found: list[Happened] = []
    for call in truth["llm_calls"]:
        told = call if otlp else call | (call.get("emitted_jsonl") or {})
        found.append(_happened("llm", told, _of_call))
    for tool in (*truth["tool_executions"], *_refused(truth)) if otlp else _executions(truth):
        told = tool if otlp else tool | {"emitted": _carried(tool, raw)}
        found.append(_happened("tool", told, _of_tool))
    return found


def _executions(truth: Truth) -> Sequence[Truth]:
    """An MCP session is told whole: each request for a tool is one, also where it was refused."""
    if "mcp" in truth:
        return [_exchanged(each) for each in _tool_requests(truth)]
    executions: Sequence[Truth] = truth["tool_executions"]
    return executions


def _refused(truth: Truth) -> list[Truth]:
    """Requests over MCP that never reached a tool leave spans all the same."""
    ran = [tool["arguments"] for tool in truth["tool_executions"]]
    requests = [each for each in _tool_requests(truth) if each["arguments"] not in ran]
    return [_exchanged(each) | {"emitted": {"tool_name": ["mcp"]}} for each in requests]


def _tool_requests(truth: Truth) -> list[Truth]:
    exchanges = truth.get("mcp", {}).get("exchanges", ())
    return [each for each in exchanges if each.get("method") == "tools/call"]


def _exchanged(exchange: Truth) -> Truth:
    told: Truth = {"scenario": f"exchange {exchange['id']}", "name": exchange["tool"]}
    told["arguments"] = exchange["arguments"]
    if exchange["outcome"] == "ok":
        return told | {"result": exchange["result"]["result"]}
    return told | {"error": next(iter(exchange["outcome"].values()))}


def _carried(tool: Truth, raw: str) -> Truth:
    """The facts of an execution that stand in the records: nothing, where its outcome does not."""
    outcome = tool.get("result") or tool.get("error") or ""
    escaped = json.dumps(outcome)[1:-1]
    if not any(text in raw for text in (outcome, escaped, json.dumps(escaped)[1:-1])):
        return {}
    names = ("tool_name", "tool_arguments", "tool_error" if tool.get("error") else "tool_result")
    return dict.fromkeys(names, "raw")


def _happened(kind: str, truth: Truth, value: Callable[[str, Truth], Any]) -> Happened:
    emitted = truth.get("emitted") or {}
    facts = _facts([name for name, carried in emitted.items() if carried is not None], truth, value)
    sort = "failed" if kind == "llm" and truth.get("error") else kind
    return Happened(kind, truth, facts, facts or _facts(_TELLING[sort], truth, value))


_TELLING = {
    "failed": ("error_message",),
    "llm": ("request_model", "input_tokens", "output_tokens", "user_text"),
    "tool": ("tool_name", "tool_arguments", "tool_result", "tool_error"),
}


def _facts(names: Iterable[str], truth: Truth, value: Callable[[str, Truth], Any]) -> tuple[Fact, ...]:
    return tuple([Fact(name, told) for name in names if (told := value(name, truth)) is not None])


def _of_call(name: str, call: Truth) -> Any:
    """What really was, for a fact's name such as `tool_calls[0].name`."""
    if name == "error_message":
        return (call.get("error") or {}).get("message")
    if name in ("input_tokens", "input_tokens_total"):
        return _input_tokens(call)
    if name == "finish_reason":
        words = (call.get(name), *(call.get("finish_reason_as_emitted") or ()))
        return {FINISH.get(word.lower(), word.lower()) for word in words if isinstance(word, str)} or None
    if "[" in name:
        holder, _, rest = name.partition("[")
        number, _, key = rest.partition("].")
        listed = call.get(holder) or []
        return listed[int(number)].get(key) if int(number) < len(listed) else None
    return call.get(name)


def _input_tokens(call: Truth) -> Any:
    """Cached tokens included: Anthropic counts them apart. Where they were not told, both are right."""
    own = call.get("input_tokens")
    if own is None or call["provider"] != "anthropic":
        return own
    total = own + (call.get("cached_tokens") or 0) + (call.get("cache_creation_tokens") or 0)
    emitted = call.get("emitted") or {}
    return total if emitted.get("cached_tokens") or emitted.get("input_tokens_total") else {own, total}


def _of_tool(name: str, tool: Truth) -> Any:
    return tool.get(name.removeprefix("tool_"))


def compare(happened: Sequence[Happened], events: Sequence[Event]) -> Score:
    """Each call with the event that stands for it, at most one; what was told is counted by group."""
    told: Counter[str] = Counter()
    right: Counter[str] = Counter()
    wrong: list[Wrong] = []
    counted: dict[str, Counted] = {}
    for kind in ("llm", "tool"):
        real = [each for each in happened if each.kind == kind]
        ours = [event for event in events if event.kind == kind]
        pairs = _matched(real, ours)
        found = sum(bool(real[number].facts) for number in pairs)
        counted[kind] = Counted(sum(bool(each.facts) for each in real), found, len(ours) - len(pairs))
        for number, each in enumerate(real):
            event = pairs.get(number) or next((one for one in ours if _same_span(each.truth, one)), None)
            for fact in each.facts:
                told[fact.group] += 1
                if event is not None and tells(event, fact):
                    right[fact.group] += 1
                    continue
                scenario = str(each.truth.get("scenario"))
                wrong.append(Wrong(scenario, fact.name, str(fact.expected), event.id if event else ""))
    return Score(counted["llm"], counted["tool"], told, right, tuple(wrong))


def _matched(real: Sequence[Happened], events: Sequence[Event]) -> dict[int, Event]:
    """Number of the call to its event: the surest pairs first."""
    pairs = [
        (-likeness, number, at)
        for number, each in enumerate(real)
        for at, event in enumerate(events)
        if (likeness := _likeness(each, event))
    ]
    found: dict[int, Event] = {}
    taken: set[int] = set()
    for _, number, at in sorted(pairs):
        if number not in found and at not in taken:
            found[number] = events[at]
            taken.add(at)
    return found


def _likeness(each: Happened, event: Event) -> float:
    """Zero where they cannot be one; the same span or response counts more than any fact."""
    truth = each.truth
    answered = truth.get("response_id") is not None and event.response_id == truth["response_id"]
    span = truth.get("span") or {}
    known = 100 * answered + 50 * _same_span(truth, event)
    if known:
        return known + sum(tells(event, fact) for fact in each.known)
    apart = span and event.span_id and event.trace_id not in ("", span["trace_id"])
    if apart or (each.kind == "tool" and event.tool_name != truth["name"]):
        return 0
    facts = sum(tells(event, fact) for fact in each.known)
    return facts if facts * 2 >= len(each.known) else 0


def _same_span(truth: Truth, event: Event) -> bool:
    """Its own span, or one that repeats it and that it may have been joined with."""
    span = truth.get("span") or {}
    if not span or event.trace_id != span["trace_id"]:
        return False
    others = (*truth.get("spans_also_carrying_this_usage", ()), *truth.get("spans_also_naming_this_tool", ()))
    return event.span_id in {span["span_id"], *(other["span_id"] for other in others)}


def tells(event: Event, fact: Fact) -> bool:
    """Whether an event says what was."""
    name, told = fact
    if name in _PLAIN:
        value = getattr(event, _PLAIN[name])
        return value in told if isinstance(told, set) else bool(value == told)
    if name == "error_message":
        return told[:MESSAGE_CHARACTERS] in event.error_message
    if name == "tool_error":
        return told[:MESSAGE_CHARACTERS] in event.error_message or told in (event.tool_result or "")
    if name == "tool_arguments":
        return _same_json(event.tool_arguments or "", told)
    if name == "tool_result":
        return _text(told) in (event.tool_result or "")
    return _said(event, fact)


_PLAIN = {
    "request_model": "model",
    "response_model": "response_model",
    "response_id": "response_id",
    "input_tokens": "input_tokens",
    "input_tokens_total": "input_tokens",
    "output_tokens": "output_tokens",
    "cached_tokens": "cache_read_tokens",
    "finish_reason": "finish_reason",
    "session_id": "session",
    "conversation_id": "session",
    "user_id": "user",
    "stream": "stream",
    "tool_name": "tool_name",
}


def _said(event: Event, fact: Fact) -> bool:
    """Whether the messages hold a text, a tool call, a tool's result."""
    name, told = fact
    if name.startswith("tool_calls"):
        calls = [call for message in event.output for call in message.tool_calls]
        field = name.rpartition(".")[2]
        if field == "arguments":
            return any(_same_json(call.arguments, told) for call in calls)
        return any(getattr(call, field) == told for call in calls)
    if name.startswith("tool_results_in"):
        return _spoken(event.input, ("tool", "user"), told)
    if name == "assistant_text":
        return _spoken(event.output, ("assistant",), told)
    return _spoken(event.input, ("system",) if name == "system_text" else ("user",), told)


def _spoken(messages: Sequence[Message], roles: tuple[str, ...], told: Any) -> bool:
    return _text(told) in "".join(message.text for message in messages if message.role in roles)


def _text(told: Any) -> str:
    return told if isinstance(told, str) else json.dumps(told)


def _same_json(text: str, told: Any) -> bool:
    try:
        return bool(json.loads(text) == (json.loads(told) if isinstance(told, str) else told))
    except ValueError:
        return False
