"""The pure core: records of one log partition in, rows out.

    clock -> due timers and holds -> for each item: admit · stamp · history · read · redact · assemble
    -> detect · book -> rows

A batch is worked on in three passes, because digests, reading and redaction cost less over many events:
admission and history in log order, then reading and redaction all at once, then the rest in log order.
The passes share no state, so no result depends on where a batch was cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import force_setattr, replace

from tocsin.assembly import concerns
from tocsin.book import Cause
from tocsin.groups import BOOK, HELD, Group
from tocsin.history import PLAIN, Seen
from tocsin.merging import Held
from tocsin.model import Alert, Batch, Event, Finding, Reject, Signals
from tocsin.plan import Instance, Plan, Unpacked
from tocsin.section import short
from tocsin.signals import read
from tocsin.state import PartitionState, Rows
from tocsin.timers import Timer
from tocsin.told_tools import Told, executions, lengths, mark, who
from tocsin.watch import ObserveFailed, Watch

__all__ = ["Instance", "PartitionState", "Plan", "Unpacked", "finish", "step"]

PART = 256  # events
EARLIEST, LATEST = 0.0, 4_291_747_200.0  # 1970 to 2106: what a table can hold
PAST, FUTURE = 86_400.0, 300.0  # seconds that an event's time may be away from its arrival


class Work(msgspec.Struct, gc=False):
    """Consecutive items of a record: all of them, but where they are very many."""

    record: Unpacked
    items: Sequence[Event | Reject]
    start: int = 0
    first: int = 0  # its first event among those of `Part`
    clock: float = 0.0
    expired: Sequence[Group] = ()


class Came(NamedTuple):
    """Some hundred events after the first pass."""

    seen: Sequence[Seen]
    groups: Sequence[Group]
    clocks: Sequence[float]  # arrival times


class Part(NamedTuple):
    """The same after the second pass: there is no raw text in them any more."""

    seen: Sequence[Seen]
    groups: Sequence[Group]
    signals: Sequence[Signals]
    news: Mapping[int, News]  # index -> of those whose messages hold calls or results


class News(NamedTuple):
    """What the messages of a model call tell of tools."""

    told: Sequence[Told]
    asked: Sequence[int]  # characters of the arguments of its answer's calls
    clear: bool  # whether there was nothing to redact in the names of `told`


def step(plan: Plan, state: PartitionState, records: Sequence[Unpacked]) -> Batch:
    """The rows that `records` release; `state` moves on.

    The events of `records` are consumed: they are stamped and redacted in place.
    """
    batch = Batch()
    release = _Release(state, batch)
    for works in _parts(records):
        part = _second_pass(state, _first_pass(state, works))
        for work in works:
            release.run(work, part)
    return batch


def _parts(records: Sequence[Unpacked]) -> Iterator[Sequence[Work]]:
    """Some hundred events at a time: enough to read text at once, few enough to stay in a cache, however many
    a record holds."""
    part: list[Work] = []
    events = 0
    for record in records:
        count = len(record.items)
        events += count
        if count <= PART:
            part.append(Work(record, record.items))
            if events < PART:
                continue
        yield part
        for start in range(0, count if count > PART else 0, PART):
            yield [Work(record, record.items[start : start + PART], start)]
        part, events = [], 0
    yield part


def finish(plan: Plan, state: PartitionState) -> Batch:
    """The rows that the end of input releases: halves that wait, and final counts of open alerts.

    Detectors are not woken: that nothing more was seen is not known before its time has come.
    """
    batch = Batch()
    release = _Release(state, batch)
    for group in sorted(state.groups, key=lambda group: (group.tenant, group.application)):
        for half in group.assembly.flush():
            release.alone(group, half)
        release.alerts(group.book.flush())
    return batch


def _first_pass(state: PartitionState, works: Sequence[Work]) -> Came:
    """Admission, stamps and history."""
    groups, log_id, partition = state.groups, state.log_id, state.number
    admit = groups.admit
    events: list[Event] = []
    whose: list[Group] = []
    clocks: list[float] = []
    for work in works:
        record, start = work.record, work.start
        arrival, backfill = record.arrival, record.backfill
        if not start:
            state.clock = _advance(state.clock, record)
            if state.clock > groups.horizon:
                work.expired = groups.expired(state.clock)
        work.clock = clock = state.clock
        work.first = len(events)
        for number, item in enumerate(work.items, start):
            if isinstance(item, Reject):
                continue
            whose.append(admit(item.tenant, item.application, clock))
            force_setattr(item, "id", f"{state.prefix}.{record.offset}.{number}")
            force_setattr(item, "log_id", log_id)
            if partition:
                force_setattr(item, "log_partition", partition)
            if backfill:
                force_setattr(item, "backfill", True)
            time = item.time
            if not (EARLIEST < time < LATEST if arrival is None else -FUTURE <= clock - time <= PAST):
                _clamp(item, record, clock)
            events.append(item)
            clocks.append(clock)
    digests = groups.digester.events(events)
    seen = [
        group.history.read(event, clock, each)
        for event, group, clock, each in zip(events, whose, clocks, digests, strict=True)
    ]
    return Came(seen, whose, clocks)


def _second_pass(state: PartitionState, came: Came) -> Part:
    """Reading and redaction."""
    seen, groups, clocks = came
    plan, digester = state.plan, state.groups.digester
    mark(seen, digester)
    signals = read(seen, plan.content, plan.reading)
    rich = [(at, one) for at, one in enumerate(seen) if one.rich != PLAIN]
    told: list[Sequence[Told]] = [
        list(executions(one, digester)) if one.rich[0] and one.event.kind == "llm" else () for _, one in rich
    ]
    asked = [lengths(one.event) if one.rich[1] else () for _, one in rich]
    clear = state.redaction.events(seen, signals, clocks)
    news = {
        at: News(some, calls, clear[at] and bool(some) and some[0].who == who(one.event))
        for (at, one), some, calls in zip(rich, told, asked, strict=True)
        if some or calls
    }
    return Part(seen, groups, signals, news)


def _advance(clock: float, record: Unpacked) -> float:
    if record.arrival is not None:
        return max(clock, record.arrival)
    for item in record.items:
        if isinstance(item, Event) and clock < item.time < LATEST:
            clock = item.time
    return clock


def _clamp(event: Event, record: Unpacked, clock: float) -> None:
    """An impossible time is put right; one that is missing, or no number, is the arrival's."""
    time, within = event.time, clock
    if record.arrival is not None and time > 0:
        within = min(max(time, clock - PAST), clock + FUTURE)
    force_setattr(event, "time", within)
    if time > 0:
        force_setattr(event, "original_time", time)


class _Release:
    """Turns what one record sets free into rows; everything happens in log order."""

    def __init__(self, state: PartitionState, batch: Batch) -> None:
        self._state = state
        self._batch = batch
        self._keep_event, self._keep_signals = batch.events.append, batch.signals.append
        self._offset = state.last_offset
        self._rows = state.rows
        self._clock = state.clock
        self._backfill = False
        self._priced = bool(state.prices)
        self._told: list[tuple[Group, Told, bool]] = []  # by the record so far, and if their names are clear

    def run(self, work: Work, part: Part) -> None:
        record, self._clock = work.record, work.clock
        if not work.start:
            self._begin(record)
            if self._state.timers.due(work.clock):
                self._fire()
            if work.expired:
                self._state.groups.drop(work.expired)
        seen, groups, signals, news = part
        at = work.first - 1
        for item in work.items:
            if isinstance(item, Reject):
                self._reject(self._state.redaction.reject(item))
                continue
            at += 1
            group = groups[at]
            of_tools = news.get(at)
            if of_tools is not None:
                self._told += [(group, each, of_tools.clear) for each in of_tools.told]
                if of_tools.asked:
                    group.assembly.remember_calls(item, of_tools.asked, work.clock)
            if item.duplicate or not concerns(item):
                self._complete(group, item, signals[at])
            else:
                one = seen[at]
                self._assemble(group, Held(item, signals[at], one.digests, one.arguments))
        if self._told and work.start + len(work.items) == len(record.items):
            self._end(record)

    def _end(self, record: Unpacked) -> None:
        """Spans of the record itself come before what its messages tell."""
        told, self._told = self._told, []
        for number, (group, each, clear) in enumerate(told, len(record.items)):
            if not group.assembly.knows(each.names, self._clock):
                self._told_of(group, each, f"{self._state.prefix}.{record.offset}.{number}", clear)

    def _begin(self, record: Unpacked) -> None:
        state = self._state
        self._offset = state.last_offset = record.offset
        state.next_offset = record.next_offset
        self._rows = state.rows = Rows()
        self._backfill = record.backfill

    def _told_of(self, group: Group, told: Told, identity: str, clear: bool) -> None:
        """An execution that messages tell of for the first time. Mostly its own span has gone on: then it is
        neither read nor redacted. `clear`: there is nothing to redact in its names."""
        state, clock, assembly = self._state, self._clock, group.assembly
        if clear and told.identity and assembly.executed(told.identity, told.tool, clock):
            assembly.remember(told.names, clock)
            return
        one = told.seen(identity, state.groups.digester)
        event = one.event
        plain = clear and event.tool_name == told.tool != "" and not event.join.isdigit()
        if plain and assembly.echoes(Held(event, Signals(), "", one.arguments), clock):
            assembly.remember(told.names, clock)
            return
        signals = read([one], state.plan.content, state.plan.reading)[0]
        state.redaction.event(event, signals, clock)
        if assembly.complete(event, signals):
            assembly.remember(told.names, clock)
            self._assemble(group, Held(event, signals, one.digests, one.arguments))

    def alone(self, group: Group, held: Held | None) -> None:
        """What has waited goes on alone."""
        if held:
            group.assembly.go_alone(held, self._clock)
            self._complete(group, held.event, held.signals)

    def alerts(self, alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            self._batch.alerts.append(
                replace(
                    alert,
                    log_id=self._state.log_id,
                    log_partition=self._state.number,
                    log_offset=self._offset,
                    log_index=self._rows.alerts,
                    arrival=self._clock,
                )
            )
            self._rows.alerts += 1

    def _assemble(self, group: Group, held: Held) -> None:
        arrival = group.assembly.arrive(held, self._clock)
        if arrival.ready:
            self._complete(group, arrival.ready.event, arrival.ready.signals)
        elif arrival.key:
            self._want(group, HELD, arrival.key, self._clock + group.assembly.hold_seconds)
            for each in arrival.crowded:
                self.alone(group, each)

    def _complete(self, group: Group, event: Event, signals: Signals) -> None:
        """An event that waits for nothing becomes a row and is looked at."""
        if event.join or event.half:
            force_setattr(event, "join", "")
            force_setattr(event, "half", "")
        rows = self._rows
        force_setattr(event, "log_offset", self._offset)
        if rows.events:
            force_setattr(event, "log_index", rows.events)
        force_setattr(event, "arrival", self._clock)
        rows.events += 1
        if event.kind == "llm" and not event.response_model and event.status == "ok":
            force_setattr(event, "response_model", event.model)
        if self._priced:
            self._state.prices.apply(event)
        self._keep_event(event)
        self._keep_signals(signals)
        if not event.duplicate:
            if event.former:
                self._rename(group, event)
            self._detect(group, event, signals)

    def _detect(self, group: Group, event: Event, signals: Signals) -> None:
        clock = self._clock
        calls = group.calls.get((event.kind, signals.texts != ()), group.every)
        for key_of, touch, observe, watch in calls:
            key = None
            try:
                key = key_of(event)
                if key is None:
                    continue
                finding = observe(event, signals, touch(key, clock).value)
                if watch.timed:
                    self._want_wake(group, watch, short(key))
            except MemoryError:
                raise
            except ObserveFailed as failure:
                self._failed(failure, event)
                continue
            except Exception as error:  # a plugin may raise anything
                self._failed(watch.failed(key, type(error).__name__), event)
                continue
            if finding is not None:
                self._found(group, watch, short(key), finding, Cause(event.id, event, clock, event.backfill))

    def _rename(self, group: Group, event: Event) -> None:
        """What is known of the principal under the pseudonym that the key before gave is its own."""
        before = replace(event, **dict(event.former))
        for watch in group.watches:
            try:
                old, new = watch.key(before), watch.key(event)
            except Exception:  # told when it observes
                continue
            if old is None or new is None or old == new:
                continue
            watch.section.rename(short(old), short(new), self._clock)
            if moved := group.book.rename(watch.instance, short(old), short(new), event):
                self._want(group, BOOK, *moved)

    def _found(self, group: Group, watch: Watch, key: str, finding: Finding, cause: Cause) -> None:
        page, alerts = group.book.report(watch.instance, key, finding, cause)
        self.alerts(alerts)
        self._want(group, BOOK, page, cause.clock + watch.instance.options.cooldown_seconds)

    def _failed(self, failure: ObserveFailed, event: Event | None) -> None:
        about = event or Event()
        self._reject(
            Reject(
                reason="observe_failed",
                detail=str(failure),
                source=about.source,
                source_partition=about.source_partition,
                source_offset=about.source_offset,
                source_index=about.source_index,
                tenant=about.tenant,
            )
        )

    def _reject(self, reject: Reject) -> None:
        force_setattr(reject, "log_id", self._state.log_id)
        force_setattr(reject, "log_partition", self._state.number)
        force_setattr(reject, "log_offset", self._offset)
        force_setattr(reject, "log_index", self._rows.rejects)
        force_setattr(reject, "arrival", self._clock)
        self._rows.rejects += 1
        self._batch.rejects.append(reject)

    # Timers.

    def _fire(self) -> None:
        """Everything that is due; a key whose next time is due as well waits for the next record."""
        timers = self._state.timers
        if timers.crowded:
            self._state.set_timers()
        again: list[tuple[Group, Watch, str]] = []
        while timer := timers.next(self._clock):
            group = self._state.groups.by_number.get(timer.group)
            if group is None:
                continue
            if timer.place == HELD:
                self._release_held(group, timer)
            elif timer.place == BOOK:
                self._close(group, timer)
            elif self._wake(group, group.watches[timer.place], timer):
                again.append((group, group.watches[timer.place], timer.key))
        for group, watch, key in again:
            try:
                self._want_wake(group, watch, key)
            except ObserveFailed as failure:
                self._failed(failure, None)

    def _release_held(self, group: Group, timer: Timer) -> None:
        entry = group.assembly.held.get(timer.key)
        if entry and entry.queued == timer.due:
            self.alone(group, group.assembly.give_up(timer.key, self._clock))

    def _close(self, group: Group, timer: Timer) -> None:
        entry = group.book.open.get(timer.key)
        if entry and entry.queued == timer.due:
            self.alerts(group.book.close(timer.key))

    def _wake(self, group: Group, watch: Watch, timer: Timer) -> bool:
        """Whether the key may want to be woken again."""
        entry = watch.section.get(timer.key)
        if entry is None or entry.queued != timer.due:
            return False
        entry.queued = None
        try:
            if watch.due(timer.key, entry) != timer.due:  # put off meanwhile: it has its own place in line
                self._want_wake(group, watch, timer.key)
                return False
            finding = watch.wake(timer.key, entry, self._clock)
        except ObserveFailed as failure:
            self._failed(failure, None)
            return False
        if finding is not None:
            position = f"{self._state.prefix}.{self._offset}@{timer.due!r}"
            cause = Cause(position, None, self._clock, self._backfill)
            self._found(group, watch, timer.key, finding, cause)
        return True

    def _want_wake(self, group: Group, watch: Watch, key: str) -> None:
        entry = watch.section.get(key)
        due = watch.due(key, entry) if entry else None
        if due is not None:
            self._want(group, watch.place, key, due)

    def _want(self, group: Group, place: int, key: str, due: float) -> None:
        entry = group.section(place).get(key)
        if entry:
            timer = Timer(due, group.tenant, group.application, place, key, group.number)
            self._state.timers.want(timer, entry)
