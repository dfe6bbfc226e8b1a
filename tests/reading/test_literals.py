"""What an expression needs is in all that it matches; a screen of such pieces tells all that is there."""

from __future__ import annotations

import re
from random import Random

import numpy as np
import pytest
from parts.phrases import strewn

from tocsin.reading import matcher, order, pack
from tocsin.reading.literals import ASCII, SMALL, needed
from tocsin.reading.matcher import Start
from tocsin.reading.screen import EACH, Place, Screen, pieces

READY = pack.shipped()
ELEMENTS = sorted({each for ready in READY for one in ready.sequences for each in one.elements})
BITS = [b" ", b"_", b"\xc3\xa9", b"\xe2\x80\x9c", b"x", b"7", b"\n", b"-"]


def holds(data: bytes, pieces: dict[bytes, int], span: tuple[int, int]) -> bool:
    """Whether a piece is there, no farther behind the beginning than was told."""
    views = [b" " + data.translate(table) + b" " * 16 for table in (ASCII, SMALL)]
    return any(
        view.find(piece, at, at + len(piece)) == at
        for piece, before in pieces.items()
        for view in views
        for at in range(span[0], span[0] + before + 2)
    )


@pytest.mark.parametrize("seed", range(4))
def test_whatever_an_element_matches_holds_what_it_needs_where_it_says(seed: int) -> None:
    seen = 0
    said = [
        (re.compile(order.expression(each).encode(), re.DOTALL), needed(each)) for each in ELEMENTS[seed::4]
    ]
    for data in strewn(READY, BITS, seed, count=25, joined=2):
        for expression, all_ in said:
            for match in list(expression.finditer(data))[:3]:
                seen += 1
                for each in all_:
                    assert holds(data, each.pieces, match.span()), (expression.pattern, match[0], each)
    assert seen > 100


@pytest.mark.parametrize(
    ("expression", "pieces"),
    [
        (r"\b(?:forget|drop)[^a-z0-9_]", {b" forget ": 0, b" drop ": 0}),
        (r"disregard[a-z]*", {b"disregard": 0}),
        ("(?:très)?important", {b"important": 0, b"tr\xc3\xa8simportant"[:16]: 0}),
        (r"[^a-z0-9]\bjail", {b" jail": 0}),
        (r"x{0,9}secret", {b"secret": 9}),
        (r"(?:(?:п)(?:р))", {"пр".encode(): 0}),
    ],
)
def test_what_is_needed(expression: str, pieces: dict[bytes, int]) -> None:
    (only,) = needed(expression)
    assert only.pieces.keys() == pieces.keys()
    assert all(only.pieces[piece] >= at for piece, at in pieces.items())


@pytest.mark.parametrize("expression", ["[!?]{3,}", "(?:word|[0-9]*)", r"\{\{", "(?:secret)?"])
def test_what_could_be_anything_needs_nothing(expression: str) -> None:
    assert needed(expression) == ()


def test_of_two_things_that_follow_each_is_needed_and_of_alternatives_one() -> None:
    both = needed("alpha[a-z]*gamma")
    assert [set(each.pieces) for each in both] == [{b"gamma"}, {b"alpha"}]
    (either,) = needed("(?:alpha[a-z]*|gamma[0-9]*)")
    assert set(either.pieces) == {b"alpha", b"gamma"}


def screen(*needed: dict[bytes, int], groups: tuple[dict[bytes, int], ...] = (), of: int = -1) -> Screen:
    """Expressions of which nothing is known but the pieces that they need."""
    known = dict(enumerate(needed)) | {-1 - number: each for number, each in enumerate(groups)}
    nothing = [(Start(-1, -1, False), ()) for _ in needed]
    numbers = np.array([of] * len(needed) + [len(groups)], np.int32)
    return Screen(pieces(known), nothing, numbers, matcher.table(())[0])


def told(made: Screen, text: bytes) -> tuple[list[Place], bool]:
    (one,) = made.find([text])
    return one


def test_a_screen_tells_an_expression_where_its_piece_is_and_another_group_is_there() -> None:
    made = screen({b"alpha": 2}, groups=({b"beta": 0, b"gamma": 0},), of=0)
    assert told(made, b"now alpha and beta") == ([(0, 2, 5)], True)
    assert told(made, b"gamma, now alpha") == ([(0, 9, 12)], True)
    assert told(made, b"now alpha") == ([], True)
    assert told(made, b"now beta") == ([], True)


@pytest.mark.parametrize("piece", [b"abc", b"abcd", b"abcdefgh", b"abcdefghi", b"abcdefghijklmnop"])
def test_a_screen_finds_pieces_of_any_length_anywhere(piece: bytes) -> None:
    made = screen({piece: 0}, {piece[:-1] + b"z": 0, b"zzz": 0})
    for before in (0, 1, 7, 2000):
        assert told(made, b"-" * before + piece) == ([(0, before, before + 1)], True)
    assert told(made, piece[:-1]) == ([], True)


@pytest.mark.parametrize("piece", ["имя", "naïve", "指示を無視"])
def test_pieces_beyond_ascii_are_found_beside_any_others(piece: str) -> None:
    made = screen({piece.encode()[:16]: 0}, {b" naive ": 0})
    assert told(made, f"“{piece}”".encode())[0] == [(0, 3, 4)]
    assert told(made, "“naive”".encode())[0] == [(1, 2, 3)]


def test_many_texts_are_one_pass_and_know_nothing_of_each_other() -> None:
    made = screen({b"alpha": 0}, groups=({b"beta": 0},), of=0)
    some = [b"alpha", b"beta", b"", b"alpha beta", b"alp", b"ha beta", b"beta alpha"]
    assert list(made.find(some)) == [told(made, text) for text in some]


@pytest.mark.parametrize("seed", range(20))
def test_an_expression_is_told_wherever_it_begins_near_its_piece(seed: int) -> None:
    """However often it was tried in vain before, there or nearby."""
    random = Random(seed)
    table, starts = matcher.table([expression := "x[ab ]{0,9}ab[ab]{0,3}(?:q|xq)"])
    made = Screen(pieces({0: {b"ab ": 9}}), [(starts[expression], ())], np.array([-1, 0], np.int32), table)
    for _ in range(50):
        text = "".join(random.choices(["ab", "ab ", "x", "q", " ", "x ab abq", "." * 30], k=20)).encode()
        begins = {match.start() for match in re.finditer(f"(?={expression})".encode(), text)}
        near = [
            (max(0, match.start() - 9), match.start() + 1) for match in re.finditer(rb"ab(?![a-z])", text)
        ]
        wanted = [(0, low, high) for low, high in near if begins.intersection(range(low, high + 1))]
        assert told(made, text) == (wanted, True)


def test_more_places_than_are_told_are_marked() -> None:
    made = screen({b"abc": 0})
    assert told(made, b"abc" * EACH)[1] is True
    assert told(made, b"abc" * (EACH + 1))[1] is False


def test_more_steps_than_there_are_for_a_text_are_marked() -> None:
    table, starts = matcher.table([slow := "x[a-z]*q"])
    made = Screen(pieces({0: {b"xyz": 0}}), [(starts[slow], ())], np.array([-1, 0], np.int32), table)
    assert told(made, b"xyz " * 50) == ([], True)
    assert told(made, b"xyz" * 20_000)[1] is False
