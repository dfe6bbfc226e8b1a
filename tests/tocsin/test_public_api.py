"""What plugins may rely on."""

from __future__ import annotations

import subprocess
import sys

import tocsin


def test_the_public_names_are_these() -> None:
    assert tocsin.__all__ == [
        "About",
        "Alert",
        "Batch",
        "Decoded",
        "Detector",
        "Event",
        "Finding",
        "Message",
        "Reader",
        "Record",
        "Reject",
        "Severity",
        "Signals",
        "Sink",
        "Source",
        "ToolCall",
        "Writer",
        "sketch",
    ]
    homes = ("tocsin.contracts", "tocsin.model", "tocsin.reading.sketch")
    assert all(getattr(tocsin, name).__module__ in homes for name in tocsin.__all__)


def test_importing_it_imports_no_component_and_no_heavy_library() -> None:
    code = "import sys, tocsin; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split()) - set(sys.stdlib_module_names)
    heavy = {
        "kafka",
        "clickhouse_connect",
        "chdb",
        "river",
        "numpy",
        "sklearn",
        "prometheus_client",
        "hyperscan",
    }
    assert not loaded & {*heavy, "ingest", "detectors", "sinks", "dashboards"}
