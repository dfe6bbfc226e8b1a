"""Rules over views: what was found, where, in which view and by which decodings.

One pass over the text tells which rules could apply, and where; only there they are looked for. A text's
hits weigh as independent evidence (noisy-or), the strongest of each family in full and others of the same
family by half, and count for less where the text only talks about such words.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tocsin.model import Role
from tocsin.reading import order
from tocsin.reading.condition import Conditions
from tocsin.reading.finder import Finder, Seen
from tocsin.reading.garble import Garble, Tail
from tocsin.reading.literals import SMALL
from tocsin.reading.matcher import Expression, Span
from tocsin.reading.mention import mentioned
from tocsin.reading.pack import Ready, Rule, load
from tocsin.reading.views import Look, View, look, lowered

CACHED = 4096  # texts whose reading is remembered
PLACES = 20_000  # looked at for one text
FLAGGED = 0.5
_NEAR = 160  # bytes around a hit in which `unless` is looked for
_DAMPED = 0.2  # of a weight, where words are only talked about
_SUSPECTED = 0.5  # of a weight, where a tail is merely suspected; all of it where it is sure

# Ways of writing that have no use but to hide text from those who read along: family, name, weight.
HIDING: Mapping[str, tuple[str, str, float]] = {
    **dict.fromkeys(("tags", "selectors", "zero_width_bits"), ("A4", "smuggled", 0.85)),
    **dict.fromkeys(("stripped",), ("A4", "interspersed", 0.5)),
    **dict.fromkeys(("folded", "leet", "spaced"), ("A5", "respelt", 0.5)),
    **dict.fromkeys(("reversed", "words_reversed", "rot13", "morse", "binary"), ("A6", "turned", 0.5)),
    **dict.fromkeys(("base64", "base32", "hex", "codes", "escapes", "url", "html"), ("A6", "encoded", 0.35)),
}
_SMUGGLED = 8  # characters from which text that nobody can see counts by itself
_WORD = re.compile(rb"[a-z0-9\x80-\xff]{2,}")


Told = tuple[list[Seen], bool]


class Hit(NamedTuple):
    """A rule that matched; `start` and `end` are characters of the view, `raw` those of the raw text."""

    rule: Rule
    view: str
    chain: tuple[str, ...]
    start: int
    end: int
    raw: tuple[int, int]
    weight: float
    mentioned: bool  # the text seems to talk about such words


class Reading(NamedTuple):
    """What the rules say of one text. Without any text of it, so it may be kept."""

    hits: tuple[Hit, ...] = ()
    score: float = 0.0
    views: tuple[str, ...] = ("raw",)
    hidden: tuple[str, ...] = ()  # ways of hiding that counted
    truncated: bool = False
    smuggled: tuple[str, ...] = ()  # ways that count by themselves

    def of(self, role: Role | None) -> Reading:
        """What it is when that role says it; where nobody knows, a rule for some roles has to be sure."""
        if not self.hits:
            return self
        hits = tuple([hit for hit in self.hits if _fits(hit.rule, role)])
        return self if len(hits) == len(self.hits) else _judged(self, hits)

    def also(self, hits: Iterable[Hit], smuggled: Iterable[str], truncated: bool) -> Reading:
        """What it is with what somebody else found."""
        ways = tuple(dict.fromkeys((*self.smuggled, *smuggled)))
        more = self._replace(truncated=self.truncated or truncated, smuggled=ways)
        return _judged(more, (*self.hits, *hits))


class _Seen(NamedTuple):
    """A view, the bytes of it that are searched, and what could be there; also of rules for hidden text. Its
    tail, where that reads like tokens thrown together."""

    view: View
    data: bytes
    told: Told
    hidden: Told | None = None
    tail: Tail | None = None


class Rules:
    """All rules in one screen. Its cache serves one thread."""

    def __init__(self, ready: Sequence[Ready], engine: str = "") -> None:
        self.all = [each.rule for each in ready]
        apart = [each for each in ready if _for_hidden(each.rule)]
        # Rules for hidden text alone are about common words, so no open text is searched for them.
        self._apart = Rules(apart, engine) if 0 < len(apart) < len(ready) else None
        self._ready = [each for each in ready if each not in apart] if self._apart else list(ready)
        self._finder = Finder(self._ready, engine)
        self._unless = [[self._finder.expressions[text] for text in each.unless] for each in self._ready]
        asked = [(number, clause) for number, each in enumerate(self._ready) for clause in each.clauses]
        self._conditions = Conditions(asked, engine) if asked else None
        self._of_tails = [each.rule for each in self._ready if each.rule.signal == "garble"]
        self._garble = Garble.load() if self._of_tails else None
        self._cache: OrderedDict[bytes, Reading] = OrderedDict()

    @classmethod
    def load(cls, folders: Iterable[str | Path] = ()) -> Rules:
        """The shipped rules and the user's."""
        return cls(load(folders))

    def read(self, texts: Sequence[str], roles: Sequence[Role | None]) -> list[Reading]:
        """Readings of many texts in their order; a text that was read lately is not read again."""
        return [self._known(text).of(role) for text, role in zip(texts, roles, strict=True)]

    def match(self, views: Sequence[View], role: Role | None = None) -> tuple[list[Hit], bool]:
        """What the rules find in the views of one text, and whether all of it was read."""
        return self._hits(self._seen(views, [lowered(view.text) for view in views]), role)

    def _seen(self, views: Sequence[View], small: Iterable[bytes]) -> list[_Seen]:
        """What could be in each view; those of many texts cost one pass."""
        data = [each + b"\n" for each in small]
        found = [_Seen(*each) for each in zip(views, data, self._finder.seen(data), strict=True)]
        if self._apart:
            hidden = [at for at, view in enumerate(views) if view.chain]
            more = self._apart._finder.seen([data[at] for at in hidden])
            for at, told in zip(hidden, more, strict=True):
                found[at] = found[at]._replace(hidden=told)
        if self._garble:
            plain = [at for at, view in enumerate(views) if not view.chain]
            for at, tail in zip(plain, self._garble.tails([views[at].text for at in plain]), strict=True):
                found[at] = found[at]._replace(tail=tail) if tail else found[at]
        return found

    def _hits(self, seen: Sequence[_Seen], role: Role | None = None) -> tuple[list[Hit], bool]:
        """What is in the views of one text."""
        hits: list[Hit] = []
        complete = True
        budget = order.Budget(PLACES)
        words: dict[tuple[str, ...], bytes] = {}  # of views, by their steps
        for each in seen:
            chain = each.view.chain
            known = [words[made] for made in {(), chain[:-1]} if chain and made in words]
            try:
                complete &= self._scan(each, each.told, role, budget, hits, known)
                if self._apart and each.hidden:
                    complete &= self._apart._scan(each, each.hidden, role, budget, hits, known)
            except order.Spent:
                complete = False
                break
            if len(seen) > 1:
                words[chain] = words.get(chain, b"") + b" " + each.data.translate(SMALL)
        return [hit for hit in hits if not _borrowed(hit, hits)], complete

    def _scan(
        self,
        seen: _Seen,
        told: Told,
        role: Role | None,
        budget: order.Budget,
        hits: list[Hit],
        known: Sequence[bytes],
    ) -> bool:
        ways, whole = told
        if self._conditions:
            self._conditioned(self._conditions, seen.view, seen.data, role, hits)
        if seen.tail:
            hits += self._tailed(seen.view, seen.tail, role)
        if ways:
            self._view(seen.view, seen.data, ways, role, budget, hits, known)
        return whole

    def _conditioned(
        self, conditions: Conditions, view: View, data: bytes, role: Role | None, hits: list[Hit]
    ) -> None:
        """Adds one hit for each imported rule that the view fulfils."""
        spans: dict[int, Span] = {}
        for number, span in conditions.match(view.text, data):
            spans.setdefault(number, span)
        for number, span in spans.items():
            rule = self._ready[number].rule
            if _applies(rule, view, role):
                hits.append(_hit(rule, view, data, span))

    def _tailed(self, view: View, tail: Tail, role: Role | None) -> Iterator[Hit]:
        """A hit of each rule about tails."""
        start, end, certainty = tail
        for rule in self._of_tails:
            if _applies(rule, view, role):
                weight = rule.weight * (_SUSPECTED + (1 - _SUSPECTED) * certainty)
                yield Hit(rule, view.name, view.chain, start, end, (start, end), weight, False)

    def _known(self, text: str) -> Reading:
        key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        known = self._cache.get(key)
        if known is not None:
            self._cache.move_to_end(key)
            return known
        reading = self._cache[key] = self.judged([look(text)])[0]
        if len(self._cache) > CACHED:
            self._cache.popitem(last=False)
        return reading

    def judged(self, looked: Sequence[Look]) -> list[Reading]:
        """The readings of texts that were looked at, whoever says them, not looked up."""
        views = [view for each in looked for view in each.views]
        small = [
            lowered(view.text) if number else each.small
            for each in looked
            for number, view in enumerate(each.views)
        ]
        seen = iter(self._seen(views, small))
        return [self._judged([next(seen) for _ in each.views], each.truncated) for each in looked]

    def _judged(self, seen: Sequence[_Seen], truncated: bool) -> Reading:
        hits, complete = self._hits(seen)
        if not hits and len(seen) == 1:
            return _CLEAR if complete and not truncated else _UNREAD
        views = [each.view for each in seen]
        names = tuple(dict.fromkeys(view.name for view in views))
        made = Reading((), 0.0, names, (), truncated or not complete, _smuggled(views))
        return _judged(made, tuple(hits))

    def _view(
        self,
        view: View,
        data: bytes,
        ways: Iterable[Seen],
        role: Role | None,
        budget: order.Budget,
        hits: list[Hit],
        known: Sequence[bytes],
    ) -> None:
        """Adds one hit for each rule that matches, in words not `known`; one that is said, if any."""
        search = order.Search(data, budget)
        found: dict[int, Hit] = {}
        for way, near in ways:
            ready = self._ready[way.rule]
            if (way.rule in found and not found[way.rule].mentioned) or not _applies(ready.rule, view, role):
                continue
            for span in islice(way.spans(search, near), order.KEPT):
                if _taken_back(self._unless[way.rule], data, span) or not _is_news(
                    ready.rule, data, span, known
                ):
                    continue
                hit = _hit(ready.rule, view, data, span)
                found.setdefault(way.rule, hit)
                if not hit.mentioned:
                    found[way.rule] = hit
                    break
        hits += found.values()


def combined(hits: Iterable[Hit], hidden: Iterable[str] = ()) -> float:
    """One score in 0..1 of all that was found; what was hidden weighs on top of what was said openly."""
    best: dict[tuple[str, str], float] = {}
    for hit in hits:
        key = (hit.rule.family, hit.rule.id)
        best[key] = max(best.get(key, 0.0), hit.weight)
    left, families = 1.0, set()
    for (family, _), weight in sorted(best.items(), key=lambda each: (-each[1], each[0])):
        left *= 1.0 - (weight / 2 if family in families else weight)
        families.add(family)
    for way in hidden:
        left *= 1.0 - HIDING[way][2]
    return round(1.0 - left, 6)


def _borrowed(hit: Hit, hits: Sequence[Hit]) -> bool:
    """Whether a rule of one language says of the same words what a rule of English says: other languages
    borrow its words."""
    rule = hit.rule
    return rule.lang != "" and any(
        not other.rule.lang
        and other.rule.family == rule.family
        and other.chain == hit.chain
        and other.start <= hit.start
        and hit.end <= other.end
        and other.rule.roles in ((), rule.roles)
        for other in hits
    )


def _judged(reading: Reading, hits: tuple[Hit, ...]) -> Reading:
    hidden = _hiding(reading.smuggled, hits)
    return reading._replace(hits=hits, score=combined(hits, hidden), hidden=hidden)


def _smuggled(views: Sequence[View]) -> tuple[str, ...]:
    """Ways in which text is written in characters that nobody sees."""
    ways = [view.name for view in views if len(view.text) >= _SMUGGLED]
    return tuple(dict.fromkeys(way for way in ways if HIDING.get(way, _NO)[1] == "smuggled"))


def _hiding(smuggled: Sequence[str], hits: Sequence[Hit]) -> tuple[str, ...]:
    """Ways of hiding that count: those that do by themselves, and any other that showed a rule which the
    raw text does not."""
    plain = {hit.rule.id for hit in hits if not hit.chain}
    ways = [*smuggled]
    ways += [step for hit in hits if hit.chain and hit.rule.id not in plain for step in hit.chain]
    kinds = {HIDING[way][1]: way for way in reversed(ways) if way in HIDING}
    return tuple(sorted(kinds.values()))


def _fits(rule: Rule, role: Role | None) -> bool:
    if not rule.roles or "user" in rule.roles and role is None:
        return True
    return role in rule.roles or (role is None and rule.weight >= FLAGGED)


def _applies(rule: Rule, view: View, role: Role | None) -> bool:
    if rule.roles and role is not None and role not in rule.roles:
        return False
    return not rule.views or view.name in rule.views


def _for_hidden(rule: Rule) -> bool:
    """Whether a rule is about hidden text alone."""
    return bool(rule.views) and "raw" not in rule.views


def _is_news(rule: Rule, data: bytes, span: tuple[int, int], known: Sequence[bytes]) -> bool:
    """Whether words of a hit are not in what a view was made from: one of a whole text repeats what was said
    openly. Of a rule for hidden text, which is about common words, two have to be new, or all.
    """
    if not known:
        return True
    words = [b" " + word + b" " for word in dict.fromkeys(_WORD.findall(data, *span))]
    wanted = min(2 if _for_hidden(rule) else 1, len(words))
    return all(sum(word not in text for word in words) >= wanted for text in known)


def _taken_back(unless: Sequence[Expression], data: bytes, span: Span) -> bool:
    if not unless:
        return False
    near = np.frombuffer(data[max(0, span[0] - _NEAR) : span[1] + _NEAR], np.uint8)
    return any(each.search(near, 0, len(near), len(near)) for each in unless)


def _hit(rule: Rule, view: View, data: bytes, span: tuple[int, int]) -> Hit:
    start, end = span
    talk = not view.chain and rule.family[:1] == "A" and mentioned(data, start, end)
    weight = rule.weight * _DAMPED if talk else rule.weight
    if not view.text.isascii():
        start, end = (len(data[:at].decode("utf-8", "ignore")) for at in span)
    raw = (view.start + start, view.start + end) if not view.chain else (view.start, view.end)
    return Hit(rule, view.name, view.chain, start, end, raw, weight, talk)


_NO = ("", "", 0.0)
_CLEAR = Reading()
_UNREAD = Reading(truncated=True)
