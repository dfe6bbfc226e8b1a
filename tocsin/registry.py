"""Names in the configuration to classes: built-ins from the components' own lists, then entry points.

A built-in stands in a literal dict of its package (`detectors.BUILTIN`, ...) as "module:Class", a
plugin in the entry points of its distribution in the same form, so both come in by the same door:
nothing is imported before it is named.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tocsin.contracts import ConfigError, Detector, Sink, Source

PACKAGES = ("tocsin", "ingest", "detectors", "sinks", "dashboards")


class Kind(NamedTuple):
    """One sort of thing that can be named in the configuration."""

    word: str  # in messages
    package: str
    table: str  # the package's dict of built-ins
    group: str  # entry points
    base: type[Any] = object


SOURCES = Kind("source", "ingest", "SOURCES", "tocsin.sources", Source)
DECODERS = Kind("format", "ingest", "DECODERS", "tocsin.decoders")
STORES = Kind("checkpoint store", "ingest", "STORES", "tocsin.stores")
DETECTORS = Kind("detector", "detectors", "BUILTIN", "tocsin.detectors", Detector)
SINKS = Kind("sink", "sinks", "BUILTIN", "tocsin.sinks", Sink)
KINDS = (SOURCES, DECODERS, STORES, DETECTORS, SINKS)

CORE: Mapping[str, Mapping[str, str]] = {
    "tocsin.stores": {"sqlite": "tocsin.stores:Sqlite", "memory": "tocsin.stores:Memory"}
}


class Entry(NamedTuple):
    """Where a class is, and which distribution brings it ("" = built in)."""

    target: str
    distribution: str = ""


def builtins(kind: Kind) -> dict[str, str]:
    """What Tocsin itself brings, name to "module:Class"."""
    table: Mapping[str, str] = getattr(importlib.import_module(kind.package), kind.table, {})
    return {**CORE.get(kind.group, {}), **table}


def plugins(kind: Kind) -> list[tuple[str, Entry]]:
    """What installed distributions add, in the order of their names."""
    return _installed(tuple(sys.path))[kind]


@cache
def _installed(path: tuple[str, ...]) -> Mapping[Kind, list[tuple[str, Entry]]]:
    """Read once: the files of every distribution on the path are looked into."""
    found = importlib.metadata.entry_points()
    return {
        kind: sorted(
            (point.name, Entry(point.value, _distribution(point))) for point in found.select(group=kind.group)
        )
        for kind in KINDS
    }


def entries(kind: Kind) -> dict[str, Entry]:
    """Everything that can be named; a built-in's name stays the built-in's."""
    known = dict(reversed(plugins(kind)))
    known.update((name, Entry(target)) for name, target in builtins(kind).items())
    return dict(sorted(known.items()))


def conflicts() -> list[str]:
    """Plugins that claim a name which is taken, each with the remedy."""
    return [mistake for kind in KINDS for mistake in _conflicts(kind)]


def _conflicts(kind: Kind) -> Iterable[str]:
    taken = dict.fromkeys(builtins(kind), "built in")
    for name, entry in plugins(kind):
        if name in taken:
            yield (
                f"plugin {entry.distribution} calls a {kind.word} {name!r}, but that name is "
                f"{taken[name]}: rename its entry point or uninstall it"
            )
        else:
            taken[name] = f"taken by {entry.distribution}"


def load(kind: Kind, name: str) -> type[Any]:
    """The class behind a name. Raises ConfigError that says what is near or what is broken."""
    known = entries(kind)
    if name not in known:
        raise ConfigError([f"unknown {kind.word} {name!r}; {suggest(name, known)}"])
    entry = known[name]
    try:
        loaded = resolve(entry.target)
    except Exception as error:  # a plugin may fail in any way while it is imported
        raise ConfigError([f"{_whose(kind, name, entry)} cannot be loaded: {error!r}"]) from error
    if not (inspect.isclass(loaded) and issubclass(loaded, kind.base)):
        raise ConfigError([f"{_whose(kind, name, entry)} is no {kind.base.__name__}: {entry.target}"])
    return loaded


def suggest(name: str, known: Iterable[str]) -> str:
    """The nearest known name, or all of them."""
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(choices)}" if choices else "none is known"


def resolve(target: str) -> Any:
    """What "module:name" stands for."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _whose(kind: Kind, name: str, entry: Entry) -> str:
    if not entry.distribution:
        return f"{kind.word} {name!r}"
    return f"{kind.word} {name!r} of the plugin {entry.distribution} (fix or uninstall it)"


def _distribution(point: importlib.metadata.EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "unknown"


def guard() -> list[str]:
    """Why the five packages are not all ours; empty: they are.

    Their names are ordinary words, so a foreign distribution or a folder nearby can stand in front
    of a package (shadowing) or lie on top of its files (overwriting).
    """
    home = Path(__file__).parent.parent
    return [*_shadowed(home), *_overwritten(home)]


def _shadowed(home: Path) -> Iterable[str]:
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        origin = Path(spec.origin) if spec and spec.origin else None
        if origin is None or origin.parent.parent != home:
            yield (
                f"the package {name!r} is not Tocsin's: it comes from {origin or 'nowhere'}, not from "
                f"{home}; install Tocsin into an environment of its own and start it with `tocsin`"
            )


def _overwritten(home: Path) -> Iterable[str]:
    if not _installed_in(home):
        return
    owners = importlib.metadata.packages_distributions()
    for name in PACKAGES:
        strangers = sorted(set(owners.get(name, ())) - {"tocsin"})
        if strangers:
            yield (
                f"the package {name!r} also belongs to {', '.join(strangers)}, which overwrites Tocsin's "
                "files; install Tocsin into an environment of its own"
            )


def _installed_in(home: Path) -> bool:
    """Whether the files that run are an installed distribution's (not a checkout's)."""
    try:
        distribution = importlib.metadata.distribution("tocsin")
    except importlib.metadata.PackageNotFoundError:
        return False
    return Path(str(distribution.locate_file("tocsin"))).resolve().parent == home.resolve()
