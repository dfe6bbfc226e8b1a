"""Secrets and personal data out of text, before it is written anywhere."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Sequence
from itertools import islice
from typing import Any, NamedTuple

from tocsin.reading import kept, values
from tocsin.reading.checks import CHECKS
from tocsin.reading.pattern import Pattern
from tocsin.reading.patterns import PATTERNS

# What stands for a character in JSON text and in URLs ends with a letter, which is no part of a word.
_ESCAPED = (r"\\[nrtbf]", r"\\u[0-9a-fA-F]{4}", "%[0-9a-fA-F]{2}")
SHORTEST = 6  # characters of anything that is looked for
MOST = 512  # matches of one pattern that are looked at closely enough to be told
LONG = 256  # characters from which on a value holds all kinds of groups
NUMBERS = frozenset({"phone", "card", "national_id"})
_UPPER_BOUND = re.compile(r"\{([0-9]+),[0-9]{3,}\}")


class Rule(NamedTuple):
    """A pattern ready to be applied."""

    expression: re.Pattern[str]
    mark: str
    part: str | int  # the group that is replaced
    check: Callable[[str], bool] | None
    doubt: Callable[[str], bool] | None
    exact: re.Pattern[str] | None

    def replace(self, match: re.Match[str]) -> str:
        if not self.holds(match):
            return match[0]
        begin, end = (place - match.start() for place in match.span(self.part))
        return f"{match[0][:begin]}[{self.mark}]{match[0][end:]}"

    def holds(self, match: re.Match[str]) -> bool:
        return self.check is None or self.check(match[self.part])

    def told(self, match: re.Match[str]) -> bool:
        """Whether it is sure enough for an analyst; less is enough for being replaced."""
        if not self.holds(match):
            return False
        return not self.mark.startswith("secret:") or self._sure(match, match[self.part])

    def _sure(self, match: re.Match[str], found: str) -> bool:
        (start, end), text = match.span(self.part), match.string
        if found[-1:].isalnum() and text[end : end + 1].isalnum():  # longer than its kind
            return False
        if text[end : end + 1] == "." == text[max(start - 1, 0) : start]:  # in the name of a file
            return False
        if self.exact and not self.exact.fullmatch(found) or len(found) < LONG and values.shown(found):
            return False
        return self.doubt is None or self.doubt(found)


class Redactor:
    """Replaces what the patterns describe by typed marks such as `[secret:aws_key]` and `[email]`.

    One pass of Hyperscan over the bytes tells which patterns occur at all; only those are applied.
    All searches are linear in the text.
    """

    def __init__(
        self,
        patterns: Sequence[Pattern] = PATTERNS,
        *,
        prefilter: bool = True,
        leaving: Collection[str] = (),
    ) -> None:
        """`leaving`: marks of what is not replaced."""
        self._left = {number for number, pattern in enumerate(patterns) if pattern.mark in leaving}
        self._rules = [_rule(pattern) for pattern in patterns]
        self._bordered = [number for number, pattern in enumerate(patterns) if _bordered(pattern)]
        self._database: Any
        self._database, scratch = _database(tuple(patterns)) if prefilter else (None, None)
        self._scratch: Any = scratch(self._database) if scratch is not None else None

    def redact(self, text: str) -> str:
        """The text with every finding replaced; any text, of any length."""
        for number in self._wanted(text):
            rule = self._rules[number]
            text = rule.expression.sub(rule.replace, text)
        return text

    def find(self, text: str) -> list[tuple[str, int, int]]:
        """Mark, start and end of what is worth telling, by place; the same may be found twice. Of what is
        replaced this leaves out what is doubtful, and what comes after `MOST` of a kind."""
        return sorted(
            (
                (rule.mark, *match.span(rule.part))
                for rule in map(self._rules.__getitem__, self._wanted(text))
                for match in islice(rule.expression.finditer(text), MOST)
                if rule.told(match)
            ),
            key=lambda each: each[1:],
        )

    def suspects(self, text: str) -> bool:
        """Whether there may be anything to replace: a search without a closer look."""
        return bool(self._wanted(text))

    def _wanted(self, text: str) -> Sequence[int]:
        """The rules that may find something, in their order."""
        if len(text) < SHORTEST:
            return ()
        if self._database is None:
            return self._chosen(set(range(len(self._rules))))
        hits: list[int] = []
        self._database.scan(
            text.encode("utf-8", "surrogatepass"),
            match_event_handler=_note,
            context=hits,
            scratch=self._scratch,
        )
        return self._chosen(set(hits)) if hits else ()

    def _chosen(self, hits: set[int]) -> Sequence[int]:
        """The rules to be applied, in their order."""
        if len(self._rules) in hits:
            hits = hits.union(self._bordered) - {len(self._rules)}
        return sorted(hits - self._left)


def _note(number: int, start: int, end: int, flags: int, hits: Any) -> None:
    hits.append(number)


def _rule(pattern: Pattern) -> Rule:
    escaped = "|".join(f"(?<={each})" for each in _ESCAPED)
    before = f"(?:(?<![{pattern.before}])|{escaped})" if pattern.before else ""
    after = f"(?![{pattern.after}])" if pattern.after else ""
    flags = re.IGNORECASE | re.ASCII if pattern.ignore_case else re.ASCII
    expression = re.compile(f"{before}{pattern.expression}{after}", flags)
    doubt = pattern.doubt or ("genuine" if pattern.check and pattern.mark.startswith("secret:") else "")
    return Rule(
        expression,
        pattern.mark,
        "secret" if "secret" in expression.groupindex else 0,
        CHECKS[pattern.check] if pattern.check else None,
        CHECKS[doubt] if doubt else None,
        re.compile(pattern.exact, re.ASCII) if pattern.exact else None,
    )


@functools.cache
def _database(patterns: tuple[Pattern, ...]) -> tuple[Any, Any]:
    """All patterns in one automaton, without long upper bounds: it may find too much, never too little.
    With what makes scratch space, of which each user needs one of its own; nothing without Hyperscan."""
    try:
        import hyperscan
    except ImportError:  # correct without it, only slower
        return None, None
    once = hyperscan.HS_FLAG_SINGLEMATCH
    escaped = f"(?:{'|'.join(_ESCAPED)})[0-9(+XYZ]"  # a number may begin behind what looks like a letter
    database = kept.database(
        [*(_consuming(pattern).encode() for pattern in patterns), escaped.encode()],
        [*(once | hyperscan.HS_FLAG_CASELESS if p.ignore_case else once for p in patterns), once],
    )
    return database, hyperscan.Scratch


def _consuming(pattern: Pattern) -> str:
    """The expression; of numbers, of which there are many, with what must not stand in front as well."""
    if pattern.screen:
        return pattern.screen
    expression = _UPPER_BOUND.sub(r"{\1,}", pattern.expression.replace("?P<secret>", ""))
    return f"(?:^|[^{pattern.before}])(?:{expression})" if _bordered(pattern) else expression


def _bordered(pattern: Pattern) -> bool:
    return pattern.mark in NUMBERS and not pattern.ignore_case and pattern.expression[:3] != "[A-"
