"""Dead letters: what became of a refused record, for those who run the source.

A letter tells the reason, the place in the source and a redacted sample. The raw bytes stay where they
are: a copy in a second topic would be a second raw store to protect, and the place finds them again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from tocsin.model import Reject

_FIELDS = (
    "reason",
    "detail",
    "shape",
    "sample",
    "size",
    "sha256",
    "source",
    "source_partition",
    "source_offset",
    "source_index",
    "tenant",
)
_encode = msgspec.json.Encoder().encode


def letter(reject: Reject, redact: Callable[[str], str]) -> bytes:
    """The letter, as JSON. The sample was redacted when it was taken; the detail is redacted here."""
    told: dict[str, Any] = {name: value for name in _FIELDS if (value := getattr(reject, name)) != ""}
    if reject.detail:
        told["detail"] = redact(reject.detail)[:200]
    return _encode({"tocsin": "dead_letter"} | told)
