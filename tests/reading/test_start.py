"""What is compiled is compiled before the first record: in the loop the watchdog would not wait for it."""

from __future__ import annotations

import sys
from pathlib import Path

from numba.core.dispatcher import Dispatcher

from tocsin.reading.step import Reader
from tocsin.settings import ReadingSettings

ROOT = Path(__file__).parents[2]


def signatures() -> dict[str, int]:
    """For how many kinds of arguments each function of the reading step is compiled."""
    return {
        f"{name}.{function}": len(value.signatures)
        for name, module in list(sys.modules.items())
        if name.startswith("tocsin.reading.")
        for function, value in vars(module).items()
        if isinstance(value, Dispatcher)
    }


def test_texts_of_every_kind_compile_nothing_that_the_start_has_not() -> None:
    reader = Reader(ReadingSettings(), "key")
    before = signatures()
    assert any(before.values())
    pages = [path.read_text() for path in sorted((ROOT / "tests/reading/texts").glob("*.txt"))]
    pages += [path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))]
    lines = [line for page in pages for line in page.splitlines()]
    hostile = ["", "\0", "\ud800", "a" * 100_000, "\u202e\u200b" * 500, "QUJD" * 5000, "🎉" * 300]
    reader.sketches([*pages, *lines[::5], *hostile])
    assert signatures() == before
