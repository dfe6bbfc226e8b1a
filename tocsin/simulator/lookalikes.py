"""What only looks like an attack; an alert about one of these is a false alert."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial

import msgspec

from tocsin.model import Event
from tocsin.simulator import fleet
from tocsin.simulator.conditions import Condition, Conditions
from tocsin.simulator.habits import digest
from tocsin.simulator.incidents import Incident, Planned, Sign, Stage, Surge
from tocsin.simulator.session import Part, Session
from tocsin.simulator.words import BLOB, SECURITY_TALK


def batch_job(stage: Stage) -> Planned:
    """Six times a day's documents are summarised in one go, under a key of their own."""
    chance = stage.chance("batch_job")
    person = msgspec.structs.replace(stage.people["digest"].number(0), api_key="key-digest-batch")
    part = Part(fleet.DIGEST, fleet.DIGEST_AGENT, fleet.OPEN, person)

    documents = min(240, int(stage.duration / 6 / 3.0))

    def play(start: float, seed: int, conditions: Conditions) -> Iterator[Event]:
        session = Session(part, random.Random(seed), start, conditions)
        return digest(session, documents=documents, pause_seconds=0.8)

    starts = [stage.at((run + 0.2) / 6) for run in range(6)]
    plays = [partial(play, start, chance.getrandbits(64)) for start in starts]
    incident = Incident(
        id="batch-job",
        family="look-alike",
        title="batch job: 240 documents, six times",
        start=stage.at(0.2 / 6),
        end=stage.at(5.9 / 6),
        must_find=False,
        benign=True,
        signs=(Sign("probing_rate", {"application": "digest", "api_key": person.api_key}),),
        note="much at once, but as always",
    )
    return Planned(incident, plays)


def release(stage: Stage) -> Planned:
    """A new agent with a tool of its own goes live."""
    start, end = stage.at(0.58), stage.at(1.0)
    incident = Incident(
        id="release",
        family="look-alike",
        title="release: new agent with a new tool",
        start=start,
        end=end,
        must_find=False,
        benign=True,
        signs=(Sign("first_seen_tool", {"application": "support", "agent": fleet.TRIAGE_AGENT.name}),),
        note="everything is new to a new agent",
    )
    return Planned(incident, surges=[Surge("support", start, end, 0.15, fleet.TRIAGE_AGENT)])


def busy_hour(stage: Stage) -> Planned:
    """A sale doubles the visitors of the shop."""
    start, end = stage.at(0.34), stage.at(0.44)
    incident = Incident(
        id="busy-hour",
        family="look-alike",
        title="a sale doubles the shop's traffic",
        start=start,
        end=end,
        must_find=False,
        benign=True,
        signs=(Sign("drift", {"application": "support"}),),
        note="more people, each as usual",
    )
    return Planned(incident, surges=[Surge("support", start, end, 1.0)])


def outage(stage: Stage) -> Planned:
    """The provider turns half of all billing calls away for three minutes."""
    start, length = stage.at(0.80), stage.last(180.0)
    condition = Condition(
        application="billing", model=fleet.LARGE.name, start=start, end=start + length, errors=0.5
    )
    incident = Incident(
        id="outage",
        family="look-alike",
        title="provider turns billing calls away for three minutes",
        start=start,
        end=start + length,
        must_find=False,
        benign=True,
        signs=(Sign("error_burst", {"application": "billing"}),),
        note="errors in many sessions, few in each",
    )
    return Planned(incident, conditions=[condition])


def security_training(stage: Stage) -> Planned:
    """An employee prepares a training about attacks on language models, and asks about them."""
    start, chance = stage.at(0.25), stage.chance("security_training")
    part = Part(fleet.SEARCH, fleet.SEARCH_AGENT, fleet.OPEN, stage.people["search"].number(4))
    times = [stage.at(0.25 + 0.04 * number) for number in range(6)]

    def play(conditions: Conditions) -> Iterator[Event]:
        for number, time in enumerate(times):
            session = Session(part, chance, time, conditions)
            yield from session.turn(SECURITY_TALK[number % len(SECURITY_TALK)].format_map(session.facts))

    return Planned(
        _quiet(
            "security-training",
            "employee asks about attacks, for a training",
            (start, times[-1] + 60.0),
            part,
            "talk about an attack is none",
        ),
        [play],
    )


def pasted_image(stage: Stage) -> Planned:
    """A developer pastes the base64 of a small image."""
    start, chance = stage.at(0.33), stage.chance("pasted_image")
    part = Part(fleet.CODE, fleet.CODING_AGENT, fleet.CODER, stage.people["coder"].number(6))

    def play(conditions: Conditions) -> Iterator[Event]:
        session = Session(part, chance, start, conditions)
        yield from session.turn(f"Put this icon into the table: data:image/png;base64,{BLOB}", steps=1)

    period = (start, start + 60.0)
    return Planned(
        _quiet("pasted-image", "developer pastes an image in base64", period, part, "nothing hides in it"),
        [play],
    )


def _quiet(name: str, title: str, period: tuple[float, float], part: Part, note: str) -> Incident:
    """Something that no detector of text may tell of."""
    return Incident(
        id=name,
        family="look-alike",
        title=title,
        start=period[0],
        end=period[1],
        must_find=False,
        benign=True,
        signs=(Sign("*", {"application": part.application.name, "user": part.person.user}),),
        note=note,
    )
