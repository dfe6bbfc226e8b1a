"""The limiter pauses what is almost all undecodable, and nothing else."""

from __future__ import annotations

from tocsin.limiter import Limiter
from tocsin.model import REASONS, Event, Partition, Reject
from tocsin.settings import QuarantineSettings

HERE, THERE = Partition("llm", 0), Partition("llm", 1)
SETTINGS = QuarantineSettings(limit_records=10, limit_ratio=0.5)
BROKEN = [Reject(reason="undecodable")]
GOOD = [Event(time=1.75e9)]


def noted(limiter: Limiter, items: list[list[Event | Reject]], partition: Partition = HERE) -> list[int]:
    """After which of these records the partition was paused."""
    return [at for at, each in enumerate(items, 1) if limiter.note(partition, each)]


def records(pattern: str) -> list[list[Event | Reject]]:
    return [[*BROKEN] if each == "x" else [*GOOD] for each in pattern]


def test_a_partition_is_paused_once_its_window_is_full_and_too_bad() -> None:
    limiter = Limiter(SETTINGS)
    assert noted(limiter, records("x" * 30)) == [10]
    assert limiter.paused == {HERE}


def test_the_ratio_itself_is_not_too_bad() -> None:
    limiter = Limiter(SETTINGS)
    assert noted(limiter, records("x." * 50)) == []
    assert noted(limiter, records("x")) == []  # takes the place of an `x`
    assert noted(limiter, records("x")) == [1]  # takes the place of a `.`


def test_only_the_last_records_count() -> None:
    limiter = Limiter(SETTINGS)
    assert noted(limiter, records("xxxxx" + "." * 10 + "xxxxx")) == []
    assert noted(limiter, records("x")) == [1]


def test_a_good_record_never_pauses() -> None:
    limiter = Limiter(SETTINGS)
    assert noted(limiter, records("xxxxxxxxx" + ".")) == []
    assert noted(limiter, records("x")) == [1]


def test_partitions_are_judged_apart() -> None:
    limiter = Limiter(SETTINGS)
    for _ in range(20):
        limiter.note(HERE, [*BROKEN])
        limiter.note(THERE, [*GOOD])
    assert limiter.paused == {HERE}


def test_shapes_that_are_unknown_are_no_fault_of_the_source() -> None:
    limiter = Limiter(SETTINGS)
    for reason in REASONS.keys() - {"undecodable"}:
        assert noted(limiter, [[Reject(reason=reason)]] * 20) == []
    assert noted(limiter, [[]] * 20) == []


def test_a_record_that_is_read_in_part_is_decodable() -> None:
    limiter = Limiter(SETTINGS)
    assert noted(limiter, [[*BROKEN, *GOOD]] * 20) == []
    assert noted(limiter, [[*GOOD, *BROKEN]] * 20) == []
    assert noted(limiter, [[*BROKEN, *BROKEN]] * 20) == [6]


def test_resume_starts_the_window_anew() -> None:
    limiter = Limiter(SETTINGS)
    noted(limiter, records("x" * 10))
    assert limiter.resume() == {HERE} and limiter.paused == frozenset()
    assert noted(limiter, records("x" * 30)) == [10]
    assert limiter.resume() == {HERE} and limiter.resume() == frozenset()


def test_resume_keeps_the_windows_of_others() -> None:
    limiter = Limiter(SETTINGS)
    noted(limiter, records("x" * 10))
    noted(limiter, records("x" * 9), THERE)
    limiter.resume()
    assert noted(limiter, records("x"), THERE) == [1]


def test_what_is_somebody_elses_is_forgotten() -> None:
    limiter = Limiter(SETTINGS)
    noted(limiter, records("x" * 10))
    limiter.forget(HERE)
    assert limiter.paused == frozenset() and limiter.resume() == frozenset()
    limiter.forget(THERE)  # never seen


def test_a_ratio_of_one_never_pauses() -> None:
    limiter = Limiter(QuarantineSettings(limit_records=10, limit_ratio=1.0))
    assert noted(limiter, records("x" * 100)) == []
