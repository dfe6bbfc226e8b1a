"""The alert book: findings of one key within the cooldown are one alert with revisions."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from tocsin.codec import Codec
from tocsin.model import Alert, Event, Finding, Severity
from tocsin.plan import Instance
from tocsin.section import Section, short

ALERTS = 10_000  # open at a time in one group; the oldest is closed to make room, never refused
EVENT_IDS = 10
SUMMARY_CHARACTERS = 500


class Cause(NamedTuple):
    """What made a detector look: an event, or a timer and the position it fired at."""

    position: str
    event: Event | None
    clock: float
    backfill: bool


class OpenAlert(msgspec.Struct, gc=False):
    """The last revision as people know it, and whether more happened since."""

    alert: Alert
    until: float  # end of its cooldown, arrival time
    changed: bool = False


_CODEC: Codec[OpenAlert | None] = Codec(OpenAlert | None)


class Book:
    """The open alerts of one group, by instance and key."""

    __slots__ = ("_application", "_tenant", "open")

    def __init__(self, tenant: str, application: str) -> None:
        self._tenant = tenant
        self._application = application
        self.open: Section[OpenAlert | None] = Section(lambda: None, _CODEC, limit=ALERTS)

    def report(self, instance: Instance, key: str, finding: Finding, cause: Cause) -> tuple[str, list[Alert]]:
        """The page in `open`, and the revisions that a finding leads to: none, when it only counts."""
        finding = _rated(instance, finding)
        page = _page(instance, key)
        known = self._current(page)
        if known and known.alert.backfill and not cause.backfill:
            return page, self.close(page) + self._new(instance, page, key, finding, cause)
        if known is None:
            return page, self._new(instance, page, key, finding, cause)
        return page, self._again(page, known, finding, cause)

    def rename(self, instance: Instance, old: str, new: str, event: Event) -> tuple[str, float] | None:
        """A key has another name from now on: the page of its open alert, and when that is to be closed."""
        page, known = _page(instance, new), self._current(_page(instance, old))
        if known is None or not self.open.rename(_page(instance, old), page, event.arrival):
            return None
        names = {
            field: short(getattr(event, field))
            for field, before in event.former
            if getattr(known.alert, field, "") == before
        }
        known.alert = replace(known.alert, key=new, **names)
        return page, known.until

    def close(self, page: str) -> list[Alert]:
        """The cooldown is over: the final count, where it is not known yet."""
        known = self._current(page)
        self.open.remove(page)
        return _final(known)

    def flush(self) -> list[Alert]:
        """The final counts of all that is open."""
        return [alert for page in sorted(self.open) for alert in self.close(page)]

    def _current(self, page: str) -> OpenAlert | None:
        entry = self.open.get(page)
        return entry.value if entry else None

    def _new(self, instance: Instance, page: str, key: str, finding: Finding, cause: Cause) -> list[Alert]:
        alert = self._alert(instance, key, finding, cause)
        cooldown = instance.options.cooldown_seconds
        if cooldown <= 0:
            return [alert]
        closed: list[Alert] = []
        while self.open.full:
            closed += _final(self.open.pop().value)
        self.open.touch(page, cause.clock).value = OpenAlert(alert, cause.clock + cooldown)
        return [*closed, alert]

    def _again(self, page: str, known: OpenAlert, finding: Finding, cause: Cause) -> list[Alert]:
        alert = replace(
            known.alert,
            count=known.alert.count + 1,
            last_seen=cause.clock,
            event_ids=_ids(known.alert.event_ids, finding, cause),
        )
        risen = finding.severity > alert.severity
        if risen:
            alert = replace(_worse(alert, finding), revision=alert.revision + 1, status="updated")
        known.alert, known.changed = alert, not risen
        self.open.touch(page, cause.clock)
        return [alert] if risen else []

    def _alert(self, instance: Instance, key: str, finding: Finding, cause: Cause) -> Alert:
        event, about = cause.event or _NOBODY, instance.detector.about
        return Alert(
            id=_id(instance.name, self._tenant, self._application, key, cause.position),
            revision=1,
            status="new",
            detector=instance.name,
            detector_type=instance.type,
            detector_version=about.state_version,
            tenant=self._tenant,
            application=self._application,
            key=key,
            severity=finding.severity,
            summary=finding.summary,
            first_seen=cause.clock,
            last_seen=cause.clock,
            count=1,
            value=finding.value,
            baseline=finding.baseline,
            window_seconds=finding.window_seconds,
            since=finding.since,
            evidence=finding.evidence,
            event_ids=_ids((), finding, cause),
            agent=short(event.agent),
            session=short(event.session),
            user=short(event.user),
            api_key=short(event.api_key),
            tool=short(event.tool_name),
            model=short(event.model),
            owasp=about.owasp,
            atlas=about.atlas,
            backfill=cause.backfill,
        )


_NOBODY = Event()


def _page(instance: Instance, key: str) -> str:
    return short(f"{instance.name}\0{key}")


def _rated(instance: Instance, finding: Finding) -> Finding:
    """The finding as configured, and no longer than an alert may be: names in it come from outside."""
    name = instance.options.severity
    return replace(
        finding,
        severity=Severity[name] if name else finding.severity,
        summary=finding.summary[:SUMMARY_CHARACTERS],
        evidence={key: short(v) if isinstance(v, str) else v for key, v in finding.evidence.items()},
    )


def _worse(alert: Alert, finding: Finding) -> Alert:
    return replace(
        alert,
        severity=finding.severity,
        summary=finding.summary,
        value=finding.value,
        baseline=finding.baseline,
        window_seconds=finding.window_seconds,
        since=finding.since if alert.since is None else alert.since,
        evidence=finding.evidence,
    )


def _final(known: OpenAlert | None) -> list[Alert]:
    if known is None or not known.changed:
        return []
    return [replace(known.alert, revision=known.alert.revision + 1, status="updated")]


def _ids(ids: tuple[str, ...], finding: Finding, cause: Cause) -> tuple[str, ...]:
    """The first few events of an alert."""
    if len(ids) >= EVENT_IDS:
        return ids
    more = finding.event_ids or ((cause.event.id,) if cause.event else ())
    return tuple(dict.fromkeys(ids + more))[:EVENT_IDS]


def _id(*parts: str) -> str:
    joined = msgspec.msgpack.encode([part.encode("utf-8", "replace") for part in parts])
    return blake2b(joined, digest_size=16).hexdigest()
