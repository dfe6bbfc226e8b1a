"""How much of what real producers told the events tell: producer x fact, from their recordings.

    python -m bench.recordings [NAME ...] [--wrong] [--out FILE]

With a NAME only recordings that begin so; `--wrong` lists each fact that is not told rightly.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from parts import recordings  # noqa: E402
from parts.truth import GROUPS, Counted, Score  # noqa: E402


class Row(NamedTuple):
    """A line of the table."""

    name: str
    form: str
    records: int
    recognised: int
    score: Score


def rows(beginnings: Sequence[str]) -> list[Row]:
    found = []
    for recording in recordings.all_of():
        if recording.name.startswith(tuple(beginnings or [""])):
            outcome = recordings.run(recording)
            score = recordings.score(recording.name, recording.form)
            found.append(Row(recording.name, recording.form, outcome.records, outcome.recognised, score))
    return found


def total(form: str, some: Iterable[Row]) -> Row:
    """The sum of rows."""
    some = list(some)
    told: Counter[str] = sum((row.score.told for row in some), Counter())
    right: Counter[str] = sum((row.score.right for row in some), Counter())
    calls, tools = (
        Counted(*(sum(column) for column in zip(*counts, strict=True)))
        for counts in ([row.score.calls for row in some], [row.score.tools for row in some])
    )
    records, recognised = sum(row.records for row in some), sum(row.recognised for row in some)
    return Row("total", form, records, recognised, Score(calls, tools, told, right, ()))


def line(row: Row) -> str:
    score = row.score
    cells = [f"{row.recognised}/{row.records}", _counted(score.calls), _counted(score.tools)]
    cells += [f"{score.right[g]}/{score.told[g]}" if score.told[g] else "-" for g in GROUPS]
    shown = "".join(f"{cell:>13}" for cell in cells)
    return f"{row.name[:28]:29}{row.form[:25]:26}{shown}{score.share:>8.1%}"


def _counted(counted: Counted) -> str:
    if not counted.expected and not counted.extra:
        return "-"
    return f"{counted.found}/{counted.expected}" + (f"+{counted.extra}" if counted.extra else "")


def complaints(score: Score) -> Iterator[str]:
    """A line for each wrong fact; one for all of a call that is missing."""
    missing = Counter(wrong.scenario for wrong in score.wrong if not wrong.event)
    for scenario, facts in missing.items():
        yield f"{scenario}: {facts} facts of calls without an event"
    for wrong in score.wrong:
        if wrong.event:
            yield f"{wrong.scenario}: {wrong.fact} is {wrong.expected[:100]!r}, see event {wrong.event}"


def figures(row: Row) -> dict[str, Any]:
    """The row as plain values."""
    score = row.score
    return {
        "name": row.name,
        "form": row.form,
        "records": [row.recognised, row.records],
        "calls": score.calls._asdict(),
        "executions": score.tools._asdict(),
        "facts": {group: [score.right[group], score.told[group]] for group in GROUPS if score.told[group]},
        "share": round(score.share, 4),
        "wrong": [wrong._asdict() for wrong in score.wrong],
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.recordings", description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--wrong", action="store_true", help="list the facts that are not told rightly")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "recordings.json")
    options = parser.parse_args()
    if not recordings.DATA.exists():
        raise SystemExit(f"no recordings in {recordings.DATA}")
    found = rows(options.names)
    print(f"{'producer':29}{'form':26}" + "".join(f"{h:>13}" for h in ("records", "calls", "tools", *GROUPS)))
    for row in found:
        print(line(row))
        if options.wrong:
            for text in complaints(row.score):
                print(f"    {text}")
    forms = [*recordings.FORMS, "others"]
    for form in forms:
        some = [row for row in found if (row.form if row.form in recordings.FORMS else "others") == form]
        if some:
            print(line(total(form, some)))
    print(line(total("all", found)))
    options.out.write_text(json.dumps([figures(row) for row in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
