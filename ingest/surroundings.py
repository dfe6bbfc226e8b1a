"""What an envelope says beside the document that it carries: a time, names, and attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from msgspec.structs import force_setattr

from ingest import readings
from ingest.envelopes import CARRIERS, looks_like_json
from ingest.times import epoch
from tocsin.model import Event
from tocsin.settings import LimitSettings

PREFIX = "shipper."
ATTRIBUTES = 16  # of an envelope, kept with each event in it
CHARACTERS = 256  # of one of them
_LOOKED_AT = 64  # names of an envelope
_DEPTH = 4

TIMES = (
    "@timestamp", "timestamp", "Timestamp", "time", "ts", "date", "eventTime", "publishTime", "publish_time",
    "receiveTimestamp", "__REALTIME_TIMESTAMP", "ISODATE", "R_ISODATE", "DATE", "timereported", "ts_ms",
    "approximateArrivalTimestamp",
)  # fmt: skip

# Canonical fields that an envelope may give where the document leaves them empty; the first name wins.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "service": (
        "service.name", "service_name", "service", "application", "app.kubernetes.io/name", "k8s-app", "app",
        "container_name", "kubernetes.container_name", "k8s_container_name",
        "programname", "app-name", "app_name", "appname", "PROGRAM", "SYSLOG_IDENTIFIER",
    ),
    "environment": (
        "deployment.environment.name", "deployment.environment", "service.environment", "environment", "env",
    ),
    "trace_id": ("trace.id", "trace_id", "traceId"),
}  # fmt: skip

# Tables in which shippers keep labels: a name inside counts like one outside.
_LABELS = (
    "kubernetes.labels.", "kubernetes.pod_labels.", "resource.labels.", "container.labels.", "labels.",
    "fields.", "attributes.", "attrs.", "_",
)  # fmt: skip
_UNSAID = frozenset((*CARRIERS, *TIMES, "event.original"))


def time_of(said: Mapping[str, Any]) -> float:
    """The time that an envelope, or a document by itself, is stamped with; 0: none."""
    return next((time for name in TIMES if (time := epoch(said.get(name)))), 0.0)


class Surroundings:
    """What is kept of one envelope, or of one part of it."""

    __slots__ = ("_names", "attributes", "fields", "time")

    def __init__(self, said: Mapping[str, Any], without: tuple[str, ...] = ()) -> None:
        self.time = time_of(said)
        names = dict(_flat(said, (*without, *TIMES)))
        self.attributes = dict(_attributes(names))
        bare = {_bare(name): name for name in names} | {name: name for name in names}
        found = ((field, _first(among, bare, names)) for field, among in FIELDS.items())
        self.fields = {field: name for field, name in found if name}
        self._names = names

    def dress(self, event: Event, limits: LimitSettings) -> None:
        """Give an event what it lacks."""
        if self.time and not event.time:
            force_setattr(event, "time", self.time)
        own = self.attributes
        for field, name in self.fields.items():
            if not getattr(event, field):
                force_setattr(event, field, self._names[name])
                own = {key: text for key, text in own.items() if key != PREFIX + name}
        room = limits.attributes - len(event.attributes)
        if own and room > 0:
            force_setattr(event, "attributes", dict(islice(own.items(), room)) | event.attributes)


def _flat(table: Mapping[str, Any], without: tuple[str, ...]) -> Iterable[tuple[str, Any]]:
    """Names and plain values of a table and the tables in it, few and in their order."""
    return islice(_walk(table, "", _DEPTH, without), _LOOKED_AT)


def _walk(
    table: Mapping[str, Any], prefix: str, depth: int, without: tuple[str, ...]
) -> Iterator[tuple[str, Any]]:
    for number, (name, value) in enumerate(table.items()):
        if number >= _LOOKED_AT:
            return
        if name in without or len(name) > CHARACTERS:
            continue
        if isinstance(value, dict):
            if depth:
                yield from _walk(value, f"{prefix}{name}.", depth - 1, without)
        elif isinstance(value, str | int | float) and name not in _UNSAID:
            yield prefix + name, value


def _bare(name: str) -> str:
    for prefix in _LABELS:
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name


def _first(among: tuple[str, ...], bare: Mapping[str, str], said: Mapping[str, Any]) -> str:
    """The name whose value is the best of `among`; empty: none."""
    for wanted in among:
        name = bare.get(wanted, "")
        value = said.get(name)
        if isinstance(value, str) and value and len(value) <= CHARACTERS:
            return name
    return ""


def _attributes(names: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    texts = ((name, readings.text(value)) for name, value in names.items())
    worth = ((name, text) for name, text in texts if text and not looks_like_json(text))
    return ((f"{PREFIX}{name}"[:128], text[:CHARACTERS]) for name, text in islice(worth, ATTRIBUTES))
