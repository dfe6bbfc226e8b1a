"""Who an event belongs to, as a key that says what kind of name it is."""

from __future__ import annotations

from tocsin.model import Event


def principal(event: Event) -> str | None:
    """User, else API key, else agent, else session; None where the event names nobody."""
    if event.user:
        return "user:" + event.user
    if event.api_key:
        return "key:" + event.api_key
    if event.agent:
        return "agent:" + event.agent
    return "session:" + event.session if event.session else None


def conversation(event: Event) -> str | None:
    """Session, else the principal."""
    return "session:" + event.session if event.session else principal(event)


def application(event: Event) -> str:
    """The application; `default` where the event names none."""
    return "application:" + (event.application or "default")


def caller(event: Event) -> str:
    """Agent id, else agent, else application: who calls a tool."""
    if event.agent_id:
        return "agent:" + event.agent_id
    return "agent:" + event.agent if event.agent else application(event)


def answering(event: Event) -> str | None:
    """The caller whose model call or agent step may hold an answer; None for other kinds."""
    return caller(event) if event.kind in ("llm", "agent") else None


def model(event: Event) -> str | None:
    """Application and model; None where the event names no model."""
    name = event.model or event.response_model
    return f"{event.application}/{name}" if name else None


def printable(name: str) -> str:
    """A name as far as it looks like one: whoever runs a tool server chooses it."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-.:/") else "?" for c in name[:64])
