"""What goes wrong in a simulation, and what only looks like it: each family plans one labelled incident."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import msgspec

from tocsin.model import Event, Message
from tocsin.simulator.conditions import Condition, Conditions
from tocsin.simulator.fleet import Agent, Application, Model, People, Person
from tocsin.simulator.session import Part, Session, pick
from tocsin.simulator.words import PROBES

Play = Callable[[Conditions], Iterator[Event]]


class Sign(msgspec.Struct, frozen=True):
    """An alert that speaks of an incident: its detector's type and its fields; * stands for any text."""

    detector: str
    entity: dict[str, str]


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """The truth about one incident; the first sign is the one that is meant to show it."""

    id: str
    family: str
    title: str
    start: float
    end: float
    signs: tuple[Sign, ...]
    must_find: bool
    benign: bool = False
    note: str = ""


class Surge(msgspec.Struct, frozen=True):
    """More sessions than usual for a while; an agent, where given, takes the extra ones."""

    application: str
    start: float
    end: float
    extra: float  # share of the usual sessions that come on top
    agent: Agent | None = None


class Planned(msgspec.Struct, frozen=True):
    """An incident and all that makes it happen."""

    incident: Incident
    plays: Sequence[Play] = ()
    conditions: Sequence[Condition] = ()
    surges: Sequence[Surge] = ()


class Stage(msgspec.Struct, frozen=True):
    """Where incidents are planned: the time that there is, and the people."""

    seed: int
    start: float
    duration: float
    people: Mapping[str, People]

    def at(self, part: float) -> float:
        """The time when this part of the simulation has passed."""
        return self.start + part * self.duration

    def last(self, seconds: float) -> float:
        """A length that fits a short simulation too."""
        return min(seconds, 0.06 * self.duration)

    def chance(self, name: str) -> random.Random:
        """Randomness of its own for each incident, so that one does not move another."""
        return random.Random(f"{self.seed}/{name}")


def questions(
    application: Application, model: Model, person: Person, times: Sequence[float], chance: random.Random
) -> list[Play]:
    """One templated question at each of these times, each in a session of its own."""
    part = Part(application, application.agents[0], model, person)
    return [partial(_question, part, time, chance.getrandbits(64)) for time in times]


def _question(part: Part, time: float, seed: int, conditions: Conditions) -> Iterator[Event]:
    chance = random.Random(seed)
    session = Session(part, chance, time, conditions)
    ask(session, pick(chance, PROBES))
    yield from session.call(Message("assistant", pick(chance, ("public", "internal", "unknown"))), "stop")


def ask(session: Session, text: str) -> None:
    session.facts["number"] = str(session.chance.randrange(1000, 100_000))
    session.say(Message("user", text.format_map(session.facts)))


def spread(start: float, length: float, gap: float, chance: random.Random) -> list[float]:
    times, time = [], start
    while (time := time + gap * chance.uniform(0.6, 1.4)) < start + length:
        times.append(time)
    return times


def stranger(user: str, api_key: str, chance: random.Random) -> Person:
    return Person(
        user=user,
        language="en",
        client_ip=f"203.0.113.{chance.randrange(1, 255)}",
        user_agent="http-client/0.27",
        api_key=api_key,
        think_seconds=5.0,
        sentences=1.0,
        patience=0.5,
    )
