"""Compiled databases come back from disk as they were, and never from where others may write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tocsin.reading import kept

hyperscan = pytest.importorskip("hyperscan")
EXPRESSIONS = [b"ab+c", b"needle" + b"(?:" + b"|".join(b"w%05d" % n for n in range(2000)) + b")?"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "tocsin"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many expressions were compiled, each time."""
    counts: list[int] = []
    compile_ = kept._compiled

    def count(hs: Any, expressions: Any, flags: Any) -> Any:
        counts.append(len(expressions))
        return compile_(hs, expressions, flags)

    monkeypatch.setattr(kept, "_compiled", count)
    return counts


def found(database: Any) -> list[int]:
    told: list[int] = []
    scratch = hyperscan.Scratch(database)
    database.scan(
        b"xx abbc needle", match_event_handler=lambda number, *_: told.append(number), scratch=scratch
    )
    return sorted(set(told))


def test_a_database_is_compiled_once_and_finds_the_same_when_it_comes_back(
    folder: Path, compiled: list[int]
) -> None:
    first = kept.database(EXPRESSIONS, [0, 0])
    again = kept.database(EXPRESSIONS, [0, 0])
    assert found(first) == found(again) == [0, 1]
    assert compiled == [2]
    assert [path.stat().st_mode & 0o777 for path in folder.glob("*.hs")] == [0o600]


def test_other_expressions_or_flags_are_another_database(folder: Path, compiled: list[int]) -> None:
    kept.database(EXPRESSIONS, [0, 0])
    kept.database(EXPRESSIONS, [hyperscan.HS_FLAG_CASELESS, 0])
    kept.database([b"abd", EXPRESSIONS[1]], [0, 0])
    assert compiled == [2, 2, 2] and len(list(folder.glob("*.hs"))) == 3


@pytest.mark.parametrize("damage", [b"", b"short", bytes(4096)])
def test_a_damaged_file_is_compiled_again(folder: Path, compiled: list[int], damage: bytes) -> None:
    kept.database(EXPRESSIONS, [0, 0])
    (path,) = folder.glob("*.hs")
    path.write_bytes(damage)
    assert found(kept.database(EXPRESSIONS, [0, 0])) == [0, 1]
    assert compiled == [2, 2]
    kept.database(EXPRESSIONS, [0, 0])
    assert compiled == [2, 2]


def test_where_others_may_write_nothing_is_kept(folder: Path, compiled: list[int]) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    kept.database(EXPRESSIONS, [0, 0])
    kept.database(EXPRESSIONS, [0, 0])
    assert compiled == [2, 2] and not list(folder.glob("*"))


def test_where_no_folder_can_be_made_each_start_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: list[int]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert found(kept.database(EXPRESSIONS, [0, 0])) == [0, 1]
    assert compiled == [2]


def test_old_files_make_room(folder: Path) -> None:
    kept.database(EXPRESSIONS, [0, 0])
    for number in range(kept.MOST + 5):
        (folder / f"{number}.hs").write_bytes(b"")
    kept.database(EXPRESSIONS, [hyperscan.HS_FLAG_CASELESS, 0])
    assert len(list(folder.glob("*.hs"))) == kept.MOST


def test_a_small_database_is_not_worth_a_file(folder: Path) -> None:
    assert found(kept.database([b"ab+c"], [0])) == [0]
    assert not folder.exists()


def test_tables_are_made_once_and_come_back_as_they_were(folder: Path) -> None:
    texts, made = ["x" * 20_000, "y"], []

    def make() -> kept.Arrays:
        made.append(1)
        return {"numbers": np.arange(5, dtype=np.int32), "none": np.zeros((0, 3))}

    for _ in range(2):
        arrays = kept.tables(texts, ["kept"], make)
        assert arrays["numbers"].tolist() == [0, 1, 2, 3, 4] and arrays["numbers"].dtype == np.int32
        assert arrays["none"].shape == (0, 3)
    assert len(made) == 1
    kept.tables([*texts, "z"], ["kept"], make)
    kept.tables(texts, ["kept", "views"], make)
    assert len(made) == 3
    for path in folder.glob("*.npz"):
        path.write_bytes(path.read_bytes()[:-1])
    assert kept.tables(texts, ["kept"], make)["numbers"].tolist() == [0, 1, 2, 3, 4]
    assert len(made) == 4


def test_small_tables_are_not_worth_a_file(folder: Path) -> None:
    assert kept.tables(["x"], ["kept"], lambda: {"one": np.ones(1)})["one"].tolist() == [1.0]
    assert not folder.exists()
