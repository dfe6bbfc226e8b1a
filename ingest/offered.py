"""What was offered to a model and what a search found: definitions of tools, and documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import orjson

from ingest.messages import as_text, first, structure
from tocsin.model import Document, ToolDefinition


def tool_definitions(value: Any) -> tuple[ToolDefinition, ...]:
    """The tools offered to a model."""
    value = structure(value)
    if isinstance(value, dict):
        value = value.get("tools", [value])
    if not isinstance(value, list):
        return ()
    found: list[ToolDefinition] = []
    for item in value[:512]:
        found.extend(_definitions(structure(item), 3))
    return tuple(found)


def _definitions(item: Any, depth: int) -> Iterable[ToolDefinition]:
    if not isinstance(item, dict) or not depth:
        return
    group = item.get("function_declarations") or item.get("functionDeclarations")
    nested = first(item, ("function", "toolSpec", "tool", "json_schema", "data"))
    if isinstance(group, list):
        for each in group:
            yield from _definitions(each, depth - 1)
    elif nested and not item.get("name"):
        yield from _definitions(structure(nested), depth - 1)
    elif isinstance(item.get("name"), str):
        yield tool_definition(item)


def tool_definition(item: Mapping[str, Any]) -> ToolDefinition:
    """A definition with a digest that is stable over name, description and schema."""
    description = as_text(item.get("description"))
    keys = ("parameters", "input_schema", "inputSchema", "json_schema", "schema")
    schema = next((structure(item[key]) for key in keys if item.get(key)), None)
    try:
        canon = orjson.dumps([item["name"], description, schema], option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, UnicodeEncodeError):
        canon = repr((item["name"], description, schema)).encode("utf-8", "replace")
    return ToolDefinition(item["name"], blake2b(canon, digest_size=16).hexdigest(), description)


def documents(value: Any) -> tuple[Document, ...]:
    """The documents that a retrieval returned."""
    value = structure(value)
    if isinstance(value, dict):
        value = value.get("documents", value.get("output"))
    found = []
    for item in value[:512] if isinstance(value, list) else ():
        inner = item.get("document") if isinstance(item, dict) else None
        found.append(_document(inner if isinstance(inner, dict) else item))
    return tuple(found)


def _document(item: Any) -> Document:
    if not isinstance(item, dict):
        return Document(text=as_text(item))
    keys = ("content", "page_content", "text", "pageContent")
    text = next((item[key] for key in keys if item.get(key) is not None), "")
    score = item.get("score")
    usable = isinstance(score, int | float) and abs(score) < 1e18  # False for NaN
    return Document(as_text(item.get("id")), float(score or 0) if usable else None, as_text(text))
