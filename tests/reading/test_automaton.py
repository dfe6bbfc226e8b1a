import re

import pytest

from tocsin.reading.automaton import alternatives, build


@pytest.mark.parametrize(
    ("expression", "parts"),
    [
        ("a", ["a"]),
        (r"a|\bb c\b|d", ["a", r"\bb c\b", "d"]),
        ("(?:a|b(?:c|d))e|f", ["(?:a|b(?:c|d))e", "f"]),
        (r"\||\(|[|(]|[^]|)]", [r"\|", r"\(", "[|(]", "[^]|)]"]),
    ],
)
def test_alternatives_are_those_outside_of_brackets(expression: str, parts: list[str]) -> None:
    assert alternatives(expression) == parts


@pytest.mark.parametrize("engine", ["hyperscan", "re2", "re"])
def test_alternatives_apart_find_what_they_find_together(engine: str) -> None:
    pytest.importorskip("hyperscan" if engine == "hyperscan" else engine)
    expression = r"\bone\b|(?:two|three) [0-9]{2}|[|]{2}"
    parts = alternatives(expression)
    apart = build(parts, [(number,) for number in range(len(parts))], engine, places=False)
    for text in (b"one", b"bone", b"two 22", b"three 1", b"||", b"|"):
        assert bool(apart.sets(text)) == bool(re.search(expression.encode(), text))
