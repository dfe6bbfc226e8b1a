"""What the table [reading] accepts, and that a change of it, of rules or of the model is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tocsin import config
from tocsin.contracts import ConfigError
from tocsin.plan import Plan
from tocsin.reading import loaded
from tocsin.reading.scorer import ModelError, Scorer
from tocsin.settings import ContentSettings, ReadingSettings
from tocsin.signals import prepare

PACK = """
family = "X1"
title = "Ours"
[[rule]]
id = "own-open-the-gate"
title = "Asks to open the gate"
patterns = ['open..gate']
positive = ["Please open the old gate"]
negative = ["The gate is open"]
"""


def table(**reading: Any) -> dict[str, Any]:
    return {
        "source": {"type": "file", "paths": ["x"], "format": "native"},
        "sinks": {"console": {}},
        "reading": reading,
    }


def mistakes(**reading: Any) -> list[str]:
    with pytest.raises(ConfigError) as told:
        config.read(table(**reading), {}, embedded=True)
    return list(told.value.mistakes)


def test_own_packs_canaries_and_a_threshold_reach_the_plan(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(PACK)
    given = table(
        rules=[str(tmp_path)], disabled=["own-open-the-gate"], threshold=0.7, canaries={"a": "${T}"}
    )
    plan = config.read(given, {"T": "kestrel-7Qx2"}, embedded=True).plan
    assert plan.reading == ReadingSettings(
        rules=(str(tmp_path),),
        disabled=("own-open-the-gate",),
        threshold=0.7,
        canaries={"a": "kestrel-7Qx2"},
    )


def test_a_pack_with_mistakes_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(PACK.replace("own-open-the-gate", "X"))
    told = mistakes(rules=[str(tmp_path)])
    assert told and all(each.startswith("[reading] rules: ") and "own.toml" in each for each in told)
    assert mistakes(rules=[str(tmp_path / "nowhere")])[0].startswith("[reading] rules: ")


def test_an_unknown_rule_is_told_with_the_nearest() -> None:
    (told,) = mistakes(disabled=["override-previous-instruction"])
    assert told == (
        "[reading] disabled: no rule 'override-previous-instruction'; "
        "did you mean 'override-previous-instructions'?"
    )


@pytest.mark.parametrize("token", ["short", "two words", "x" * 129, ""])
def test_a_canary_is_one_word_of_some_length(token: str) -> None:
    assert "canaries" in mistakes(canaries={"a": token})[0]


@pytest.mark.parametrize("threshold", [0, 1, -1, "much"])
def test_a_threshold_lies_between_nothing_and_one(threshold: Any) -> None:
    assert "threshold" in mistakes(threshold=threshold)[0]


def test_the_hash_of_a_plan_changes_with_rules_and_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.toml").write_text(PACK)
    own = Plan(reading=ReadingSettings(rules=(str(tmp_path),)))
    hashes = {Plan().config_hash, own.config_hash, Plan(reading=ReadingSettings(enabled=False)).config_hash}
    loaded.fingerprint.cache_clear()
    (tmp_path / "own.toml").write_text(PACK.replace("old gate", "new gate"))
    hashes.add(own.config_hash)
    loaded.fingerprint.cache_clear()
    monkeypatch.setattr(loaded, "MODEL", tmp_path / "model.npz")
    (tmp_path / "model.npz").write_bytes(b"another model")
    hashes.add(Plan().config_hash)
    loaded.fingerprint.cache_clear()
    assert len(hashes) == 5
    monkeypatch.undo()
    assert Plan().config_hash in hashes


def test_a_damaged_model_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged() -> None:
        raise ModelError("its digest is another")

    monkeypatch.setattr(Scorer, "load", damaged)
    with pytest.raises(ConfigError, match=r"\[reading\] the model cannot be read: its digest is another"):
        prepare(ContentSettings(key="of this test alone"), ReadingSettings())
    prepare(ContentSettings(mode="none"), ReadingSettings())
    prepare(ContentSettings(), ReadingSettings(enabled=False))
