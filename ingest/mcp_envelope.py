"""What proxies put around JSON-RPC messages: where the message stands, whose connection it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from ingest.facts import Facts
from ingest.flat_shapes import at
from ingest.leaf import Json
from ingest.lenient import Unreadable, loads
from ingest.surroundings import ATTRIBUTES, PREFIX

CARRIERS = (
    "message", "msg", "payload", "data", "body", "rpc", "jsonrpc", "json_rpc", "mcp", "raw", "line", "log",
    "frame", "content", "event",
)  # fmt: skip
PAIRS = (("request", "response"), ("req", "res"), ("input", "output"))
_OWN = frozenset(("jsonrpc", "id", "method", "params", "result", "error", *CARRIERS))
MARKS = frozenset(("jsonrpc", *CARRIERS, *(name for pair in PAIRS for name in pair)))
_PEEK = '"jsonrpc"'

# Names in an envelope, best first; a name may also be a path through nested objects.
_SESSIONS = (
    "mcp_session_id", "mcpSessionId", "mcp-session-id", "Mcp-Session-Id", "mcp.session.id",
    "headers.mcp-session-id", "headers.Mcp-Session-Id", "request_headers.mcp-session-id", "session_id",
    "sessionId", "session.id", "session",
)  # fmt: skip
_CONNECTIONS = (
    "connection_id", "connectionId", "connection.id", "connection", "conn_id", "connId", "stream_id",
    "channel_id", "channel",
)  # fmt: skip
_SERVERS = (
    "mcp_server_name", "mcp_server", "mcpServer", "mcp.server.name", "mcp.server", "server_name",
    "serverName", "server.name", "server_id", "server", "upstream", "backend", "target",
)  # fmt: skip
_PLACES = (
    ("client_id", "clientId", "client_name", "clientName", "client.name", "client", "peer"),
    ("pid", "process_id", "processId", "process.pid"),
    ("host.name", "hostname", "host", "container_id", "kubernetes.pod_name"),
    ("file", "log.file.path", "source"),
)
FIELDS: Mapping[str, tuple[str, ...]] = {
    "time": ("timestamp", "time", "ts", "@timestamp", "timestamp_ms", "date", "start_time"),
    "service": ("service.name", "service_name", "service", "application", "app"),
    "environment": ("environment", "env", "deployment.environment"),
    "user": ("user_id", "userId", "user.id", "user", "subject", "sub", "principal", "username"),
    "client_ip": ("client_ip", "clientIp", "client.ip", "client.address", "remote_addr", "remote_address"),
    "user_agent": ("user_agent", "userAgent", "headers.user-agent"),
    "duration_ms": ("duration_ms", "durationMs", "latency_ms", "elapsed_ms"),
    "http_status": ("http_status", "status_code", "statusCode"),
    "agent": ("agent.name", "agent_name", "agentName", "client_name", "clientName", "client.name"),
    "trace_id": ("trace_id", "traceId", "trace.id"),
    "parent_span_id": ("span_id", "spanId", "span.id"),
}


def _wanted() -> dict[str, list[tuple[str, int, str]]]:
    """Each key that an envelope may have, with (what it tells, rank, the path from there on)."""
    rows = [*FIELDS.items(), ("_connection", _CONNECTIONS), ("_session", _SESSIONS), ("_server", _SERVERS)]
    rows += [(f"_place{number}", names) for number, names in enumerate(_PLACES)]
    found: dict[str, list[tuple[str, int, str]]] = {}
    for what, names in rows:
        for rank, name in enumerate(names):
            found.setdefault(name, []).append((what, rank, ""))
            key, dot, rest = name.partition(".")
            if dot:
                found.setdefault(key, []).append((what, rank, rest))
    return found


_WANTED = _wanted()


class Opened(NamedTuple):
    """The messages in a record."""

    messages: Sequence[Json]


def opened(document: Json) -> Opened | None:
    """The JSON-RPC messages that a document is or carries; None: none."""
    if document.get("jsonrpc") == "2.0":
        return Opened((document,)) if _is_message(document) else None
    for pair in PAIRS:
        both = [found for name in pair if name in document for found in _messages(document[name])]
        if both:
            return Opened(both)
    for name in CARRIERS:
        found = _messages(document[name]) if name in document else ()
        if found:
            return Opened(found)
    return None


def _messages(value: Any) -> Sequence[Json]:
    """The messages that a member of an envelope is: one, a batch of them, or either as JSON text."""
    if isinstance(value, str):
        if value.lstrip()[:1] not in ("{", "[") or _PEEK not in value:
            return ()
        try:
            value = loads(value.encode("utf-8", "replace"))
        except Unreadable:
            return ()
    if isinstance(value, dict):
        return (value,) if value.get("jsonrpc") == "2.0" and _is_message(value) else ()
    if isinstance(value, list) and value and isinstance(value[0], dict) and value[0].get("jsonrpc") == "2.0":
        return [message for message in value if isinstance(message, dict)]
    return ()


def _is_message(value: Json) -> bool:
    return "method" in value or "result" in value or "error" in value


def circumstances(facts: Facts, envelope: Json) -> str:
    """Fill who, where and when; returns a label that both halves of an exchange have in common.

    The id of a connection is the best one, a session's the second; else what is known of the server
    and of the place where the line was written. Bare lines have none: then the source is all there is.
    """
    said = _said(envelope)
    for field in FIELDS:
        if field in said:
            facts.put(field, *said[field])
    session, server = _word(said, "_session"), _word(said, "_server")
    facts.put("session", session)
    facts.put("tool_server", server)
    facts.fields["application"] = facts.fields.get("service", "default")  # a response names no agent
    for name, value in islice(envelope.items(), ATTRIBUTES):
        if name not in _WANTED and name not in _OWN:
            facts.note(PREFIX + name, value)
    places = [place for number in range(len(_PLACES)) if (place := _word(said, f"_place{number}"))]
    return _word(said, "_connection") or session or "|".join([server, *places]).strip("|")


def _said(envelope: Json) -> dict[str, list[Any]]:
    """What an envelope tells, each with its values, best first."""
    ranked: dict[str, list[tuple[int, Any]]] = {}
    for key in envelope:
        for what, rank, path in _WANTED.get(key, ()):
            value = at(envelope[key], path) if path else envelope[key]
            if value is not None:
                ranked.setdefault(what, []).append((rank, value))
    return {what: [value for _, value in sorted(found, key=_rank)] for what, found in ranked.items()}


def _rank(ranked: tuple[int, Any]) -> int:
    return ranked[0]


def sender(envelope: Json) -> str:
    """The side that a message came from, where the proxy says so: client, server or ""."""
    for name in ("direction", "dir", "flow", "sender", "from"):
        word = envelope.get(name)
        side = word.strip().lower()[:6] if isinstance(word, str) else ""
        if side in ("client", "server"):
            return side
        if side[:3] in ("c2s", "c->"):
            return "client"
        if side[:3] in ("s2c", "s->"):
            return "server"
    return ""


def _word(said: Mapping[str, list[Any]], what: str) -> str:
    for value in said.get(what, ()):
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return str(value)[:256]
    return ""
