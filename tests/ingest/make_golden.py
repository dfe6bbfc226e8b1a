"""Writes what golden payloads become today, where nothing is written yet; read it before you commit it.

    PYTHONPATH=tests .venv/bin/python tests/ingest/make_golden.py [PART OF A PATH ...]

With a part of a path: those are written anew.
"""

from __future__ import annotations

import sys

import msgspec
from parts.golden import cases, plain

from ingest.recognise import Recogniser


def main(again: list[str]) -> None:
    for case in cases():
        if case.out.exists() and not any(part in str(case.path) for part in again):
            continue
        items = [plain(item) for record in case.records() for item in Recogniser().decode(record).items]
        case.out.write_bytes(msgspec.json.format(msgspec.json.encode(items), indent=1) + b"\n")
        print(case.out)


if __name__ == "__main__":
    main(sys.argv[1:])
