"""Tool executions that leave no span: seen in the messages of model calls, as a call and its result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import force_setattr

from tocsin.history import SIZE, Digester, Seen
from tocsin.model import Event, Message, ToolCall
from tocsin.report import TOLD, unique

SOURCE = {"tocsin.told_by": "messages"}
HANDOFFS = (
    "transfer_to_",
    "transfer_back_to_",
    "handoff_to_",
)  # agents call one another as if they were tools
ARGUMENTS = 4096  # characters kept of a call's arguments until its result comes
FAILURES = (
    *(
        "error:",
        "error ",
        "error\n",
        "errors:",
        "exception:",
        "traceback (most recent call last)",
        "tool error",
    ),
    *(
        "an error occurred",
        "toolexception",
        "failed:",
        "failed to ",
        "execution failed",
        "tool execution failed",
    ),
)
_FAILED = ("is_error", "isError")  # flags of results that are objects
_WHO = (
    *("tenant", "application", "service", "service_version", "environment", "agent", "agent_id", "session"),
    *("user", "api_key", "client_ip", "user_agent", "trace_id", "parent_span_id"),
    *("source", "source_partition", "source_offset", "source_index", "source_format"),
    *("log_id", "log_partition", "backfill", "time", "original_time", "truncated"),
)
who = attrgetter(*_WHO)  # of a model call, and so of the executions that it tells of
_decode = msgspec.json.Decoder().decode


class Told(NamedTuple):
    """An execution that a result in the messages of a model call tells of. Its text is raw.

    It is named by its call's id where that is unique, else by everything said up to its result; and by its
    conversation, call and result. Whoever knows one of the names knows the execution.
    """

    names: tuple[str, ...]
    who: tuple[Any, ...]  # of the model call
    result: Message
    tool: str
    call: ToolCall
    identity: str  # the call's id, where it is unique

    def seen(self, identity: str, digester: Digester) -> Seen:
        """The event that it is, under this id."""
        arguments = self.call.arguments
        digest = digester.identity(plain(arguments)) if arguments else ""
        return Seen(_event(self, identity), arguments=digest)


def executions(seen: Seen, digester: Digester) -> Iterator[Told]:
    """What the new messages of a model call tell of, in their order."""
    inputs = seen.event.input
    results = [at for at in seen.new_input if inputs[at].role == "tool"]
    whose = who(seen.event) if results else ()
    for at in results:
        message = inputs[at]
        if not (message.tool_call_id or message.name):
            continue
        call = _call(message, inputs[:at])
        tool = call.name or message.name
        if not tool.startswith(HANDOFFS):
            identity = message.tool_call_id if unique(message.tool_call_id, tool) else ""
            names = (
                (digester.identity(f"call\0{identity}"),) if identity else _names(seen, at, call, digester)
            )
            yield Told(names, whose, message, tool, call, identity)


def mark(seen: Iterable[Seen], digester: Digester) -> None:
    """Note the digests of the arguments of tools' own events."""
    tools = [one for one in seen if one.event.kind == "tool" and one.event.tool_arguments]
    spelled = [plain(one.event.tool_arguments or "") for one in tools]
    for one, digest in zip(tools, digester.identities(spelled), strict=True):
        force_setattr(one, "arguments", digest)


def _call(result: Message, earlier: tuple[Message, ...]) -> ToolCall:
    """The call that a result answers; without ids, results of a tool come in the order of its calls."""
    identity = result.tool_call_id
    if identity:
        calls = (call for message in reversed(earlier) for call in reversed(message.tool_calls))
        return next((call for call in calls if call.id == identity), ToolCall(identity))
    before = 0
    for message in reversed(earlier):
        found = [call for call in message.tool_calls if call.name == result.name]
        before += message.role == "tool" and message.name == result.name
        if found:
            return found[min(before, len(found) - 1)]
    return ToolCall()


def _names(seen: Seen, at: int, call: ToolCall, digester: Digester) -> tuple[str, ...]:
    """Of an execution whose call's id, if it has one, is a mere number."""
    event, identity = seen.event, seen.event.input[at].tool_call_id
    place = event.session or event.trace_id
    said = digester.identity(f"said\0{seen.digests[: (at + 1) * SIZE]}")
    if not place:
        return (said,)
    own = seen.digests[at * SIZE : (at + 1) * SIZE]
    before = seen.digests.count(own, 0, at * SIZE)
    text = f"result\0{place}\0{identity}\0{call.name}\0{call.arguments}\0{own}\0{before}"
    return said, digester.identity(text)


def _event(told: Told, identity: str) -> Event:
    server, name = _parted(told.tool)
    failed = has_failed(told.result.text)
    return Event(
        id=identity,
        kind="tool",
        operation="execute_tool",
        tool_name=name,
        tool_server=server,
        tool_call_id=told.result.tool_call_id,
        tool_arguments=told.call.arguments or None,
        tool_result=told.result.text,
        status="error" if failed else "ok",
        error_type="tool_error" if failed else "",
        content_available=True,
        join=told.names[0],
        half=TOLD,
        attributes=SOURCE.copy(),
        **dict(zip(_WHO, told.who, strict=True)),
    )


def has_failed(result: str) -> bool:
    """Whether a result says that the tool failed: by how it begins, or in a field of its object."""
    head = result[:60].lstrip()
    if head.lower().startswith(FAILURES):
        return True
    if not head.startswith("{"):
        return False
    found = _object(result)
    return (
        any(found.get(flag) is True for flag in _FAILED)
        or bool(found.get("error"))
        or found.get("status") == "error"
    )


def plain(arguments: str) -> str:
    """Arguments in one spelling; of a single one its value alone, as some producers give it."""
    found: Mapping[str, Any] = _object(arguments)
    if not found:
        return arguments.strip()
    if len(found) == 1:
        (value,) = found.values()
        if isinstance(value, str):
            return value.strip()
    return msgspec.json.encode(found, order="sorted").decode("utf-8", "replace")


def _object(text: str) -> dict[str, Any]:
    try:
        found = _decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return {}
    return found if isinstance(found, dict) else {}


def lengths(event: Event) -> list[int]:
    """Characters of the arguments of an answer's calls, before they are redacted."""
    return [len(call.arguments) for message in event.output for call in message.tool_calls]


def asked(event: Event) -> Iterator[tuple[str, ToolCall]]:
    """The calls of an answer, each with the name under which its result will be looked for."""
    for message in event.output:
        for call in message.tool_calls:
            yield call_key(event, call.id, call.name), call


def call_key(event: Event, identity: str, name: str) -> str:
    """A call's id, within its conversation where it is no more than a number."""
    return identity if unique(identity, name) else f"{event.session or event.trace_id}\0{identity}"


def fill(event: Event, name: str, arguments: str) -> None:
    """An execution whose call stood in an earlier event."""
    server, name = _parted(name)
    force_setattr(event, "tool_name", name)
    force_setattr(event, "tool_server", server)
    force_setattr(event, "tool_arguments", arguments or None)
    if len(arguments) >= ARGUMENTS:
        force_setattr(event, "truncated", True)


def _parted(name: str) -> tuple[str, str]:
    """`mcp__server__tool` as server and tool."""
    if name.startswith("mcp__") and name.count("__") >= 2:
        _, server, tool = name.split("__", 2)
        return server, tool
    return "", name
