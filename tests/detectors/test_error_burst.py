from __future__ import annotations

from collections.abc import Iterable
from random import Random

from detectors.error_burst import ErrorBurst
from tocsin.model import Event, Finding, Severity, Signals, Status

START = 1_750_000_200.0


def told(outcomes: Iterable[Status], gap: float = 10.0, detector: ErrorBurst | None = None) -> list[Finding]:
    detector = detector or ErrorBurst()
    state = detector.start()
    heard = (
        detector.observe(Event(session="s", arrival=START + number * gap, status=status), Signals(), state)
        for number, status in enumerate(outcomes)
    )
    return [finding for finding in heard if finding]


def ok(count: int) -> list[Status]:
    return ["ok"] * count


def bad(count: int, status: Status = "error") -> list[Status]:
    return [status] * count


def test_a_session_without_a_name_is_its_principals() -> None:
    detector = ErrorBurst()
    assert detector.key(Event(session="s", user="u")) == "session:s"
    assert detector.key(Event(user="u", kind="tool")) == "user:u"
    assert detector.key(Event()) is None


def test_a_burst_of_errors_is_told_with_both_shares() -> None:
    (finding,) = told([*ok(60), *bad(20)])
    assert finding.severity is Severity.medium
    assert finding.value is not None and finding.value >= 0.5
    assert finding.baseline is not None and finding.baseline < 0.05
    assert finding.evidence["refusals"] == 0


def test_refusals_weigh_more_than_errors() -> None:
    found = told([*ok(3), *bad(12, "refused"), *bad(14, "blocked")])
    assert [finding.severity for finding in found] == [Severity.medium, Severity.high, Severity.high]


def test_a_refusal_in_the_text_or_finish_reason_counts() -> None:
    detector = ErrorBurst()
    for event, signals in (
        (Event(finish_reason="content_filter"), Signals()),
        (Event(), Signals(refusal=True)),
    ):
        state = detector.start()
        found = [detector.observe(event, signals, state) for _ in range(6)]
        assert found[-1] is not None and found[-1].evidence["refusals"] == 6


def test_few_failures_are_not_told() -> None:
    assert not told([*ok(30), *bad(5)])


def test_a_session_that_always_fails_a_little_is_not_told() -> None:
    random = Random(1)
    assert not told(["error" if random.random() < 0.2 else "ok" for _ in range(3000)])


def test_what_is_usual_for_a_session_is_told_only_where_it_is_much() -> None:
    """A client that fails four times in five, ten times in five minutes: told once, then usual."""
    outcomes: list[Status] = ["ok" if number % 5 == 0 else "error" for number in range(2000)]
    few, many = told(outcomes, gap=30.0), told(outcomes, gap=5.0)
    assert 0 < len(few) <= 12
    assert len(many) > len(few)


def test_failures_out_of_the_window_are_history() -> None:
    assert not told([s for _ in range(10) for s in (*bad(2), *ok(1))], gap=290.0)


def test_a_long_burst_is_told_whenever_it_doubles() -> None:
    found = told([*ok(20), *bad(200)], gap=1.0)
    failures = [int(finding.evidence["failures"]) for finding in found]
    assert all(later >= 2 * earlier for earlier, later in zip(failures, failures[1:], strict=False))
    assert 2 <= len(found) <= 6
