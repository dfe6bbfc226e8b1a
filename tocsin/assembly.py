"""Reports of one call find each other: two spans, span and log record, request and response, call and result.

What lacks something that another report may know waits for it, in arrival time and in bounded room, unless
its like has waited in vain again and again. Everything else goes on at once. What arrives of a call that
went on is a duplicate: its text was read, it counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from tocsin import told_tools
from tocsin.codec import Codec
from tocsin.merging import Held, merge
from tocsin.model import Event, Signals
from tocsin.passed import COMPARED, Passed
from tocsin.report import Report, best
from tocsin.section import Section, short
from tocsin.settings import AssemblySettings

VAIN = 8  # waits without a partner after which the like waits no more, until a late partner is seen
MAKERS = 256  # kinds of reports of which that is remembered
CALLS_SECONDS = 86_400.0  # for which a tool's call and result are remembered

_ALWAYS = frozenset({"request", "response"})  # halves of an exchange, of which neither is of use alone


class Asked(msgspec.Struct, array_like=True, gc=False):
    """A tool call that a model asked for; the arguments are redacted."""

    name: str = ""
    arguments: str = ""
    length: int = 0


_HELD: Codec[Held | None] = Codec(Held | None)
_MARK: Codec[bool] = Codec(bool)
_COUNT: Codec[int] = Codec(int)
_ASKED: Codec[Asked] = Codec(Asked)


def moved(data: bytes, log_id: str, number: int) -> bytes:
    """A saved event that waits, as one of another log partition, of which it becomes a row.

    Raises StateUnreadable.
    """
    held = _HELD.decode(data)
    if held:
        force_setattr(held.event, "log_id", log_id)
        force_setattr(held.event, "log_partition", number)
    return _HELD.encode(held)


def concerns(event: Event) -> bool:
    """Whether there may be other reports of the same.

    An event without a join key is complete; but messages may tell of an execution once more, and a span
    of a call that was told without one.
    """
    return event.join != "" or (not event.span_id and event.response_id != "") or event.kind == "tool"


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """What becomes of an event: it goes on, or it waits under a key, or it is known and told no more."""

    ready: Held | None = None
    key: str = ""
    crowded: Sequence[Held] = ()  # what had to make room for it


class Assembly:
    """What one group holds, what has gone on, and what it learnt about waiting."""

    __slots__ = ("_by_name", "_reports", "asked", "held", "hold_seconds", "passed", "results", "vain")

    def __init__(self, settings: AssemblySettings) -> None:
        self.hold_seconds = settings.hold_seconds
        self.held: Section[Held | None] = Section(lambda: None, _HELD, limit=settings.held)
        self.passed = Passed(settings.held)
        self.vain: Section[int] = Section(int, _COUNT, limit=MAKERS)
        self.asked: Section[Asked] = Section(Asked, _ASKED, limit=settings.held, idle=CALLS_SECONDS)
        self.results: Section[bool] = Section(bool, _MARK, limit=2 * settings.held, idle=CALLS_SECONDS)
        self._reports: dict[str, tuple[Report, list[str]]] = {}  # of what is held; both follow from `held`
        self._by_name: dict[str, dict[str, None]] = {}  # name -> keys of what is held

    def sections(self) -> Iterator[tuple[str, Section[Any]]]:
        """All that a checkpoint holds, by name."""
        yield "assembly", self.held
        yield "assembly:passed", self.passed.pages
        yield "assembly:vain", self.vain
        yield "assembly:asked", self.asked
        yield "assembly:results", self.results

    def restored(self) -> None:
        """Call once the sections were filled from a checkpoint."""
        self.passed.restored()
        for key, entry in self.held.items():
            if entry.value:
                report = entry.value.report()
                self._index(key, report, report.keys()[0])

    def arrive(self, held: Held, clock: float) -> Arrival:
        """What becomes of an event; with it goes all that was waiting for it."""
        report = held.report()
        names, looks = report.keys()
        begins = report.half == "request"  # a new exchange, though ids of a connection are used again
        while (partner := self._partner(report, looks)) is not None:
            begins |= self._reports[partner][0].half == "request"
            held = self._join(partner, held, clock)
            report = held.report()
            names, looks = report.keys()
        earlier = None if begins else self.passed.find(report, looks)
        if earlier is not None:
            return self._late(held, report, earlier, clock)
        if self._waits(report):
            return self._hold(held, report, names, clock)
        self.passed.add(report, names, clock)
        return Arrival(held)

    def executed(self, identity: str, tool: str, clock: float) -> bool:
        """Whether the one span of the execution with this unique call id went on: it decides alone."""
        span = self.passed.only(identity)
        if span is None or span.kind != "tool" or span.told or span.name != tool or identity in self._by_name:
            return False
        self._answer(span, clock)
        return True

    def echoes(self, held: Held, clock: float) -> bool:
        """Whether messages tell of an execution that went on. It tells nothing new then."""
        report = held.report()
        looks = report.keys()[1]
        if self._partner(report, looks) is not None:
            return False
        earlier = self.passed.find(report, looks)
        if earlier is not None:
            self._meet(report, earlier, clock)
        return earlier is not None

    def go_alone(self, held: Held, clock: float) -> None:
        """It goes on without what it waited for: what arrives of it from now on tells nothing new."""
        report = held.report()
        self.passed.add(report, report.keys()[0], clock)

    def give_up(self, key: str, clock: float) -> Held | None:
        """What has waited long enough."""
        report, _ = self._reports.get(key, (None, ()))
        if report and report.lacks not in _ALWAYS:
            self.vain.touch(_maker(report), clock).value += 1
        return self.take(key)

    def take(self, key: str) -> Held | None:
        """What waits under a key; it waits no more."""
        entry = self.held.get(key)
        if entry is None:
            return None
        self.held.remove(key)
        self._unindex(key)
        return entry.value

    def flush(self) -> list[Held]:
        """All that wait, the oldest first; they wait no more."""
        return [held for key in list(self.held) if (held := self.take(key))]

    # Executions that are told in messages.

    def remember_calls(self, event: Event, lengths: Sequence[int], clock: float) -> None:
        """The calls of an answer, for results that come without them."""
        for length, (key, call) in zip(lengths, told_tools.asked(event), strict=True):
            if call.id:
                self.asked.touch(short(key), clock).value = Asked(
                    call.name, call.arguments[: told_tools.ARGUMENTS], length
                )

    def knows(self, names: tuple[str, ...], clock: float) -> bool:
        """Whether an execution was told of before under one of these names; then under all from now on."""
        known = any([self.results.get(name) is not None for name in names])
        if known:
            self.remember(names, clock)
        return known

    def remember(self, names: tuple[str, ...], clock: float) -> None:
        """An execution is told of for the first time."""
        for name in names:
            self.results.touch(name, clock)

    def complete(self, event: Event, signals: Signals) -> bool:
        """Whether the tool is known, by its result or by a call seen earlier, which fills in the rest."""
        if event.tool_name:
            return True
        for key in (event.tool_call_id, told_tools.call_key(event, event.tool_call_id, "")):
            entry = self.asked.get(short(key))
            if entry:
                told_tools.fill(event, entry.value.name, entry.value.arguments)
                signals.arguments_length = entry.value.length
                return True
        return False

    # Waiting.

    def _partner(self, report: Report, looks: Sequence[str]) -> str | None:
        by_name = self._by_name
        if by_name.keys().isdisjoint(looks):
            return None
        keys = [key for name in looks for key in islice(reversed(by_name.get(name, {})), COMPARED)]
        near = {key: self._reports[key][0] for key in keys}
        found = best(report, near.values())
        return next((key for key, each in near.items() if each is found), None)

    def _join(self, key: str, held: Held, clock: float) -> Held:
        self._learn(self._reports[key][0], clock)
        partner = self.take(key)
        return merge(partner, held) if partner else held

    def _late(self, held: Held, report: Report, earlier: Report, clock: float) -> Arrival:
        """What is known to have gone on: nothing, where only messages tell of it once more."""
        self._meet(report, earlier, clock)
        if report.told:
            return Arrival()
        force_setattr(held.event, "duplicate", True)
        return Arrival(held)

    def _meet(self, report: Report, earlier: Report, clock: float) -> None:
        """One that went on has taken up another report."""
        if report.told != earlier.told:
            self._answer(earlier, clock)
            return
        self._learn(earlier, clock)
        if earlier.span == report.parent != "":
            earlier.parted = True
        self.passed.change(earlier)

    def _answer(self, earlier: Report, clock: float) -> None:
        """One that went on has its result in messages, or is that result and has its span."""
        self._learn(earlier, clock)
        earlier.answered = True
        self.passed.change(earlier)

    def _waits(self, report: Report) -> bool:
        if not report.lacks:
            return False
        if report.lacks in _ALWAYS:
            return True
        vain = self.vain.get(_maker(report))
        return vain is None or vain.value < VAIN

    def _learn(self, report: Report, clock: float) -> None:
        """A partner was seen: the like is worth waiting for."""
        if report.lacks and report.lacks not in _ALWAYS and self.vain.get(_maker(report)):
            self.vain.touch(_maker(report), clock).value = 0

    def _hold(self, held: Held, report: Report, names: list[str], clock: float) -> Arrival:
        key = short(report.key)
        crowded = [self.take(key)]  # the same once more
        while self.held.full:
            oldest = self.held.pop()
            self._unindex(oldest.key)
            crowded.append(oldest.value)
        self.held.touch(key, clock).value = held
        self._index(key, report, names)
        return Arrival(None, key, [each for each in crowded if each])

    def _index(self, key: str, report: Report, names: list[str]) -> None:
        self._reports[key] = report, names
        for name in names:
            self._by_name.setdefault(name, {})[key] = None

    def _unindex(self, key: str) -> None:
        _, names = self._reports.pop(key, (None, ()))
        for name in names:
            keys = self._by_name.get(name)
            if keys is not None:
                keys.pop(key, None)
                if not keys:
                    del self._by_name[name]


def _maker(report: Report) -> str:
    child = "child" if report.parent else "root"
    return short(f"{report.kind} {report.lacks} {child} {report.maker}")
