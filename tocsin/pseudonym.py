"""Pseudonyms: names for those who call, the same for the same identity, not to be guessed without the key.

A pseudonym is `<key id>:` and, in hex, 128 bits of HMAC-SHA-256 under a key derived for the tenant, so that
equal identities of two tenants cannot be told to be equal. Which key is in force follows from the arrival
clock, so a replay gives the same pseudonyms, and all workers change at the same place in the log.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import force_setattr

from tocsin.model import Event
from tocsin.settings import PrivacySettings

SHORTEST = 4  # characters of an identity that is looked for in text; shorter ones are in every text
_TENANTS = 1024  # whose keys are kept derived
_KNOWN = 65_536  # identities whose pseudonyms are kept at hand, in memory only


class Key(NamedTuple):
    """One key, and the arrival times at which it is in force and the one before it is still accepted."""

    id: str
    secret: bytes
    since: float
    accepted: float


class Pseudonyms:
    """Replaces the identities of events, in place."""

    def __init__(self, settings: PrivacySettings) -> None:
        self.keys = _schedule(settings)
        self.fields = settings.identities if self.keys else ()
        self._derived = lru_cache(_TENANTS)(_derived)
        self._pseudonym = lru_cache(_KNOWN)(self._made)

    def __bool__(self) -> bool:
        return bool(self.keys)

    def replace(self, event: Event, clock: float) -> list[Own]:
        """Puts pseudonyms where identities were; what was replaced and can be told in text, longest first.

        While the key before is accepted `event.former` says what it would have given.
        """
        now, before = self._in_force(clock)
        former: list[tuple[str, str]] = []
        own: list[Own] = []
        for field in self.fields:
            identity = getattr(event, field)
            if identity:
                force_setattr(event, field, self._pseudonym(now, event.tenant, identity))
                if len(identity) >= SHORTEST:
                    own.append(Own(identity, getattr(event, field)))
                if before is not None:
                    former.append((field, self._pseudonym(before, event.tenant, identity)))
        if former:
            force_setattr(event, "former", tuple(former))
        own.sort(key=lambda each: -len(each.identity))
        return own

    def name(self, tenant: str, identity: str, clock: float) -> str:
        """The pseudonym of one identity."""
        return self._pseudonym(self._in_force(clock)[0], tenant, identity)

    def all(self, tenant: str, identity: str) -> Iterator[str]:
        """The pseudonyms under every configured key."""
        return (self._pseudonym(key, tenant, identity) for key in self.keys)

    def _in_force(self, clock: float) -> tuple[Key, Key | None]:
        at = len(self.keys) - 1
        while at and clock < self.keys[at].since:
            at -= 1
        now = self.keys[at]
        return now, self.keys[at - 1] if at and clock < now.accepted else None

    def _made(self, key: Key, tenant: str, identity: str) -> str:
        secret = self._derived(key.secret, tenant)
        mac = hmac.digest(secret, identity.encode("utf-8", "surrogatepass"), "sha256")[:16]
        return f"{key.id}:{mac.hex()}"


class Own(NamedTuple):
    """An identity of an event, and what stands for it."""

    identity: str
    pseudonym: str

    @property
    def plain(self) -> bool:
        """Whether it is a word that may as well be the name of something else."""
        return self.identity.isalpha()

    def hide(self, text: str) -> str:
        """The text with the identity replaced wherever it stands as a word of its own."""
        if len(self.identity) < SHORTEST or self.identity not in text:
            return text
        return re.sub(rf"(?<![^\W_]){re.escape(self.identity)}(?![^\W_])", lambda found: self.pseudonym, text)


def _derived(secret: bytes, tenant: str) -> bytes:
    return hmac.digest(secret, b"tocsin.pseudonym\0" + tenant.encode("utf-8", "surrogatepass"), "sha256")


def _schedule(settings: PrivacySettings) -> list[Key]:
    """The keys in the order in which they come into force."""
    days = settings.accept_days * 86_400.0
    starts = {name: settings.since[name].timestamp() for name in settings.since}
    return sorted(
        (
            Key(name, secret.encode(), starts.get(name, 0.0), starts.get(name, 0.0) + days)
            for name, secret in settings.keys.items()
        ),
        key=lambda key: key.since,
    )
