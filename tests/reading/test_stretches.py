import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.reading.stretches import Stretches

EXPRESSION = re.compile("(?<![ab_])[ab_]{3,}(?:(?<=[ab]{4})\n[ab]{2,3}(?![ab]))*={0,2}")


@given(st.text("ab_=\n é\ud800", max_size=60))
def test_finds_what_the_expression_finds(text: str) -> None:
    found = [match.span() for match in Stretches("ab_", 3).matches(EXPRESSION, text)]
    assert found == [match.span() for match in EXPRESSION.finditer(text)]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("", []),
        ("ab", []),
        ("aba", [(0, 3)]),
        ("=aba==", [(1, 6)]),
        ("é aba", [(2, 5)]),
        ("aaaa\nab_aaa", [(0, 7)]),  # what follows within the run is no beginning
        ("aaaa\nab=_aaa", [(0, 8), (8, 12)]),
    ],
)
def test_begins_where_a_run_begins(text: str, spans: list[tuple[int, int]]) -> None:
    assert [match.span() for match in Stretches("ab_", 3).matches(EXPRESSION, text)] == spans
