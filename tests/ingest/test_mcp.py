"""MCP's requests and responses meet, whatever the proxy calls its connections."""

from __future__ import annotations

import random
from typing import Any

import pytest
from parts.assembled import events

from ingest.mcp import McpDecoder
from tocsin.model import Event, Reject
from tocsin.settings import LimitSettings

TRACE = "0af7651916cd43dd8448eb211c80319c"


def request(number: Any = 1, method: str = "tools/call", **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": {"name": "t", **params}}


def answer(number: Any = 1, text: str = "done", **result: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": text}]
    return {"jsonrpc": "2.0", "id": number, "result": {"content": content, **result}}


def refusal(number: Any = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": -32601, "message": "no such thing"}}


def read(document: Any) -> tuple[list[Event], int]:
    found = McpDecoder().read(document)
    assert not [item for item in found.items if isinstance(item, Reject)]
    return [item for item in found.items if isinstance(item, Event)], found.ignored


@pytest.mark.parametrize("turned", [False, True])
def test_request_and_response_are_one_event(turned: bool) -> None:
    pair = [request(arguments={"a": 1}), answer()]
    (event,) = events(reversed(pair) if turned else pair)
    assert (event.kind, event.tool_name, event.tool_arguments) == ("tool", "t", '{"a":1}')
    assert (event.tool_result, event.status, event.join, event.half) == ("done", "ok", "", "")


@pytest.mark.parametrize(
    ("method", "kind", "operation"),
    [
        ("tools/call", "tool", "execute_tool"),
        ("tools/list", "agent", "list_tools"),
        ("resources/read", "retrieval", "read_resource"),
        ("prompts/get", "retrieval", "get_prompt"),
        ("sampling/createMessage", "llm", "chat"),
    ],
)
def test_a_refused_request_is_what_was_asked_for(method: str, kind: str, operation: str) -> None:
    sender = "server_to_client" if method.startswith("sampling") else "client_to_server"
    back = "client_to_server" if method.startswith("sampling") else "server_to_client"
    asked = {"direction": sender, "message": request(method=method)}
    (event,) = events([asked, {"direction": back, "message": refusal()}])
    assert (event.kind, event.operation, event.status, event.error_type) == (
        kind,
        operation,
        "error",
        "-32601",
    )


def test_a_request_without_a_response_is_an_event_of_its_own() -> None:
    slow, quick = events([request(1), request(2), answer(2)], apart=3)
    assert sorted([slow.tool_result, quick.tool_result], key=str) == [None, "done"]


def test_a_refusal_of_something_unseen_is_no_execution() -> None:
    (event,) = events([refusal()])
    assert (event.kind, event.operation, event.status) == ("agent", "jsonrpc_error", "error")


@pytest.mark.parametrize(
    "document",
    [
        request(method="ping"),
        request(method="initialize", protocolVersion="2025-11-25"),
        request(method="server/discover"),
        {"jsonrpc": "2.0", "id": 1, "result": {}},
        {"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": "2025-11-25", "serverInfo": {}}},
        {"jsonrpc": "2.0", "id": 1, "result": {"resources": []}},
        {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"},
        {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "as a notification"}},
        {"jsonrpc": "2.0", "id": 1, "result": "text"},
    ],
)
def test_the_rest_of_the_protocol_is_known_and_ignored(document: dict[str, Any]) -> None:
    assert read(document) == ([], 1)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"connection_id": "a"}, {"connection_id": "b"}),
        ({"mcp_session_id": "a"}, {"mcp_session_id": "b"}),
        ({"headers": {"Mcp-Session-Id": "a"}}, {"headers": {"Mcp-Session-Id": "b"}}),
        ({"server": "a"}, {"server": "b"}),
        ({"server": "s", "pid": 1}, {"server": "s", "pid": 2}),
        ({"server": "s", "kubernetes": {"pod_name": "a"}}, {"server": "s", "kubernetes": {"pod_name": "b"}}),
    ],
)
def test_ids_are_told_apart_by_their_connection(first: dict[str, Any], second: dict[str, Any]) -> None:
    calls = [
        {**first, "message": request(arguments={"of": "first"})},
        {**second, "message": request(arguments={"of": "second"})},
        {**second, "message": answer(text="to second")},
        {**first, "message": answer(text="to first")},
    ]
    found = {event.tool_arguments: event.tool_result for event in events(calls)}
    assert found == {'{"of":"first"}': "to first", '{"of":"second"}': "to second"}


def test_both_sides_number_their_own_requests() -> None:
    found = events(
        [
            request(1),
            request(1, "sampling/createMessage", messages=[]),
            {"jsonrpc": "2.0", "id": 1, "result": {"role": "assistant", "content": "x", "model": "m"}},
            answer(1),
        ]
    )
    assert sorted((event.kind, event.response_model, event.tool_result) for event in found) == [
        ("llm", "m", None),
        ("tool", "", "done"),
    ]


def test_a_number_and_its_text_are_different_ids() -> None:
    assert len(events([request(1), answer("1")])) == 2


def test_a_session_goes_before_a_trace_and_a_trace_before_a_label() -> None:
    traced = request(_meta={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    sessions = [
        read(envelope)[0][0].session
        for envelope in (
            {"mcp_session_id": "s", "server": "w", "message": traced},
            {"server": "w", "message": traced},
            {"server": "w", "message": request()},
            request(),
        )
    ]
    assert sessions == ["s", TRACE, "w", ""]


def test_the_digest_of_a_tool_changes_with_its_meaning_and_not_with_its_spelling() -> None:
    def digest(tool: dict[str, Any]) -> str:
        (event,), _ = read({"jsonrpc": "2.0", "id": 1, "result": {"tools": [tool]}})
        return event.tool_definitions[0].digest

    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    tool = {"name": "t", "description": "d", "inputSchema": schema}
    same = {"inputSchema": dict(reversed(schema.items())), "description": "d", "name": "t", "title": "T"}
    assert digest(tool) == digest(same)
    changed = [
        {**tool, "description": "D"},
        {**tool, "inputSchema": {"type": "object"}},
        {**tool, "name": "u"},
    ]
    assert len({digest(each) for each in (tool, *changed)}) == 4


def test_a_batch_is_bounded() -> None:
    decoder = McpDecoder(LimitSettings(events_per_record=3))
    found = decoder.read({"message": [request(number) for number in range(9)]})
    assert len(found.items) == 4
    assert isinstance(found.items[-1], Reject) and found.items[-1].reason == "too_many"


def test_batches_cut_otherwise_change_nothing() -> None:
    chance = random.Random(7)
    calls = [
        {"server": f"s{n % 3}", "message": message}
        for n in range(60)
        for message in (request(n // 3), answer(n // 3))
    ]
    chance.shuffle(calls)
    assert events(calls, alone=True) == events(calls, alone=False)


@pytest.mark.parametrize(
    "document",
    [
        {"message": "no JSON"},
        {"message": '{"jsonrpc":"2.0"'},
        {"message": {"text": '{"jsonrpc":"2.0","id":1,"method":"m"}'}},
        {"jsonrpc": "1.0", "id": 1, "method": "m"},
        {"jsonrpc": "2.0"},
        {"request": {"model": "m"}, "response": {"id": "x"}},
    ],
)
def test_other_documents_are_not_taken(document: dict[str, Any]) -> None:
    assert not McpDecoder.fits(document)


@pytest.mark.parametrize("odd", [None, 7, "x", [], {}, [[]], {"a": None}, True])
def test_odd_members_become_no_exception(odd: Any) -> None:
    for message in (
        {"jsonrpc": "2.0", "id": odd, "method": "tools/call", "params": odd},
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": odd, "arguments": odd, "_meta": odd},
        },
        {"jsonrpc": "2.0", "id": odd, "result": {"content": odd, "isError": odd}},
        {"jsonrpc": "2.0", "id": 1, "result": {"content": [odd], "_meta": odd}},
        {"jsonrpc": "2.0", "id": 1, "result": {"tools": odd}},
        {"jsonrpc": "2.0", "id": 1, "result": {"contents": [odd]}},
        {"jsonrpc": "2.0", "id": 1, "error": odd},
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "sampling/createMessage",
            "params": {"messages": odd, "modelPreferences": odd},
        },
    ):
        found = McpDecoder().safely({"server": odd, "time": odd, "message": message})
        assert all(isinstance(item, Event) for item in found.items)
