"""Golden payloads become what is written next to them, and no two formats claim the same document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from parts.golden import GOLDEN, Case, cases, plain

from ingest import DECODERS
from ingest.fingerprints import Format
from ingest.recognise import Recogniser

CASES = list(cases())
NAMES = [case.path.relative_to(GOLDEN).as_posix() for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_golden_payloads_become_these_events(case: Case) -> None:
    found = [Recogniser().look(record) for record in case.records()]
    assert [plain(item) for each in found for item in each.items] == case.expected()
    if case.folder in DECODERS:
        assert {parser for each in found for parser in each.parsers} <= {case.folder}
    if case.folder.startswith("envelopes/"):
        assert all(f"envelope:{case.path.parent.name}" in each.layers for each in found)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_a_forced_format_reads_the_same(case: Case) -> None:
    for record in case.records():
        found = Recogniser().look(record)
        for parser in found.parsers if len(found.parsers) == 1 else ():
            forced = Recogniser(only=parser).look(record)
            assert (forced.items, forced.ignored) == (found.items, found.ignored)


def test_no_input_is_without_its_output() -> None:
    assert [case.path.name for case in CASES if not case.out.exists()] == []
    assert {path for path in GOLDEN.rglob("*.out.json")} == {case.out for case in CASES}


def documents(case: Case) -> Iterator[dict[str, Any]]:
    """What stands in a payload, at any place where a format is asked for."""
    for record in case.records():
        try:
            yield from inside(json.loads(record), 6)
        except ValueError:
            continue


def inside(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    if isinstance(value, str) and value[:1] in "{[" and depth:
        try:
            yield from inside(json.loads(value), depth - 1)
        except ValueError:
            return
    if isinstance(value, dict | list) and depth:
        for inner in value.values() if isinstance(value, dict) else value:
            yield from inside(inner, depth - 1)


def formats() -> list[Format]:
    return list(Recogniser()._formats)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_at_most_one_format_fits_a_document(case: Case) -> None:
    for document in documents(case):
        fitting = [each.name for each in formats() if each.fits(document)]
        assert len(fitting) <= 1, (fitting, list(document)[:12])


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_a_document_has_a_mark_of_its_format(case: Case) -> None:
    for document in documents(case):
        for each in formats():
            assert not (each.marks and each.fits(document)) or not each.marks.isdisjoint(document), each.name


def test_the_format_that_was_asked_last_changes_nothing() -> None:
    every = [record for case in CASES for record in case.records()]
    alone = [msgspec.msgpack.encode(Recogniser().look(record)) for record in every]
    recogniser = Recogniser()
    forwards = [msgspec.msgpack.encode(recogniser.look(record)) for record in every]
    backwards = [msgspec.msgpack.encode(recogniser.look(record)) for record in reversed(every)]
    assert forwards == alone and backwards == alone[::-1]


def test_documents_of_two_formats_at_once_are_read_alike_whatever_came_before() -> None:
    """Keys of two formats in one document: nobody writes that, but somebody may send it."""
    few: dict[str, dict[str, Any]] = {}
    for case in CASES:
        for document in documents(case):
            for each in formats():
                if each.fits(document):
                    few.setdefault(each.name, document)
    mixed = [json.dumps(one | other).encode() for one in few.values() for other in few.values()]
    recogniser = Recogniser()
    for value in mixed:
        alone = Recogniser().look(value)
        for before in few.values():
            recogniser.look(json.dumps(before).encode())
            assert recogniser.look(value) == alone
