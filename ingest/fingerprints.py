"""Which format a document is of: each tells its own by a few keys.

The format that fitted last is asked first. Its word counts only where no format that goes before it
takes the document as well, so the answer is that of asking them all in order, whatever came before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from tocsin.model import Decoded

Json = dict[str, Any]


class Format(NamedTuple):
    """A leaf format, ready to be asked."""

    name: str
    fits: Callable[[Json], bool]
    read: Callable[[Json], Decoded]
    marks: frozenset[str]  # one of these keys is in each of its documents; empty: not known
    family: str = ""  # those of one family exclude one another
    kin: Callable[[Json], bool] | None = None  # whether one of its family fits; None: it has none
    ahead: tuple[Format, ...] = ()  # what is asked before it, one of each family and none of its own
    before: frozenset[str] | None = None  # their marks; None: some have none


class Formats:
    """All formats of a recogniser, those without marks last."""

    def __init__(self, formats: Sequence[Format]) -> None:
        self._all = tuple(_ordered(formats))
        self._marks = frozenset().union(*(each.marks for each in self._all))
        self._unmarked = tuple(each for each in self._all if not each.marks)
        self._last: Format | None = None

    def __iter__(self) -> Iterator[Format]:
        return iter(self._all)

    def of(self, document: Json) -> Format | None:
        """The first that fits."""
        last = self._last
        if last and _holds(last.fits, document) and not _claimed(last, document):
            return last
        apart = ""  # the family that was asked and does not take it
        for each in self._unmarked if self._marks.isdisjoint(document) else self._all:
            if each.kin and each.family != apart and not _holds(each.kin, document):
                apart = each.family
            if (not each.family or each.family != apart) and _holds(each.fits, document):
                self._last = each
                return each
        return None


def _ordered(formats: Sequence[Format]) -> list[Format]:
    ordered: list[Format] = []
    for each in sorted(formats, key=lambda each: not each.marks):
        others = {other.family or other.name: other for other in ordered}
        others.pop(each.family, None)
        ahead = tuple(others.values())
        before = frozenset().union(*(other.marks for other in ahead))
        ordered.append(each._replace(ahead=ahead, before=before if all(o.marks for o in ahead) else None))
    return ordered


def _claimed(last: Format, document: Json) -> bool:
    """Whether a format that goes before it would take the document."""
    if last.before is not None and last.before.isdisjoint(document):
        return False
    near = (other for other in last.ahead if not (other.marks and other.marks.isdisjoint(document)))
    return any(_holds(other.kin or other.fits, document) for other in near)


def _holds(fits: Callable[[Json], bool], document: Json) -> bool:
    try:
        return fits(document)
    except (KeyError, TypeError, ValueError, AttributeError):
        return False  # a value of a type that the fingerprint did not expect
