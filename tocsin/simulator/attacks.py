"""Attacks and faults: what a detector should find, and what honest detectors may miss."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tocsin.model import Event, Message, ToolCall
from tocsin.simulator import fleet
from tocsin.simulator.conditions import Condition, Conditions
from tocsin.simulator.fleet import Tool
from tocsin.simulator.incidents import Incident, Planned, Play, Sign, Stage, ask, questions, spread, stranger
from tocsin.simulator.session import Part, Session, pick
from tocsin.simulator.words import INJECTION, JAILBREAKS


def probing_burst(stage: Stage) -> Planned:
    """A known user suddenly asks templated questions, one a second."""
    start, length = stage.at(0.50), stage.last(420.0)
    person = stage.people["search"].number(1)
    times = spread(start, length, 1.0, stage.chance("probing_burst"))
    incident = Incident(
        id="probing-burst",
        family="probing",
        title="user probes the search model with templated questions",
        start=start,
        end=start + length,
        must_find=True,
        signs=(
            Sign("probing_rate", {"application": "search", "user": person.user}),
            Sign("drift", {"application": "search", "model": fleet.SMALL.name}),
        ),
    )
    return Planned(incident, questions(fleet.SEARCH, fleet.SMALL, person, times, stage.chance("pb")))


def slow_extraction(stage: Stage) -> Planned:
    """One question every 90 seconds from the first minute on: the user's own normal is the attack."""
    person = stage.people["search"].number(stage.people["search"].count - 1)
    times = spread(stage.start, stage.duration, 90.0, stage.chance("slow_extraction"))
    incident = Incident(
        id="slow-extraction",
        family="extraction",
        title="user copies a model slowly, from the beginning",
        start=stage.start,
        end=stage.at(1.0),
        must_find=False,
        signs=(Sign("probing_rate", {"application": "search", "user": person.user}),),
        note="steady from the start, so its own baseline is the attack; needs the content of the questions",
    )
    return Planned(incident, questions(fleet.SEARCH, fleet.SMALL, person, times, stage.chance("se")))


def distributed_probing(stage: Stage) -> Planned:
    """Sixty fresh accounts, three questions each."""
    start, length, chance = stage.at(0.40), stage.last(900.0), stage.chance("distributed_probing")
    plays: list[Play] = []
    for number in range(60):
        person = stranger(f"guest-{number:03d}", "key-support-0", chance)
        first = start + chance.random() * length * 0.9
        times = [first, first + 0.04 * length, first + 0.08 * length]
        plays += questions(fleet.SUPPORT, fleet.SMALL, person, times, random.Random(chance.random()))
    incident = Incident(
        id="distributed-probing",
        family="probing",
        title="60 fresh accounts probe together, 3 questions each",
        start=start,
        end=start + length,
        must_find=False,
        signs=(
            Sign("probing_rate", {"application": "support", "user": "guest-*"}),
            Sign("drift", {"application": "support", "model": fleet.SMALL.name}),
        ),
        note="no account does anything unusual; needs questions compared across accounts",
    )
    return Planned(incident, plays)


def model_swap(stage: Stage) -> Planned:
    """The provider serves another model under the same name: longer and slower answers."""
    start, end = stage.at(0.55), stage.at(1.0)
    condition = Condition(
        application="support",
        model=fleet.SMALL.name,
        start=start,
        end=end,
        latency=1.4,
        tokens=1.8,
        response_model="meridian-small-3-turbo",
    )
    incident = Incident(
        id="model-swap",
        family="drift",
        title="provider swaps the model behind the same name",
        start=start,
        end=end,
        must_find=True,
        signs=(Sign("drift", {"application": "support", "model": fleet.SMALL.name}),),
    )
    return Planned(incident, conditions=[condition])


def slow_down(stage: Stage) -> Planned:
    """A model gets slower little by little."""
    start, end = stage.at(0.45), stage.at(0.95)
    condition = Condition(
        application="coder",
        model=fleet.CODER.name,
        start=start,
        end=end,
        ramp_seconds=0.1 * stage.duration,
        latency=2.6,
    )
    incident = Incident(
        id="slow-down",
        family="drift",
        title="model latency creeps up to 2.6 times",
        start=start,
        end=end,
        must_find=True,
        signs=(Sign("drift", {"application": "coder", "model": fleet.CODER.name}),),
    )
    return Planned(incident, conditions=[condition])


def hijacked_agent(stage: Stage) -> Planned:
    """A retrieved page carries an order to the agent, which then mails the conversation out."""
    start, chance = stage.at(0.68), stage.chance("hijacked_agent")
    people = stage.people["search"]
    persons = [people.number(6), people.number(9)]

    def play(conditions: Conditions) -> Iterator[Event]:
        time = start
        for person in persons:
            part = Part(fleet.SEARCH, fleet.SEARCH_AGENT, fleet.OPEN, person)
            session = Session(part, chance, time, conditions)
            session.say(Message("user", "How do I order visitor badges?"))
            yield session.retrieve(INJECTION)
            yield from session.use(fleet.MAIL)
            yield from session.answer()
            time = session.time + 90.0

    incident = Incident(
        id="hijacked-agent",
        family="tool misuse",
        title="injected page makes the search agent send mail",
        start=start,
        end=start + 180.0,
        must_find=True,
        signs=(
            Sign(
                "first_seen_tool",
                {"application": "search", "agent": fleet.SEARCH_AGENT.name, "tool": fleet.MAIL.name},
            ),
            Sign("indirect_injection", {"application": "search"}),
        ),
    )
    return Planned(incident, [play])


def jailbreak(stage: Stage) -> Planned:
    """One user tries trick after trick in one session; most are refused."""
    start, chance = stage.at(0.36), stage.chance("jailbreak")
    part = Part(fleet.SUPPORT, fleet.SUPPORT_AGENT, fleet.SMALL, stage.people["support"].number(11))
    session = Session(part, chance, start, Conditions(()))

    def play(conditions: Conditions) -> Iterator[Event]:
        session.conditions = conditions
        for _ in range(16):
            ask(session, pick(chance, JAILBREAKS))
            yield from session.refuse() if chance.random() < 0.85 else session.answer()
            session.time += 18.0 * chance.lognormvariate(0.0, 0.4)

    incident = Incident(
        id="jailbreak",
        family="jailbreak",
        title="user tries 16 jailbreaks in one session",
        start=start,
        end=start + 480.0,
        must_find=True,
        signs=(
            Sign("error_burst", {"application": "support", "user": part.person.user, "session": session.id}),
            *_read("support", part.person.user),
        ),
    )
    return Planned(incident, [play])


def patient_jailbreak(stage: Stage) -> Planned:
    """One refused trick a session, session after session."""
    start, chance = stage.at(0.30), stage.chance("patient_jailbreak")
    part = Part(fleet.SUPPORT, fleet.SUPPORT_AGENT, fleet.LARGE, stage.people["support"].number(14))
    times = [stage.at(0.30 + 0.05 * number) for number in range(12)]

    def play(conditions: Conditions) -> Iterator[Event]:
        for time in times:
            session = Session(part, chance, time, conditions)
            ask(session, pick(chance, JAILBREAKS))
            yield from session.refuse()

    incident = Incident(
        id="patient-jailbreak",
        family="jailbreak",
        title="user tries one jailbreak a session, 12 sessions",
        start=start,
        end=times[-1] + 60.0,
        must_find=False,
        signs=_read("support", part.person.user),
        note="none of its texts was told for what it is",
    )
    return Planned(incident, [play])


def stuck_agent(stage: Stage) -> Planned:
    """A coding agent runs the same failing tool again and again, its runtime three times each."""
    start, chance = stage.at(0.60), stage.chance("stuck_agent")
    part = Part(fleet.CODE, fleet.CODING_AGENT, fleet.CODER, stage.people["coder"].number(3))
    session = Session(part, chance, start, Conditions(()))
    broken = Tool("run_command", '{{"command":"make deploy"}}', ("deployed",), 900.0, failures=0.96)

    def play(conditions: Conditions) -> Iterator[Event]:
        session.conditions = conditions
        yield from session.turn("Deploy the branch.", steps=2)
        for _ in range(8):
            yield from session.use(broken)
            for _ in range(2):  # the runtime tries again by itself
                yield session.run(broken, ToolCall("", broken.name, '{"command":"make deploy"}'))

    incident = Incident(
        id="stuck-agent",
        family="errors",
        title="coding agent repeats a failing command",
        start=start,
        end=start + 420.0,
        must_find=True,
        signs=(
            Sign("error_burst", {"application": "coder", "user": part.person.user, "session": session.id}),
        ),
    )
    return Planned(incident, [play])


def stolen_key(stage: Stage) -> Planned:
    """A key of the billing service is used from outside, at a modest pace, for another model."""
    start, length, chance = stage.at(0.62), 0.12 * stage.duration, stage.chance("stolen_key")
    person = stranger("", "key-billing-1", chance)
    times = spread(start, length, 40.0, chance)
    incident = Incident(
        id="stolen-key",
        family="access",
        title="billing key used from a new address and client",
        start=start,
        end=start + length,
        must_find=False,
        signs=(Sign("probing_rate", {"application": "billing", "api_key": person.api_key, "user": ""}),),
        note="modest pace; needs a detector for new addresses and clients of a key",
    )
    return Planned(incident, questions(fleet.BILLING, fleet.OPEN, person, times, stage.chance("sk")))


def _read(application: str, user: str) -> tuple[Sign, ...]:
    """What the text of a jailbreak may be told for."""
    kinds = ("instruction_override", "persona_jailbreak", "prompt_extraction")
    return tuple([Sign(kind, {"application": application, "user": user}) for kind in kinds])
