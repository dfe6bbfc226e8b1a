"""Names and identities without secrets and personal data."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from operator import attrgetter

from tocsin.glance import BETWEEN, Cleaner
from tocsin.model import Event

IDENTITIES = ("user", "api_key", "client_ip")
identities = attrgetter(*IDENTITIES)
_SECRET = "[secret:"  # begins the marks of secrets
_FOUND = 8192  # names and identities of which it is remembered what they became


class Names:
    """Names without secrets and personal data: what is found becomes a mark; different ones stay so."""

    def __init__(self, cleaner: Cleaner, secret: str, secrets: Cleaner | None = None) -> None:
        """`secrets` finds secrets and nothing else; without it the cleaner tells where to look closer."""
        self._redact = cleaner.redact
        self._suspects = (secrets or cleaner).suspects
        self._key = blake2b(secret.encode(), digest_size=32, person=b"tocsin.names").digest()
        self.clean = lru_cache(_FOUND)(self._clean)
        self.secretless = lru_cache(_FOUND)(self._secretless)
        self.innocent = lru_cache(_FOUND)(self._innocent)

    def innocents(self, events: Iterable[Event]) -> list[bool]:
        """Which events name nobody by a secret. All are looked at together: next to none does."""
        named = list(map(identities, events))
        together = BETWEEN.join(set(chain.from_iterable(named)))
        if together and (_SECRET in together or self._suspects(together)):
            return [self.innocent(*identities) for identities in named]
        return [True] * len(named)

    def stand_in(self, name: str) -> str:
        """Nothing of the name but a keyed digest."""
        return f"#{self._digest(name)}"

    def _clean(self, name: str) -> str:
        """The name, or what is left of it with a keyed digest of the whole."""
        clean = self._redact(name)
        return name if clean == name else f"{clean}#{self._digest(name)}"

    def _secretless(self, identity: str) -> str:
        """The identity itself, unless it is a secret: some send the key as the name of the key."""
        clean = self._redact(identity)
        return f"{clean}#{self._digest(identity)}" if _SECRET in clean else identity

    def _innocent(self, *identities: str) -> bool:
        """Whether none of some identities is a secret."""
        return all(self._secretless(identity) == identity for identity in identities if identity)

    def _digest(self, name: str) -> str:
        return blake2b(name.encode("utf-8", "replace"), digest_size=8, key=self._key).hexdigest()


def only_secrets() -> Cleaner:
    """What finds secrets and nothing else."""
    from tocsin.reading.patterns import PATTERNS
    from tocsin.reading.redaction import Redactor  # compiling its patterns takes a moment

    return Redactor(leaving={each.mark for each in PATTERNS if not f"[{each.mark}]".startswith(_SECRET)})
