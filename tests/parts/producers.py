"""Programs of real SDKs, instrumentations, frameworks and gateways, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

CACHE = Path(os.environ.get("TOCSIN_CACHE") or Path.home() / ".cache" / "tocsin")
VENV = CACHE / "producers"
PROGRAMS = Path(__file__).parents[1] / "producers" / "programs"
CALLBACK = Path(__file__).parents[2] / "compose" / "shippers" / "litellm"


def run(program: str, **environment: str) -> None:
    """Run to its end; what it wrote is shown where it failed."""
    common = {
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
        "LITELLM_LOCAL_MODEL_COST_MAP": "true",  # nothing but loopback
    }
    clean = common | {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    command = (VENV / "bin" / "python", PROGRAMS / f"{program}.py")
    done = subprocess.run(
        command, env=clean | {"SERVICE": program} | environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, f"{program}:\n{done.stdout[-1000:]}{done.stderr[-4000:]}"
