"""What secrets and personal data look like: one list, for redaction and for every detector.

Patterns are ASCII, linear in the text (no nested or adjacent unbounded repeats over one class) and
valid for Python's `re` and for Hyperscan. Where a group `value` exists, only it is the secret. A
`check` sorts out what merely looks alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple


class Pattern(NamedTuple):
    """One type of secret or personal data, and the mark that replaces it."""

    name: str
    kind: str  # secret, personal
    expression: str
    check: Callable[[str], bool] | None = None
    caseless: bool = False
    trigger: str = ""  # what the fast scan looks for instead, where `expression` is too much for it

    @property
    def mark(self) -> str:
        return f"[{self.kind}:{self.name}]"


def luhn(text: str) -> bool:
    """Whether the digits satisfy the Luhn check of payment cards (ISO/IEC 7812-1, annex B)."""
    digits = [int(character) for character in text if character.isdigit()]
    if len(set(digits)) < 2:
        return False
    doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def iban(text: str) -> bool:
    """Whether the check digits fit (ISO 13616, mod 97)."""
    compact = text.replace(" ", "")
    if not 15 <= len(compact) <= 34:
        return False
    return int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97 == 1


def social_security_number(text: str) -> bool:
    """Whether the United States' Social Security Administration could have issued it."""
    area, group, serial = text.split("-")
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def address_v4(text: str) -> bool:
    """Whether it is an IPv4 address; 127.0.0.1 and 0.0.0.0 name nobody."""
    try:
        address = IPv4Address(text)
    except AddressValueError:
        return False
    return not address.is_loopback and not address.is_unspecified


def address_v6(text: str) -> bool:
    """Whether it is an IPv6 address that names a host; `a::b` is more likely a name in a program."""
    if len(text) < 7 or not any(character.isdigit() for character in text):
        return False
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return False
    return not address.is_loopback and not address.is_unspecified


def random_looking(text: str) -> bool:
    """Whether a value is too varied to be a word: a password or a key rather than a placeholder."""
    if text.startswith(("$", "{", "<", "[", "%")) or len(text) < 6:
        return False
    counts = [text.count(character) for character in set(text[:256])]
    size = min(len(text), 256)
    entropy = -sum(count / size * math.log2(count / size) for count in counts)
    mixed = sum((text.upper() != text, text.lower() != text, any(c.isdigit() for c in text)))
    return entropy >= 2.5 and (mixed >= 2 or entropy >= 3.5)


_WORD = r"[A-Za-z0-9_-]"
_ASSIGNED = (
    r"(?:passw(?:or)?d|passphrase|pwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token|token|credential)"
    r"[a-z_]{0,16}(?:\\{0,2}[\"']){0,2}\s{0,3}(?:=>|:=|[:=])\s{0,3}(?:\\{0,2}[\"']){0,2}"
    r"(?P<value>[^\s\"'`,;\\)}]{6,256})"
)

PATTERNS: tuple[Pattern, ...] = (
    Pattern(
        "private_key",
        "secret",
        r"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----"
        r"[\s\S]*?(?:-----END [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----|\Z)",
        trigger=r"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY",
    ),
    Pattern("aws_key", "secret", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    Pattern("github_token", "secret", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,})"),
    Pattern("gitlab_token", "secret", rf"\bgl(?:pat|ptt|dt|rt|cbt|ft|soat)-{_WORD}{{20,}}"),
    Pattern("slack_token", "secret", r"\b(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,}"),
    Pattern("slack_webhook", "secret", r"\bhooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{20,}"),
    Pattern("llm_key", "secret", rf"\bsk-{_WORD}{{20,}}"),
    Pattern("google_key", "secret", rf"\bAIza{_WORD}{{35}}"),
    Pattern("google_oauth", "secret", rf"\b(?:GOCSPX-{_WORD}{{20,}}|ya29\.{_WORD}{{20,}})"),
    Pattern("stripe_key", "secret", r"\b(?:[rs]k|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,}"),
    Pattern("huggingface_token", "secret", r"\bhf_[A-Za-z0-9]{30,}"),
    Pattern("npm_token", "secret", r"\bnpm_[A-Za-z0-9]{36}"),
    Pattern("pypi_token", "secret", rf"\bpypi-{_WORD}{{50,}}"),
    Pattern("sendgrid_key", "secret", rf"\bSG\.{_WORD}{{16,32}}\.{_WORD}{{32,64}}"),
    Pattern("twilio_key", "secret", r"\b(?:SK|AC)[0-9a-f]{32}\b"),
    Pattern("digitalocean_token", "secret", r"\bdo[opr]_v1_[a-f0-9]{64}"),
    Pattern("shopify_token", "secret", r"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    Pattern("telegram_token", "secret", rf"\b\d{{8,10}}:AA{_WORD}{{33}}"),
    Pattern("age_key", "secret", r"\bAGE-SECRET-KEY-1[A-Z0-9]{58}"),
    Pattern("jwt", "secret", rf"\beyJ{_WORD}{{10,}}\.{_WORD}{{10,}}\.{_WORD}*"),
    Pattern(
        "url_password",
        "secret",
        r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s:/@\"']{0,64}:(?P<value>[^\s/@\"']{1,128})@",
        trigger=r"://[^\s:/@\"']{0,64}:[^\s/@\"']{1,128}@",
    ),
    Pattern(
        "bearer",
        "secret",
        r"\b(?:bearer|basic)\s{1,4}(?P<value>[A-Za-z0-9._~+/=-]{16,})",
        random_looking,
        caseless=True,
    ),
    Pattern(
        "assigned",
        "secret",
        r"(?<!\[)" + _ASSIGNED,  # not in a mark
        random_looking,
        caseless=True,
        trigger=_ASSIGNED,
    ),
    Pattern("iban", "personal", r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", iban),
    Pattern("card", "personal", r"\b\d(?:[ -]?\d){12,18}\b", luhn),
    Pattern("us_ssn", "personal", r"\b\d{3}-\d{2}-\d{4}\b", social_security_number),
    Pattern(
        "email",
        "personal",
        r"\b[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,6}\b",
        trigger=r"[A-Za-z0-9._%+-]@[A-Za-z0-9-]{1,63}\.[A-Za-z0-9-]",
    ),
    Pattern("phone", "personal", r"\+\d{1,3}(?:[ .()/-]{0,2}\d){7,12}\b"),
    Pattern("phone", "personal", r"(?:\(\d{3}\) ?|\b\d{3}[ .-])\d{3}[ .-]\d{4}\b"),
    Pattern("ip", "personal", r"\b(?:\d{1,3}\.){3}\d{1,3}\b", address_v4),
    Pattern(
        "ip", "personal", r"(?:\b[0-9A-Fa-f]{1,4})?(?::[0-9A-Fa-f]{0,4}){2,7}(?:[0-9A-Fa-f]\b)?", address_v6
    ),
)
