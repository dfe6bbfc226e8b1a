"""One kind of secret or personal data, as data; see `tocsin.reading.patterns`."""

from __future__ import annotations

from typing import NamedTuple

WORD = "0-9A-Za-z_"


class Pattern(NamedTuple):
    """One kind of thing to be replaced by `[mark]`.

    `check` and `doubt` name tests of `tocsin.reading.checks`, `exact` is an expression.
    """

    mark: str
    expression: str
    check: str = ""  # what fails it is left alone
    before: str = WORD  # characters that must not stand directly in front
    after: str = WORD  # characters that must not follow
    ignore_case: bool = False
    doubt: str = ""  # what fails it is replaced, but nobody is told of it
    exact: str = ""  # nor of what has not this form in full
    screen: str = ""  # stands in what passes all that, and is looked for in its place before a closer look
