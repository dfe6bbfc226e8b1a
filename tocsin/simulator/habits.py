"""What usually happens in a session."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.model import Event, Message, ToolCall
from tocsin.simulator.session import Session, facts, geometric, pick
from tocsin.simulator.words import FOLLOW_UPS, OPENERS, OUT_OF_BOUNDS


def chat(session: Session) -> Iterator[Event]:
    """An ordinary session of a person."""
    application, _, _, person = session.part
    chance = session.chance
    openers = OPENERS[application.name]
    text = pick(chance, openers.get(person.language) or openers["en"])
    for _ in range(1 + geometric(chance, application.turns - 1.0)):
        if application.name == "support" and chance.random() < 0.004:
            session.say(Message("user", pick(chance, OUT_OF_BOUNDS)))
            yield from session.refuse()
        else:
            yield from session.turn(text.format_map(session.facts))
        if application.retrieves and chance.random() < 0.1:
            yield session.evaluate()
        session.think()
        text = pick(chance, FOLLOW_UPS.get(person.language) or FOLLOW_UPS["en"])


def digest(session: Session, documents: int | None = None, pause_seconds: float = 4.0) -> Iterator[Event]:
    """A job without a person: document after document, each read for itself."""
    chance = session.chance
    (fetch, _), (store, _) = session.part.agent.tools
    for _ in range(
        1 + geometric(chance, session.part.application.turns - 1.0) if documents is None else documents
    ):
        session.begin()
        session.facts = facts(chance)
        text = pick(chance, OPENERS["digest"]["en"]).format_map(session.facts)
        yield session.run(fetch, ToolCall("", fetch.name, fetch.arguments.format_map(session.facts)), text)
        session.say(Message("user", text))
        yield from session.answer()
        yield session.run(store, ToolCall("", store.name, store.arguments.format_map(session.facts)))
        session.time += pause_seconds * chance.lognormvariate(0.0, 0.4)
