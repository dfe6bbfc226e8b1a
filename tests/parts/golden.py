"""Golden payloads: records as producers write them, and what they must become.

`<case>.in.json`, `.in.txt` and `.in.bin` are one record each, `.in.jsonl` one a line, `.in.b64` one a line in
base64. `<case>.out.json` is the list of what all of them become: native JSON, without what the engine stamps.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

GOLDEN = Path(__file__).parents[1] / "ingest" / "golden"
KINDS = ("json", "txt", "bin", "jsonl", "b64")
_STAMPED = ("source_format",)


class Case(NamedTuple):
    """One payload; `path` is its input."""

    path: Path

    @property
    def folder(self) -> str:
        """Its format, or `envelopes/<name>`."""
        return self.path.parent.relative_to(GOLDEN).as_posix()

    @property
    def out(self) -> Path:
        return self.path.with_name(self.path.name.rsplit(".in.", 1)[0] + ".out.json")

    def records(self) -> list[bytes]:
        """The values of its records."""
        data = self.path.read_bytes()
        if self.path.suffix == ".jsonl":
            return [line for line in data.splitlines() if line.strip()]
        if self.path.suffix == ".b64":
            return [b64decode(line) for line in data.split()]
        return [data.removesuffix(b"\n") if self.path.suffix == ".txt" else data]

    def expected(self) -> list[Any]:
        return [plain(item) for item in msgspec.json.decode(self.out.read_bytes())]


def cases() -> Iterator[Case]:
    """All of them, in the order of their paths."""
    found = (path for kind in KINDS for path in GOLDEN.rglob(f"*.in.{kind}"))
    return (Case(path) for path in sorted(found))


def plain(item: Any) -> Any:
    """An item as it is compared."""
    fields = msgspec.json.decode(msgspec.json.encode(item))
    return {name: value for name, value in fields.items() if name not in _STAMPED}
