"""The parts of docs/detectors that the code knows: `python -m detectors.reference` writes them anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from detectors import BUILTIN
from tocsin.contracts import Detector
from tocsin.registry import DETECTORS, load
from tocsin.taxonomy import ATLAS_VERSION, name, tactics, techniques

DOCS = Path(__file__).parent.parent / "docs" / "detectors"
BEGIN, END = "<!-- from the code: python -m detectors.reference -->\n", "<!-- end -->\n"
BOUNDS = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}"}


def facts(detector: type[Detector[Any]]) -> str:
    """What a detector reads, misses, can be set to and belongs to, as Markdown."""
    about = detector.about
    reads = ", ".join(f"`{field}`" for field in about.reads)
    return "\n".join(
        [
            f"**Detects.** {about.detects}\n",
            f"**Misses.** {about.misses}\n",
            f"**Reads.** {reads}\n",
            "| setting | default | bounds | meaning |",
            "|---|---|---|---|",
            *settings(detector),
            "",
            f"| risk | name |\n|---|---|\n{risks(detector)}",
            "",
            f"ATLAS {ATLAS_VERSION}. Maturity: {about.maturity}. State version: {about.state_version}.",
            "",
        ]
    )


def settings(detector: type[Detector[Any]]) -> list[str]:
    """A table row for each setting."""
    properties = msgspec.json.schema(detector)["$defs"][detector.__name__]["properties"]
    return [
        f"| `{setting}` | {about['default']} | {bounds(about)} | {about['description']} |"
        for setting, about in properties.items()
    ]


def bounds(setting: dict[str, Any]) -> str:
    """What a value may be."""
    return ", ".join(text.format(setting[bound]) for bound, text in BOUNDS.items() if bound in setting)


def risks(detector: type[Detector[Any]]) -> str:
    """A table row for each id."""
    rows = [f"| OWASP {identifier} | {name(identifier)} |" for identifier in detector.about.owasp]
    for identifier in detector.about.atlas:
        served = ", ".join(tactics()[tactic] for tactic in techniques()[identifier].tactics)
        rows.append(f"| ATLAS {identifier} | {name(identifier)} ({served}) |")
    return "\n".join(rows)


def index() -> str:
    """A table of all built-in detectors."""
    rows = [
        f"| [{name}]({name}.md) | {about.title} | {', '.join(about.owasp)} | {', '.join(about.atlas)} |"
        for name, about in ((name, load(DETECTORS, name).about) for name in BUILTIN)
    ]
    return "\n".join(["| detector | what | OWASP | ATLAS |", "|---|---|---|---|", *rows, ""])


def pages() -> dict[Path, str]:
    """Each page of docs/detectors with its generated part as the code has it now."""
    parts = {DOCS / f"{name}.md": facts(load(DETECTORS, name)) for name in BUILTIN}
    return {path: _filled(path, part) for path, part in {DOCS / "README.md": index(), **parts}.items()}


def _filled(path: Path, part: str) -> str:
    before, _, rest = path.read_text().partition(BEGIN)
    return f"{before}{BEGIN}{part}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text)
