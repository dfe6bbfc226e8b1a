"""How much of labelled secrets and personal data the patterns find, on data that they were not made from.

Misses and false findings of the part `seen` (three quarters) were looked at while the patterns were written,
those of `unseen` never. Records weigh 1 / size of their cluster of near-duplicates. Reads ../shared/data;
prints JSON.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from tocsin.reading.redaction import Redactor

DATA = Path(__file__).parents[2] / "shared" / "data"
PARTS = ("seen", "unseen")
PERSONAL = (
    *("CREDIT_CARD", "EMAIL_ADDRESS", "IBAN_CODE", "IP_ADDRESS", "PHONE_NUMBER", "US_SSN"),
    *("PERSON", "STREET_ADDRESS"),  # no pattern finds these
)
CLAIMED = {
    "card": {"CREDIT_CARD"},
    "email": {"EMAIL_ADDRESS"},
    "iban": {"IBAN_CODE"},
    "ip": {"IP_ADDRESS"},
    "national_id": {"US_SSN"},
    "phone": {"PHONE_NUMBER"},
}
WORDED = {f"secret:{kind}" for kind in ("assignment", "authorization", "login", "said")}
BENIGN = ("clinc150", "gpteacher_codegen", "agentbench_os_tasks", "bfcl_nonlive")


def rows(name: str) -> list[dict[str, Any]]:
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def part_of(row: dict[str, Any]) -> str:
    cluster = str(row.get("dup_cluster", row["id"]))
    return "unseen" if int(sha256(cluster.encode()).hexdigest(), 16) % 4 == 3 else "seen"


def weights(some: Iterable[dict[str, Any]]) -> list[tuple[dict[str, Any], float]]:
    some = list(some)
    sizes = Counter(row.get("dup_cluster", row["id"]) for row in some)
    return [(row, 1 / sizes[row.get("dup_cluster", row["id"])]) for row in some]


def secrets(redactor: Redactor, part: str) -> dict[str, float]:
    """Of test strings of a secret scanner. Those that its own rule must not flag may be secrets to others.

    Found is what an analyst would be told, replaced what would not be stored. `as_itself`: found by a typed
    pattern, not by the words around it alone.
    """
    totals: dict[str, float] = defaultdict(float)
    for row, weight in weights(row for row in rows("gitleaks_samples") if part_of(row) == part):
        found = {mark for mark, *_ in redactor.find(row["text"]) if mark.startswith("secret:")}
        totals[f"{row['label']} {bool(found)}"] += weight
        totals[f"{row['label']} typed"] += weight if found - WORDED else 0.0
        totals[f"{row['label']} replaced"] += weight if "[secret:" in redactor.redact(row["text"]) else 0.0
    right, missed = totals["secret True"], totals["secret False"]
    wrong, left = totals["benign True"], totals["benign False"]
    return {
        "secrets": round(right + missed),
        "found": round(right / (right + missed), 3),
        "replaced": round(totals["secret replaced"] / (right + missed), 3),
        "others": round(wrong + left),
        "others_found": round(wrong / (wrong + left), 3),
        "others_found_as_itself": round(totals["benign typed"] / (wrong + left), 3),
        "others_replaced": round(totals["benign replaced"] / (wrong + left), 3),
    }


def personal(redactor: Redactor, part: str) -> dict[str, dict[str, float]]:
    """Share of labelled spans of synthetic sentences that are gone, and of what was found, as labelled."""
    total: dict[str, float] = defaultdict(float)
    gone: dict[str, float] = defaultdict(float)
    found: dict[str, float] = defaultdict(float)
    labelled: dict[str, float] = defaultdict(float)
    for row, weight in weights(row for row in rows("presidio_synth_v2") if part_of(row) == part):
        clean = redactor.redact(row["text"])
        for span in row["meta"]["spans"]:
            total[span["type"]] += weight
            if clean.count(span["value"]) < row["text"].count(span["value"]):
                gone[span["type"]] += weight
        for mark, begin, end in redactor.find(row["text"]):
            kinds = {s["type"] for s in row["meta"]["spans"] if s["start"] < end and begin < s["end"]}
            found[mark] += weight
            labelled[mark] += weight if kinds & CLAIMED.get(mark, set()) else 0.0
    return {
        **{
            kind: {"spans": round(total[kind]), "recall": round(gone[kind] / total[kind], 3)}
            for kind in PERSONAL
        },
        **{
            mark: {"found": round(found[mark]), "precision": round(labelled[mark] / found[mark], 3)}
            for mark in found
        },
    }


def speed(redactor: Redactor) -> dict[str, float]:
    """Megabytes a second of programming texts, the best of three rounds."""
    texts = [row["text"] for row in rows("gpteacher_codegen")[:500]]
    size, seconds = sum(map(len, texts)), []
    for _ in range(3):
        started = time.process_time()
        for text in texts:
            redactor.redact(text)
        seconds.append(time.process_time() - started)
    return {"megabytes_a_second": round(size / min(seconds) / 1e6, 1)}


def benign(redactor: Redactor) -> dict[str, dict[str, int]]:
    """Texts without secrets, some of which hold addresses: how many are changed."""
    return {name: _changed(redactor, rows(name)) for name in BENIGN}


def _changed(redactor: Redactor, some: list[dict[str, Any]]) -> dict[str, int]:
    texts = [row.get("text") or json.dumps(row.get("messages") or row.get("trace")) for row in some]
    return {"texts": len(texts), "changed": sum(redactor.redact(text) != text for text in texts)}


def main() -> None:
    redactor = Redactor()
    figures = {
        part: {"secrets": secrets(redactor, part), "personal": personal(redactor, part)} for part in PARTS
    }
    json.dump(figures | {"benign": benign(redactor), "speed": speed(redactor)}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
