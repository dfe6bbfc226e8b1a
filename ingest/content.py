"""What was said: messages, arguments, results and documents of one span, from wherever they stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from ingest import aliases, offered, readings, tools
from ingest import messages as parse
from ingest.draft import Draft, Span
from ingest.words import CONTENT_EVENTS
from tocsin.model import Document, Message, Role, ToolCall
from tocsin.settings import LimitSettings

_SPOKEN = ("_input", "_output", "_given", "_taken")
_NUMBERED = 512  # numbered messages of one span


class Content:
    """Fills the content fields of a draft, cut to the limits."""

    def __init__(self, limits: LimitSettings) -> None:
        self._limits = limits

    def fill(self, kind: str, span: Span, draft: Draft) -> None:
        if kind == "tool":
            self._execution(span, draft)
        elif kind == "retrieval":
            self._retrieval(draft)
        else:
            self._conversation(span, draft, generic=kind == "llm")
        if "_tools" in draft.raw:
            tools = offered.tool_definitions(draft.raw["_tools"])
            if tools:
                draft.fields["tool_definitions"] = tools

    def conversation(self, draft: Draft, inputs: list[Message], outputs: list[Message]) -> None:
        """Set input and output, the newest messages of each."""
        for name, said in (("input", inputs), ("output", outputs)):
            if said:
                if len(said) > self._limits.messages:
                    said = said[-self._limits.messages :]
                    draft.fields["truncated"] = True
                draft.fields[name] = self._cut(said, draft)
                draft.fields["content_available"] = True

    def _conversation(self, span: Span, draft: Draft, *, generic: bool) -> None:
        raw = draft.raw
        inputs = parse.messages(raw["_system"], "system") if "_system" in raw else []
        outputs: list[Message] = []
        if "_input" in raw:
            asked = parse.structure(raw["_input"])
            inputs += parse.messages(asked, "user")
            if isinstance(asked, list) and parse.compacted(asked):
                draft.fields["compacted"] = True
        if "_output" in raw:
            output = parse.structure(raw["_output"])
            outputs = parse.messages(output, "assistant")
            if _pieced(output):
                outputs = _whole(outputs)
            if "_finish" not in raw and isinstance(output, list):
                raw["_finish"] = parse.stated_finish(output)
            if "_more" in raw:
                outputs = _with_calls(outputs, parse.messages(raw["_more"], "assistant"))
        elif "_answer" in raw or "_calls" in raw:
            outputs = _answer(raw)
        if not inputs and not outputs and (span.events or "_events" in raw):
            inputs, outputs = from_events(_listed_events(raw) or span.events, raw)
        if generic and not inputs and "_given" in raw:
            inputs = parse.messages(raw["_given"], "user")
        if generic and not outputs and "_taken" in raw:
            outputs = parse.messages(raw["_taken"], "assistant")
        if any(_is_cut(raw.get(name)) for name in _SPOKEN):
            draft.fields["truncated"] = True
        self.conversation(draft, _once(inputs), outputs)

    def _execution(self, span: Span, draft: Draft) -> None:
        raw = draft.raw
        given = _first(raw, "_arguments", "_given", "_input", "_parameters_given")
        taken = _first(raw, "_result", "_taken", "_output")
        if given is raw.get("_parameters_given") and tools.is_schema(given):
            given = None
        if given is None and taken is None and span.events:
            inputs, outputs = from_events(span.events, raw)
            given = inputs[-1].text if inputs else None
            taken = outputs[-1].text if outputs else None
        self.tool(draft, given, taken)

    def tool(self, draft: Draft, given: Any, taken: Any) -> None:
        """Set what a tool was given and gave back, out of what a framework wrapped around them."""
        fields = draft.fields
        if _is_cut(given) or _is_cut(taken):
            fields["truncated"] = True
        if given is not None:
            fields["tool_arguments"] = self._text(tools.arguments(given), draft)
        if taken is not None:
            outcome = tools.outcome(taken)
            fields["tool_result"] = self._text(outcome.text, draft)
            if outcome.call_id:
                fields.setdefault("tool_call_id", outcome.call_id)
            if outcome.failed:
                fields.setdefault("error_type", "tool_error")
                fields.setdefault("error_message", outcome.text[: readings.IDENTIFIER])
        if given is not None or taken is not None:
            fields["content_available"] = True

    def _retrieval(self, draft: Draft) -> None:
        raw = draft.raw
        query = raw.get("_query", raw.get("_given"))
        if query is not None:
            text = parse.as_text(tools.unwrapped(query, "query", "input", "query_str", "question"))
            self.conversation(draft, [Message("user", text)], [])
        found = offered.documents(raw.get("_documents", raw.get("_taken")))
        if found:
            texts = [Document(each.id, each.score, self._text(each.text, draft)) for each in found]
            draft.fields["documents"] = tuple(texts)
            draft.fields["content_available"] = True

    def _cut(self, said: list[Message], draft: Draft) -> tuple[Message, ...]:
        limit = self._limits.text_characters
        if all(len(message.text) <= limit and not message.tool_calls for message in said):
            return tuple(said)
        return tuple([self._message(message, draft) for message in said])

    def _message(self, message: Message, draft: Draft) -> Message:
        calls = tuple([ToolCall(c.id, c.name, self._text(c.arguments, draft)) for c in message.tool_calls])
        return Message(
            message.role, self._text(message.text, draft), calls, message.tool_call_id, message.name
        )

    def _text(self, text: str, draft: Draft) -> str:
        if len(text) <= self._limits.text_characters:
            return text
        draft.fields["truncated"] = True
        return text[: self._limits.text_characters]


def from_events(
    events: Sequence[tuple[str, Any]], raw: dict[str, Any]
) -> tuple[list[Message], list[Message]]:
    """Messages that were recorded one by one, as span events or as log records."""
    inputs: list[Message] = []
    outputs: list[Message] = []
    for name, body in events:
        role = aliases.MESSAGE_EVENTS.get(name)
        if name in CONTENT_EVENTS:
            key, ingredient = CONTENT_EVENTS[name]
            said = body.get(key) if isinstance(body, dict) else None
            if ingredient == "_input":
                inputs += parse.messages(said, "user")
            else:
                outputs += parse.messages(said, "assistant")
        if role is None:
            if name in aliases.DETAIL_EVENTS and isinstance(body, dict):
                inputs += parse.messages(body.get("gen_ai.input.messages"), "user")
                outputs += parse.messages(body.get("gen_ai.output.messages"), "assistant")
            continue
        body = parse.structure(body)
        if not role:
            outputs += _choice(body, raw)
        elif isinstance(body, dict):
            inputs += parse.messages([{"role": role, **body}], as_role(role))
        else:
            inputs += parse.messages(body, as_role(role))
    return inputs, outputs


def _listed_events(raw: dict[str, Any]) -> list[tuple[str, Any]]:
    """The same in one attribute."""
    listed = parse.structure(raw.get("_events"))
    found = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return [
        (each["event.name"], each) for each in found[:_NUMBERED] if isinstance(each.get("event.name"), str)
    ]


def _choice(body: Any, raw: dict[str, Any]) -> list[Message]:
    if not isinstance(body, dict):
        return parse.messages(body, "assistant")
    if body.get("finish_reason"):
        raw.setdefault("_finish", body["finish_reason"])
    message = parse.structure(body.get("message", body))
    if isinstance(message, dict):
        calls = {key: body[key] for key in ("tool_calls",) if key in body and key not in message}
        return parse.messages([{"role": "assistant", **message, **calls}], "assistant")
    return parse.messages([{"role": "assistant", "content": message}], "assistant")


def as_role(word: str) -> Role:
    return aliases.ROLES.get(word, "user")


def _answer(raw: dict[str, Any]) -> list[Message]:
    content = raw.get("_answer")
    parts = parse.structure(content)
    if isinstance(parts, list) and all(isinstance(part, str) for part in parts):
        content = parts
    return parse.messages(
        [{"role": "assistant", "content": content, "tool_calls": raw.get("_calls")}], "assistant"
    )


def _pieced(said: Any) -> bool:
    """Whether these are the chunks of one streamed answer rather than several answers."""
    return (
        isinstance(said, list)
        and len(said) > 1
        and all(isinstance(each, dict) and each.keys() == {"role", "parts"} for each in said)
        and all(each["role"] == "model" for each in said)
    )


def _whole(pieces: list[Message]) -> list[Message]:
    text = "".join([piece.text for piece in pieces])
    return [Message("assistant", text, tuple([call for piece in pieces for call in piece.tool_calls]))]


def _is_cut(value: Any) -> bool:
    """Whether text that was JSON has lost its end to a limit on the length of attributes."""
    return isinstance(value, str) and value[:2] in _OPENINGS and value.rstrip()[-1:] not in "]}"


_OPENINGS = ('{"', "[{", '["')


def _with_calls(outputs: list[Message], numbered: list[Message]) -> list[Message]:
    """Tool calls that stand only among the numbered attributes join the answer."""
    calls = tuple([call for message in numbered for call in message.tool_calls])
    if not calls or not outputs or any(message.tool_calls for message in outputs):
        return outputs
    return [*outputs[:-1], replace(outputs[-1], tool_calls=calls)]


def _once(inputs: list[Message]) -> list[Message]:
    """Without the system instructions that an instrumentation gives a second time among the messages."""
    if len(inputs) > 1 and inputs[0].role == inputs[1].role == "system" and inputs[0] == inputs[1]:
        return inputs[1:]
    return inputs


def _first(raw: dict[str, Any], *names: str) -> Any:
    return next((raw[name] for name in names if name in raw), None)


def flattened(draft: Draft) -> None:
    """Numbered attributes become the ingredients that they are."""
    for prefix, flat in draft.indexed.items():
        target, numbered = aliases.INDEXED[prefix], unflatten(flat)
        if draft.raw.setdefault(target, numbered) is not numbered and target == "_output":
            draft.raw["_more"] = numbered


def unflatten(flat: dict[str, Any]) -> list[Any]:
    """`{"0.role": ..., "0.tool_calls.1.name": ...}` as the list of what was flattened."""
    root: dict[str, Any] = {}
    for key, value in flat.items():
        path = key.split(".")
        if len(path) > 12:
            continue
        place = root
        for step in path[:-1]:
            inner = place.setdefault(step, {})
            if not isinstance(inner, dict):
                break
            place = inner
        else:
            place[path[-1]] = value
    listed = _listed(root)
    return listed if isinstance(listed, list) else [listed]


def _listed(value: Any) -> Any:
    """Dicts whose keys are numbers become lists, in order of the numbers."""
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(item) for key, item in value.items()}
    if inner and all(key.isdecimal() and len(key) < 7 for key in inner):
        return [inner[key] for key in sorted(inner, key=int)[:_NUMBERED]]
    return inner
