"""The alert book: one alert per key and cooldown, and never one too few."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin import book as module
from tocsin.book import Book, Cause
from tocsin.contracts import About
from tocsin.core import Instance, PartitionState, Plan, Unpacked, finish, step
from tocsin.model import Alert, Event, Finding, Severity
from tocsin.settings import DetectorOptions

from parts.watchers import Count, Every  # isort: skip

INSTANCE = Instance("loud", "every", Every(), DetectorOptions(cooldown_seconds=60.0))


def finding(severity: Severity = Severity.medium, **fields: Any) -> Finding:
    return Finding(severity=severity, summary=f"{severity.name} thing", **fields)


def cause(clock: float, name: str = "", *, backfill: bool = False) -> Cause:
    return Cause(name or f"e{clock:g}", Event(id=name or f"e{clock:g}", user="u", model="m"), clock, backfill)


def report(book: Book, finding: Finding, cause: Cause, instance: Instance = INSTANCE) -> list[Alert]:
    return book.report(instance, "key", finding, cause)[1]


def test_the_first_finding_is_an_alert_with_all_that_is_known() -> None:
    told = report(Book("t", "a"), finding(value=2.0, baseline=1.0, evidence={"n": 1}, since=3.0), cause(10.0))
    (alert,) = told
    assert (alert.revision, alert.status, alert.count, alert.severity) == (1, "new", 1, Severity.medium)
    assert (alert.tenant, alert.application, alert.key, alert.detector, alert.detector_type) == (
        "t", "a", "key", "loud", "every"
    )  # fmt: skip
    assert (alert.user, alert.model, alert.event_ids) == ("u", "m", ("e10",))
    assert (alert.value, alert.baseline, alert.evidence, alert.since) == (2.0, 1.0, {"n": 1}, 3.0)
    assert (alert.first_seen, alert.last_seen) == (10.0, 10.0)
    assert (alert.owasp, alert.atlas) == (Every.about.owasp, Every.about.atlas)


def test_repeats_only_count_until_the_cooldown_ends() -> None:
    book = Book("t", "a")
    (first,) = report(book, finding(), cause(0.0))
    for clock in range(1, 21):
        assert report(book, finding(Severity.low), cause(float(clock))) == []
    (last,) = book.close("loud\0key")
    assert (last.id, last.revision, last.status, last.count) == (first.id, 2, "updated", 21)
    assert (last.first_seen, last.last_seen, last.severity) == (0.0, 20.0, Severity.medium)
    assert last.event_ids == tuple(f"e{clock}" for clock in range(10))
    assert book.close("loud\0key") == []


def test_nothing_is_told_at_the_end_of_a_cooldown_without_repeats() -> None:
    book = Book("t", "a")
    report(book, finding(), cause(0.0))
    assert book.close("loud\0key") == []


def test_a_rise_of_severity_is_told_at_once_and_a_fall_is_not() -> None:
    book = Book("t", "a")
    report(book, finding(), cause(0.0))
    report(book, finding(), cause(1.0))
    (risen,) = report(book, finding(Severity.critical, value=9.0), cause(2.0))
    assert (risen.revision, risen.status, risen.count, risen.summary) == (2, "updated", 3, "critical thing")
    assert (risen.first_seen, risen.value) == (0.0, 9.0)
    assert report(book, finding(Severity.low), cause(3.0)) == []
    (last,) = book.close("loud\0key")
    assert (last.revision, last.severity, last.count) == (3, Severity.critical, 4)


def test_without_a_cooldown_every_finding_is_an_alert() -> None:
    book, always = Book("t", "a"), Instance("loud", "every", Every(), DetectorOptions(cooldown_seconds=0.0))
    told = [alert for at in range(3) for alert in report(book, finding(), cause(float(at)), always)]
    assert [alert.status for alert in told] == ["new"] * 3 and len({alert.id for alert in told}) == 3
    assert len(book.open) == 0


def test_the_configured_severity_replaces_the_detectors() -> None:
    quiet = Instance("loud", "every", Every(), DetectorOptions(severity="info"))
    book = Book("t", "a")
    assert [alert.severity for alert in report(book, finding(), cause(0.0), quiet)] == [Severity.info]
    assert report(book, finding(Severity.critical), cause(1.0), quiet) == []


def test_a_live_finding_is_not_swallowed_by_an_alert_of_the_backfill() -> None:
    book = Book("t", "a")
    (old,) = report(book, finding(), cause(0.0, backfill=True))
    assert report(book, finding(), cause(1.0, backfill=True)) == []
    closed, live = report(book, finding(), cause(2.0))
    assert (closed.id, closed.count, closed.backfill) == (old.id, 2, True)
    assert (live.status, live.backfill, live.first_seen) == ("new", False, 2.0)


def test_a_full_book_closes_the_oldest_and_swallows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ALERTS", 3)
    book = Book("t", "a")
    told = []
    for number in range(6):
        told += book.report(INSTANCE, f"k{number}", finding(), cause(float(number)))[1]
        told += book.report(INSTANCE, f"k{number}", finding(), cause(float(number), "second"))[1]
    told += book.report(INSTANCE, "k0", finding(Severity.critical), cause(9.0))[1]
    assert [alert.key for alert in told if alert.status == "new"] == [f"k{n}" for n in range(6)] + ["k0"]
    assert [(a.key, a.count) for a in told if a.status == "updated"] == [(f"k{n}", 2) for n in range(4)]
    assert told[-1].severity is Severity.critical


def test_hostile_names_make_no_long_alerts() -> None:
    huge = "x" * 1_000_000
    event = Event(id="e", user=huge, session=huge, agent=huge, model=huge, tool_name=huge, api_key=huge)
    said = Finding(severity=Severity.low, summary=huge, evidence={"name": huge})
    _, (alert,) = Book("t", "a").report(INSTANCE, "key", said, Cause("e", event, 0.0, False))
    told = (alert.user, alert.session, alert.agent, alert.model, alert.summary, str(alert.evidence["name"]))
    assert max(map(len, told)) <= 500


class Endless(Every, frozen=True, kw_only=True):
    """Finds something in every event."""

    about = About("endless", "all", "nothing", ("user",))

    def observe(self, event: Event, signals: object, state: Count) -> Finding | None:
        return finding(Severity.high if event.status == "error" else Severity.low)


def test_revisions_of_one_alert_over_its_life() -> None:
    plan = Plan(
        instances=(Instance("endless", "endless", Endless(), DetectorOptions(cooldown_seconds=60.0)),)
    )
    state = PartitionState.fresh(plan, "log", 0)

    def at(clock: float, offset: int, **fields: Any) -> Unpacked:
        return Unpacked(offset, offset + 1, 1.8e9 + clock, [Event(user="u", **fields)], 1)

    log = [at(0, 0), at(10, 1), at(20, 2, status="error"), at(59, 3), at(60, 4), at(61, 5)]
    batch = step(plan, state, log)
    told = [(a.status, a.revision, a.count, a.log_offset, a.log_index) for a in batch.alerts]
    assert told == [
        ("new", 1, 1, 0, 0),
        ("updated", 2, 3, 2, 0),
        ("updated", 3, 4, 4, 0),  # the cooldown of the first alert ends with the record at 60 s ...
        ("new", 1, 1, 4, 1),  # ... whose event opens the next one
    ]
    assert [(a.revision, a.count, a.log_offset, a.log_index) for a in finish(plan, state).alerts] == [
        (2, 2, 5, 0)
    ]
