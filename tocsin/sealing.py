"""Sealing: authenticated encryption of what the two raw zones hold, the exchange and the journal.

    byte 0       version of the format, now 1
    bytes 1-8    mark of the key: derived from it, tells nothing about it
    bytes 9-24   salt, random, one for each process and key
    bytes 25-36  nonce, counted
    then         AES-256-GCM ciphertext and tag

Each process seals under a key of its own, derived from the configured one and a random salt (HKDF with
SHA-256), and counts its nonces. So no two processes, threads or forks ever meet in a nonce, and the limit of
2^32 messages for random nonces under one key does not apply.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tocsin.contracts import ConfigError

VERSION = b"\x01"
KEY, MARK, SALT, NONCE, TAG = 32, 8, 16, 12, 16  # bytes
OVERHEAD = 1 + MARK + SALT + NONCE + TAG
MESSAGES = 1 << 31  # under one salt
OPENED = 1024  # derived keys remembered


class NoKey(ConfigError):
    """What was sealed cannot be opened with the keys that are configured."""

    def __init__(self, mark: bytes, place: str) -> None:
        super().__init__(
            [
                f"[encryption] keys: {place} is sealed with a key (mark {mark.hex()}) that is not among them."
                " Nothing was dropped: add that key under any name and start again. A key that seals no more "
                "stays listed until all that it sealed was read"
            ]
        )


class Unsound(Exception):
    """Sealed bytes that do not verify: damaged, changed, or moved from another place."""


class Keys:
    """The configured keys: one of them seals, all of them open. Safe to use from several threads."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        """The first seals; without any nothing can be sealed."""
        self._masters = {_mark(key): key for key in secrets}
        self._first = next(iter(secrets), b"")
        self._sealing: _Sealing | None = None
        self._lock = threading.Lock()
        self._opened: dict[bytes, AESGCM] = {}

    def seal(self, data: bytes, place: str) -> bytes:
        """The data, readable only with the key and only at this place."""
        sealing = self._sealing
        number = next(sealing.numbers) if sealing and sealing.process == os.getpid() else MESSAGES
        if sealing is None or number >= MESSAGES:
            sealing = self._begin()
            number = next(sealing.numbers)
        nonce = number.to_bytes(NONCE, "big")
        return b"".join((sealing.head, nonce, sealing.cipher.encrypt(nonce, data, place.encode())))

    def open(self, sealed: bytes, place: str) -> bytes:
        """What was sealed at this place. Raises NoKey and Unsound."""
        mark, salted = sealed[1 : 1 + MARK], sealed[1 : 1 + MARK + SALT]
        if sealed[:1] != VERSION or len(sealed) < OVERHEAD:
            raise Unsound("sealed by a newer Tocsin, or not at all")
        cipher = self._opened.get(salted) or self._derived(mark, salted, place)
        body = 1 + MARK + SALT
        try:
            return cipher.decrypt(sealed[body : body + NONCE], sealed[body + NONCE :], place.encode())
        except InvalidTag:
            raise Unsound("sealed, and does not verify: damaged, or moved from another place") from None

    def _begin(self) -> _Sealing:
        """A fresh salt: in a new process, or where one has sealed enough."""
        with self._lock:
            salt = os.urandom(SALT)
            head = VERSION + _mark(self._first) + salt
            cipher = AESGCM(_derive(self._first, salt))
            self._sealing = _Sealing(os.getpid(), head, cipher, iter(count()))
            return self._sealing

    def _derived(self, mark: bytes, salted: bytes, place: str) -> AESGCM:
        if mark not in self._masters:
            raise NoKey(mark, place)
        if len(self._opened) >= OPENED:
            self._opened = {}
        cipher = self._opened[salted] = AESGCM(_derive(self._masters[mark], salted[MARK:]))
        return cipher


def opened(keys: Keys | None, sealed: bytes, place: str) -> bytes:
    """What was sealed at this place, whether or not there are keys. Raises NoKey and Unsound."""
    return (keys or Keys(())).open(sealed, place)


class _Sealing(NamedTuple):
    process: int
    head: bytes
    cipher: AESGCM
    numbers: Iterator[int]


def _mark(key: bytes) -> bytes:
    return HKDF(SHA256(), MARK, salt=None, info=b"tocsin: mark of a key").derive(key)


def _derive(key: bytes, salt: bytes) -> bytes:
    return HKDF(SHA256(), KEY, salt=salt, info=b"tocsin: raw zones").derive(key)
