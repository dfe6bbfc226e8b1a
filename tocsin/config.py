"""One TOML file becomes one Config, or one ConfigError with every mistake in it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from tocsin import registry
from tocsin.contracts import ConfigError, Sink, Source
from tocsin.plan import Instance, Plan
from tocsin.prices import PriceSettings
from tocsin.settings import (
    AssemblySettings,
    ContentSettings,
    DetectorOptions,
    EncryptionSettings,
    EngineSettings,
    GroupSettings,
    HistorySettings,
    LimitSettings,
    OperationsSettings,
    PrivacySettings,
    QuarantineSettings,
    ReadingSettings,
)
from tocsin.tables import Tables

if TYPE_CHECKING:
    from tocsin.sealing import Keys

SHORTEST_SECRET = 16  # characters
EXCHANGE = "ingest.exchange:ExchangeSettings"
MAPPING = "ingest.mapping:MappingSettings"

SECTIONS: Mapping[str, type[msgspec.Struct]] = {
    "groups": GroupSettings,
    "limits": LimitSettings,
    "content": ContentSettings,
    "reading": ReadingSettings,
    "privacy": PrivacySettings,
    "engine": EngineSettings,
    "history": HistorySettings,
    "assembly": AssemblySettings,
    "quarantine": QuarantineSettings,
    "encryption": EncryptionSettings,
    "operations": OperationsSettings,
}
TABLES = ("source", "formats", "exchange", *SECTIONS, "prices", "checkpoints", "detectors", "sinks")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class SourceOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside a source's own settings."""

    type: Annotated[str, Meta(description="which source")]
    format: Annotated[str, Meta(description="decoder of its records; auto: recognised record by record")] = (
        "auto"
    )


class StoreOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside a checkpoint store's own settings."""

    type: Annotated[str, Meta(description="where checkpoints live: sqlite (one host) or kafka")] = "sqlite"


class SinkOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside a sink's own settings."""

    type: Annotated[str, Meta(description="which sink; default: the table's name")] = ""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was configured, checked."""

    source: Source
    format: str
    formats: Mapping[str, Any]  # ingest.mapping.MappingSettings, by name
    exchange: Any | None  # ingest.exchange.ExchangeSettings, which the core may not name
    checkpoints: Any  # settings of a checkpoint store
    sinks: Mapping[str, Sink]
    instances: tuple[Instance, ...]
    groups: GroupSettings
    limits: LimitSettings
    content: ContentSettings
    reading: ReadingSettings
    privacy: PrivacySettings
    engine: EngineSettings
    history: HistorySettings
    assembly: AssemblySettings
    quarantine: QuarantineSettings
    encryption: EncryptionSettings
    operations: OperationsSettings
    prices: Mapping[str, PriceSettings]
    warnings: tuple[str, ...] = ()

    @property
    def keys(self) -> Keys | None:
        """What seals the raw zones; None: they are plain."""
        secrets = tuple(self.encryption.secrets.values())
        if not secrets:
            return None
        from tocsin.sealing import Keys  # where nothing is sealed, its library is not loaded

        return Keys(secrets)

    @property
    def plan(self) -> Plan:
        """What the core is told."""
        return Plan(
            instances=self.instances,
            content=self.content,
            reading=self.reading,
            groups=self.groups,
            limits=self.limits,
            history=self.history,
            assembly=self.assembly,
            privacy=self.privacy,
            prices=self.prices,
        )


def load(path: str | Path, environment: Mapping[str, str] = os.environ) -> Config:
    """The configuration in a file. Raises ConfigError."""
    try:
        return read(parse(path), environment)
    except ConfigError as error:
        raise ConfigError([f"{path}: {mistake}" for mistake in error.mistakes]) from error


def parse(path: str | Path) -> dict[str, Any]:
    """The tables of a file, as they stand there. Raises ConfigError."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"is not TOML: {error}"]) from error


def read(
    tables: Mapping[str, Any], environment: Mapping[str, str] = os.environ, *, embedded: bool = False
) -> Config:
    """The configuration in parsed tables. Raises ConfigError.

    `embedded`: the caller brings source, checkpoints and sinks of its own (replay), so those need not
    make sense together.
    """
    made = _Reader(tables, environment, embedded)
    parts = made.parts()
    mistakes = [*registry.conflicts(), *made.tables.mistakes]
    if mistakes:
        raise ConfigError(mistakes)
    return Config(**parts)


class _Reader:
    """Goes through the tables once."""

    def __init__(self, tables: Mapping[str, Any], environment: Mapping[str, str], embedded: bool) -> None:
        self.tables = Tables(environment)
        self._given = {name: self.tables.substitute(name, value) for name, value in tables.items()}
        self._embedded = embedded

    def parts(self) -> dict[str, Any]:
        for name in self._given:
            if name not in TABLES:
                self.tables.mistake("", f"[{name}] unknown table; {registry.suggest(name, TABLES)}")
        parts: dict[str, Any] = {
            name: self.tables.record(name, self._given.get(name, {}), cls) for name, cls in SECTIONS.items()
        }
        self._rules(parts["reading"])
        parts["formats"] = dict(self._formats())
        parts["source"], parts["format"] = self._source(parts["formats"])
        parts["exchange"] = self._exchange()
        parts["prices"] = {
            name: self.tables.record(f"prices.{name}", table, PriceSettings)
            for name, table in self._members("prices").items()
        }
        parts["checkpoints"] = self._checkpoints()
        parts["sinks"] = {name: self._sink(name, table) for name, table in self._members("sinks").items()}
        parts["instances"] = tuple(self._instances())
        if not self._embedded:
            self._together(parts)
        return parts | {"warnings": tuple(_warnings(parts))}

    def _rules(self, reading: ReadingSettings | None) -> None:
        if reading is not None and (reading.rules or reading.disabled):
            from tocsin.reading.loaded import mistakes  # only where there is something to check

            for mistake in mistakes(reading):
                self.tables.mistake("reading", mistake)

    def _source(self, formats: Mapping[str, Any]) -> tuple[Source | None, str]:
        if "source" not in self._given:
            known = ", ".join(registry.entries(registry.SOURCES))
            self.tables.mistake("source", f"missing: say where records come from; types: {known}")
            return None, ""
        options, source = self._component("source", self._given["source"], registry.SOURCES, SourceOptions)
        if options and options.format not in ("auto", *formats):
            self._find("source", "format", registry.DECODERS, options.format)
        return source, options.format if options else ""

    def _formats(self) -> Iterator[tuple[str, Any]]:
        for name, table in self._members("formats").items():
            place = f"formats.{name}"
            if name in registry.entries(registry.DECODERS):
                self.tables.mistake(place, f"the format {name!r} is there already; give yours another name")
            made = self.tables.record(place, table, registry.resolve(MAPPING))
            for mistake in made.mistakes() if made is not None else ():
                self.tables.mistake(place, mistake)
            yield name, made

    def _exchange(self) -> Any | None:
        if "exchange" not in self._given:
            return None
        return self.tables.record("exchange", self._given["exchange"], registry.resolve(EXCHANGE))

    def _checkpoints(self) -> Any | None:
        table = self._given.get("checkpoints", {})
        return self._component("checkpoints", table, registry.STORES, StoreOptions, "sqlite")[1]

    def _sink(self, name: str, table: Any) -> Sink | None:
        made: Sink | None = self._component(f"sinks.{name}", table, registry.SINKS, SinkOptions, name)[1]
        return made

    def _instances(self) -> list[Instance]:
        wanted = self._members("detectors")
        if wanted.pop("defaults", True) is True:
            wanted = {name: {} for name in stable_detectors()} | wanted
        made = (self._instance(name, table) for name, table in sorted(wanted.items()))
        return [instance for instance in made if instance is not None and instance.options.enabled]

    def _instance(self, name: str, table: Any) -> Instance | None:
        place = f"detectors.{name}"
        options, detector = self._component(place, table, registry.DETECTORS, DetectorOptions, name)
        if options is None or detector is None:
            return None
        return Instance(name=name, type=options.type or name, detector=detector, options=options)

    def _members(self, section: str) -> dict[str, Any]:
        """The tables in [detectors], [sinks], [formats] or [prices], by their names."""
        table = self._given.get(section, {})
        if not isinstance(table, dict):
            self.tables.mistake(section, f"must hold one table for each, like [{section}.name]")
            return {}
        for name, inner in table.items():
            if (section, name) == ("detectors", "defaults"):
                if not isinstance(inner, bool):
                    self.tables.mistake(section, "defaults: must be true or false")
            elif not _NAME.fullmatch(name):
                self.tables.mistake(f"{section}.{name}", "names are lower case: a-z, 0-9 and _")
        return dict(table)

    def _component(
        self, place: str, table: Any, kind: registry.Kind, options: type[msgspec.Struct], name: str = ""
    ) -> tuple[Any, Any]:
        """The options, and the record of the class that `type` (or else `name`) names."""
        if not isinstance(table, dict):
            self.tables.mistake(place, "must be a table")
            return None, None
        chosen = table.get("type", "") or name
        if not isinstance(chosen, str) or not chosen:
            self.tables.mistake(place, f"type: missing; one of {', '.join(registry.entries(kind))}")
            return None, None
        cls = self._find(place, "type" if "type" in table else "", kind, chosen)
        if cls is None:
            return None, None
        beside, made = self.tables.records(place, table, options, cls)
        return beside, made

    def _find(self, place: str, field: str, kind: registry.Kind, name: str) -> type[Any] | None:
        try:
            return registry.load(kind, name)
        except ConfigError as error:
            for mistake in error.mistakes:
                self.tables.mistake(place, f"{field}: {mistake}" if field else mistake)
            return None

    def _together(self, parts: Mapping[str, Any]) -> None:
        """Rules between tables."""
        source, sinks = parts["source"], parts["sinks"].values()
        if source is not None and "exchange" not in self._given and not direct(source):
            self.tables.mistake(
                "exchange",
                "missing: events of a group must meet in one partition, so this source goes through an "
                "exchange topic; add [exchange], or direct = true to [source] if its key is the group",
            )
        if source is not None and parts["exchange"] is not None and direct(source):
            self.tables.mistake("exchange", "not used: [source] is read directly; remove one of the two")
        cut, limits = getattr(source, "record_bytes", 0), parts["limits"]
        if limits is not None and cut > limits.record_bytes:
            refused = f"[limits] record_bytes refuses what is above {limits.record_bytes}"
            self.tables.mistake("source", f"record_bytes: {cut}, but {refused}")
        if not self._given.get("sinks"):
            self.tables.mistake("sinks", "missing: nothing would be kept; add [sinks.clickhouse]")
        elif sinks and not any(sink is None or sink.durable for sink in sinks):
            self.tables.mistake("sinks", "none of these keeps anything; add [sinks.clickhouse]")


def direct(source: Source) -> bool:
    """Whether the source's own log is processed, without an exchange in between."""
    return bool(getattr(source, "direct", True))


def stable_detectors() -> list[str]:
    """Built-in detectors that run without being asked for."""
    kind = registry.DETECTORS
    return [name for name in registry.builtins(kind) if registry.load(kind, name).about.maturity == "stable"]


def _warnings(parts: Mapping[str, Any]) -> list[str]:
    content, privacy = parts["content"], parts["privacy"]
    warnings: list[str] = []
    if content is not None and not content.key:
        warnings.append(
            "[content] key: empty, so hashes of texts can be matched by whoever guesses the text; "
            'write key = "${TOCSIN_CONTENT_KEY}" and set that variable to a secret'
        )
    for name, secret in privacy.keys.items() if privacy is not None else ():
        if len(secret) < SHORTEST_SECRET:
            warnings.append(
                f"[privacy] keys.{name}: shorter than {SHORTEST_SECRET} characters, so pseudonyms can be "
                "undone by whoever guesses it; take 32 random bytes: openssl rand -base64 32"
            )
    return warnings
