"""ADWIN is river's own class, and comes alone."""

from __future__ import annotations

import subprocess
import sys


def test_it_brings_neither_pandas_nor_scikit_learn() -> None:
    program = (
        "import sys; from tocsin.adwin import adwin_class; window = adwin_class()();"
        "[window.update(x) for x in (0.1, 0.2) * 500];"
        "assert not {'pandas', 'sklearn', 'scipy'} & sys.modules.keys(), 'heavy';"
        "assert window.width == 1000"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_whoever_imports_river_meets_the_same_class() -> None:
    program = (
        "from tocsin.adwin import adwin_class; mine = adwin_class();"
        "from river.drift import ADWIN; assert ADWIN is mine"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
