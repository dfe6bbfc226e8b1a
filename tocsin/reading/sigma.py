"""Sigma rules about texts: the documented subset of docs/sigma.md, and loud refusal of all else.

Source: the Sigma specification 2.1 (rules). A condition is decided on one text at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Literal, NamedTuple

from tocsin import taxonomy
from tocsin.contracts import ConfigError
from tocsin.reading.condition import Clause
from tocsin.reading.sigma_condition import clauses
from tocsin.reading.sigma_detection import selections
from tocsin.reading.sigma_mistakes import Mistakes
from tocsin.reading.yaml_nodes import Node, Unreadable, documents
from tocsin.registry import suggest

Level = Literal["info", "low", "medium", "high", "critical"]
LEVELS: Mapping[str, tuple[Level, float]] = {  # severity and weight; 0.5 flags
    "informational": ("info", 0.1),
    "low": ("low", 0.3),
    "medium": ("medium", 0.5),
    "high": ("high", 0.7),
    "critical": ("critical", 0.9),
}
PRODUCTS = ("llm", "gen_ai", "aitf")
CATEGORIES = ("ai_telemetry", "llm", "prompt")
FAMILY = "SIGMA"  # of a rule whose tags name none of ours
_STATUSES = ("stable", "test", "experimental")
_KNOWN = (
    "title", "id", "name", "status", "description", "license", "references", "author", "date", "modified",
    "tags", "scope", "logsource", "detection", "fields", "falsepositives", "level", "related", "taxonomy",
    "positive", "negative", "misses",
)  # fmt: skip
_STRANGE = {
    "correlation": "rules over several events are detectors; docs/detectors names them",
    "action": "collections of parts are not joined; write each rule out",
    "filter": "filters in files of their own are not applied; add a `not` to the condition",
}
_NAMESPACES = ("attack", "atlas", "owasp", "tocsin", "cve", "tlp", "detection", "car", "d3fend", "stp")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Imported(NamedTuple):
    """One rule, in the words of `tocsin.reading.pack.Rule`, and what it looks for."""

    id: str
    title: str
    severity: Level
    weight: float
    family: str
    owasp: tuple[str, ...]
    atlas: tuple[str, ...]
    references: tuple[str, ...]
    misses: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    clauses: tuple[Clause, ...]


class _Tags(NamedTuple):
    family: str
    owasp: tuple[str, ...]
    atlas: tuple[str, ...]
    references: tuple[str, ...]


def read(name: str, text: bytes) -> list[Imported]:
    """The rules of one file. Raises ConfigError with every mistake in it, each with line and remedy."""
    mistakes = Mistakes(name)
    try:
        found = documents(text)
    except Unreadable as error:
        raise ConfigError([f"{name}:{error.line}: {error}"]) from error
    except ImportError as error:
        raise ConfigError([f"{name}: Sigma rules want PyYAML: pip install 'tocsin[sigma]'"]) from error
    if not found:
        mistakes.add(1, "", "the file is empty")
    rules = [_rule(node, PurePath(name).stem, number, mistakes) for number, node in enumerate(found)]
    mistakes.tell()
    return [rule for rule in rules if rule]


def _rule(node: Node, stem: str, number: int, mistakes: Mistakes) -> Imported | None:
    top = mistakes.mapping(node, "a rule")
    if top is None:
        return None
    _keys(top, mistakes)
    _logsource(top.get("logsource"), node.line, mistakes)
    title = mistakes.text(top.get("title"), "title", node.line) or ""
    severity, weight = _level(top.get("level"), mistakes)
    tags = _tags(top.get("tags"), mistakes)
    detection = mistakes.mapping(top.get("detection") or Node(None, node.line), "detection")
    matches = clauses(detection, selections(detection, mistakes), mistakes) if detection else ()
    return Imported(
        _id(top.get("id"), stem, number, mistakes),
        title,
        severity,
        weight,
        tags.family,
        tags.owasp,
        tags.atlas,
        tags.references + mistakes.texts(top.get("references"), "references"),
        mistakes.text(top.get("misses"), "misses", 0) or "",
        mistakes.texts(top.get("positive"), "positive"),
        mistakes.texts(top.get("negative"), "negative"),
        matches,
    )


def _keys(top: Mapping[str, Node], mistakes: Mistakes) -> None:
    """Keys of one's own are Sigma's custom, but what changes a rule, or nearly is a known key, is refused."""
    for key, node in top.items():
        if key in _STRANGE:
            mistakes.add(node.line, key, _STRANGE[key])
        elif key not in _KNOWN and (near := suggest(key, _KNOWN)).startswith("did"):
            mistakes.add(node.line, key, f"no key of a rule: {near}")
    status = top.get("status")
    if status and status.value not in _STATUSES:
        mistakes.add(
            status.line, "status", f"{status.value!r} is not run; want one of {', '.join(_STATUSES)}"
        )


def _logsource(node: Node | None, line: int, mistakes: Mistakes) -> None:
    source = mistakes.mapping(node or Node(None, line), "logsource")
    if source is None:
        return
    product, category = (source[key].value if key in source else None for key in ("product", "category"))
    if product not in (None, *PRODUCTS) or category not in (None, *CATEGORIES) or not (product or category):
        mistakes.add(
            (node or Node(None, line)).line,
            "logsource",
            f"not about texts of models and agents; want product {' or '.join(PRODUCTS)}, "
            f"or category {' or '.join(CATEGORIES)}",
        )


def _level(node: Node | None, mistakes: Mistakes) -> tuple[Level, float]:
    level = node.value if node else "medium"
    if isinstance(level, str) and level in LEVELS:
        return LEVELS[level]
    if node:
        mistakes.add(node.line, "level", f"no level: {level!r}; {suggest(str(level), LEVELS)}")
    return LEVELS["medium"]


def _id(node: Node | None, stem: str, number: int, mistakes: Mistakes) -> str:
    """The rule's own id, or one made of the file's name."""
    if node is None:
        slug = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:50]
        return f"sigma-{slug or 'rule'}" + (f"-{number + 1}" if number else "")
    name = node.value.lower() if isinstance(node.value, str) else ""
    if not _UUID.fullmatch(name):
        mistakes.add(
            node.line, "id", f"no UUID: {node.value!r}; leave it out to name the rule after its file"
        )
    return name


def _tags(node: Node | None, mistakes: Mistakes) -> _Tags:
    family, owasp, atlas, references = FAMILY, [], [], []
    for tag, line in _each(node, mistakes):
        space, _, rest = tag.lower().partition(".")
        if space == "tocsin":
            family = rest.upper()
            if not re.fullmatch(r"[A-Z]{1,6}[0-9]{0,3}", family):
                mistakes.add(line, "tags", f"{tag!r}: a family is letters and a number, as in tocsin.a9")
        elif space == "owasp":
            owasp.append(_listed(_owasp(rest), tag, taxonomy.owasp(), line, mistakes))
        elif space == "atlas":
            name = rest if rest.startswith("aml.") else f"aml.{rest}"
            atlas.append(_listed(name.upper(), tag, taxonomy.techniques(), line, mistakes))
        elif space == "attack" and re.fullmatch(r"t[0-9]{4}(\.[0-9]{3})?", rest):
            references.append(f"https://attack.mitre.org/techniques/{rest.upper().replace('.', '/')}/")
        elif space == "cve":
            references.append(f"https://nvd.nist.gov/vuln/detail/CVE-{rest.replace('.', '-')}")
        elif space not in _NAMESPACES and (near := suggest(space, _NAMESPACES)).startswith("did"):
            mistakes.add(line, "tags", f"{tag!r} begins with no namespace: {near}")
    return _Tags(family, tuple(owasp), tuple(atlas), tuple(references))


def _each(node: Node | None, mistakes: Mistakes) -> Iterator[tuple[str, int]]:
    if node and not isinstance(node.value, list):
        mistakes.add(node.line, "tags", "want a list")
    for each in node.value if node and isinstance(node.value, list) else ():
        if isinstance(each.value, str):
            yield each.value, each.line
        else:
            mistakes.add(each.line, "tags", "a tag is text")


def _owasp(rest: str) -> str:
    """`llm01.2026` or `llm01-2026` as the taxonomy writes it; without its edition it names no risk."""
    return re.sub(r"[.:_-](?=[0-9]{4}$)", ":", rest.upper())


def _listed(name: str, tag: str, known: Mapping[str, object], line: int, mistakes: Mistakes) -> str:
    if name not in known:
        editions = sorted(each for each in known if each.startswith(name + ":"))
        remedy = f"name its edition: {' or '.join(editions)}" if editions else suggest(name, known)
        mistakes.add(line, "tags", f"{tag!r} is in no taxonomy; {remedy}")
    return name
