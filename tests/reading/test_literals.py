"""What an expression needs is in all that it matches; a screen of such pieces tells all that is there."""

from __future__ import annotations

import random

import pytest

from tocsin.reading import order, pack
from tocsin.reading.literals import ASCII, SMALL, needed
from tocsin.reading.screen import EACH, Near, Screen

READY = pack.shipped()
ELEMENTS = sorted({each for ready in READY for one in ready.sequences for each in one.elements})
BITS = [b" ", b"_", b"\xc3\xa9", b"\xe2\x80\x9c", b"x", b"7", b"\n", b"-"]


def texts(seed: int) -> list[bytes]:
    """Examples of rules, cut, joined and strewn with noise."""
    random_ = random.Random(seed)
    some = [text.lower().encode("utf-8", "replace") for ready in READY for text in ready.rule.positive]
    made = []
    for _ in range(60):
        data = bytearray(b" ".join(random_.sample(some, 2)))
        for _ in range(random_.randrange(6)):
            at = random_.randrange(len(data))
            data[at:at] = random_.choice(BITS)
        made.append(bytes(data) + b"\n")
    return made


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
    said = [(order.expression(each), needed(each)) for each in ELEMENTS[seed::4]]
    for data in texts(seed)[:25]:
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


def test_a_screen_tells_a_set_where_all_its_groups_are_near() -> None:
    screen = Screen([{b"alpha": 2}, {b"beta": 0}], [[Near(0, 0, 0), Near(1, 0, 100)]])
    told = ([(0, 4, 2)], True)
    assert screen.find(b"now alpha and beta") == told
    assert screen.find(b"now alpha") == ([], True)
    assert screen.find(b"now alpha " + b"." * 600 + b"beta") == ([], True)
    assert screen.find(b"beta " + b"." * 600 + b" alpha") == ([], True)


@pytest.mark.parametrize("piece", [b"abc", b"abcd", b"abcdefgh", b"abcdefghi", b"abcdefghijklmnop"])
def test_a_screen_finds_pieces_of_any_length_anywhere(piece: bytes) -> None:
    others = {piece[:-1] + b"z": 0, b"zzz": 0}
    screen = Screen([{piece: 0}, others], [[Near(0, 0, 0)], [Near(1, 0, 0)]])
    for before in (0, 1, 7, 2000):
        assert screen.find(b"-" * before + piece) == ([(0, before, 0)], True)
    assert screen.find(piece[:-1]) == ([], True)


def test_more_places_than_are_told_are_marked() -> None:
    screen = Screen([{b"abc": 0}], [[Near(0, 0, 0)]])
    assert screen.find(b"abc" * EACH)[1] is True
    assert screen.find(b"abc" * (EACH + 1))[1] is False
