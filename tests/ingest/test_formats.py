"""The table of formats is what the registry and the golden payloads say."""

from __future__ import annotations

import pytest
from parts.golden import GOLDEN

from ingest import DECODERS, formats
from ingest.envelopes import SHIPPERS


@pytest.mark.parametrize("name", formats.PAGES)
def test_the_table_on_a_page_is_generated(name: str) -> None:
    text = (formats.ROOT / name).read_text()
    assert formats.BEGIN in text and formats.END in text
    assert formats.page(text) == text, "run `make docs`"


def test_every_format_says_what_its_support_rests_on() -> None:
    for row in formats.rows():
        assert row.title and (row.golden or row.evidence in (formats.RECORDED, formats.DOCUMENTED)), row


def test_a_format_that_nobody_recorded_has_golden_payloads() -> None:
    without = [row.name for row in formats.rows() if row.evidence != formats.RECORDED and not row.golden]
    assert without == []


def test_every_format_and_every_envelope_is_in_the_table() -> None:
    assert [row.name for row in formats.rows() if row.name] == [name for name in DECODERS if name != "auto"]
    folders = {path.name for path in (GOLDEN / "envelopes").iterdir()}
    assert folders == set(formats.ENVELOPES) and all(formats.golden(f"envelopes/{name}") for name in folders)
    assert {name for name, _ in SHIPPERS} <= folders
