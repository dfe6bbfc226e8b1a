"""How deep a document is nested."""

from __future__ import annotations

from typing import Any


def deeper(document: Any, limit: int) -> bool:
    """Whether lists and objects stand inside one another more than `limit` times. Needs no recursion."""
    level = [document]
    for _ in range(limit):
        level = [
            inner
            for value in level
            for inner in (value.values() if type(value) is dict else value)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return False
    return True
