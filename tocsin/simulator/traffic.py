"""The simulator: a fleet's events in order of time, with the truth about what is hidden in them."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import msgspec

from tocsin.model import Event
from tocsin.simulator import attacks, lookalikes, text_attacks
from tocsin.simulator.conditions import Conditions
from tocsin.simulator.fleet import FLEET, Agent, Application, Model, People, activity
from tocsin.simulator.habits import chat, digest
from tocsin.simulator.incidents import Incident, Planned, Stage
from tocsin.simulator.session import Part, Session

START = 1_793_779_200.0  # 2026-11-04 08:00 UTC, so that a seed alone decides all
FAMILIES: Sequence[Callable[[Stage], Planned]] = (
    attacks.probing_burst,
    attacks.jailbreak,
    attacks.hijacked_agent,
    attacks.stuck_agent,
    attacks.model_swap,
    attacks.slow_down,
    attacks.slow_extraction,
    attacks.distributed_probing,
    attacks.patient_jailbreak,
    attacks.stolen_key,
    text_attacks.encoded_order,
    text_attacks.hidden_order,
    text_attacks.told_secrets,
    text_attacks.leaked_key,
    text_attacks.drawn_out,
    lookalikes.batch_job,
    lookalikes.release,
    lookalikes.busy_hour,
    lookalikes.outage,
    lookalikes.security_training,
    lookalikes.pasted_image,
)
LEAD_SECONDS = 600.0  # sessions begin this early, so that the first minute is as busy as the others


class _Next(NamedTuple):
    time: float
    number: int  # unequal, so that events are never compared
    event: Event
    rest: Iterator[Event]


class Simulator:
    """Events of `duration_seconds` from `start` on, `rate` a second in the mean; all follows from `seed`.

    `truth` lists the incidents. Without `content` events carry everything but what was said.
    """

    def __init__(
        self,
        *,
        seed: int = 7,
        start: float = START,
        duration_seconds: float = 6 * 3600.0,
        rate: float = 5.0,
        content: bool = True,
        incidents: bool = True,
    ) -> None:
        self.seed, self.start, self.end, self.rate = seed, start, start + duration_seconds, rate
        self.content = content
        self._people = {
            each.name: People(
                each, seed, max(30, int(self._visits(each) * 3600.0 / each.visits)) if each.users else 3
            )
            for each in FLEET
        }
        self._stage = Stage(seed, start, duration_seconds, self._people)
        self._families = FAMILIES if incidents else ()
        planned = self._plan()
        self.truth: Sequence[Incident] = [each.incident for each in planned]
        self._conditions = Conditions([condition for each in planned for condition in each.conditions])
        self._surges = [surge for each in planned for surge in each.surges]

    def events(self) -> Iterator[Event]:
        """Everything that happens, in order of time; the same each time it is asked for."""
        for event in self._merged():
            if event.time >= self.end:
                return
            if event.time >= self.start:
                yield event if self.content else silent(event)

    def _merged(self) -> Iterator[Event]:
        queue: list[_Next] = []
        arrivals = heapq.merge(*(self._arrivals(each) for each in FLEET), key=lambda arrival: arrival[0])
        nobody: tuple[float, Iterator[Event]] = (self.end, iter(()))
        played = [play(self._conditions) for planned in self._plan() for play in planned.plays]
        number = 0
        for number, rest in enumerate(played):
            _push(queue, number, rest)
        for time, rest in chain(arrivals, [nobody]):
            while queue and queue[0].time < time:
                head = queue[0]
                yield head.event
                following = next(head.rest, None)
                if following is None:
                    heapq.heappop(queue)
                else:
                    heapq.heapreplace(queue, head._replace(time=following.time, event=following))
            number += 1
            _push(queue, number, rest)

    def _plan(self) -> Sequence[Planned]:
        """The incidents afresh: what plays them is used up by playing."""
        return [plan(self._stage) for plan in self._families]

    def _arrivals(self, application: Application) -> Iterator[tuple[float, Iterator[Event]]]:
        """Sessions begin as a Poisson process that follows the day; they go on beyond the end."""
        chance = random.Random(f"{self.seed}/{application.name}/arrivals")
        surges = [surge for surge in self._surges if surge.application == application.name]
        rate = self._visits(application) / self._mean_activity(application)
        peak = rate * 4.0 * (1.0 + sum(surge.extra for surge in surges))
        time = self.start - LEAD_SECONDS
        while time < self.end:
            time += chance.expovariate(peak)
            usual = rate * activity(application.rhythm, time)
            draw = chance.random() * peak
            if draw < usual:
                yield time, self._session(application, application.agents[0], time, chance)
                continue
            for surge in surges:
                usual += (
                    rate
                    * surge.extra
                    * activity(application.rhythm, time)
                    * (surge.start <= time < surge.end)
                )
                if draw < usual:
                    agent = surge.agent or application.agents[0]
                    yield time, self._session(application, agent, time, chance)
                    break

    def _session(
        self, application: Application, agent: Agent, time: float, chance: random.Random
    ) -> Iterator[Event]:
        person = self._people[application.name].somebody(chance)
        part = Part(application, agent, _model(application, chance), person)
        session = Session(part, random.Random(chance.getrandbits(64)), time, self._conditions)
        return chat(session) if application.users else digest(session)

    def _visits(self, application: Application) -> float:
        return self.rate * application.share / application.events_per_session

    def _mean_activity(self, application: Application) -> float:
        minutes = max(1, int((self.end - self.start) / 60.0))
        return (
            sum(activity(application.rhythm, self.start + 60.0 * minute) for minute in range(minutes))
            / minutes
        )


def silent(event: Event) -> Event:
    """The event as a producer without content capture sends it: sizes, times and names only."""
    return msgspec.structs.replace(
        event,
        input=(),
        output=(),
        documents=tuple(msgspec.structs.replace(each, text="") for each in event.documents),
        tool_arguments=None,
        tool_result=None,
        content_available=False,
    )


def _push(queue: list[_Next], number: int, rest: Iterator[Event]) -> None:
    event = next(rest, None)
    if event is not None:
        heapq.heappush(queue, _Next(event.time, number, event, rest))


def _model(application: Application, chance: random.Random) -> Model:
    left = chance.random() * sum(weight for _, weight in application.models)
    for model, weight in application.models:
        left -= weight
        if left < 0.0:
            return model
    return application.models[-1][0]
