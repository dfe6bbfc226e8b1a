"""The core answers the same however batches were cut and wherever it was stopped and restored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from parts.watchers import Every, Last, Silence, Store, copy, extend, lively, plan, rows, run

from tocsin.contracts import About, Detector
from tocsin.core import Instance, PartitionState, Plan, Unpacked, finish, step
from tocsin.model import Batch, Event, Finding, Kind, Message, Reject, Severity, Signals
from tocsin.settings import ContentSettings, DetectorOptions, GroupSettings
from tocsin.state import Count

NOON = 1.8e9


class Nothing(msgspec.Struct):
    pass


class Each(Detector[Nothing], frozen=True, kw_only=True):
    """Finds every event of a user."""

    about: ClassVar[About] = About("each", "every event", "none", ("user",))
    state_type: ClassVar[type[Any]] = Nothing

    def key(self, event: Event) -> str | None:
        return event.user or None

    def start(self) -> Nothing:
        return Nothing()

    def observe(self, event: Event, signals: Signals, state: Nothing) -> Finding | None:
        return Finding(severity=Severity.low, summary="an event")


def record(
    offset: int, *items: Event | Reject, arrival: float | None = None, backfill: bool = False
) -> Unpacked:
    return Unpacked(offset, offset + 1, NOON + offset if arrival is None else arrival, items, 10, backfill)


def fed(plan: Plan, *records: Unpacked) -> tuple[Batch, PartitionState]:
    state = PartitionState.fresh(plan, "log", 3)
    return step(plan, state, records), state


def held(state: PartitionState) -> list[Count]:
    """What every section holds; failures are counted by the process, not by the state."""
    return [count._replace(failures=0) for count in state.describe()]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(0, 120), max_size=30), st.booleans())
def test_results_do_not_depend_on_batch_cuts(seed: int, cuts: list[int], clocked: bool) -> None:
    log = lively(120, seed, clocked=clocked)
    whole, state = run(plan(), log)
    cut, other = run(plan(), log, cuts)
    assert rows(cut) == rows(whole)
    assert other.describe() == state.describe()


def test_the_lively_log_reaches_every_part_of_the_core() -> None:
    batch, state = run(plan(), lively(1500, 1))
    words = Counter(reject.reason for reject in batch.rejects)
    assert words["observe_failed"] > 5 and words["invalid"] > 5
    assert {alert.status for alert in batch.alerts} == {"new", "updated"}
    assert {alert.detector for alert in batch.alerts} == {"every", "fragile", "silence", "each"}
    assert any(event.duplicate for event in batch.events)
    assert any(event.backfill for event in batch.events) and any(alert.backfill for alert in batch.alerts)
    assert state.groups.overflow > 10
    assert state.groups.last_number > len(state.groups)  # some were forgotten
    evicted = Counter[str]()
    for count in state.describe():
        evicted[count.section] += count.evicted
    assert evicted["detector:every"] and evicted["history"] and evicted["assembly"]


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000), st.lists(st.tuples(st.integers(1, 9), st.booleans(), st.booleans()), max_size=40)
)
def test_a_restored_state_goes_on_bit_for_bit_the_same(
    seed: int, stops: Sequence[tuple[int, bool, bool]]
) -> None:
    """Checkpoints at any record, some never confirmed, some followed by a crash and a restore."""
    log = lively(200, seed)
    whole, expected = run(plan(), log)
    state, store, batch, at = PartitionState.fresh(plan(), "log", 0), Store(), Batch(), 0
    for length, confirm, crash in stops:
        part = copy(log[at : at + length])
        extend(batch, step(plan(), state, part))
        at += len(part)
        store.save(state, confirm=confirm or crash)
        if crash:
            state, complaints = store.load(plan())
            assert complaints == []
            assert state.next_offset == log[at - 1].next_offset if at else True
    extend(batch, step(plan(), state, copy(log[at:])))
    extend(batch, finish(plan(), state))
    assert rows(batch) == rows(whole)
    assert held(state) == held(expected)


@pytest.mark.parametrize("seed", range(2))
def test_restoring_after_every_record_changes_nothing(seed: int) -> None:
    log = lively(300, 100 + seed)
    whole, expected = run(plan(), log)
    state, store, batch = PartitionState.fresh(plan(), "log", 0), Store(), Batch()
    for one in copy(log):
        extend(batch, step(plan(), state, [one]))
        store.save(state)
        state, _ = store.load(plan())
    extend(batch, finish(plan(), state))
    assert rows(batch) == rows(whole)
    assert held(state) == held(expected)


def test_a_replay_after_a_crash_gives_the_same_rows_again() -> None:
    log = lively(200, 5)
    state, store = PartitionState.fresh(plan(), "log", 0), Store()
    step(plan(), state, copy(log[:120]))
    store.save(state)
    first = step(plan(), state, copy(log[120:]))
    again, _ = store.load(plan())
    assert rows(step(plan(), again, copy(log[120:]))) == rows(first)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_their_neighbours(seed: int, chance: object) -> None:
    """One tenant alone, and interleaved with another one: the same findings on the same events."""
    keyed = plan(instances=plan().instances[:1], groups=GroupSettings(max_groups=10))
    log = [one for one in lively(150, seed) if one.items]

    def only(tenant: str) -> list[Unpacked]:
        return [
            one._replace(
                items=[i for i in one.items if isinstance(i, Event) and i.tenant == tenant and not i.join]
            )
            for one in log
        ]

    def told(batch: Batch) -> list[object]:
        ids = {event.id: (event.span_id, event.time) for event in batch.events}
        return [
            (alert.application, alert.key, alert.revision, alert.count, alert.first_seen, alert.last_seen)
            + tuple(ids[each] for each in alert.event_ids)
            for alert in batch.alerts
            if alert.tenant == "t1" and alert.status == "new"
        ]

    alone, _ = run(keyed, only("t1"))
    mixed: list[Unpacked] = []
    for mine, theirs in zip(only("t1"), only("t2"), strict=True):
        mixed += [mine, theirs] if chance.random() < 0.5 else [theirs, mine]  # type: ignore[attr-defined]
    mixed = [one._replace(offset=at, next_offset=at + 1) for at, one in enumerate(mixed)]
    together, _ = run(keyed, mixed, log="another log")
    assert told(together) == told(alone)


def test_rows_are_named_by_the_record_that_released_them() -> None:
    batch, _ = run(plan(), lively(300, 9))
    for table in (batch.events, batch.alerts, batch.rejects):
        places = [(row.log_offset, row.log_index) for row in table]
        assert places == sorted(set(places))
        assert {row.log_id for row in table} == {"log"}
    per_record = Counter(event.log_offset for event in batch.events)
    assert all(
        {event.log_index for event in batch.events if event.log_offset == offset} == set(range(count))
        for offset, count in per_record.items()
    )


def test_ids_derive_from_the_log_and_never_repeat() -> None:
    batch, _ = run(plan(), lively(300, 9))
    assert len({event.id for event in batch.events}) == len(batch.events)
    revisions = {(alert.id, alert.revision) for alert in batch.alerts}
    assert len(revisions) == len(batch.alerts)
    other, _ = run(plan(), lively(300, 9), log="another log")
    assert not {event.id for event in batch.events} & {event.id for event in other.events}


def test_the_arrival_clock_never_goes_back() -> None:
    batch, _ = run(plan(), lively(300, 4))
    arrivals = [event.arrival for event in batch.events]
    assert arrivals == sorted(arrivals)


@pytest.mark.parametrize(
    ("time", "kept", "original"),
    [
        (NOON + 50, NOON + 50, None),
        (NOON + 9_999, NOON + 300, NOON + 9_999),
        (NOON - 90_000, NOON - 86_400, NOON - 90_000),
        (1e300, NOON + 300, 1e300),
        (0.0, NOON, None),
        (-5.0, NOON, None),
        (float("nan"), NOON, None),
    ],
)
def test_event_time_is_kept_within_reach_of_its_arrival(
    time: float, kept: float, original: float | None
) -> None:
    batch, _ = fed(Plan(), record(0, Event(time=time), arrival=NOON))
    assert (batch.events[0].time, batch.events[0].original_time) == (kept, original)


def test_a_log_without_a_clock_runs_on_event_times_and_clamps_only_the_impossible() -> None:
    def at(offset: int, time: float) -> Unpacked:
        return Unpacked(offset, offset + 1, None, [Event(time=time)], 1)

    batch, state = fed(
        Plan(), at(0, NOON), at(1, NOON - 900_000), at(2, 1e12), at(3, 0.0), at(4, NOON + 900_000)
    )
    assert [event.time for event in batch.events] == [NOON, NOON - 900_000, NOON, NOON, NOON + 900_000]
    assert [event.original_time for event in batch.events] == [None, None, 1e12, None, None]
    assert [event.arrival for event in batch.events] == [NOON] * 4 + [NOON + 900_000]
    assert state.clock == NOON + 900_000


def test_a_duplicate_is_stored_and_not_learnt_from() -> None:
    event = Event(trace_id="t", span_id="s", user="u")
    batch, _ = fed(
        plan(), record(0, event), record(1, replace(event)), record(2, replace(event, kind="tool"))
    )
    assert [each.duplicate for each in batch.events] == [False, True, False]
    assert [a.log_offset for a in batch.alerts if a.detector == "each"] == [0, 2]


def test_a_failing_detector_costs_one_event_for_one_instance() -> None:
    event = Event(user="u", error_type="boom", tenant="t", source="topic", source_offset=7)
    batch, state = fed(plan(), record(0, event), record(1, Event(user="u", tenant="t")))
    (reject,) = batch.rejects
    assert (reject.reason, reject.detail) == ("observe_failed", "fragile: ZeroDivisionError")
    assert (reject.tenant, reject.source, reject.source_offset, reject.log_offset) == ("t", "topic", 7, 0)
    assert len(batch.events) == 2
    assert [a.log_offset for a in batch.alerts if a.detector == "each"] == [0, 1]
    (count,) = [count for count in state.describe() if count.section == "detector:fragile"]
    assert (count.keys, count.failures) == (1, 1)  # the key started anew with the second event


def test_a_detector_without_a_memory_takes_no_room_and_still_tells() -> None:
    plan = Plan(instances=(Instance("each", "each", Each()),))
    events = [Event(user=f"u{number}", time=1e9) for number in range(20)]
    batch, state = run(plan, [Unpacked(0, 1, 1e9, events, 1)])
    assert {alert.key for alert in batch.alerts} == {event.user for event in events}
    assert [count.keys for count in state.describe() if count.section == "detector:each"] == [0]


def test_a_key_that_raises_is_a_failure_too() -> None:
    class Keyless(Every, frozen=True, kw_only=True):
        def key(self, event: Event) -> str | None:
            raise KeyError(event.user)

    batch, _ = fed(Plan(instances=(Instance("keyless", "keyless", Keyless()),)), record(0, Event(user="u")))
    assert [reject.detail for reject in batch.rejects] == ["keyless: KeyError"]


def test_timers_fire_before_the_record_whose_arrival_reaches_them() -> None:
    silence = Plan(
        instances=(Instance("silence", "silence", Silence(), DetectorOptions(cooldown_seconds=0.0)),)
    )
    batch, _ = fed(
        silence,
        record(0, Event(session="b"), Event(session="a"), arrival=NOON),
        record(1, Event(session="a"), arrival=NOON + 19.9),
        record(2, Event(session="b"), arrival=NOON + 20),
        record(3, arrival=NOON + 100),
    )
    told = [(alert.log_offset, alert.key, alert.since, alert.first_seen) for alert in batch.alerts]
    assert told == [
        (2, "b", NOON, NOON + 20),
        (3, "a", NOON + 19.9, NOON + 100),
        (3, "b", NOON + 20, NOON + 100),
    ]


def test_a_detector_that_does_not_move_its_timer_is_stopped() -> None:
    class Stuck(Silence, frozen=True, kw_only=True):
        def wake(self, now: float, state: Last) -> None:
            return None

    stuck = Plan(instances=(Instance("stuck", "stuck", Stuck()),))
    batch, _ = fed(stuck, record(0, Event(session="s")), record(50), record(90))
    assert [reject.detail for reject in batch.rejects] == ["stuck: wake left due as it was"]


def test_groups_beyond_the_limit_share_one_and_keep_their_names() -> None:
    few = Plan(instances=plan().instances[:1], groups=GroupSettings(max_groups=2))
    events = [Event(tenant="t", application=f"app{n}", user="u") for n in range(5)]
    batch, state = fed(few, record(0, *events), record(1, Event(tenant="v", application="x", user="u")))
    assert {(c.tenant, c.application) for c in state.describe()} == {
        ("t", "app0"), ("t", "app1"), ("t", "other"), ("v", "x")
    }  # fmt: skip
    assert [event.application for event in batch.events] == [f"app{n}" for n in range(5)] + ["x"]
    assert [alert.application for alert in batch.alerts] == ["other"]
    assert state.groups.overflow == 3


def test_a_silent_group_is_forgotten_and_starts_anew() -> None:
    short = Plan(instances=plan().instances[:1], groups=GroupSettings(idle_seconds=1000.0))
    event = Event(user="u", application="a")
    batch, state = fed(
        short,
        record(0, event, replace(event), arrival=NOON),
        record(1, Event(user="x", application="b"), arrival=NOON + 1001),
        record(2, replace(event), arrival=NOON + 1002),
    )
    assert batch.alerts == []  # the third event of "u" is the first of a new count
    assert len(state.groups) == 2


def test_a_group_is_forgotten_at_the_first_record_past_its_time_however_often_others_were_heard() -> None:
    short = Plan(instances=plan().instances[:1], groups=GroupSettings(idle_seconds=1000.0))
    state = PartitionState.fresh(short, "log", 3)
    kept: list[list[str]] = []
    for at in (0.0, 0.5, 300.0, 600.0, 999.0, 1000.0, 1000.25, 1300.0, 1600.25, 1600.5):
        silent = [Event(user="u", application="silent")] if at < 1 else []
        later = [Event(user="u", application="later")] if at == 600.0 else []
        items = [*silent, *later, Event(user="u", application="loud")]
        step(short, state, [record(len(kept), *items, arrival=NOON + at)])
        kept.append(sorted(group.application for group in state.groups))
    assert [("silent" in names, "later" in names) for names in kept] == [
        *[(True, False)] * 3,
        *[(True, True)] * 4,  # until 1000.5, a thousand seconds after it was heard last
        *[(False, True)] * 1,
        *[(False, False)] * 2,
    ]


class Asked(Each, frozen=True, kw_only=True):
    """Fails when it is asked about anything but tools."""

    kinds: ClassVar[frozenset[Kind]] = frozenset({"tool"})

    def key(self, event: Event) -> str | None:
        assert event.kind == "tool"
        return event.user


class OfTexts(Asked, frozen=True, kw_only=True):
    """Needs texts as well."""

    state_type: ClassVar[type[Any]] = Nothing
    needs_texts: ClassVar[bool] = True


class Learns(OfTexts, frozen=True, kw_only=True):
    """Says that it needs texts, but remembers something."""

    state_type: ClassVar[type[Any]] = Last

    def start(self) -> Any:
        return Last()


@pytest.mark.parametrize(("detector", "alerts"), [(Asked(), 1), (OfTexts(), 0), (Learns(), 1)], ids=repr)
def test_a_detector_is_asked_about_what_it_needs_alone(detector: Detector[Any], alerts: int) -> None:
    plan = Plan(instances=(Instance("asked", "asked", detector),))
    kinds: tuple[Kind, ...] = ("llm", "retrieval", "agent", "evaluation", "tool")
    batch, _ = fed(plan, record(0, *(Event(user="u", kind=kind, span_id=kind) for kind in kinds)))
    assert (len(batch.events), len(batch.alerts), batch.rejects) == (5, alerts, [])


def test_of_a_kind_that_nobody_knows_every_detector_is_asked() -> None:
    strange: Any = "opera"
    batch, _ = fed(
        Plan(instances=(Instance("each", "each", Each()),)), record(0, Event(user="u", kind=strange))
    )
    assert len(batch.alerts) == 1


def test_after_the_core_no_raw_text_is_left_anywhere() -> None:
    secret = "the-secret-words"
    event = Event(
        input=(Message("user", secret),),
        output=(Message("assistant", secret),),
        tool_arguments=secret,
        tool_result=secret,
        join="j",
        half="span",
        session="s",
    )
    bare = plan(content=ContentSettings(mode="features"))
    state = PartitionState.fresh(bare, "log", 0)
    batch = step(bare, state, [record(0, event), record(1, replace(event, join="", half="", span_id="x"))])
    _, chunks = state.checkpoint(1)
    assert secret.encode() not in rows(batch) + b"".join(chunks)
    assert len(batch.events) == 1 and state.describe()


def test_the_end_of_input_releases_what_waits() -> None:
    half = Event(join="j", half="span", user="u")
    batch, state = fed(plan(), record(0, half, Event(user="u"), Event(user="u"), Event(user="u")))
    assert len(batch.events) == 3
    last = finish(plan(), state)
    assert [(event.log_offset, event.log_index, event.join) for event in last.events] == [(0, 3, "")]
    assert finish(plan(), state).events == []


def test_hostile_keys_are_bounded_and_can_be_saved() -> None:
    names = ["x" * 1_000_000, "\u202e\0", "é" * 300]
    events = [Event(user=name, session=name, tenant=name, application=name, trace_id=name) for name in names]
    log = [record(n, replace(event), replace(event)) for n, event in enumerate(events * 2)]
    state, store = PartitionState.fresh(plan(), "log", 0), Store()
    step(plan(), state, log)
    store.save(state)
    restored, complaints = store.load(plan())
    assert complaints == [] and restored.describe() == state.describe()
    assert sum(map(len, store.kept[1][1])) < 50_000


def test_alert_ids_tell_instances_apart() -> None:
    twice = Plan(
        instances=tuple(
            Instance(name, "every", Every(n=1), DetectorOptions(cooldown_seconds=0)) for name in ("a", "b")
        )
    )
    batch, _ = fed(twice, record(0, Event(user="u")))
    assert len({alert.id for alert in batch.alerts}) == 2
    assert msgspec.json.encode(batch.alerts[0]).count(b"LLM06:2026") == 1
