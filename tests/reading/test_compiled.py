"""Compiled functions do what their Python says, and are compiled again when what they call changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.reading import compiled

FOLDER = Path(compiled.__file__).parent


def twice(number: int) -> int:
    return 2 * number


def test_a_compiled_function_returns_what_the_plain_one_does() -> None:
    assert compiled.compiled(twice)(21) == twice(21)


def test_what_is_kept_is_known_by_the_sources_of_all_compiled_functions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = compiled._keyed(twice).__closure__[0].cell_contents
    assert compiled._keyed(twice).__closure__[0].cell_contents == before
    monkeypatch.setattr(compiled, "_sources", lambda: "others")
    assert compiled._keyed(twice).__closure__[0].cell_contents == "others" != before


def test_every_module_with_compiled_functions_is_a_source() -> None:
    some = {path.stem for path in FOLDER.glob("*.py") if "@compiled\n" in path.read_text(encoding="utf-8")}
    assert some < set(compiled.SOURCES)
