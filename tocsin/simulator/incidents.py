"""What goes wrong in a simulation, and what only looks like it: each family plans one labelled incident."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from tocsin.model import Event, Message
from tocsin.simulator import fleet
from tocsin.simulator.fleet import Application, Model, People, Person, Tool
from tocsin.simulator.session import Condition, Conditions, Part, Session, chat, digest, pick
from tocsin.simulator.words import INJECTION, JAILBREAKS, PROBES

Play = Callable[[Conditions], Iterator[Event]]


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """The truth about one incident. `entity` are the event fields by which its alerts are known; * stands for any text."""

    id: str
    family: str
    title: str
    start: float
    end: float
    detectors: tuple[str, ...]  # types that may rightly speak of it; the first is meant to
    must_find: bool
    benign: bool = False
    entity: dict[str, str]
    note: str = ""


class Surge(msgspec.Struct, frozen=True):
    """More sessions than usual for a while; an agent, where given, takes the extra ones."""

    application: str
    start: float
    end: float
    extra: float  # share of the usual sessions that come on top
    agent: fleet.Agent | None = None


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


def probing_burst(stage: Stage) -> Planned:
    """A known user suddenly asks templated questions, one every 1.5 seconds."""
    start, length = stage.at(0.50), stage.last(420.0)
    person = stage.people["search"].number(1)
    times = _spread(start, length, 1.5, stage.chance("probing_burst"))
    incident = Incident(
        id="probing-burst", family="probing", title="user probes the search model with templated questions",
        start=start, end=start + length, detectors=("probing",), must_find=True,
        entity={"application": "search", "user": person.user},
    )  # fmt: skip
    return Planned(incident, [_questions(fleet.SEARCH, fleet.SMALL, person, times, stage.chance("pb"))])


def slow_extraction(stage: Stage) -> Planned:
    """One question every 90 seconds from the first minute on: the user's own normal is the attack."""
    person = stage.people["search"].number(stage.people["search"].count - 1)
    times = _spread(stage.start, stage.duration, 90.0, stage.chance("slow_extraction"))
    incident = Incident(
        id="slow-extraction", family="extraction", title="user copies a model slowly, from the beginning",
        start=stage.start, end=stage.at(1.0), detectors=("probing",), must_find=False,
        entity={"application": "search", "user": person.user},
        note="steady from the start, so its own baseline is the attack; needs the content of the questions",
    )  # fmt: skip
    return Planned(incident, [_questions(fleet.SEARCH, fleet.SMALL, person, times, stage.chance("se"))])


def distributed_probing(stage: Stage) -> Planned:
    """Sixty fresh accounts, three questions each."""
    start, length, chance = stage.at(0.40), stage.last(900.0), stage.chance("distributed_probing")
    plays = []
    for number in range(60):
        person = _stranger(f"guest-{number:03d}", "key-support-0", chance)
        first = start + chance.random() * length * 0.9
        times = [first, first + 0.04 * length, first + 0.08 * length]
        plays.append(_questions(fleet.SUPPORT, fleet.SMALL, person, times, random.Random(chance.random())))
    incident = Incident(
        id="distributed-probing", family="probing", title="60 fresh accounts probe together, 3 questions each",
        start=start, end=start + length, detectors=("probing",), must_find=False,
        entity={"application": "support", "user": "guest-*"},
        note="no account does anything unusual; needs questions compared across accounts",
    )  # fmt: skip
    return Planned(incident, plays)


def model_swap(stage: Stage) -> Planned:
    """The provider serves another model under the same name: longer and slower answers."""
    start, end = stage.at(0.55), stage.at(1.0)
    condition = Condition(
        application="support", model=fleet.SMALL.name, start=start, end=end, latency=1.6, length=1.8,
        response_model="meridian-small-3-turbo",
    )  # fmt: skip
    incident = Incident(
        id="model-swap", family="drift", title="provider swaps the model behind the same name",
        start=start, end=end, detectors=("drift",), must_find=True,
        entity={"application": "support", "model": fleet.SMALL.name},
    )  # fmt: skip
    return Planned(incident, conditions=[condition])


def slow_down(stage: Stage) -> Planned:
    """A model gets slower little by little."""
    start, end = stage.at(0.45), stage.at(0.95)
    condition = Condition(
        application="coder", model=fleet.CODER.name, start=start, end=end, ramp_seconds=0.1 * stage.duration, latency=2.2
    )
    incident = Incident(
        id="slow-down", family="drift", title="model latency creeps up to 2.2 times",
        start=start, end=end, detectors=("drift",), must_find=True,
        entity={"application": "coder", "model": fleet.CODER.name},
    )  # fmt: skip
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
        id="hijacked-agent", family="tool misuse", title="injected page makes the search agent send mail",
        start=start, end=start + 180.0, detectors=("new_tool",), must_find=True,
        entity={"application": "search", "agent": fleet.SEARCH_AGENT.name, "tool": fleet.MAIL.name},
    )  # fmt: skip
    return Planned(incident, [play])


def jailbreak(stage: Stage) -> Planned:
    """One user tries trick after trick in one session; most are refused."""
    start, chance = stage.at(0.36), stage.chance("jailbreak")
    part = Part(fleet.SUPPORT, fleet.SUPPORT_AGENT, fleet.SMALL, stage.people["support"].number(11))
    session = Session(part, chance, start, Conditions(()))

    def play(conditions: Conditions) -> Iterator[Event]:
        session.conditions = conditions
        for _ in range(16):
            _ask(session, pick(chance, JAILBREAKS))
            yield from session.refuse() if chance.random() < 0.85 else session.answer()
            session.time += 18.0 * chance.lognormvariate(0.0, 0.4)

    incident = Incident(
        id="jailbreak", family="jailbreak", title="user tries 16 jailbreaks in one session",
        start=start, end=start + 480.0, detectors=("burst",), must_find=True,
        entity={"application": "support", "user": part.person.user, "session": session.id},
    )  # fmt: skip
    return Planned(incident, [play])


def patient_jailbreak(stage: Stage) -> Planned:
    """One refused trick a session, session after session."""
    start, chance = stage.at(0.30), stage.chance("patient_jailbreak")
    part = Part(fleet.SUPPORT, fleet.SUPPORT_AGENT, fleet.LARGE, stage.people["support"].number(14))
    times = [stage.at(0.30 + 0.05 * number) for number in range(12)]

    def play(conditions: Conditions) -> Iterator[Event]:
        for time in times:
            session = Session(part, chance, time, conditions)
            _ask(session, pick(chance, JAILBREAKS))
            yield from session.refuse()

    incident = Incident(
        id="patient-jailbreak", family="jailbreak", title="user tries one jailbreak a session, 12 sessions",
        start=start, end=times[-1] + 60.0, detectors=("burst",), must_find=False,
        entity={"application": "support", "user": part.person.user},
        note="one refusal a session is normal; needs refusals counted over a user's sessions",
    )  # fmt: skip
    return Planned(incident, [play])


def stuck_agent(stage: Stage) -> Planned:
    """A coding agent runs the same failing tool again and again."""
    start, chance = stage.at(0.60), stage.chance("stuck_agent")
    part = Part(fleet.CODE, fleet.CODING_AGENT, fleet.CODER, stage.people["coder"].number(3))
    session = Session(part, chance, start, Conditions(()))
    broken = Tool("run_command", '{{"command":"make deploy"}}', ("",), 900.0, failures=0.96)

    def play(conditions: Conditions) -> Iterator[Event]:
        session.conditions = conditions
        yield from session.turn("Deploy the branch.", steps=2)
        for _ in range(22):
            yield from session.use(broken)

    incident = Incident(
        id="stuck-agent", family="errors", title="coding agent repeats a failing command",
        start=start, end=start + 420.0, detectors=("burst",), must_find=True,
        entity={"application": "coder", "user": part.person.user, "session": session.id},
    )  # fmt: skip
    return Planned(incident, [play])


def stolen_key(stage: Stage) -> Planned:
    """A key of the billing service is used from outside, at a modest pace, for another model."""
    start, length, chance = stage.at(0.62), 0.12 * stage.duration, stage.chance("stolen_key")
    person = _stranger("", "key-billing-1", chance)
    times = _spread(start, length, 40.0, chance)
    incident = Incident(
        id="stolen-key", family="access", title="billing key used from a new address and client",
        start=start, end=start + length, detectors=("probing",), must_find=False,
        entity={"application": "billing", "api_key": person.api_key, "user": ""},
        note="modest pace; needs a detector for new addresses and clients of a key",
    )  # fmt: skip
    return Planned(incident, [_questions(fleet.BILLING, fleet.OPEN, person, times, stage.chance("sk"))])


def batch_job(stage: Stage) -> Planned:
    """The month's documents are summarised in one go."""
    start, chance = stage.at(0.53), stage.chance("batch_job")
    person = stage.people["digest"].number(0)
    part = Part(fleet.DIGEST, fleet.DIGEST_AGENT, fleet.OPEN, person)

    def play(conditions: Conditions) -> Iterator[Event]:
        yield from digest(Session(part, chance, start, conditions), documents=120)

    incident = Incident(
        id="batch-job", family="look-alike", title="batch job of 120 documents",
        start=start, end=start + 900.0, detectors=("probing",), must_find=False, benign=True,
        entity={"application": "digest", "api_key": person.api_key},
        note="much at once, but a job of ours",
    )  # fmt: skip
    return Planned(incident, [play])


def release(stage: Stage) -> Planned:
    """A new agent with a tool of its own goes live."""
    start, end = stage.at(0.58), stage.at(1.0)
    incident = Incident(
        id="release", family="look-alike", title="release: new agent with a new tool",
        start=start, end=end, detectors=("new_tool",), must_find=False, benign=True,
        entity={"application": "support", "agent": fleet.TRIAGE_AGENT.name},
        note="everything is new to a new agent",
    )  # fmt: skip
    return Planned(incident, surges=[Surge("support", start, end, 0.15, fleet.TRIAGE_AGENT)])


def busy_hour(stage: Stage) -> Planned:
    """A sale doubles the visitors of the shop."""
    start, end = stage.at(0.34), stage.at(0.44)
    incident = Incident(
        id="busy-hour", family="look-alike", title="a sale doubles the shop's traffic",
        start=start, end=end, detectors=("drift",), must_find=False, benign=True,
        entity={"application": "support"},
        note="more people, each as usual",
    )  # fmt: skip
    return Planned(incident, surges=[Surge("support", start, end, 1.0)])


def outage(stage: Stage) -> Planned:
    """The provider turns half of all billing calls away for three minutes."""
    start, length = stage.at(0.80), stage.last(180.0)
    condition = Condition(application="billing", model=fleet.LARGE.name, start=start, end=start + length, errors=0.5)
    incident = Incident(
        id="outage", family="look-alike", title="provider turns billing calls away for three minutes",
        start=start, end=start + length, detectors=("burst",), must_find=False, benign=True,
        entity={"application": "billing"},
        note="errors in many sessions, few in each",
    )  # fmt: skip
    return Planned(incident, conditions=[condition])


FAMILIES: Sequence[Callable[[Stage], Planned]] = (
    probing_burst, jailbreak, hijacked_agent, stuck_agent, model_swap, slow_down,
    slow_extraction, distributed_probing, patient_jailbreak, stolen_key,
    batch_job, release, busy_hour, outage,
)  # fmt: skip


def _questions(
    application: Application, model: Model, person: Person, times: Sequence[float], chance: random.Random
) -> Play:
    def play(conditions: Conditions) -> Iterator[Event]:
        part = Part(application, application.agents[0], model, person)
        for time in times:
            session = Session(part, chance, time, conditions)
            _ask(session, pick(chance, PROBES))
            yield from session.call(Message("assistant", pick(chance, ("public", "internal", "unknown"))), "stop")

    return play


def _ask(session: Session, text: str) -> None:
    session.facts["number"] = str(session.chance.randrange(1000, 100_000))
    session.say(Message("user", text.format_map(session.facts)))


def _spread(start: float, length: float, gap: float, chance: random.Random) -> list[float]:
    times, time = [], start
    while (time := time + gap * chance.uniform(0.6, 1.4)) < start + length:
        times.append(time)
    return times


def _stranger(user: str, api_key: str, chance: random.Random) -> Person:
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
