"""Canary tokens: words that stand in one place only, so whoever says one has seen that place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

SHORTEST, LONGEST = 8, 128  # characters of a token
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,128}")
_HASH = re.compile(r"[0-9a-f]{64}")


def mistake(token: str) -> str:
    """What is wrong with a token, or with its hash, as it was configured; "" where nothing is."""
    if _TOKEN.fullmatch(token):
        return ""
    return f"want {SHORTEST} to {LONGEST} letters, digits, - or _, or the SHA-256 of those in hex"


class Canaries:
    """Tokens by their names; known by their hashes alone."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._names = {
            token if _HASH.fullmatch(token) else _hashed(token): name
            for name, token in sorted(tokens.items())
        }

    def find(self, text: str) -> tuple[str, ...]:
        """Names of the tokens that stand in a text, sorted."""
        if not self._names:
            return ()
        found = {self._names.get(_hashed(token)) for token in dict.fromkeys(_TOKEN.findall(text))}
        return tuple(sorted(name for name in found if name))


def _hashed(token: str) -> str:
    return sha256(token.encode()).hexdigest()
