"""URLs in a text, without what could be private in them: which host, whether it loads by itself, and how
much could be carried out with it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tocsin.model import Link

MOST = 64  # links of a text
_LONGEST = 2048  # characters of a URL
_SEGMENT = 24  # characters of a path segment that could be data
_URL = re.compile(
    r"(?P<image>!\[[^\]\n]{0,200}\]\(\s{0,3}<?|<img\b[^>\n]{0,200}?\bsrc\s{0,3}=\s{0,3}[\"']?)?"
    r"(?P<url>\b(?:https?|ftp|wss?)://[^\s<>\"'`\\)\]}]{1,2048})",
    re.IGNORECASE,
)


def links(text: str) -> tuple[Link, ...]:
    """The first MOST different links; a host that is none, or no URL after all, gives nothing."""
    if "://" not in text:
        return ()
    found: dict[Link, None] = {}
    for match in _URL.finditer(text):
        link = _link(match["url"], image=match["image"] is not None)
        if link is not None:
            found[link] = None
            if len(found) == MOST:
                break
    return tuple(found)


def _link(url: str, *, image: bool) -> Link | None:
    try:
        parts = urlsplit(url.rstrip(".,;:!?*|"))
        host = (parts.hostname or "").rstrip(".")
        if not host.isascii():
            host = host.encode("idna").decode()
    except (ValueError, UnicodeError):
        return None
    if not 1 <= len(host) <= 253:
        return None
    payload = len(parts.query) + len(parts.fragment) + len(parts.username or "") + len(parts.password or "")
    payload += sum(len(segment) for segment in parts.path.split("/") if len(segment) > _SEGMENT)
    return Link(host, image, payload)
