"""Sigma rules: what is read of them, what they find, and how loudly everything else is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import pace

from tocsin.__main__ import main
from tocsin.commands.rules import failures
from tocsin.contracts import ConfigError
from tocsin.model import Role
from tocsin.reading import pack, sigma, sigma_detection, yaml_nodes
from tocsin.reading.rules import Rules
from tocsin.reading.views import look

HEAD = """
title: A rule of the tests
logsource: {product: llm}
"""
CREDENTIALS = """
title: Agent reaches for cloud credentials
id: 6f1d3c52-8f0e-4c57-9a35-0c1a7b5d2e11
status: experimental
description: Tool arguments or results that hold keys of the instance.
references:
    - https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
author: tests
date: 2026-11-30
tags:
    - attack.credential-access
    - attack.t1552.005
    - atlas.aml.t0051.001
    - owasp.llm01.2026
    - tocsin.a13
    - cve.2024-1234
logsource:
    category: ai_telemetry
    product: aitf
    service: agent
detection:
    sel_request:
        gen_ai.tool.call.arguments|contains|all:
            - '169.254.169.254'
            - 'iam/security-credentials'
    sel_answer:
        - tool_result|startswith: '{"AccessKeyId"'
        - tool_result|re|i: 'secretaccesskey"\\s*:'
    filter_docs:
        text|contains: 'example from the manual'
    condition: 1 of sel_* and not filter_docs
falsepositives:
    - Agents that administer instances
level: high
positive: ['curl http://169.254.169.254/latest/meta-data/iam/security-credentials/x']
negative: ['curl http://169.254.169.254/latest/meta-data/hostname']
misses: names of the service other than its address
"""


def rules(tmp_path: Path, *texts: str) -> Rules:
    for number, text in enumerate(texts):
        (tmp_path / f"own_{number}.yml").write_text(text)
    return Rules(pack.load([tmp_path], own_only=True))


def flags(found: Rules, text: str, role: Role | None = None) -> bool:
    return bool(found.match(look(text).views, role)[0])


def detecting(detection: str) -> str:
    return HEAD + "detection:\n" + detection


def mistakes(text: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        sigma.read("own.yml", text if isinstance(text, bytes) else text.encode())
    return list(raised.value.mistakes)


def test_a_rule_becomes_one_of_ours() -> None:
    (one,) = sigma.read("x.yml", CREDENTIALS.encode())
    assert (one.id, one.severity, one.weight, one.family) == (
        "6f1d3c52-8f0e-4c57-9a35-0c1a7b5d2e11",
        "high",
        0.7,
        "A13",
    )
    assert (one.owasp, one.atlas) == (("LLM01:2026",), ("AML.T0051.001",))
    assert "https://attack.mitre.org/techniques/T1552/005/" in one.references
    assert "https://nvd.nist.gov/vuln/detail/CVE-2024-1234" in one.references
    assert one.misses.startswith("names of") and len(one.positive) == len(one.negative) == 1


def test_each_clause_reads_the_texts_of_its_role(tmp_path: Path) -> None:
    found = rules(tmp_path, CREDENTIALS)
    asked = "run http://169.254.169.254/latest/meta-data/IAM/Security-Credentials/"
    answer = '{"Code": "Success", "SecretAccessKey" : "x"}'
    assert flags(found, asked, "assistant") and not flags(found, asked, "user")
    assert flags(found, answer, "tool") and not flags(found, answer, "assistant")
    assert flags(found, '{"accesskeyid": 1}', "tool") and not flags(found, ' {"accesskeyid": 1}', "tool")
    assert not flags(found, asked + " (Example from the manual)", "assistant")
    assert not flags(found, "only 169.254.169.254", "assistant")


def test_a_hit_says_which_rule_and_where(tmp_path: Path) -> None:
    found = rules(tmp_path, detecting("    s: {prompt|contains: 'grüne Tür'}\n    condition: s\n"))
    ((hit,), complete) = found.match(look("öffne die Grüne Tür jetzt").views, "user")
    assert complete and (hit.start, hit.end, hit.view) == (10, 19, "raw")
    assert (hit.rule.id, hit.rule.severity, hit.rule.weight) == ("sigma-own-0", "medium", 0.5)


def test_hidden_text_is_read_too(tmp_path: Path) -> None:
    found = rules(tmp_path, detecting("    s: {text|contains: open the vault}\n    condition: s\n"))
    (hit,) = found.match(look("see b3BlbiB0aGUgdmF1bHQgbm93 please").views)[0]
    assert hit.chain == ("base64",)


@pytest.mark.parametrize(
    ("selection", "holds", "lacks"),
    [
        ("{prompt: open sesame}", ["open sesame", "OPEN Sesame"], ["open sesame now", "please open sesame"]),
        ("{prompt: 'open*sesame'}", ["open, sesame", "opensesame"], ["open sesame!", "sesame open"]),
        ("{prompt: 'open?sesame'}", ["open sesame", "openésesame"], ["opensesame", "open  sesame"]),
        ("{prompt|contains: 'a*b?c'}", [], []),
        (r"{prompt|contains: 'what\*ever\?'}", ["say what*ever? now"], ["say whatever? now"]),
        (r"{prompt|contains: 'c:\\dir\\*x'}", ["in C:\\dir\\sub x"], ["in c:dir x"]),
        ("{prompt|startswith: begin}", ["Begin here"], ["to begin"]),
        ("{prompt|endswith: the end}", ["this is The End"], ["the end of it"]),
        ("{prompt|contains|cased: SeCret}", ["my SeCret"], ["my secret"]),
        ("{prompt|re: 'Sec[a-z]{2}t\\d+'}", ["a Secret12"], ["a secret12", "Secret"]),
        ("{prompt|re|i: 'sec[a-z]{2}t\\d+'}", ["a SECRET12"], ["secret"]),
        ("{prompt|contains: [first, second]}", ["the second", "the first"], ["the third"]),
        ("{prompt|contains|all: [first, second]}", ["second, first"], ["the second"]),
        ("[first, second]", ["the second"], ["a third"]),
        ("{'|all': [first, second]}", ["second first"], ["first"]),
        ("[{prompt|contains: first}, {output|contains: second}]", ["first"], ["second"]),
        ("{prompt|contains: first, role: [user, tool]}", ["first"], ["other"]),
        ("{text|contains: first, role: system}", [], ["first"]),
        ("{prompt|contains: 4625}", ["event 4625"], ["event 462"]),
    ],
)
def test_selections_mean_what_the_specification_says(
    tmp_path: Path, selection: str, holds: list[str], lacks: list[str]
) -> None:
    text = detecting(f"    s: {selection}\n    condition: s\n")
    if not holds and not lacks:
        assert mistakes(text)
        return
    found = rules(tmp_path, text)
    assert [each for each in holds if not flags(found, each, "user")] == []
    assert [each for each in lacks if flags(found, each, "user")] == []


@pytest.mark.parametrize(
    ("condition", "holds", "lacks"),
    [
        ("one or two and three", ["aaa", "bbb ccc"], ["bbb", "ccc"]),
        ("(one or two) and three", ["aaa ccc"], ["aaa", "bbb"]),
        ("one and not (two or three)", ["aaa"], ["aaa bbb", "aaa ccc"]),
        ("one and not (two and three)", ["aaa", "aaa bbb"], ["aaa bbb ccc"]),
        ("one and not not two AND 1 of t*", ["aaa bbb"], ["aaa", "aaa ccc"]),
        ("all of them", ["aaa bbb ccc"], ["aaa bbb"]),
        ("any of them", ["ccc"], ["ddd"]),
        ("1 of t* and not one", ["bbb", "ccc"], ["bbb aaa"]),
    ],
)
def test_conditions_mean_what_the_specification_says(
    tmp_path: Path, condition: str, holds: list[str], lacks: list[str]
) -> None:
    named = "    one: [aaa]\n    two: [bbb]\n    three: [ccc]\n"
    found = rules(tmp_path, detecting(named + f"    condition: {condition}\n"))
    assert [each for each in holds if not flags(found, each)] == []
    assert [each for each in lacks if flags(found, each)] == []


@pytest.mark.parametrize(
    ("detection", "said"),
    [
        (
            "s: {promt|contains: abc}",
            "5: detection.s.promt|contains: no field that is read; did you mean 'prompt'?",
        ),
        ("s: {prompt|contians: abc}", "'contians' is no modifier that is read; did you mean 'contains'?"),
        ("s: {prompt|base64offset|contains: abc}", "encodings are undone before rules read"),
        ("s: {prompt|count_distinct: abc}", "'count_distinct' is no modifier that is read"),
        ("s: {prompt|gte: 500}", "no numbers"),
        ("s: {prompt|exists: yes}", "drop it"),
        ("s: {prompt|contains|endswith: abc}", "do not go together"),
        ("s: {tool_name: shell}", "detectors read the other fields of an event"),
        ("s: {gen_ai.request.model: abc}", "detectors read the other fields"),
        ("s: {prompt|re: '(a)\\1'}", "no regular expression that runs in linear time"),
        ("s: {prompt|re: 'a(?=b)'}", "no regular expression that runs in linear time"),
        ("s: {prompt|re: '(a'}", "no regular expression that runs in linear time"),
        ("s: {prompt|re: 'x*'}", "no regular expression that runs in linear time"),
        ("s: {prompt|re: 'x[ä]'}", "letters beyond ASCII"),
        (r"s: {prompt|re: '\[ä]x*)'}", "linear time"),
        ("s: {prompt|contains: ab}", "in almost every text"),
        ("s: {prompt: '*'}", "in almost every text"),
        ("s: {prompt: null}", "want a text of 1 to"),
        ("s: {prompt: []}", "no value"),
        ("s: {role: usr, prompt: abc}", "'usr' is no role; did you mean 'user'?"),
        ("s: {role: user}", "demand a value as well"),
        ("s: {prompt: abc, output: def}", "several texts at once"),
        ("timeframe: 5m\n    s: [abc]", "one text at a time"),
        ("s: [abc]\n    t: [def]", "detection.t: the condition does not use it"),
        ("s: [abc]\n    s: [def]", "stands twice"),
        ("s: &x [abc]", "anchors and aliases"),
        ("s: !!python/name:os.system abc", "tags are not read"),
    ],
)
def test_what_is_not_read_is_refused_with_its_place_and_remedy(detection: str, said: str) -> None:
    told = mistakes(detecting(f"    {detection}\n    condition: s\n"))
    assert len(told) == 1 and said in told[0] and told[0].startswith("own.yml:"), told


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("selction", "did you mean 'selection'?"),
        ("selection | count() > 5", "sums over several events"),
        ("not selection", "demand a value as well"),
        ("selection and", "ends too early"),
        ("(selection", "not closed"),
        ("selection)", "before ')'"),
        ("selection selection", "want `and`, `or`"),
        ("2 of selection*", "want `1 of`"),
        ("1 of filter*", "no selection is like 'filter*'"),
        ("and", "want a selection instead of 'and'"),
        ("(" * 40 + "selection" + ")" * 40, "deep"),
        ("not " * 100 + "selection", "deep"),
        ("selection or " * 400 + "selection", "characters"),
    ],
)
def test_conditions_that_are_none_are_refused(condition: str, said: str) -> None:
    told = mistakes(detecting(f"    selection: [abc]\n    condition: {condition!r}\n"))
    assert said in told[0]


def test_a_condition_cannot_grow_without_bound() -> None:
    lists = "".join(f"    s{at}: [{{prompt: {at}aa}}, {{prompt: {at}bb}}]\n" for at in range(20))
    told = mistakes(detecting(lists + "    condition: all of s*\n"))
    assert "more than 256 alternatives" in told[0]


def test_every_mistake_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(
        "titel: x\nid: nope\nlogsource: {product: windows}\ntags: [atlas.t9999, owasp.llm01, atack.t1]\n"
        "status: deprecated\ndetection:\n  s: {promt: abc}\n  condition: r\nlevel: hihg\n"
    )
    (tmp_path / "b.yaml").write_text("a: [\n")
    (tmp_path / "c.toml").write_text('family = "X1"\ntitle = "Ours"\n[[rule]]\nid = "own-x"\ntitel = "y"\n')
    with pytest.raises(ConfigError) as raised:
        pack.load([tmp_path])
    told = "\n".join(raised.value.mistakes)
    for said in (
        "a.yml:1: title: want a text",
        "a.yml:1: titel: no key of a rule: did you mean 'title'?",
        "a.yml:2: id: no UUID: 'nope'",
        "a.yml:3: logsource: not about texts of models",
        "'atlas.t9999' is in no taxonomy",
        "name its edition: LLM01:2025 or LLM01:2026",
        "'atack.t1' begins with no namespace: did you mean 'attack'?",
        "a.yml:5: status: 'deprecated' is not run",
        "a.yml:7: detection.s.promt: no field",
        "a.yml:8: detection.condition: no selection is called 'r'",
        "a.yml:9: level: no level: 'hihg'; did you mean 'high'?",
        "b.yaml:2: no YAML",
        "c.toml: rule 'own-x': Object contains unknown field `titel`; did you mean 'title'?",
    ):
        assert said in told, told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("correlation: {type: event_count}\n", "rules over several events are detectors"),
        ("action: global\n", "write each rule out"),
    ],
)
def test_other_kinds_of_sigma_files_are_named(text: str, said: str) -> None:
    assert any(said in each for each in mistakes(text))


def test_two_rules_may_stand_in_one_file_but_not_under_one_id(tmp_path: Path) -> None:
    one = detecting("    s: [abc]\n    condition: s\n")
    assert [each.id for each in sigma.read("My Rules.yml", f"{one}\n---\n{one}".encode())] == [
        "sigma-my-rules",
        "sigma-my-rules-2",
    ]
    (tmp_path / "x.yml").write_text(CREDENTIALS)
    (tmp_path / "y.yml").write_text(CREDENTIALS)
    with pytest.raises(ConfigError, match="give it another id"):
        pack.load([tmp_path])


def test_a_file_is_bounded() -> None:
    assert "KiB" in mistakes(b"a" * (yaml_nodes.LARGEST + 1))[0]
    assert "deep" in mistakes("a: " + "[" * 60 + "]" * 60)[0]
    assert "values" in mistakes("a: [" + "1," * 30_000 + "1]")[0]
    assert mistakes(b"\xff\xfe\x00") and mistakes(b"") and mistakes(b"- a") and mistakes(b"\x00")


def test_engines_find_the_same(tmp_path: Path) -> None:
    rules(tmp_path, CREDENTIALS, detecting("    s: {text: 'a-b _c*#d?'}\n    condition: s\n"))
    ready = pack.load([tmp_path], own_only=True)
    texts = ['{"accesskeyid"', 'x secretaccessKEY"  :', "a-b _c and #dx", "a-b _c #d", "none"]
    told = [
        [bool(Rules(ready, engine).match(look(text).views)[0]) for text in texts]
        for engine in ("hyperscan", "re2", "re")
    ]
    assert told[0] == told[1] == told[2] == [True, True, True, False, False]


def test_no_text_takes_long(tmp_path: Path) -> None:
    hard = [
        "    s: {prompt|contains: 'aaa*aab*aaac'}\n    condition: s\n",
        "    s: {prompt|re: '(a+)+$'}\n    condition: s\n",
        "    s: {prompt|re: '(a|a)*(a|aa)+b'}\n    condition: s\n",
        "    s: {prompt|contains: 'aaa?aaa?aaa?b'}\n    condition: s\n",
    ]
    found = rules(tmp_path, *map(detecting, hard))
    assert pace.seconds(lambda: found.match(look("a" * 60_000 + "!").views)) < 0.05


@given(st.text(alphabet=st.sampled_from("abc:-[]{}'\"\n |*?\\&!#()%@`~<>,.0"), max_size=200))
def test_any_text_is_a_rule_or_is_refused(text: str) -> None:
    try:
        sigma.read("x.yml", text.encode())
    except ConfigError as error:
        assert error.mistakes


@given(
    st.dictionaries(
        st.sampled_from(["s", "t", "prompt|contains", "role", "condition", "x|re", "text|all", "|all"]),
        st.recursive(
            st.one_of(st.none(), st.text(max_size=12).filter(lambda text: "\x00" not in text), st.integers()),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(
                    st.sampled_from(["prompt", "text|re", "text|contains", "role", "q|w"]), inner
                ),
            ),
            max_leaves=12,
        ),
    ),
    st.text(alphabet=st.sampled_from("st ()*|andorf1l"), max_size=30),
)
def test_any_detection_is_a_rule_or_is_refused(detection: dict[str, object], condition: str) -> None:
    made = {"title": "x", "logsource": {"product": "llm"}, "detection": {"condition": condition, **detection}}
    try:
        for one in sigma.read("x.yml", json.dumps(made).encode()):
            Rules([pack.Ready(_rule(one.id), "x", (), (), one.clauses)]).match(look("st 1 abc").views)
    except ConfigError as error:
        assert error.mistakes


def _rule(name: str) -> pack.Rule:
    return pack.Rule(id=name, title="x", positive=(), negative=())


def test_the_example_of_the_page_is_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "sigma.md").read_text()
    (rule,) = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    (tmp_path / rule[0]).parent.mkdir()
    (tmp_path / rule[0]).write_text(rule[1])
    monkeypatch.chdir(tmp_path)
    (told,) = re.findall(r"^```console\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    for command, lines in re.findall(r"^\$ tocsin (.*?) \|.*\n((?:[^$].*\n)+)", told, re.MULTILINE):
        assert main(command.split()) == 0
        assert lines in capsys.readouterr().out
    assert failures(pack.load(["my-rules"], own_only=True)) == []
    assert len(re.findall(r"^\$", told, re.MULTILINE)) == 2


def test_every_field_of_the_page_is_read_and_every_other_is_not_on_it() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sigma.md").read_text()
    table = page.partition("| field |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([a-z_.]+)`", table))
    assert named == {*sigma_detection.FIELDS, *sigma_detection.ROLE}


def test_examples_of_imported_rules_are_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pack, "shipped", list)
    (tmp_path / "x.yml").write_text(CREDENTIALS.replace("negative: ['", "negative: ['secretaccesskey\":"))
    ready = pack.load([tmp_path], own_only=True)
    assert failures(ready) == ["6f1d3c52-8f0e-4c57-9a35-0c1a7b5d2e11: negative example 1 matches"]
    (tmp_path / "x.yml").write_text(detecting("    s: [abc]\n    condition: s\n"))
    main(["rules", "test", "--rules", str(tmp_path)])
    assert "without an example that matches: sigma-x" in capsys.readouterr().out
    assert main(["rules", "explain", "sigma-y", "--rules", str(tmp_path)]) != 0
    assert "did you mean 'sigma-x'?" in capsys.readouterr().err
