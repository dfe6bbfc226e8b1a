"""Packs of the user's own: what they may say, and what is told of mistakes in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tocsin.__main__ import main
from tocsin.commands.rules import failures
from tocsin.contracts import ConfigError
from tocsin.model import Role
from tocsin.reading import pack
from tocsin.reading.rules import HIDING, Rules
from tocsin.reading.views import NAMES, look

HEAD = 'family = "X1"\ntitle = "Ours"\n'
RULE = """
[[rule]]
id = "own-{name}"
title = "Something of our own"
{said}
positive = ["x"]
negative = ["y"]
"""
PAGE = (Path(__file__).parents[2] / "docs" / "reading.md").read_text()


def written(folder: Path, *said: str) -> Path:
    rules = "".join(RULE.format(name=f"r{at}", said=each) for at, each in enumerate(said))
    (folder / "own.toml").write_text(HEAD + rules)
    return folder


def flags(folder: Path, text: str, role: Role | None = None) -> bool:
    return bool(Rules(pack.load([folder], own_only=True)).match(look(text).views, role)[0])


def test_the_example_of_the_page_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (told,) = [
        each
        for each in re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
        if "[[rule]]" in each
    ]
    (tmp_path / "own.toml").write_text(told)
    monkeypatch.setattr(pack, "shipped", list)
    ready = pack.load([tmp_path])
    assert failures(ready) == []
    assert main(["rules", "test", "--rules", str(tmp_path)]) == 0
    assert "1 rules, 2 examples, 0 failed" in capsys.readouterr().out
    assert main(["rules", "list", "X1", "--rules", str(tmp_path)]) == 0
    assert "own-open-the-gate" in capsys.readouterr().out
    assert main(["rules", "explain", "own-open-the-gate", "--rules", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    for said in ("severity high", "weight 0.6", "{open}..gate", "unless close by: garden", "user, tool"):
        assert said in told
    for said in (
        "LLM01:2026",
        "AML.T0051",
        "misses: everything",
        "flags: 'Please",
        "leaves alone: 'The gate",
    ):
        assert said in told


def test_an_example_that_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pack, "shipped", list)
    written(tmp_path, "patterns = ['yes']")
    assert main(["rules", "test", "--rules", str(tmp_path)]) == 1
    assert "own-r0: positive example 1 does not match" in capsys.readouterr().err


def test_terms_stand_together_within_their_window(tmp_path: Path) -> None:
    written(tmp_path, "all = ['gate', 'open']\nwithin = 20")
    assert flags(tmp_path, "open that old gate") and flags(tmp_path, "a gate to open")
    assert not flags(tmp_path, "open this door here, and then leave by the gate")


def test_what_stands_close_by_takes_a_hit_back_and_roles_and_views_limit_it(tmp_path: Path) -> None:
    written(
        tmp_path, "patterns = ['open the gate']\nunless = ['garden']\nroles = ['tool']\nviews = ['base64']"
    )
    hidden, tame = "b3BlbiB0aGUgZ2F0ZSBub3cgcGxlYXNl", "b3BlbiB0aGUgZ2F0ZSBvZiB0aGUgZ2FyZGVu"
    assert flags(tmp_path, hidden, "tool") and not flags(tmp_path, hidden, "user")
    assert not flags(tmp_path, "open the gate", "tool") and not flags(tmp_path, tame, "tool")


def test_two_rules_of_terms_are_told_apart_where_there_are_no_others(tmp_path: Path) -> None:
    written(tmp_path, "all = ['gate', 'open']", "all = ['door', 'shut']")
    rules = Rules(pack.load([tmp_path], own_only=True))
    for text, wanted in (
        ("open gate", {"own-r0"}),
        ("open gate, shut door", {"own-r0", "own-r1"}),
        ("open door", set()),
    ):
        assert {hit.rule.id for hit in rules.match(look(text).views)[0]} == wanted


@pytest.mark.parametrize(
    "pattern", [r"(\(a\+)+b", "([+*])+b", "(a{3})*b", "(?:[a-z]{1,9} ){0,3}b", r"[\]+]+(x)+b"]
)
def test_repeats_that_end_are_no_mistake(tmp_path: Path, pattern: str) -> None:
    assert pack.load([written(tmp_path, f"literal = true\npatterns = ['{pattern}']")], own_only=True)


def test_every_view_has_its_name() -> None:
    assert {*NAMES} == {"raw", *HIDING}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "patterns = ['open the gate']\nviews = ['base46']",
            "no view is called 'base46'; did you mean 'base64'?",
        ),
        ("patterns = ['open {gate}']", "no words are named 'gate'"),
        ("patterns = ['open']\nall = ['a', 'b']", "either patterns or all"),
        ("patterns = ['open(']", "missing )"),
        ("patterns = ['open(?=x)']", "assertions are not supported"),
        ("patterns = ['(a)b\\1']", "Back-references are unsupported"),
        ("literal = true\npatterns = ['(a+)+b']", "a group that repeats without end holds a repeat"),
        ("literal = true\npatterns = ['(?:[+*]x{2,3}(y|z))*b']", "a group that repeats without end"),
        ("patterns = ['open']\nweight = 2.0", "Expected `float` <= 1.0"),
        ("patterns = ['open']\nseverty = 'high'", "unknown field `severty`; did you mean 'severity'?"),
        ("patterns = ['open']\nroles = ['usr']", "Invalid enum value 'usr'"),
        (
            "patterns = ['open']\nowasp = ['LLM01-2026']",
            "'LLM01-2026' is in no taxonomy; did you mean 'LLM01:2026'?",
        ),
    ],
)
def test_a_mistake_is_told_with_file_rule_and_remedy(tmp_path: Path, said: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        pack.load([written(tmp_path, said)], own_only=True)
    (mistake,) = raised.value.mistakes
    assert mistake.startswith(str(tmp_path / "own.toml")) and told in mistake


def test_what_takes_a_hit_back_has_to_be_an_expression(tmp_path: Path) -> None:
    written(tmp_path, "patterns = ['open..gate']\nunless = ['gard(en']")
    with pytest.raises(ConfigError, match=r"rule 'own-r0': missing \), unterminated subpattern"):
        pack.load([tmp_path], own_only=True)


def test_all_mistakes_of_all_rules_are_told_together(tmp_path: Path) -> None:
    written(tmp_path, "patterns = ['{a}']", "patterns = ['x(']", "patterns = ['x']\nseverty = 'low'")
    (tmp_path / "other.toml").write_text("family = 'X'\n[[rule]\n")
    with pytest.raises(ConfigError) as raised:
        pack.load([tmp_path], own_only=True)
    assert len(raised.value.mistakes) == 4


def test_a_folder_without_rules_and_an_id_that_is_taken_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no rules"):
        pack.load([tmp_path])
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(ConfigError, match="folder.toml: Is a directory"):
        pack.load([tmp_path])
    (tmp_path / "folder.toml").rmdir()
    written(tmp_path, "patterns = ['open']")
    (tmp_path / "twice.toml").write_text((tmp_path / "own.toml").read_text())
    with pytest.raises(ConfigError, match="give it another id"):
        pack.load([tmp_path], own_only=True)
