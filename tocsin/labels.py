"""Labels that say that what they stand at is somebody's name: `user.email`, `"customerId": "..."`."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

ALONE = frozenset({"user", "username", "enduser", "email", "mail", "login", "principal"})
WHO = frozenset({"user", "enduser", "customer", "employee", "member", "account", "person", "author", "owner"})
WHAT = frozenset({"id", "name", "email", "mail", "uuid", "login", "hash", "key", "alias", "number"})
WHENCE = frozenset({"client", "remote", "peer", "forwarded", "real", "source"})
PLACE = frozenset({"ip", "address", "addr", "for"})

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD = re.compile(r"[a-z]+")
_LABELLED = re.compile(r"""(\\{0,3}["'])([A-Za-z_.-]{2,64})(\1\s{0,4}:\s{0,4}\1)([^"'\\]{1,256})""")


@lru_cache(4096)
def names_somebody(label: str) -> bool:
    """Whether a label announces an identity; `user_agent` and `user.role` do not."""
    words = _WORD.findall(_CAMEL.sub("_", label[:256]).lower())
    if not words:
        return False
    last, before = words[-1], set(words)
    return last in ALONE or (last in WHAT and bool(before & WHO)) or (last in PLACE and bool(before & WHENCE))


def hide_labelled(text: str, pseudonym: Callable[[str], str]) -> str:
    """JSON text, quoted once or several times, with the identities behind such labels replaced."""
    if '":' not in text and '" :' not in text:
        return text

    def replace(found: re.Match[str]) -> str:
        if not names_somebody(found[2]):
            return found[0]
        return f"{found[1]}{found[2]}{found[3]}{pseudonym(found[4])}"

    return _LABELLED.sub(replace, text)
