"""Rule packs: TOML files, one for each attack family, ours and the user's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from tocsin import taxonomy
from tocsin.contracts import ConfigError
from tocsin.model import Role
from tocsin.reading import notation

Level = Literal["info", "low", "medium", "high", "critical"]
WIDEST = 300  # bytes over which terms may be spread
TERMS = 4


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
    rule: tuple[Rule, ...] = ()


class Ready(NamedTuple):
    """A rule with its regular expressions."""

    rule: Rule
    pack: str
    sequences: tuple[notation.Sequence, ...]  # any of them; or, of `all`, each of them
    unless: tuple[re.Pattern[bytes], ...]


def shipped() -> list[Ready]:
    """The packs of this package."""
    folder = files("tocsin.reading").joinpath("packs")
    named = sorted((each.name, each.read_bytes()) for each in folder.iterdir() if each.name.endswith(".toml"))
    return _checked(each for name, text in named for each in _read(name, text))


def load(folders: Iterable[str | Path] = (), *, own_only: bool = False) -> list[Ready]:
    """The rules of this package and those of the user's folders."""
    rules = [] if own_only else shipped()
    for folder in folders:
        paths = sorted(Path(folder).glob("*.toml"))
        if not paths:
            raise ConfigError([f"{folder}: no rule packs (*.toml) there"])
        for path in paths:
            rules += _read(str(path), path.read_bytes())
    return _checked(rules)


def _checked(rules: Iterable[Ready]) -> list[Ready]:
    known: dict[str, Ready] = {}
    for each in rules:
        if each.rule.id in known:
            raise ConfigError(
                [f"{each.pack}: rule {each.rule.id!r} is in {known[each.rule.id].pack} already"]
            )
        known[each.rule.id] = each
    return list(known.values())


def _read(name: str, text: bytes) -> Iterator[Ready]:
    try:
        file = msgspec.toml.decode(text, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{name}: {error}"]) from error
    named = [*file.owasp, *file.atlas]
    for rule in file.rule:
        named += [*rule.owasp, *rule.atlas]
    if strange := taxonomy.unknown(named):
        raise ConfigError([f"{name}: {each!r} is in no taxonomy" for each in strange])
    for rule in file.rule:
        try:
            yield _ready(name, file, rule)
        except (notation.Unwritten, re.error) as error:
            raise ConfigError([f"{name}: rule {rule.id!r}: {error}"]) from error


def _ready(name: str, file: _File, rule: Rule) -> Ready:
    inherited = {
        field: getattr(rule, field) or getattr(file, field)
        for field in ("family", "lang", "owasp", "atlas", "references", "misses")
    }
    rule = msgspec.structs.replace(rule, **inherited)
    if bool(rule.patterns) == bool(rule.all):
        raise notation.Unwritten("want either patterns or all")

    given = rule.patterns or rule.all
    if rule.all and not 2 <= len(rule.all) <= TERMS:
        raise notation.Unwritten(f"all: want 2 to {TERMS} terms")
    if rule.literal:
        sequences = tuple(notation.Sequence((pattern,), ()) for pattern in given)
    else:
        sequences = tuple(notation.sequence(pattern, file.words) for pattern in given)
    if rule.all and any(len(each.elements) > 1 for each in sequences):
        raise notation.Unwritten("all: a term has no gaps")
    for each in sequences:
        for element in each.elements:
            re.compile(element.encode())
    unless = tuple(re.compile(notation.element(near, file.words).encode()) for near in rule.unless)
    return Ready(rule, name, sequences, unless)
