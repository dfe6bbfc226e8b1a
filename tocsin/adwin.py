"""River's ADWIN without what `import river.drift` brings along: pandas and scikit-learn, 170 MB of memory.

The module is loaded under its own name, so whoever imports river in full meets the same class.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import river

NAME = "river.drift.adwin"


@cache
def adwin_class() -> Any:
    """river.drift.ADWIN. Raises ImportError where river is missing or keeps it elsewhere."""
    loaded = sys.modules.get(NAME)
    if loaded is None:
        spec = spec_from_file_location(NAME, Path(river.__path__[0]) / "drift" / "adwin.py")
        if spec is None or spec.loader is None:
            raise ImportError(f"{NAME} is not there")
        loaded = module_from_spec(spec)
        sys.modules[NAME] = loaded
        spec.loader.exec_module(loaded)
    return loaded.ADWIN
