"""Calls that went on are remembered for a while, in bounded room, and over a restore."""

from __future__ import annotations

from tocsin.merging import Held
from tocsin.model import Event, Signals
from tocsin.passed import COMPARED, PAGE, PASSED_SECONDS, Passed
from tocsin.report import Report

LIMIT = 4 * PAGE


def report(number: int, response: str = "") -> Report:
    event = Event(
        trace_id=f"t{number}",
        span_id="s",
        join=f"t{number}:s",
        response_id=response or f"r{number}",
        time=1e9 + number,
        model="m",
    )
    return Held(event, Signals()).report()


def filled(passed: Passed, numbers: range, *, apart: float = 0.0) -> Passed:
    for number in numbers:
        passed.add(one := report(number), one.keys()[0], 1e9 + apart * number)
    return passed


def known(passed: Passed, numbers: range) -> list[bool]:
    return [passed.find(one := report(number), one.keys()[1]) is not None for number in numbers]


def test_the_last_ones_are_known_and_the_first_forgotten() -> None:
    passed = filled(Passed(LIMIT), range(20 * PAGE))
    newest = range(20 * PAGE - LIMIT, 20 * PAGE)
    assert all(known(passed, newest)) and not any(known(passed, range(PAGE)))
    assert len(passed._by_name) <= 3 * (LIMIT + 2 * PAGE)


def test_old_ones_are_forgotten_where_there_is_room() -> None:
    passed = filled(Passed(LIMIT), range(PAGE))
    one = report(PAGE)
    passed.add(one, one.keys()[0], 1e9 + PASSED_SECONDS)
    assert all(known(passed, range(PAGE)))
    later = filled(Passed(LIMIT), range(PAGE))
    later.add(one, one.keys()[0], 1e9 + PASSED_SECONDS + 1)
    assert not any(known(later, range(PAGE)))


def test_many_under_one_name_are_compared_with_the_newest_only() -> None:
    passed = Passed(LIMIT)
    for number in range(3 * COMPARED):
        one = report(number, "constant")
        passed.add(one, one.keys()[0], 1e9)
    assert len(passed._by_name["constant"]) == COMPARED  # type: ignore[arg-type]
    for number in range(3 * COMPARED, 3 * LIMIT):
        one = report(number, "constant")
        passed.add(one, one.keys()[0], 1e9)
    assert len(passed._by_name["constant"]) == COMPARED  # type: ignore[arg-type]


def test_a_restored_memory_answers_the_same() -> None:
    passed = filled(Passed(LIMIT), range(9 * PAGE + 7))
    again = Passed(LIMIT)
    kept = [passed.pages.keep(entry) for _, entry in passed.pages.items()]
    again.pages.restore(passed.pages.head(), kept)
    again.restored()
    assert again._by_name.keys() == passed._by_name.keys()
    for each in (passed, again):
        filled(each, range(9 * PAGE + 7, 12 * PAGE))
    assert known(again, range(12 * PAGE)) == known(passed, range(12 * PAGE))
    assert again.pages.head() == passed.pages.head()
