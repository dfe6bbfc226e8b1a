"""Rule packs: TOML files, one for each attack family, ours and the user's own; and the user's Sigma rules."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from tocsin import taxonomy
from tocsin.contracts import ConfigError
from tocsin.model import Role
from tocsin.reading import notation, sigma
from tocsin.reading.condition import Clause, check
from tocsin.reading.views import NAMES
from tocsin.registry import suggest

Level = Literal["info", "low", "medium", "high", "critical"]
WIDEST = 300  # bytes over which terms may be spread
TERMS = 4
SIGMA = (".yml", ".yaml")


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one way of attacking reads like. It never is a bare keyword: a pattern has an order, or terms
    that must occur together."""

    id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{2,63}$")]
    title: Annotated[str, Meta(min_length=8, description="one sentence that an analyst understands")]
    severity: Level = "medium"
    weight: Annotated[float, Meta(gt=0, le=1, description="how sure this alone makes one; 0.5 flags")] = 0.6
    family: str = ""  # of its pack, where it says nothing
    lang: str = ""
    patterns: Annotated[tuple[str, ...], Meta(description="any of them")] = ()
    all: Annotated[tuple[str, ...], Meta(description="all of them, in any order")] = ()
    within: Annotated[int, Meta(ge=1, le=WIDEST, description="bytes between two terms of `all`")] = 80
    literal: Annotated[
        bool, Meta(description="each pattern is one plain regular expression, without the short notation")
    ] = False
    signal: Annotated[
        Literal["", "garble"], Meta(description="in place of patterns: it ends in tokens thrown together")
    ] = ""
    unless: Annotated[tuple[str, ...], Meta(description="patterns close by that take the hit back")] = ()
    views: Annotated[tuple[str, ...], Meta(description="names of steps; none: everywhere")] = ()
    roles: Annotated[tuple[Role, ...], Meta(description="whose text; none: everybody's")] = ()
    owasp: tuple[str, ...] = ()
    atlas: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    misses: str = ""
    positive: Annotated[tuple[str, ...], Meta(min_length=1)]
    negative: Annotated[tuple[str, ...], Meta(min_length=1)]


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    family: Annotated[str, Meta(pattern=r"^[A-Z]{1,6}[0-9]{0,3}$")]
    title: str
    lang: str = ""
    owasp: tuple[str, ...] = ()
    atlas: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    misses: str = ""
    words: dict[str, str] = msgspec.field(default_factory=dict)


class Ready(NamedTuple):
    """A rule with its regular expressions; an imported one has clauses instead, one Ready for each of the
    sets of roles that its clauses are about."""

    rule: Rule
    pack: str
    sequences: tuple[notation.Sequence, ...]  # any of them; or, of `all`, each of them
    unless: tuple[str, ...]  # expressions
    clauses: tuple[Clause, ...] = ()  # any of them


def shipped() -> list[Ready]:
    """The packs of this package."""
    folder = files("tocsin.reading").joinpath("packs")
    named = sorted((each.name, each.read_bytes()) for each in folder.iterdir() if each.name.endswith(".toml"))
    return _all(named, [], own=False)  # tests say that they can be searched for


def paths(folder: str | Path) -> list[Path]:
    """The files of rules in a folder."""
    return sorted(path for path in Path(folder).glob("*") if path.suffix in (".toml", *SIGMA))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from error


def load(folders: Iterable[str | Path] = (), *, own_only: bool = False) -> list[Ready]:
    """The rules of this package and those of the user's folders: packs (*.toml), Sigma rules (*.yml).

    Raises ConfigError with the mistakes of all files at once.
    """
    named: list[tuple[str, bytes]] = []
    for folder in folders:
        found = paths(folder)
        if not found:
            raise ConfigError([f"{folder}: no rules (*.toml, *.yml) there"])
        named += [(str(path), _bytes(path)) for path in found]
    return _all(named, [] if own_only else shipped())


def _all(named: Iterable[tuple[str, bytes]], rules: list[Ready], *, own: bool = True) -> list[Ready]:
    """The rules of all files and those before; raises ConfigError with what is wrong in any of them."""
    mistakes: list[str] = []
    found = list(rules)
    for name, text in named:
        try:
            found += _imported(name, text) if name.endswith(SIGMA) else _read(name, text, own=own)
        except ConfigError as error:
            mistakes += error.mistakes
    mistakes += _twice(found)
    if mistakes:
        raise ConfigError(mistakes)
    return found


def _unsearchable(rules: Iterable[Ready]) -> Iterator[str]:
    """Elements that no engine can look for in linear time, and what is no expression."""
    for ready in rules:
        for element in dict.fromkeys(each for one in ready.sequences for each in one.elements):
            said = check(element)
            if not said and notation.nests(element):
                said = "a group that repeats without end holds a repeat; bound it, as in {1,8}"
            if said:
                yield f"{ready.pack}: rule {ready.rule.id!r}: {said}: {element!r}"
        for near in ready.unless:
            try:
                re.compile(near.encode())
            except re.error as error:
                yield f"{ready.pack}: rule {ready.rule.id!r}: {error}: {near!r}"


def _twice(rules: Iterable[Ready]) -> Iterator[str]:
    known: dict[str, Ready] = {}
    for each in rules:
        first = known.setdefault(each.rule.id, each)
        parts = each.clauses and each.pack == first.pack and each.rule.roles != first.rule.roles
        if first is not each and not parts:
            yield f"{each.pack}: rule {each.rule.id!r} is in {first.pack} already; give it another id"


def _imported(name: str, text: bytes) -> Iterator[Ready]:
    for one in sigma.read(name, text):
        fields = {field: getattr(one, field) for field in one._fields if field != "clauses"}
        for roles in dict.fromkeys(clause.roles for clause in one.clauses):
            held = tuple(clause for clause in one.clauses if clause.roles == roles)
            yield Ready(Rule(**fields, roles=roles), name, (), (), held)


def _read(name: str, text: bytes, *, own: bool) -> list[Ready]:
    try:
        given = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{name}: {error}"]) from error
    mistakes: list[str] = []
    rules = given.pop("rule", [])
    try:
        file = msgspec.convert(given, _File)
    except msgspec.ValidationError as error:
        file = _File(family="X0", title="")
        mistakes.append(f"{name}: {_said(error, _File)}")
    found = [_rule(name, file, rule, number, mistakes) for number, rule in enumerate(_tables(rules), 1)]
    mistakes += _strange(name, [file, *(each.rule for each in found if each)])
    mistakes += _unsearchable(each for each in found if each and own)
    if not isinstance(rules, list):
        mistakes.append(f"{name}: write [[rule]], with two brackets")
    if mistakes:
        raise ConfigError(mistakes)
    return [each for each in found if each]


def _tables(rules: object) -> list[object]:
    return rules if isinstance(rules, list) else []


def _rule(name: str, file: _File, given: object, number: int, mistakes: list[str]) -> Ready | None:
    called = given.get("id") if isinstance(given, dict) else None
    place = f"{name}: rule {called!r}" if called else f"{name}: rule {number}"
    try:
        return _ready(name, file, msgspec.convert(given, Rule))
    except msgspec.ValidationError as error:
        mistakes.append(f"{place}: {_said(error, Rule)}")
    except notation.Unwritten as error:
        mistakes.append(f"{place}: {error}")
    return None


def _said(error: Exception, kind: type[Rule] | type[_File]) -> str:
    """The mistake; of an unknown field also which one may have been meant."""
    field = re.search(r"unknown field `(.+?)`", str(error))
    return f"{error}; {suggest(field[1], kind.__struct_fields__)}" if field else str(error)


def _strange(name: str, holders: Iterable[_File | Rule]) -> Iterator[str]:
    named = dict.fromkeys(each for holder in holders for each in (*holder.owasp, *holder.atlas))
    for each in taxonomy.unknown(named):
        known = suggest(each, [*taxonomy.owasp(), *taxonomy.techniques()])
        yield f"{name}: {each!r} is in no taxonomy" + (f"; {known}" if known.startswith("did") else "")


def _ready(name: str, file: _File, rule: Rule) -> Ready:
    inherited = {
        field: getattr(rule, field) or getattr(file, field)
        for field in ("family", "lang", "owasp", "atlas", "references", "misses")
    }
    rule = msgspec.structs.replace(rule, **inherited)
    if sum(map(bool, (rule.patterns, rule.all, rule.signal))) != 1:
        raise notation.Unwritten("want either patterns or all, or a signal")

    for view in rule.views:
        if view not in NAMES:
            raise notation.Unwritten(f"no view is called {view!r}; {suggest(view, NAMES)}")

    given = rule.patterns or rule.all
    if rule.all and not 2 <= len(rule.all) <= TERMS:
        raise notation.Unwritten(f"all: want 2 to {TERMS} terms")
    if rule.literal:
        sequences = tuple(notation.Sequence((pattern,), ()) for pattern in given)
    else:
        sequences = tuple(notation.sequence(pattern, file.words) for pattern in given)
    if rule.all and any(len(each.elements) > 1 for each in sequences):
        raise notation.Unwritten("all: a term has no gaps")
    unless = tuple(notation.element(near, file.words) for near in rule.unless)
    return Ready(rule, name, sequences, unless)
