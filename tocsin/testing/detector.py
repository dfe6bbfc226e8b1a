"""The promises of a detector, each as a check."""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from typing import Any

import msgspec
from msgspec.structs import fields, replace

from tocsin.codec import Codec
from tocsin.contracts import About, Detector, Saved
from tocsin.core import Instance, PartitionState, Plan, Unpacked, step
from tocsin.model import KINDS, Document, Event, Finding, Message, Signals, ToolCall
from tocsin.taxonomy import unknown
from tocsin.testing.trial import ARRIVAL, DAY, BrokenPromise, Heard, Key, Trial, end, pack, promised

CUTS = 16  # places at which a stream is interrupted
STATE_BYTES = 64 << 10
CONTENT = "zzq-never-stored-zzq"
NAMES = ("user", "api_key", "agent", "agent_id", "session", "model", "response_model")
TEXTS = tuple(field.name for field in fields(Event) if field.type is str)


def _same(expected: Sequence[Heard], heard: Sequence[Heard], when: str) -> None:
    for one, other in zip(expected, heard, strict=False):
        promised(one == other, f"{when} {other} is heard instead of {one}")
    promised(len(expected) == len(heard), f"{when} there are {len(heard)} findings, not {len(expected)}")


def documented(trial: Trial) -> None:
    """Title, detects, misses, fields and ids that exist, and a description of each setting."""
    kind, about = type(trial.detector), trial.detector.about
    promised(isinstance(about, About), "`about` is no About")
    promised(bool(kind.__dict__.get("__doc__")), "the class has no docstring")
    for word in ("title", "detects", "misses"):
        promised(len(getattr(about, word).strip()) >= 10, f"about.{word} says nothing")
    known = {field.name for field in fields(Event)} | {f"signals.{field.name}" for field in fields(Signals)}
    promised(bool(about.reads), "about.reads is empty")
    promised(set(about.reads) <= known, f"about.reads names {sorted(set(about.reads) - known)}")
    strangers = unknown([*about.owasp, *about.atlas])
    promised(not strangers, f"{strangers} are in no taxonomy")
    described = msgspec.json.schema(kind)["$defs"][kind.__name__]["properties"]
    for name, setting in described.items():
        promised(bool(setting.get("description")), f"the setting {name!r} has no description")


def settings_are_data(trial: Trial) -> None:
    """Settings cannot be changed, come back from configuration as they were, and have examples."""
    kind, detector = type(trial.detector), trial.detector
    for field in fields(kind):
        try:
            setattr(detector, field.name, getattr(detector, field.name))
        except AttributeError:
            continue
        raise BrokenPromise("", f"the setting {field.name!r} can be changed")
    if fields(kind):
        promised(len(kind.examples()) >= 2, "examples() shows the defaults alone")
    again = msgspec.convert(msgspec.to_builtins(detector), kind)
    promised(again == detector, f"the settings read back as {again!r}")


def state_survives_storage(trial: Trial) -> None:
    """`start` gives a new state_type, and every state is the same after it was stored."""
    detector = trial.detector
    codec: Codec[Any] = Codec(detector.state_type)
    promised(isinstance(detector.start(), msgspec.Struct), "the state is no msgspec.Struct")
    promised(type(detector.start()) is detector.state_type, "start() gives something else than state_type")
    promised(detector.start() is not detector.start(), "start() gives one state to two keys")
    life = trial.life().feed(trial.incident())
    for key, data in life.save().items():
        promised(codec.encode(codec.decode(data)) == data, f"the state of {key[2]!r} changes in storage")


def replay_is_identical(trial: Trial) -> None:
    """The same stream gives the same findings, whatever the clock on the wall and the dice say."""
    with _elsewhere(trial.detector, 1):
        first = trial.heard(trial.incident())
    with _elsewhere(trial.detector, 2):
        second = trial.heard(trial.incident())
    _same(first, second, "replayed at another time")


def _datetime(days: int) -> type[datetime]:
    class Elsewhen(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(days=days)

    return Elsewhen


@contextmanager
def _elsewhere(detector: Detector[Any], seed: int) -> Iterator[None]:
    """Another day, other random numbers and other hashes, in whatever the detector's module imported."""
    clocks = {getattr(time, name): name for name in ("time", "monotonic", "perf_counter", "time_ns")}
    later: dict[Any, Any] = {clock: _later(clock, seed * 10**8) for clock in clocks}
    module = vars(sys.modules[type(detector).__module__])
    swapped = {**later, datetime: _datetime(seed * 1111)}
    kept = {name: value for name, value in module.items() if callable(value) and value in swapped}
    own_hash = module.get("hash")
    dice = random.getstate()
    random.seed(seed)
    for clock, name in clocks.items():
        setattr(time, name, later[clock])
    module.update({name: swapped[value] for name, value in kept.items()})
    module["hash"] = lambda value: hash((value, seed))
    try:
        yield
    finally:
        module.update(kept)
        module["hash"] = own_hash or hash
        for clock, name in clocks.items():
            setattr(time, name, clock)
        random.setstate(dice)


def _later(clock: Callable[[], float], by: int) -> Callable[[], float]:
    return lambda: clock() + by


def restart_changes_nothing(trial: Trial) -> None:
    """Saved, restored after another life was lived in between, and gone on with: as if nothing happened."""
    events = trial.incident()
    whole = trial.heard(events)
    for cut in sorted({len(events) * part // CUTS for part in range(1, CUTS)}):
        before = trial.life().feed(trial.incident()[:cut])
        saved, said = before.save(), list(before.heard)
        before.feed(_another_life(trial.incident()))
        after = trial.life().restore(saved).feed(trial.incident()[cut:]).advance(end(events))
        _same(whole, said + after.heard, f"restarted after {cut} of {len(events)} events")
    steady = trial.life()
    for event in trial.incident():
        steady.one(event)
        if len(steady.states) <= 4:
            steady.restore(steady.save())
    _same(whole, steady.advance(end(events)).heard, "restarted after every event")


def _another_life(events: Sequence[Event]) -> list[Event]:
    """The same events the other way round, at times that still grow."""
    times = [event.arrival for event in events]
    return [replace(event, arrival=at) for event, at in zip(reversed(events), times, strict=True)]


def neighbours_do_not_matter(trial: Trial) -> None:
    """A key hears the same whoever else is there: others in its group, other groups, or nobody."""
    events = trial.incident()
    whole = trial.heard(events)
    own = {_key(trial.detector, event) for event in events}
    mixed: list[Event] = []
    for event in trial.incident():
        mixed += [_stranger(event, "tenant", "application"), *_others(trial, event, own), event]
    heard = [one for one in trial.heard(mixed) if one.key in own]
    _same(whole, heard, "among neighbours")
    for key in sorted({one.key for one in whole})[:8]:
        alone = [event for event in trial.incident() if _key(trial.detector, event) == key]
        expected = [one for one in whole if one.key == key and not one.at.startswith("timer")]
        heard = [one for one in trial.heard(alone) if not one.at.startswith("timer")]
        _same(expected, heard, f"{key[2]!r} alone")


def _key(detector: Detector[Any], event: Event) -> Key | None:
    name = detector.key(event)
    return None if name is None else (event.tenant, event.application, name)


def _others(trial: Trial, event: Event, own: set[Key | None]) -> list[Event]:
    other = _stranger(event, *(name for name in NAMES if getattr(event, name)))
    return [] if _key(trial.detector, other) in own else [other]


def _stranger(event: Event, *names: str) -> Event:
    changed = {name: f"stranger-{getattr(event, name)}" for name in names}
    return replace(event, id="stranger-" + event.id, **changed)


def event_is_untouched(trial: Trial) -> None:
    """Neither `key` nor `observe` changes the event or its signals."""
    detector, states = trial.detector, dict[Key, Any]()
    for event in trial.incident():
        signals = trial.read(event)
        before = pack((event, signals))
        key = _key(detector, event)
        if key is not None:
            detector.observe(event, signals, states.setdefault(key, detector.start()))
        promised(pack((event, signals)) == before, f"{event.id} was changed")


def declared_needs_hold(trial: Trial) -> None:
    """Events of other kinds have no key; who needs texts remembers nothing, and says nothing without any."""
    detector = trial.detector
    events = [*trial.incident(), *_bare()]
    for kind in KINDS - detector.kinds:
        keys = (detector.key(replace(event, kind=kind)) for event in events)
        promised(all(key is None for key in keys), f"an event of kind {kind!r} has a key")
    if not detector.needs_texts:
        return
    promised(not detector.start().__struct_fields__, "it needs texts and remembers something")
    for event in events:
        finding = detector.observe(event, Signals(score=1.0, refusal=True), detector.start())
        promised(finding is None, f"said of {event.id}, of which no text was read: {finding}")


def bare_events_are_tolerated(trial: Trial) -> None:
    """Events with nothing in them, with extreme values and with strange text raise nothing."""
    life = trial.life()
    for number, event in enumerate(_bare()):
        life.one(replace(event, id=f"bare.{number}", arrival=ARRIVAL + number * 7.0))
    life.advance(ARRIVAL + 10 * DAY)
    for leap in (0.001, 3600.0, 400 * DAY):
        for number, event in enumerate(_bare()):
            life.one(replace(event, id=f"leap.{leap}.{number}", arrival=ARRIVAL + 20 * DAY + leap * number))
    for one in life.heard:
        _well_formed(one)


def _bare() -> Iterator[Event]:
    names: dict[str, Any] = {name: "x" for name in (*NAMES, "application", "tool_name", "tool_server")}
    strange: dict[str, Any] = dict.fromkeys(names, "\0\x1b[31m\u202e'\"\\\U000e0041" + "é" * 300)
    large: dict[str, Any] = {
        "input_tokens": 2**53,
        "output_tokens": 2**53,
        "duration_ms": 1e15,
        "cost_usd": 1e9,
    }
    none: dict[str, Any] = {"input_tokens": 0, "output_tokens": 0, "duration_ms": 0.0, "cost_usd": 0.0}
    kinds: tuple[Any, ...] = ("llm", "tool", "retrieval", "agent", "evaluation")
    states: tuple[Any, ...] = ("ok", "error", "refused", "blocked")
    for kind in kinds:
        for status in states:
            singly: list[dict[str, Any]] = [{name: "x"} for name in names]
            for values in ({}, names, strange, {**names, **large}, {**names, **none}, *singly):
                yield Event(kind=kind, status=status, **values)


def findings_are_well_formed(trial: Trial) -> None:
    """A summary of one line, finite numbers, a time that has come, and nothing of what was said."""
    life = trial.life()
    for event in trial.incident():
        life.one(_spoken(event))
        for one in life.heard:
            _well_formed(one, event.arrival)
        life.heard.clear()
    for key, data in life.save().items():
        promised(CONTENT.encode() not in data, f"the state of {key[2]!r} holds text of a message")


def _spoken(event: Event) -> Event:
    message = Message("user", CONTENT, (ToolCall("1", "t", CONTENT),))
    return replace(
        event,
        input=(message,),
        output=(replace(message, role="assistant"),),
        documents=(Document("1", 1.0, CONTENT),),
        tool_arguments=f'{{"text": "{CONTENT}"}}',
        tool_result=CONTENT,
        error_message=CONTENT,
    )


def _well_formed(one: Heard, now: float = math.inf) -> None:
    name = "findings are well formed"
    finding = msgspec.json.decode(one.finding, type=Finding)
    text = finding.summary
    promised(0 < len(text) <= 400 and text.isprintable(), f"the summary is {text!r}", name)
    promised(CONTENT.encode() not in one.finding, "the finding holds text of a message", name)
    promised(finding.since is None or 0 <= finding.since <= now, f"since {finding.since} at {now}", name)
    promised(b":null" not in one.finding, f"a number is not finite: {one.finding!r}", name)


def state_is_bounded(trial: Trial) -> None:
    """What is kept of one key stops growing, however different its events are."""
    pattern = trial.incident()
    keys = [_key(trial.detector, event) for event in pattern]
    busiest = max((key for key in keys if key is not None), key=keys.count, default=None)
    promised(busiest is not None, "no event of the incident has a key")
    own = [event for event, key in zip(pattern, keys, strict=True) if key == busiest]
    vary = [name for name in TEXTS if _key(trial.detector, replace(own[0], **{name: "varied"})) == busiest]
    assert busiest is not None
    life, sizes = trial.life(), list[int]()
    for number in range(6000):
        changed: dict[str, Any] = {name: f"{name}-{number}" for name in vary}
        event = replace(own[number % len(own)], arrival=ARRIVAL + number * 11.0, **changed)
        life.one(event)
        if number in (2999, 5999):
            sizes.append(len(life.save()[busiest]))
    promised(sizes[1] <= STATE_BYTES, f"the state of one key takes {sizes[1]} bytes")
    grown = sizes[1] > sizes[0] * 1.15 + 64
    promised(
        not grown, f"the state of one key grew from {sizes[0]} to {sizes[1]} bytes between 3,000 and 6,000"
    )


def cuts_do_not_matter(trial: Trial) -> None:
    """The engine makes the same alerts whether it is given one event at a time or all at once."""
    events = trial.incident()
    whole = _alerts(trial, [len(events)])
    _equal(whole, _alerts(trial, [1] * len(events)), "one event at a time")
    _equal(whole, _alerts(trial, [7] * (len(events) // 7 + 1), restart=True), "restarted every seven events")


def _equal(expected: Sequence[bytes], alerts: Sequence[bytes], when: str) -> None:
    for one, other in zip(expected, alerts, strict=False):
        promised(one == other, f"{when} the alert {other!r} comes instead of {one!r}")
    promised(len(expected) == len(alerts), f"{when} there are {len(alerts)} alerts, not {len(expected)}")


def _alerts(trial: Trial, cuts: Sequence[int], *, restart: bool = False) -> list[bytes]:
    plan = Plan(instances=(Instance("tried", "tried", trial.detector),))
    state = PartitionState.fresh(plan, "check", 0)
    waiting = [
        Unpacked(number, number + 1, event.arrival, [event], 1)
        for number, event in enumerate(trial.incident())
    ]
    alerts: list[bytes] = []
    saved: dict[int, list[bytes]] = {}
    for cut in cuts:
        batch = step(plan, state, waiting[:cut])
        waiting = waiting[cut:]
        failed = [reject.detail for reject in batch.rejects]
        promised(not failed, f"the engine rejects: {failed[:1]}")
        alerts += [msgspec.json.encode(alert) for alert in batch.alerts]
        if restart:
            checkpoint, offered = state.checkpoint(1)
            saved[checkpoint.sequence] = offered
            chunks = [chunk for at in range(checkpoint.base, checkpoint.sequence + 1) for chunk in saved[at]]
            state, complaints = PartitionState.restore(plan, "check", 0, Saved(checkpoint, chunks))
            promised(not complaints, f"the engine complains: {complaints}")
    return alerts


def incident_is_told(trial: Trial) -> None:
    """The incident is found."""
    promised(bool(trial.heard(trial.incident())), "nothing is said about the incident")


def benign_twin_is_not(trial: Trial) -> None:
    """The benign twin is not."""
    heard = trial.heard(trial.benign())
    promised(not heard, f"said of the benign twin: {heard[:1]}")


CHECKS: Mapping[str, Callable[[Trial], None]] = {
    "documented": documented,
    "settings are data": settings_are_data,
    "state survives storage": state_survives_storage,
    "replay is identical": replay_is_identical,
    "restart changes nothing": restart_changes_nothing,
    "neighbours do not matter": neighbours_do_not_matter,
    "event is untouched": event_is_untouched,
    "declared needs hold": declared_needs_hold,
    "bare events are tolerated": bare_events_are_tolerated,
    "findings are well formed": findings_are_well_formed,
    "state is bounded": state_is_bounded,
    "cuts do not matter": cuts_do_not_matter,
    "incident is told": incident_is_told,
    "benign twin is not": benign_twin_is_not,
}
ONCE = frozenset({"documented", "incident is told", "benign twin is not"})
