"""What programs match is what `re` matches, to the byte."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from parts.phrases import strewn

from tocsin.reading import matcher, order, pack
from tocsin.reading.program import Unknown, parsed

READY = pack.shipped()
ELEMENTS = sorted({
    *(order.expression(each) for ready in READY for one in ready.sequences for each in one.elements),
    *(each for ready in READY for each in ready.unless),
})  # fmt: skip
MADE = matcher.table(ELEMENTS)
BITS = [b" ", b"_", b"\xc3\xa9", b"x", b"7", b"\n", b"-", b".", b'"']


def found(expression: str, data: bytes, low: int, high: int, end: int) -> matcher.Span | None:
    code, starts = matcher.table([expression])
    made = matcher.Expression(expression, code, starts[expression])
    return made.search(np.frombuffer(data, np.uint8), low, high, end)


@pytest.mark.parametrize("seed", range(3))
def test_every_element_of_a_rule_matches_as_re_does(seed: int) -> None:
    random_, matches = random.Random(seed), 0
    code, starts = MADE
    pairs = [
        (re.compile(each.encode(), re.DOTALL), matcher.Expression(each, code, starts[each]))
        for each in ELEMENTS[seed::3]
    ]
    for data in strewn(READY, BITS, seed, count=12, joined=3):
        array = np.frombuffer(data, np.uint8)
        for plain, made in pairs:
            low, end = random_.randrange(3), random_.choice([len(data), random_.randrange(len(data) + 1)])
            wanted = plain.search(data, low, end)
            assert made.search(array, low, len(data), end) == (wanted and wanted.span())
            if wanted:
                matches += 1
                short = random_.randrange(wanted.start(), len(data) + 1)
                again = plain.match(data, wanted.start(), short)
                assert made.match(array, wanted.start(), short) == (again and again.span())
    assert matches > 50


def test_every_element_of_a_rule_has_a_program() -> None:
    assert [each for each, start in MADE[1].items() if start.row < 0] == []


@pytest.mark.parametrize(
    ("expression", "data"),
    [
        ("(?:a|ab)(?:c|bcd)(?:d*)", b"abcd"),
        ("x*", b"xxxy"),
        ("(?:ab){2,3}c?", b"abababab"),
        (r"^a|b$", b"cab\n"),
        (r"\bfoo\b", b"a foo_ foo"),
        ("(?:^|\n)[ \t]{0,2}x", b"x\n  x"),
        ("[^a-c]+d", b"abcxyd"),
        (".{2,4}y", b"abcdey"),
        ("(?:a|)(?:b|)c", b"abc ac c"),
        ("go(?=[^a-z])", b"goat go."),
        ("(?:no|yes)+[.]", b"noyesno."),
    ],
)
def test_alternatives_and_repeats_are_tried_in_the_order_of_re(expression: str, data: bytes) -> None:
    plain = re.compile(expression.encode(), re.DOTALL)
    for low in range(len(data)):
        for end in range(low, len(data) + 1):
            wanted = plain.search(data, low, end)
            assert found(expression, data, low, len(data), end) == (wanted and wanted.span())


@pytest.mark.parametrize(
    "expression", ["a+?b", "(?:a*)*", "(?<!a)b", r"(a)\1", "(?=ab)c", "(?:abcdefgh[a-z]){3000}"]
)
def test_what_no_program_is_made_of_is_left_to_re(expression: str) -> None:
    data = b"xaab aabb caab"
    plain = re.compile(expression.encode(), re.DOTALL).search(data)
    assert matcher.table([expression])[1][expression].row < 0
    assert found(expression, data, 0, len(data), len(data)) == (plain and plain.span())


def test_an_open_bracket_is_no_expression() -> None:
    for expression in ("(?:a", "a)", "[b"):
        with pytest.raises(Unknown):
            parsed(expression)


def test_more_open_choices_than_there_is_room_for_are_left_to_re() -> None:
    data = b"ab" * matcher.DEPTH + b"!"
    assert found("(?:ab|a)+!", data, 0, 0, len(data)) == (0, len(data))
