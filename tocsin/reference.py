"""The settings as people read them, made from the records that check them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo

from tocsin import config, registry
from tocsin.prices import PriceSettings
from tocsin.settings import DetectorOptions
from tocsin.tables import choices, description, metas, struct_in

_WORDS: Mapping[Any, str] = {str: "text", int: "integer", float: "number", bool: "true or false"}


class Setting(NamedTuple):
    """One key of a table."""

    name: str
    kind: str
    default: str
    description: str


def settings(cls: type[msgspec.Struct]) -> Iterator[Setting]:
    """The keys of a record, in its order; a table inside it stands for its keys."""
    for field in msgspec.structs.fields(cls):
        inner = struct_in(field.type)
        if inner is not None:
            yield from (s._replace(name=f"{field.encode_name}.{s.name}") for s in settings(inner))
        else:
            yield Setting(field.encode_name, _kind(field.type), _default(field), description(field))


def table(*classes: type[msgspec.Struct]) -> str:
    """The keys of records that share a table, in Markdown."""
    rows = [setting for cls in classes for setting in settings(cls)]
    lines = ["| key | value | default | meaning |", "|---|---|---|---|"]
    lines += (f"| `{s.name}` | {s.kind} | {_code(s.default)} | {_cell(s.description)} |" for s in rows)
    return "\n".join(lines) if rows else "No settings."


def configuration() -> str:
    """All tables of the file, in Markdown."""
    parts = [f"### `[source]`\n\n{table(config.SourceOptions)}", *_components("source", registry.SOURCES)]
    mapping = registry.resolve(config.MAPPING)
    parts.append(f"### `[formats.<name>]`\n\n{_first_line(mapping)}\n\n{table(mapping)}")
    parts.append(f"### `[exchange]`\n\n{table(registry.resolve(config.EXCHANGE))}")
    for name, cls in config.SECTIONS.items():
        parts.append(f"### `[{name}]`\n\n{_first_line(cls)}\n\n{table(cls)}")
    parts.append(f"### `[prices.<name>]`\n\n{_first_line(PriceSettings)}\n\n{table(PriceSettings)}")
    parts.append(f"### `[checkpoints]`\n\n{table(config.StoreOptions)}")
    parts += _components("checkpoints", registry.STORES)
    parts.append(f"### `[detectors.<name>]`\n\nFor every detector:\n\n{table(DetectorOptions)}")
    parts += _components("detectors.<name>", registry.DETECTORS)
    parts.append(f"### `[sinks.<name>]`\n\n{table(config.SinkOptions)}")
    parts += _components("sinks.<name>", registry.SINKS)
    return "\n\n".join(parts) + "\n"


def _components(place: str, kind: registry.Kind) -> Iterator[str]:
    for name in sorted(registry.builtins(kind)):
        cls = registry.load(kind, name)
        yield f'#### `[{place}]` with `type = "{name}"`\n\n{_first_line(cls)}\n\n{table(cls)}'


def _first_line(cls: type[Any]) -> str:
    return (cls.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")


def _kind(kind: Any) -> str:
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if words := choices(kind):
        return " or ".join(_code(f'"{word}"') for word in words)
    if get_origin(bare) in (Union, UnionType):
        return " or ".join(_kind(option) for option in get_args(bare) if option is not NoneType)
    if get_origin(bare) in (tuple, list, frozenset):
        return f"list of {_kind(get_args(bare)[0])}"
    if get_origin(bare) in (dict, Mapping):
        return f"table of {_kind(get_args(bare)[1])}"
    return _WORDS.get(bare, getattr(bare, "__name__", str(bare))) + _bounds(metas(kind))


def _bounds(notes: Sequence[msgspec.Meta]) -> str:
    words = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
    limits = ((word, getattr(note, name)) for note in notes for name, word in words.items())
    return "".join(f" {word} {limit:,}" for word, limit in limits if limit is not None)


def _default(field: FieldInfo) -> str:
    if field.required:
        return "must be given"
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.json.encode(field.default_factory()).decode()
    return "none" if field.default is None else msgspec.json.encode(field.default).decode()


def _code(text: str) -> str:
    return text if text in ("must be given", "none") else f"`{text}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
