"""The conformance kit is tested with parts that are wrong on purpose: each must be caught, by name."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from msgspec import Meta

from tocsin.contracts import (
    About,
    Checkpoint,
    CheckpointStore,
    Detector,
    Forgotten,
    Reader,
    Saved,
    Sink,
    SinkUnavailable,
    Source,
    Writer,
    Written,
)
from tocsin.memory import MemoryReader, MemoryWriter
from tocsin.model import Batch, Event, Finding, Kind, Partition, Record, Severity, Signals
from tocsin.testing import (
    BrokenPromise,
    Fault,
    MemoryLog,
    MemoryShelf,
    MemorySource,
    MemoryStore,
    MemoryTables,
    check_detector,
    check_sink,
    check_source,
    check_store,
    missing,
)

# Detectors. `Right` tells the third error of a session, and whoever copies it breaks one promise.


class Count(msgspec.Struct):
    """Errors of a session so far."""

    errors: int = 0
    told: float = 0.0


class Right(Detector[Count], frozen=True, kw_only=True):
    """Tells every so many errors of a session."""

    about: ClassVar[About] = About(
        title="Errors in a session",
        detects="a session with many errors",
        misses="everything that is no error",
        reads=("status", "session"),
        owasp=("LLM06:2026",),
        atlas=("AML.T0029",),
    )
    state_type: ClassVar[type[Any]] = Count

    every: Annotated[int, Meta(ge=1, description="errors until they are told")] = 3

    def key(self, event: Event) -> str | None:
        return event.session or None

    def start(self) -> Count:
        return Count()

    def observe(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        state.errors += event.status == "error"
        return self.tell(event) if event.status == "error" and state.errors % self.every == 0 else None

    def tell(self, event: Event, **evidence: Any) -> Finding:
        return Finding(
            severity=Severity.low, summary="many errors", since=event.arrival, evidence={"n": 1} | evidence
        )

    @classmethod
    def examples(cls) -> Sequence[Detector[Any]]:
        return (cls(), cls(every=2))


TOTAL = {"errors": 0}


class CountsInAModuleGlobal(Right, frozen=True, kw_only=True):
    """Wrong."""

    def observe(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        TOTAL["errors"] += event.status == "error"
        return self.tell(event) if event.status == "error" and TOTAL["errors"] % 3 == 0 else None


LAST: list[Event] = []


class ComparesWithTheLastEventOfAnySession(Right, frozen=True, kw_only=True):
    """Wrong."""

    def observe(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        repeated = bool(LAST) and LAST[0].status == event.status == "error"
        LAST[:] = [event]
        return self.tell(event) if repeated else None


CACHE: dict[str, int] = {}


class CachesBesideTheState(Right, frozen=True, kw_only=True):
    """Wrong: right in one life, wrong after a restart."""

    def start(self) -> Count:
        CACHE.clear()
        return Count()

    def observe(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        if event.status == "error":
            CACHE[event.session] = CACHE.get(event.session, state.errors) + 1
        return self.tell(event) if event.status == "error" and CACHE[event.session] % 3 == 0 else None


class ReadsTheWallClock(Right, frozen=True, kw_only=True):
    """Wrong."""

    def observe(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        found = Right.observe(self, event, signals, state)
        return self.tell(event, at=int(time.time())) if found else None


class AsksForTheWeekday(Right, frozen=True, kw_only=True):
    """Wrong, on some days."""

    def observe(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        found = Right.observe(self, event, signals, state)
        return self.tell(event, day=datetime.now().isoformat()[:10]) if found else None


class Samples(Right, frozen=True, kw_only=True):
    """Wrong: looks at half of the errors."""

    def observe(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        return self.tell(event) if event.status == "error" and random.random() < 0.5 else None


class Hashes(Right, frozen=True, kw_only=True):
    """Wrong: another half in every process."""

    def observe(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        return self.tell(event) if event.status == "error" and hash(event.id) % 2 else None


class Ids(msgspec.Struct):
    """Everything ever seen."""

    ids: list[str] = []


class RemembersEveryId(Right, frozen=True, kw_only=True):
    """Wrong."""

    state_type: ClassVar[type[Any]] = Ids

    def start(self) -> Any:
        return Ids()

    def observe(self, event: Event, signals: Signals, state: Any) -> Finding | None:
        state.ids.append(event.response_id)
        return self.tell(event) if event.status == "error" else None


class DividesByTokens(Right, frozen=True, kw_only=True):
    """Wrong: who says that there are tokens?"""

    def observe(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        wordy = 1 / len(event.model) < 1
        return Right.observe(self, event, signals, state) if wordy else None


class Loose(msgspec.Struct, dict=True):
    """A state with room for what is not declared."""

    told: float = 0.0


class KeepsWhatIsNotStored(Right, frozen=True, kw_only=True):
    """Wrong: the count is no field of the state."""

    state_type: ClassVar[type[Any]] = Loose

    def start(self) -> Any:
        return Loose()

    def observe(self, event: Event, signals: Signals, state: Any) -> Finding | None:
        state.__dict__["errors"] = state.__dict__.get("errors", 0) + (event.status == "error")
        told = event.status == "error" and state.__dict__["errors"] % self.every == 0
        return self.tell(event) if told else None


class Opaque(msgspec.Struct):
    """A state that holds an object."""

    random: Any


class KeepsAnObject(Right, frozen=True, kw_only=True):
    """Wrong: nobody can store it."""

    state_type: ClassVar[type[Any]] = Opaque

    def start(self) -> Any:
        return Opaque(random.Random(1))

    def observe(self, event: Event, signals: Signals, state: Any) -> Finding | None:
        return self.tell(event) if event.status == "error" and state.random.random() < 0.5 else None


class EditsTheEvent(Right, frozen=True, kw_only=True):
    """Wrong."""

    def observe(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        event.attributes["seen"] = "yes"
        return Right.observe(self, event, signals, state)


class EditsTheSignals(Right, frozen=True, kw_only=True):
    """Wrong."""

    def observe(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        signals.refusal = False
        return Right.observe(self, event, signals, state)


class Undocumented(Right, frozen=True, kw_only=True):
    about: ClassVar[About] = Right.about._replace(misses="")


class NamesAnUnknownRisk(Right, frozen=True, kw_only=True):
    """Wrong: which year?"""

    about: ClassVar[About] = Right.about._replace(owasp=("LLM06",))


class ReadsAFieldThatIsNone(Right, frozen=True, kw_only=True):
    """Wrong."""

    about: ClassVar[About] = Right.about._replace(reads=("statuss",))


class HasASettingWithoutWords(Right, frozen=True, kw_only=True):
    """Wrong."""

    secret: int = 7


class ShowsTheDefaultsAlone(Right, frozen=True, kw_only=True):
    """Wrong: what else can it do?"""

    @classmethod
    def examples(cls) -> Sequence[Detector[Any]]:
        return (cls(),)


class FailsInAnExample(Right, frozen=True, kw_only=True):
    """Wrong only with other settings than the defaults."""

    def observe(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        return (
            None if self.every == 3 and 1 // (3 - self.every or 1) == 2 else self._odd(event, signals, state)
        )

    def _odd(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        if self.every == 2:
            event.attributes["seen"] = "yes"
        return Right.observe(self, event, signals, state)


SHARED = Count()


class SharesOneState(Right, frozen=True, kw_only=True):
    """Wrong."""

    def start(self) -> Count:
        return SHARED


class Waking(Right, frozen=True, kw_only=True):
    """Right: tells a minute after an error, once."""

    def observe(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        if event.status == "error":
            state.told = event.arrival + 60
        return None

    def due(self, state: Count) -> float | None:
        return state.told or None

    def wake(self, now: float, state: Count) -> Finding | None:
        since, state.told = state.told, 0.0
        return Finding(severity=Severity.low, summary="an error a minute ago", since=since)


class NeverMovesOn(Waking, frozen=True, kw_only=True):
    """Wrong."""

    def wake(self, now: float, state: Count) -> Finding | None:
        return None


class QuotesTheUser(Right, frozen=True, kw_only=True):
    """Wrong."""

    def observe(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        found = Right.observe(self, event, signals, state)
        return self.tell(event, said=event.input[0].text if event.input else "") if found else None


class SaysNotANumber(Right, frozen=True, kw_only=True):
    """Wrong."""

    def observe(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        found = Right.observe(self, event, signals, state)
        return msgspec.structs.replace(found, value=float("nan")) if found else None


class SaysNothing(Right, frozen=True, kw_only=True):
    """Wrong: never fires."""

    def observe(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        return None


class CriesWolf(Right, frozen=True, kw_only=True):
    """Wrong: fires always."""

    def observe(self, event: Event, signals: Signals, state: Count) -> Finding | None:
        return self.tell(event)


class CountsCallsOfKey(Right, frozen=True, kw_only=True):
    """Wrong: the answer depends on how often it was asked for the key."""

    def key(self, event: Event) -> str | None:
        event.attributes["asked"] = "yes"
        return event.session or None


class HasKeysOfOtherKinds(Right, frozen=True, kw_only=True):
    """Wrong: has keys of events that it does not want to be asked about."""

    kinds: ClassVar[frozenset[Kind]] = frozenset({"llm"})


class RemembersAndNeedsTexts(Right, frozen=True, kw_only=True):
    """Wrong: what it remembers would depend on texts."""

    needs_texts: ClassVar[bool] = True


class Empty(msgspec.Struct):
    """Nothing."""


class SpeaksWithoutTexts(Right, frozen=True, kw_only=True):
    """Wrong: says that it needs texts, and tells errors without."""

    state_type: ClassVar[type[Any]] = Empty
    needs_texts: ClassVar[bool] = True

    def start(self) -> Any:
        return Empty()

    def observe(self, event: Event, signals: Signals, state: Any) -> Finding | None:
        return self.tell(event) if event.status == "error" else None


DETECTORS: Mapping[type[Right], str] = {
    HasKeysOfOtherKinds: "declared needs hold",
    RemembersAndNeedsTexts: "declared needs hold",
    SpeaksWithoutTexts: "declared needs hold",
    CountsInAModuleGlobal: "replay is identical|neighbours do not matter|restart changes nothing",
    ComparesWithTheLastEventOfAnySession: "neighbours do not matter|restart changes nothing",
    CachesBesideTheState: "restart changes nothing|neighbours do not matter",
    ReadsTheWallClock: "replay is identical",
    AsksForTheWeekday: "replay is identical",
    Samples: "replay is identical",
    Hashes: "replay is identical",
    RemembersEveryId: "state is bounded",
    DividesByTokens: "bare events are tolerated",
    KeepsWhatIsNotStored: "restart changes nothing",
    KeepsAnObject: "state survives storage",
    EditsTheEvent: "event is untouched",
    EditsTheSignals: "event is untouched",
    Undocumented: "documented",
    NamesAnUnknownRisk: "documented",
    ReadsAFieldThatIsNone: "documented",
    HasASettingWithoutWords: "documented",
    ShowsTheDefaultsAlone: "settings are data",
    FailsInAnExample: "event is untouched",
    SharesOneState: "state survives storage",
    NeverMovesOn: "timers move on",
    QuotesTheUser: "findings are well formed",
    SaysNotANumber: "findings are well formed",
    SaysNothing: "incident is told",
    CriesWolf: "benign twin is not",
    CountsCallsOfKey: "event is untouched",
}


def stream(errors: float) -> list[Event]:
    dice = random.Random(5)
    return [
        Event(
            id=f"e{number}",
            arrival=1_750_000_000.0 + number * 10,
            session=f"s{dice.randrange(4)}",
            model="m-large",
            status="error" if dice.random() < errors else "ok",
            response_id=f"r{number}",
        )
        for number in range(120)
    ]


INCIDENT, BENIGN = stream(0.5), stream(0.0)


def refused(event: Event) -> Signals:
    return Signals(refusal=True)


@pytest.mark.parametrize("detector", [Right(), Right(every=1), Waking()], ids=repr)
def test_a_right_detector_passes(detector: Detector[Any]) -> None:
    check_detector(detector, INCIDENT, BENIGN, read=refused)


@pytest.mark.parametrize("wrong", DETECTORS, ids=lambda wrong: wrong.__name__)
def test_a_wrong_detector_is_caught(wrong: type[Right]) -> None:
    with pytest.raises(BrokenPromise) as caught:
        check_detector(wrong(), INCIDENT, BENIGN, read=refused)
    assert caught.value.promise in DETECTORS[wrong].split("|")
    assert wrong.__name__ in str(caught.value)


def test_a_skipped_promise_is_not_checked() -> None:
    check_detector(EditsTheEvent(), INCIDENT, BENIGN, skip=["event is untouched"])


# Sources.


class WrongSource(Source, frozen=True, kw_only=True):
    """Opens whatever reader it is given."""

    log: MemoryLog
    reader: type[MemoryReader]

    def open(self) -> Reader:
        return self.reader(MemorySource(log=self.log, max_records=5))


class NoSeek(MemoryReader):
    """Hands out records before it is told where to begin."""

    def assign(self, *partitions: Partition) -> None:
        super().assign(*partitions)
        for partition in partitions:
            self.seek(partition, 0)


class Reversed(MemoryReader):
    def poll(self, timeout: float) -> Sequence[Record]:
        return list(super().poll(timeout))[::-1]


class Loses(MemoryReader):
    def poll(self, timeout: float) -> Sequence[Record]:
        return [record for record in super().poll(timeout) if record.value != b"7"]


class ResumesAtTheStart(MemoryReader):
    def seek(self, partition: Partition, offset: int | None) -> None:
        super().seek(partition, offset if offset is None or offset > 100 else 0)


class SkipsOne(MemoryReader):
    """Takes the offset for the last one done instead of the next one to do."""

    def seek(self, partition: Partition, offset: int | None) -> None:
        super().seek(partition, None if offset is None else offset + 1 if 0 < offset < 100 else offset)


class IgnoresPause(MemoryReader):
    def pause(self, partitions: Iterable[Partition]) -> None:
        """Not now."""


class NeverResumes(MemoryReader):
    def resume(self, partitions: Iterable[Partition]) -> None:
        """Not now."""


class ReadsOnAfterRevocation(MemoryReader):
    def revoke(self, *partitions: Partition) -> None:
        self._revoked += partitions


class NeverSaysRevoked(MemoryReader):
    def revoke(self, *partitions: Partition) -> None:
        self._forget(partitions)


class ClosesOnce(MemoryReader):
    def close(self) -> None:
        if self.closed:
            raise ValueError("closed already")
        super().close()


class NewNameEachTime(MemoryReader):
    def log_id(self, partition: Partition) -> str:
        return f"{id(self)}"


class StartsAnywhere(MemoryReader):
    def seek(self, partition: Partition, offset: int | None) -> None:
        super().seek(partition, 0 if offset is not None and offset > 1000 else offset)


class CommitsLoudly(MemoryReader):
    def commit(self, positions: Mapping[Partition, int]) -> None:
        raise KeyError("nobody's")


class ForgetsToCountDown(MemoryReader):
    def lag(self) -> Mapping[Partition, int]:
        return {partition: 1 for partition in self._positions}


READERS: Mapping[type[MemoryReader], str] = {
    NoSeek: "nothing before seek",
    Reversed: "records are in order",
    Loses: "everything is read",
    ResumesAtTheStart: "reading resumes where it is told",
    SkipsOne: "reading resumes where it is told",
    IgnoresPause: "pause is kept",
    NeverResumes: "resume undoes pause",
    ReadsOnAfterRevocation: "revoked before hand-over",
    NeverSaysRevoked: "revoked before hand-over",
    ClosesOnce: "close is idempotent",
    NewNameEachTime: "a log has a name",
    StartsAnywhere: "a lost place is told",
    ForgetsToCountDown: "lag is what waits",
    CommitsLoudly: "commit never raises",
}


def log() -> tuple[MemoryLog, list[bytes]]:
    log, values = MemoryLog(partitions=2), [b"%d" % number for number in range(40)]
    for number, value in enumerate(values):
        log.append(value, number % 2, gap=3 if number == 10 else 0)
    return log, values


def taken(reader: Reader, partition: Partition) -> None:
    assert isinstance(reader, MemoryReader)
    reader.revoke(partition)


@pytest.mark.parametrize("size", [1, 3, 500])
def test_the_memory_source_passes(size: int) -> None:
    memory, values = log()
    check_source(MemorySource(log=memory, max_records=size), values, take=taken)
    memory, values = log()
    check_source(MemorySource(log=memory, follow=True), values, take=taken)


@pytest.mark.parametrize("wrong", READERS, ids=lambda wrong: wrong.__name__)
def test_a_wrong_source_is_caught(wrong: type[MemoryReader]) -> None:
    memory, values = log()
    with pytest.raises(BrokenPromise) as caught:
        check_source(WrongSource(log=memory, reader=wrong), values, take=taken, patience=0.2)
    assert caught.value.promise == READERS[wrong]


# Sinks.


class WrongSink(Sink, frozen=True, kw_only=True):
    """Opens whatever writer it is given."""

    tables: MemoryTables
    writer: type[MemoryWriter]

    def open(self) -> Writer:
        return self.writer(self.tables)


class AcknowledgesTooEarly(MemoryWriter):
    """Takes what is not stored for stored."""

    def write(self, batch: Batch, deadline: float) -> None:
        try:
            super().write(batch, deadline)
        except SinkUnavailable:
            return


class WritesTwice(MemoryWriter):
    def write(self, batch: Batch, deadline: float) -> None:
        super().write(batch, deadline)
        self._store(Batch(rejects=batch.rejects), len(batch))


class RetriesByItself(MemoryWriter):
    """Writes the whole batch again although part of it was stored."""

    def write(self, batch: Batch, deadline: float) -> None:
        try:
            super().write(batch, deadline)
        except SinkUnavailable:
            self._store(batch, len(batch))
            raise


class Forgets(MemoryWriter):
    """Reads nothing back."""

    def written(self, log_id: str, log_partition: int, from_offset: int) -> Written:
        return Written()


class NamesEveryPartition(MemoryWriter):
    def written(self, log_id: str, log_partition: int, from_offset: int) -> Written:
        return super().written(log_id, 0, from_offset)


class ForgetsFromWhere(MemoryWriter):
    def written(self, log_id: str, log_partition: int, from_offset: int) -> Written:
        return super().written(log_id, log_partition, 0)


class ForgetsOneName(MemoryWriter):
    def forget(self, tenant: str, names: Collection[str]) -> Forgotten:
        return super().forget(tenant, sorted(names)[:1])


class ForgetsInEveryTenant(MemoryWriter):
    def forget(self, tenant: str, names: Collection[str]) -> Forgotten:
        super().forget("another", names)
        return super().forget(tenant, names)


class MergesRevisions(MemoryWriter):
    """Keeps one row an alert."""

    def _store(self, batch: Batch, rows: int) -> None:
        known = {alert.id for alert in self._tables.alerts}
        super()._store(batch, rows)
        self._tables.alerts = [a for a in self._tables.alerts if a.revision == 1 or a.id not in known]


class RefusesStrangeText(MemoryWriter):
    def _store(self, batch: Batch, rows: int) -> None:
        self._tables.refuses = lambda event: "\0" in event.user
        super()._store(batch, rows)


class Hangs(MemoryWriter):
    def write(self, batch: Batch, deadline: float) -> None:
        if time.monotonic() > deadline:
            time.sleep(3.1)
        super().write(batch, deadline)


class ClosesWritersOnce(MemoryWriter):
    def close(self) -> None:
        if self.closed:
            raise ValueError("closed already")
        super().close()


WRITERS: Mapping[type[MemoryWriter], str] = {
    AcknowledgesTooEarly: "returning means durable",
    WritesTwice: "written twice is stored once",
    RetriesByItself: "retried is stored once",
    Forgets: "written is exact",
    NamesEveryPartition: "written is exact",
    ForgetsFromWhere: "written is exact",
    MergesRevisions: "written is exact",
    ForgetsOneName: "what is forgotten is gone",
    ForgetsInEveryTenant: "nobody else is forgotten",
    RefusesStrangeText: "hostile values are stored",
    Hangs: "the deadline is kept",
    ClosesWritersOnce: "close is idempotent",
}


def try_sink(writer: type[MemoryWriter], fault: Fault) -> MemoryTables:
    tables = MemoryTables()

    @contextmanager
    def outage() -> Iterator[None]:
        tables.faults.append(fault)
        yield

    def stored() -> int:
        return len(tables.events) + len(tables.alerts) + len(tables.rejects)

    check_sink(WrongSink(tables=tables, writer=writer), stored=stored, outage=outage)
    return tables


@pytest.mark.parametrize("fault", ["unavailable", "half", "lost_reply"])
def test_the_memory_sink_passes(fault: Fault) -> None:
    assert try_sink(MemoryWriter, fault).doubled == 0


@pytest.mark.parametrize("wrong", WRITERS, ids=lambda wrong: wrong.__name__)
def test_a_wrong_sink_is_caught(wrong: type[MemoryWriter]) -> None:
    with pytest.raises(BrokenPromise) as caught:
        try_sink(wrong, "half")
    assert caught.value.promise == WRITERS[wrong]


def test_a_sink_without_memory_passes_as_such() -> None:
    check_sink(WrongSink(tables=MemoryTables(), writer=Forgets), keeps=False)


def test_what_is_missing_is_what_was_not_stored() -> None:
    events = [Event(log_offset=1, log_index=index) for index in range(3)]
    batch = Batch(events=events, signals=[Signals(input_length=index) for index in range(3)])
    rest = missing(batch, Written(events=frozenset({(1, 0), (1, 2)})))
    assert rest.events == events[1:2]
    assert rest.signals == [Signals(input_length=1)]


# Stores.


class NeverFences(MemoryStore):
    def claim(self, log: str) -> int:
        super().claim(log)
        self.shelf.epochs[log] = 1
        return 1


class SavesForAnyone(MemoryStore):
    def save(self, log: str, checkpoint: Checkpoint, chunks: Sequence[bytes]) -> None:
        self.shelf.epochs[log] = checkpoint.epoch
        super().save(log, checkpoint, chunks)


class LoadsTheLastChunksAlone(MemoryStore):
    def load(self, log: str) -> tuple[Saved | None, Sequence[str]]:
        saved, complaints = super().load(log)
        return saved and Saved(saved.checkpoint, saved.chunks[-1:]), complaints


class KeepsOneGeneration(MemoryStore):
    def save(self, log: str, checkpoint: Checkpoint, chunks: Sequence[bytes]) -> None:
        super().save(log, checkpoint, chunks)
        for number in [n for n in self.shelf.saved[log] if n < checkpoint.base]:
            del self.shelf.saved[log][number]


class TrustsTheDisk(MemoryStore):
    def load(self, log: str) -> tuple[Saved | None, Sequence[str]]:
        saved = self.shelf.saved.get(log, {})
        if not saved:
            return None, []
        line = [saved[number] for number in range(saved[max(saved)].checkpoint.base, max(saved) + 1)]
        return Saved(line[-1].checkpoint, [chunk for part in line for chunk in part.chunks]), []


class ResetsEpochsToo(MemoryStore):
    def reset(self, log: str) -> None:
        super().reset(log)
        self.shelf.epochs.clear()


STORES: Mapping[type[MemoryStore], str] = {
    NeverFences: "a claim fences those before",
    SavesForAnyone: "a claim fences those before",
    LoadsTheLastChunksAlone: "what was saved loads",
    KeepsOneGeneration: "the generation before is loadable",
    TrustsTheDisk: "the generation before is loadable",
    ResetsEpochsToo: "reset forgets no epoch",
}


def opener(kind: type[MemoryStore]) -> Callable[[], CheckpointStore]:
    shelf = MemoryShelf()
    return lambda: kind(shelf)


def damage(store: CheckpointStore, log: str) -> None:
    assert isinstance(store, MemoryStore)
    store.shelf.damage(log)


def test_the_memory_store_passes() -> None:
    check_store(opener(MemoryStore), damage=damage)


@pytest.mark.parametrize("wrong", STORES, ids=lambda wrong: wrong.__name__)
def test_a_wrong_store_is_caught(wrong: type[MemoryStore]) -> None:
    with pytest.raises(BrokenPromise) as caught:
        check_store(opener(wrong), damage=damage)
    assert caught.value.promise == STORES[wrong]
