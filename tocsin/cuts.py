"""How much of a text is looked at, so that no secret is cut in two: nothing finds half a secret."""

from __future__ import annotations

import string

from tocsin.settings import LimitSettings

MESSAGE_CHARACTERS = 200  # kept of an error message, in every content mode
REACH = 1024  # characters read beyond an excerpt: longer secrets are one word, or show by how they begin
_TOKEN = string.ascii_letters + string.digits + "_+/=.~%@:-"
_NUMBER = string.digits + " -.()+"


def whole(text: str, limit: int) -> str:
    """Text that a decoder cut at `limit`, without what the cut may have gone through: nothing finds half a
    secret, or the first digits of a number."""
    return text if len(text) < limit else text.rstrip(_TOKEN).rstrip(_NUMBER).rstrip(_TOKEN)


class Cuts:
    """What is read of the texts of an event of which `limit` characters are kept; negative: all."""

    def __init__(self, limit: int, limits: LimitSettings) -> None:
        self._limit = limit
        self._reach = limit + REACH
        self._limits = limits
        # Shorter texts are read whole; where nothing is kept, none is.
        self.below = self._reach if limit > 0 else limits.text_characters if limit else 0

    def text(self, text: str) -> str:
        """So much of a text that half a secret can neither be kept nor be taken for none."""
        if self._limit <= 0:
            return whole(text, self._limits.text_characters) if self._limit else ""
        return text if len(text) < self._reach else whole(text[: self._reach], self._reach)

    def message(self, text: str) -> str:
        """Of an error message."""
        return text[: MESSAGE_CHARACTERS + REACH]

    def attribute(self, text: str) -> str:
        """Of the value of an attribute."""
        return whole(text, self._limits.attribute_characters)
