"""Groups: whose events share one state, how many there may be, and which are forgotten."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

from tocsin.assembly import Assembly
from tocsin.book import Book
from tocsin.codec import Codec
from tocsin.history import Digester, History
from tocsin.plan import Plan
from tocsin.section import Section, short
from tocsin.watch import Watch, calls

OTHER = "other"  # the application that all share who came when a tenant's groups were full

HELD, BOOK = -1, 10_000  # places of the sections that are no detector's, for the order of timers


class Group:
    """All state of one tenant's application."""

    __slots__ = (
        "application",
        "assembly",
        "book",
        "history",
        "mark",
        "number",
        "seen",
        "tenant",
        "calls",
        "every",
        "watches",
    )

    def __init__(self, number: int, tenant: str, application: str, made: Fixtures) -> None:
        self.number = number
        self.tenant = tenant
        self.application = application
        self.seen = 0.0  # arrival time of its last event
        self.mark = -1.0  # `seen` as a confirmed checkpoint has it
        plan = made.plan
        self.history = History(plan.history, made.digester)
        self.assembly = Assembly(plan.assembly)
        self.book = Book(tenant, application)
        self.watches = [
            Watch(instance, place, codec)
            for place, (instance, codec) in enumerate(zip(plan.instances, made.codecs, strict=True))
        ]
        self.calls = calls(self.watches)
        self.every = tuple([watch.call for watch in self.watches])  # for events of a kind that nobody knows

    def sections(self) -> Iterator[tuple[str, Section[Any]]]:
        """Each with a name that no configuration can take from another."""
        yield "history", self.history.conversations
        yield from self.assembly.sections()
        yield "book", self.book.open
        for watch in self.watches:
            yield f"detector:{watch.instance.name}", watch.section

    def section(self, place: int) -> Section[Any]:
        """The section that a timer means."""
        if place == HELD:
            return self.assembly.held
        return self.book.open if place == BOOK else self.watches[place].section


class Fixtures:
    """What all groups of a plan share."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.digester = Digester(plan.content.key)
        self.codecs: list[Codec[Any]] = [Codec(each.detector.state_type) for each in plan.instances]


class Groups:
    """Admission by tenant and application. Groups of one tenant never cost another one its own.

    Admission runs ahead of detection inside a batch, so `by_number` still holds the groups that
    `expired` has reported until `drop` is called for them.
    """

    def __init__(self, plan: Plan) -> None:
        self.by_number: dict[int, Group] = {}
        self.overflow = 0  # events that went to `other`
        self.horizon = -math.inf  # arrival time up to which none can have become too old
        self.last_number = 0
        self._fixtures = Fixtures(plan)
        self.digester = self._fixtures.digester
        self.history_fingerprint = self.digester.fingerprint
        self._tenants: dict[str, dict[str, Group]] = {}
        self._recent: OrderedDict[int, Group] = OrderedDict()
        self._limit = plan.groups.max_groups
        self._idle = max(
            plan.groups.idle_seconds,
            # A group with something to release is not forgotten.
            plan.assembly.hold_seconds + 1,
            *(each.options.cooldown_seconds + 1 for each in plan.instances),
        )

    def __iter__(self) -> Iterator[Group]:
        return iter(self.by_number.values())

    def __len__(self) -> int:
        return len(self.by_number)

    def admit(self, tenant: str, application: str, clock: float) -> Group:
        """The group of an event that arrived now."""
        try:
            group = self._tenants[tenant][application]
        except KeyError:
            group = self._find(short(tenant), short(application))
        if group.seen < clock:
            group.seen = clock
            self._recent.move_to_end(group.number)
        return group

    def expired(self, clock: float) -> list[Group]:
        """Groups that have just become too old; they are not found any more."""
        gone: list[Group] = []
        while self._recent:
            group = self._recent[next(iter(self._recent))]
            if clock - group.seen <= self._idle:
                self.horizon = group.seen + self._idle - 1.0  # a second for rounding
                break
            del self._recent[group.number]
            of_tenant = self._tenants[group.tenant]
            del of_tenant[group.application]
            if not of_tenant:
                del self._tenants[group.tenant]
            gone.append(group)
        return gone

    def drop(self, groups: Sequence[Group]) -> None:
        for group in groups:
            del self.by_number[group.number]

    def restore(self, number: int, tenant: str, application: str, seen: float) -> Group:
        """A group as a checkpoint has it; to be called in order of `seen`."""
        group = self._add(number, tenant, application)
        group.seen = group.mark = seen
        return group

    def alive(self, seen: float, clock: float) -> bool:
        """Whether a group last heard of at `seen` is still kept at `clock`."""
        return clock - seen <= self._idle

    def oldest(self, clock: float) -> float:
        """The time of which a group that is still kept at `clock` may have been heard of last."""
        return math.nextafter(clock - self._idle, math.inf)

    def _find(self, tenant: str, application: str) -> Group:
        """Groups whose names are too long, or are not known, or find no room."""
        of_tenant = self._tenants.get(tenant, {})
        if application in of_tenant:
            return of_tenant[application]
        if len(of_tenant) - (OTHER in of_tenant) >= self._limit:
            self.overflow += 1
            application = OTHER
            if OTHER in of_tenant:
                return of_tenant[OTHER]
        self.last_number += 1
        return self._add(self.last_number, tenant, application)

    def _add(self, number: int, tenant: str, application: str) -> Group:
        group = Group(number, tenant, application, self._fixtures)
        self.by_number[number] = group
        self._recent[number] = group
        self._tenants.setdefault(tenant, {})[application] = group
        return group
