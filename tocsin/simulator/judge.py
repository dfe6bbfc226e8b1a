"""Alerts held against the truth: what was found and when, what was missed, what was false."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from tocsin.simulator.incidents import Incident, Sign

AFTERMATH_SECONDS = 1800.0  # an end is a change too, and may be told


class Told(NamedTuple):
    """One alert as people were told of it first."""

    detector: str  # type
    severity: str
    summary: str
    first_seen: float
    fields: Mapping[str, str]  # application, key, agent, session, user, api_key, tool, model


class Verdict(NamedTuple):
    """One incident and the alerts that speak of it, the first one first."""

    incident: Incident
    told: Sequence[Told]

    @property
    def delay_seconds(self) -> float | None:
        """From the start of the incident to its first alert, in the time of the stream."""
        return self.told[0].first_seen - self.incident.start if self.told else None

    @property
    def failed(self) -> bool:
        """Whether it had to be found and was not."""
        return self.incident.must_find and not self.told


class Judgement(NamedTuple):
    """`false` holds alerts about nothing that happened, and those about look-alikes."""

    verdicts: Sequence[Verdict]
    false: Sequence[tuple[Told, Incident | None]]


def judge(truth: Sequence[Incident], told: Sequence[Told]) -> Judgement:
    """Give every alert to the incidents that it speaks of."""
    ordered = sorted(told, key=lambda alert: alert.first_seen)
    verdicts = [Verdict(each, [alert for alert in ordered if speaks_of(alert, each)]) for each in truth]
    false = []
    for alert in ordered:
        meant = [verdict.incident for verdict in verdicts if alert in verdict.told]
        if all(incident.benign for incident in meant):
            false.append((alert, meant[0] if meant else None))
    return Judgement(verdicts, false)


def speaks_of(alert: Told, incident: Incident) -> bool:
    """Whether the alert began during the incident or shortly after it, and names what it is about."""
    if not incident.start <= alert.first_seen <= incident.end + AFTERMATH_SECONDS:
        return False
    return any(_shows(alert, sign) for sign in incident.signs)


def _shows(alert: Told, sign: Sign) -> bool:
    if not fnmatchcase(alert.detector, sign.detector):
        return False
    return all(fnmatchcase(alert.fields.get(name, ""), value) for name, value in sign.entity.items())
